local show = require "luabox.show"

describe("show.value", function()
  it("writes values as one would", function()
    assert.equal("nil", show.value(nil))
    assert.equal("1.0", show.value(1.0))
    assert.equal([["a\n\"b\" \\ \000"]], show.value('a\n"b" \\ \0'))
    assert.equal("{}", show.value {})
    assert.equal("{ 1, 2 }", show.value { 1, 2 })
  end)

  it("sorts keys: numbers, names, the rest", function()
    assert.equal('{ "x", [0] = 0, [2.5] = 1, B = 1, a = 2, ["a b"] = 3, ["end"] = 4, [true] = 5 }',
      show.value { "x", [0] = 0, [2.5] = 1, B = 1, a = 2, ["a b"] = 3, ["end"] = 4, [true] = 5 })
  end)

  it("breaks lines that are too long", function()
    local long = ("x"):rep(60)
    assert.equal(('{\n  a = "%s",\n  b = { "%s" }\n}'):format(long, long), show.value { a = long, b = { long } })
  end)

  it("is safe with tables that hold themselves, are deep, or long", function()
    local t = { name = "t" }
    t.self = t
    assert.equal('{ name = "t", self = <cycle> }', show.value(t))
    assert.equal("{ { { { { { {...} } } } } } }", show.value { { { { { { { 1 } } } } } } })
    local many = {}
    for i = 1, 130 do many[i] = i end
    assert.matches("100,\n  %.%.%. 30 more\n}$", show.value(many))
  end)

  it("leaves objects the say", function()
    assert.equal("{ told }", show.value { setmetatable({}, { __tostring = function() return "told" end }) })
    local proxy = setmetatable({ 1 }, { __index = error, __pairs = error, __len = error, __metatable = false })
    assert.equal("{ 1 }", show.value(proxy))
  end)
end)
