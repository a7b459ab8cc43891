local address = require "luabox.address"
local address_pool = require "luabox.address_pool"

local function parse(text)
  return assert(address.parse(text))
end

local function problem(f, ...)
  local value, message = f(...)
  assert.is_nil(value)
  return message
end

describe("luabox.address", function()
  for text, canonical in pairs {
    ["0.0.0.0"] = "0.0.0.0",
    ["10.0.0.2"] = "10.0.0.2",
    ["10.0.0.2/24"] = "10.0.0.2/24",
    ["255.255.255.255/32"] = "255.255.255.255/32",
    ["10.0.0.0/0"] = "10.0.0.0/0",
    ["::"] = "::",
    ["::/0"] = "::/0",
    ["::1"] = "::1",
    ["1::"] = "1::",
    ["fd00::2/64"] = "fd00::2/64",
    ["FD00:0:0:0:0:0:0:2"] = "fd00::2",
    ["2001:db8:0:0:1:0:0:1"] = "2001:db8::1:0:0:1",
    ["2001:db8:0:1:1:1:1:1"] = "2001:db8:0:1:1:1:1:1",
    ["0:0:1:0:0:0:0:0"] = "0:0:1::",
    ["1:2:3:4:5:6:7:8/128"] = "1:2:3:4:5:6:7:8/128",
    ["1:2:3:4:5:6:7::"] = "1:2:3:4:5:6:7:0",
    ["::ffff:10.0.0.2"] = "::ffff:10.0.0.2",
    ["64:ff9b::1.2.3.4"] = "64:ff9b::102:304",
    ["ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"] = "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
  } do
    it("reads " .. text, function() assert.equal(canonical, tostring(parse(text))) end)
  end

  for _, text in ipairs {
    "", "x", "10.0.0", "10.0.0.0.1", "10.0.0.300", "10.0.0.300/24", "10.0.0.2/", "10.0.0.2/x", "10.0.0.2/024",
    "10.0.0.2/-1", "010.0.0.2", "10.0.0.2 ", " 10.0.0.2", "10..0.2", "0x10.0.0.2", "1000.0.0.2", ":", ":::", "1::2::3",
    "1:2:3:4:5:6:7", "1:2:3:4:5:6:7:8:9", "1:2:3:4::5:6:7:8", "12345::", "g::", "::1.2.3", "::1.2.3.300", ":1", "1:",
    "fe80::1%eth0", "10.0.0.2/24/24", "/24", "[::1]", "::1.2.3.4:5",
  } do
    it("refuses '" .. text .. "'", function()
      assert.equal(("'%s' is not an address"):format(text), problem(address.parse, text))
    end)
  end

  it("refuses a prefix that is too long", function()
    assert.equal("'10.0.0.2/33' has a prefix of more than 32 bits", problem(address.parse, "10.0.0.2/33"))
    assert.equal("'::/129' has a prefix of more than 128 bits", problem(address.parse, "::/129"))
    assert.equal("'::/99999999999999999999' has a prefix of more than 128 bits",
      problem(address.parse, "::/99999999999999999999"))
  end)

  it("compares by number", function()
    assert.equal(parse "10.0.0.2", parse "10.0.0.2")
    assert.not_equal(parse "10.0.0.2", parse "10.0.0.2/24")
    assert.is_true(parse "9.0.0.0" < parse "10.0.0.0")
    assert.is_true(parse "127.0.0.1" < parse "200.0.0.1")
    assert.is_true(parse "255.0.0.1" < parse "::")
    assert.is_true(parse "7fff::" < parse "8000::")
    assert.is_true(parse "::7fff:0:0:0" < parse "::8000:0:0:0")
    assert.is_true(parse "10.0.0.1" <= parse "10.0.0.1")
    assert.is_false(parse "10.0.0.2" <= parse "10.0.0.1")
  end)

  it("counts on", function()
    assert.equal("10.0.1.0/24", tostring(parse "10.0.0.255/24" + 1))
    assert.equal("10.0.0.255", tostring(parse "10.0.1.0" + -1))
    assert.equal("0:0:0:1::", tostring(parse "::ffff:ffff:ffff:ffff" + 1))
    assert.equal("::ffff:ffff:ffff:ffff", tostring(parse "0:0:0:1::" + -1))
    assert.equal("::8", tostring(3 + parse "::5"))
  end)

  for text, expected in pairs {
    ["192.168.2.7/24"] = { "192.168.2.0/24", "192.168.2.255", "192.168.2.1/24", "192.168.2.254/24" },
    ["10.1.2.3/8"] = { "10.0.0.0/8", "10.255.255.255", "10.0.0.1/8", "10.255.255.254/8" },
    ["10.0.0.5/30"] = { "10.0.0.4/30", "10.0.0.7", "10.0.0.5/30", "10.0.0.6/30" },
    ["10.0.0.5/31"] = { "10.0.0.4/31", "10.0.0.5", "10.0.0.4/31", "10.0.0.5/31" },
    ["10.0.0.5/32"] = { "10.0.0.5/32", "10.0.0.5", "10.0.0.5/32", "10.0.0.5/32" },
    ["10.0.0.5/0"] = { "0.0.0.0/0", "255.255.255.255", "0.0.0.1/0", "255.255.255.254/0" },
    ["fd00::7/64"] = { "fd00::/64", "fd00::ffff:ffff:ffff:ffff", "fd00::1/64", "fd00::ffff:ffff:ffff:ffff/64" },
    ["fd00:1:2:3:4:5:6:7/48"] = {
      "fd00:1:2::/48", "fd00:1:2:ffff:ffff:ffff:ffff:ffff", "fd00:1:2::1/48", "fd00:1:2:ffff:ffff:ffff:ffff:ffff/48",
    },
    ["fd00::7/112"] = { "fd00::/112", "fd00::ffff", "fd00::1/112", "fd00::ffff/112" },
    ["::7/0"] = {
      "::/0", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "::1/0", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff/0",
    },
  } do
    it("knows the subnet of " .. text, function()
      local a = parse(text)
      assert.same(expected, {
        tostring(a:network()), tostring(a:broadcast()), tostring(a:first()), tostring(a:last()),
      })
    end)
  end

  it("knows what a subnet contains", function()
    local lan = parse "192.168.2.0/24"
    assert.is_true(lan:contains(parse "192.168.2.255"))
    assert.is_true(lan:contains(parse "192.168.2.128/25"))
    assert.is_false(lan:contains(parse "192.168.3.0"))
    assert.is_false(lan:contains(parse "192.168.0.0/16"))
    assert.is_false(lan:contains(parse "::"))
    assert.is_true(parse("fd00::/8"):contains(parse "fdff::1"))
    assert.is_false(parse("fd00::/65"):contains(parse "fd00::8000:0:0:0"))
    assert.is_true(parse("0.0.0.0/0"):contains(parse "255.1.2.3"))
  end)

  it("knows what overlaps", function()
    assert.is_true(parse("10.0.0.0/8"):overlaps(parse "10.1.0.0/16"))
    assert.is_true(parse("10.1.0.0/16"):overlaps(parse "10.0.0.0/8"))
    assert.is_false(parse("10.1.0.0/16"):overlaps(parse "10.2.0.0/16"))
  end)

  it("reads subnets", function()
    assert.equal("192.168.2.0/24", tostring(address.subnet "192.168.2.0/24"))
    assert.equal("'192.168.2.1/24' is an address within the subnet '192.168.2.0/24'",
      problem(address.subnet, "192.168.2.1/24"))
    assert.equal("'192.168.2.0' has no prefix; write it as '192.168.2.0/24'", problem(address.subnet, "192.168.2.0"))
    assert.equal("'fd00::' has no prefix; write it as 'fd00::/64'", problem(address.subnet, "fd00::"))
    assert.equal("'lan' is not a subnet, such as '10.0.0.0/24'", problem(address.subnet, "lan"))
    assert.equal("'10.0.0.0/99' has a prefix of more than 32 bits", problem(address.subnet, "10.0.0.0/99"))
  end)

  it("asks for a prefix or none", function()
    local with, without = parse "10.0.0.2/24", parse "10.0.0.2"
    assert.equal(with, address.require_prefix(with))
    assert.equal(with, address.require_prefix(with, "required"))
    assert.equal("'10.0.0.2' has no prefix; write it as '10.0.0.2/24'",
      problem(address.require_prefix, without, "required"))
    assert.equal("'10.0.0.2/24' has a prefix; only the address '10.0.0.2' belongs here",
      problem(address.require_prefix, with, "none"))
  end)

  it("knows the address for any", function()
    assert.is_true(parse("0.0.0.0"):is_unspecified())
    assert.is_true(parse("::"):is_unspecified())
    assert.is_false(parse("::1"):is_unspecified())
  end)

  it("makes MAC addresses that are unicast and local", function()
    assert.equal("02:42:c0:a8:02:01", parse("192.168.2.1/24"):mac())
    assert.equal("06:00:00:00:00:02", parse("fd00::2"):mac())
  end)

  it("is told from other values", function()
    assert.is_true(address.is(parse "::1"))
    assert.is_false(address.is("::1"))
    assert.is_false(address.is({ version = 4 }))
  end)
end)

describe("luabox.address_pool", function()
  local function pool(text)
    return address_pool.new(assert(address.subnet(text)))
  end

  it("hands out each address once", function()
    local p = pool "10.0.0.0/29"
    local texts = {}
    for i = 1, 6 do texts[i] = tostring(p:next("v" .. i)) end
    assert.same({ "10.0.0.1/29", "10.0.0.2/29", "10.0.0.3/29", "10.0.0.4/29", "10.0.0.5/29", "10.0.0.6/29" }, texts)
    assert.equal("the subnet 10.0.0.0/29 has no free address left; take a larger one", problem(p.next, p, "v7"))
  end)

  it("skips those that were taken", function()
    local p = pool "10.0.0.0/24"
    assert.equal("10.0.0.1/24", tostring(p:take(parse "10.0.0.1", "gateway")))
    assert.equal("10.0.0.3/24", tostring(p:take(parse "10.0.0.3/24", "v3")))
    assert.equal("10.0.0.2/24", tostring(p:next "v1"))
    assert.equal("10.0.0.4/24", tostring(p:next "v2"))
  end)

  it("hands out again what was given back", function()
    local p = pool "10.0.0.0/30"
    p:next "a"
    local b = p:next "b"
    p:release(parse "10.0.0.1")
    assert.equal("10.0.0.1/30", tostring(p:next "c"))
    p:release(b)
    assert.equal("10.0.0.2/30", tostring(p:next "d"))
  end)

  it("uses the whole of the smallest subnets", function()
    local p = pool "10.0.0.0/31"
    assert.equal("10.0.0.0/31", tostring(p:next "a"))
    assert.equal("10.0.0.1/31", tostring(p:next "b"))
    assert.is_nil((p:next "c"))
    p = pool "255.255.255.255/32"
    assert.equal("255.255.255.255/32", tostring(p:next "a"))
    assert.is_nil((p:next "b"))
  end)

  it("hands out IPv6", function()
    local p = pool "fd00::/64"
    assert.equal("fd00::1/64", tostring(p:next "a"))
    assert.equal("fd00::2/64", tostring(p:next "b"))
  end)

  it("refuses what cannot be had", function()
    local p = pool "192.168.2.0/24"
    p:take(parse "192.168.2.1", "v1")
    local function refusal(text) return problem(p.take, p, parse(text), "v2") end
    assert.equal("192.168.2.1 is taken by v1", refusal "192.168.2.1")
    assert.equal("192.168.3.1 is not in the subnet 192.168.2.0/24", refusal "192.168.3.1")
    assert.equal("fd00::1 is not in the subnet 192.168.2.0/24", refusal "fd00::1")
    assert.equal("192.168.2.7/25 has another prefix than its subnet 192.168.2.0/24", refusal "192.168.2.7/25")
    assert.equal("192.168.2.0 is the address of the subnet itself", refusal "192.168.2.0")
    assert.equal("192.168.2.255 is the broadcast address of 192.168.2.0/24", refusal "192.168.2.255")
  end)
end)
