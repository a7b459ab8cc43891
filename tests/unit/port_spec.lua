local badargs = require "badargs"
local port = require "luabox.sys.port"

local PORT = { "integer", required = true, min = 1, max = 65535 }
local PROTOCOL = { "enum", names = { "tcp", "udp" } }

describe("luabox.sys.port", function()
  it("checks the options of a claim", function()
    badargs.check(port.claim, {
      port = PORT, count = { "integer", min = 1, max = 65535 }, address = { "string" }, protocol = PROTOCOL,
    }, { port = 80 })
  end)

  it("checks the options of holder", function()
    badargs.check(port.holder, { port = PORT, address = { "string" }, protocol = PROTOCOL }, { port = 80 })
  end)

  it("wants an address and ports that there are", function()
    assert.has_error(function() port.claim { port = 80, address = "10.0.0.300" } end,
      "bad argument #1 to 'claim' (option 'address': '10.0.0.300' is not an address)")
    assert.has_error(function() port.claim { port = 65000, count = 537 } end,
      "bad argument #1 to 'claim' (option 'count': 537 ports from 65000 on go beyond 65535)")
  end)
end)
