-- tools/from_shell.lua, on recipes of its own.
local program = require "program"
local spec = require "spec"

local TOOL = spec.output "pwd" .. "/tools/from_shell.lua"
local ROW = "| [one.lua](../../recipes/one.lua) | what one sees |\n"

-- The page, or what the tool says, for an index and one recipe.
local function page_of(index, recipe)
  local directory, remove = program.directory()
  finally(remove)
  spec.shell(("mkdir -p %s/docs/guide %s/recipes"):format(directory, directory))
  spec.write(directory .. "/docs/guide/README.md", index)
  spec.write(directory .. "/recipes/one.lua", recipe)
  local out, err, status = program.shell(("cd %s && lua5.4 %s page && cat page"):format(directory, TOOL))
  return status == 0 and out or err
end

-- The pairs of shell and Lua of a page.
local function blocks_of(page)
  local list = {}
  for shell, lua in page:gmatch "```sh\n(.-)\n```\n\n</td><td>\n\n```lua\n(.-)\n```" do
    list[#list + 1] = { shell, lua }
  end
  return list
end

describe("the page from shell to luabox", function()
  it("has what follows a shell line, up to an empty line, the next one, or the end of its block", function()
    local page = page_of("\n" .. ROW, [[
local function f()
  -- $ one
  -- $ two
  a()
  -- of b
  b {
    c,
  }
end
-- $ three
d()
-- $ four
e()
-- of the next

-- no shell
g()
]])
    assert.matches("## [one.lua](../../recipes/one.lua)\n\nWhat one sees.\n", page, 1, true)
    assert.same({ { "one\ntwo", "a()\n-- of b\nb {\n  c,\n}" }, { "three", "d()" }, { "four", "e()" } },
      blocks_of(page))
  end)

  it("leaves out recipes without shell lines", function()
    assert.is_nil(page_of("\n" .. ROW, "print 'x'\n"):find("one.lua", 1, true))
  end)

  it("wants a row for each recipe", function()
    local failure = page_of("none\n", "print 'x'\n")
    assert.matches("docs/guide/README.md has no row for one.lua; add `| [one.lua](", failure, 1, true)
  end)

  it("wants lines for each shell line", function()
    assert.matches("recipes/one.lua:1: nothing follows this shell line", page_of("\n" .. ROW, "-- $ ls\n\nprint 'x'\n"),
      1, true)
  end)
end)
