-- luabox.rootfs.from_tar: what it makes is held against GNU tar's, and what it must not make is looked for outside.
local archive = require "archive"
local child = require "child"
local luabox = require "luabox"
local program = require "program"
local spec = require "spec"

local rootfs = luabox.rootfs
local shell, output = spec.shell, spec.output

-- A directory of the test's own, with what the tests look at afterwards.
local function place()
  local path, remove = program.directory()
  finally(remove)
  return path
end

-- One line for each file: kind, mode, owner, size, time, links, target.
local function listing(path)
  return output(("export LC_ALL=C; cd %s && find . -type d -printf '%%P %%y %%m %%U %%G %%T@\\n' "
    .. "-o -printf '%%P %%y %%m %%U %%G %%s %%T@ %%n %%l\\n' | sort && find . -type f -exec md5sum {} + | sort")
    :format(path))
end

-- Names and values of the extended attributes below.
local ATTRIBUTES = [[
import os, sys
os.chdir(sys.argv[1])
for d, ds, fs in os.walk("."):
    for n in sorted(ds + fs):
        p = d + "/" + n
        for a in sorted(os.listxattr(p, follow_symlinks=False)): print(p, a, os.getxattr(p, a).hex())
]]

local function attributes(path)
  return output(("python3 -c '%s' %s | sort"):format(ATTRIBUTES, path))
end

-- What a root may have.
local TREE = [[
mkdir -p a/b/c a/shut a/sticky a/setgid 'a/with space' deep
cd a
echo text >file; chmod 640 file; chown 12:34 file
echo program >setuid; chmod 4755 setuid; chown 1000:1000 setuid
echo group >setgid/program; chmod 2711 setgid/program; chmod 2775 setgid; chown 0:50 setgid
chmod 1777 sticky; echo x >shut/x; chmod 555 shut
printf 'no newline' >'with space/a b'; : >"$(printf 'e\314\201 \377')"; : >é
ln file hard; ln file b/hard; ln -s file link; ln -s /etc/passwd absolute; ln -s ../../../.. above
ln -s nowhere dangling
ln link hard-link-to-link
mkfifo -m 620 fifo; mknod -m 660 null c 1 3; mknod -m 600 block b 7 200; chown 0:6 block
truncate -s 30M holes; printf end >>holes; printf middle | dd of=holes bs=1 seek=15000000 conv=notrunc status=none
seq 100000 >numbers
cd ../deep; for i in $(seq 60); do mkdir long-name-of-a-directory; cd long-name-of-a-directory; done; echo bottom >file
cd "$OLDPWD/.." 2>/dev/null || cd "$ROOT"; cd "$ROOT"
find . -exec touch -h -d '2001-02-03 04:05:06.789' {} +
]]

describe("luabox.rootfs.from_tar #root", function()
  -- As tar -x makes it, for each format; with times and holes.
  for _, format in ipairs { "gnu", "posix", "ustar" } do
    it("makes what tar makes of the format " .. format, function()
      local dir = place()
      shell(("mkdir %s/tree && cd %s/tree && export ROOT=$PWD && { %s }"):format(dir, dir, TREE))
      local is_new = format == "gnu" or format == "posix"
      if not is_new then shell(("rm -rf %s/tree/deep %s/tree/a/holes %s/tree/a/block"):format(dir, dir, dir)) end
      shell(("cd %s && tar -c %s --format=%s -f tree.tar -C tree . && mkdir tar && tar -x -p -f tree.tar -C tar")
        :format(dir, is_new and "--sparse" or "", format))
      local path, report = rootfs.from_tar(dir .. "/tree.tar", { to = dir .. "/ours" })
      assert.equal(dir .. "/ours", path)
      assert.same({}, report.skipped)
      assert.equal(tonumber(output(("tar -t -f %s/tree.tar | wc -l"):format(dir))), report.entries)
      local theirs = listing(dir .. "/tar")
      assert.is_true(#theirs > 500)
      assert.equal(theirs, listing(path))
      if is_new then
        local blocks = tonumber(output(("stat -c %%b %s/a/holes"):format(path)))
        assert.is_true(blocks < 1000, blocks .. " blocks")
      end
    end)
  end

  for name, compress in pairs { gzip = "gzip", bzip2 = "bzip2", xz = "xz", zstd = "zstd -q" } do
    it("reads " .. name, function()
      local dir = place()
      shell(("cd %s && seq 30000 >numbers && tar -c numbers | %s >x"):format(dir, compress))
      local _, report = rootfs.from_tar(dir .. "/x", { to = dir .. "/to" })
      assert.equal(1, report.entries)
      shell(("cmp %s/numbers %s/to/numbers"):format(dir, dir))
    end)
  end

  it("keeps extended attributes and access control lists #detached", function()
    local dir = place()
    archive.write(dir .. "/x.tar", [[
cap = b"\x01\x00\x00\x02\x00\x20\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00".decode("latin1")
file("ping", pax_headers={"SCHILY.xattr.security.capability": cap})
file("trusted", pax_headers={"SCHILY.xattr.trusted.note": "text"})
acl = "user::rw-,user:daemon:r--:1,group::r--,mask::r--,other::---"
file("acl", mode=0o640, pax_headers={"SCHILY.acl.access": acl})
directory("d", pax_headers={"SCHILY.acl.default": "user::rwx,group::r-x,group:daemon:rwx:1,mask::rwx,other::r-x"})
link("l", "ping")
]])
    shell(("mkdir %s/tar && tar -x --xattrs --xattrs-include='*' --acls -f %s/x.tar -C %s/tar"):format(dir, dir, dir))
    local tree <close>, report = rootfs.from_tar(dir .. "/x.tar")
    tree:attach "/mnt"
    finally(function() os.execute "umount /mnt" end)
    assert.same({}, report.skipped)
    local ours = attributes "/mnt"
    for _, line in ipairs { "security.capability 01000002", "trusted.note 74657874", "./acl system.posix_acl_access ",
      "./d system.posix_acl_default " } do
      assert.truthy(ours:find(line, 1, true), ours)
    end
    assert.equal(attributes(dir .. "/tar"), ours)
  end)

  it("passes over what overlay would obey, and says so #detached", function()
    local dir = place()
    archive.write(dir .. "/x.tar", [[
directory("d", pax_headers={"SCHILY.xattr.trusted.overlay.redirect": "/etc"})
file("f", pax_headers={"SCHILY.xattr.trusted.overlay.metacopy": "x"})]])
    local tree <close>, report = rootfs.from_tar(dir .. "/x.tar")
    tree:attach "/mnt"
    finally(function() os.execute "umount /mnt" end)
    assert.equal("", attributes "/mnt")
    assert.same({ { what = "attribute", count = 2, path = "d", code = "EPERM" } }, report.skipped)
  end)

  it("makes the directories that are missing, and lets a later entry replace an earlier one", function()
    local dir = place()
    archive.write(dir .. "/x.tar", [[
file("a/b/c", b"first"); file("./a//b/./c", b"second"); link("x", "a"); directory("x"); directory("y"); file("y")
file("late/f"); directory("late", mode=0o700)]])
    local to = rootfs.from_tar(dir .. "/x.tar", { to = dir .. "/to" })
    assert.equal("second", spec.contents(to .. "/a/b/c"))
    assert.equal("755 0 0\n755 0 0\ndirectory\nregular file\n700 1000000000",
      output(("cd %s; stat -c '%%a %%u %%g' a a/b; "
      .. "stat -c %%F x y; stat -c '%%a %%Y' late"):format(to)))
  end)

  it("gives the root the mode, owner and time of its entry", function()
    local dir = place()
    archive.write(dir .. "/x.tar", [[directory(".", mode=0o751, uid=3, gid=4); file("f")]])
    rootfs.from_tar(dir .. "/x.tar", { to = dir .. "/to" })
    assert.equal("751 3 4 1000000000", output(("stat -c '%%a %%u %%g %%Y' %s/to"):format(dir)))
    archive.write(dir .. "/y.tar", [[file("f")]])
    shell(("mkdir -m 711 %s/given"):format(dir))
    rootfs.from_tar(dir .. "/y.tar", { to = dir .. "/given" })
    assert.equal("711", output(("stat -c %%a %s/given"):format(dir)))
  end)
end)

-- ---- what is refused ----

-- name → { code, Python }. "outside" is the directory outside, with a file "canary".
local EVIL = {
  ["an absolute path"] = { "EXDEV", [[file("OUTSIDE/canary", b"evil")]] },
  ["an absolute directory"] = { "EXDEV", [[directory("OUTSIDE/new")]] },
  ["a .."] = { "EXDEV", [[file("../outside/canary", b"evil")]] },
  ["a .. further on"] = { "EXDEV", [[directory("a"); file("a/../../outside/new", b"evil")]] },
  ["a path that ends in .."] = { "EXDEV", [[directory("a/..", mode=0o777)]] },
  ["a file behind an absolute link"] = { "ELOOP", [[link("l", "OUTSIDE"); file("l/canary", b"evil")]] },
  ["a file behind a relative link"] = { "ELOOP", [[link("l", "../outside"); file("l/new", b"evil")]] },
  ["a file behind two links"] = { "ELOOP", [[link("l", ".."); link("m", "l/outside"); file("m/new")]] },
  ["a file far behind a link"] = { "ELOOP", [[link("l", "OUTSIDE"); file("l/a/b/c")]] },
  ["a directory behind a link"] = { "ELOOP", [[link("l", "OUTSIDE"); directory("l/new")]] },
  ["a fifo behind a link"] = { "ELOOP", [[link("l", "OUTSIDE"); add("l/new", tarfile.FIFOTYPE)]] },
  ["a link behind a link"] = { "ELOOP", [[link("l", "OUTSIDE"); link("l/new", "x")]] },
  ["a link within a directory that became a link"] = { "ENOTEMPTY",
    [[directory("d"); file("d/x"); link("d", "OUTSIDE"); file("d/canary")]] },
  ["a hard link to an absolute path"] = { "EXDEV", [[hard("h", "OUTSIDE/canary")]] },
  ["a hard link to a .."] = { "EXDEV", [[hard("h", "../outside/canary")]] },
  ["a hard link to what is behind a link"] = { "ELOOP", [[link("l", "OUTSIDE"); hard("h", "l/canary")]] },
  ["a hard link in place of a directory's"] = { "ELOOP", [[link("l", "OUTSIDE"); file("x"); hard("l/new", "x")]] },
  ["a hard link to nothing"] = { "ENOENT", [[hard("h", "nothing")]] },
  ["a hard link to itself"] = { "ENOENT", [[file("h"); hard("h", "h")]] },
  ["a hard link to a directory"] = { "EPERM", [[directory("d"); hard("h", "d")]] },
  ["a hard link to the root"] = { "ENOENT", [[hard("h", ".")]] },
  ["a root that is a link"] = { "EXDEV", [[link(".", "OUTSIDE")]] },
  ["a file behind a file"] = { "ENOTDIR", [[file("f"); file("f/x")]] },
  ["a path that is too long"] = { "ENAMETOOLONG", [[file("d/" * 2100 + "x")]] },
  ["a name that is too long"] = { "ENAMETOOLONG", [[file("x" * 256)]] },
  ["an owner that is none"] = { "EINVAL", [[file("x", uid=-1)]], "GNU" },
}

-- What touches only the link itself, and is done.
local HARMLESS = {
  ["a file in place of a link"] = [[link("f", "OUTSIDE/canary"); file("f", b"evil")]],
  ["a directory in place of a link"] = [[link("d", "OUTSIDE"); directory("d", mode=0o777); file("d/canary", b"evil")]],
  ["a file in place of a hard link to a link"] =
    [[link("l", "OUTSIDE/canary"); hard("h", "l"); file("h", b"evil", mode=0o777)]],
  ["a fifo in place of a link"] = [[link("f", "OUTSIDE/canary"); add("f", tarfile.FIFOTYPE, mode=0o777)]],
  ["a file in place of a fifo"] = [[add("f", tarfile.FIFOTYPE); file("f", b"evil")]],
  ["a file in place of a device"] = [[add("f", tarfile.CHRTYPE, devmajor=1, devminor=3); file("f", b"evil")]],
  ["a link's owner and mode"] = [[link("l", "OUTSIDE/canary", uid=5, gid=5, mode=0o777)]],
}

describe("luabox.rootfs.from_tar refuses #root", function()
  local function outside(dir)
    shell(("mkdir -p %s/outside && echo good >%s/outside/canary && touch -d @1 %s/outside/canary %s/outside")
      :format(dir, dir, dir, dir))
  end
  local function look(dir)
    return output(("cd %s/outside && stat -c '%%n %%a %%u %%h %%Y' . * && cat canary"):format(dir))
  end

  for name, case in pairs(EVIL) do
    it(name, function()
      local dir = place()
      outside(dir)
      local before = look(dir)
      archive.write(dir .. "/x.tar", 'file("first")\n' .. case[2]:gsub("OUTSIDE", dir .. "/outside"), "", case[3])
      local text, e = spec.refused(rootfs.from_tar, dir .. "/x.tar", { to = dir .. "/to" })
      assert.equal(case[1], e.code, text)
      assert.is_false(spec.exists(dir .. "/to"))
      assert.equal(before, look(dir))
    end)
  end

  for name, body in pairs(HARMLESS) do
    it("nothing, and follows nothing, for " .. name, function()
      local dir = place()
      outside(dir)
      local before = look(dir)
      archive.write(dir .. "/x.tar", (body:gsub("OUTSIDE", dir .. "/outside")))
      rootfs.from_tar(dir .. "/x.tar", { to = dir .. "/to" })
      assert.equal(before, look(dir))
    end)
  end
end)

-- ---- what is broken ----

local function refused_whole(dir, file, code)
  local text, e = spec.refused(rootfs.from_tar, file, { to = dir .. "/to" })
  assert.equal(code, e.code, text)
  assert.is_false(spec.exists(dir .. "/to"), text)
  return text
end

describe("luabox.rootfs.from_tar, of what is no whole tar #root", function()
  local BODY = [[
import random
for i in range(8): file("f%d" % i, random.Random(i).randbytes(3000)); directory("d%d" % i)]]

  it("leaves nothing, wherever it is cut", function()
    local dir = place()
    archive.write(dir .. "/x.tar", BODY)
    for _, compress in ipairs { "cat", "gzip", "xz", "zstd", "bzip2" } do
      shell(("%s <%s/x.tar >%s/whole"):format(compress, dir, dir))
      local size = tonumber(output(("stat -c %%s %s/whole"):format(dir)))
      -- Behind the last entry a tar is full of zeros.
      local last = compress == "cat" and 8 * (512 + 3072 + 512) or size - 1
      for _, cut in ipairs { 0, 1, 100, 511, 512, 700, 4096, 4608, size // 3, last // 512 * 512, last } do
        if cut <= last then
          shell(("head -c %d %s/whole >%s/cut"):format(cut, dir, dir))
          local text = refused_whole(dir, dir .. "/cut", "EBADMSG")
          assert.truthy(text:find("expected is a whole tar, as it is or compressed by gzip", 1, true), text)
        end
      end
    end
  end)

  it("leaves nothing if it is damaged", function()
    local dir = place()
    archive.write(dir .. "/x.tar", BODY)
    shell(("printf x | dd of=%s/x.tar bs=1 seek=%d conv=notrunc status=none"):format(dir, 4096 * 3 + 20))
    refused_whole(dir, dir .. "/x.tar", "EBADMSG")
    for _, compress in ipairs { "xz", "zstd --check -q", "bzip2" } do
      archive.write(dir .. "/y.tar", BODY)
      shell(("cd %s && %s <y.tar >z && printf xyzxyzxyz | dd of=z bs=1 seek=9000 conv=notrunc status=none")
        :format(dir, compress))
      refused_whole(dir, dir .. "/z", "EBADMSG")
    end
  end)

  it("says what is no tar at all", function()
    local dir = place()
    spec.write(dir .. "/text", ("no tar\n"):rep(1000))
    refused_whole(dir, dir .. "/text", "EBADMSG")
    refused_whole(dir, dir, "EISDIR")
    refused_whole(dir, dir .. "/nowhere", "ENOENT")
  end)

  for name, body in pairs {
    ["docker save of old"] = [[directory("a" * 64); file("a" * 64 + "/VERSION"); file("a" * 64 + "/layer.tar")]],
    ["docker save of today"] = [[directory("blobs"); directory("blobs/sha256"); file("blobs/sha256/" + "0f" * 32)]],
    ["an OCI layout"] = [[file("./oci-layout"); file("index.json")]],
  } do
    it("says what " .. name .. " is", function()
      local dir = place()
      archive.write(dir .. "/x.tar", body)
      local text = refused_whole(dir, dir .. "/x.tar", "EINVAL")
      assert.truthy(text:find("it is an image in layers", 1, true) and text:find("docker export", 1, true), text)
    end)
  end
end)

-- ---- the place ----

describe("luabox.rootfs.from_tar, its place #root", function()
  it("is a directory that is empty, or not there", function()
    local dir = place()
    archive.write(dir .. "/x.tar", [[file("f")]])
    archive.write(dir .. "/evil.tar", [[file("f"); directory("d", mode=0); file("d/x"); file("../x")]])
    shell(("mkdir -m 750 %s/empty %s/full && touch %s/full/x"):format(dir, dir, dir))
    local text = spec.refused(rootfs.from_tar, dir .. "/x.tar", { to = dir .. "/full" })
    assert.truthy(text:find("Directory not empty (ENOTEMPTY); give an empty directory", 1, true), text)
    assert.equal("x", output(("ls -A %s/full"):format(dir)))
    spec.failure(rootfs.from_tar, dir .. "/evil.tar", { to = dir .. "/empty" })
    assert.equal("750 2", output(("stat -c '%%a %%h' %s/empty; ls -A %s/empty"):format(dir, dir)))
    assert.equal(dir .. "/empty", (rootfs.from_tar(dir .. "/x.tar", { to = dir .. "/empty" })))
    assert.equal("750 f", output(("stat -c '%%a' %s/empty; ls -A %s/empty"):format(dir, dir)):gsub("\n", " "))
    for path, code in pairs { ["/x.tar"] = "ENOTDIR", ["/nowhere/x"] = "ENOENT" } do
      local _, e = spec.refused(rootfs.from_tar, dir .. "/x.tar", { to = dir .. path })
      assert.equal(code, e.code)
    end
  end)

  it("is empty again after ENOSPC", function()
    local dir = place()
    archive.write(dir .. "/x.tar", [[file("small"); directory("d"); file("d/large", b"x" * 1000000)]])
    shell(("mkdir %s/small && mount -t tmpfs -o size=256k small %s/small"):format(dir, dir))
    finally(function() os.execute(("umount %s/small; rm -rf %s"):format(dir, dir)) end)
    local text, e = spec.refused(rootfs.from_tar, dir .. "/x.tar", { to = dir .. "/small/to" })
    assert.equal("ENOSPC", e.code)
    assert.truthy(text:find("write d/large of " .. dir .. "/x.tar: No space left on device", 1, true), text)
    assert.equal("0", output(("ls -A %s/small; df --output=used %s/small | tail -n 1"):format(dir, dir)):match "%d+$")
  end)

  it("is empty again after more than max_size", function()
    local dir = place()
    archive.write(dir .. "/x.tar", [[file("a", b"x" * 6000); file("b", b"x" * 6000)]])
    local text, e = spec.refused(rootfs.from_tar, dir .. "/x.tar", { to = dir .. "/to", max_size = "11K" })
    assert.equal("EFBIG", e.code)
    assert.truthy(text:find("larger than max_size, 11264 bytes", 1, true), text)
    assert.is_false(spec.exists(dir .. "/to"))
    assert.equal(12000, select(2, rootfs.from_tar(dir .. "/x.tar", { to = dir .. "/to", max_size = 12000 })).bytes)
  end)

  it("is in memory by default, seen by nobody, and ends with its handle #detached", function()
    local dir = place()
    archive.write(dir .. "/x.tar", [[file("f", b"x" * 3000000)]])
    local before = output "cat /proc/self/mountinfo"
    local tree, report = rootfs.from_tar(dir .. "/x.tar")
    assert.equal(before, output "cat /proc/self/mountinfo")
    assert.same({ entries = 1, bytes = 3000000, skipped = {} }, report)
    assert.equal(3000000, luabox.sys.file.stat("/f", { root = tree }).size)
    tree:close()
  end)

  -- The directory is there while it is unpacked, and not afterwards.
  local INTERRUPTED = [[
local pipe <close> = io.popen(%q)
print "ready" io.stdout:flush()
luabox.rootfs.from_tar(pipe, { to = %q })
]]
  local ENDLESS = "while cat %s/many 2>/dev/null; do :; done"

  for name, source in pairs { ["that never ends"] = ENDLESS, ["that says nothing"] = "exec sleep 60" } do
    it("is gone after Ctrl-C in a tar " .. name, function()
      local dir = place()
      archive.write(dir .. "/one", [[directory("d")]], "", "GNU")
      shell(("cd %s && head -c 512 one >block && for i in $(seq 999); do cat block; done >many"):format(dir))
      source = source:format(dir)
      local _, err, status = program.signal("INT", { "-e", INTERRUPTED:format(source, dir .. "/to") })
      assert.truthy(err:find("interrupted by SIGINT", 1, true), err)
      assert.equal(130, status)
      assert.is_false(spec.exists(dir .. "/to"))
      assert.is_true(spec.eventually(function() return output "pgrep -x 'cat|sleep'" == "" end))
    end)
  end

  it("takes no more memory for more entries #unsanitized", function()
    local dir = place()
    local function peak(count)
      archive.write(dir .. "/x.tar", ("for i in range(%d): file('d%%d/some-name-%%d' %% (i // 9, i))"):format(count))
      local text = child.run(([[
local luabox = require "luabox"
luabox.rootfs.from_tar(%q, { to = %q })
io.write(io.open "/proc/self/status":read "a":match "VmHWM:%%s*(%%d+)")]]):format(dir .. "/x.tar", dir .. "/" .. count))
      return assert(tonumber(text), text)
    end
    local few, many = peak(10), peak(4000)
    assert.is_true(many - few < 256, ("%d kB, then %d kB"):format(few, many))
  end)

  it("says which package has the library, when it is not there", function()
    local dir = place()
    archive.write(dir .. "/x.tar", [[file("f")]])
    local text = child.run(([[
local luabox = require "luabox"
luabox.sys.namespace.unshare "mnt"
luabox.sys.mount.propagation("/", "private,rec")
for path in io.popen "ls /usr/lib/*/libarchive.so.13*":lines() do
  luabox.sys.mount.bind { source = "/dev/null", target = luabox.sys.file.realpath(path) }
end
print(select(2, luabox.try(luabox.rootfs.from_tar, %q, { to = %q })))]]):format(dir .. "/x.tar", dir .. "/to"))
    assert.truthy(text:find "^dlopen libarchive.so.13: .* %(ELIBACC%); .*apt%-get install libarchive13\n$",
      text)
    assert.is_false(spec.exists(dir .. "/to"))
  end)

  it("takes no library of another root", function()
    local dir = place()
    archive.write(dir .. "/x.tar", [[file("f")]])
    local text = child.run(([[
local luabox = require "luabox"
local unpack, _ = require("luabox.rootfs_tar").make, luabox.sys.tar
luabox.sys.mount.chroot %q
print(select(2, luabox.try(unpack, "/x.tar", { to = "/to" })))]]):format(dir))
    assert.truthy(text:find("this process has another root than the one of its program", 1, true), text)
    assert.is_false(spec.exists(dir .. "/to"))
  end)
end)

-- ---- owners ----

describe("luabox.rootfs.from_tar, the owners #root", function()
  local MAPS = { uid_map = { { inside = 0, outside = 100000, count = 1000 } },
    gid_map = { { inside = 0, outside = 200000, count = 1000 } } }

  local function with(o)
    for name, map in pairs(MAPS) do o[name] = map end
    return o
  end

  it("are shifted by maps, and an owner whom they do not have is an error", function()
    local dir = place()
    archive.write(dir .. "/x.tar",
      [[file("d/f", uid=0, gid=7); file("s", uid=999, gid=999, mode=0o6755); link("l", "x", uid=3)]])
    local to = rootfs.from_tar(dir .. "/x.tar", with { to = dir .. "/to" })
    assert.equal("100000 200000 755\n100000 200000 755\n100000 200007 644\n100999 200999 6755\n100003 200000 777",
      output(("cd %s && stat -c '%%u %%g %%a' . d d/f s l"):format(to)))
    archive.write(dir .. "/y.tar", [[file("f", uid=1000)]])
    local text = spec.refused(rootfs.from_tar, dir .. "/y.tar", with { to = dir .. "/y" })
    assert.truthy(text:find "chown f of .* %(EINVAL%); its user is 1000, which the map does not have", text)
    assert.is_false(spec.exists(dir .. "/y"))
  end)

  -- As an ordinary user.
  local function as_user(dir, options)
    shell(("chmod 711 %s && mkdir -p -m 777 %s/u && chmod 644 %s/x.tar"):format(dir, dir, dir))
    return child.run(([[
local luabox = require "luabox"
print(select(-1, luabox.try(luabox.rootfs.from_tar, %q, %s)))]]):format(dir .. "/x.tar",
      options:gsub("DIR", dir .. "/u")), "setpriv --reuid=1000 --regid=1000 --clear-groups")
  end

  it("are the caller's, and nothing is setuid, with owners = false, in read-only directories too", function()
    local dir = place()
    archive.write(dir .. "/x.tar",
      [[directory("d", mode=0o555); file("d/f", uid=5, mode=0o6755)
add("n", tarfile.CHRTYPE, devmajor=1, devminor=3)]])
    local text = as_user(dir, '{ to = "DIR/to", owners = false }')
    assert.truthy(text:find "^table: ", text)
    assert.equal("1000 555\n1000 755", output(("cd %s/u/to && stat -c '%%u %%a' d d/f; ls | grep n"):format(dir)))
  end)

  it("are an error for who may not give them", function()
    local dir = place()
    archive.write(dir .. "/x.tar", [[directory("d", uid=1000, gid=1000); file("d/f", uid=5)]])
    local text = as_user(dir, '{ to = "DIR/to" }')
    assert.truthy(text:find "chown d/f of .* %(EPERM%); it belongs to 5:0, .*owners = false", text)
    assert.equal("", output(("ls %s/u"):format(dir)))
  end)

  it("of a device that may not be made: it is passed over, and said", function()
    local dir = place()
    archive.write(dir .. "/x.tar", [[add("dev/null", tarfile.CHRTYPE, devmajor=1, devminor=3)
add("dev/sda", tarfile.BLKTYPE, devmajor=8, devminor=0); file("dev/x")]])
    local text = child.run(([[
local luabox = require "luabox"
local kept = "chown,fowner,dac_override"
luabox.sys.capability.set { bounding = "", effective = kept, permitted = kept }
local _, report = luabox.rootfs.from_tar(%q, { to = %q })
for _, s in ipairs(report.skipped) do print(s.what, s.count, s.path, s.code) end]])
      :format(dir .. "/x.tar", dir .. "/to"))
    assert.equal("device\t2\tdev/null\tEPERM\n", text)
    assert.equal("x", output(("ls %s/to/dev"):format(dir)))
  end)

  -- What a container sees that has these maps.
  local function seen(options)
    local dir = place()
    shell(("cd %s && mkdir -p t/bin && cp /bin/busybox t/bin/sh && echo x >t/own && chown 5:6 t/own"):format(dir))
    shell(("tar -c -f %s/x.tar -C %s/t ."):format(dir, dir))
    local tree <close> = rootfs.from_tar(dir .. "/x.tar", options)
    local box <close> = luabox.container(with { name = "box", rootfs = tree })
    box:start()
    return box:check({ "sh", "-c", "stat -c '%u %g' / /own" }).stdout
  end

  it("are right in a container with a user namespace, with its maps #userns #detached", function()
    assert.equal("0 0\n5 6\n", seen(with {}))
  end)

  it("are right in a container with a user namespace, by an id-mapped mount #userns #detached #idmap", function()
    assert.equal("0 0\n5 6\n", seen())
  end)
end)
