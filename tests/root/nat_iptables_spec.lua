-- What luabox.nat makes of iptables' lines does to packets what iptables-nft's own rules do: both are put in the same
-- place, one after the other, and the same packets are sent.
local lab = require "nat_lab"
local nat = require "luabox.nat"
local process = require "luabox.sys.process"
local spec = require "spec"

-- Packets, as tests/packets.py reads them; what they lead to without any rule is known of each.
local THROUGH = "out udp 10.9.0.2:4000 > 10.77.0.2:53"
local THROUGH_TCP = "out tcp 10.9.0.2:4000 > 10.77.0.2:80"
local AWAY = "c udp 10.77.0.2:4000 > 10.9.0.2:53"
local AWAY_TCP = "c tcp 10.77.0.2:4000 > 10.9.0.2:80"
local AWAY_N = "n udp 10.77.0.3:4000 > 10.9.0.2:53"
local IN = "out udp 10.9.0.2:4000 > 10.9.0.1:5000"
local IN_TCP = "out tcp 10.9.0.2:4000 > 10.9.0.1:23"
local PING = "out icmp 10.9.0.2 > 10.77.0.2"
local OWN = "host udp 10.9.0.1:4000 > 10.9.0.2:53"
local HAIRPIN = "n udp 10.77.0.3:4000 > 10.9.0.1:3033"

-- The lines, and packets of which some must go another way than without them.
local CASES = {
  { { "-A FORWARD -j DROP" }, THROUGH },
  { { "-P FORWARD DROP" }, THROUGH },
  { { "-P FORWARD DROP", "-A FORWARD -i up0 -j ACCEPT" }, { THROUGH, AWAY } },
  { { "-P FORWARD DROP", "-A FORWARD -i gw0 ! -o gw0 -j ACCEPT",
    "-A FORWARD -o gw0 -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT" },
    { THROUGH, AWAY, "out udp 10.9.0.2:53 > 10.77.0.2:4000" } },
  { { "-A FORWARD -m state --state NEW -i up0 -j DROP" }, { THROUGH, AWAY } },
  { { "-A FORWARD -m conntrack ! --ctstate NEW -j DROP" }, { AWAY, "out udp 10.9.0.2:53 > 10.77.0.2:4000" } },
  { { "-A FORWARD -m conntrack --ctstate INVALID -j DROP" }, { "out synack 10.9.0.2:80 > 10.77.0.2:4000", THROUGH } },
  { { "-A FORWARD -s 10.9.0.0/24 -j DROP" }, { THROUGH, AWAY } },
  { { "-A FORWARD -s 10.77.0.2/255.255.255.254 -j DROP" }, { AWAY, AWAY_N } },
  { { "-A FORWARD ! -s 10.77.0.3 -j DROP" }, { AWAY, AWAY_N } },
  { { "-A FORWARD -d 10.77.0.2 -j DROP" }, { THROUGH, AWAY } },
  { { "-A FORWARD ! -d 10.9.0.0/24 -j DROP" }, { THROUGH, AWAY } },
  { { "-A FORWARD -i up+ -j DROP" }, { THROUGH, AWAY } },
  { { "-A FORWARD ! -o up+ -j DROP" }, { THROUGH, AWAY } },
  { { "-A FORWARD -p udp -j DROP" }, { THROUGH, THROUGH_TCP, PING } },
  { { "-A FORWARD -p 6 -j DROP" }, { THROUGH, THROUGH_TCP } },
  { { "-A FORWARD ! -p tcp -j DROP" }, { THROUGH, THROUGH_TCP } },
  { { "-A FORWARD -p icmp -j DROP" }, { PING, THROUGH_TCP } },
  { { "-A FORWARD -p udp --dport 53 -j DROP" }, { THROUGH, "out udp 10.9.0.2:53 > 10.77.0.2:54", THROUGH_TCP } },
  { { "-A FORWARD -p udp -m udp ! --dport 50:60 -j DROP" }, { THROUGH, "out udp 10.9.0.2:1 > 10.77.0.2:61" } },
  { { "-A FORWARD -p tcp --sport 4000: --dport :80 -j DROP" },
    { THROUGH_TCP, "out tcp 10.9.0.2:3999 > 10.77.0.2:80", "out tcp 10.9.0.2:4000 > 10.77.0.2:81" } },
  { { "-A FORWARD -p udp -m multiport --dports 7,50:60,58:70 -j DROP" },
    { THROUGH, "out udp 10.9.0.2:1 > 10.77.0.2:7", "out udp 10.9.0.2:1 > 10.77.0.2:8",
      "out udp 10.9.0.2:1 > 10.77.0.2:70", "out udp 10.9.0.2:1 > 10.77.0.2:71" } },
  { { "-A FORWARD -p udp -m multiport ! --sports 4000,4001 -j DROP" },
    { THROUGH, "out udp 10.9.0.2:1 > 10.77.0.2:7" } },
  { { "-A OUTPUT -m mark --mark 5 -j DROP" }, { OWN, OWN .. " mark=5" } },
  { { "-A OUTPUT -m mark ! --mark 0x4/0xc -j DROP" }, { OWN .. " mark=3", OWN .. " mark=5" } },
  { { "-A INPUT -m addrtype --dst-type LOCAL -j DROP" }, IN },
  { { "-A FORWARD -m addrtype --src-type LOCAL -j DROP", "-A INPUT -m addrtype ! --src-type UNICAST -j ACCEPT",
    "-A INPUT -j DROP" }, { THROUGH, IN } },
  { { [[-A FORWARD -m comment --comment "it's \"closed\"" -j DROP]] }, THROUGH },
  { { "-A INPUT -p udp --dport 5000 -j REJECT" }, IN },
  { { "-A INPUT -p tcp --dport 23 -j DROP" }, IN_TCP },
  { { "-A FORWARD -p tcp -j REJECT --reject-with tcp-reset" }, { THROUGH_TCP, THROUGH } },
  { { "-A FORWARD -j REJECT --reject-with icmp-host-prohibited" }, { THROUGH, THROUGH_TCP } },
  { { "-A FORWARD -j REJECT --reject-with icmp-net-unreachable" }, THROUGH },
  { { "-A FORWARD -j REJECT --reject-with host-unreach" }, THROUGH },
  { { "-A FORWARD -j REJECT --reject-with icmp-proto-unreachable" }, THROUGH },
  { { "-A FORWARD -j REJECT --reject-with icmp-net-prohibited" }, THROUGH },
  { { "-A FORWARD -j REJECT --reject-with admin-prohib" }, THROUGH },
  { { '-A FORWARD -p udp -j LOG --log-prefix "seen: " --log-level debug', "-A FORWARD -p tcp -j DROP" },
    { THROUGH, THROUGH_TCP } },
  { { "-A OUTPUT -d 10.9.0.2 -p udp --dport 53 -j DROP" }, OWN },
  { { "-A FORWARD -j ACCEPT", "-I FORWARD -s 10.9.0.2 -j DROP" }, { THROUGH, AWAY } },
  { { "-A FORWARD -s 10.77.0.2 -j ACCEPT", "-A FORWARD -s 10.77.0.0/24 -j DROP", "-I FORWARD 2 -s 10.77.0.3 -j ACCEPT",
    "-I FORWARD 4 -d 10.77.0.0/24 -p tcp -j DROP" }, { AWAY, AWAY_N, THROUGH, THROUGH_TCP } },
  { { "-A FORWARD -p udp -j DROP", "-A FORWARD -p tcp -j DROP", "-D FORWARD 1" }, { THROUGH, THROUGH_TCP } },
  { { "-A FORWARD -p udp -j DROP", "-A FORWARD -p tcp --dport 80 -j DROP", "-D FORWARD -p udp -j DROP" },
    { THROUGH, THROUGH_TCP } },
  { { "-A FORWARD -p udp -j DROP", "-R FORWARD 1 -p tcp -j DROP" }, { THROUGH, THROUGH_TCP } },
  { { "-A FORWARD -p udp -j DROP", "-F", "-A FORWARD -p tcp -j DROP" }, { THROUGH, THROUGH_TCP } },
  { { "-N lan", "-A FORWARD -i gw0 -j lan", "-A lan -s 10.77.0.3 -j RETURN", "-A lan -j DROP" },
    { AWAY, AWAY_N, THROUGH } },
  { { "-N a", "-N b", "-A FORWARD -j a", "-A FORWARD -p udp -j DROP", "-A a -p udp -g b", "-A a -p tcp -j DROP",
    "-A b -s 10.9.0.0/24 -j ACCEPT" }, { THROUGH, AWAY, THROUGH_TCP } },
  { { "-P FORWARD DROP", "-A FORWARD -p tcp -j RETURN", "-A FORWARD -j ACCEPT" }, { THROUGH, THROUGH_TCP } },
  { { "-N x", "-A FORWARD -j x", "-A x -p udp -j DROP", "-D FORWARD -j x", "-F x", "-X x",
    "-A FORWARD -p tcp -j DROP" }, { THROUGH, THROUGH_TCP } },
  { { "-t nat -A POSTROUTING -s 10.77.0.0/24 ! -o gw0 -j MASQUERADE" }, { AWAY, AWAY_TCP, THROUGH } },
  { { "-t nat -A POSTROUTING -p udp -o up0 -j MASQUERADE --to-ports 2000" }, { AWAY, AWAY_TCP } },
  { { "-t nat -A POSTROUTING -s 10.77.0.2 -j SNAT --to-source 10.9.0.77" }, { AWAY, AWAY_N } },
  { { "-t nat -A POSTROUTING -o up0 -p udp -j SNAT --to 10.9.0.77:3000" }, { AWAY, AWAY_TCP } },
  { { "-t nat -A POSTROUTING -o up0 -j SNAT --to-source 10.9.0.60-10.9.0.77 --persistent" }, { AWAY, AWAY_N } },
  { { "-t nat -A PREROUTING -p udp --dport 3033 -j DNAT --to 10.77.0.2:3000" },
    { "out udp 10.9.0.2:4000 > 10.9.0.1:3033", "out udp 10.9.0.2:4000 > 10.9.0.1:3034", HAIRPIN } },
  { { "-t nat -A PREROUTING -i up0 -p tcp -m multiport --dports 80,443 -j DNAT --to-destination 10.77.0.3" },
    { "out tcp 10.9.0.2:4000 > 10.9.0.1:80", "out tcp 10.9.0.2:4000 > 10.9.0.1:443", IN_TCP } },
  { { "-t nat -A PREROUTING ! -i gw0 -m addrtype --dst-type LOCAL -p udp --dport 5000 -j DNAT --to 10.77.0.2" },
    { IN, THROUGH, "c udp 10.77.0.2:4000 > 10.77.0.1:5000" } },
  { { "-t nat -A OUTPUT -d 10.9.0.2 -p udp --dport 53 -j DNAT --to-destination 10.77.0.2:5353" }, OWN },
  { { "-t nat -A PREROUTING -p udp --dport 80 -j REDIRECT --to-port 8080" }, "out udp 10.9.0.2:4000 > 10.77.0.2:80" },
  { { "-t nat -A PREROUTING -d 10.77.0.2 -p udp --dport 8080 -j REDIRECT" }, "out udp 10.9.0.2:4000 > 10.77.0.2:8080" },
  { { "-t nat -A INPUT -p udp --dport 5000 -j SNAT --to-source 10.9.0.99" }, IN },
  { { "-t nat -N docker", "-t nat -A PREROUTING -m addrtype --dst-type LOCAL -j docker",
    "-t nat -A docker -i gw0 -j RETURN", "-t nat -A docker -p udp --dport 3033 -j DNAT --to 10.77.0.2:3000",
    "-P FORWARD DROP", "-A FORWARD -m conntrack --ctstate DNAT -j ACCEPT" },
    { "out udp 10.9.0.2:4000 > 10.9.0.1:3033", THROUGH, HAIRPIN } },
}

local function list(packets) return type(packets) == "table" and packets or { packets } end

-- Starts who sends packets between the machines.
local function start_sender(world)
  spec.shell "ip -n out route add 10.77.0.0/24 via 10.9.0.1"
  local sender = process.spawn { program = { "python3", "tests/packets.py" }, stdin = "pipe", stdout = "pipe" }
  local rest = ""
  function world.send(packets)
    sender:stdin():write(table.concat(list(packets), "; ") .. "\n")
    while not rest:find "\n" do
      local more = sender:stdout():read(65536)
      assert(more and more ~= "", "tests/packets.py has ended")
      rest = rest .. more
    end
    local line
    line, rest = rest:match "^([^\n]*)\n(.*)$"
    return line
  end
  return sender
end

local function iptables(program, line)
  local output = spec.output(("%s -w %s"):format(program, line))
  assert.equal("", output, line)
end

local function with_iptables(lines, f)
  for _, line in ipairs(lines) do iptables("iptables-nft", line) end
  local results = table.pack(f())
  spec.shell "nft flush ruleset"
  return table.unpack(results)
end

local function with_luabox(lines, f)
  local rules <close> = nat.new()
  for _, line in ipairs(lines) do rules:iptables(line) end
  return f(rules)
end

-- Listings without what differs between iptables' versions (blanks, protocols as numbers) and what a chain's policy
-- has counted, which luabox does not know.
local PROTOCOLS = { ["0"] = "all", ["1"] = "icmp", ["6"] = "tcp", ["17"] = "udp" }

local function plain(listing)
  return (listing:gsub("(%d+) +%-%-", function(number) return (PROTOCOLS[number] or number) .. " --" end)
    :gsub("(%(policy %u+)[^)]*", "%1"):gsub(" +", " "):gsub(" ?%f[\n\0]", ""))
end

local ASK = { "-t filter -S", "-t nat -S", "-t filter -L -n -v", "-t nat -L -n -v -x", "-t nat -L -n --line-numbers" }

describe("luabox.nat's iptables lines #root #nft #ipv6", function()
  it("do to packets what iptables' do, and are listed as iptables lists them", function()
    local world <close> = lab.new()
    local sender <close> = start_sender(world)
    for _, case in ipairs(CASES) do
      local lines, packets = case[1], case[2]
      local name = table.concat(lines, "; ")
      local without = world.send(packets)
      local expected, listings = with_iptables(lines, function()
        local result, texts = world.send(packets), {}
        for i, line in ipairs(ASK) do texts[i] = spec.output("iptables-nft " .. line) end
        return result, texts
      end)
      assert.not_equal(without, expected, name .. ": no packet shows it")
      with_luabox(lines, function(rules)
        assert.equal(expected, world.send(packets), name)
        for i, line in ipairs(ASK) do assert.equal(plain(listings[i]), plain(tostring(rules:iptables(line)))) end
      end)
      assert.equal(without, world.send(packets), name .. ": something is left")
    end
    sender:stdin():close()
    sender:wait()
  end)
end)
