local options = require "luabox.options"
local port_map = require "luabox.port_map"

local function shown(list)
  local texts = {}
  for _, o in ipairs(assert(port_map.parse(list))) do
    texts[#texts + 1] = ("%s %d %d %s"):format(o.address or "*", o.host, o.container, o.protocol)
  end
  return texts
end

describe("luabox.port_map", function()
  for text, expected in pairs {
    ["8080:80"] = "* 8080 80 tcp",
    ["8080:80/udp"] = "* 8080 80 udp",
    ["0:80"] = "* 0 80 tcp",
    ["8080:80/tcp"] = "* 8080 80 tcp",
    ["80"] = "* 80 80 tcp",
    ["53/udp"] = "* 53 53 udp",
    ["127.0.0.1:8080:80/udp"] = "127.0.0.1 8080 80 udp",
    ["0.0.0.0:8080:80"] = "0.0.0.0 8080 80 tcp",
    ["[::1]:8080:80"] = "::1 8080 80 tcp",
    ["[::]:1:65535"] = ":: 1 65535 tcp",
  } do
    it("reads " .. text, function() assert.same({ expected }, shown { text }) end)
  end

  it("reads ranges, one map for each port", function()
    assert.same({ "* 8000 80 tcp", "* 8001 81 tcp", "* 8002 82 tcp" }, shown { "8000-8002:80-82" })
    assert.same({ "127.0.0.1 7 7 udp", "127.0.0.1 8 8 udp" }, shown { "127.0.0.1:7-8:7-8/udp" })
    assert.same({ "* 7 7 tcp", "* 8 8 tcp" }, shown { "7-8" })
  end)

  it("keeps the text", function()
    local maps = port_map.parse { "7-8", 80 }
    assert.equal("7-8", maps[2].text)
    assert.equal("80", maps[3].text)
  end)

  for text, problem in pairs {
    [""] = "the host port is missing",
    ["http"] = "'http' is neither a port nor a range of ports",
    ["8080:"] = "the container port is missing",
    [":80"] = "the host port is missing",
    ["8080:http"] = "'http' is neither a port nor a range of ports",
    ["8080 :80"] = "'8080 ' is neither a port nor a range of ports",
    ["-1:80"] = "'-1' is neither a port nor a range of ports",
    ["80:0"] = "port 0 is out of range (1 to 65535)",
    ["8080:65536"] = "port 65536 is out of range (1 to 65535)",
    ["8010-8000:80-90"] = "the range 8010-8000 runs backwards",
    ["8000-8010:80-81"] = "11 host ports for 2 container ports",
    ["8000-8010:80"] = "11 host ports for 1 container ports",
    ["1-2-3:80"] = "'1-2-3' is neither a port nor a range of ports",
    ["8080:80/sctp"] = "unknown protocol 'sctp'; expected 'tcp' or 'udp'",
    ["8080:80/"] = "unknown protocol ''; expected 'tcp' or 'udp'",
    ["8080:80/TCP"] = "unknown protocol 'TCP'; expected 'tcp' or 'udp'",
    ["127.0.0.1::80"] = "the host port is missing",
    ["127.0.0.300:8080:80"] = "'127.0.0.300' is not an address",
    ["localhost:8080:80"] = "'localhost' is not an address",
    ["::1:8080:80"] = "an IPv6 address stands in brackets: '[::1]'",
    ["[::1:8080:80"] = "'[::1' is not an address",
    ["[]:8080:80"] = "'' is not an address",
  } do
    it("refuses '" .. text .. "'", function()
      local maps, message = port_map.parse { text }
      assert.is_nil(maps)
      assert.equal(("'%s': %s"):format(text, problem), message)
    end)
  end

  it("refuses what is no list", function()
    assert.same({ nil, "list expected, got string" }, { port_map.parse "80:80" })
  end)

  it("refuses a port that is too large for a number", function()
    local _, message = port_map.parse { "99999999999999999999:80" }
    assert.is_truthy(message:find("is out of range (1 to 65535)", 1, true), message)
  end)

  describe("one port mapped twice", function()
    local function problem(list)
      return select(2, port_map.parse(list))
    end

    it("is refused", function()
      assert.equal("host port 8080/tcp is mapped twice: by '8080:80' and by '8080:81'",
        problem { "8080:80", "8080:81" })
      assert.equal("host port 8001/tcp is mapped twice: by '8000-8002:80-82' and by '8001:1'",
        problem { "8000-8002:80-82", "8001:1" })
    end)

    it("is refused where one address stands for all", function()
      assert.is_truthy(problem { "8080:80", "127.0.0.1:8080:81" })
      assert.is_truthy(problem { "0.0.0.0:8080:80", "127.0.0.1:8080:81" })
      assert.is_truthy(problem { "[::]:8080:80", "[::1]:8080:81" })
    end)

    it("is allowed for two addresses, versions or protocols", function()
      assert.is_nil(problem { "127.0.0.1:8080:80", "127.0.0.2:8080:81" })
      assert.is_nil(problem { "0.0.0.0:8080:80", "[::]:8080:80" })
      assert.is_nil(problem { "8080:80/tcp", "8080:80/udp" })
    end)
  end)

  describe("as an option", function()
    local spec = { ports = port_map.option }

    local function problem(ports)
      local _, message = pcall(options.check, spec, { ports = ports }, "container")
      return message:match("%((.*)%)$")
    end

    it("takes tables, too", function()
      local given = { 80, "81:82", { host = 83, container = 84, address = "::1" } }
      local ports = options.check(spec, { ports = given }, "x").ports
      assert.equal(80, ports[1].host)
      assert.equal(82, ports[2].container)
      assert.equal("[::1]:83:84/tcp", ports[3].text)
      assert.equal(6, ports[3].address.version)
    end)

    it("takes the container's port for the host's", function()
      assert.equal(84, options.check(spec, { ports = { { container = 84 } } }, "x").ports[1].host)
    end)

    it("says what is wrong", function()
      assert.equal("option 'ports': list expected, got string", problem "8080:80")
      assert.equal("option 'ports[1]': integer or string or table expected, got boolean", problem { true })
      assert.equal("option 'ports[2]': 70000 is out of range (1 to 65535)", problem { 80, 70000 })
      assert.equal("option 'ports[1].container' is missing", problem { { host = 80 } })
      assert.equal("unknown option 'ports[1].contianer'; did you mean 'container'?", problem { { contianer = 80 } })
      assert.equal("option 'ports[1].protocol': unknown value 'sctps'; expected one of 'tcp', 'udp'",
        problem { { container = 80, protocol = "sctps" } })
      assert.equal("option 'ports[1].address': '10.0.0.300' is not an address",
        problem { { container = 80, address = "10.0.0.300" } })
      assert.equal("option 'ports[1].address': '10.0.0.3/8' has a prefix; only the address '10.0.0.3' belongs here",
        problem { { container = 80, address = "10.0.0.3/8" } })
      assert.equal("option 'ports': '8080:http': 'http' is neither a port nor a range of ports",
        problem { "8080:http" })
      assert.equal("option 'ports': host port 80/tcp is mapped twice: by '80' and by '80:81'", problem { 80, "80:81" })
    end)
  end)
end)
