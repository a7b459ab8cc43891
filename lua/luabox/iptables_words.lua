--- The words of a command line, as a shell splits it: quotes and backslashes, and nothing else that a shell does.
-- Internal: a part of `luabox.nat`, for nobody else.
-- @module luabox.iptables_words

local M = {}

-- What a shell would do something about, and so is refused where no quotes are around it.
local MEANINGS = {
  ["$"] = "a variable or command", ["`"] = "a command", [";"] = "a second command", ["|"] = "a pipe",
  ["&"] = "a second command", ["<"] = "a redirection", [">"] = "a redirection", ["("] = "a subshell",
  [")"] = "a subshell", ["*"] = "a pattern", ["?"] = "a pattern", ["\n"] = "a second line",
}

local function refusal(character)
  local meaning = MEANINGS[character]
  return meaning and ("'%s' stands for %s in a shell, and here is none; quote it or write what it stands for")
    :format(character == "\n" and "\\n" or character, meaning)
end

-- Reads what stands in double quotes from `at` on: the text and the place after it, or nil and a problem.
local function double_quoted(line, at)
  local parts = {}
  while true do
    local plain, stop, next_at = line:match('^([^"\\$`]*)(["\\$`])()', at)
    if not plain then return nil, "a double quote is not closed" end
    parts[#parts + 1] = plain
    if stop == '"' then return table.concat(parts), next_at end
    if stop ~= "\\" then return nil, refusal(stop) end
    local escaped = line:sub(next_at, next_at)
    -- a backslash keeps itself before all but these; of a shell before "'" too, but iptables -S writes one there
    parts[#parts + 1] = escaped == "\n" and "" or escaped:find "[\"\\$`']" and escaped or "\\" .. escaped
    at = next_at + 1
  end
end

-- One piece of a word at `at`: its text and the place after it; nil and a problem.
local function piece(line, at)
  local first = line:sub(at, at)
  if first == "'" then
    local text, after = line:match("^([^']*)'()", at + 1)
    if not text then return nil, "a single quote is not closed" end
    return text, after
  end
  if first == '"' then return double_quoted(line, at + 1) end
  if first == "\\" then
    if at == #line then return nil, "a backslash ends the line" end
    local escaped = line:sub(at + 1, at + 1)
    return escaped == "\n" and "" or escaped, at + 2
  end
  if MEANINGS[first] then return nil, refusal(first) end
  return first, at + 1
end

-- The word at `at`, which is no blank.
local function word(line, at)
  local parts = {}
  while at <= #line and not line:find("^[ \t]", at) do
    local text, after = piece(line, at)
    if not text then return nil, after end
    parts[#parts + 1] = text
    at = after
  end
  return table.concat(parts), at
end

--- Splits a line. A comment at its end, from a word that begins with `#` on, is left out.
-- @tparam string line
-- @treturn ?{string,...} nil if it is no plain line
-- @treturn[2] string what is wrong
-- @usage
-- local words = luabox.iptables_words.split [[-j LOG --log-prefix "a b" # why]]
-- assert(#words == 4 and words[4] == "a b")
function M.split(line)
  if line:find("\0", 1, true) then return nil, "the line contains a zero byte" end
  local words = {}
  line = line:gsub("^%s+", ""):gsub("%s+$", ""):gsub("\\\r?\n", " ")
  local at = 1
  while at <= #line do
    at = line:match("^[ \t]*()", at)
    if at > #line or line:sub(at, at) == "#" then break end
    local text, after = word(line, at)
    if not text then return nil, after end
    words[#words + 1] = text
    at = after
  end
  return words
end

--- A text as a line shows it: in quotes where it needs them, as iptables -S has it.
-- @tparam string text
-- @treturn string
-- @usage assert(luabox.iptables_words.quote "a b" == '"a b"')
function M.quote(text)
  if text:find "^[%w_-]+$" then return text end
  return '"' .. text:gsub("[\"\\']", "\\%0") .. '"'
end

--- A name as a line shows it: in quotes only where a shell would take it for something else.
-- @tparam string text
-- @treturn string
-- @usage assert(luabox.iptables_words.name "eth0.1+" == "eth0.1+")
function M.name(text)
  if text:find "^[%w_.+:@-]+$" then return text end
  return M.quote(text)
end

return M
