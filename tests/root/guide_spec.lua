-- Every ```lua block of the guide runs as it stands, as root, in namespaces of its own. A block that shows an error is
-- marked by the line below before it.
local snippet = require "snippet"

local NOT_RUN = "<!-- shown, not run -->"

-- The blocks of a Markdown file: code and first line's number.
local function blocks_of(text)
  local blocks, block, number, marked = {}, nil, 0, false
  for line in text:gmatch("([^\n]*)\n") do
    number = number + 1
    if block and line == "```" then
      block = nil
    elseif block then
      block.code = block.code .. line .. "\n"
    elseif line == "```lua" then
      block = { code = "", line = number + 1, runs = not marked }
      blocks[#blocks + 1] = block
    end
    marked = line == NOT_RUN
  end
  return blocks
end

local function lines_of(code)
  return select(2, code:gsub("\n", ""))
end

-- The code of from-shell.md is parts of recipes.
local pages = snippet.list("docs/guide/*.md | grep -v from-shell.md")

describe("the code of the guide #root", function()
  for _, path in ipairs { "README.md", "docs/errors.md", table.unpack(pages) } do
    for _, block in ipairs(blocks_of(snippet.read(path))) do
      if block.runs then
        it(("%s:%d runs%s"):format(path, block.line, snippet.tag(block.code)), function()
          local output, ok = snippet.run(block.code)
          assert.is_true(ok, block.code .. "\n" .. output)
        end)
      end
    end
  end
end)

describe("the guide", function()
  local index = snippet.read("docs/guide/README.md")
  for _, path in ipairs(pages) do
    local name = path:match("[^/]+$")
    if name ~= "README.md" then
      it(name .. " is in the index and begins with a script of 10 to 20 lines", function()
        assert.truthy(index:find(("](%s)"):format(name), 1, true))
        local text = snippet.read(path)
        assert.truthy(text:find("^# [^\n]+\n\n```lua\n"))
        local length = lines_of(blocks_of(text)[1].code)
        assert.is_true(length >= 10 and length <= 20, length .. " lines")
      end)
    end
  end

  it("has no other code than Lua's that is not run, but for what is printed", function()
    for _, path in ipairs(pages) do
      for language in snippet.read(path):gmatch("\n```(%a+)\n") do assert.equal("lua", language, path) end
    end
  end)
end)

describe("README.md", function()
  it("shows recipes/lan.lua as it is", function()
    assert.equal(snippet.read("recipes/lan.lua"), blocks_of(snippet.read("README.md"))[1].code)
  end)
end)
