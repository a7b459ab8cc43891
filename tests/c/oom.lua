-- What tests/c/oom_test.c runs out of memory. `body` holds all it makes in <close> variables; what cannot be so
-- held is made by `setup` or undone by `cleanup`, which have memory. With a `lua_stride` or `c_stride` only each n-th
-- allocation fails, unless LUABOX_SOAK is set.

-- The type of Lua's own long buffers is registered before it is whole (lauxlib.c, newbox): have it made with memory.
assert(#("x"):rep(1 << 16) > 0)

local directories = {} -- of the control group
local kept -- a handle from setup to cleanup

local function sys(name) return require("luabox.sys." .. name) end

-- The library from its sources, whole: reading modules is Lua's affair.
local function load_library()
  package.path = "lua/?.lua;lua/?/init.lua;" .. package.path
  local names <close> = assert(io.popen "ls lua/luabox")
  local luabox = require "luabox"
  for name in names:lines() do
    local module = name:match "^([%w_]+)%.lua$"
    if module ~= "init" then require("luabox." .. module) end
  end
  return luabox
end

local function end_run()
  require("luabox.keeper").close()
end

-- An error that the body expects, and no other.
local function expect(code, f, ...)
  local ok, e = pcall(f, ...)
  assert(not ok, "it was done")
  if type(e) == "string" or e.code ~= code then error(e, 0) end
end

return {
  {
    name = "errors",
    body = function()
      local fields = { op = "mount", subject = "/x", context = { "a", "b" }, suppressed = { "c" } }
      assert(tostring(setmetatable(fields, sys("error").metatable)) == "b: a: mount /x: ; and then: c")
    end,
  },
  {
    name = "a system call that fails",
    body = function()
      local ok, e = pcall(sys("namespace").open, "net", "/nowhere")
      assert(not ok)
      if type(e) == "string" then error(e, 0) end
      assert(e.code == "ENOENT")
    end,
  },
  {
    name = "options that are refused",
    body = function()
      local ok, message = pcall(sys("namespace").write_id_maps, { pdi = 1 })
      assert(not ok)
      assert(message:find("unknown option 'pdi'; did you mean 'pid'?", 1, true), message)
    end,
  },
  {
    name = "namespaces opened",
    body = function()
      local namespace = sys "namespace"
      local net <close> = namespace.open "net"
      local user <close> = net:owner()
      assert(net:id() and user:type() == "user" and tostring(net))
    end,
  },
  {
    name = "a network namespace made",
    body = function()
      local net <close> = sys("namespace").create "net"
      assert(net:type() == "net")
    end,
  },
  {
    name = "queues, shared memory and semaphores",
    body = function()
      local ipc = sys "ipc"
      for _, kind in ipairs { "queue", "memory", "semaphores" } do
        local id = ipc.create(kind, { mode = "600" })
        assert(ipc.list(kind)[1].id == id)
        ipc.remove(kind, id)
      end
    end,
    cleanup = function()
      local ipc = sys "ipc"
      for _, kind in ipairs { "queue", "memory", "semaphores" } do
        for _, object in ipairs(ipc.list(kind)) do ipc.remove(kind, object.id) end
      end
    end,
  },
  {
    name = "capabilities",
    body = function()
      local capability = sys "capability"
      capability.get()
      capability.names()
      capability.default()
    end,
  },
  {
    name = "a system call filter",
    body = function() sys("seccomp").default() end,
  },
  {
    name = "links, addresses and routes listed",
    body = function()
      local s <close> = sys("net").socket()
      assert(#s:links() >= 1)
      s:addresses()
      s:routes()
      s:rules()
      s:neighbours()
      assert(s:link("lo"))
    end,
  },
  {
    name = "a pair of links with an address and a route",
    body = function()
      local net = sys "net"
      net.link_add { kind = "veth", name = "oom0", up = true, address = "02:00:00:00:00:01", peer = { name = "oom1" } }
      net.address_add { link = "oom0", address = "10.9.0.1/24" }
      net.route_add { destination = "10.10.0.0/16", gateway = "10.9.0.2" }
      net.neighbour_add { link = "oom0", address = "10.9.0.2", lladdr = "02:00:00:00:00:02" }
    end,
    cleanup = function() pcall(sys("net").link_delete, "oom0") end,
  },
  {
    name = "changes sent together",
    body = function()
      local s <close> = sys("net").socket()
      local b = s:batch()
      b:link_add { kind = "bridge", name = "oom0" }
      b:link_set { name = "oom0", up = true }
      b:send()
    end,
    cleanup = function() pcall(sys("net").link_delete, "oom0") end,
  },
  {
    name = "a control group",
    body = function()
      local cg <close> = sys("cgroup").create({
        name = ("oom-%p"):format(directories), ["pids.max"] = 10, ["memory.max"] = "64M",
      }, function(paths) directories = paths end)
      assert(cg:get("pids.max") == 10)
      cg:stat()
      cg:processes()
      cg:attach_fds()
      cg:remove()
    end,
    cleanup = function()
      for i = #directories, 1, -1 do os.remove(directories[i]) end
    end,
  },
  {
    name = "mounts",
    body = function()
      local mount = sys "mount"
      mount.mount { type = "tmpfs", target = "/mnt", flags = "nosuid,nodev", data = { size = "1M" } }
      mount.bind { source = "/usr", target = "/media", flags = "rec,ro" }
      assert(#mount.list() > 2)
      mount.umount("/media", "detach")
      mount.umount "/mnt"
    end,
    cleanup = function()
      pcall(sys("mount").umount, "/media", "detach")
      pcall(sys("mount").umount, "/mnt", "detach")
    end,
  },
  {
    name = "a detached mount",
    body = function()
      local fs <close> = sys("mount").fsopen "tmpfs"
      fs:set("size", "1M")
      fs:create()
      local tree <close> = fs:mount "nosuid"
      tree:setattr { set = "ro" }
    end,
  },
  {
    name = "the default root",
    body = function()
      local root <close> = sys("rootfs").default()
      assert(root:fileno() >= 0)
    end,
  },
  {
    name = "a program",
    body = function()
      local p <close> = sys("process").spawn {
        program = { "sh", "-c", "cat; echo error >&2; exit 3" },
        stdin = "pipe", stdout = "pipe", stderr = "pipe",
        env = { PATH = "/usr/bin:/bin", A = "1" }, cwd = "/",
      }
      p:stdin():write "hello"
      p:stdin():close()
      assert(p:stdout():read() == "hello")
      assert(p:wait().code == 3)
    end,
  },
  {
    name = "a program in namespaces of its own",
    body = function()
      local p <close> = sys("process").spawn { program = { "true" }, namespaces = "mnt,pid,net,uts,ipc,cgroup" }
      assert(p:wait().code == 0)
    end,
  },
  {
    name = "a program after steps",
    body = function()
      local process = sys "process"
      local net <close> = sys("namespace").create "net"
      local p <close> = process.spawn {
        program = { "cat" }, stdin = "pipe", stdout = "pipe", init = true, namespaces = "mnt,uts,pid", join = { net },
        fds = { [5] = 0 }, groups = { 1 }, uid = 1,
        steps = {
          { "propagation", path = "/", flags = "private,rec" }, { "hostname", name = "box" },
          { "mount", type = "tmpfs", target = "/mnt", data = { size = "64k" } },
          { "bind", source = "/etc", target = "/mnt/etc", create = "dir" },
          { "user", groups = { 1, 2 } }, { "call", ["function"] = function() end },
        },
      }
      assert(process.communicate(p, { input = "hello" }) == "hello")
      assert(p:wait().code == 0)
    end,
  },
  {
    name = "a program that is not there",
    body = function()
      local ok, e = pcall(sys("process").spawn, { program = { "/nowhere" } })
      assert(not ok)
      if type(e) == "string" or e.code == "ENOMEM" then error(e, 0) end
      assert(e.code == "ENOENT", e)
    end,
  },
  {
    name = "a program in a root of its own",
    setup = function() kept = sys("rootfs").default() end,
    body = function()
      local p <close> = sys("process").spawn {
        program = { "/bin/true" },
        namespaces = "mnt,pid,uts,ipc",
        steps = {
          { "propagation", path = "/", flags = "private,rec" },
          { "root", tree = kept, overlay = true },
          { "mount", type = "proc", source = "proc", target = "/proc", flags = "nosuid,nodev,noexec" },
          { "bind", source = "/etc/hostname", target = "/etc/hostname", create = "file" },
          { "bind", source = "/dev/null", target = "/dev/null", create = "file" },
          { "write", path = "/etc/x", data = "x" },
          { "mask", path = "/proc/keys" },
          { "hostname", name = "oom" },
          { "rlimit", name = "NOFILE", soft = 64, hard = 64 },
          { "detach_root" },
          { "capabilities", effective = "chown,kill", permitted = "chown,kill" },
          { "no_new_privs" },
        },
      }
      assert(p:wait().code == 0)
    end,
    cleanup = function()
      kept:close()
      kept = nil
    end,
  },
  {
    name = "a tar that is unpacked",
    setup = function() assert(os.execute "tar -c -z -f /tmp/oom.tar --sort=name -C / etc/hostname etc/hosts bin") end,
    body = function()
      local fs <close> = sys("mount").fsopen "tmpfs"
      fs:create()
      local tree <close> = fs:mount()
      local map = { { inside = 0, outside = 100000, count = 1000 } }
      assert(sys("tar").unpack("/tmp/oom.tar", tree, { uid_map = map, gid_map = map }).entries >= 3)
    end,
    cleanup = function() os.remove "/tmp/oom.tar" end,
  },
  {
    name = "a function in a child, and its results",
    body = function()
      local p <close> = sys("process").spawn {
        body = function(a, b) return a, { b, x = { true, 1.5, "s" } } end,
        args = { 1, "two" },
      }
      p:wait()
      local a, t = p:result()
      assert(a == 1 and t[1] == "two" and t.x[3] == "s")
    end,
  },
  {
    name = "an error in a child",
    body = function()
      local p <close> = sys("process").spawn { body = function() error({ "a table" }) end }
      p:wait()
      assert(not pcall(p.result, p))
    end,
  },
  {
    name = "rules and maps",
    body = function()
      local nft <close> = sys("nft").socket()
      nft:apply {
        { "add", "table", name = "oom", owner = true },
        { "add", "chain", table = "oom", name = "pre", type = "nat", hook = "prerouting", priority = "dstnat" },
        {
          "add", "map", table = "oom", name = "ports",
          key = "inet_proto,inet_service", data = "ipv4_addr,inet_service",
        },
        { "add", "element", table = "oom", set = "ports", elements = { { "tcp", 8080, "10.0.0.2", 80 } } },
        {
          "add", "rule", table = "oom", chain = "pre", daddr_type = "local", counter = true,
          dnat = { map = "ports", key = "protocol,dport" },
        },
        { "add", "rule", table = "oom", chain = "pre", saddr = { "10.0.0.0/8", "192.168.0.0/16" }, verdict = "accept" },
      }
    end,
  },
  {
    name = "tables, chains, rules and elements listed",
    setup = function()
      kept = sys("nft").socket()
      kept:apply {
        { "add", "table", name = "oom", owner = true },
        { "add", "chain", table = "oom", name = "c" },
        { "add", "set", table = "oom", name = "s", key = "ipv4_addr" },
        { "add", "element", table = "oom", set = "s", elements = { "10.0.0.1" } },
        { "add", "rule", table = "oom", chain = "c", nfproto = "ipv4", saddr = "@s", verdict = "accept" },
      }
    end,
    body = function()
      local nft <close> = sys("nft").socket()
      assert(#nft:tables() == 1 and #nft:chains() == 1 and #nft:rules() == 1)
      assert(#nft:elements { table = "oom", set = "s" } == 1)
    end,
    cleanup = function()
      kept:close()
      kept = nil
    end,
  },
  {
    name = "a keeper",
    body = function()
      local k <close> = sys("keeper").start()
      k:forget(k:tell { "file /tmp/luabox-oom" })
      k:stop()
    end,
  },
  {
    name = "a system call filter compiled",
    body = function()
      local rules = { { "mount", action = "errno:EPERM" } }
      local filter <close> = sys("seccomp").build { default = "allow", rules = rules }
      assert(filter:fileno() >= 0)
    end,
  },
  {
    name = "ports of the host",
    body = function()
      local port = sys "port"
      local claim <close> = port.claim { port = 8080, count = 3 }
      local one <close> = port.claim { port = 8080, address = "127.0.0.1", protocol = "udp" }
      assert(tostring(one))
      expect("EADDRINUSE", port.claim, { port = 8081, address = "::1" })
      port.holder { port = 8080 }
      claim:close()
    end,
  },
  {
    name = "files",
    body = function()
      local file = sys "file"
      file.mkdir("/tmp/luabox-oom/a", { parents = true })
      file.write("/tmp/luabox-oom/a/f", ("x"):rep(10000))
      assert(#file.read "/tmp/luabox-oom/a/f" == 10000)
      file.symlink("a/f", "/tmp/luabox-oom/l")
      assert(file.readlink "/tmp/luabox-oom/l" == "a/f")
      assert(file.realpath "/tmp/luabox-oom/l" == "/tmp/luabox-oom/a/f")
      assert(file.stat("/tmp/luabox-oom/l").size == 10000 and file.lstat("/tmp/luabox-oom/l").type == "symlink")
      assert(#file.list "/tmp/luabox-oom" == 2 and file.exists "/tmp/luabox-oom/a")
      file.chmod("/tmp/luabox-oom/a", "700")
      file.chown("/tmp/luabox-oom/a", 1, 1)
      file.unlink "/tmp/luabox-oom/a/f"
      file.rmdir "/tmp/luabox-oom/a"
      expect("ENOENT", file.read, "/tmp/luabox-oom/a/f")
    end,
    cleanup = function() os.execute "rm -rf /tmp/luabox-oom" end,
  },
  {
    name = "signals",
    body = function()
      local signal = sys "signal"
      signal.ignore "USR1"
      signal.default "USR1"
      signal.block "USR2"
      signal.unblock "USR2"
      assert(signal.number "RTMIN+2" == 36 and signal.name(15) == "TERM")
      local p <close> = sys("process").spawn { program = { "sleep", "60" } }
      local pidfd <close> = p:pidfd()
      assert(signal.kill(pidfd, "TERM"))
      assert(p:wait().signal == "TERM")
    end,
    cleanup = function()
      sys("signal").default "USR1"
      sys("signal").unblock "USR2"
    end,
  },
  {
    name = "a process that becomes a program",
    body = function()
      local process = sys "process"
      local p <close> = process.spawn {
        stdout = "pipe",
        body = function()
          process.exec {
            program = { "sh", "-c", "echo $A" }, env = { A = "1", PATH = "/bin:/usr/bin" }, cwd = "/", groups = { 1 },
            steps = { { "setsid" }, { "rlimit", name = "NOFILE", soft = 64, hard = 64 }, { "no_new_privs" } },
          }
        end,
      }
      local output = p:stdout():read()
      if p:wait().code ~= 0 then p:result() end
      assert(output == "1\n")
    end,
  },
  {
    name = "processes waited for, and what they write",
    body = function()
      local process = sys "process"
      local slow <close> = process.spawn { program = { "sleep", "60" } }
      local quick <close> = process.spawn { program = { "true" } }
      assert(process.wait_any { slow, quick } == quick)
      assert(process.wait_any({ slow }, 0) == nil)
      local p <close> = process.spawn {
        program = { "sh", "-c", "cat; head -c 100000 /dev/zero >&2" }, stdin = "pipe", stdout = "pipe", stderr = "pipe",
      }
      local input = ("x"):rep(100000)
      local out, err = process.communicate(p, { input = input, limit = 200000, timeout = 60 })
      assert(out == input and #err == 100000)
    end,
  },
  {
    name = "the library: a container",
    lua_stride = 9,
    c_stride = 1,
    setup = load_library,
    body = function()
      local luabox = require "luabox"
      local box <close> = luabox.container {
        name = "box", pids = 20, memory = "64M", files = { ["/x"] = "x" }, env = { A = "1" },
        mounts = { { type = "tmpfs", target = "/data" }, { source = "/usr", target = "/usr2", flags = "ro" } },
        rlimits = { NOFILE = 64 }, hosts = { other = "10.0.0.9" }, user = { uid = 1, gid = 1 },
      }
      box:start()
      assert(box:run({ "sh", "-c", "cat; echo $A; exit 3" }, { input = "hello " }).stdout == "hello 1\n")
      assert(box:call(function(a) return a + 1 end, 1) == 2)
      assert(box:stop().signal == "TERM" or box.result.code)
      box:delete()
    end,
    cleanup = end_run,
  },
  {
    name = "the library: a network with members, NAT and ports",
    lua_stride = 71,
    c_stride = 5,
    setup = load_library,
    body = function()
      local luabox = require "luabox"
      local lan <close> = luabox.network { name = "lan", subnet = { "10.1.0.0/24", "fd00:1::/64" }, nat = true }
      local a <close> = luabox.container { name = "a", network = lan, ports = { "8080:80", "[::1]:8081:81/udp" } }
      local b <close> = luabox.container { name = "b", network = lan, address = "10.1.0.77" }
      a:start()
      b:start()
      assert(tostring(lan):find("10.1.0.77", 1, true))
      assert(a:check({ "ping", "-c", "1", "b" }).code == 0)
      a:delete()
      lan:delete()
    end,
    cleanup = end_run,
  },
  {
    name = "parameters of the system",
    body = function()
      local system = sys "system"
      system.hostname()
      system.sysctl "net.ipv4.ip_forward"
      system.rlimit "NOFILE"
      system.uname()
      system.memory()
      system.cpus()
    end,
  },
}
