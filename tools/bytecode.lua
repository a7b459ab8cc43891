-- Bytecode of Lua 5.4 without the names of local variables and upvalues, and with everything else: sources and line
-- numbers, which tracebacks show. Half of the strings that loading has to make are such names.
-- The format is that of ldump.c.
local M = {}

local HEADER_SIZE = 4 + 1 + 1 + 6 + 3 + 8 + 8 -- signature, version, format, data, sizes, an integer, a number
local INSTRUCTION, INTEGER, NUMBER = 4, 8, 8
local UPVALUE = 3 -- instack, idx, kind
local CONSTANT_SIZES = { [0x00] = 0, [0x01] = 0, [0x11] = 0, [0x03] = INTEGER, [0x13] = NUMBER }
local SHORT_STRING, LONG_STRING = 0x04, 0x14

-- A reader copies what it reads to its output unless told not to.
local reader_methods = {}
local reader_mt = { __index = reader_methods }

function reader_methods:take(size)
  local from = self.at
  self.at = from + size
  assert(self.at <= #self.bytes + 1, "bytecode ends too early")
  local taken = self.bytes:sub(from, self.at - 1)
  if not self.muted then self.out[#self.out + 1] = taken end
  return taken
end

-- Seven bits a byte, the last one marked.
function reader_methods:size()
  local value = 0
  repeat
    local byte = self:take(1):byte()
    value = value << 7 | byte & 0x7f
  until byte & 0x80 ~= 0
  return value
end

-- Its length plus one; zero is no string.
function reader_methods:string()
  local size = self:size()
  if size > 0 then self:take(size - 1) end
end

function reader_methods:constant()
  local kind = self:take(1):byte()
  if kind == SHORT_STRING or kind == LONG_STRING then return self:string() end
  self:take(assert(CONSTANT_SIZES[kind], "unknown constant in bytecode"))
end

function reader_methods:each(read)
  for _ = 1, self:size() do read(self) end
end

-- Reads a list and writes an empty one.
function reader_methods:drop(read)
  self.muted = true
  self:each(read)
  self.muted = false
  self.out[#self.out + 1] = "\x80"
end

function reader_methods:local_variable()
  self:string()
  self:size()
  self:size()
end

function reader_methods:absolute_line()
  self:size()
  self:size()
end

function reader_methods:func()
  self:string() -- source
  self:size() -- first line
  self:size() -- last line
  self:take(3) -- parameters, vararg, stack
  self:take(self:size() * INSTRUCTION)
  self:each(self.constant)
  self:take(self:size() * UPVALUE)
  self:each(self.func)
  self:take(self:size()) -- lines
  self:each(self.absolute_line)
  self:drop(self.local_variable)
  self:drop(self.string) -- names of upvalues
end

--- Removes the names.
-- @tparam string bytes as string.dump gives them
-- @treturn string
function M.without_names(bytes)
  assert(bytes:sub(1, 5) == "\27Lua\x54", "not bytecode of Lua 5.4")
  local r = setmetatable({ bytes = bytes, at = 1, out = {} }, reader_mt)
  r:take(HEADER_SIZE)
  r:take(1) -- upvalues of the main function
  r:func()
  assert(r.at == #bytes + 1, "bytecode goes on after its end")
  return table.concat(r.out)
end

return M
