local complete = require "luabox.complete"
local snippet = require "snippet"

local function names(line) return select(2, complete(line)) end

describe("complete", function()
  it("inserts what all candidates share", function()
    assert.equal("at", (complete "string.form"))
    assert.equal("", (complete "string.re"))
    assert.equal("\t", (complete "  "))
    assert.equal("", (complete "no_such_name_"))
  end)

  it("knows globals and keywords", function()
    assert.same({ "collectgarbage", "coroutine" }, names "x = co")
    assert.same({ "while" }, names "whi")
  end)

  it("knows fields, methods and what __index leads to", function()
    assert.same({ "rep", "reverse" }, names "print(string.re")
    local parent = setmetatable({ inherited = 1 }, { __index = { far = 1 } })
    _G.complete_spec_object = setmetatable({ own = 1 }, { __index = parent })
    finally(function() _G.complete_spec_object = nil end)
    assert.same({ "far", "inherited", "own" }, names "complete_spec_object.")
    assert.same({ "own" }, names "complete_spec_object.o")
  end)

  it("knows only what can be called after a colon", function()
    _G.complete_spec_object = setmetatable({ name = "x" }, { __index = { start = print, state = 1 } })
    finally(function() _G.complete_spec_object = nil end)
    assert.same({ "start" }, names "complete_spec_object:")
    assert.same({}, names "luabox:con")
  end)

  -- lua5.4 knows only the modules that are loaded.
  local it_embedded = os.getenv "LUABOX_UNDER" == "luabox" and it or function() end

  it_embedded("knows the modules that are for everybody, and no others", function()
    local expected = { "sys", "try" }
    for _, path in ipairs(snippet.list "lua/luabox/*.lua") do
      local name = path:match "([%w_]+)%.lua$"
      local is_internal = snippet.read(path):find("\n-- Internal: ", 1, true)
      if name ~= "init" and not is_internal then expected[#expected + 1] = name end
    end
    table.sort(expected)
    local _ = require("luabox").limits -- a field now
    assert.same(expected, names "luabox.")
    assert.same({ "capability", "cgroup" }, names "luabox.sys.c")
  end)

  it("has nothing for what is not there", function()
    assert.same({}, names "no_such_name_.field.")
    assert.same({}, names "(1).")
  end)
end)
