local file = require "luabox.sys.file"
local spec = require "spec"

local shell, refused = spec.output, spec.refused

local DIR = "/tmp/file"

-- An empty directory for the length of a test.
local function in_dir()
  assert(os.execute("mkdir " .. DIR))
  finally(function() os.execute("rm -rf " .. DIR) end)
end

describe("luabox.sys.file #root", function()
  it("says what a path is", function()
    in_dir()
    shell("cd /tmp/file && echo hello >f && chmod 640 f && chown 1:2 f && ln -s f l && mkfifo p && mkdir d && ln f g")
    local st = file.stat(DIR .. "/l")
    assert.equal("file", st.type)
    assert.equal("0640", st.mode)
    assert.same({ 1, 2, 6, 2 }, { st.uid, st.gid, st.size, st.links })
    assert.equal(shell "stat -c %i /tmp/file/f", tostring(st.inode))
    assert.equal(shell "stat -c %Y /tmp/file/f", tostring(st.mtime // 1 | 0))
    assert.equal("symlink", file.lstat(DIR .. "/l").type)
    assert.equal("fifo", file.stat(DIR .. "/p").type)
    assert.equal("directory", file.stat(DIR .. "/d").type)
    assert.same({ "char", "1:3" }, { file.stat("/dev/null").type, file.stat("/dev/null").rdev })
    assert.equal("open /tmp/file/none: No such file or directory (ENOENT)", refused(file.stat, DIR .. "/none"))
  end)

  it("says whether a path is there", function()
    in_dir()
    shell "ln -s nowhere /tmp/file/l; touch /tmp/file/f"
    assert.is_true(file.exists(DIR))
    assert.is_false(file.exists(DIR .. "/none"))
    assert.is_false(file.exists(DIR .. "/l"))
    assert.is_false(file.exists(DIR .. "/f/under"))
  end)

  it("reads", function()
    in_dir()
    shell "seq 100000 >/tmp/file/f"
    assert.equal(shell "md5sum </tmp/file/f", shell("md5sum <" .. DIR .. "/f"))
    local text = file.read(DIR .. "/f")
    assert.equal(588895, #text)
    assert.equal("100000\n", text:sub(-7))
    assert.equal("read /tmp/file/f: File too large (EFBIG)", refused(file.read, DIR .. "/f", { max = 588894 }))
    assert.equal(588895, #file.read(DIR .. "/f", { max = 588895 }))
    assert.equal("read /tmp/file: Is a directory (EISDIR)", refused(file.read, DIR))
    assert.is_truthy(file.read("/proc/self/status"):find "^Name:")
  end)

  it("copies, with the mode less what gives rights away", function()
    in_dir()
    shell "cd /tmp/file && seq 1000000 >f && chmod 6754 f && mkfifo p && touch there && ln -s f l"
    file.copy(DIR .. "/l", DIR .. "/g")
    file.copy(DIR .. "/l", DIR .. "/h", { mode = "4600" })
    assert.equal("", shell "cd /tmp/file && cmp f g && cmp f h")
    assert.equal("754 4600", shell "cd /tmp/file && echo $(stat -c %a g h)")
    assert.equal("open /tmp/file/there: File exists (EEXIST)", refused(file.copy, DIR .. "/f", DIR .. "/there"))
    assert.equal("", shell "cat /tmp/file/there")
    for name, code in pairs { p = "Invalid argument (EINVAL)", ["../file"] = "Is a directory (EISDIR)" } do
      assert.equal(("copy /tmp/file/%s: %s; only a regular file is copied"):format(name, code),
        refused(file.copy, DIR .. "/" .. name, DIR .. "/x"))
    end
    assert.is_false(file.exists(DIR .. "/x"))
  end)

  it("copies what tells no size, and to another file system; what does not fit leaves nothing", function()
    in_dir()
    assert(os.execute "mkdir /tmp/file/t && mount -t tmpfs -o size=64k,nr_inodes=10 t /tmp/file/t")
    finally(function() os.execute "umount /tmp/file/t; rm -rf /tmp/file" end)
    file.copy("/proc/self/status", DIR .. "/status")
    assert.is_truthy(file.read(DIR .. "/status"):find "^Name:.*\nPid:")
    shell "seq 10000 >/tmp/file/f; seq 20000 >/tmp/file/big"
    assert.is_false(file.copy(DIR .. "/f", DIR .. "/t/f"))
    assert.equal("", shell "cmp /tmp/file/f /tmp/file/t/f")
    assert.equal("copy /tmp/file/t/big: No space left on device (ENOSPC)",
      refused(file.copy, DIR .. "/big", DIR .. "/t/big"))
    assert.equal("f", shell "ls /tmp/file/t")
  end)

  it("copies and links to a place inside a root, whatever its links say", function()
    in_dir()
    shell "cd /tmp/file && echo hi >f && mkdir -p root/tmp/file && ln -s /tmp/file root/out && ln -s /tmp/new root/new"
    file.copy(DIR .. "/f", "/out/copy", { root = DIR .. "/root" })
    file.link(DIR .. "/f", "/out/link", { root = DIR .. "/root" })
    assert.equal("hi", shell "cat /tmp/file/root/tmp/file/copy")
    assert.equal("f root", shell "echo $(ls /tmp/file)")
    assert.equal("2 2", shell "cd /tmp/file && echo $(stat -c %h f root/tmp/file/link)")
    for _, f in ipairs { file.copy, file.link } do
      assert.matches("File exists (EEXIST)", refused(f, DIR .. "/f", "/new", { root = DIR .. "/root" }), 1, true)
    end
  end)

  it("links the file that a link leads to, and no directory", function()
    in_dir()
    shell "cd /tmp/file && touch f && ln -s f l"
    file.link(DIR .. "/l", DIR .. "/g")
    assert.equal("regular empty file 2", shell "stat -c '%F %h' /tmp/file/g")
    assert.matches("^link /tmp/file/d: Operation not permitted", refused(file.link, DIR, DIR .. "/d"))
    assert.equal("open /tmp/file/none: No such file or directory (ENOENT)",
      refused(file.link, DIR .. "/none", DIR .. "/h"))
  end)

  it("writes", function()
    in_dir()
    local path = DIR .. "/f"
    file.write(path, "one\n", { mode = "600" })
    assert.equal("one 600", shell "echo $(cat /tmp/file/f) $(stat -c %a /tmp/file/f)")
    file.write(path, "two\n", { append = true })
    assert.equal("one\ntwo", shell "cat /tmp/file/f")
    file.write(path, "x\0y")
    assert.equal("3", shell "stat -c %s /tmp/file/f")
    file.write(path, "")
    assert.equal("0", shell "stat -c %s /tmp/file/f")
    assert.equal("open /tmp/file/f: File exists (EEXIST)", refused(file.write, path, "", { exclusive = true }))
    assert.equal("open /tmp/file/none/f: No such file or directory (ENOENT)",
      refused(file.write, DIR .. "/none/f", ""))
    assert.equal("write /dev/full: No space left on device (ENOSPC)", refused(file.write, "/dev/full", "x"))
  end)

  it("writes at once", function()
    in_dir()
    local path = DIR .. "/f"
    file.write(path, "one", { atomic = true, mode = "640" })
    local before <close> = io.open(path)
    file.write(path, "two", { atomic = true })
    assert.equal("one", before:read "a")
    assert.equal("two f", shell "echo $(cat /tmp/file/f) $(ls -A /tmp/file)")
    assert(os.execute "mkdir /tmp/file/d")
    assert.equal("rename /tmp/file/d: Is a directory (EISDIR)",
      refused(file.write, DIR .. "/d", "x", { atomic = true }))
    assert.equal("d\nf", shell "ls -A /tmp/file")
  end)

  it("makes directories", function()
    in_dir()
    file.mkdir(DIR .. "/a", { mode = "700" })
    assert.equal("700", shell "stat -c %a /tmp/file/a")
    assert.equal("mkdir /tmp/file/a: File exists (EEXIST)", refused(file.mkdir, DIR .. "/a"))
    assert.equal("open /tmp/file/x/: No such file or directory (ENOENT)", refused(file.mkdir, DIR .. "/x/y"))
    file.mkdir(DIR .. "/b/c//d/./e/", { parents = true, mode = "711" })
    assert.equal("755\n711", shell "stat -c %a /tmp/file/b/c/d /tmp/file/b/c/d/e")
    file.mkdir(DIR .. "/b/c/d", { parents = true })
    shell "ln -s a /tmp/file/l; touch /tmp/file/f"
    file.mkdir(DIR .. "/l", { parents = true })
    file.mkdir(DIR .. "/l/in", { parents = true })
    assert.equal("in", shell "ls /tmp/file/a")
    assert.equal("mkdir /tmp/file/f: File exists (EEXIST)", refused(file.mkdir, DIR .. "/f", { parents = true }))
    assert.equal("mkdir /tmp/file/f: File exists (EEXIST)", refused(file.mkdir, DIR .. "/f/x", { parents = true }))
  end)

  it("lists", function()
    in_dir()
    assert.same({}, file.list(DIR))
    shell "cd /tmp/file && touch .hidden 'a b' && for i in $(seq 1000); do : >name-$i; done"
    local names = file.list(DIR)
    table.sort(names)
    assert.equal(shell "LC_ALL=C ls -A /tmp/file", table.concat(names, "\n"))
    assert.equal("open /tmp/file/a b: Not a directory (ENOTDIR)", refused(file.list, DIR .. "/a b"))
  end)

  it("makes, reads and resolves links", function()
    in_dir()
    file.mkdir(DIR .. "/d")
    file.symlink("d/../d", DIR .. "/l")
    assert.equal("d/../d", shell "readlink /tmp/file/l")
    assert.equal("d/../d", file.readlink(DIR .. "/l"))
    assert.equal(DIR .. "/d", file.realpath(DIR .. "/l/."))
    assert.equal("readlink /tmp/file/d: Invalid argument (EINVAL)", refused(file.readlink, DIR .. "/d"))
    assert.equal("symlink /tmp/file/l: File exists (EEXIST)", refused(file.symlink, "x", DIR .. "/l"))
    assert.equal("open /tmp/file/none: No such file or directory (ENOENT)", refused(file.realpath, DIR .. "/none"))
  end)

  it("removes", function()
    in_dir()
    shell "cd /tmp/file && touch f && mkdir d e && touch e/x && ln -s e l"
    file.unlink(DIR .. "/f")
    file.unlink(DIR .. "/l")
    file.rmdir(DIR .. "/d/")
    assert.equal("e\ne/x", shell "cd /tmp/file && ls -d * */*")
    assert.equal("unlink /tmp/file/e: Is a directory (EISDIR)", refused(file.unlink, DIR .. "/e"))
    assert.equal("rmdir /tmp/file/e: Directory not empty (ENOTEMPTY)", refused(file.rmdir, DIR .. "/e"))
    assert.equal("rmdir /tmp: Device or resource busy (EBUSY); something is mounted there", refused(file.rmdir, "/tmp"))
    assert.equal("open /tmp/file/..: Invalid argument (EINVAL)", refused(file.rmdir, DIR .. "/.."))
  end)

  it("changes mode and owner", function()
    in_dir()
    shell "cd /tmp/file && touch f && ln -s f l"
    file.chmod(DIR .. "/l", "4711")
    assert.equal("4711", shell "stat -c %a /tmp/file/f")
    file.chown(DIR .. "/l", 7)
    file.chown(DIR .. "/l", nil, 8)
    assert.equal("7:8", shell "stat -c %u:%g /tmp/file/f")
    file.chown(DIR .. "/l", 9, 9, { nofollow = true })
    assert.equal("7:8 9:9", shell "echo $(stat -c %u:%g /tmp/file/f /tmp/file/l)")
  end)

  describe("in a root", function()
    local function root_with_traps()
      in_dir()
      shell [[cd /tmp/file && mkdir -p root/etc root/d secret && echo outside >secret/f && cd root &&
        ln -s /tmp/file/secret abs && ln -s ../../secret up && ln -s ../../../../../../tmp/file/secret far &&
        ln -s /etc etc-link && ln -s /proc/self/root proc-root && echo inside >etc/f]]
      return DIR .. "/root"
    end

    it("leads nowhere else", function()
      local root = root_with_traps()
      for _, trap in ipairs { "abs", "up", "far" } do
        local o = { root = root }
        local path = trap .. "/f"
        assert.is_false(file.exists(path, o), trap)
        for _, f in ipairs { file.read, file.stat, file.unlink, file.realpath } do
          assert.is_truthy(refused(f, path, o):find "ENOENT", trap)
        end
        assert.is_truthy(refused(file.write, path, "x", o):find "ENOENT", trap)
        assert.is_truthy(refused(file.write, path, "x", { root = root, atomic = true }):find "ENOENT", trap)
        assert.is_truthy(refused(file.mkdir, trap .. "/new", o):find "ENOENT", trap)
        assert.is_truthy(refused(file.symlink, "x", trap .. "/new", o):find "ENOENT", trap)
        assert.is_truthy(refused(file.chmod, path, "777", o):find "ENOENT", trap)
        assert.is_truthy(refused(file.chown, path, 1, 1, o):find "ENOENT", trap)
      end
      assert.equal("f outside 644", shell "cd /tmp/file/secret; echo $(ls) $(cat f) $(stat -c %a f)")
    end)

    it("starts at the root, whatever the path", function()
      local root = root_with_traps()
      for _, path in ipairs { "etc/f", "/etc/f", "../../etc/f", "/etc-link/f", "d/../etc/f" } do
        assert.equal("inside\n", file.read(path, { root = root }), path)
      end
      assert.equal("/etc/f", file.realpath("etc-link/f", { root = root }))
      assert.equal("/", file.realpath("../..", { root = root }))
      assert.equal("/tmp/file/secret", file.readlink("abs", { root = root }))
    end)

    it("follows no magic link", function()
      local root = root_with_traps()
      shell "mkdir /tmp/file/root/proc; mount --bind /proc /tmp/file/root/proc"
      finally(function() os.execute "umount /tmp/file/root/proc; rm -rf /tmp/file" end)
      assert.equal("open proc-root/tmp: Too many levels of symbolic links (ELOOP); "
        .. "there is a loop of symbolic links, or a link of /proc, which is not followed inside a root",
        refused(file.list, "proc-root/tmp", { root = root }))
    end)

    it("takes a handle", function()
      local root = root_with_traps()
      local handle <close> = assert(io.open(root))
      file.write("/etc/g", "two", { root = handle })
      assert.equal("two", shell "cat /tmp/file/root/etc/g")
      file.mkdir("/a/b/c", { root = handle, parents = true })
      file.symlink("/etc", "/a/b/l", { root = handle })
      assert.equal("two", file.read("/a/b/l/g", { root = handle }))
      assert.same({ "c", "l" }, (function(t) table.sort(t) return t end)(file.list("a/b", { root = handle })))
      file.unlink("a/b/l", { root = handle })
      file.rmdir("a/b/c", { root = handle })
      assert.equal("", shell "ls /tmp/file/root/a/b")
    end)
  end)
end)
