local namespace = require "luabox.sys.namespace"
local nft = require "luabox.sys.nft"
local run = require("child").run
local spec = require "spec"

local output = spec.output

local function list() return output "nft list ruleset" end

local T = { "add", "table", name = "t", owner = true }

local function set(o)
  local operation = { "add", o.data and "map" or "set", table = "t", name = "s" }
  for name, value in pairs(o) do operation[name] = value end
  return operation
end

local function elements(verb, list_of)
  return { verb, "element", table = "t", set = "s", elements = list_of }
end

-- The error of a list of operations.
local function refused(s, operations)
  local ok, e = pcall(s.apply, s, operations)
  assert.is_false(ok)
  return e
end

describe("luabox.sys.nft #root #nft", function()
  it("lists sets of types that it does not know, and says so of their elements", function()
    spec.shell [[nft 'table ip other { set s { type ether_addr; elements = { 02:00:00:00:00:01 } };
      map m { type inet_service : ether_addr; }; }']]
    local s <close> = nft.socket()
    local listed = {}
    for _, found in ipairs(s:sets()) do listed[found.name] = found end
    local ok, e = pcall(s.elements, s, { table = "other", set = "s", family = "ip" })
    spec.shell "nft delete table ip other"
    assert.equal("table", type(listed.s))
    assert.same({ { "inet_service" }, 9 }, { listed.m.key, listed.m.data }) -- nft's number of ether_addr
    assert.is_false(ok)
    assert.equal("get set ip other s: Operation not supported (EOPNOTSUPP); it is of types other than ipv4_addr, "
      .. "ipv6_addr, inet_proto, inet_service, mark and ifname", tostring(e))
  end)

  it("does nothing for an empty list", function()
    local s <close> = nft.socket()
    s:apply {}
    assert.equal("", list())
  end)

  it("applies all operations or none", function()
    local s <close> = nft.socket()
    local e = refused(s, {
      { "add", "table", name = "t" },
      { "add", "chain", table = "t", name = "c" },
      { "add", "rule", table = "t", chain = "missing", verdict = "accept" },
    })
    assert.equal("ENOENT", e.code)
    assert.equal(3, e.operation)
    assert.equal("operation 3: add rule inet t missing: No such file or directory (ENOENT); "
      .. "the chain does not exist in that table", tostring(e))
    assert.equal("", list())
  end)

  it("says that a table is missing", function()
    local s <close> = nft.socket()
    local e = refused(s, { { "add", "chain", family = "ip6", table = "none", name = "c" } })
    assert.equal("operation 1: add chain ip6 none c: No such file or directory (ENOENT); "
      .. "the table does not exist here; add it first, in the same list if you like", tostring(e))
  end)

  it("says that a thing is there already", function()
    local s <close> = nft.socket()
    s:apply { T }
    local e = refused(s, { { "create", "table", name = "t", owner = true } })
    assert.equal("EEXIST", e.code)
    assert.is_truthy(tostring(e):find("add table inet t: File exists (EEXIST); it is there already", 1, true))
  end)

  it("says that a chain is in use", function()
    local s <close> = nft.socket()
    s:apply {
      T, { "add", "chain", table = "t", name = "a" }, { "add", "chain", table = "t", name = "b" },
      { "add", "rule", table = "t", chain = "a", verdict = "jump b" },
    }
    local e = refused(s, { { "delete", "chain", table = "t", name = "b" } })
    assert.equal("EBUSY", e.code)
    assert.is_truthy(e.hint:find "in use")
  end)

  it("says what does not go together", function()
    local s <close> = nft.socket()
    s:apply { T, { "add", "chain", table = "t", name = "c", type = "filter", hook = "input", priority = 0 } }
    local e = refused(s, { { "add", "rule", table = "t", chain = "c", masquerade = true } })
    assert.equal("EOPNOTSUPP", e.code)
    assert.is_truthy(e.hint:find("chain of type nat", 1, true))
  end)

  it("names the element that was refused", function()
    local s <close> = nft.socket()
    local many = {}
    for i = 1, 3000 do many[i] = { "10.0." .. i // 250 .. "." .. i % 250 } end
    s:apply { T, set { key = "ipv4_addr" }, elements("add", many) }
    assert.equal(3000, #s:elements { table = "t", set = "s" })
    local e = refused(s, { elements("create", { "1.1.1.1", "10.0.8.8" }) })
    assert.equal("operation 1: add element inet t s (element 2): File exists (EEXIST); it is in the set already, "
      .. "with another value, or overlaps an interval of it", tostring(e))
    many[#many + 1] = "9.9.9.9"
    e = refused(s, { elements("delete", many) })
    assert.equal("inet t s (element 3001)", e.subject)
    assert.equal(3000, #s:elements { table = "t", set = "s" })
  end)

  it("makes tables, chains and sets that nft lists", function()
    local s <close> = nft.socket()
    s:apply {
      { "add", "table", family = "ip6", name = "t", owner = true },
      { "add", "chain", family = "ip6", table = "t", name = "plain" },
      { "add", "chain", family = "ip6", table = "t", name = "f", type = "filter", hook = "forward",
        priority = "mangle+5", policy = "drop" },
      { "add", "chain", family = "ip6", table = "t", name = "r", type = "route", hook = "output", priority = -7 },
      set { family = "ip6", name = "a", key = { "ipv6_addr", "inet_service" }, flags = "interval", size = 100 },
      set { family = "ip6", name = "b", key = "mark", data = "verdict", timeout = 60 },
    }
    assert.equal([[
table ip6 t { # progname PROGRAM
	flags owner

	set a {
		type ipv6_addr . inet_service
		size 100
		flags interval
	}

	map b {
		type mark : verdict
		timeout 1m
	}

	chain plain {
	}

	chain f {
		type filter hook forward priority mangle + 5; policy drop;
	}

	chain r {
		type route hook output priority filter - 7; policy accept;
	}
}]], (list():gsub("progname %S+", "progname PROGRAM")))
    local chain = s:chains({ table = "t" })[2]
    assert.same({ family = "ip6", table = "t", name = "f", type = "filter", hook = "forward", priority = -145,
      policy = "drop", handle = chain.handle }, chain)
    local sets = s:sets { family = "ip6" }
    assert.same({ family = "ip6", table = "t", name = "a", kind = "set", key = { "ipv6_addr", "inet_service" },
      flags = "interval", size = 100, handle = sets[1].handle }, sets[1])
    assert.same({ "map", "verdict", 60.0 }, { sets[2].kind, sets[2].data, sets[2].timeout })
  end)

  it("makes chains of ARP", function()
    local s <close> = nft.socket()
    s:apply {
      { "add", "table", family = "arp", name = "t", owner = true },
      { "add", "chain", family = "arp", table = "t", name = "i", type = "filter", hook = "input", priority = 0 },
      { "add", "chain", family = "arp", table = "t", name = "o", type = "filter", hook = "output", priority = 0 },
      { "add", "rule", family = "arp", table = "t", chain = "i", iifname = "eth0", verdict = "drop" },
    }
    assert.is_truthy(output("nft list chain arp t i"):find("hook input priority filter", 1, true))
    assert.is_truthy(output("nft list chain arp t o"):find("hook output priority filter", 1, true))
    assert.equal("input", s:chains({ table = "t" })[1].hook)
    assert.equal("output", s:chains({ table = "t" })[2].hook)
  end)

  it("makes a dormant table", function()
    local s <close> = nft.socket()
    s:apply { { "add", "table", family = "ip", name = "d", owner = true, dormant = true } }
    assert.is_truthy(list():find("dormant", 1, true))
    local t = s:tables()[1]
    assert.same({ family = "ip", name = "d", handle = t.handle, owner = true, dormant = true }, t)
    assert.same({}, s:tables { family = "ip6" })
  end)

  it("reads elements back as they were written", function()
    local s <close> = nft.socket()
    local function check(o, written, nft_text)
      s:apply { T, set(o), elements("add", written) }
      assert.same(written, s:elements { table = "t", set = "s" })
      assert.is_truthy(list():gsub("%s+", " "):find(nft_text, 1, true), list())
      s:apply { { "delete", o.data and "map" or "set", table = "t", name = "s" } }
    end
    check({ key = "ipv4_addr" }, { "10.0.0.1", "10.0.0.2" }, "elements = { 10.0.0.1, 10.0.0.2 }")
    check({ key = "ipv6_addr", flags = "interval" }, { "fd00::/64", "fd00:1::1-fd00:1::8" },
      "elements = { fd00::/64, fd00:1::1-fd00:1::8 }")
    check({ key = "inet_service", flags = "interval" }, { 22, "80-90", 91, "60000-65535" },
      "elements = { 22, 80-90, 91, 60000-65535 }")
    check({ key = "inet_proto" }, { "tcp", "udp" }, "elements = { tcp, udp }")
    check({ key = "mark" }, { 1, 4294967295 }, "elements = { 0x00000001, 0xffffffff }")
    check({ key = "ifname" }, { "eth0", "veth12345678901" }, '"veth12345678901"')
    check({ key = "ipv4_addr,inet_service", flags = "interval" }, { { "10.0.0.0/24", "80-90" } },
      "elements = { 10.0.0.0/24 . 80-90 }")
    check({ key = { "inet_proto", "inet_service" }, data = { "ipv6_addr", "inet_service" } },
      { { "tcp", 8080, "fd00::2", 80 } }, "elements = { tcp . 8080 : fd00::2 . 80 }")
    check({ key = "ifname", data = "verdict" }, { { "eth0", "drop" }, { "eth1", "accept" } },
      'elements = { "eth0" : drop, "eth1" : accept }')
    check({ key = "mark", data = "mark" }, { { 1, 2 } }, "elements = { 0x00000001 : 0x00000002 }")
    check({ key = "ipv4_addr" }, { { "10.0.0.1", comment = "the first" } }, '10.0.0.1 comment "the first"')
  end)

  it("lets elements go by themselves", function()
    local s <close> = nft.socket()
    s:apply { T, set { key = "mark", flags = "timeout" }, elements("add", { { 7, timeout = 3600 } }) }
    local element = s:elements({ table = "t", set = "s" })[1]
    assert.equal(3600.0, element.timeout)
    assert.is_true(element.expires > 3500 and element.expires <= 3600)
  end)

  it("deletes and flushes", function()
    local s <close> = nft.socket()
    s:apply {
      T, set { key = "mark", data = "mark" }, elements("add", { { 1, 1 }, { 2, 2 }, { 3, 3 } }),
      { "add", "chain", table = "t", name = "c" },
      { "add", "rule", table = "t", chain = "c", mark = 1, verdict = "accept" },
      { "add", "rule", table = "t", chain = "c", mark = 2, verdict = "accept" },
    }
    s:apply { elements("delete", { { 1 }, { 2, 2 } }) }
    assert.same({ { 3, 3 } }, s:elements { table = "t", set = "s" })
    s:apply { { "flush", "map", table = "t", name = "s" } }
    assert.same({}, s:elements { table = "t", set = "s" })
    local rules = s:rules { table = "t" }
    assert.equal(rules[1].handle, rules[2].position)
    s:apply { { "delete", "rule", table = "t", chain = "c", handle = rules[1].handle } }
    assert.equal(2, s:rules({ table = "t", chain = "c" })[1].mark)
    s:apply { { "flush", "chain", table = "t", name = "c" } }
    assert.same({}, s:rules { table = "t" })
    s:apply { { "add", "rule", table = "t", chain = "c", mark = 1 }, { "flush", "table", name = "t" } }
    assert.same({}, s:rules())
    s:apply { { "delete", "chain", table = "t", name = "c" }, { "delete", "map", table = "t", name = "s" },
      { "delete", "table", name = "t" } }
    assert.equal("", list())
  end)

  it("puts rules where they belong", function()
    local s <close> = nft.socket()
    local function rule(verb, mark, position)
      return { verb, "rule", table = "t", chain = "c", mark = mark, position = position }
    end
    local function marks()
      local found = {}
      for i, r in ipairs(s:rules { table = "t" }) do found[i] = r.mark end
      return found
    end
    s:apply { T, { "add", "chain", table = "t", name = "c" }, rule("add", 2), rule("insert", 1), rule("add", 4) }
    assert.same({ 1, 2, 4 }, marks())
    local handle = s:rules({ table = "t" })[2].handle
    s:apply { rule("add", 3, handle) }
    assert.same({ 1, 2, 3, 4 }, marks())
    s:apply { rule("insert", 9, handle) }
    assert.same({ 1, 9, 2, 3, 4 }, marks())
  end)

  it("leaves an owned table to its owner, and takes it away with the socket", function()
    local s, other <close> = nft.socket(), nft.socket()
    finally(function() s:close() end)
    s:apply { T, { "add", "chain", table = "t", name = "c" } }
    local e = refused(other, { { "delete", "table", name = "t" } })
    assert.equal("operation 1: delete table inet t: Operation not permitted (EPERM); the table is owned by another "
      .. "process (flag owner): only the socket that made it may change it; use another name", tostring(e))
    assert.equal("EPERM", refused(other, { { "add", "rule", table = "t", chain = "c", mark = 1 } }).code)
    os.execute "nft flush ruleset"
    assert.is_truthy(list():find("table inet t", 1, true))
    s:close()
    assert.equal("", list())
  end)

  it("is taken away when the owner is killed", function()
    local code = [[local s = require("luabox.sys.nft").socket()
      s:apply { { "add", "table", name = "t", owner = true } } print "made" io.stdout:flush() io.read()]]
    local path = os.tmpname()
    finally(function() os.remove(path) end)
    local file = assert(io.open(path, "w"))
    file:write(code)
    file:close()
    local owner = io.popen(("exec sh -c 'echo $$; exec %s %s' </dev/zero"):format(os.getenv "LUABOX_INTERPRETER", path))
    local pid = owner:read "n"
    assert.equal("", owner:read "l")
    assert.equal("made", owner:read "l")
    assert.is_truthy(list():find("table inet t", 1, true))
    os.execute("kill -9 " .. pid)
    owner:close()
    assert.equal("", list())
  end)

  it("works in a namespace that is given", function()
    local ns <close> = namespace.create "net"
    local inside <close> = nft.socket(ns)
    local outside <close> = nft.socket()
    inside:apply { T }
    assert.equal(1, #inside:tables())
    assert.same({}, outside:tables())
    assert.equal("", list())
  end)

  it("says that a descriptor is of no network namespace", function()
    local file <close> = io.open "/proc/self/ns/uts"
    local ok, e = pcall(nft.socket, file)
    assert.is_false(ok)
    assert.equal("setns", e.op)
    assert.equal("EINVAL", e.code)
    assert.equal("the descriptor is not of a network namespace", e.hint)
  end)

  it("says that a set is unknown", function()
    local s <close> = nft.socket()
    local e = refused(s, { elements("add", { 1 }) })
    assert.equal("get set", e.op)
    assert.equal("inet t s", e.subject)
    assert.equal("ENOENT", e.code)
    local ok, e2 = pcall(s.elements, s, { table = "t", set = "s" })
    assert.is_false(ok)
    assert.equal("ENOENT", e2.code)
  end)

  it("says what it takes when not allowed", function()
    local code = [[local s = require("luabox.sys.nft").socket()
      local ok, e = pcall(s.apply, s, { { "add", "table", name = "t" } }) print(e)
      ok, e = pcall(s.tables, s) print(e)]]
    local said = run(code, "setpriv --bounding-set -net_admin --inh-caps -net_admin")
    assert.is_truthy(said:find("(EPERM); it takes CAP_NET_ADMIN", 1, true))
    assert.is_truthy(said:find("list tables of any family: Operation not permitted (EPERM)", 1, true), said)
  end)
end)
