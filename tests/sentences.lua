--- Calls that must be refused: each with one sentence that names the line of who called, and without an effect.
local M = {}

local function own_position(level)
  local info = debug.getinfo(level + 1, "Sl")
  return ("%s:%d: "):format(info.short_src, info.currentline)
end

--- The sentence with which a call is refused, as in "#1 to 'container' (option 'name' is missing)".
-- The message must begin with the line of this file that makes the call.
function M.refusal(f, ...)
  local arguments = table.pack(...)
  local position
  local ok, message = pcall(function()
    position = own_position(1); f(table.unpack(arguments, 1, arguments.n))
  end)
  assert(not ok, "it was taken")
  assert(type(message) == "string", "it is no argument error: " .. tostring(message))
  assert(message:sub(1, #position) == position, "another line is named: " .. message)
  return (message:sub(#position + 1):gsub("^bad argument ", ""))
end

--- Asserts the sentences of a list of { arguments, "sentence" }, each for the one argument.
function M.check(f, where, cases)
  local deviations = {}
  for _, case in ipairs(cases) do
    local expected = ("#1 to '%s' (%s)"):format(where, case[2])
    local _, got = pcall(M.refusal, f, case[1])
    if got ~= expected then deviations[#deviations + 1] = ("expected  %s\ngot       %s"):format(expected, got) end
  end
  assert(#deviations == 0, table.concat(deviations, "\n"))
end

return M
