local namespace = require "luabox.sys.namespace"
local process = require "luabox.sys.process"
local spec = require "spec"

local output, refused = spec.output, spec.refused

local PIN = "/run/pin"

-- Runs a function in a child in new namespaces and returns its results.
local function in_child(namespaces, body, ...)
  local child <close> = process.spawn { namespaces = namespaces, body = body, args = { ... } }
  return child:result()
end

describe("luabox.sys.namespace #root", function()
  it("opens each type of its own process", function()
    for _, type in ipairs { "mnt", "pid", "net", "uts", "ipc", "user", "cgroup", "time" } do
      local ns <close> = namespace.open(type)
      assert.equal(type, ns:type())
      assert.equal(output("readlink /proc/$PPID/ns/" .. type), ns:id())
    end
  end)

  it("opens those of another process", function()
    local child <close> = process.spawn { namespaces = "net", program = { "sleep", "60" } }
    local ns <close> = namespace.open("net", child:pid())
    assert.equal(output(("readlink /proc/%d/ns/net"):format(child:pid())), ns:id())
    assert.equal("open /proc/4000000/ns/net: No such file or directory (ENOENT); "
      .. "there is no process 4000000 in this pid namespace", refused(namespace.open, "net", 4000000))
  end)

  it("opens by path only what is of the type", function()
    local ns <close> = namespace.open("uts", "/proc/self/ns/uts")
    assert.equal("uts", ns:type())
    assert.equal("open namespace /proc/self/ns/uts: Invalid argument (EINVAL); it is a uts namespace, not net",
      refused(namespace.open, "net", "/proc/self/ns/uts"))
    assert.equal("open namespace /etc/passwd: Invalid argument (EINVAL); "
      .. "it is no namespace: neither a pin nor a file of /proc/PID/ns", refused(namespace.open, "net", "/etc/passwd"))
  end)

  it("makes new ones and stays where it is #userns", function()
    for _, type in ipairs { "mnt", "net", "uts", "ipc", "user", "cgroup", "time" } do
      local before = output("readlink /proc/$PPID/ns/" .. type)
      local ns <close> = namespace.create(type)
      assert.not_equal(before, ns:id())
      assert.equal(type, ns:type())
      assert.equal(before, output("readlink /proc/$PPID/ns/" .. type))
    end
    assert.equal("create namespace pid: Invalid argument (EINVAL); a pid namespace lives only with its first process; "
      .. 'spawn one with namespaces = "pid"', refused(namespace.create, "pid"))
  end)

  it("says which limit is reached #userns", function()
    local message = in_child("user", function()
      local file <close> = assert(io.open("/proc/sys/user/max_uts_namespaces", "w"))
      file:write "0"
      file:flush()
      local _, e = pcall(require("luabox.sys.namespace").create, "uts")
      return tostring(e)
    end)
    assert.is_truthy(message:find("clone uts: No space left on device (ENOSPC); "
      .. "/proc/sys/user/max_uts_namespaces is 0", 1, true), message)
  end)

  it("enters by handle", function()
    local net <close> = namespace.create "net"
    assert(os.execute "ip link add before type bridge")
    finally(function() os.execute "ip link delete before" end)
    local links, id = in_child("", function(fd)
      local sys = require "luabox.sys.namespace"
      local function count()
        local pipe <close> = io.popen "ip -o link | wc -l"
        return pipe:read "n"
      end
      local before = count()
      sys.enter(fd, "net")
      return before - count(), sys.open("net"):id()
    end, net:fileno())
    assert.equal(1, links)
    assert.equal(net:id(), id)
  end)

  it("enters several of a process by its pidfd", function()
    local target <close> = process.spawn { namespaces = "net,uts", program = { "sleep", "60" } }
    local net, uts = in_child("", function(pidfd)
      local sys = require "luabox.sys.namespace"
      sys.enter(pidfd, "net,uts")
      return sys.open("net"):id(), sys.open("uts"):id()
    end, target:fileno())
    assert.equal(output(("readlink /proc/%d/ns/net"):format(target:pid())), net)
    assert.equal(output(("readlink /proc/%d/ns/uts"):format(target:pid())), uts)
  end)

  it("refuses to enter what it is not", function()
    local net <close> = namespace.create "net"
    assert.equal("setns uts: Invalid argument (EINVAL); the descriptor is of a net namespace",
      refused(namespace.enter, net, "uts"))
    local user <close> = namespace.open "user"
    assert.equal("setns user: Invalid argument (EINVAL); "
      .. "a process cannot enter the user namespace that it is in already",
      refused(namespace.enter, user))
  end)

  it("unshares", function()
    local before = output "readlink /proc/self/ns/uts"
    local after = in_child("", function()
      require("luabox.sys.namespace").unshare "uts,ipc"
      local pipe <close> = io.popen "readlink /proc/self/ns/uts"
      return pipe:read "l"
    end)
    assert.not_equal(before, after)
    assert.equal(before, output "readlink /proc/self/ns/uts")
  end)

  it("says what unsharing takes", function()
    local child <close> = process.spawn {
      uid = 65534, gid = 65534,
      body = function()
        local _, e = pcall(require("luabox.sys.namespace").unshare, "uts")
        return tostring(e)
      end,
    }
    assert.equal("unshare uts: Operation not permitted (EPERM); "
      .. 'it takes CAP_SYS_ADMIN: be root, or add "user" to the types', child:result())
  end)

  it("is made even where there is no way back #userns", function()
    local child <close> = process.spawn {
      namespaces = "user",
      body = function()
        local made = require("luabox.sys.namespace")
        local here <close> = made.open "net"
        local new <close> = made.create "net"
        local still <close> = made.open "net"
        return new:type(), here:id() == still:id(), here:id() == new:id()
      end,
    }
    assert.same({ "net", true, false }, { child:result() })
  end)

  it("visits none where it could not come back from #userns", function()
    local child <close> = process.spawn {
      namespaces = "user",
      body = function()
        local sys = require("luabox").sys
        local other <close> = sys.process.spawn { namespaces = "net", program = { "sleep", "60" } }
        local _, e = pcall(sys.net.socket, sys.namespace.open("net", other:pid()))
        return tostring(e)
      end,
    }
    assert.matches("^setns net .*Operation not permitted", child:result())
  end)

  it("knows owner and parent #userns", function()
    local user <close> = namespace.create "user"
    local own <close> = namespace.open "user"
    local parent <close> = user:parent()
    local owner <close> = user:owner()
    assert.equal(own:id(), parent:id())
    assert.equal(own:id(), owner:id())
    assert.equal(0, user:owner_uid())
    assert.is_nil(own:parent())
    local net <close> = namespace.create "net"
    local net_owner <close> = net:owner()
    assert.equal(own:id(), net_owner:id())
    assert.is_truthy(refused(net.parent, net):find("only pid and user namespaces have parents", 1, true))
    assert.is_truthy(refused(net.owner_uid, net):find("only a user namespace has an owner's uid", 1, true))
  end)

  describe("pin", function()
    it("keeps a namespace without a process", function()
      local net = namespace.create "net"
      local id = net:id()
      net:pin(PIN)
      finally(function() os.execute("umount " .. PIN .. " 2>/dev/null; rm -f " .. PIN) end)
      net:close()
      assert.equal("nsfs", output("stat -f -c %T " .. PIN))
      local again <close> = namespace.open("net", PIN)
      assert.equal(id, again:id())
      assert.equal("1", output("nsenter --net=" .. PIN .. " ip -o link | wc -l"))
      namespace.unpin(PIN)
      assert.is_nil(io.open(PIN))
      assert.equal("0", output("grep -c " .. PIN .. " /proc/self/mountinfo"))
    end)

    it("takes an empty file, and nothing else", function()
      local net <close> = namespace.create "net"
      local file = io.open(PIN, "w")
      file:close()
      net:pin(PIN)
      assert.equal("pin /run/pin: File exists (EEXIST); a namespace is pinned there already; unpin it first",
        refused(net.pin, net, PIN))
      namespace.unpin(PIN)
      assert.equal("pin /etc/passwd: File exists (EEXIST); a pin takes a new name, or an empty file",
        refused(net.pin, net, "/etc/passwd"))
      assert.equal("pin /run: File exists (EEXIST); a pin takes a new name, or an empty file",
        refused(net.pin, net, "/run"))
      assert(os.execute("ln -s /etc/passwd " .. PIN))
      finally(function() os.remove(PIN) end)
      assert.equal("pin /run/pin: File exists (EEXIST); a pin takes a new name, or an empty file",
        refused(net.pin, net, PIN))
    end)

    it("leaves no file behind when it fails", function()
      local net <close> = namespace.create "net"
      assert.is_truthy(refused(net.pin, net, "/run/none/pin"):find("open /run/none/pin: No such file", 1, true))
      local mnt <close> = namespace.open "mnt"
      local message = refused(mnt.pin, mnt, PIN)
      assert.is_truthy(message:find("a mnt namespace can be pinned only from one that is older", 1, true), message)
      assert.is_nil(io.open(PIN))
    end)
  end)

  it("unpins only pins", function()
    assert.equal("unpin /run: Invalid argument (EINVAL); no namespace is pinned there; nothing was removed",
      refused(namespace.unpin, "/run"))
    assert.equal("open /run/none: No such file or directory (ENOENT)", refused(namespace.unpin, "/run/none"))
  end)
end)

describe("luabox.sys.namespace.write_id_maps #root #userns", function()
  local function read(child, name)
    local file <close> = assert(io.open(("/proc/%d/%s"):format(child:pid(), name)))
    return (file:read("a"):gsub("[ \t]+", " "):gsub("\n ", "\n"):gsub("^ ", ""):gsub("\n$", ""))
  end

  local function sleeper()
    return process.spawn { namespaces = "user", program = { "sleep", "60" } }
  end

  it("writes several ranges", function()
    local child <close> = sleeper()
    namespace.write_id_maps {
      pid = child:pid(),
      uid = { { inside = 0, outside = 0 }, { inside = 1, outside = 100000, count = 1000 } },
      gid = { { inside = 0, outside = 5, count = 3 }, { inside = 10, outside = 100000, count = 10 } },
    }
    assert.equal("0 0 1\n1 100000 1000", read(child, "uid_map"))
    assert.equal("0 5 3\n10 100000 10", read(child, "gid_map"))
    assert.equal("allow", read(child, "setgroups"))
  end)

  it("denies setgroups when asked", function()
    local child <close> = sleeper()
    namespace.write_id_maps { pid = child:pid(), gid = { { inside = 0, outside = 0 } }, setgroups = "deny" }
    assert.equal("deny", read(child, "setgroups"))
    assert.equal("", read(child, "uid_map"))
  end)

  it("writes a map once", function()
    local child <close> = sleeper()
    local maps = { pid = child:pid(), uid = { { inside = 0, outside = 0 } } }
    namespace.write_id_maps(maps)
    assert.equal(("uid_map process %d: Operation not permitted (EPERM); it has been written before, and once is all")
      :format(child:pid()), refused(namespace.write_id_maps, maps))
    maps.pid = 4000000
    assert.equal("open /proc/4000000: No such process (ESRCH)", refused(namespace.write_id_maps, maps))
  end)

  -- An unprivileged process maps its child's ids; returns what was written, or the error.
  local function unprivileged(maps)
    local child <close> = process.spawn {
      uid = 65534, gid = 65534, args = { maps },
      body = function(request)
        local sleeping = { namespaces = "user", program = { "sleep", "60" } }
        local grandchild <close> = require("luabox.sys.process").spawn(sleeping)
        request.pid = grandchild:pid()
        local ok, e = pcall(require("luabox.sys.namespace").write_id_maps, request)
        if not ok then return tostring(e) end
        local pipe <close> = io.popen(("cd /proc/%d; cat uid_map gid_map setgroups"):format(request.pid))
        return (pipe:read("a"):gsub(" +", " "))
      end,
    }
    return child:result()
  end

  it("maps an unprivileged user's own ids, and denies setgroups for that", function()
    assert.equal(" 0 65534 1\n 0 65534 1\ndeny\n", unprivileged {
      uid = { { inside = 0, outside = 65534 } }, gid = { { inside = 0, outside = 65534 } },
    })
  end)

  local RANGES = { { inside = 0, outside = 65534 }, { inside = 1, outside = 100000, count = 100 } }

  it("asks newuidmap for more, and says what it said", function()
    local message = unprivileged { uid = RANGES }
    assert.is_truthy(message:find("^newuidmap process %d+: newuidmap: uid range %[1%-101%) %-> %[100000%-100100%) "
      .. "not allowed %(EPERM%); /etc/subuid must give this user the outside ids of every range$"), message)
  end)

  it("gets subordinate ids by newuidmap and newgidmap", function()
    assert(os.execute "cp /etc/subuid /etc/subgid /run && echo nobody:100000:100 | tee -a /run/subuid >>/run/subgid")
    assert(os.execute "mount --bind /run/subuid /etc/subuid && mount --bind /run/subgid /etc/subgid")
    finally(function() os.execute "umount /etc/subuid /etc/subgid; rm /run/subuid /run/subgid" end)
    assert.equal(" 0 65534 1\n 1 100000 100\n 0 65534 1\n 1 100000 100\nallow\n",
      unprivileged { uid = RANGES, gid = RANGES })
  end)
end)
