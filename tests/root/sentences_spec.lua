-- What a user reads when something is missing or wrong: one sentence with what to do, and nothing is left.
local luabox = require "luabox"
local program = require "program"
local spec = require "spec"

local shell = spec.shell

-- What a container says that cannot be started.
local function refusal(o)
  o.name = o.name or "box"
  local box <close> = luabox.container(o)
  local ok, e = pcall(box.start, box)
  assert.is_false(ok)
  assert.equal("created", box:state())
  return tostring(e)
end

-- What it says that a command cannot be run in it, or fails.
local function complaint(o, command)
  o.name = "box"
  local box <close> = luabox.container(o)
  box:start()
  local ok, e = pcall(box.check, box, command)
  assert.is_false(ok)
  return tostring(e)
end

local function in_child(text)
  return "start container 'box': in the child" .. text
end

describe("a program that cannot be run #root", function()
  local PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
  local root

  -- A root with a shell, and with a program that wants a loader and a library.
  before_each(function()
    root = os.tmpname()
    os.remove(root)
    shell(("mkdir -p %s/bin && cp /bin/busybox %s/bin/sh && cp /usr/bin/env %s/bin"):gsub("%%s", root))
  end)
  after_each(function() shell("rm -rf " .. root) end)

  local function script(text)
    shell(("printf %s > %s/bin/script && chmod 755 %s/bin/script"):format(program.quote(text), root, root))
  end

  it("is not in PATH", function()
    local sentence = "exec nosuch: No such file or directory (ENOENT); not found in PATH '" .. PATH .. "'"
    assert.equal(in_child(": " .. sentence), refusal { command = { "nosuch" } })
    assert.equal("run in container 'box': in the child: " .. sentence, complaint({}, { "nosuch" }))
  end)

  it("is not at its path", function()
    assert.equal(in_child ": exec /bin/nosuch: No such file or directory (ENOENT); " ..
      "there is no such file in the child's root", refusal { command = { "/bin/nosuch" } })
  end)

  it("is no program", function()
    assert.equal(in_child ": exec /etc: Permission denied (EACCES); it is a directory",
      refusal { command = { "/etc" } })
    assert.equal(in_child ": exec /etc/hosts: Permission denied (EACCES); it is not executable: its mode is 0644",
      refusal { command = { "/etc/hosts" } })
    script "echo no first line"
    assert.equal(in_child ": exec /bin/script: Exec format error (ENOEXEC); " ..
      "it is neither a program nor a script with a '#!' line", refusal { rootfs = root, command = { "script" } })
  end)

  it("lacks its loader", function()
    local text = refusal { rootfs = root, command = { "/bin/env" } }
    assert.matches("in the child: exec /bin/env: No such file or directory (ENOENT); " ..
      "the file is there; its interpreter '/", text, 1, true)
    assert.matches("' is missing in this root", text, 1, true)
  end)

  local MISSING = "the library '%s', which '%s' needs, is missing in this root"
  local COPY = "luabox.rootfs.from_programs makes a root with all that '%s' needs, and luabox.elf.dependencies " ..
    "lists it; or take a program that is linked statically"

  it("lacks a library", function()
    shell(([==[loader=$(ldd /usr/bin/env | sed -n 's/^[[:space:]]*\(\/[^ ]*\) .*/\1/p')
      mkdir -p "%s$(dirname "$loader")" && cp -L "$loader" "%s$loader"]==]):gsub("%%s", root))
    local reason, hint = MISSING:format("libc.so.6", "env"), COPY:format "env"
    assert.equal("in container 'box': run env: " .. reason .. "; " .. hint, complaint({ rootfs = root }, { "env" }))
    local box <close> = luabox.container { name = "box", rootfs = root }
    box:start()
    local result = box:run { "env" }
    assert.same({ 127, reason, hint }, { result.code, result.reason, result.hint })
    assert.matches("^env: error while loading shared libraries: libc.so.6: ", result.stderr)
    assert.equal(MISSING:format("libc.so.6", "/bin/env") .. "; " .. COPY:format "/bin/env",
      complaint({ rootfs = root }, { "sh", "-c", "/bin/env" }):match ": (the.*)")
  end)

  it("lacks a library, as musl says it", function()
    local box <close> = luabox.container { name = "box" }
    box:start()
    local line = "Error loading shared library libz.so.1: No such file or directory (needed by /bin/prog)"
    local result = box:run { "sh", "-c", "echo '" .. line .. "' >&2; exit 127" }
    assert.equal(MISSING:format("libz.so.1", "/bin/prog"), result.reason)
    assert.equal(COPY:format "/bin/prog", result.hint)
    result = box:run { "sh", "-c", "echo '" .. line .. "' >&2; exit 1" }
    assert.is_nil(result.reason)
    assert.is_nil(box:run({ "sh", "-c", "nosuch" }).reason)
  end)

  it("lacks its interpreter", function()
    script "#!/usr/bin/nosuch\n"
    assert.equal(in_child ": exec /bin/script: No such file or directory (ENOENT); " ..
      "the file is there; its interpreter '/usr/bin/nosuch' is missing in this root",
      refusal { rootfs = root, command = { "script" } })
  end)

  it("has no working directory", function()
    assert.equal(in_child ": chdir /nowhere: No such file or directory (ENOENT); " ..
      "there is no such directory in the child's root", refusal { command = { "true" }, cwd = "/nowhere" })
  end)

  it("has no memory to begin with #cgroup", function()
    assert.equal("start container 'box': in the child: start init: No such process (ESRCH); " ..
      "killed by memory.max of box (16.0 KiB)", refusal { memory = "16K" })
  end)

  it("has ended", function()
    local box <close> = luabox.container { name = "box", command = { "sleep", "100" } }
    local function sentence() return tostring(select(2, pcall(box.check, box, { "true" }))) end
    box:start():kill()
    box:wait()
    assert.equal("run in container 'box': it is stopped, not running; it was ended by SIGKILL", sentence())
    box:start():stop()
    assert.equal("run in container 'box': it is stopped, not running; it was ended by SIGTERM", sentence())
  end)

  it("has ended of itself", function()
    local box <close> = luabox.container { name = "box", command = { "sh", "-c", "exit 3" } }
    box:start():wait()
    local _, e = pcall(box.host_port, box, 80)
    assert.equal("ask a port of container 'box': it is stopped, not running; its command ended with status 3",
      tostring(e))
  end)
end)

describe("a root that cannot be used #root", function()
  local MAP = { { inside = 0, outside = 100000, count = 65536 } }

  it("is not there", function()
    for _, access in ipairs { "overlay", "ro", "rw" } do
      assert.equal(in_child ", step 3 (root): open_tree /nowhere: No such file or directory (ENOENT); " ..
        "the directory that is to be the root is not there", refusal { rootfs = "/nowhere", access = access })
    end
    assert.equal("start container 'box': rootfs: open /nowhere: No such file or directory (ENOENT)",
      refusal { rootfs = "/nowhere", uid_map = MAP, gid_map = MAP })
  end)

  it("is a file", function()
    for _, access in ipairs { "overlay", "ro", "rw" } do
      assert.equal(in_child ", step 3 (root): open_tree /etc/hosts: Not a directory (ENOTDIR); " ..
        "a root is a directory: unpack an archive, or mount an image, and give that",
        refusal { rootfs = "/etc/hosts", access = access })
    end
  end)

  it("lacks a directory and cannot be written", function()
    local root, remove = program.directory()
    finally(remove)
    assert.equal(in_child ", step 4 (mount): mkdir /proc: Read-only file system (EROFS); " ..
      "a read-only root must have this directory: make it there, or put an overlay on the root",
      refusal { rootfs = root, access = "ro" })
  end)

  it("has a mount whose source is not there", function()
    assert.equal("start container 'box': mounts[2].source: open /nowhere: No such file or directory (ENOENT)",
      refusal { mounts = { { type = "tmpfs", target = "/a" }, { source = "/nowhere", target = "/b" } } })
    assert.equal(in_child ", step 22 (mount): mount /x: No such device (ENODEV); " ..
      "this kernel has no file system \"nosuchfs\": see /proc/filesystems",
      refusal { mounts = { { type = "nosuchfs", target = "/x" } } })
  end)
end)

describe("a network that cannot be had #root", function()
  it("overlaps another #nft", function()
    local lan <close> = luabox.network { name = "lan", subnet = "10.1.0.0/24", gateway = true }
    lan:start()
    local wide <close> = luabox.network { name = "wide", subnet = "10.1.0.0/16", gateway = true }
    assert.equal("start container 'box': start network 'wide': route 10.1.0.0/16: " ..
      "the host has a route to 10.1.0.0/24 already (EEXIST); give the network another subnet, or no gateway",
      refusal { network = wide })
    local alone <close> = luabox.network { name = "alone", subnet = "10.1.0.0/16" }
    local box <close> = luabox.container { name = "box", network = alone }
    box:start()
  end)

  it("has no place left for a name or an address", function()
    local lan <close> = luabox.network { name = "lan", subnet = "10.1.0.0/30" }
    local _ <close> = luabox.container { name = "one", network = lan }
    local function sentence(o)
      local ok, message = pcall(luabox.container, o)
      assert.is_false(ok)
      return message:match "%((option.*)%)$"
    end
    assert.equal("option 'name': 'one' is in network 'lan' already; names in a network are unique",
      sentence { name = "one", network = lan })
    assert.equal("option 'address': 10.1.0.1 is taken by one", sentence { name = "two", network = lan,
      address = "10.1.0.1" })
    assert.equal("option 'address': 10.2.0.1 is not in the subnet 10.1.0.0/30",
      sentence { name = "two", network = lan, address = "10.2.0.1" })
    assert.equal("option 'address': the subnet 10.1.0.0/30 has no free address left; take a larger one",
      sentence { name = "two", network = lan })
  end)

  it("is to publish a port that another process has #nft", function()
    local lan <close> = luabox.network { name = "lan", subnet = "10.1.0.0/24" }
    local taken <close> = luabox.sys.port.claim { port = 8080, protocol = "tcp" }
    local text = refusal { network = lan, ports = { "8080:80" } }
    assert.matches("start container 'box': bind 8080/tcp: Address already in use (EADDRINUSE); " ..
      "port 8080/tcp is held by ", text, 1, true)
    assert.is_truthy(taken)
  end)

  it("has a sysctl that is not the container's", function()
    assert.equal(in_child ", step 26 (sysctl): sysctl net.nosuch: No such file or directory (ENOENT); there is " ..
      "/proc/sys/net, but no 'nosuch' in it: misspelt, of a module that is not loaded, or not part of this namespace",
      refusal { sysctls = { ["net.nosuch"] = 1 } })
  end)
end)

-- Runs the program in an environment that a shell prepares; $luabox and $hello stand for it and its first recipe, in
-- a directory that everybody may enter. Returns its errors' first line and its exit status.
local function run(prepare, command)
  local directory, remove = program.directory()
  finally(remove)
  shell(("chmod 755 %s && cp %s %s/luabox && cp recipes/hello.lua %s"):format(directory, program.path, directory,
    directory))
  local text = ("luabox=%s/luabox hello=%s/hello.lua; export luabox hello; %s"):format(directory, directory,
    prepare:format(program.quote(command or "$luabox $hello")))
  local out, err, status = program.shell(text)
  assert.equal("", out)
  local first = err:match "^[^\n]*"
  assert.equal(directory .. "/luabox: ", first:sub(1, #directory + 9))
  return first:sub(#directory + 10), status
end

local LIMITED = [[$luabox -e 'local box <close> = luabox.container { name = "box", memory = "64M" } box:start()']]

describe("a system that does not let #root", function()
  it("is not root's", function()
    local text, status = run("setpriv --reuid 1000 --regid 1000 --clear-groups --inh-caps=-all --bounding-set=-all " ..
      "sh -c %s")
    assert.equal("start container 'hello': clone net: Operation not permitted (EPERM); " ..
      "it takes CAP_SYS_ADMIN: be root", text)
    assert.equal(1, status)
  end)

  it("is root's only in a user namespace", function()
    assert.equal("start container 'hello': setns net (4): Operation not permitted (EPERM); it belongs to another " ..
      "user namespace than this process is root in: make one here, too (unshare -Urn), or be root of the host",
      (run "unshare --user --map-root-user sh -c %s"))
  end)

  it("is nobody's in a user namespace", function()
    assert.equal("start container 'hello': clone net: Operation not permitted (EPERM); it takes CAP_SYS_ADMIN, and " ..
      "this user namespace makes nobody root: unshare -U needs -r, too", (run "unshare --user sh -c %s"))
  end)

  it("lets a user namespace make no devices", function()
    assert.equal("start container 'hello': in the child, step 6 (mknod): mknod /dev/null: Operation not permitted " ..
      "(EPERM); no user namespace may make device nodes, whatever capabilities it has: bind the host's node " ..
      "instead, or be root of the host", (run "unshare --user --map-root-user --net --mount sh -c %s"))
  end)

  it("has no descriptors", function()
    local text, status = run("(ulimit -n 16; eval %s)")
    assert.matches("^start container 'hello': ", text)
    assert.matches("Too many open files %(EMFILE%); a process may have 16 descriptors: raise the limit %(ulimit %-n%)$",
      text)
    assert.equal(1, status)
  end)

  it("has too few descriptors for what undoes", function()
    local text, status = run("(ulimit -n 31; eval %s)", LIMITED)
    assert.matches("^start container 'box': start keeper of process %d+: Too many open files %(EMFILE%); ", text)
    assert.matches("needs 32 descriptors, and a process may have 31: raise the limit (ulimit -n)", text, 1, true)
    assert.equal(1, status)
  end)

  it("allows no network namespaces #userns", function()
    local text, status = run("unshare --user --map-root-user sh -c 'echo 0 > /proc/sys/user/max_net_namespaces; " ..
      "eval \"$1\"' sh %s")
    assert.matches("start container 'hello': clone net: No space left on device (ENOSPC); " ..
      "/proc/sys/user/max_net_namespaces is 0", text, 1, true)
    assert.equal(1, status)
  end)

  it("has a read-only /run", function()
    local text, status = run("unshare --mount sh -c 'mount --bind /run /run; mount -o remount,bind,ro /run; " ..
      "eval \"$1\"' sh %s", LIMITED)
    assert.equal("start container 'box': mkdir /run/luabox: Read-only file system (EROFS); " ..
      "luabox notes here what it must undo if it is killed; mount a tmpfs on /run", text)
    assert.equal(1, status)
  end)

  it("has no cgroup controller", function()
    local text, status = run("unshare --mount sh -c 'umount -l /sys/fs/cgroup; eval \"$1\"' sh %s", LIMITED)
    assert.matches("start container 'box': create cgroup memory.max: Operation not supported (EOPNOTSUPP); " ..
      "the controller 'memory' is neither in cgroup v1's hierarchies nor in ", text, 1, true)
    assert.matches("cgroup.controllers: mount one that has it, or do without this limit$", text)
    assert.equal(1, status)
  end)
end)
