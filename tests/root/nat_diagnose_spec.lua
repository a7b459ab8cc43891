--- Each cause is made on a host (the spec's own namespace) that forwards from c to out; it must be named, and where
-- packets do not pass, the line that it names must let them pass.
local diagnose = require("luabox.nat").diagnose
local lab = require "nat_lab"
local namespace = require "luabox.sys.namespace"
local spec = require "spec"

local shell = spec.shell

local function codes(report)
  local list = {}
  for _, finding in ipairs(report) do list[#list + 1] = finding.code end
  return table.concat(list, " ")
end

local function only(report, code)
  local found
  for _, finding in ipairs(report) do
    if finding.code == code then
      assert.is_nil(found, tostring(report))
      found = finding
    end
  end
  assert.is_table(found, tostring(report))
  return found
end

local function mend(line)
  assert(load("local luabox = require 'luabox'; " .. line))()
end

-- A host with nothing in the way; `passes` asks whether c reaches out.
local function world()
  local w = lab.new()
  shell "ip route add default via 10.9.0.2; ip netns exec out ip route add default via 10.9.0.1"
  w:serve("out", "tcp:80")
  return w
end

local function passes(w)
  local answer = w:ask("c", "tcp", "10.9.0.2", 80)
  return answer == "10.77.0.2", answer
end

-- A second is enough: what it is asked of is blocked, or the line before has shown that it answers.
local function blocked(from, to)
  return lab.output(("python3 tests/peer.py ask tcp %s 80 1"):format(to), from) ~= "10.77.0.2"
end

local function is_blocked()
  return blocked("c", "10.9.0.2")
end

-- The shell's line for a table with one chain of forwarded packets.
local function nft(name, ...)
  return ("nft 'table %s {\nchain c {\ntype filter hook forward priority 0;\n%s\n}\n}'"):format(name,
    table.concat({ ... }, "\n"))
end

-- To be closed: runs a command before what was opened earlier is closed.
local function later(command)
  return setmetatable({}, { __close = function() os.execute(command) end })
end

describe("luabox.nat.diagnose #root #nft", function()
  it("finds nothing where packets pass", function()
    local w <close> = world()
    assert.is_true(passes(w))
    local report = diagnose()
    assert.equal("nothing here blocks forwarding", tostring(report))
    assert.equal(0, #report)
  end)

  it("names ip_forward", function()
    local w <close> = world()
    w:sysctl("net/ipv4/ip_forward", "0")
    assert.is_true(is_blocked())
    local f = only(diagnose(), "ip_forward")
    assert.is_true(f.certain)
    mend(f.mend)
    assert.is_true(passes(w))
    assert.equal("", codes(diagnose()))
    w:sysctl("net/ipv4/ip_forward", "0")
    shell(f.shell .. " >/dev/null")
    assert.is_true(passes(w))
  end)

  it("names a link that does not forward", function()
    local w <close> = world()
    w:sysctl("net/ipv4/conf/gw0/forwarding", "0")
    assert.is_true(is_blocked())
    local f = only(diagnose(), "link_forwarding")
    assert.matches("comes in by gw0 ", f.what)
    mend(f.mend)
    assert.is_true(passes(w))
  end)

  -- What makes the table, what it is called, who owns it, and whether the tool's own line can be tried here.
  local firewalls = {
    { "iptables' policy", "iptables-nft -P FORWARD DROP", "ip filter", code = "forward_policy", shell = true },
    { "nft's policy", nft("inet fw", "policy drop;"), "inet fw",
      code = "forward_policy", shell = true },
    { "a last rule", "iptables-nft -A FORWARD -p tcp --dport 99 -j ACCEPT; iptables-nft -A FORWARD -j REJECT",
      "ip filter",
      code = "forward_rule", shell = true, perhaps = true },
    { "Docker's chains", "iptables-nft -P FORWARD DROP; iptables-nft -N DOCKER-USER; "
      .. "iptables-nft -A DOCKER-USER -j RETURN; iptables-nft -A FORWARD -j DOCKER-USER; "
      .. "iptables-nft -A FORWARD -i docker0 -j ACCEPT", "ip filter",
      code = "forward_policy", owner = "Docker", shell = true },
    { "a chain that is jumped to",
      "iptables-nft -N deep; iptables-nft -A FORWARD -i gw+ -j deep; iptables-nft -A deep -j DROP",
      "ip filter", code = "forward_rule", shell = true },
    { "ufw's chains", "iptables-nft -P FORWARD DROP; iptables-nft -N ufw-user-forward; "
      .. "iptables-nft -A FORWARD -j ufw-user-forward", "ip filter", code = "forward_policy", owner = "ufw" },
    { "firewalld's table", nft("inet firewalld", "ct state established,related accept",
      "reject with icmpx type admin-prohibited"), "inet firewalld",
      code = "forward_rule", owner = "firewalld" },
  }
  for _, fw in ipairs(firewalls) do
    it("names " .. fw[1], function()
      local w <close> = world()
      local rules = "nft delete table " .. fw[3]
      finally(function() os.execute(rules) end)
      shell(fw[2])
      assert.is_true(is_blocked())
      local report = diagnose { link = "gw0" }
      local f = only(report, fw.code)
      assert.same({ "gw0", fw.owner, not fw.perhaps }, { f.link, f.owner, f.certain })
      assert.matches("table " .. fw[3], f.what, 1, true)
      mend(f.mend)
      assert.is_true(passes(w))
      assert.equal("", codes(diagnose { link = "gw0" }))
      if fw.shell then
        shell(rules)
        shell(fw[2])
        shell(f.shell)
        assert.is_true(passes(w))
        assert.equal("", codes(diagnose { link = "gw0" }))
      end
      if fw[3] == "ip filter" then assert.matches("-A FORWARD", spec.output "iptables-nft -S", 1, true) end
    end)
  end

  it("has no line for a table that only its owner can change", function()
    local _ <close> = world()
    local owner <close> = require("luabox.sys.nft").socket()
    owner:apply {
      { "add", "table", name = "mine", owner = true },
      { "add", "chain", table = "mine", name = "c", type = "filter", hook = "forward", priority = 0, policy = "drop" },
    }
    assert.is_true(is_blocked())
    local f = only(diagnose { link = "gw0" }, "forward_policy")
    assert.matches("table inet mine %(which only the process that owns it can change%)", f.what)
    assert.is_nil(f.mend or f.shell)
  end)

  it("passes over rules of other links", function()
    local w <close> = world()
    finally(function() os.execute "nft delete table ip filter" end)
    shell "iptables-nft -A FORWARD -i eth7 -j DROP; iptables-nft -A FORWARD ! -i gw0 -o docker0 -j DROP"
    assert.is_true(passes(w))
    assert.equal("", codes(diagnose { link = "gw0" }))
  end)

  it("names br_netfilter #bridgenf", function()
    local w <close> = world()
    local _ <close> = later "nft delete table ip filter; ip link del br7; ip netns del p1; ip netns del p2"
    shell [[ip link add br7 type bridge; ip link set br7 up
      for i in 1 2; do
        ip netns add p$i; ip link add p$i type veth peer name eth0 netns p$i; ip link set p$i master br7 up
        ip -n p$i addr add 10.5.0.$i/24 dev eth0; ip -n p$i link set eth0 up
      done; iptables-nft -P FORWARD DROP]]
    w:sysctl("net/bridge/bridge-nf-call-iptables", "1")
    w:serve("p2", "tcp:80")
    assert.is_true(blocked("p1", "10.5.0.2"))
    local f = only(diagnose(), "br_netfilter")
    mend(f.mend)
    assert.equal("10.5.0.1", w:ask("p1", "tcp", "10.5.0.2", 80))
  end)

  it("names rp_filter where the way back is another", function()
    local w <close> = world()
    local _ <close> = later "nft delete table ip count; ip link del side0"
    w:sysctl("net/ipv4/conf/gw0/rp_filter", "1")
    assert.is_true(passes(w))
    assert.equal("", codes(diagnose()))
    shell "ip link add side0 type veth peer name side1; ip link set side0 up; ip link set side1 up"
    shell "ip route add 10.77.0.2/32 dev side0"
    local f = only(diagnose { link = "gw0" }, "rp_filter")
    assert.matches("comes in by it from 10.77.0.2/32 is dropped, since the way back goes by side0", f.what, 1, true)
    -- What comes in is seen by a counter behind the filter.
    shell(nft("ip count", "ip saddr 10.77.0.2 counter"))
    local function forwarded()
      is_blocked()
      return tonumber(spec.output("nft list table ip count"):match "packets (%d+)")
    end
    assert.equal(0, forwarded())
    mend(f.mend)
    assert.is_true(forwarded() > 0)
  end)

  it("names subnets that overlap", function()
    local _ <close> = world()
    shell "ip route del 10.77.0.0/24; ip route add 10.77.0.0/24 dev up0; ip route add 10.77.0.0/24 dev gw0 metric 99"
    assert.is_true(is_blocked())
    local f = only(diagnose { link = "gw0" }, "overlap")
    assert.is_true(f.certain)
    assert.matches("10.77.0.0/24 (up0)", f.what, 1, true)
    assert.matches('^luabox%.network { name = "gw0", subnet = "10%.%d+%.%d+%.0/24"', f.mend)
  end)

  it("names the lack of a default route", function()
    local w <close> = world()
    shell "ip route del default; ip netns exec out ip addr add 192.0.2.9/32 dev eth0; ping -c 1 10.9.0.2 >/dev/null"
    assert.equal("EHOSTUNREACH", (w:ask("c", "tcp", "192.0.2.9", 80):gsub("ENETUNREACH", "EHOSTUNREACH")))
    local f = only(diagnose { link = "gw0" }, "no_default_route")
    mend(f.mend)
    assert.equal("10.77.0.2", w:ask("c", "tcp", "192.0.2.9", 80))
  end)

  it("names legacy tables #legacy", function()
    local w <close> = world()
    finally(function() os.execute "iptables-legacy -P FORWARD ACCEPT; iptables-legacy -F" end)
    shell "iptables-legacy -P FORWARD DROP"
    assert.is_true(is_blocked())
    local f = only(diagnose { link = "gw0" }, "legacy")
    assert.is_false(f.certain)
    shell(f.shell)
    assert.is_true(passes(w))
  end)

  it("looks into another namespace, and changes nothing there", function()
    local ns <close> = namespace.create "net"
    local own <close> = namespace.open "net"
    local report = diagnose { namespace = ns }
    assert.equal("no_default_route", codes(report):match "no_default_route")
    local w <close> = world()
    local before = spec.output "nft list ruleset; ip route; sysctl -a -r net.ipv4 2>/dev/null"
    assert.equal(tostring(diagnose()), tostring(diagnose { namespace = own }))
    assert.equal(before, spec.output "nft list ruleset; ip route; sysctl -a -r net.ipv4 2>/dev/null")
    assert.equal("diagnose none: No such device (ENODEV); there is no such link in this network namespace",
      spec.refused(diagnose, { link = "none" }))
    assert.is_true(passes(w))
  end)
end)
