local luabox = require "luabox"

-- The fields of /proc/self/status of a program in a container.
local function status_in(o)
  o.name = "box"
  local box <close> = luabox.container(o):start()
  local fields = {}
  for name, value in box:check({ "cat", "/proc/self/status" }).stdout:gmatch "([%w_]+):%s*([^\n]*)" do
    fields[name] = value
  end
  return fields
end

-- Whether a program in a container may mount.
local function can_mount(o)
  o.name = "box"
  local box <close> = luabox.container(o):start()
  return box:run({ "mount", "-t", "tmpfs", "x", "/tmp" }).code == 0
end

describe("a container's confinement #root", function()
  it("leaves no capability if it is to have none", function()
    local status = status_in { capabilities = "" }
    assert.equal("0000000000000000", status.CapEff)
    assert.equal("0000000000000000", status.CapPrm)
    assert.equal("0000000000000000", status.CapBnd)
  end)

  it("leaves one capability, and changes the user without setuid among them", function()
    assert.equal("0000000000000001", status_in({ capabilities = "chown" }).CapEff)
    local status = status_in { capabilities = "chown", user = { uid = 7, gid = 8, groups = { 9 } } }
    assert.equal("7\t7\t7\t7", status.Uid)
    assert.equal("8\t8\t8\t8", status.Gid)
    assert.equal("9", status.Groups:match "%d+")
    assert.equal("0000000000000000", status.CapEff)
    assert.equal("0000000000000001", status.CapBnd)
  end)

  it("filters system calls without no_new_privs too", function()
    local status = status_in { no_new_privs = false }
    assert.equal("0", status.NoNewPrivs)
    assert.equal("2", status.Seccomp)
  end)

  it("lets through what a capability is for", function()
    assert.is_false(can_mount {})
    assert.is_true(can_mount { capabilities = "default,sys_admin" })
    assert.is_false(can_mount { capabilities = "default,sys_admin", seccomp = luabox.sys.seccomp.default() })
  end)

  it("can do without a filter", function()
    local own = io.open("/proc/self/status"):read("a"):match "Seccomp_filters:%s*(%d+)"
    assert.equal(own, status_in({ seccomp = false }).Seccomp_filters)
  end)
end)
