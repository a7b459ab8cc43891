-- What the recipe of a bridge over the uplink says, looked at from outside: ip and ping in its namespaces.
local recipe = require "recipe"
local spec = require "spec"

local output = spec.output

describe("the recipe of the uplink #root", function()
  it("refuses to enslave it, and shows what that would do", function()
    local function port() return output(recipe.inside "192.0.2.10/24" .. "ip -o link show eth0") end
    local function ping(patience)
      return output(recipe.inside "192.0.2.1/24" .. "ping -c 1 -W " .. patience .. " 192.0.2.10")
    end
    local text = recipe.run("uplink.lua", {
      ["^  link_set eth0: it carries the default route"] = function()
        assert.is_nil(port():find "master")
        assert.matches(" 0%% packet loss", ping(30))
      end,
      ["^With force = true"] = function()
        assert.matches("master br0", port())
        assert.matches("100%% packet loss", ping(1))
      end,
      ["^the host answers%.$"] = function()
        assert.matches("master br0", port())
        assert.matches(" 0%% packet loss", ping(30))
        assert.matches("default via 192.0.2.1 dev br0", output(recipe.inside "192.0.2.10/24" .. "ip route"), 1, true)
      end,
    })
    assert.matches("force = true\n", text)
  end)
end)
