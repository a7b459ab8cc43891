-- The recipes of a bridge and of many containers, looked at from outside while they run: ip, bridge and ping in their
-- namespaces.
local dkjson = require "dkjson"
local recipe = require "recipe"
local spec = require "spec"

local function pings(entry, address)
  return spec.output(entry .. "ping -n -c 1 -W 30 " .. address):find(" 0% packet loss", 1, true) ~= nil
end

describe("the recipe of a bridge #root", function()
  it("has its ports, its address, and passes packets", function()
    local text = recipe.run("bridge.lua", {
      ["^br0 has the address (%S+), and (%S+) for all"] = function(address, broadcast)
        local host, v1, v2 = recipe.inside "172.18.0.1/24", recipe.inside "172.18.0.2/24", recipe.inside "172.18.0.3/24"
        local br0 = dkjson.decode(spec.output(host .. "ip -j -4 addr show dev br0"))[1]
        assert.same({ "172.18.0.1/24", br0.addr_info[1].broadcast }, { address, broadcast })
        assert.equal("172.18.0.255", broadcast)
        local ports = {}
        for _, port in ipairs(dkjson.decode(spec.output(host .. "bridge -j link show"))) do
          ports[port.ifname] = port.master .. " " .. port.state
        end
        assert.same({ veth1 = "br0 forwarding", veth2 = "br0 forwarding" }, ports)
        assert.is_true(pings(v1, "172.18.0.3") and pings(v2, "172.18.0.2"))
        assert.is_true(pings(v1, "172.18.0.1") and pings(host, "172.18.0.2"))
      end,
    })
    assert.equal(3, select(2, text:gsub(": 3 of 3 answered", "")))
    for port = 1, 2 do assert.matches(("veth%d is port %d of br0: forwarding"):format(port, port), text, 1, true) end
  end)
end)

-- A process in a network namespace, by how a command is run there.
local function pid_in(entry)
  local id = spec.output(entry .. "readlink /proc/self/ns/net"):match "%d+"
  return spec.output "ps -e -o pid=,netns=":match("(%d+) +" .. id)
end

describe("the recipe of many containers #root", function()
  local function run(...)
    local addresses = {}
    local text = recipe.run("many.lua", {
      ["^ms%s+box1%s"] = function() end,
      ["^(%d+) containers have started; the last has the address ([%d.]+)%."] = function(count, last)
        local prefix, host = last:match "^(.*%.)(%d+)$"
        assert.equal(count, tonumber(host))
        for i = 1, count do addresses[i] = prefix .. i end
        local first = recipe.inside(addresses[1] .. "/24")
        local in_first = ("nsenter --target %d --net --mount "):format(pid_in(first))
        for i = 2, count do
          assert.is_true(pings(first, addresses[i]))
          assert.matches(("PING box%d (%s)"):format(i, addresses[i]),
            spec.output(in_first .. "ping -c 1 -W 30 box" .. i), 1, true)
        end
      end,
    }, { ... })
    return text, addresses
  end

  it("has five of them, who know each other by name", function()
    local text, addresses = run()
    assert.equal(5, #addresses)
    assert.matches(("PING box5 (%s)"):format(addresses[5]), text, 1, true)
    assert.matches("\n20 of 20 answered\n", text)
    for i, address in ipairs(addresses) do
      assert.matches(("[├└] box%d +up +├────┤ eth0  up  %s/24 "):format(i, (address:gsub("%.", "%%."))), text)
    end
  end)

  it("has as many as it is told", function()
    local text, addresses = run("3")
    assert.equal(3, #addresses)
    assert.matches("\n6 of 6 answered\n", text)
    assert.matches("usage: luabox recipes/many.lua", spec.output(os.getenv "LUABOX_INTERPRETER" ..
      " recipes/many.lua 1; test $? = 2 || echo wrong"), 1, true)
  end)
end)
