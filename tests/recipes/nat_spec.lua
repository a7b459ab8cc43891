-- What the recipes of NAT say, looked at from outside: ping, nft and a server of the tests' own in their namespaces.
local recipe = require "recipe"
local spec = require "spec"

local output = spec.output

-- What is to be lost is not waited for long.
local function loss(entry, address, patience)
  return output(("%sping -q -c 1 -W %d %s"):format(entry, patience or 30, address)):match "(%d+)%% packet loss"
end

local function ruleset(host) return output(host .. "nft list ruleset") end

-- Whether a connection comes about.
local function connects(entry, address)
  local command = "%spython3 -c 'import socket; socket.create_connection((\"%s\", 3033), 30)'"
  return output(command:format(entry, address)) == ""
end

describe("the recipes of NAT #root #nft", function()
  it("let v1 through a FORWARD that drops", function()
    recipe.run("forward.lua", {
      ["^(The host's FORWARD drops)"] = function()
        assert.matches("hook forward priority filter; policy drop;", ruleset(recipe.inside "172.18.0.1/24"), 1, true)
        assert.equal("100", loss(recipe.inside "172.18.0.2/24", "10.9.0.2", 1))
      end,
      ["^(With two rules more)"] = function()
        assert.equal("0", loss(recipe.inside "172.18.0.2/24", "10.9.0.2"))
        assert.equal("100", loss(recipe.inside "10.9.0.2/24", "172.18.0.2", 1))
      end,
    })
  end)

  it("let v1 go out with the host's address", function()
    local function forwarding(host) return output(host .. "cat /proc/sys/net/ipv4/ip_forward") end
    recipe.run("outside.lua", {
      ["^(v1 asks outside)"] = function()
        local host = recipe.inside "172.18.0.1/24"
        assert.equal("0", forwarding(host))
        assert.equal("", ruleset(host))
      end,
      ["^The address that outside has seen: ([%d.]+)$"] = function(seen)
        assert.equal("10.9.0.1", seen)
        local serve = "sh -c 'python3 tests/peer.py serve tcp:81 & echo $!'"
        local server <close> = io.popen(recipe.inside "10.9.0.2/24" .. serve)
        local pid = server:read "n"
        assert.equal("\nready", server:read "L" .. server:read "l")
        assert.equal("10.9.0.1", output(recipe.inside "172.18.0.2/24" .. "python3 tests/peer.py ask tcp 10.9.0.2 81"))
        spec.shell("kill " .. pid)
        assert.equal("1", forwarding(recipe.inside "172.18.0.1/24"))
      end,
      ["^(With the rule deleted)"] = function()
        assert.is_nil(ruleset(recipe.inside "172.18.0.1/24"):find "masquerade")
      end,
      ["^(The rules are closed)"] = function()
        local host = recipe.inside "172.18.0.1/24"
        assert.equal("0", forwarding(host))
        assert.equal("", ruleset(host))
      end,
    })
  end)

  it("let a port be reached from everywhere", function()
    recipe.run("publish.lua", {
      ["^(From another machine)"] = function()
        local host = recipe.inside "172.8.0.1/24"
        assert.is_true(connects(recipe.inside "10.9.0.2/24", "10.9.0.1"))
        assert.is_true(connects(host, "10.9.0.1"))
        assert.is_true(connects(host, "127.0.0.1"))
        assert.is_true(connects(recipe.inside "172.8.0.9/24", "10.9.0.1"))
      end,
      ["^(And when it is deleted)"] = function()
        assert.is_false(connects(recipe.inside "10.9.0.2/24", "10.9.0.1"))
      end,
    })
  end)
end)
