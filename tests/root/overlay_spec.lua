-- Containers whose root is an overlay, looked at from the host: its directories, mountinfo.
local luabox = require "luabox"
local sentences = require "sentences"
local spec = require "spec"

local file, overlay = luabox.sys.file, luabox.rootfs.overlay
local shell, refused, started = spec.output, spec.refused, spec.started

local DIR = "/tmp/overlay"
local SOME_IDS = { { inside = 0, outside = 100000, count = 65536 } }

-- Directories for the length of a test: base has busybox, the others what they are named by.
local function in_dir()
  spec.shell(([[mkdir %s && cd %s && mkdir a b up work base && cd base && mkdir bin d dev proc sys
    cp $(command -v busybox) bin && for n in sh cat rm mkdir ls touch stat head; do ln bin/busybox bin/$n; done; cd ..
    for d in base a b; do mkdir $d/etc && echo $d >$d/etc/who && echo $d >$d/$d; done; touch base/d/x base/etc/hosts]])
    :format(DIR, DIR))
  finally(function() os.execute("rm -rf " .. DIR) end)
end

local function paths(...)
  local list = { ... }
  for i, name in ipairs(list) do list[i] = DIR .. "/" .. name end
  return list
end

local function said(box, text)
  return (box:check({ "sh", "-c", text }).stdout:gsub("%s+", " "))
end

-- All below the directory, with what is in the files.
local function below(directory)
  return shell(("cd %s/%s && find . | sort | tr '\\n' ' '"):format(DIR, directory))
end

describe("luabox.rootfs.overlay #root #overlay", function()
  it("shows the topmost of each name, and throws away what is written", function()
    in_dir()
    local before = below "" .. shell("md5sum /tmp/overlay/*/etc/who")
    local box <close> = started { rootfs = overlay { lower = paths("a", "b", "base") } }
    assert.equal("a a b base ", said(box, "cat /etc/who /a /b /base"))
    assert.equal("a mine ", said(box, "rm /etc/who /b && mkdir /etc/who && echo mine >/base && cat /a /base"))
    assert.equal("overlay ", said(box, "while read -r d m t r; do if [ $m = / ]; then echo $t; fi; done </proc/mounts"))
    assert.equal(before, below "" .. shell("md5sum /tmp/overlay/*/etc/who"))
  end)

  it("is shared by containers, each of which writes its own", function()
    in_dir()
    local shared = overlay { lower = paths("a", "base") }
    local one <close> = started { name = "one", rootfs = shared }
    local two <close> = started { name = "two", rootfs = shared }
    said(one, "echo one >/etc/who")
    assert.equal("a ", said(two, "cat /etc/who"))
    said(two, "echo two >/etc/who; touch /new")
    assert.equal("one ", said(one, "cat /etc/who; cat /new 2>/dev/null || :"))
  end)

  it("keeps what is written in 'upper', and shows it again", function()
    in_dir()
    local kept = overlay { lower = paths("a", "base"), upper = DIR .. "/up", work = DIR .. "/work" }
    do
      local box <close> = started { rootfs = kept }
      said(box, "echo mine >/etc/who; rm /a; rm -r /d; mkdir /d; touch /d/y")
    end
    assert.equal("mine", shell "cat /tmp/overlay/up/etc/who")
    assert.equal("who", shell "ls /tmp/overlay/up/etc") -- nothing of luabox's
    assert.equal("character special file", shell "stat -c %F /tmp/overlay/up/a")
    assert.equal("a", shell "cat /tmp/overlay/a/etc/who")
    local again <close> = started { rootfs = kept }
    assert.equal("mine y ", said(again, "cat /etc/who; ls /d; ls /a 2>/dev/null || :"))
  end)

  it("gives an upper layer to one container at a time", function()
    in_dir()
    local kept = { lower = paths "base", upper = DIR .. "/up", work = DIR .. "/work" }
    local one <close> = started { name = "one", rootfs = overlay(kept) }
    local two <close> = luabox.container { name = "two", rootfs = overlay(kept) }
    assert.equal("start container 'two': mount overlay /tmp/overlay/up: it is the upper layer of container 'one' " ..
      "(EBUSY); give each an upper layer of its own, or none; lower layers can be shared", refused(two.start, two))
    one:stop()
    two:start()
  end)

  it("is read-only on request, limited in size on another", function()
    in_dir()
    local box <close> = started { rootfs = overlay { lower = paths("a", "base") }, access = "ro" }
    assert.matches("Read%-only file system", box:run({ "touch", "/x" }).stderr)
    local small <close> = started { name = "small", rootfs = overlay { lower = paths("a", "base") }, size = "64K" }
    assert.matches("No space left", small:run({ "sh", "-c", "while echo 1234567890123456; do :; done >/f" }).stderr)
  end)

  it("takes names with colons and commas, and many layers", function()
    in_dir()
    spec.shell "cd /tmp/overlay && mv a 'a:1,2\\3' && mv up 'up:1,2'"
    spec.shell "cd /tmp/overlay && for i in $(seq 61); do mkdir l$i && touch l$i/$i; done"
    local lower = paths "a:1,2\\3"
    for i = 1, 61 do lower[#lower + 1] = ("%s/l%d"):format(DIR, i) end
    table.move(paths("b", "base"), 1, 2, #lower + 1, lower)
    local box <close> = started { rootfs = overlay { lower = lower, upper = DIR .. "/up:1,2", work = DIR .. "/work" } }
    assert.equal("a /1 /61 ", said(box, "cat /etc/who; ls /1 /61; touch /x"))
    assert.equal("x", shell "ls -d '/tmp/overlay/up:1,2/x' | sed 's,.*/,,'")
  end)

  it("has this machine's own root among its layers", function()
    in_dir()
    for _, lower in ipairs { { DIR .. "/a", "/" }, { DIR .. "/a", DIR .. "/b", "/" } } do
      local box <close> = started { rootfs = overlay { lower = lower } }
      assert.equal("a " .. spec.contents("/etc/debian_version") .. " ", said(box, "cat /etc/who /etc/debian_version"))
    end
  end)

  it("has trees among its layers #detached", function()
    in_dir()
    local base <close> = luabox.rootfs.default()
    local box <close> = started { rootfs = overlay { lower = { DIR .. "/a", base, DIR .. "/b" } } }
    assert.equal("a b root:x:0:0:root:/root:/bin/sh ", said(box, "cat /etc/who /b; head -n 1 /etc/passwd"))
    said(box, "echo x >/etc/passwd")
    assert.matches("^root:", file.read("/etc/passwd", { root = base }))
  end)

  it("takes no tree that is closed #detached", function()
    local closed = luabox.rootfs.default()
    closed:close()
    sentences.check(overlay, "overlay", {
      { { lower = { closed } }, "option 'lower[1]': attempt to use a closed handle" },
    })
  end)

  it("belongs to the root of a user namespace #userns #detached #idmap", function()
    in_dir()
    local base <close> = luabox.rootfs.default()
    local box <close> = started { rootfs = overlay { lower = { DIR .. "/a", base } }, uid_map = SOME_IDS,
      gid_map = SOME_IDS }
    assert.equal("0 0 a mine ", said(box, "stat -c %u /a /bin/sh; cat /a; echo mine >/etc/who; cat /etc/who"))
    assert.equal("a", shell "cat /tmp/overlay/a/etc/who")
  end)

  it("says which layer is not there", function()
    in_dir()
    local function complaint(o)
      local box <close> = luabox.container { name = "box", rootfs = overlay(o) }
      return refused(box.start, box)
    end
    assert.matches("open_tree /tmp/overlay/none: No such file or directory (ENOENT)",
      complaint { lower = paths("base", "none") }, 1, true)
    assert.matches("open_tree /tmp/overlay/none: No such file or directory (ENOENT)",
      complaint { lower = paths("none", "base") }, 1, true)
    assert.matches("open_tree /tmp/overlay/a/a: Not a directory (ENOTDIR)",
      complaint { lower = paths("base", "a/a") }, 1, true)
    assert.matches("Too many levels of symbolic links (ELOOP); one layer is a directory below another: each must be " ..
      "apart from the others", complaint { lower = paths("base/etc", "base") }, 1, true)
    assert.matches("/tmp/overlay/none: No such file or directory (ENOENT)",
      complaint { lower = paths "base", upper = DIR .. "/none", work = DIR .. "/work" }, 1, true)
  end)
end)

describe("luabox.rootfs.overlay", function()
  it("touches nothing, and checks what it is given", function()
    local o = overlay { lower = { "/none", "/nowhere" }, upper = "/a", work = "/b" }
    assert.equal("luabox.overlay (2 lower layers)", tostring(o))
    sentences.check(overlay, "overlay", {
      { {}, "option 'lower' is missing" }, { { lower = {} }, "option 'lower': is empty" },
      { { lower = { "x" } }, "option 'lower[1]': 'x' is not an absolute path" },
      { { lower = { "/x", 1 } }, "option 'lower[2]': string or luabox.mount expected, got number" },
      { { lower = { "/x" }, upper = "/u" }, "option 'work': is missing: 'upper' and 'work' go together" },
      { { lower = { "/x" }, work = "/u" }, "option 'upper': is missing: 'upper' and 'work' go together" },
      { { lowr = { "/x" } }, "unknown option 'lowr'; did you mean 'lower'?" },
    })
    sentences.check(luabox.container, "container", {
      { { name = "box", rootfs = o, access = "rw" }, "option 'access': 'rw' is for a directory or a tree; an " ..
        "overlay's lower layers are never written to" },
      { { name = "box", rootfs = o, size = "1M" }, "option 'size': is of a layer in memory; this overlay has an " ..
        "'upper'" },
    })
  end)
end)
