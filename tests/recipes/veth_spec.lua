-- What the recipes of veth pairs and captures say, looked at from outside: ip, ping, tcpdump, the file's own bytes.
local dkjson = require "dkjson"
local process = require "luabox.sys.process"
local recipe = require "recipe"
local spec = require "spec"

local output = spec.output

local function ip(arguments)
  return dkjson.decode(output("ip -j " .. arguments)) or {}
end

-- The links of a namespace with a name.
local function links(name)
  local found = {}
  for _, link in ipairs(ip(("-d -n %s link"):format(name))) do found[link.ifname] = link end
  return found
end

describe("the recipe of veth pairs #root", function()
  it("joins two namespaces that ip netns knows", function()
    recipe.run("veth.lua", {
      ["^Named network namespaces, .*: blue, green$"] = function()
        assert.equal("green\nblue", (output("ip netns list | cut -d ' ' -f 1")))
      end,
      ["^Links of the host, with the pair: lo, veth%-green, veth%-blue$"] = function()
        assert.is_nil(links("blue")["veth-blue"])
      end,
      ["^Links of the host, one end moved: lo, veth%-green$"] = function()
        assert.is_table(links("blue")["veth-blue"])
        assert.is_nil(links("green")["veth-green"])
      end,
      ["^Links of the host, both moved: lo; of blue: lo, veth%-blue; of green: lo, veth%-green$"] = function()
        assert.is_table(links("green")["veth-green"])
      end,
      ["^green pings 10%.1%.1%.1: 1 of 1 answered"] = function()
        spec.shell "ip netns exec blue ping -q -c 1 -W 30 10.1.1.2 >/dev/null"
        spec.shell "ip netns exec green ping -q -c 1 -W 30 10.1.1.1 >/dev/null"
      end,
      ["^The other end of blue's veth%-blue is green's veth%-green%.$"] = function()
        assert.equal(links("green")["veth-green"].ifindex, links("blue")["veth-blue"].link_index)
        assert.equal(links("blue")["veth-blue"].ifindex, links("green")["veth-green"].link_index)
      end,
    })
    assert.equal("", output "ip netns list")
    assert.is_nil(output("ip -brief link"):find "veth")
  end)

  it("leaves no name when it is killed", function()
    local run <close> = process.spawn { program = { os.getenv "LUABOX_INTERPRETER", "recipes/veth.lua" },
      stdin = "null", stdout = "null" }
    assert.is_true(spec.eventually(function() return spec.exists "/run/netns/green" end))
    run:kill "KILL"
    run:wait()
    assert.is_true(spec.eventually(function() return not spec.exists "/run/luabox" end))
    assert.equal("", output "ip netns list")
    output "umount /run/netns" -- the mount that all names share; ip netns leaves it, too
  end)
end)

-- The head and the records of a pcap file: what is in it by the format's description alone.
local PYTHON = [[
import struct, sys
data = open(sys.argv[1], 'rb').read()
magic, major, minor, zone, digits, snaplen, link = struct.unpack('=IHHiIII', data[:24])
print('%x %d.%d %d' % (magic, major, minor, link))
at = 24
while at < len(data):
    seconds, nanoseconds, captured, length = struct.unpack('=IIII', data[at:at + 16])
    packet = data[at + 16:at + 16 + captured]
    print(captured == length, packet[12:14].hex(), packet[23], packet[34])
    at += 16 + captured
print(at == len(data))
]]

describe("the recipe of captures #root", function()
  it("leaves a ping in a file, which tcpdump reads", function()
    local path, printed
    local text = recipe.run("capture.lua", {
      ["^4 packets are in (%S+), 0 were lost%.$"] = function(name)
        path = name
        printed = output("tcpdump -nr " .. name .. " 2>/dev/null")
      end,
    })
    local id = text:match "icmp echo request, id (%d+), sequence 1,"
    for i = 1, 2 do
      assert.matches(("10.1.1.1 > 10.1.1.2: ICMP echo request, id %s, seq %d,"):format(id, i), printed, 1, true)
      assert.matches(("10.1.1.2 > 10.1.1.1: ICMP echo reply, id %s, seq %d,"):format(id, i), printed, 1, true)
      assert.matches(("A reply from 10.1.1.2 to request %d of ping %s, with a ttl of 64,"):format(i, id), text, 1, true)
    end
    assert.equal(4, select(2, printed:gsub("ICMP", "")))
    assert.is_false(spec.exists(path) or spec.exists(path:match "^(.*)/"))
  end)

  it("keeps a file that was named", function()
    local path, script = os.tmpname(), os.tmpname()
    spec.write(script, PYTHON)
    output(("%s recipes/capture.lua %s"):format(os.getenv "LUABOX_INTERPRETER", path))
    local seen = output(("python3 %s %s"):format(script, path))
    os.remove(path)
    os.remove(script)
    assert.equal("a1b23c4d 2.4 1\n" .. ("True 0800 1 8\nTrue 0800 1 0\n"):rep(2) .. "True", seen)
  end)
end)
