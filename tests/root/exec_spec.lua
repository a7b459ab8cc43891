--- Why a program could not be run: one sentence for each way that execve(2) fails.
local process = require "luabox.sys.process"
local spec = require "spec"

local DIRECTORY = "/tmp/exec"

local function write(name, text, mode)
  local path = DIRECTORY .. "/" .. name
  spec.write(path, text)
  spec.shell(("chmod %s %s"):format(mode or "755", path))
  return path
end

-- The first bytes of a program for a machine: ELF of 64 bits, little end first.
local function elf(machine)
  return "\127ELF\2\1\1" .. ("\0"):rep(9) .. ("<I2I2I4"):pack(2, machine, 1) .. ("\0"):rep(100)
end

local function hint(program, o)
  o = o or {}
  o.program = type(program) == "table" and program or { program }
  local ok, e = pcall(process.spawn, o)
  assert.is_false(ok)
  return e.code .. ": " .. e.hint
end

describe("a program that cannot be run #root", function()
  before_each(function() spec.shell("mkdir -m 755 " .. DIRECTORY) end)
  after_each(function() spec.shell("rm -rf " .. DIRECTORY) end)

  it("is for another machine", function()
    for machine, name in pairs { [183] = "AArch64", [243] = "RISC-V", [40] = "32-bit ARM" } do
      assert.equal(("ENOEXEC: it is a program for %s, or damaged"):format(name), hint(write("a", elf(machine))))
    end
    assert.equal("ENOEXEC: it is a program for another architecture (ELF machine 8), or damaged",
      hint(write("a", elf(8))))
    assert.equal("ENOEXEC: it is neither a program nor a script with a '#!' line", hint(write("a", "echo")))
  end)

  it("is on a mount that forbids it", function()
    spec.shell("mount -t tmpfs -o noexec,mode=755 x " .. DIRECTORY)
    local told = hint(write("a", "#!/bin/sh\n"))
    spec.shell("umount " .. DIRECTORY)
    assert.equal("EACCES: it is on a mount with 'noexec'", told)
  end)

  it("is no regular file", function()
    assert.equal("EACCES: it is not a regular file", hint "/dev/null")
  end)

  it("is not for this user", function()
    local path = write("a", "#!/bin/sh\n", "700")
    assert.equal("EACCES: its mode is 0700 and its owner 0:0, this is user 1; or its interpreter is not executable",
      hint(path, { uid = 1 }))
    spec.shell("chmod 700 " .. DIRECTORY)
    assert.equal("EACCES: a directory on the way may not be searched by this user", hint(path, { uid = 1 }))
  end)

  it("is open for writing", function()
    local path = write("a", "#!/bin/sh\n")
    local file <close> = io.open(path, "r+")
    assert.truthy(file)
    assert.equal("ETXTBSY: the file is open for writing", hint(path))
  end)

  it("gets too much to read", function()
    assert.equal("E2BIG: arguments and environment together are too long", hint { "/bin/true", ("x"):rep(1 << 18) })
  end)
end)
