local dkjson = require "dkjson"
local json = require "luabox.json"

describe("luabox.json", function()
  it("writes what a reader of JSON reads back", function()
    for _, value in ipairs {
      { 1, 2, 3 }, { a = 1, b = { c = "x\"\\\n\t\1" } }, { { a = {} }, { b = 1.5 } }, { 2 ^ 53 | 0, -1, true, "é" },
    } do
      assert.same(value, dkjson.decode(json.encode(value)))
    end
  end)

  it("writes what JSON has no word for", function()
    assert.equal("null", json.encode(nil))
    assert.equal("null", json.encode(0 / 0))
    assert.equal("null", json.encode(math.huge))
    assert.equal("[]", json.encode {})
    assert.equal('"\xc3\xbf"', json.encode "\xff")
  end)

  it("writes the same text for the same value", function()
    assert.equal('{\n  "a": [1, 2],\n  "b": "x"\n}', json.encode { b = "x", a = { 1, 2 } })
  end)
end)
