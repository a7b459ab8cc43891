-- What an untrusted root, or a program in it, tries in order to get at the host, and what it gets.
local lfs = require "lfs"
local luabox = require "luabox"
local spec = require "spec"

local failure = spec.refused

local function shell(format, ...)
  assert(os.execute(format:format(...)))
end

-- A root with busybox, whose `path` is a link to `target`.
local function make_root(path, target)
  local root = os.tmpname()
  os.remove(root)
  shell("mkdir -p %s/bin %s/etc %s/proc %s/dev %s/sys && cp /bin/busybox %s/bin/sh", root, root, root, root, root, root)
  shell("rm -rf %s%s && ln -s %s %s%s", root, path, target, root, path)
  finally(function() shell("rm -rf %s", root) end)
  return root
end

-- Opens a directory; the second result is its descriptor's number.
local function hold(path)
  local handle = assert(io.open(path))
  for number in lfs.dir "/proc/self/fd" do
    if lfs.symlinkattributes("/proc/self/fd/" .. number, "target") == path then return handle, tonumber(number) end
  end
end

local NOT_FOLLOWED = "a link of /proc, which is not followed: it may lead out of the root"

describe("an untrusted root #root", function()
  it("cannot have a file of the host written through what the starting process holds", function()
    shell "echo precious > /tmp/victim"
    finally(function() os.remove "/tmp/victim" end)
    local here <close>, number = hold "/" -- luacheck: ignore here
    for fd = number, number + 2 do
      for _, access in ipairs { "overlay", "rw" } do
        local rootfs = make_root("/etc/hosts", ("/proc/self/fd/%d/tmp/victim"):format(fd))
        local box <close> = luabox.container { name = "box", rootfs = rootfs, access = access }
        pcall(box.start, box)
        local victim <close> = assert(io.open "/tmp/victim")
        assert.equal("precious\n", victim:read "a")
      end
    end
  end)

  it("cannot have a file, a directory or a device made outside", function()
    shell "mkdir /tmp/outside"
    finally(function() shell "rm -r /tmp/outside" end)
    local outside <close>, number = hold "/tmp/outside" -- luacheck: ignore outside
    local link = ("/proc/self/fd/%d"):format(number)
    local rootfs = make_root("/out", link)
    for _, more in ipairs {
      { files = { ["/out/file"] = "x" } },
      { files = { ["/out/directory/file"] = "x" } },
      { mounts = { { target = "/out/mount", type = "tmpfs" } } },
      { mounts = { { target = "/out/bound", source = "/etc/passwd" } } },
      { mounts = { { target = "/out", type = "tmpfs" } } },
    } do
      more.name, more.rootfs, more.access = "box", rootfs, more.files and "overlay" or "rw"
      local box <close> = luabox.container(more)
      assert.matches(NOT_FOLLOWED, failure(box.start, box), 1, true)
    end
    local box <close> = luabox.container { name = "box", rootfs = make_root("/dev", link) }
    assert.is_false(pcall(box.start, box))
    assert.same({}, luabox.sys.file.list "/tmp/outside")
  end)

  it("cannot have /proc, /dev or /sys mounted elsewhere, away from what is masked there", function()
    for _, path in ipairs { "/proc", "/dev", "/sys" } do
      local box <close> = luabox.container { name = "box", rootfs = make_root(path, "/etc") }
      assert.matches(("mount %s: Too many levels of symbolic links (ELOOP); it is a symbolic link"):format(path),
        failure(box.start, box), 1, true)
    end
  end)

  it("cannot have a program of the host run through what the starting process holds", function()
    local here <close>, number = hold(luabox.sys.file.realpath "/bin") -- luacheck: ignore here
    local link = ("/proc/self/fd/%d/busybox"):format(number)
    local rootfs, command = make_root("/bin/evil", link), { "/bin/evil", "sh" }
    for _, init in ipairs { true, false } do
      local box <close> = luabox.container { name = "box", rootfs = rootfs, command = command, init = init }
      assert.matches("exec /bin/evil: No such file or directory", failure(box.start, box), 1, true)
    end
    local box <close> = luabox.container { name = "box", rootfs = rootfs }:start()
    assert.matches("exec /bin/evil: No such file or directory", failure(box.run, box, command), 1, true)
  end)

  it("does not hold up the start with a pipe, nor has a device written to", function()
    for _, make in ipairs { "mkfifo %s/etc/hosts", "mknod %s/etc/hosts c 1 3" } do
      local rootfs = make_root("/x", "y")
      shell(make, rootfs)
      local box <close> = luabox.container { name = "box", rootfs = rootfs }
      assert.matches("open /etc/hosts: ", failure(box.start, box), 1, true)
    end
  end)
end)

describe("a root #root", function()
  it("has no device but those in /dev", function()
    local rootfs = make_root("/x", "y")
    shell("mknod -m 666 %s/device c 1 5", rootfs)
    for _, access in ipairs { "overlay", "ro", "rw" } do
      local box <close> = luabox.container { name = "box", rootfs = rootfs, access = access }:start()
      assert.equal(0, box:run({ "sh", "-c", ": </dev/zero" }).code)
      assert.matches("can't open /device: Permission denied", box:run({ "sh", "-c", ": </device" }).stderr, 1, true)
    end
  end)

  it("is open to its users whatever the umask of luabox is", function()
    local process <close> = luabox.sys.process.spawn { umask = 63, body = function()
      local box <close> = luabox.container { name = "box", user = { uid = 1000 }, files = { ["/srv/d/x"] = "hi" } }
      return box:start():check({ "sh", "-c", "cat /srv/d/x; umask" }).stdout
    end }
    assert.equal("hi0022\n", process:result())
  end)
end)

describe("a hostile program #root", function()
  it("does not hold up or spoil the start of its neighbours by what it makes of /etc/hosts", function()
    for _, spoil in ipairs {
      "mkfifo /etc/hosts", "mkdir /etc/hosts", "ln -s hosts /etc/hosts", "ln -s /proc/1/oom_score_adj /etc/hosts",
      "ln -s /dev/zero /etc/hosts", "rm -r /etc && ln -s /nowhere /etc",
    } do
      local lan <close> = luabox.network { name = "lan", subnet = "10.9.0.0/24" }
      local bad <close> = luabox.container { name = "bad", network = lan }:start()
      bad:check { "sh", "-c", "rm /etc/hosts && " .. spoil }
      local good <close> = luabox.container { name = "good", network = lan }:start()
      assert.matches("10.9.0.1\tbad", good:check({ "cat", "/etc/hosts" }).stdout, 1, true)
    end
  end)

  it("does not keep `run` with what it leaves running", function()
    local box <close> = luabox.container { name = "box" }:start()
    for _ = 1, 5 do
      assert.equal(3, box:run({ "sh", "-c", "yes & yes >&2 & exit 3" }, { timeout = 100, max_output = "1G" }).code)
      box:run { "killall", "yes" }
    end
  end)

  it("cannot fill luabox's memory with its output", function()
    local box <close> = luabox.container { name = "box" }:start()
    for _, program in ipairs { "yes", "yes >&2" } do
      assert.matches("more than 1048576 bytes of output; it was killed (EFBIG)",
        failure(box.run, box, { "sh", "-c", program }, { max_output = "1M" }), 1, true)
    end
    assert.equal(1024, #box:run({ "head", "-c", "1024", "/dev/zero" }, { max_output = 1024 }).stdout)
    box:run { "sh", "-c", "! pidof yes" }
  end)

  it("costs no descriptor each time that it is run", function()
    local box <close> = luabox.container { name = "box", memory = "64M" }:start()
    local function count() return #luabox.sys.file.list "/proc/self/fd" end
    box:run { "true" }
    collectgarbage()
    collectgarbage "stop"
    finally(function() collectgarbage "restart" end)
    local before = count()
    for _ = 1, 5 do
      box:run { "true" }
      box:call(function() end)
    end
    assert.equal(before, count())
  end)
end)

describe("a root for a child, written to from outside #root", function()
  it("is written to only in regular files", function()
    shell "mkdir /tmp/r && mkfifo /tmp/r/pipe && mknod /tmp/r/null c 1 3"
    finally(function() shell "rm -r /tmp/r" end)
    local write = luabox.sys.file.write
    assert.matches("open pipe: ", failure(write, "pipe", "x", { root = "/tmp/r" }), 1, true)
    assert.matches("write null: Invalid argument (EINVAL); it is not a regular file",
      failure(write, "null", "x", { root = "/tmp/r" }), 1, true)
  end)
end)
