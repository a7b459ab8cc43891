local lfs = require "lfs"
local namespace = require "luabox.sys.namespace"
local process = require "luabox.sys.process"
local run = require("child").run
local spec = require "spec"

local refused = spec.refused

local function wait_gone(pid)
  return spec.eventually(function() return spec.ended(pid) end)
end

local TYPES = { "mnt", "pid", "net", "uts", "ipc", "user", "cgroup", "time" }
local MAP = { { inside = 0, outside = 100000, count = 65536 } }

local function output(o)
  o.stdout = "pipe"
  local p <close> = process.spawn(o)
  local text = p:stdout():read()
  p:wait()
  return text
end

local function shell(script, o)
  o = o or {}
  o.program = { "sh", "-c", script }
  return output(o)
end

local function link(path)
  local pipe <close> = io.popen("readlink " .. path)
  return pipe:read "l"
end

local function status(pid, name)
  for line in io.lines("/proc/" .. pid .. "/status") do
    local value = line:match("^" .. name .. ":%s*(.*)$")
    if value then return value end
  end
end

describe("process.spawn in new namespaces #root", function()
  it("has not started an init that is killed before its program runs", function()
    local steps = { { "call", ["function"] = function() os.execute "kill -9 $PPID" end } }
    assert.truthy(refused(process.spawn, { program = { "true" }, init = true, steps = steps })
      :find("start init: No such process (ESRCH); it was killed before it ran its program", 1, true))
  end)

  it("makes each type, and only that #userns", function()
    for _, kind in ipairs(TYPES) do
      local p <close> = process.spawn { program = { "sleep", "60" }, namespaces = kind }
      for _, other in ipairs(TYPES) do
        local same = link("/proc/self/ns/" .. other) == link("/proc/" .. p:pid() .. "/ns/" .. other)
        assert.equal(other ~= kind, same, kind .. " " .. other)
      end
    end
  end)

  it("makes all at once, for a Lua body #userns", function()
    local p <close> = process.spawn {
      body = function() return process.id(), select(2, pcall(namespace.unshare, "net")) end,
      namespaces = "mnt,pid,net,uts,ipc,cgroup",
    }
    assert.equal(1, (p:result()))
  end)

  it("writes id maps before the child does anything #userns", function()
    assert.equal("0 0\n         0     100000      65536\n",
      shell("echo $(id -u) $(id -g); cat /proc/self/uid_map", { namespaces = "user", uid_map = MAP, gid_map = MAP }))
    assert.equal("5 6\n", shell("echo $(id -u) $(id -G)",
      { namespaces = "user", uid_map = MAP, gid_map = MAP, uid = 5, gid = 6 }))
    assert.equal("in the child: setresuid 70000: Invalid argument (EINVAL); "
      .. "70000 has no mapping in the user namespace, whose uid_map has 0-65535",
      refused(shell, "true", { namespaces = "user", uid_map = MAP, gid_map = MAP, uid = 70000 }))
  end)

  it("owns the others by the new user namespace #userns", function()
    local p <close> = process.spawn {
      program = { "sleep", "60" }, namespaces = "user,net,uts", uid_map = MAP, gid_map = MAP,
    }
    local user <close> = namespace.open("user", p:pid())
    local net <close> = namespace.open("net", p:pid())
    local owner <close> = net:owner()
    assert.equal(user:id(), owner:id())
  end)

  it("sets the clocks of a time namespace", function()
    local up = tonumber(shell("cut -d. -f1 /proc/uptime",
      { namespaces = "time", time_offsets = { boottime = 1000000, monotonic = 1000 } }))
    assert.is_true(up > 1000000)
    local p <close> = process.spawn {
      body = function() return tonumber(io.open("/proc/uptime"):read "n") end,
      namespaces = "time", time_offsets = { boottime = 2000000 },
    }
    assert.is_true(p:result() > 2000000)
  end)
end)

describe("process.spawn in namespaces of others #root", function()
  it("joins by handle", function()
    local net <close> = namespace.create "net"
    local uts <close> = namespace.create "uts"
    local inside = net:id():match "(%d+)%]?$"
    assert.equal(("net:[%s]\n"):format(inside), shell("readlink /proc/self/ns/net", { join = { net, uts } }))
    local before = link "/proc/self/ns/net"
    local p <close> = process.spawn { body = function() return link "/proc/self/ns/net" end, join = { net } }
    assert.equal(("net:[%s]"):format(inside), p:result())
    assert.equal(before, link "/proc/self/ns/net")
  end)

  it("joins several of one process, its pid namespace without a second fork", function()
    local box <close> = process.spawn { init = true, namespaces = "pid,net,uts,mnt,ipc" }
    local join = { { pidfd = box, types = "pid,net,uts,mnt,ipc" } }
    local p <close> = process.spawn { program = { "sleep", "60" }, join = join }
    for _, kind in ipairs { "pid", "net", "uts", "mnt", "ipc" } do
      assert.equal(link("/proc/" .. box:pid() .. "/ns/" .. kind), link("/proc/" .. p:pid() .. "/ns/" .. kind))
    end
    assert.equal(tostring(process.id()), (status(p:pid(), "PPid")))
    assert.equal("2", status(p:pid(), "NSpid"):match "(%d+)$")
    local q <close> = process.spawn { body = process.id, join = join }
    assert.equal(3, (q:result()))
    local r <close> = process.spawn { program = { "true" } }
    assert.equal(status("self", "NSpid"):match "%S+$" ~= nil, r:pid() > 1) -- ours is as it was
  end)

  it("joins a user namespace, as a user of it #userns", function()
    local box <close> = process.spawn { init = true, namespaces = "user,pid,uts", uid_map = MAP, gid_map = MAP }
    local join = { { pidfd = box, types = "user,pid,uts" } }
    assert.equal("7 8 8\n", shell("echo $(id -u) $(id -g) $(id -G)", { join = join, uid = 7, gid = 8 }))
  end)

  it("is root of a user namespace that it joins, which owns what it makes #userns", function()
    local maker <close> = process.spawn { init = true, namespaces = "user,net", uid_map = MAP, gid_map = MAP }
    local user <close> = namespace.open("user", maker:pid())
    local net <close> = namespace.open("net", maker:pid())
    for _, init in ipairs { false, true } do
      local p <close> = process.spawn {
        program = { "sh", "-c", "echo $(id -u) $(ls /sys/class/net) $(stat -c %u /tmp/x); cat /proc/1/uid_map" },
        stdout = "pipe", init = init, namespaces = "mnt,pid,uts", join = { net, user },
        steps = {
          { "propagation", path = "/", flags = "private,rec" },
          { "mount", type = "proc", source = "proc", target = "/proc" },
          { "mount", type = "sysfs", source = "sysfs", target = "/sys" },
          { "mount", type = "tmpfs", source = "tmpfs", target = "/tmp" },
          { "write", path = "/tmp/x", data = "x" },
          { "hostname", name = "box" },
        },
      }
      assert.equal("0 lo 0\n         0     100000      65536\n", p:stdout():read())
      assert.same({ code = 0 }, p:wait())
    end
  end)

  it("joins what was made by others while a new user namespace is made #userns", function()
    local net <close> = namespace.create "net"
    local text = shell("readlink /proc/self/ns/net; cat /proc/self/uid_map",
      { join = { net }, namespaces = "user,mnt", uid_map = MAP, gid_map = MAP })
    assert.equal(("net:[%s]\n         0     100000      65536\n"):format(net:id():match "(%d+)%]?$"), text)
  end)

  it("joins with the rights that the user namespace gives #userns", function()
    -- An unprivileged process enters its own box: the user namespace must come first.
    local body = [[
      local process = require "luabox.sys.process"
      local box <close> = process.spawn { program = { "sleep", "60" }, namespaces = "user,pid,net,uts",
        uid_map = { { inside = 0, outside = 1000 } }, gid_map = { { inside = 0, outside = 1000 } } }
      local user, others = { pidfd = box, types = "user" }, { pidfd = box, types = "pid,net,uts" }
      local p <close> = process.spawn { program = { "sh", "-c", "id -u; echo $$" }, join = { others, user } }
      print(p:wait().code)
    ]]
    assert.equal("0\n2\n0\n", run(body, "setpriv --reuid 1000 --regid 1000 --clear-groups"))
  end)

  it("hides a child that joins", function()
    local box <close> = process.spawn { init = true, namespaces = "pid" }
    local p <close> = process.spawn {
      body = function() os.execute "sleep 60" end, join = { { pidfd = box, types = "pid" } },
      uid = 1000, gid = 1000,
    }
    local pipe <close> = io.popen(("stat -c %%u /proc/%d/exe /proc/%d/mem"):format(p:pid(), p:pid()))
    assert.equal("0\n0\n", pipe:read "a") -- root's, not its user's: it is not dumpable
  end)
end)

describe("process.spawn's identity #root", function()
  it("is exact", function()
    assert.equal("1000 1001 1001 5 7\n", shell("echo $(id -u) $(id -g) $(id -G)",
      { uid = 1000, gid = 1001, groups = { 5, 7 } }))
    assert.equal("1000 0 0\n", shell("echo $(id -u) $(id -g) $(id -G)", { uid = 1000 }))
    assert.equal("0\n", shell("grep Groups /proc/self/status | wc -w | xargs expr -1 +", { groups = {} }))
  end)

  it("keeps its death signal through a change of user", function()
    assert.equal("9\n", shell([[exec python3 -c '
import ctypes
n = ctypes.c_int()
ctypes.CDLL(None).prctl(2, ctypes.byref(n))
print(n.value)']], { uid = 1000, gid = 1000 }))
  end)

  it("starts a session", function()
    local p <close> = process.spawn { program = { "sleep", "60" }, setsid = true }
    local stat = io.open("/proc/" .. p:pid() .. "/stat"):read "a"
    assert.equal(tostring(p:pid()), stat:match "%) %S %d+ %d+ (%d+)")
  end)

  -- A group of cgroup2's, as a file; nil where only version 1 is.
  local function make_group()
    local path
    for _, directory in ipairs { "/sys/fs/cgroup/unified", "/sys/fs/cgroup" } do
      if lfs.attributes(directory .. "/cgroup.procs") then path = directory .. "/luabox-test" break end
    end
    if not path then return pending "there is no cgroup2 here" end
    assert(lfs.mkdir(path))
    finally(function() lfs.rmdir(path) end)
    return io.open(path)
  end

  it("is born in a cgroup, and joins its namespace #cgroup", function()
    local cgroup <close> = make_group()
    if not cgroup then return end
    local first <close> = process.spawn { init = true, namespaces = "pid,cgroup", cgroup = cgroup }
    local join = { { pidfd = first, types = "pid,cgroup" } }
    assert.matches("0::/\n", shell("cat /proc/self/cgroup", { join = join, cgroup = cgroup }))
  end)

  it("is born in a cgroup #cgroup", function()
    local cgroup <close> = make_group()
    if not cgroup then return end
    assert.truthy(shell("cat /proc/self/cgroup", { cgroup = cgroup }):find("0::/luabox-test\n", 1, true)
      or shell("cat /proc/self/cgroup", { cgroup = cgroup }):find("/luabox-test\n", 1, true))
    local procs <close> = io.open "/etc/passwd"
    assert.equal("clone: Bad file descriptor (EBADF); the cgroup must be a descriptor of a cgroup v2 directory",
      refused(shell, "true", { cgroup = procs }))
  end)
end)

describe("process 1 #root", function()
  it("runs its program, reaps and tells how it ended", function()
    for script, result in pairs {
      ["exit 3"] = { code = 3 }, ["kill -9 $$"] = { signal = "KILL", core = false },
      ["kill -TERM $$"] = { signal = "TERM", core = false }, ["(sleep 0.1; exit 9) & exit 0"] = { code = 0 },
    } do
      local p <close> = process.spawn { program = { "sh", "-c", script }, init = true, namespaces = "pid" }
      assert.same(result, p:wait())
    end
    local p <close> = process.spawn {
      program = { "sh", "-c", [[
        sh -c 'true &'
        for i in $(seq 1000); do ps -A -o stat= | grep -q Z || exit 0; done
        exit 1]] },
      init = true, namespaces = "pid,mnt",
      steps = {
        { "propagation", path = "/", flags = "private,rec" },
        { "mount", type = "proc", source = "proc", target = "/proc" },
      },
    }
    assert.same({ code = 0 }, p:wait())
  end)

  it("passes signals on", function()
    for _, name in ipairs { "TERM", "INT", "HUP", "QUIT", "USR1", "USR2", "WINCH" } do
      local p <close> = process.spawn {
        program = { "sh", "-c", ("trap 'exit 5' %s; echo; while :; do sleep 0.01; done"):format(name) },
        init = true, namespaces = "pid", stdout = "pipe",
      }
      p:stdout():read(1)
      p:kill(name)
      assert.same({ code = 5 }, p:wait())
    end
  end)

  it("holds nothing and cannot be looked into", function()
    local p <close> = process.spawn {
      program = { "sleep", "60" }, init = true, namespaces = "pid,mnt", cwd = "/tmp", stdout = "pipe",
    }
    local pid = p:pid()
    -- It lets go right after the start.
    assert.is_true(spec.eventually(function() return link("/proc/" .. pid .. "/cwd") == "/" end))
    assert.equal("luabox-init", status(pid, "Name"))
    local pipe <close> = io.popen("ls /proc/" .. pid .. "/fd")
    assert.equal("0\n", pipe:read "a")
    assert.truthy(link("/proc/" .. pid .. "/fd/0"):find "^pipe:")
    assert.equal("/", link("/proc/" .. pid .. "/cwd"))
    assert.equal("0000000000000000", status(pid, "SigIgn"))
  end)

  it("dies with all that it runs", function()
    local p <close> = process.spawn { program = { "sleep", "60" }, init = true, namespaces = "pid" }
    local children = io.open(("/proc/%d/task/%d/children"):format(p:pid(), p:pid())):read "n"
    p:kill "KILL"
    assert.same({ signal = "KILL", core = false }, p:wait())
    assert.is_true(wait_gone(children))
  end)

  it("raises what exec said", function()
    assert.equal("in the child: exec /nowhere: No such file or directory (ENOENT); "
      .. "there is no such file in the child's root",
      refused(process.spawn, { program = { "/nowhere" }, init = true, namespaces = "pid" }))
  end)

  it("can be alone, until TERM", function()
    local p <close> = process.spawn { init = true, namespaces = "pid,net" }
    assert.is_nil(p:wait(0.05))
    p:kill()
    assert.same({ code = 0 }, p:wait())
  end)
end)

describe("a parent's end #root", function()
  -- The pids that a script printed before it was killed.
  local function killed(spawn)
    local text = run(([[
      local process = require "luabox.sys.process"
      local p = process.spawn(%s)
      print(p:pid())
      io.stdout:flush()
      os.execute("kill -KILL " .. process.id())
    ]]):format(spawn))
    return assert(tonumber(text:match "%d+"), text)
  end

  it("ends its children", function()
    for _, spawn in ipairs {
      "{ program = { 'sleep', '60' }, stdout = 'null', stderr = 'null' }",
      "{ program = { 'sleep', '60' }, uid = 1000, stdout = 'null', stderr = 'null' }",
      "{ program = { 'sleep', '60' }, init = true, namespaces = 'pid', stdout = 'null', stderr = 'null' }",
      "{ body = function() while true do os.execute 'sleep 0.05' end end, stdout = 'null', stderr = 'null' }",
    } do
      assert.is_true(wait_gone(killed(spawn)), spawn)
    end
  end)

  it("leaves those alone that are meant to stay", function()
    local pid = killed "{ program = { 'sleep', '60' }, death_signal = 'NONE', stdout = 'null', stderr = 'null' }"
    finally(function() os.execute("kill -KILL " .. pid) end)
    os.execute "sleep 0.1"
    assert.equal("sleep", status(pid, "Name"))
  end)
end)

describe("process.spawn without room #root", function()
  it("survives that 0, 1 and 2 are closed", function()
    local path = os.tmpname()
    local script = os.tmpname()
    finally(function() os.remove(path) os.remove(script) end)
    local code <close> = io.open(script, "w")
    code:write(([[
      local process = require "luabox.sys.process"
      local p <close> = process.spawn { program = { "ls", "-l", "/proc/self/fd" }, stdout = { path = %q, mode = "w" } }
      p:wait()
      local q <close> = process.spawn { body = function() return 1 end, stdin = "pipe", stdout = "pipe" }
      local r <close> = process.spawn { program = { "cat" }, stdin = "pipe", stdout = "pipe" }
      local text = process.communicate(r, { input = "hello" })
      local file <close> = io.open(%q, "a")
      file:write(q:result(), " ", text, "\n")
    ]]):format(path, path))
    code:flush()
    os.execute(("%s %s <&- >&- 2>&-"):format(os.getenv "LUABOX_INTERPRETER", script))
    local text = io.open(path):read "a"
    assert.truthy(text:find(" 0 -> /dev/null", 1, true), text)
    assert.truthy(text:find(" 1 -> " .. path, 1, true), text)
    assert.truthy(text:find(" 2 -> /dev/null", 1, true), text)
    assert.truthy(text:find("1 hello\n", 1, true), text)
  end)

  it("fails cleanly at each descriptor that is missing", function()
    local text = run [[
      local lfs = require "lfs"
      local process = require "luabox.sys.process"
      local function count()
        local n = 0
        for _ in lfs.dir "/proc/self/fd" do n = n + 1 end
        return n
      end
      local before, hoard = count(), {}
      local function spawn()
        return pcall(process.spawn, { program = { "true" }, stdin = "pipe", stdout = "pipe", init = true })
      end
      while true do
        local file = io.open "/dev/null"
        if not file then break end
        hoard[#hoard + 1] = file
      end
      local failures = {}
      for _ = 1, 30 do
        local ok, e = spawn()
        if ok then e:wait() e:close() break end
        failures[#failures + 1] = e.code .. " " .. e.op
        table.remove(hoard):close()
      end
      for _, file in ipairs(hoard) do file:close() end
      hoard = nil
      collectgarbage() collectgarbage()
      print(count() == before, table.concat(failures, ", "))
    ]]
    local same, failures = text:match "^(%a+)\t(.*)\n$"
    assert.equal("true", same, text)
    for failure in failures:gmatch "[^,]+" do assert.truthy(failure:find "EMFILE", failures) end
    assert.truthy(failures:find("EMFILE socketpair", 1, true), failures)
    assert.truthy(failures:find("EMFILE pipe", 1, true), failures)
  end)

  it("does without clone3 where a filter hides it", function()
    local filter <close> = require("luabox.sys.seccomp").default()
    local p <close> = process.spawn {
      steps = { { "no_new_privs" }, { "seccomp", filter = filter } },
      body = function()
        local q <close> = process.spawn { program = { "sh", "-c", "exit 3" } }
        local r <close> = process.spawn { body = function() return "x" end }
        local s <close> = process.spawn { program = { "sh", "-c", "exit 4" }, init = true }
        return q:wait().code, r:result(), s:wait().code
      end,
    }
    assert.same({ 3, "x", 4 }, { p:result() })
    local q <close> = process.spawn {
      steps = { { "no_new_privs" }, { "seccomp", filter = filter } }, program = { "sh", "-c", "exit 5" },
      init = true, namespaces = "pid",
    }
    assert.same({ code = 5 }, q:wait())
  end)

  it("gives programs the limit that it started with", function()
    assert.equal("100\n", run([[
      local process = require "luabox.sys.process"
      process.spawn { program = { "sh", "-c", "ulimit -Sn" } }:wait()
    ]], "prlimit --nofile=100:2000"))
  end)
end)
