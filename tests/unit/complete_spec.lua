local complete = require "luabox.complete"

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

  it("has nothing for what is not there", function()
    assert.same({}, names "no_such_name_.field.")
    assert.same({}, names "(1).")
  end)
end)
