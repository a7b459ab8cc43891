-- The arguments of luabox.sys.probe; tests/root/probe_spec.lua has what it does.
local badargs = require "badargs"
local probe = require "luabox.sys.probe"
local refused = require("spec").refused

describe("luabox.sys.probe", function()
  it("is refused what no socket can have", function()
    badargs.check(probe.open, {
      kind = { "enum", names = { "icmp", "tcp", "udp" }, required = true }, address = { "any", required = true },
      port = { "int", min = 1, max = 65535 }, netns = { "fd" }, source = { "any" }, interface = { "any" },
      ttl = { "int", min = 1, max = 255 }, dont_fragment = { "bool" },
    }, { kind = "tcp", address = "127.0.0.1", port = 1 })
    for sentence, o in pairs {
      ["option 'port': ICMP has no ports"] = { kind = "icmp", address = "::1", port = 1 },
      ["option 'port': is missing"] = { kind = "udp", address = "::1" },
      ["option 'dont_fragment': is of ICMP"] = { kind = "udp", address = "::1", port = 1, dont_fragment = true },
      ["option 'source': is not of the family of 'address'"] = { kind = "icmp", address = "::1", source = "10.0.0.1" },
      ["option 'address': '10.0.0.1/8': an address without prefix length"] = { kind = "icmp", address = "10.0.0.1/8" },
      ["option 'interface': link name 'a/b' contains '/'"] = { kind = "icmp", address = "::1", interface = "a/b" },
    } do
      assert.matches(sentence, refused(probe.open, o), 1, true)
    end
  end)

  it("does with its sockets only what they can", function()
    local udp <close> = probe.open { kind = "udp", address = "127.0.0.1", port = 9 }
    assert.matches("is not of ICMP", refused(udp.echo, udp, "127.0.0.1", 1), 1, true)
    assert.matches("is not of ICMP", refused(udp.answer, udp), 1, true)
    assert.matches("out of range (1 to 65536)", refused(udp.receive, udp, 65537), 1, true)
    assert.matches("is not within the data", refused(udp.send, udp, "abc", 5), 1, true)
    assert.equal("127.0.0.1", (udp:address()))
    udp:close()
    assert.matches("closed", refused(udp.receive, udp), 1, true)
    assert.matches("a list of open luabox.sys.probe expected", refused(probe.wait, { udp }, {}), 1, true)
    assert.matches("a list of open luabox.sys.probe expected", refused(probe.wait, {}, { 1 }), 1, true)
    for _, seconds in ipairs { -1, 0 / 0 } do
      assert.matches("0 seconds or more", refused(probe.wait, {}, {}, seconds), 1, true)
    end
    assert.same({}, probe.wait({}, {}, 0))
  end)
end)
