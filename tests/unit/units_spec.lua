local units = require "luabox.units"

describe("luabox.units", function()
  it("reads sizes", function()
    for text, bytes in pairs {
      ["0"] = 0, ["64"] = 64, ["64B"] = 64, ["512K"] = 524288, ["64M"] = 67108864, ["64MB"] = 67108864,
      ["64MiB"] = 67108864, ["1.5G"] = 1610612736, ["2T"] = 2199023255552, ["1.3K"] = 1331,
    } do
      assert.equal(bytes, units.size(text), text)
      assert.equal("integer", math.type(units.size(text)))
    end
    assert.equal(4096, units.size(4096.0))
  end)

  it("refuses what is no size", function()
    for _, value in ipairs {
      "", "M", "64Q", "64m", "-1", "1e3", "64 M", " 64M", "64M ", "0x10", "99999999T", -1, 1.5,
    } do
      local bytes, problem = units.size(value)
      assert.is_nil(bytes)
      assert.equal(("'%s' is not a size, such as '512K', '64M' or '1G'"):format(value), problem)
    end
  end)

  it("reads durations", function()
    for text, seconds in pairs {
      ["3"] = 3, ["1.5s"] = 1.5, ["200ms"] = 0.2, ["5m"] = 300, ["2h"] = 7200, ["1d"] = 86400,
    } do
      assert.equal(seconds, units.duration(text), text)
    end
    assert.equal(0.25, units.duration(0.25))
  end)

  it("refuses what is no duration", function()
    for _, value in ipairs { "", "s", "3x", "-1s", "1e3", "3 s", -1, -0.5 } do
      local seconds, problem = units.duration(value)
      assert.is_nil(seconds)
      assert.equal(("'%s' is not a duration, such as 3, '1.5s' or '200ms'"):format(value), problem)
    end
    assert.is_nil(units.duration(0 / 0))
    assert.is_nil(units.duration(-(0 / 0)))
  end)
end)
