local badargs = require "badargs"
local file = require "luabox.sys.file"
local refusal = require "refusal"

local MODE = { "string", min = 1, max = 5 }

describe("luabox.sys.file", function()
  it("checks its options", function()
    local function second(f) return function(o) f("/nowhere", o) end end
    for _, name in ipairs { "stat", "lstat", "exists", "readlink", "realpath", "list", "unlink", "rmdir" } do
      badargs.check(second(file[name]), { root = { "any" } }, {}, { arg = 2 })
    end
    local max = { "integer", min = 1, max = 2147483647 }
    badargs.check(second(file.read), { root = { "any" }, max = max }, {}, { arg = 2 })
    badargs.check(second(file.mkdir), { root = { "any" }, mode = MODE, parents = { "boolean" } }, {}, { arg = 2 })
    badargs.check(function(o) file.write("/nowhere", "", o) end, {
      root = { "any" }, mode = MODE, append = { "boolean" }, exclusive = { "boolean" }, atomic = { "boolean" },
    }, {}, { arg = 3 })
    badargs.check(function(o) file.chown("/nowhere", 0, 0, o) end, { root = { "any" }, nofollow = { "boolean" } }, {},
      { arg = 4 })
    badargs.check(function(o) file.symlink("x", "/nowhere", o) end, { root = { "any" } }, {}, { arg = 3 })
    badargs.check(function(o) file.link("/nowhere", "/nowhere", o) end, { root = { "any" } }, {}, { arg = 3 })
    badargs.check(function(o) file.copy("/nowhere", "/nowhere", o) end, { root = { "any" }, mode = MODE }, {},
      { arg = 3 })
    badargs.check(function(o) file.chmod("/nowhere", "755", o) end, { root = { "any" } }, {}, { arg = 3 })
  end)

  it("checks paths, modes and ids", function()
    for _, name in ipairs {
      "stat", "lstat", "exists", "read", "readlink", "realpath", "list", "mkdir", "unlink", "rmdir",
    } do
      assert.equal("#1 (the path is empty)", refusal(file[name], ""), name)
      assert.equal("#1 (string expected, got no value)", refusal(file[name]), name)
      assert.equal("#1 (the path contains a zero byte)", refusal(file[name], "a\0b"), name)
      assert.equal("#1 (the path is longer than 4095 bytes)", refusal(file[name], ("x"):rep(4096)), name)
    end
    assert.equal("#2 (the path is empty)", refusal(file.symlink, "x", ""))
    assert.equal("#2 (the path is empty)", refusal(file.copy, "x", ""))
    assert.equal("#2 (string expected, got no value)", refusal(file.link, "/nowhere"))
    assert.equal("#2 (string expected, got no value)", refusal(file.write, "/nowhere"))
    assert.equal("#2 ('rwx' is no mode; octal digits such as \"755\" expected)", refusal(file.chmod, "/nowhere", "rwx"))
    assert.equal("#2 (option 'mode': '888' is no mode; octal digits such as \"755\" expected)",
      refusal(file.mkdir, "/nowhere", { mode = "888" }))
    assert.equal("#3 (option 'mode': '77777' is no mode; octal digits such as \"755\" expected)",
      refusal(file.write, "/nowhere", "", { mode = "77777" }))
    assert.equal("#3 (options 'append', 'exclusive' and 'atomic' exclude each other)",
      refusal(file.write, "/nowhere", "", { append = true, atomic = true }))
    assert.equal("#2 (id out of range)", refusal(file.chown, "/nowhere", -1))
    assert.equal("#3 (id out of range)", refusal(file.chown, "/nowhere", nil, 4294967295))
    assert.equal("#2 (number expected, got string)", refusal(file.chown, "/nowhere", "root"))
  end)

  it("checks the root", function()
    assert.equal("#2 (option 'root': path or handle of a directory expected, got boolean)",
      refusal(file.stat, "/", { root = true }))
    assert.equal("#2 (option 'root': contains a zero byte)", refusal(file.stat, "/", { root = "a\0" }))
    assert.equal("open /nowhere: No such file or directory (ENOENT)", refusal(file.stat, "/", { root = "/nowhere" }))
    assert.equal("open /etc/passwd: Not a directory (ENOTDIR)", refusal(file.stat, "/", { root = "/etc/passwd" }))
  end)

  it("tells what this process may do with a file", function()
    assert.is_true(file.access "/proc/self")
    assert.is_true(file.access("/dev/null", "read,write"))
    assert.same({ false, "EACCES" }, { file.access("/dev/null", "execute") })
    assert.same({ false, "ENOENT" }, { file.access "/nosuch" })
    assert.equal("#2 (unknown value 'wride'; did you mean 'write'?)", refusal(file.access, "/", "wride"))
  end)
end)
