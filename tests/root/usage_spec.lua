-- Every @usage snippet of the doc comments runs as it stands, as root, in namespaces of its own.

local snippet = require "snippet"

-- The doc comments of a C file: text and first line's number.
local function c_blocks(text)
  local blocks, position = {}, 1
  while true do
    local first, last, block = text:find("/%*%*%*\n(.-)%*/", position)
    if not first then return blocks end
    blocks[#blocks + 1] = { text = block, line = select(2, text:sub(1, first):gsub("\n", "")) + 2 }
    position = last
  end
end

-- Those of a Lua file: runs of comment lines of which the first begins with three dashes.
local function lua_blocks(text)
  local blocks, block, number = {}, nil, 0
  for line in text:gmatch("([^\n]*)\n") do
    number = number + 1
    local comment = line:match("^%-%-%-? ?(.*)$")
    if line:match("^%-%-%-") then
      block = { text = "", line = number }
      blocks[#blocks + 1] = block
    elseif not comment then
      block = nil
    end
    if block then block.text = block.text .. comment .. "\n" end
  end
  return blocks
end

-- The snippets of a doc comment: from @usage to the next tag.
local function snippets(block)
  local found, usage, number = {}, nil, block.line - 1
  for line in block.text:gmatch("([^\n]*)\n") do
    number = number + 1
    local first = line:match("^@usage%s?(.*)$")
    if first then
      usage = { code = first, line = number }
      found[#found + 1] = usage
    elseif line:match("^@") then
      usage = nil
    elseif usage then
      usage.code = usage.code .. "\n" .. line
    end
  end
  return found
end

describe("the snippets of the doc comments #root", function()
  for _, path in ipairs(snippet.list("src/binding/*.c lua/luabox/*.lua")) do
    local blocks = (path:match("%.c$") and c_blocks or lua_blocks)(snippet.read(path))
    for _, block in ipairs(blocks) do
      for _, usage in ipairs(snippets(block)) do
        it(("%s:%d%s"):format(path, usage.line, snippet.tag(usage.code)), function()
          local output, ok = snippet.run(usage.code)
          assert.is_true(ok, usage.code .. "\n" .. output)
        end)
      end
    end
  end
end)
