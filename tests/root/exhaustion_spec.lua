-- Real limits that luabox runs into: descriptors, processes, namespaces, memory of a tmpfs, a cgroup around it. Each is
-- taken from nothing to enough: a start must fail with an error that says why until it succeeds, and leave nothing.
-- time limit: 300
if os.getenv("LUABOX_UNDER") ~= "luabox" then return end

local leaks = require "leaks"
local luabox = require "luabox"
local program = require "program"
local cgroup, process = luabox.sys.cgroup, luabox.sys.process

local GRACE = 2
local TIMEOUT = 60

local function start_of(options)
  return { program.path, "-e", ([[
    local box <close> = luabox.container { name = "box", %s }
    box:start()
    box:check { "true" }
    box:call(function() end)
  ]]):format(options) }
end

local START = start_of ""
local LIMITED = start_of "pids = 50" -- with a keeper

-- The command behind a `ulimit` of the shell's.
local function limited(flag, n, command)
  return { "sh", "-c", ('ulimit %s %d && exec "$0" "$@"'):format(flag, n), table.unpack(command) }
end

-- Namespaces below a user namespace, of another user: there the limits bind root, too.
local MAP = { { inside = 0, outside = 100000, count = 4294867295 } }
local NESTED = start_of [[uid_map = { { inside = 0, outside = 0, count = 65536 } },
  gid_map = { { inside = 0, outside = 0, count = 65536 } }]]
local function own_namespaces(steps)
  local all = {
    { "propagation", path = "/", flags = "private,rec" },
    { "mount", type = "proc", source = "proc", target = "/proc" },
    { "mount", type = "tmpfs", source = "tmpfs", target = "/run", data = "mode=755" },
  }
  table.move(steps or {}, 1, #(steps or {}), #all + 1, all)
  return { namespaces = "user,mnt,pid,net,uts,ipc,cgroup", uid_map = MAP, gid_map = MAP, steps = all, init = true }
end

-- Runs a command; returns its end, nil if it took too long, and what it wrote.
local function run(command, o)
  o = o or {}
  o.program, o.stdin, o.stdout, o.stderr = command, "null", "pipe", "pipe"
  local p <close> = process.spawn(o)
  local out, err, why = process.communicate(p, { timeout = TIMEOUT })
  return not why and p:wait() or nil, out, err
end

-- Runs with more and more of something: `attempt(n)` returns as `run`. Each failure must be one of these codes.
local function more_and_more(first, last, codes, attempt)
  local before = leaks.snapshot()
  local failed, succeeded = 0, false
  for n = first, last do
    local result, _, err = attempt(n)
    assert(result, n .. ": it hangs")
    assert.is_nil(result.signal, n .. ": " .. err)
    succeeded = result.code == 0
    if succeeded then break end
    failed = failed + 1
    local code = err:match "%((E%u+)%)"
    assert(codes[code], ("%d: %s"):format(n, err))
    assert.equal("", leaks.left(before, GRACE), n .. ": " .. err)
  end
  assert(failed > 0, "nothing failed")
  assert(succeeded, "nothing succeeded")
  assert.equal("", leaks.left(before, GRACE))
end

local function set(...)
  local s = {}
  for _, name in ipairs { ... } do s[name] = true end
  return s
end

describe("a start #root", function()
  it("says that descriptors are too few", function()
    for _, command in ipairs { START, LIMITED } do
      more_and_more(6, 200, set("EMFILE"), function(n)
        return run(limited("-n", n, command))
      end)
    end
  end)

  it("says that processes are too few", function()
    more_and_more(1, 40, set("EAGAIN"), function(n)
      return run(limited("-p", n, NESTED), own_namespaces())
    end)
  end)

  it("says that namespaces are too few", function()
    for _, kind in ipairs { "user", "mnt", "pid", "net", "uts", "ipc", "cgroup" } do
      local name = ("user.max_%s_namespaces"):format(kind)
      more_and_more(0, 40, set("ENOSPC"), function(n)
        return run(NESTED, own_namespaces { { "sysctl", name = name, value = tostring(n) } })
      end)
    end
  end)

  it("says that the state directory is full", function()
    more_and_more(1, 10, set("ENOSPC"), function(n)
      return run(LIMITED, { namespaces = "mnt", steps = {
        { "propagation", path = "/", flags = "private,rec" },
        { "mount", type = "tmpfs", source = "tmpfs", target = "/run", data = "mode=755,nr_inodes=" .. n },
      } })
    end)
  end)

  it("says that the root is full", function()
    more_and_more(1, 40, set("ENOSPC"), function(n)
      local code = ([[
        local box <close> = luabox.container { name = "box", size = %d, files = { ["/a"] = ("x"):rep(50000) } }
        box:start()
        assert(box:check({ "wc", "-c", "/a" }).stdout:find "50000")
      ]]):format(n * 4096)
      return run { program.path, "-e", code }
    end)
  end)

  it("says that the cgroup around luabox lets it make no process", function()
    local group = cgroup.create { name = "exhaustion", ["pids.max"] = 1 }
    local fds = group:attach_fds()
    finally(function()
      for _, fd in ipairs(fds) do fd:close() end
      group:remove()
    end)
    more_and_more(1, 20, set("EAGAIN"), function(n)
      group:set { ["pids.max"] = n }
      return run(START, { steps = { { "cgroup", fds = fds } }, cgroup = group:fd() })
    end)
  end)
end)
