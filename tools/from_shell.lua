-- Writes docs/guide/from-shell.md: shell lines of the tutorials, and the Lua lines that stand in their place in the
-- recipes, which the tests run. Usage: from_shell.lua PAGE
--
-- In a recipe a block begins with comment lines "-- $ LINE". Its Lua is what follows, up to an empty line, the next
-- such comment, or a line that is indented less. The tables of docs/guide/README.md have the recipes' order and what
-- one sees.
local INDEX, RECIPES = "docs/guide/README.md", "recipes/"

local HEAD = [[
# From shell to luabox

What the tutorials on namespaces and home-made containers paste into a root shell, and what a recipe has in its place.
Made from the [recipes](README.md#recipes), which the tests run, by `make from-shell`; do not edit it.

`ns` is `luabox.ns`; `net`, `process`, `mount`, `file` and so on are the modules of these names in `luabox.sys`.
Numbers of processes are PID in the shell's lines.
]]

local function read(path)
  local file <close> = assert(io.open(path))
  return file:read "a"
end

-- The lines without the indentation that all have.
local function dedent(lines)
  local least = math.huge
  for _, line in ipairs(lines) do least = math.min(least, #line:match "^ *") end
  for i, line in ipairs(lines) do lines[i] = line:sub(least + 1) end
  return lines
end

-- Comments at the end belong to what comes after.
local function trim(lines)
  while #lines > 0 and lines[#lines]:find "^%s*%-%-" do lines[#lines] = nil end
  return lines
end

-- The blocks of a recipe, each with its `shell` lines and its `lua` lines.
local function blocks_of(text, path)
  local blocks, block, number = {}, nil, 0
  local function finish()
    if not block then return end
    if #trim(block.lua) == 0 then error(("%s:%d: nothing follows this shell line"):format(path, block.line), 0) end
    dedent(block.lua)
    blocks[#blocks + 1], block = block, nil
  end
  for line in text:gmatch "([^\n]*)\n" do
    number = number + 1
    local indent, shell = line:match "^( *)%-%- %$ (.*)$"
    if shell then
      if block and #block.lua > 0 then finish() end
      block = block or { line = number, indent = #indent, shell = {}, lua = {} }
      block.shell[#block.shell + 1] = shell
    elseif block and (line == "" or #line:match "^ *" < block.indent) then
      finish()
    elseif block then
      block.lua[#block.lua + 1] = line
    end
  end
  finish()
  return blocks
end

local function sentence(words)
  return words:gsub("^%l", string.upper) .. "."
end

-- The recipes of the index, in its order.
local function recipes_of(index)
  local list, known = {}, {}
  for name, what in index:gmatch "\n| %[[^]]+%]%(%.%./%.%./recipes/([%w_]+%.lua)%) | ([^\n]-) |%f[\n]" do
    list[#list + 1] = { name = name, what = what }
    known[name] = true
  end
  return list, known
end

-- A recipe without a row would be missing from the page, too.
local function check_known(known)
  local listing <close> = assert(io.popen("ls " .. RECIPES))
  for name in listing:lines() do
    if not known[name] then
      local row = ("| [%s](../../%s%s) | what one sees |"):format(name, RECIPES, name)
      error(("%s has no row for %s; add `%s`"):format(INDEX, name, row), 0)
    end
  end
end

local function cell(language, lines)
  return ("<td>\n\n```%s\n%s\n```\n\n</td>"):format(language, table.concat(lines, "\n"))
end

local function section(recipe)
  local path = RECIPES .. recipe.name
  local blocks = blocks_of(read(path), path)
  if #blocks == 0 then return "" end
  local out = { ("\n## [%s](../../%s)\n\n%s\n\n<table>"):format(recipe.name, path, sentence(recipe.what)) }
  for _, block in ipairs(blocks) do
    out[#out + 1] = ("<tr>%s%s</tr>"):format(cell("sh", block.shell), cell("lua", block.lua))
  end
  out[#out + 1] = "</table>\n"
  return table.concat(out, "\n")
end

local function page()
  local recipes, known = recipes_of(read(INDEX))
  check_known(known)
  local out = { HEAD }
  for _, recipe in ipairs(recipes) do out[#out + 1] = section(recipe) end
  return table.concat(out)
end

local text = page()
local file <close> = assert(io.open(assert(arg[1], "which page?"), "w"))
assert(file:write(text))
