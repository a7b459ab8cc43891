--- Changed and cut ELF files for luabox.elf: each is read, or refused with an error that is luabox's, and soon. A
-- failure names the seed and leaves the file.
--
-- Usage: luabox tests/fuzz/elf_fuzz.lua [--seconds N] [--seed S]
package.path = "tests/fuzz/?.lua;" .. package.path

local luabox = require "luabox"

local STEPS = 10000000 -- of Lua's machine, for one file
local PATH = os.tmpname()

local function contents(path)
  local file <close> = assert(io.open(path))
  return file:read "a"
end

local originals = { contents "/bin/true", contents "/bin/busybox":sub(1, 65536) }

-- Where the headers and the dynamic section are, mostly.
local function position(data)
  if math.random(4) > 1 then return math.random(math.min(#data, 1024)) end
  return math.random(#data)
end

local NUMBERS = { "\0", "\1", "\x7f", "\x80", "\xff", ("\xff"):rep(8), ("\0"):rep(8), "\0\0\0\0\0\0\0\x80", "\1\0\0\0" }

local function changed(data)
  for _ = 1, math.random(8) do
    local at, new = position(data), NUMBERS[math.random(#NUMBERS)]
    data = data:sub(1, at - 1) .. new .. data:sub(at + #new)
  end
  return math.random(8) == 1 and data:sub(1, math.random(#data)) or data
end

require("trials").run("files", function()
  do
    local file <close> = assert(io.open(PATH, "w"))
    file:write(changed(originals[math.random(#originals)]))
  end
  debug.sethook(function() error("it does not end", 0) end, "", STEPS)
  local ok, problem = pcall(luabox.elf.read, PATH)
  debug.sethook()
  if not ok and not luabox.error.is(problem) then return ("file %s:\n%s"):format(PATH, problem) end
end)
os.remove(PATH)
