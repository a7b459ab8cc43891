local file = require "luabox.sys.file"
local mount = require "luabox.sys.mount"
local namespace = require "luabox.sys.namespace"
local process = require "luabox.sys.process"
local spec = require "spec"

local shell, refused = spec.output, spec.refused

local function find(target, field)
  return shell(("findmnt -n -o %s %s"):format(field, target))
end

-- Runs a function in a child with a mount namespace of its own and returns its results.
local function in_child(body, ...)
  local child <close> = process.spawn { namespaces = "mnt", body = body, args = { ... } }
  return child:result()
end

-- A tmpfs on /mnt for the length of a test.
local function on_tmpfs()
  mount.mount { type = "tmpfs", target = "/mnt", flags = "nosuid,nodev", data = { size = "1M", mode = "750" } }
  finally(function() os.execute "umount -R /mnt" end)
end

-- /mnt/a with a mount in it, and /mnt/b.
local function on_tree()
  on_tmpfs()
  shell "mkdir /mnt/a /mnt/b; mount -t tmpfs -o nosuid outer /mnt/a; mkdir /mnt/a/sub; mount -t tmpfs inner /mnt/a/sub"
end

local function is_before(major, minor)
  local a, b = io.open("/proc/sys/kernel/osrelease"):read("a"):match "^(%d+)%.(%d+)"
  return tonumber(a) < major or tonumber(a) == major and tonumber(b) < minor
end

describe("luabox.sys.mount #root", function()
  it("mounts a file system with flags and options", function()
    on_tmpfs()
    assert.equal("tmpfs tmpfs rw,nosuid,nodev,relatime,size=1024k,mode=750",
      (shell("findmnt -n -o SOURCE,FSTYPE,OPTIONS /mnt | tr -s ' '"):gsub(",inode64$", ""))) -- some kernels' default
  end)

  it("mounts every type that a container needs", function()
    on_tmpfs()
    shell "mkdir /mnt/dir"
    for _, type in ipairs { "proc", "sysfs", "devpts", "mqueue" } do
      mount.mount { type = type, target = "/mnt/dir", source = "box", flags = "nosuid,noexec" }
      assert.equal(type, find("/mnt/dir", "FSTYPE"))
      mount.umount "/mnt/dir"
    end
  end)

  it("mounts an overlay of several layers #overlay", function()
    on_tmpfs()
    shell "cd /mnt && mkdir one 'two:2' up work all && echo 1 >one/a && echo 2 >'two:2/b'"
    mount.mount {
      type = "overlay", target = "/mnt/all",
      data = { lowerdir = { "/mnt/one", "/mnt/two:2" }, upperdir = "/mnt/up", workdir = "/mnt/work" },
    }
    shell "echo 3 >/mnt/all/c"
    assert.equal("1\n2\n3", shell "cat /mnt/all/a /mnt/all/b /mnt/up/c")
  end)

  it("remounts", function()
    on_tmpfs()
    mount.mount { target = "/mnt", flags = "remount,bind,ro,nosuid,nodev" }
    assert.equal("touch: cannot touch '/mnt/x': Read-only file system", shell "touch /mnt/x")
  end)

  describe("says", function()
    it("what the file system says #detached", function()
      on_tmpfs()
      local function data(text) return refused(mount.mount, { type = "tmpfs", target = "/mnt", data = text }) end
      assert.equal("mount /mnt: tmpfs: Unknown parameter 'sise' (EINVAL)", data "sise=1M")
      assert.equal("mount /mnt: tmpfs: Bad value for 'size' (EINVAL)", data { size = "much" })
      assert.equal("mount /mnt: No source specified (ENOENT)", refused(mount.mount, { type = "ext4", target = "/mnt" }))
    end)

    it("what is missing", function()
      assert.equal("mount /none: No such file or directory (ENOENT); the target is not there: make it first",
        refused(mount.mount, { type = "tmpfs", target = "/none" }))
      assert.equal("mount /mnt: No such file or directory (ENOENT); the source /none is not there",
        refused(mount.bind, { source = "/none", target = "/mnt" }))
      assert.equal('mount /mnt: No such device (ENODEV); this kernel has no file system "nofs": see /proc/filesystems',
        refused(mount.mount, { type = "nofs", target = "/mnt" }))
    end)

    it("which layer is missing #overlay", function()
      assert.equal("mount /mnt: No such file or directory (ENOENT); "
        .. "one of its lowerdir, upperdir and workdir is not there",
        refused(mount.mount, { type = "overlay", target = "/mnt", data = { lowerdir = { "/usr", "/none" } } }))
    end)

    it("what does not fit", function()
      assert.equal("mount /etc/passwd: Not a directory (ENOTDIR); the target is not a directory",
        refused(mount.mount, { type = "tmpfs", target = "/etc/passwd" }))
      assert.equal("mount /mnt: Not a directory (ENOTDIR); the target is a directory, and what is mounted is none",
        refused(mount.bind, { source = "/etc/passwd", target = "/mnt" }))
    end)

    it("what does not fit a tree #detached", function()
      assert.equal("move_mount /etc/passwd: Invalid argument (EINVAL); the target is not a directory",
        refused(mount.bind, { source = "/mnt", target = "/etc/passwd", flags = "ro" }))
    end)

    it("which privilege it takes", function()
      local child <close> = process.spawn {
        uid = 65534, gid = 65534,
        body = function()
          local _, e = pcall(mount.mount, { type = "tmpfs", target = "/mnt" })
          return tostring(e)
        end,
      }
      local message = child:result()
      assert.is_truthy(message:find("^mount /mnt: Operation not permitted %(EPERM%); it takes CAP_SYS_ADMIN"), message)
    end)

    it("which limit is reached", function()
      local child <close> = process.spawn { namespaces = "mnt", body = function()
        mount.mount { type = "tmpfs", target = "/mnt" }
        local e
        for i = 1, 30 do -- each takes all before it along
          assert(os.execute("mkdir /mnt/" .. i))
          e = select(2, pcall(mount.bind, { source = "/mnt", target = "/mnt/" .. i, flags = "rec" }))
          if e then break end
        end
        return (tostring(e):gsub("/mnt/%d+", "/mnt/N"):gsub(", and has.*", ""))
      end }
      assert.equal("mount /mnt/N: No space left on device (ENOSPC); the mount namespace may hold "
        .. shell "cat /proc/sys/fs/mount-max" .. " mounts (/proc/sys/fs/mount-max)", child:result())
    end)
  end)

  describe("bind", function()
    it("takes one mount", function()
      on_tree()
      mount.bind { source = "/mnt/a", target = "/mnt/b" }
      assert.equal("outer", find("/mnt/b", "SOURCE"))
      assert.equal("", find("/mnt/b/sub", "SOURCE"))
    end)

    it("takes all below with rec", function()
      on_tree()
      mount.bind { source = "/mnt/a", target = "/mnt/b", flags = "rec" }
      assert.equal("inner", find("/mnt/b/sub", "SOURCE"))
    end)

    it("makes each mount read-only with rec,ro", function()
      on_tree()
      mount.bind { source = "/mnt/a", target = "/mnt/b", flags = "rec,ro,noexec" }
      assert.equal("touch: cannot touch '/mnt/b/x': Read-only file system", shell "touch /mnt/b/x")
      assert.equal("touch: cannot touch '/mnt/b/sub/x': Read-only file system", shell "touch /mnt/b/sub/x")
      assert.equal("", shell "touch /mnt/a/x /mnt/a/sub/x")
      assert.equal("ro,nosuid,noexec,relatime", find("/mnt/b", "VFS-OPTIONS"))
      assert.equal("ro,noexec,relatime", find("/mnt/b/sub", "VFS-OPTIONS"))
    end)

    it("makes only the one read-only without rec", function()
      on_tree()
      mount.bind { source = "/mnt/a", target = "/mnt/b", flags = "ro" }
      assert.equal("touch: cannot touch '/mnt/b/x': Read-only file system", shell "touch /mnt/b/x")
    end)

    it("takes files", function()
      on_tmpfs()
      shell "echo one >/mnt/one; : >/mnt/two"
      mount.bind { source = "/mnt/one", target = "/mnt/two", flags = "ro" }
      assert.equal("one", shell "cat /mnt/two")
      assert.is_truthy(shell("echo x >/mnt/two"):find "Read%-only")
    end)
  end)

  it("moves", function()
    on_tree()
    mount.move("/mnt/a", "/mnt/b")
    assert.equal("outer", find("/mnt/b", "SOURCE"))
    assert.equal("inner", find("/mnt/b/sub", "SOURCE"))
    assert.equal("move mount /mnt/a: Invalid argument (EINVAL); /mnt/a is not a mount point",
      refused(mount.move, "/mnt/a", "/mnt/b"))
    shell "mount --make-shared /mnt"
    assert.equal('move mount /mnt/b: Invalid argument (EINVAL); "/mnt" is a shared mount here, and a mount cannot be '
      .. 'moved from one; make it private first: mount.propagation("/mnt", "private")',
      refused(mount.move, "/mnt/b", "/mnt/a"))
  end)

  it("sets propagation", function()
    on_tree()
    local shown = { shared = "shared", private = "private", unbindable = "private,unbindable" }
    for word, seen in pairs(shown) do
      mount.propagation("/mnt/a", word)
      assert.equal(seen, find("/mnt/a", "PROPAGATION"))
      assert.equal("private", find("/mnt/a/sub", "PROPAGATION"))
    end
    mount.propagation("/mnt", "shared,rec")
    assert.equal("shared", find("/mnt/a/sub", "PROPAGATION"))
    assert.equal("propagation /etc: Invalid argument (EINVAL); /etc is not a mount point; bind it onto itself first",
      refused(mount.propagation, "/etc", "private"))
  end)

  describe("umount", function()
    it("says why not", function()
      on_tree()
      assert.is_truthy(refused(mount.umount, "/mnt/a"):find("umount /mnt/a: Device or resource busy (EBUSY)", 1, true))
      assert.equal("umount /etc: Invalid argument (EINVAL); it is not a mount point", refused(mount.umount, "/etc"))
    end)

    it("detaches what is in use", function()
      on_tree()
      local used <close> = assert(io.open("/mnt/a/file", "w"))
      mount.umount("/mnt/a", "detach")
      assert.equal("", find("/mnt/a", "SOURCE"))
      assert.is_truthy(used:write "still there")
    end)

    it("expires", function()
      on_tree()
      assert.is_truthy(refused(mount.umount, "/mnt/a/sub", "expire"):find("EAGAIN"))
      mount.umount("/mnt/a/sub", "expire")
      assert.equal("", find("/mnt/a/sub", "SOURCE"))
    end)

    it("follows no link when told", function()
      on_tree()
      shell "ln -s /mnt/a/sub /mnt/link"
      assert.is_truthy(refused(mount.umount, "/mnt/link", "nofollow"):find("EINVAL"))
      mount.umount "/mnt/link"
      assert.equal("", find("/mnt/a/sub", "SOURCE"))
    end)
  end)

  describe("detached #detached", function()
    it("makes a file system that nobody sees", function()
      local context <close> = mount.fsopen "tmpfs"
      context:set("size", "1M")
      context:set("source", "unseen")
      context:create()
      local tree <close> = context:mount "nosuid,noatime"
      assert.equal("", shell "grep unseen /proc/self/mountinfo")
      on_tmpfs()
      shell "mkdir /mnt/x"
      tree:attach "/mnt/x"
      assert.equal("unseen rw,nosuid,noatime", shell "findmnt -n -o SOURCE,VFS-OPTIONS /mnt/x | tr -s ' '")
    end)

    it("shows what the file system says", function()
      local context <close> = mount.fsopen "tmpfs"
      assert.equal("fsconfig sise: tmpfs: Unknown parameter 'sise' (EINVAL)",
        refused(context.set, context, "sise", "1"))
      assert.equal("fsconfig size: tmpfs: Bad value for 'size' (EINVAL)", refused(context.set, context, "size", "much"))
      assert.equal("fsopen nofs: No such device (ENODEV); "
        .. "this kernel has no file system of that name: see /proc/filesystems", refused(mount.fsopen, "nofs"))
    end)

    it("takes descriptors as options #overlay", function()
      if is_before(6, 13) then return pending "overlay takes layers by descriptor since Linux 6.13" end
      on_tmpfs()
      shell "mkdir /mnt/lower /mnt/all; echo 1 >/mnt/lower/a"
      local lower <close> = assert(io.open "/mnt/lower")
      local context <close> = mount.fsopen "overlay"
      context:set("lowerdir+", lower)
      context:set("lowerdir+", "/usr")
      context:create()
      local tree <close> = context:mount()
      tree:attach "/mnt/all"
      assert.equal("1", shell "cat /mnt/all/a")
    end)

    it("copies a tree and changes it", function()
      on_tree()
      local tree <close> = mount.open_tree("/mnt/a", "clone,rec")
      tree:setattr { set = "ro,nodev", recursive = true, propagation = "slave" }
      tree:attach "/mnt/b"
      assert.equal("ro,nosuid,nodev,relatime", find("/mnt/b", "VFS-OPTIONS"))
      assert.equal("ro,nodev,relatime", find("/mnt/b/sub", "VFS-OPTIONS"))
      tree:setattr { clear = "ro", set = "noatime" }
      assert.equal("rw,nosuid,nodev,noatime", find("/mnt/b", "VFS-OPTIONS"))
      tree:setattr { clear = "noatime" }
      assert.equal("rw,nosuid,nodev,relatime", find("/mnt/b", "VFS-OPTIONS"))
      assert.is_truthy(refused(tree.setattr, tree, { set = "ro", clear = "ro" }):find "name the same flag")
    end)

    it("shows the ids of a user namespace #userns", function()
      if is_before(6, 3) then return pending "tmpfs takes id maps since Linux 6.3" end
      on_tmpfs()
      shell "mkdir /mnt/x /mnt/y; touch /mnt/x/file"
      local child <close> = process.spawn { namespaces = "user", program = { "sleep", "60" } }
      local maps = { { inside = 0, outside = 100000, count = 10 } }
      namespace.write_id_maps { pid = child:pid(), uid = maps, gid = maps }
      local user <close> = namespace.open("user", child:pid())
      local tree <close> = mount.open_tree("/mnt/x", "clone")
      tree:setattr { userns = user }
      tree:attach "/mnt/y"
      assert.equal("100000", shell "stat -c %u /mnt/y/file")
    end)

    it("ends with its handle", function()
      on_tree()
      local tree = mount.open_tree("/mnt/a", "clone")
      tree:close()
      assert.equal("luabox.mount (closed)", tostring(tree))
    end)
  end)

  it("lists what findmnt lists", function()
    on_tree()
    shell "mkdir '/mnt/a b'; mount -t tmpfs 'x y' '/mnt/a b'; mount --make-shared '/mnt/a b'"
    local lines = {}
    for _, m in ipairs(mount.list()) do
      lines[#lines + 1] = ("%d %d %s %s %s %s"):format(m.id, m.parent, m.device, m.type, m.propagation,
        (m.target:gsub(" ", "\\x20")))
    end
    table.sort(lines)
    assert.equal(shell "findmnt -rn -o ID,PARENT,MAJ:MIN,FSTYPE,PROPAGATION,TARGET | sort", table.concat(lines, "\n"))
  end)

  it("lists those of another process", function()
    local child <close> = process.spawn {
      namespaces = "mnt", stdout = "pipe",
      program = { "sh", "-c", "mount -t tmpfs theirs /mnt && echo && exec sleep 60" },
    }
    child:stdout():read(1)
    local sources = {}
    for _, m in ipairs(mount.list(child:pid())) do sources[m.source] = m.target end
    assert.equal("/mnt", sources.theirs)
    assert.is_truthy(refused(mount.list, 4000000):find("open /proc/4000000/mountinfo: No such file", 1, true))
  end)

  it("changes the root", function()
    on_tmpfs()
    shell "mkdir /mnt/inside"
    local inside, outside = in_child(function()
      mount.chroot "/mnt"
      return file.exists "/inside", file.exists "/usr"
    end)
    assert.is_true(inside)
    assert.is_false(outside)
    assert.equal("chroot /none: No such file or directory (ENOENT)", refused(mount.chroot, "/none"))
  end)
end)

describe("luabox.sys.mount.pivot_root #root", function()
  -- What pivot_root says in a child, after the command.
  local function says(command, new_root, put_old)
    return in_child(function(c, new, old)
      os.execute(c)
      local ok, e = pcall(mount.pivot_root, new, old)
      return ok or tostring(e)
    end, command, new_root, put_old)
  end

  it("exchanges the roots", function()
    local seen, gone = in_child(function()
      os.execute "mount --rbind / /mnt"
      mount.pivot_root("/mnt", "/mnt/media")
      local before = file.exists "/media/usr"
      mount.umount("/media", "detach")
      return before, file.exists "/media/usr"
    end)
    assert.is_true(seen)
    assert.is_false(gone)
  end)

  it("stacks them", function()
    assert.is_true(in_child(function()
      mount.mount { type = "tmpfs", target = "/mnt" }
      file.mkdir "/mnt/inside"
      local here = io.open "/mnt"
      mount.pivot_root("/mnt", "/mnt")
      mount.umount("/", "detach")
      here:close()
      return file.exists "/inside" and not file.exists "/usr"
    end))
  end)

  it("names the broken rule", function()
    assert.equal("pivot_root /etc: Device or resource busy (EBUSY); /etc is on the same mount as the present root; "
      .. "bind it onto itself, so that it is a mount of its own", says("", "/etc", "/etc"))
    assert.equal("pivot_root /mnt/sub: Invalid argument (EINVAL); /mnt/sub is not a mount point; bind it onto itself "
      .. 'first: mount.bind { source = "/mnt/sub", target = "/mnt/sub", flags = "rec" }',
      says("mount -t tmpfs t /mnt; mkdir /mnt/sub", "/mnt/sub", "/mnt/sub"))
    assert.equal("pivot_root /mnt/a: Invalid argument (EINVAL); /mnt is not at or below /mnt/a",
      says("mount -t tmpfs t /mnt; mkdir /mnt/a; mount -t tmpfs t /mnt/a", "/mnt/a", "/mnt"))
    local shared = '"%s" is a shared mount here; make it private first: mount.propagation("/", "private,rec")'
    assert.equal("pivot_root /mnt: Invalid argument (EINVAL); " .. shared:format "/",
      says("mount --make-shared /; mount -t tmpfs t /mnt; mount --make-private /mnt", "/mnt", "/mnt"))
    assert.equal("pivot_root /mnt: Invalid argument (EINVAL); " .. shared:format "/mnt",
      says("mount -t tmpfs t /mnt; mount --make-shared /mnt", "/mnt", "/mnt"))
  end)

  it("says that the process is in a chroot", function()
    assert.equal("pivot_root /new: Invalid argument (EINVAL); "
      .. "the present root directory is not a mount point: the process is in a chroot", in_child(function()
      os.execute "mount -t tmpfs t /mnt; mkdir -p /mnt/root/new; mount -t tmpfs t /mnt/root/new"
      mount.chroot "/mnt/root"
      return tostring(select(2, pcall(mount.pivot_root, "/new", "/new")))
    end))
  end)
end)
