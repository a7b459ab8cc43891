-- What the recipe of a bridge over the uplink says, looked at from outside: ip and ping in its namespaces.
local recipe = require "recipe"
local spec = require "spec"

local output = spec.output

-- The descriptor in this process of a network namespace, other than its own, that has a link of that name.
local function namespace_with(link)
  for _, fd in ipairs(require("luabox.sys.file").list "/proc/self/fd") do
    local path = ("/proc/%d/fd/%s"):format(require("luabox.sys.process").id(), fd)
    if output("readlink " .. path):find "^net:" then
      local there = output(("nsenter --net=%s ip -o link show dev %s"):format(path, link))
      if there:find(link .. "[:@]") then return path end
    end
  end
end

describe("the recipe of the uplink #root", function()
  it("refuses to enslave it, and shows what that would do", function()
    local function port() return output(("nsenter --net=%s ip -o link show eth0"):format(namespace_with "eth0")) end
    local function ping()
      return output(("nsenter --net=%s ping -c 1 -W 1 192.0.2.10"):format(namespace_with "lan0"))
    end
    local text = recipe.run("uplink.lua", {
      ["is refused: link_set eth0: it carries the default route"] = function()
        assert.is_nil(port():find "master")
        assert.matches(" 0%% packet loss", ping())
      end,
      ["^With force = true"] = function()
        assert.matches("master br0", port())
        assert.matches("100%% packet loss", ping())
      end,
      ["^the host answers%.$"] = function()
        assert.matches("master br0", port())
        assert.matches(" 0%% packet loss", ping())
        assert.matches("default via 192.0.2.1 dev br0",
          output(("nsenter --net=%s ip route"):format(namespace_with "eth0")), 1, true)
      end,
    })
    assert.matches("force = true\n", text)
  end)
end)
