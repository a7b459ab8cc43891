-- A root of Debian's packages, as mmdebstrap makes it: unpacked, it is whole, and its programs run.
local luabox = require "luabox"
local spec = require "spec"

local ARCHIVE = os.getenv "LUABOX_BUILD" .. "/debian.tar.zst"

describe("a root of Debian's packages #root #debian #detached", function()
  local function inside(box, ...)
    return (box:check({ ... }).stdout:gsub("%s+$", ""))
  end

  it("is whole, and apt-get and python3 run in it", function()
    local tree <close>, report = luabox.rootfs.from_tar(ARCHIVE)
    assert.equal(tonumber(spec.output(("tar -t -f %s | wc -l"):format(ARCHIVE))), report.entries)
    assert.same({}, report.skipped)
    local box <close> = luabox.container { name = "debian", rootfs = tree }
    box:start()
    assert.matches("^apt %d", inside(box, "apt-get", "--version"))
    assert.equal("42", inside(box, "python3", "-c", "print(6 * 7)"))
    assert.equal("4755 0 0", inside(box, "stat", "-c", "%a %u %g", "/usr/bin/passwd"))
    assert.equal("2755 root shadow", inside(box, "stat", "-c", "%a %U %G", "/usr/bin/chage"))
    -- Its own sums of its own files; what was never unpacked is documentation.
    local problems = box:run({ "dpkg", "--verify" }).stdout:gsub("missing[^\n]* /usr/share/[^\n]*\n", "")
    assert.equal("", problems)
  end)
end)
