local child = require("child").run
local luabox = require "luabox"
local spec = require "spec"
local cgroup, process = luabox.sys.cgroup, luabox.sys.process

local host_read, command, failure, started, unique =
  spec.contents, spec.output, spec.refused, spec.started, spec.unique

local function lines(text)
  local list = {}
  for line in text:gmatch "[^\n]+" do list[#list + 1] = line end
  return list
end

-- A root in a directory: busybox, and what is written in it stays.
local function make_rootfs()
  local path = os.tmpname()
  os.remove(path)
  assert(os.execute(("mkdir -p %s/bin %s/proc %s/dev %s/sys %s/etc %s/tmp && cp /bin/busybox %s/bin && " ..
    "for a in sh cat touch ls id; do ln -s busybox %s/bin/$a; done; echo mine > %s/etc/hosts"):gsub("%%s", path)))
  return path
end

describe("a container #root", function()
  it("has namespaces of its own", function()
    local box <close> = started {}
    local pid = box:pid()
    for _, kind in ipairs { "mnt", "pid", "net", "uts", "ipc", "cgroup" } do
      local here = command("readlink /proc/self/ns/" .. kind)
      local there = command(("readlink /proc/%d/ns/%s"):format(pid, kind))
      assert.are_not.equal(here, there)
    end
    assert.equal(command "readlink /proc/self/ns/user", command(("readlink /proc/%d/ns/user"):format(pid)))
  end)

  it("runs programs and gives back what they wrote and how they ended", function()
    local box <close> = started {}
    assert.same({ code = 3, stdout = "out\n", stderr = "err\n" },
      box:run { "sh", "-c", "echo out; echo err >&2; exit 3" })
    assert.equal("TERM", box:run({ "sh", "-c", "kill -TERM $$" }).signal)
    assert.equal("three\nfour\n", box:run({ "cat" }, { input = "three\nfour\n" }).stdout)
  end)

  it("goes through created, running, stopped and deleted", function()
    local box <close> = luabox.container { name = "box", command = { "sleep", "100" } }
    assert.equal("created", box:state())
    box:start()
    assert.equal("running", box:state())
    assert.equal("container 'box' (running)", tostring(box))
    assert.equal("TERM", box:stop().signal)
    assert.equal("stopped", box:state())
    box:start()
    assert.equal("running", box:state())
    box:delete()
    assert.equal("deleted", box:state())
    box:delete()
  end)

  it("says what it is when it is not what a verb needs", function()
    local box <close> = luabox.container { name = "box" }
    assert.equal("run in container 'box': it is created, not running; call start() first",
      (failure(box.run, box, { "true" })))
    box:start()
    assert.equal("start container 'box': it is running", (failure(box.start, box)))
    box:delete()
    assert.equal("start container 'box': it is deleted", (failure(box.start, box)))
    assert.equal("call in container 'box': it is deleted, not running; describe it anew",
      (failure(box.call, box, function() end)))
  end)

  it("ends with its command, and wait tells how", function()
    local box <close> = started { command = { "sh", "-c", "exit 7" } }
    assert.same({ code = 7 }, box:wait())
    assert.same({ code = 7 }, box:wait())
    assert.equal("stopped", box:state())
  end)

  it("is waited for in vain when the time is over", function()
    local box <close> = started { command = { "sleep", "100" } }
    assert.is_nil(box:wait(0.01))
    assert.equal("running", box:state())
  end)

  it("is killed when it does not heed SIGTERM", function()
    local box <close> = started { command = { "sh", "-c", "trap '' TERM; echo ready; while :; do sleep 0.1; done" },
      stdout = "null" }
    box:run { "sh", "-c", "until grep -q '^SigIgn:.*[4-7c-f]...$' /proc/2/status; do sleep 0.01; done" }
    assert.equal("KILL", box:stop(0.2).signal)
  end)

  it("has an init that reaps orphans and hands signals on", function()
    local box <close> = started { command = { "sh", "-c",
      "trap 'exit 5' TERM; (sleep 0.01 &) ; while :; do sleep 0.01; done" } }
    assert.equal("luabox-init\n", box:check({ "cat", "/proc/1/comm" }).stdout)
    box:check { "sh", "-c", "while grep -qs '^State:.Z' /proc/[0-9]*/status; do sleep 0.01; done" }
    box:run { "sh", "-c", "until grep -q '^SigCgt:.*[4-7c-f]...$' /proc/2/status; do sleep 0.01; done" }
    assert.same({ code = 5 }, box:stop())
  end)

  it("has its command as process 1 with init = false", function()
    local box <close> = started { init = false, command = { "sleep", "100" } }
    -- The kernel closes the pipe for the errors of exec before it gives the process its name.
    assert.is_true(spec.eventually(function()
      return box:check({ "cat", "/proc/1/comm" }).stdout == "sleep\n"
    end))
  end)

  it("has a root of its own, thrown away in the end", function()
    local before = host_read "/proc/self/mountinfo"
    do
      local one <close> = started { name = "one" }
      local two <close> = started { name = "two" }
      one:check { "sh", "-c", "echo mine > /etc/secret" }
      assert.equal(1, two:run({ "cat", "/etc/secret" }).code)
      assert.equal(before, host_read "/proc/self/mountinfo")
    end
    assert.equal(before, host_read "/proc/self/mountinfo")
  end)

  it("has docker's mounts, masked and read-only paths", function()
    local box <close> = started {}
    local types = {}
    for _, line in ipairs(lines(box:check({ "cat", "/proc/self/mounts" }).stdout)) do
      local target, kind = line:match "^%S+ (%S+) (%S+)"
      types[target] = types[target] or kind
    end
    -- a tmpfs alone where the default root cannot be shared
    assert.truthy(types["/"] == "overlay" or types["/"] == "tmpfs", types["/"])
    for target, kind in pairs { ["/proc"] = "proc", ["/dev"] = "tmpfs", ["/dev/pts"] = "devpts",
      ["/dev/shm"] = "tmpfs", ["/dev/mqueue"] = "mqueue", ["/sys"] = "sysfs" } do
      assert.equal(kind, types[target], target)
    end
    assert.equal("", box:check({ "cat", "/proc/timer_list" }).stdout)
    assert.equal(1, box:run({ "sh", "-c", "echo 1 > /proc/sys/vm/drop_caches" }).code)
    assert.equal("character special file 1:3\n", box:check({ "stat", "-c", "%F %t:%T", "/dev/null" }).stdout)
  end)

  it("gives up capabilities, and the means to get any", function()
    local box <close> = started {}
    local status = box:check({ "cat", "/proc/self/status" }).stdout
    assert.equal("00000000800425fb", status:match "CapEff:%s*(%x+)")
    assert.equal("00000000800425fb", status:match "CapBnd:%s*(%x+)")
    assert.equal("0000000000000000", status:match "CapInh:%s*(%x+)")
    assert.equal("1", status:match "NoNewPrivs:%s*(%d)")
    assert.equal("2", status:match "Seccomp:%s*(%d)")
    assert.matches("permission denied", box:run({ "mount", "-t", "tmpfs", "x", "/tmp" }).stderr)
    local first = host_read(("/proc/%d/status"):format(box:pid()))
    assert.equal("00000000800425fb", first:match "CapEff:%s*(%x+)")
  end)

  it("takes user, directory, environment, name and limits", function()
    local box <close> = started { user = { uid = 1000, gid = 100, groups = { 5, 6 } }, cwd = "/tmp",
      hostname = "other", domainname = "example", env = { COLOUR = "red" }, rlimits = { NOFILE = 77 },
      sysctls = { ["net.ipv4.ip_forward"] = 1 } }
    local seen = lines(box:check({ "sh", "-c", "id -u; id -g; id -G; pwd; hostname; " ..
      "cat /proc/sys/kernel/domainname; echo $COLOUR; ulimit -n; cat /proc/sys/net/ipv4/ip_forward" }).stdout)
    assert.same({ "1000", "100", "100 5 6", "/tmp", "other", "example", "red", "77", "1" }, seen)
    assert.matches("^CapEff:%s*0+$", box:check({ "grep", "CapEff", "/proc/self/status" }).stdout:gsub("\n", ""))
  end)

  it("has its files, hosts and name servers", function()
    local box <close> = started { files = { ["/opt/hi"] = "#!/bin/sh\necho hi\n" }, dns = { "10.9.9.9" },
      hosts = { db = "10.1.1.1" } }
    assert.equal("hi\n", box:check({ "/opt/hi" }).stdout)
    assert.equal("nameserver 10.9.9.9\n", box:check({ "cat", "/etc/resolv.conf" }).stdout)
    assert.matches("10.1.1.1\tdb\n", box:check({ "cat", "/etc/hosts" }).stdout)
    assert.equal("box\n", box:check({ "cat", "/etc/hostname" }).stdout)
  end)

  it("has a directory as its root, under a layer, read-only, or as it is", function()
    local rootfs = make_rootfs()
    finally(function() os.execute("rm -rf " .. rootfs) end)
    local function try(access, text)
      local box <close> = started { rootfs = rootfs, access = access }
      return box:run { "sh", "-c", text }
    end
    assert.equal(0, try("overlay", "touch /x && grep -q localhost /etc/hosts").code)
    assert.is_nil(io.open(rootfs .. "/x"))
    assert.matches("Read%-only file system", try("ro", "touch /x").stderr)
    assert.equal(0, try("ro", "grep -q localhost /etc/hosts").code)
    assert.equal(0, try("rw", "touch /x && grep -q localhost /etc/hosts").code)
    assert.is_truthy(io.open(rootfs .. "/x"))
    assert.equal("mine", host_read(rootfs .. "/etc/hosts"))
  end)

  it("has a detached tree as its root, and several can share one #detached", function()
    local tree <close> = luabox.rootfs.default()
    tree:setattr { clear = "ro" }
    luabox.sys.file.write("/etc/motd", "of the tree\n", { root = tree })
    local one <close> = started { name = "one", rootfs = tree }
    one:check { "sh", "-c", "echo changed > /etc/motd" }
    assert.equal("of the tree\n", luabox.sys.file.read("/etc/motd", { root = tree }))
    local copies, copy = pcall(luabox.sys.mount.open_tree, tree, "clone")
    if not copies then return end -- before Linux 6.15 a tree serves once
    copy:close()
    local two <close> = started { name = "two", rootfs = tree, access = "ro" }
    assert.equal("of the tree\n", two:check({ "cat", "/etc/motd" }).stdout)
    assert.matches("Read%-only file system", two:run({ "touch", "/x" }).stderr)
    local three <close> = started { name = "three", rootfs = tree, access = "rw" }
    three:check { "touch", "/x" }
    assert.is_true(luabox.sys.file.exists("/x", { root = tree }))
  end)

  it("refuses a tree that is closed #detached", function()
    local tree = assert(luabox.sys.mount.open_tree "/")
    tree:close()
    local ok, problem = pcall(luabox.container, { name = "box", rootfs = tree })
    assert.is_false(ok)
    assert.matches("option 'rootfs': attempt to use a closed handle", problem, 1, true)
  end)

  it("binds directories of the host", function()
    assert(os.execute "mkdir -p /tmp/shared && echo data > /tmp/shared/f")
    finally(function() os.execute "rm -rf /tmp/shared" end)
    local box <close> = started { mounts = {
      { source = "/tmp/shared", target = "/data", flags = "ro" },
      { source = "/tmp/shared", target = "/deep/down" },
      { type = "tmpfs", target = "/scratch", data = "size=64k" } } }
    assert.equal("data\n", box:check({ "cat", "/data/f" }).stdout)
    assert.matches("Read%-only", box:run({ "touch", "/data/g" }).stderr)
    box:check { "touch", "/deep/down/g" }
    assert.is_truthy(io.open "/tmp/shared/g")
    assert.matches("No space left", box:run({ "dd", "if=/dev/zero", "of=/scratch/f", "bs=1k", "count=100" }).stderr)
  end)

  it("takes what is mounted below a directory along", function()
    assert(os.execute "mkdir -p /tmp/shared/sub && mount -t tmpfs sub /tmp/shared/sub && touch /tmp/shared/sub/f")
    finally(function() os.execute "umount /tmp/shared/sub; rm -rf /tmp/shared" end)
    local box <close> = started { mounts = { { source = "/tmp/shared", target = "/data", flags = "ro" } } }
    assert.equal("f\n", box:check({ "ls", "/data/sub" }).stdout)
    assert.matches("Read%-only", box:run({ "touch", "/data/sub/g" }).stderr)
  end)

  it("does not follow an untrusted root's links out of it", function()
    local rootfs = make_rootfs()
    assert(os.execute(("rmdir %s/dev && ln -s /../../tmp/trap %s/dev && mkdir -p /tmp/trap"):gsub("%%s", rootfs)))
    finally(function() os.execute("rm -rf /tmp/trap " .. rootfs) end)
    pcall(function()
      local box <close> = started { rootfs = rootfs }
      box:run { "ls" }
    end)
    assert.equal("", command "ls -A /tmp/trap")
  end)

  it("runs in a user namespace #userns", function()
    local map = { { inside = 0, outside = 100000, count = 65536 } }
    local box <close> = started { uid_map = map, gid_map = map }
    assert.equal("0\n", box:check({ "id", "-u" }).stdout)
    assert.matches("^%s*0%s+100000%s+65536%s*$", host_read(("/proc/%d/uid_map"):format(box:pid())))
    assert.equal("100000", command(("stat -c %%u /proc/%d"):format(box:pid())))
    assert.equal("hello\n", box:check({ "sh", "-c", "echo hello > /tmp/f; cat /tmp/f" }).stdout)
  end)
end)

describe("a container's Lua functions #root", function()
  it("run inside and bring their values back", function()
    local box <close> = started { hostname = "inside" }
    local name, list = box:call(function(a, b)
      return luabox.sys.system.hostname(), { a + b, deep = { true } }
    end, 1, 2)
    assert.equal("inside", name)
    assert.same({ 3, deep = { true } }, list)
    local links = box:call(function() return luabox.sys.net.links() end)
    assert.equal(1, #links)
    assert.equal("lo", links[1].name)
  end)

  it("raise here what they raised there", function()
    local box <close> = started {}
    local text, e = failure(box.call, box, function() luabox.sys.namespace.open("net", "/nowhere") end)
    assert.matches("/nowhere: No such file or directory %(ENOENT%)", text)
    assert.equal("ENOENT", e.code)
    assert.matches("cannot send a function", (failure(box.call, box, function() return print end)))
  end)
end)

describe("a container's limits #root #cgroup", function()
  it("kill a function that fills the memory, and tell", function()
    local box <close> = started { name = "web", memory = "16M" }
    local text = failure(box.call, box, function()
      local t = {}
      while true do t[#t + 1] = ("x"):rep(1e6) .. #t end
    end)
    assert.equal("call in container 'web': killed by memory.max of web (16.0 MiB)", text)
    assert.equal("running", box:state())
  end)

  -- Sanitized processes are too large to leave the choice who is killed to chance.
  it("kill who fills the memory, and tell #unsanitized", function()
    local box <close> = started { name = "web", memory = "48M" }
    local result = box:run { "tail", "/dev/zero" }
    assert.equal("KILL", result.signal)
    assert.equal("killed by memory.max of web (48.0 MiB)", result.reason)
    assert.equal("running", box:state())
  end)

  it("hold the number of processes", function()
    local box <close> = started { pids = 8 }
    local result = box:run { "sh", "-c", "for i in 1 2 3 4 5 6 7 8 9; do sleep 100 & done" }
    assert.matches("can't fork", result.stderr)
    assert.equal("refused a fork by pids.max of box (8)", result.reason)
    assert.same({ limit = "pids.max", value = 8, count = 1 }, result.killed_by)
  end)

  it("are no reason for what fails later #unsanitized", function()
    local box <close> = started { memory = "16M", pids = 8 }
    box:run { "tail", "/dev/zero" }
    box:run { "sh", "-c", "for i in 1 2 3 4 5 6 7 8 9; do sleep 0 & done" }
    assert.is_nil(box:run({ "sh", "-c", "exit 3" }).reason)
    assert.is_nil(box:run({ "sh", "-c", "kill -KILL $$" }).reason)
  end)

  it("are no reason where a limit above kills #unsanitized", function()
    local above = cgroup.create { name = unique(), ["memory.max"] = "16M" }
    local moves = {}
    for i, path in ipairs(above:paths()) do moves[i] = "echo 0 >" .. path .. "/cgroup.procs" end
    local text = child([[
      local luabox = require "luabox"
      local box <close> = luabox.container { name = "box", memory = "64M", command = { "sleep", "1000" } }
      box:start()
      print(box:run({ "tail", "/dev/zero" }).reason)
    ]], ("sh -c '%s; exec \"$@\"' -"):format(table.concat(moves, "; ")))
    above:remove()
    assert.equal("killed for want of memory, not by memory.max of box: by a cgroup above it, or the machine\n", text)
  end)

  it("hold back who comes near the memory's #cgroup2", function()
    local box <close> = started { memory = "64M", memory_high = "8M", command = { "sleep", "100" } }
    local own = host_read(("/proc/%d/cgroup"):format(box:pid())):match "0::(%S+)"
    assert.equal("8388608", host_read("/sys/fs/cgroup" .. own .. "/memory.high"))
  end)

  it("hold in a user namespace, too", function()
    local map = { { inside = 0, outside = 100000, count = 65536 } }
    local box <close> = started { memory = "16M", uid_map = map, gid_map = map }
    assert.equal("killed by memory.max of box (16.0 MiB)", box:run({ "tail", "/dev/zero" }).reason)
  end)

  it("are the root of what it sees of cgroups", function()
    for _, map in ipairs { false, { { inside = 0, outside = 100000, count = 65536 } } } do
      local box <close> = started { pids = 20, uid_map = map or nil, gid_map = map or nil }
      for line in box:check({ "cat", "/proc/1/cgroup", "/proc/self/cgroup" }).stdout:gmatch "[^\n]+" do
        assert.matches("^%d+:[^:]*:/$", line)
      end
    end
  end)

  it("are a cgroup, which is gone afterwards", function()
    do
      local box <close> = started { pids = 8, command = { "sleep", "100" } }
      assert.matches("/luabox%-box%-", host_read(("/proc/%d/cgroup"):format(box:pid())))
    end
    assert.equal("", command "find /sys/fs/cgroup -name 'luabox-box-*'")
  end)

  it("are their own, however many containers have one name", function()
    local one <close> = started { pids = 8 }
    local two <close> = started { pids = 9 }
    assert.same({ 8, 9 }, { one.cgroup:get "pids.max", two.cgroup:get "pids.max" })
  end)
end)

describe("a container that cannot start #root", function()
  it("says which program is missing", function()
    local text, e = failure(started, { command = { "/bin/nosuch" } })
    assert.equal("ENOENT", e.code)
    assert.matches("^start container 'box': .*/bin/nosuch: No such file or directory %(ENOENT%)", text)
  end)

  it("says which loader is missing", function()
    local rootfs = make_rootfs()
    finally(function() os.execute("rm -rf " .. rootfs) end)
    assert(os.execute("cp /bin/true " .. rootfs .. "/bin/dynamic"))
    assert.matches("ld%-linux", (failure(started, { rootfs = rootfs, command = { "/bin/dynamic" } })))
  end)

  it("says that its root is not there", function()
    assert.matches("/no/such/root: No such file or directory %(ENOENT%)",
      (failure(started, { rootfs = "/no/such/root" })))
  end)

  it("can be started later, when the reason is gone", function()
    local rootfs = make_rootfs()
    finally(function() os.execute("rm -rf " .. rootfs) end)
    local box <close> = luabox.container { name = "box", rootfs = rootfs, command = { "/bin/late" } }
    failure(box.start, box)
    assert.equal("created", box:state())
    assert(os.execute(("printf '#!/bin/sh\\nexit 3' > %s/bin/late; chmod +x %s/bin/late"):gsub("%%s", rootfs)))
    box:start()
    assert.equal(3, box:wait().code)
  end)

  it("ends a program that takes too long", function()
    local box <close> = started {}
    local text, e = failure(box.run, box, { "sleep", "100" }, { timeout = 0.05 })
    assert.equal("ETIMEDOUT", e.code)
    assert.matches("^run in container 'box': ", text)
    box:check { "sh", "-c", "while ps | grep -q '[s]leep 100'; do sleep 0.01; done" }
  end)

  it("tells of a failed check what it wrote last", function()
    local box <close> = started {}
    assert.equal("in container 'box': run sh -c echo no luck >&2; exit 4: exit status 4; no luck",
      (failure(box.check, box, { "sh", "-c", "echo no luck >&2; exit 4" })))
  end)
end)

describe("handles of containers #root", function()
  it("end what nobody refers to any more", function()
    local pid
    do
      local box = started { command = { "sleep", "100" } }
      pid = box:pid()
    end
    collectgarbage()
    collectgarbage()
    assert.is_nil(io.open(("/proc/%d/status"):format(pid)))
    assert.equal(process.id(), tonumber(command "echo $PPID"))
  end)
end)
