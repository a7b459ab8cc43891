--- Functions that take no table of options, called with what they do not take (found by tests/fuzz/api_fuzz.lua).
local address = require "luabox.address"
local errors = require "luabox.error"
local port_map = require "luabox.port_map"
local refusal = require "refusal"
local units = require "luabox.units"

describe("wrong arguments are argument errors", function()
  it("of addresses", function()
    local subnet = address.parse "10.0.0.0/24"
    assert.equal("#1 (luabox.address expected, got no value)", refusal(subnet.contains, subnet))
    assert.equal("#1 (luabox.address expected, got string)", refusal(subnet.overlaps, subnet, "10.0.0.0/8"))
    assert.equal("#1 (string expected, got table)", refusal(address.link_local, {}))
    assert.truthy(refusal(address.link_local, "lo"):find("#1 ('lo'", 1, true))
  end)

  it("of units", function()
    assert.equal("#1 (number of bytes or string such as '64M' expected, got table)", refusal(units.size, {}))
    assert.equal("#1 (number of seconds or string such as '1.5s' expected, got no value)", refusal(units.duration))
    assert.equal("#1 (number expected, got string)", refusal(units.format_size, "x"))
  end)

  it("of port maps", function()
    assert.equal("list expected, got number", select(2, port_map.parse(80)))
    assert.equal("#1 (option '[1].container' is missing)", refusal(port_map.parse, { { host = 80 } }))
    assert.truthy(select(2, port_map.parse { 70000 }):find("port 70000 is out of range", 1, true))
  end)

  it("of errors", function()
    assert.equal("#1 (function expected, got no value)", refusal(errors.try))
    assert.equal("#2 (function expected, got string)", refusal(errors.within, "start", "x"))
  end)
end)
