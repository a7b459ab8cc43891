local mount = require "luabox.sys.mount"
local process = require "luabox.sys.process"
local spec = require "spec"

local refused = spec.refused

local PRIVATE = { "propagation", path = "/", flags = "private,rec" }

-- Runs a script in a mount namespace after the steps and gives what it printed.
local function after(steps, script, o)
  o = o or {}
  local list = { PRIVATE, table.unpack(steps) }
  local p <close> = process.spawn {
    program = { "sh", "-c", script }, steps = list, namespaces = o.namespaces or "mnt,uts", stdout = "pipe",
    env = { PATH = "/bin:/usr/bin:/sbin:/usr/sbin" },
  }
  local text = p:stdout():read()
  assert.same({ code = 0 }, p:wait())
  return text
end

local function fails(steps, o)
  return refused(after, steps, "true", o)
end

local TMP = { "mount", type = "tmpfs", source = "test", target = "/tmp" }

describe("steps on namespaces #root", function()
  it("unshare and enter", function()
    assert.equal("uts:[" .. "", after({ { "unshare", namespaces = "net" } }, "readlink /proc/self/ns/uts"):sub(1, 5))
    local namespace = require "luabox.sys.namespace"
    local net <close> = namespace.create "net"
    assert.equal(("net:[%s]\n"):format(net:id():match "(%d+)%]?$"),
      after({ { "setns", fd = net, types = "net" } }, "readlink /proc/self/ns/net"))
    assert.truthy(fails({ { "setns", fd = 0 } }):find("^in the child, step 2 %(setns%): setns"))
  end)

  it("enter cgroups by their open files #cgroup", function()
    local directory = "/sys/fs/cgroup/unified"
    if not io.open(directory .. "/cgroup.procs") then directory = "/sys/fs/cgroup" end
    local path = directory .. "/luabox-steps"
    assert(os.execute("mkdir " .. path))
    finally(function() os.execute("rmdir " .. path) end)
    local procs <close> = io.open(path .. "/cgroup.procs", "w")
    assert.truthy(after({ { "cgroup", fds = { procs } } }, "cat /proc/self/cgroup"):find("/luabox-steps\n", 1, true))
    local read <close> = io.open(path .. "/cgroup.procs")
    assert.equal("in the child, step 2 (cgroup): enter cgroup " .. path .. "/cgroup.procs: Bad file descriptor (EBADF)",
      fails { { "cgroup", fds = { read } } })
  end)

  it("name the host", function()
    assert.equal("box\nexample\n", after({ { "hostname", name = "box" }, { "domainname", name = "example" } },
      "uname -n; cat /proc/sys/kernel/domainname"))
  end)

  it("set sysctls", function()
    assert.equal("1\n", after({ { "sysctl", name = "net.ipv4.ip_forward", value = "1" } },
      "cat /proc/sys/net/ipv4/ip_forward", { namespaces = "mnt,net" }))
    assert.truthy(fails({ { "sysctl", name = "net.ipv4.no_such", value = "1" } })
      :find("^in the child, step 2 %(sysctl%): .*net.ipv4.no_such: No such file or directory %(ENOENT%)"))
  end)
end)

describe("steps on mounts #root", function()
  it("mount, with the point made for it", function()
    assert.equal("test /tmp/a/b tmpfs ro,nosuid\n", after({
      TMP, { "mount", type = "tmpfs", source = "test", target = "/tmp/a/b", flags = "ro,nosuid", create = "dir",
        data = { size = "64k" } },
    }, "grep /tmp/a/b /proc/mounts | cut -d, -f1,2"))
    assert.truthy(fails({ { "mount", type = "tmpfs", target = "/nowhere/x" } })
      :find("^in the child, step 2 %(mount%): mount /nowhere/x: No such file or directory %(ENOENT%)"))
  end)

  it("bind a path", function()
    assert.equal("root\nsame\nread-only\n", after({
      TMP, { "bind", source = "/etc", target = "/tmp/etc", create = "dir", flags = "rec,ro" },
      { "bind", source = "/etc/passwd", target = "/tmp/p", create = "file", flags = "ro" },
      { "bind", source = "/nowhere", target = "/tmp/n", optional = true },
      { "bind", source = "/etc", target = "/tmp/no/such", optional = true },
    }, "head -c4 /tmp/p; echo; cmp /tmp/etc/passwd /tmp/p && echo same; "
      .. "touch /tmp/etc/x 2>/dev/null || echo read-only"))
    assert.equal("in the child, step 2 (bind): open_tree /nowhere: No such file or directory (ENOENT)",
      fails { { "bind", source = "/nowhere", target = "/tmp" } })
  end)

  it("bind a tree #detached", function()
    local tree <close> = mount.open_tree("/etc", "clone,rec")
    for _ = 1, 2 do -- the handle is not used up
      assert.equal("same\n", after({ TMP, { "bind", source = tree, target = "/tmp/etc", create = "dir" } },
        "cmp /tmp/etc/passwd /etc/passwd && echo same"))
    end
  end)

  it("change the root; sources are the host's", function()
    local file = io.open("/tmp/marker", "w")
    file:write "host"
    file:close()
    finally(function() os.remove "/tmp/marker" end)
    local text = after({
      { "root", overlay = true, size = 16 << 20 },
      { "mount", type = "proc", source = "proc", target = "/proc", create = "dir" },
      { "bind", source = "/tmp/marker", target = "/marker", create = "file" },
      { "bind", source = "/marker", target = "/again", create = "file", inside = true },
      { "detach_root" },
    }, "cat /marker /again; echo; ls -d /work /.. /../work 2>/dev/null; "
      .. "cut -d' ' -f2 /proc/mounts | sort; echo x >/etc/x && cat /etc/x")
    assert.equal("hosthost\n/..\n/\n/again\n/marker\n/proc\nx\n", text)
  end)

  it("take a tree as root, again and again #overlay #detached", function()
    local tree <close> = require("luabox.sys.rootfs").default()
    for _ = 1, 2 do
      for _, overlay in ipairs { true, false } do
        assert.equal("box\n", after({ { "root", tree = tree, overlay = overlay } }, "test -e /bin/busybox && echo box"))
      end
    end
  end)

  it("never leave the old root behind", function()
    assert.equal("/\n/proc\n", after({
      { "root" }, { "mount", type = "proc", source = "proc", target = "/proc" },
    }, "cut -d' ' -f2 /proc/mounts"))
  end)

  it("mask and make read-only", function()
    assert.equal("0\nread-only\n", after({ { "mask", path = "/proc/version" }, { "mask", path = "/no/such" },
      { "readonly", path = "/proc/sys" } },
      "wc -c </proc/version; echo 1 2>/dev/null >/proc/sys/net/ipv4/ip_forward || echo read-only"))
  end)
end)

describe("steps on files #root", function()
  it("make them", function()
    assert.equal("755 0:0 directory /tmp/d\n700 0:0 directory /tmp/d/e\n600 3:4 regular file /tmp/d/f\n"
      .. "666 0:0 character special file /tmp/n\n777 0:0 symbolic link /tmp/l\n640 0:0 regular file /tmp/x/y\n", after({
      TMP, { "umask", mask = 63 }, { "mkdir", path = "/tmp/d", mode = 493 },
      { "mkdir", path = "/tmp/d/e", parents = true }, { "write", path = "/tmp/d/f", data = "hello" },
      { "chown", path = "/tmp/d/f", uid = 3, gid = 4 },
      { "mknod", path = "/tmp/n", type = "c", major = 1, minor = 3 },
      { "symlink", path = "/tmp/l", target = "/nowhere" },
      { "umask", mask = 18 },
      { "write", path = "/tmp/x/y", data = "a", parents = true, mode = 416 },
      { "write", path = "/tmp/x/y", data = "b", append = true },
      { "write", path = "/tmp/gone", data = "" }, { "unlink", path = "/tmp/gone" },
      { "chmod", path = "/tmp/d/f", mode = 384 },
    }, "cd /tmp; stat -c '%a %u:%g %F %n' /tmp/d /tmp/d/e /tmp/d/f /tmp/n /tmp/l /tmp/x/y; "
      .. "test \"$(cat /tmp/x/y)\" = ab; ! test -e /tmp/gone"))
  end)

  it("name what they fail on", function()
    for sentence, step in pairs {
      ["mkdir): mkdir /tmp: File exists (EEXIST)"] = { "mkdir", path = "/tmp" },
      ["mkdir): mkdir /no/such: No such file or directory (ENOENT)"] = { "mkdir", path = "/no/such" },
      ["mkdir): mkdir /etc/passwd: File exists (EEXIST)"] = { "mkdir", path = "/etc/passwd", parents = true },
      ["write): open /no/such: No such file or directory (ENOENT)"] = { "write", path = "/no/such", data = "" },
      ["symlink): symlink /tmp: File exists (EEXIST)"] = { "symlink", path = "/tmp", target = "x" },
      ["mknod): mknod /tmp: File exists (EEXIST)"] = { "mknod", path = "/tmp", type = "p" },
      ["unlink): unlink /no: No such file or directory (ENOENT)"] = { "unlink", path = "/no" },
      ["chmod): chmod /no: No such file or directory (ENOENT)"] = { "chmod", path = "/no", mode = 0 },
      ["chown): chown /no: No such file or directory (ENOENT)"] = { "chown", path = "/no", uid = 0 },
      ["chdir): chdir /no: No such file or directory (ENOENT); there is no such directory in the child's root"] = {
        "chdir", path = "/no",
      },
    } do
      assert.equal("in the child, step 2 (" .. sentence, fails { step })
    end
  end)
end)

describe("steps on the process #root", function()
  it("limit it", function()
    assert.equal("64\n128\n077\n/usr\n500\n", after({
      { "rlimit", name = "NOFILE", soft = 64, hard = 128 }, { "umask", mask = 63 }, { "chdir", path = "/usr" },
      { "oom_score_adj", value = 500 },
    }, "ulimit -Sn; ulimit -Hn; umask | cut -c2-; pwd; cat /proc/self/oom_score_adj"))
  end)

  it("take its privileges", function()
    assert.equal("CapInh:\t0000000000000000\nCapPrm:\t00000000000000c0\nCapEff:\t00000000000000c0\n"
      .. "CapBnd:\t00000000000000c0\nCapAmb:\t0000000000000000\nNoNewPrivs:\t1\n", after({
      { "no_new_privs" }, { "capabilities", bounding = "setuid,setgid", permitted = "setuid,setgid" },
    }, "grep -E '^(Cap|NoNew)' /proc/self/status"))
  end)

  it("change its user, then no step may what it might", function()
    assert.equal("5 6 6 7\nCapEff:\t0000000000000000\n", after({ { "user", uid = 5, gid = 6, groups = { 7 } } },
      "echo $(id -u) $(id -g) $(id -G); grep CapEff /proc/self/status"))
    assert.equal("in the child, step 3 (user): setgroups: Operation not permitted (EPERM); "
      .. "it takes CAP_SETGID; change the groups before it is given up",
      fails { { "user", uid = 5 }, { "user", uid = 6 } })
  end)

  it("filter its system calls", function()
    local seccomp = require "luabox.sys.seccomp"
    local filter <close> = seccomp.default()
    assert.equal("Seccomp:\t2\n", after({ { "no_new_privs" }, { "seccomp", filter = filter } },
      "grep ^Seccomp: /proc/self/status"))
  end)

  it("give it a session and a keyring", function()
    local text = after({ { "setsid" }, { "session_keyring" } }, "cut -d' ' -f1,6 /proc/self/stat; echo $$")
    assert.is_string(text)
    local p <close> = process.spawn { program = { "sleep", "60" }, steps = { { "setsid" } } }
    assert.equal(tostring(p:pid()), io.open("/proc/" .. p:pid() .. "/stat"):read("a"):match "%) %S %d+ %d+ (%d+)")
  end)

  it("call Lua in its midst", function()
    local where
    assert.equal("child\n", after({
      { "hostname", name = "child" },
      { "call", ["function"] = function()
        where = "child"
        local file <close> = io.open("/proc/sys/kernel/domainname", "w")
        file:write(io.open("/proc/sys/kernel/hostname"):read "l")
      end },
    }, "cat /proc/sys/kernel/domainname"))
    assert.is_nil(where)
    assert.equal("in the child, step 2 (call): call: no (ECANCELED)",
      fails { { "call", ["function"] = function() error("no", 0) end } })
    assert.equal("in the child, step 2 (call): exec /nowhere: No such file or directory (ENOENT); "
      .. "there is no such file in the child's root",
      fails { { "call", ["function"] = function() process.spawn { program = { "/nowhere" } } end } })
    local error_mt = require("luabox.sys.error").metatable
    for _, errno in ipairs { 0, -1, 1 << 32 } do -- none of them is an errno, and 0 is no success
      assert.equal("in the child, step 2 (call): open: no (ECANCELED)", fails { { "call", ["function"] = function()
        error(setmetatable({ op = "open", errno = errno, message = "no" }, error_mt))
      end } })
    end
  end)

  it("work in a child with a Lua body", function()
    local p <close> = process.spawn {
      body = function() return io.open("/proc/sys/kernel/hostname"):read "l" end, namespaces = "uts",
      steps = { { "hostname", name = "box" } },
    }
    assert.equal("box", p:result())
  end)
end)

describe("a step that fails #root", function()
  it("leaves nothing, wherever it is", function()
    local steps = {
      PRIVATE, { "root", overlay = true }, { "mount", type = "proc", source = "proc", target = "/proc" },
      { "bind", source = "/usr", target = "/host", create = "dir", flags = "rec,ro" }, { "detach_root" },
      { "hostname", name = "box" }, { "no_new_privs" }, { "user", uid = 1, gid = 1 },
    }
    for _, init in ipairs { false, true } do
      for i = 1, #steps + 1 do
        local list = table.move(steps, 1, #steps, 1, {})
        table.insert(list, i, { "chdir", path = "/no" })
        assert.equal(("in the child, step %d (chdir): chdir /no: No such file or directory (ENOENT); " ..
          "there is no such directory in the child's root"):format(i),
          refused(process.spawn, { program = { "true" }, steps = list, namespaces = "mnt,uts,pid", init = init }))
      end
    end
    assert.equal("", io.open(("/proc/self/task/%d/children"):format(process.id())):read "a")
  end)
end)
