-- What the recipe of the diagnosis says, looked at from outside: nft and ping in its namespaces.
local recipe = require "recipe"
local spec = require "spec"

local output = spec.output

local function at(address, command)
  return output(recipe.inside(address .. "/24") .. command)
end

describe("the recipe of the diagnosis #root #nft", function()
  it("names what drops, and the packets pass by the lines that it names", function()
    local pings = 0
    local text = recipe.run("diagnose.lua", {
      ["^What blocks it"] = function()
        assert.matches("policy drop", at("10.7.0.1", "nft list table ip filter"))
        assert.equal("0", at("10.7.0.1", "cat /proc/sys/net/ipv4/ip_forward"))
        assert.matches("100%% packet loss", at("10.7.0.2", "ping -c 1 -W 1 10.9.0.2"))
      end,
      ["^box pings outside"] = function() pings = pings + 1 end,
      ["^nothing here blocks forwarding"] = function()
        assert.matches('iifname "br0" accept', at("10.7.0.1", "nft list table ip filter"))
        assert.matches(" 0%% packet loss", at("10.7.0.2", "ping -c 1 -W 30 10.9.0.2"))
      end,
    })
    assert.equal(2, pings)
    assert.matches("is dropped by the policy of chain FORWARD of table ip filter\n", text, 1, true)
    assert.matches("or: iptables -I FORWARD -i br0 -j ACCEPT;", text, 1, true)
  end)
end)
