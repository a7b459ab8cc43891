local capability = require "luabox.sys.capability"
local spec = require "spec"

local refused = spec.refused

local function assert_refused(expected, f, ...)
  local message = refused(f, ...)
  assert.is_truthy(message:find(expected, 1, true), message)
end

-- The masks that the kernel writes, as comma lists.
local function status_sets(pid)
  local names, sets = capability.names(), {}
  for line in io.lines(("/proc/%s/status"):format(pid)) do
    local set, mask = line:match "^Cap(%a+):%s+(%x+)$"
    local list = {}
    for i, name in ipairs(names) do
      if set and tonumber(mask, 16) >> (i - 1) & 1 == 1 then list[#list + 1] = name end
    end
    if set then sets[set] = table.concat(list, ",") end
  end
  return sets
end

local function assert_sets(status, sets)
  assert.equal(status.Eff, sets.effective)
  assert.equal(status.Prm, sets.permitted)
  assert.equal(status.Inh, sets.inheritable)
  assert.equal(status.Bnd, sets.bounding)
  assert.equal(status.Amb, sets.ambient)
end

describe("luabox.sys.capability", function()
  it("tells the caller's sets", function()
    assert_sets(status_sets "self", capability.get())
  end)

  it("tells another process's sets", function()
    assert_sets(status_sets "1", capability.get(1))
    assert.is_boolean(capability.get(1).no_new_privs)
  end)

  it("says which process is not there", function()
    local ok, e = pcall(capability.get, 2147483647)
    assert.is_false(ok)
    assert.equal("ENOENT", e.code)
    assert.equal("open /proc/2147483647/status: No such file or directory (ENOENT); "
      .. "no process 2147483647 is seen in this /proc", tostring(e))
  end)

  it("names every capability by its number", function()
    local names = capability.names()
    assert.equal("chown", names[1])
    assert.equal("sys_admin", names[22])
    assert.equal("checkpoint_restore", names[41])
    assert.equal(41, #names)
  end)

  it("gives a container podman's eleven", function()
    assert.equal("chown,dac_override,fowner,fsetid,kill,setgid,setuid,setpcap,net_bind_service,sys_chroot,setfcap",
      capability.default())
  end)

  it("tells whether all of a list are there", function()
    for _, name in ipairs(capability.names()) do
      local expected = ("," .. capability.get().effective .. ","):find("," .. name .. ",", 1, true) ~= nil
      assert.equal(expected, capability.has(name))
    end
    assert.equal(false, capability.has "all" and not capability.has "chown")
  end)

  describe("arguments", function()
    it("of get", function()
      assert_refused("pid out of range", capability.get, 0)
      assert_refused("pid out of range", capability.get, -1)
      assert_refused("pid out of range", capability.get, 1 << 31)
      assert_refused("number expected, got table", capability.get, {})
    end)

    it("of has", function()
      assert_refused("string expected, got no value", capability.has)
      assert_refused("no capability named", capability.has, "")
      assert_refused("unknown value 'chwn'; did you mean 'chown'?", capability.has, "chwn")
      assert_refused("unknown value 'CAP_NET_ADMIN'; did you mean 'net_admin'?", capability.has, "CAP_NET_ADMIN")
      assert_refused("unknown value 'Net_Admin'; did you mean 'net_admin'?", capability.has, "Net_Admin")
    end)

    it("of set", function()
      local set = capability.set
      assert_refused("table expected, got no value", set)
      assert_refused("unknown option 'efective'; did you mean 'effective'?", set, { efective = "" })
      for _, name in ipairs { "effective", "permitted", "inheritable", "bounding", "ambient" } do
        assert_refused("option '" .. name .. "': string expected, got number", set, { [name] = 1 })
        assert_refused("option '" .. name .. "': unknown value 'sysadmin'; did you mean 'sys_admin'?",
          set, { [name] = "chown,sysadmin" })
      end
      assert_refused("option 'no_new_privs': boolean expected, got number", set, { no_new_privs = 1 })
    end)
  end)
end)
