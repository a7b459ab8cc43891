local badargs = require "badargs"
local mount = require "luabox.sys.mount"
local refusal = require "refusal"

local FLAGS = {
  "ro", "rw", "nosuid", "nodev", "noexec", "noatime", "nodiratime", "relatime", "strictatime", "nosymfollow", "sync",
  "dirsync", "lazytime", "silent", "remount", "bind", "rec",
}
local ATTRIBUTES = {
  "ro", "nosuid", "nodev", "noexec", "noatime", "nodiratime", "strictatime", "nosymfollow",
}
local BIND_FLAGS = { table.unpack(ATTRIBUTES) }
BIND_FLAGS[#BIND_FLAGS + 1] = "rec"

local function data_refusal(data)
  return refusal(mount.mount, { type = "tmpfs", target = "/", data = data })
end

describe("luabox.sys.mount", function()
  it("checks the options of mount", function()
    badargs.check(mount.mount, {
      source = { "string", min = 1, max = 4095 },
      target = { "string", min = 1, max = 4095, required = true },
      type = { "string", min = 1, max = 255 },
      flags = { "flags", names = FLAGS },
      data = { "any" },
    }, { type = "tmpfs", target = "/" })
    assert.equal("#1 (option 'type' is missing)", refusal(mount.mount, { target = "/" }))
  end)

  it("checks the options of bind", function()
    badargs.check(mount.bind, {
      source = { "string", min = 1, max = 4095, required = true },
      target = { "string", min = 1, max = 4095, required = true },
      flags = { "flags", names = BIND_FLAGS },
    }, { source = "/nowhere", target = "/nowhere" })
  end)

  it("checks the data", function()
    assert.equal("#1 (option 'data': string or table expected, got number)", data_refusal(1))
    assert.equal("#1 (option 'data': contains a zero byte)", data_refusal "a\0b")
    assert.equal("#1 (option 'data': the names of options are strings, got a number key)", data_refusal { "x" })
    assert.equal("#1 (option 'data': 'a' is a boolean; true, a string, a number or a list expected)",
      data_refusal { a = false })
    assert.equal("#1 (option 'data': 'a' contains a comma; give it to a mount.fsopen handle)",
      data_refusal { a = "b,c" })
    assert.equal("#1 (option 'data': the list 'lowerdir' holds a number; strings expected)",
      data_refusal { lowerdir = { 1 } })
    assert.equal("#1 (option 'data': is 5000 bytes long; at most 4095 are allowed)", data_refusal(("x"):rep(5000)))
  end)

  it("checks paths and words", function()
    assert.equal("#1 (the path is empty)", refusal(mount.umount, ""))
    assert.equal("#1 (the path contains a zero byte)", refusal(mount.chroot, "a\0"))
    assert.equal("#2 (the path is longer than 4095 bytes)", refusal(mount.move, "/", ("x"):rep(4096)))
    assert.equal("#1 (string expected, got no value)", refusal(mount.pivot_root))
    assert.equal("#2 (unknown value 'deatch'; did you mean 'detach'?)", refusal(mount.umount, "/", "deatch"))
    assert.equal("#2 ('expire' goes with neither 'detach' nor 'force')", refusal(mount.umount, "/", "expire,detach"))
    assert.equal("#2 (one of 'private', 'slave', 'shared', 'unbindable' expected)",
      refusal(mount.propagation, "/", "rec"))
    assert.equal("#2 (one of 'private', 'slave', 'shared', 'unbindable' expected)",
      refusal(mount.propagation, "/", "private,slave"))
    assert.equal("#2 ('rec' goes with 'clone')", refusal(mount.open_tree, "/", "rec"))
    assert.equal("#1 (handle, io file or descriptor number expected, got boolean)", refusal(mount.open_tree, true))
    assert.equal("#1 (pid out of range)", refusal(mount.list, -1))
  end)

  describe("list", function()
    local LINES = [[
36 35 98:0 /mnt1 /mnt\0402 rw,noatime shared:7 master:1 propagate_from:2 - ext3 /dev/a\011b rw,errors=continue
40 36 0:5 / /a\134b\012c rw - tmpfs  rw
41 36 0:6 / /x rw unbindable - proc proc rw
42 36 0:7 / /y ro master:3 - sysfs sysfs rw
]]

    local function list_of(text)
      local path = os.tmpname()
      finally(function() os.remove(path) end)
      local file <close> = assert(io.open(path, "w"))
      file:write(text)
      file:flush()
      return mount.list(path)
    end

    it("takes each line apart", function()
      local mounts = list_of(LINES)
      assert.equal(4, #mounts)
      assert.same({
        id = 36, parent = 35, device = "98:0", root = "/mnt1", target = "/mnt 2", flags = "rw,noatime",
        propagation = "shared,slave", shared = 7, master = 1, propagate_from = 2, type = "ext3",
        source = "/dev/a\tb", options = "rw,errors=continue",
      }, mounts[1])
      assert.equal("/a\\b\nc", mounts[2].target)
      assert.equal("", mounts[2].source)
      assert.equal("private", mounts[2].propagation)
      assert.equal("unbindable", mounts[3].propagation)
      assert.equal("slave", mounts[4].propagation)
    end)

    it("refuses what is no such table", function()
      local ok, e = pcall(list_of, "root:x:0:0:root:/root:/bin/sh\n")
      assert.is_false(ok)
      assert.equal("EINVAL", e.code)
    end)

    it("is the process's own", function()
      local root
      for _, m in ipairs(mount.list()) do
        if m.target == "/" then root = m end
      end
      assert.is_number(root.id)
      assert.is_true(#mount.list(1) > 0)
    end)
  end)
end)
