--- A program whose library is not in its root: the kernel starts it, and its loader ends it with a line of its own.
-- Internal: a part of `luabox.container`, for nobody else.
-- @module luabox.missing_library

local CODE = 127

-- How the loaders of glibc and of musl say it. glibc names the program, musl who needs the library.
local SAYINGS = {
  { "([^\n]*): error while loading shared libraries: ([^\n:]+): cannot open shared object file", program = 1 },
  { "Error loading shared library ([^\n:]+): [^\n]*%(needed by ([^\n)]+)%)", program = 2 },
}

local function find(text)
  for _, saying in ipairs(SAYINGS) do
    local first, second = text:match(saying[1])
    if first and saying.program == 1 then return first, second end
    if first then return second, first end
  end
end

local M = {}

--- Adds to a result which library was missing, if one was, and what to do.
-- @tparam table result of a program: `code` and `stderr`; gets `reason` and `hint`
function M.explain(result)
  if result.code ~= CODE then return end
  local program, library = find(result.stderr)
  if not program then return end
  result.reason = ("the library '%s', which '%s' needs, is missing in this root"):format(library, program)
  result.hint = ("luabox.rootfs.from_programs makes a root with all that '%s' needs, and luabox.elf.dependencies " ..
    "lists it; or take a program that is linked statically"):format(program)
end

return M
