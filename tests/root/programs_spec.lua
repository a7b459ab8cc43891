-- Roots from lists of programs, held against what ldd and the host's own files say.
local file = require "luabox.sys.file"
local luabox = require "luabox"
local sentences = require "sentences"
local spec = require "spec"

local from_programs = luabox.rootfs.from_programs
local shell, refused, write = spec.output, spec.refused, spec.write

local DIR = "/tmp/programs"
-- Each with arguments with which it does little and succeeds.
local COMMANDS = { "/bin/bash -c :", "ls", "cat", "cp --version", "sed p", "grep -V", "id", "mount -V", "/sbin/ip -V",
  "/usr/bin/python3 -V" }

-- An empty directory for the length of a test.
local function in_dir()
  assert(os.execute("mkdir " .. DIR))
  finally(function() os.execute("umount /tmp/programs/* 2>/dev/null; rm -rf " .. DIR) end)
end

local function script(name, text)
  write(DIR .. "/" .. name, text)
  assert(os.execute(("chmod +x %s/%s"):format(DIR, name)))
  return DIR .. "/" .. name
end

-- A copy of ls that needs another library in place of libselinux; the names are of one length.
local function patched(library)
  spec.shell(("cd %s && sed 's,libselinux.so.1,%s,g' /bin/ls >prog && chmod +x prog"):format(DIR, library))
  return DIR .. "/prog"
end

-- One whose library is in a directory where no loader looks.
local function program_with_library()
  spec.shell("cp -L $(ldd /bin/ls | sed -n 's/.*libselinux.so.1 => \\(.*\\) .*/\\1/p') " .. DIR .. "/s")
  return patched(DIR .. "/s")
end

describe("luabox.rootfs.from_programs #root", function()
  describe("in memory #detached", function()
    it("brings what each program needs: ldd's list is there, and each runs", function()
      local programs = {}
      for i, command in ipairs(COMMANDS) do programs[i] = command:match "%S+" end
      local tree <close> = from_programs(programs)
      tree:attach "/mnt"
      finally(function() os.execute "umount -l /mnt" end)
      for i, command in ipairs(COMMANDS) do
        for library in shell("ldd $(command -v " .. programs[i] .. ")"):gmatch "%s(/%S+) %(0x" do
          assert.equal("", shell(("cmp %s /mnt%s"):format(library, library)), command)
        end
        assert.equal("0", shell(("chroot /mnt %s </dev/null >/dev/null 2>&1; echo $?"):format(command)), command)
      end
    end)

    it("keeps the links of the host, /bin above all, and its modes without setuid", function()
      local tree <close> = from_programs { "bash", "su", "awk" }
      tree:attach "/mnt"
      finally(function() os.execute "umount -l /mnt" end)
      for _, path in ipairs { "/bin", "/sbin", "/lib", "/lib64", "/usr/bin/awk", "/etc/alternatives/awk" } do
        assert.equal(shell("readlink " .. path), shell("readlink /mnt" .. path), path)
      end
      assert.equal("4755", shell "stat -Lc %a /usr/bin/su")
      assert.equal("755 0 0", shell "stat -Lc '%a %u %g' /mnt/usr/bin/su")
      assert.equal("755 755 1777 700", shell "cd /mnt; echo $(stat -c %a . etc tmp root)")
    end)

    it("is the root of a container, which changes no file of the host", function()
      local before = shell "md5sum /bin/cat"
      local tree <close> = from_programs { "bash", "cat", "cp" }
      local box <close> = luabox.container { name = "box", rootfs = tree, access = "rw" }
      box:start()
      assert.equal("box\n", box:check({ "bash", "-c", "cp /bin/bash /bin/cat; echo $HOSTNAME" }).stdout)
      assert.equal(file.stat("/bin/bash").size, file.stat("/bin/cat", { root = tree }).size)
      assert.equal(before, shell "md5sum /bin/cat")
    end)

    it("is nowhere to be seen, and gone with its handle", function()
      local before = shell "cat /proc/self/mountinfo"
      local tree = from_programs { "true" }
      assert.equal(before, shell "cat /proc/self/mountinfo")
      tree:close()
    end)
  end)

  it("brings the interpreters of scripts", function()
    in_dir()
    script("one", "#! /bin/sed -f\n")
    script("two", "#!/usr/bin/env -S LANG=C bash -e\necho two\n")
    from_programs { DIR .. "/one", DIR .. "/two", to = DIR .. "/root" }
    assert.equal("bash env sed", shell "cd /tmp/programs/root/bin && echo $(ls)")
    assert.equal("two", shell "chroot /tmp/programs/root /tmp/programs/two")
  end)

  it("brings a library that is in no common directory, and more files with theirs", function()
    in_dir()
    spec.shell "cd /tmp/programs && mkdir -p data/deep && echo x >data/deep/f && ln -s deep/f data/l"
    spec.shell "cd /tmp/programs && ln -s /nowhere data/n"
    spec.shell(("cp %s /usr/bin/id /tmp/programs/data/deep"):format(patched "libnosuchx.so.1"))
    from_programs { "true", to = DIR .. "/root", files = { DIR .. "/data", "/etc/passwd" } }
    assert.equal("f l n", shell "cd /tmp/programs/root/tmp/programs/data && echo $(ls deep/f l n | sed 's,.*/,,')")
    assert.equal("x", shell "cat /tmp/programs/root/tmp/programs/data/l")
    assert.equal("", shell "cmp /etc/passwd /tmp/programs/root/etc/passwd")
    assert.matches("^uid=0%(root%) gid=0", shell "chroot /tmp/programs/root /tmp/programs/data/deep/id")
    from_programs { program_with_library(), to = DIR .. "/again" }
    assert.equal("prog\ns", shell "chroot /tmp/programs/again /tmp/programs/prog /tmp/programs")
  end)

  it("copies into a directory, and shares no file with the host", function()
    in_dir()
    assert.equal(DIR .. "/root", from_programs { "cat", to = DIR .. "/root" })
    assert.equal("1", shell "stat -c %h /tmp/programs/root/usr/bin/cat")
    assert.equal("", shell "cmp /bin/cat /tmp/programs/root/usr/bin/cat")
    assert.equal("hi", shell "echo hi | chroot /tmp/programs/root cat")
  end)

  it("links on request, and copies to another file system", function()
    in_dir()
    local program = script("prog", "#!/bin/cat\n")
    from_programs { program, to = DIR .. "/root", link = true }
    assert.equal(file.stat(program).inode, file.stat(DIR .. "/root" .. program).inode)
    spec.shell "mkdir /tmp/programs/t && mount -t tmpfs t /tmp/programs/t"
    from_programs { program, to = DIR .. "/t", link = true }
    assert.equal("", shell "cmp /tmp/programs/prog /tmp/programs/t/tmp/programs/prog")
  end)

  it("shares blocks where the file system can #btrfs", function()
    in_dir()
    spec.shell "cd /tmp/programs && mkdir b && truncate -s 128M i && mkfs.btrfs -q i >/dev/null && mount -o loop i b"
    spec.shell "cp /bin/bash /tmp/programs/b/bash && sync -f /tmp/programs/b"
    from_programs { DIR .. "/b/bash", to = DIR .. "/b/root" }
    assert.is_true(file.copy(DIR .. "/b/bash", DIR .. "/b/again"))
    spec.shell "sync -f /tmp/programs/b"
    local usage = shell "btrfs filesystem du --raw /tmp/programs/b/root/tmp/programs/b/bash | tail -n 1"
    assert.equal("0", usage:match "^%s*%d+%s+(%d+)", usage) -- of its own
    spec.shell "echo changed >>/tmp/programs/b/root/tmp/programs/b/bash"
    assert.equal("", shell "cmp /bin/bash /tmp/programs/b/bash")
  end)

  describe("refuses", function()
    local function complaint(o)
      local text = refused(from_programs, o)
      assert.is_false(spec.exists(DIR .. "/root"), text)
      return text
    end

    it("what is missing, by name, before anything is made", function()
      in_dir()
      local to = DIR .. "/root"
      assert.matches("^from_programs nosuch: no such program in PATH '[^']+' %(ENOENT%); name it with its directory",
        complaint { "nosuch", to = to })
      assert.equal("open /bin/nosuch: No such file or directory (ENOENT)", complaint { "/bin/nosuch", to = to })
      assert.equal("from_programs /etc/passwd: it is not executable (EACCES); name it among the 'files' if it is no " ..
        "program", complaint { "/etc/passwd", to = to })
      assert.equal("from_programs /etc: it is a directory, and no program (EACCES)", complaint { "/etc", to = to })
      local OR = " (ENOENT); install it, or leave the program out"
      assert.equal("from_programs /tmp/programs/s: its interpreter '/bin/nosuch' is not here" .. OR,
        complaint { script("s", "#!/bin/nosuch\n"), to = to })
      assert.equal("from_programs /tmp/programs/s: its interpreter 'nosuch' is not in PATH (ENOENT)",
        complaint { script("s", "#!/usr/bin/env nosuch\n"), to = to })
      local program = patched "libnosuchx.so.1"
      local text = "from_programs /tmp/programs/prog: the library 'libnosuchx.so.1', which '/tmp/programs/prog' " ..
        "needs, is not here (ENOENT); install what has it, or leave the program out"
      assert.equal(text, complaint { "ls", program, to = to })
      assert.equal(text, complaint { files = { program }, to = to })
      spec.shell "cd /tmp/programs && sed 's,/ld-linux-,/ld-nosuch,' prog >q; chmod +x q"
      assert.matches("^from_programs /tmp/programs/q: the loader '/%w+/ld%-nosuch%S+', which '/tmp/programs/q' needs",
        complaint { DIR .. "/q", to = to })
      spec.shell "mkfifo /tmp/programs/p; ln -s loop /tmp/programs/loop"
      assert.equal("from_programs /tmp/programs/p: it is a fifo (EINVAL); only files, directories and symbolic " ..
        "links are taken", complaint { files = { DIR .. "/p" }, to = to })
      assert.equal("from_programs /..: it is the whole root (EINVAL); name what is needed of it",
        complaint { files = { "/.." }, to = to })
      assert.equal("from_programs /tmp/programs/loop: too many symbolic links (ELOOP)",
        complaint { files = { DIR .. "/loop" }, to = to })
    end)

    it("a file that may not be read", function()
      local path = "/proc/sys/vm/compact_memory"
      assert.equal("open " .. path .. ": Permission denied (EACCES); leave it out, or be root",
        refused(from_programs, { files = { path } }))
    end)

    it("a directory that has something in it", function()
      in_dir()
      assert.equal("from_programs /tmp: Directory not empty (ENOTEMPTY); give an empty directory, or a path that is " ..
        "not there yet", refused(from_programs, { "ls", to = "/tmp" }))
      assert.matches("^from_programs /: Directory not empty", refused(from_programs, { "ls", to = "/" }))
      assert.matches("ENOTDIR", refused(from_programs, { "ls", to = "/etc/passwd" }))
      assert.matches("ENOENT", complaint { "ls", to = DIR .. "/root/deep" })
    end)

    it("what does not fit, and leaves nothing of it", function()
      in_dir()
      spec.shell "mkdir /tmp/programs/t && mount -t tmpfs -o size=2M t /tmp/programs/t"
      for _, to in ipairs { "/t", "/t/root" } do
        local text = refused(from_programs, { "bash", to = DIR .. to })
        assert.matches("copy /.-: No space left on device %(ENOSPC%)", text)
        assert.equal("", shell "ls -A /tmp/programs/t")
      end
    end)

    it("wrong options", function()
      sentences.check(from_programs, "from_programs", {
        { {}, "no program and no file is named" },
        { { "" }, "option 'programs[1]': is empty" },
        { { "ls", 1 }, "option 'programs[2]': string expected, got number" },
        { { "./ls" }, "option 'programs[1]': './ls' is neither an absolute path nor a name for PATH" },
        { { [2] = "ls" }, "option 'programs': list expected, got a table with holes" },
        { { "ls", file = {} }, "unknown option 'file'; did you mean 'files'?" },
        { { files = { "x" } }, "option 'files[1]': 'x' is not an absolute path" },
        { { "ls", to = "x" }, "option 'to': 'x' is not an absolute path" },
        { { "ls", link = true }, "option 'link': needs 'to', a directory on the file system of the programs" },
      })
      assert.equal("#1 to 'from_programs' (table expected, got string)", sentences.refusal(from_programs, "ls"))
    end)
  end)
end)
