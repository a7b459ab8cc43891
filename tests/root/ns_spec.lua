-- luabox.ns and its commands, held against lsns, nsenter and ip netns.
local child = require "child"
local luabox = require "luabox"
local dkjson = require "dkjson"
local run = require("child").run
local spec = require "spec"

local ns, process = luabox.ns, luabox.sys.process

local function output(command)
  local pipe <close> = assert(io.popen(command .. " 2>&1"))
  local text = pipe:read "a"
  local _, _, status = pipe:close()
  return text, status
end

local function failure(f, ...)
  local ok, e = pcall(f, ...)
  assert.is_false(ok)
  return tostring(e)
end

-- A process in namespaces of its own, and what is to be seen of it.
local function sleeper(namespaces, o)
  o = o or {}
  o.program, o.namespaces = { "sleep", "60" }, namespaces
  local p = process.spawn(o)
  spec.await_program(p:pid(), "sleep")
  return p
end

local function find(list, type, id)
  for _, entry in ipairs(list) do
    if entry.type == type and entry.id == id then return entry end
  end
end

describe("luabox.ns.list #root", function()
  it("lists what lsns lists", function()
    local p <close> = sleeper "net,uts,pid,mnt,ipc,cgroup"
    local listed = dkjson.decode((output "lsns --json --output NS,TYPE,NPROCS,PID,USER")).namespaces
    local own = {}
    for _, entry in ipairs(ns.list()) do own[entry.type .. entry.id] = entry end
    local compared = 0
    for _, theirs in ipairs(listed) do
      local mine = own[theirs.type .. theirs.ns]
      -- lsns itself, its shell and what it sees end with it.
      if theirs.pid == p:pid() then
        assert.is_table(mine)
        assert.equal(theirs.nprocs, mine.processes)
        assert.equal(theirs.pid, mine.pid)
        assert.equal(theirs.user, mine.user)
        assert.equal("sleep 60", mine.command)
        compared = compared + 1
      else
        assert.is_table(mine, theirs.type)
      end
    end
    assert.equal(6, compared)
  end)

  it("keeps to types and to one process", function()
    local p <close> = sleeper "net,uts"
    local list = ns.list { types = "net,uts", pid = p:pid() }
    assert.equal(2, #list)
    for _, entry in ipairs(list) do assert.equal(p:pid(), entry.pid) end
    assert.equal(1, #ns.list { types = "uts", pid = p:pid() })
  end)

  it("tells how pid and user namespaces are nested", function()
    local map = { { inside = 0, outside = 100000, count = 65536 } }
    local p <close> = sleeper("user,pid", { uid_map = map, gid_map = map })
    local own, theirs = ns.of(), ns.of(p:pid())
    local list = ns.list { types = "pid,user" }
    assert.equal(own.pid, find(list, "pid", theirs.pid).parent)
    assert.equal(own.user, find(list, "user", theirs.user).parent)
    assert.equal("100000", find(list, "user", theirs.user).user)
  end)

  it("knows those that only a mount or a descriptor holds", function()
    local blue <close> = ns.create "blue"
    finally(function() ns.delete "blue" end)
    local id = math.tointeger(blue:id():match "%d+")
    assert.equal("/run/netns/blue", find(ns.list(), "net", id).path)
    assert.equal(0, find(ns.list(), "net", id).processes)
    local held <close> = luabox.sys.namespace.create "net"
    local held_id = math.tointeger(held:id():match "%d+")
    assert.is_nil(find(ns.list(), "net", held_id))
    assert.equal(process.id(), find(ns.list { held = true }, "net", held_id).holder)
  end)

  it("says of whom it was asked in vain", function()
    for name, path in pairs { of = "ns/mnt", pids = "status" } do
      assert.equal(("open /proc/99999999/%s: No such file or directory (ENOENT); there is no such process here")
        :format(path), failure(ns[name], 99999999))
      for _, wrong in ipairs { "self", 0, 1.5 } do
        assert.matches("bad argument #1 to '" .. name .. "'", failure(ns[name], wrong), 1, true)
      end
    end
    local said = child.run([[print(pcall(require("luabox").ns.of, 1))]],
      "setpriv --reuid 1000 --regid 1000 --clear-groups")
    assert.matches("Permission denied (EACCES); another user's process: be root", said, 1, true)
  end)

  it("tells the processes of one", function()
    local p <close> = sleeper "net"
    local id = ns.of(p:pid()).net
    local list = ns.processes(id)
    assert.equal(1, #list)
    assert.same({ pid = p:pid(), ppid = process.id(), uid = 0, user = "root", command = "sleep 60" }, list[1])
    assert.matches("namespace 5: No such file or directory", failure(ns.processes, 5), 1, true)
  end)
end)

describe("luabox.ns.pids #root", function()
  it("gives one pid a level", function()
    local p <close> = process.spawn {
      namespaces = "pid", body = function()
        local q <close> = process.spawn { program = { "sleep", "60" }, namespaces = "pid" }
        process.exit(q:wait().code)
      end,
    }
    local inner
    spec.eventually(function()
      inner = tonumber(output(("cat /proc/%d/task/%d/children"):format(p:pid(), p:pid())):match "%d+")
      return inner and #ns.pids(inner) == 3
    end)
    assert.same({ inner, 2, 1 }, ns.pids(inner))
    assert.same({ p:pid(), 1 }, ns.pids(p:pid()))
  end)
end)

describe("luabox.ns.call #root #pidfd", function()
  it("enters what is asked for, and the root and working directory", function()
    local box <close> = luabox.container {
      name = "box", files = { ["/srv/here/mark"] = "x" }, cwd = "/srv/here", init = false, command = { "sleep", "60" },
    }
    box:start()
    local theirs = ns.of(box:pid())
    local seen, name = ns.call(box:pid(), { types = "uts" }, function()
      return luabox.ns.of(), luabox.sys.system.hostname()
    end)
    assert.equal("box", name)
    assert.equal(theirs.uts, seen.uts)
    assert.not_equal(theirs.net, seen.net)
    local exists = luabox.sys.file.exists
    assert.is_true(ns.call(box:pid(), { types = "mnt", root = true, cwd = true }, function() return exists "mark" end))
    assert.is_false(ns.call(box:pid(), { types = "mnt", root = true }, function() return exists "mark" end))
    seen = ns.call(box:pid(), nil, function() return luabox.ns.of() end)
    for _, type in ipairs { "mnt", "uts", "ipc", "net", "cgroup" } do assert.equal(theirs[type], seen[type], type) end
    assert.equal(ns.of().uts, ns.of(process.id()).uts)
  end)

  it("says who is not there", function()
    assert.matches("process 999999: No such process", failure(ns.call, 999999, nil, print), 1, true)
    assert.matches("bad argument #3 to 'call'", failure(ns.call, process.id(), nil, 5), 1, true)
    assert.matches("unknown option 'type'; did you mean 'types'?",
      failure(ns.call, 1, { type = "net" }, print), 1, true)
  end)
end)

describe("luabox.ns.enter #root #pidfd", function()
  it("moves this process", function()
    local p <close> = sleeper "net,uts"
    local theirs = ns.of(p:pid())
    local text = run(([[
      local luabox = require "luabox"
      luabox.ns.enter(%d)
      local own = luabox.ns.of()
      print(own.net, own.uts)
      io.stdout:flush()
      os.execute("readlink /proc/self/ns/net")
    ]]):format(p:pid()))
    assert.equal(("%d\t%d\nnet:[%d]\n"):format(theirs.net, theirs.uts, theirs.net), text)
  end)

  it("takes a root and a working directory along", function()
    local box <close> = luabox.container { name = "box", cwd = "/tmp" }:start()
    local text = run(([[
      local luabox = require "luabox"
      local exit = luabox.sys.process.exit
      luabox.ns.enter(%d, { types = "mnt", root = true, cwd = true })
      print(luabox.sys.file.exists "/bin/busybox", luabox.sys.file.exists "/usr/share")
      exit() -- at once: the leak sanitizer would look for a /proc of its own
    ]]):format(box:pid()))
    assert.equal("true\tfalse\n", text)
  end)
end)

describe("a process whose children have lost their first one #root", function()
  it("is told why no other can be started", function()
    local text = run [[
      local luabox = require "luabox"
      luabox.sys.namespace.unshare "pid"
      local first <close> = luabox.sys.process.spawn { program = { "true" } }
      first:wait()
      print(select(2, pcall(luabox.sys.process.spawn, { program = { "true" } })))
    ]]
    assert.matches("ENOMEM); the children of this process go into another pid namespace", text, 1, true)
    assert.matches("whose first process has ended", text, 1, true)
  end)
end)

describe("a named network namespace #root", function()
  it("is one of ip netns, and the other way round", function()
    local blue <close> = ns.create "blue"
    finally(function() os.execute "umount /run/netns 2>/dev/null" end)
    assert.same({ "blue" }, ns.names())
    assert.matches("^blue", (output "ip netns"))
    assert.equal(blue:id() .. "\n", (output "ip netns exec blue readlink /proc/self/ns/net"))
    assert.matches("blue: File exists (EEXIST)", failure(ns.create, "blue"), 1, true)
    output "ip netns delete blue"
    assert.same({}, ns.names())
    output "ip netns add red"
    local red <close> = ns.open "red"
    assert.equal(red:id() .. "\n", (output "ip netns exec red readlink /proc/self/ns/net"))
    ns.delete "red"
    assert.equal("", (output "ip netns"))
    assert.equal("", (output "grep /run/netns /proc/self/mountinfo"))
  end)

  it("is refused a name that leads elsewhere", function()
    for _, name in ipairs { "", ".", "..", "a/b", ("x"):rep(256) } do
      assert.is_false(pcall(ns.create, name), name)
      assert.is_false(pcall(ns.delete, name), name)
    end
  end)

  it("says which names there are", function()
    local said = "%s network namespace 'gren': open /run/netns/gren: No such file or directory (ENOENT); "
    for _, verb in ipairs { "open", "delete" } do
      assert.equal(said:format(verb) .. "no network namespace has a name here; luabox.ns.create and `ip netns add` "
        .. "give names", failure(ns[verb], "gren"))
    end
    ns.create("green"):close()
    ns.create("xyz"):close()
    finally(function()
      ns.delete "green"
      ns.delete "xyz"
    end)
    for _, verb in ipairs { "open", "delete" } do
      assert.matches("; no network namespace has this name; did you mean 'green'?", failure(ns[verb], "gren"), 1, true)
      assert.matches("; expected one of 'green', 'xyz'", failure(ns[verb], "quite-other"), 1, true)
    end
  end)

  it("is for root to give", function()
    local text = child.run([[print(pcall(require("luabox").ns.create, "blue"))]], [[unshare -m sh -c '
      mount -t tmpfs -o mode=755 tmpfs /run; exec setpriv --reuid 1000 --regid 1000 --clear-groups "$@"' -]])
    assert.matches("mkdir /run/netns: Permission denied (EACCES); to give names to network namespaces takes root", text,
      1, true)
  end)
end)
