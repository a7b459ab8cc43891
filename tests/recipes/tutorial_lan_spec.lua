-- The tutorials' LAN, looked at from outside while its recipe runs: ip and nft in its namespaces.
local dkjson = require "dkjson"
local recipe = require "recipe"
local spec = require "spec"

describe("the recipe of the tutorials' LAN #root #nft", function()
  it("has a bridge, its ports, NAT and a port", function()
    local text = recipe.run("tutorial_lan.lua", {
      ["^v1 pings v2"] = function()
        local host, v1 = recipe.inside "172.18.0.1/24", recipe.inside "172.18.0.2/24"
        local ports = {}
        for _, link in ipairs(dkjson.decode(spec.output(host .. "ip -j link show master br0"))) do
          ports[#ports + 1] = link.ifname .. " " .. link.operstate
        end
        table.sort(ports)
        assert.same({ "veth1 UP", "veth2 UP" }, ports)
        assert.matches("default via 172.18.0.1 dev eth0", spec.output(v1 .. "ip route"), 1, true)
        assert.equal("1", spec.output(host .. "cat /proc/sys/net/ipv4/ip_forward"))
        assert.matches("masquerade", spec.output(host .. "nft list ruleset"), 1, true)
        assert.matches(", 0% packet loss", spec.output(v1 .. "ping -c 1 -W 10 10.9.0.2"), 1, true)
      end,
    })
    assert.equal(3, select(2, text:gsub(": 1 of 1 answered", "")))
    assert.matches("10.9.0.1 port 3033: connected in", text, 1, true)
  end)
end)
