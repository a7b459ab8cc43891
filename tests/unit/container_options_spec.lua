local leaks = require "leaks"
local luabox = require "luabox"
local sentences = require "sentences"

local LONG = ("x"):rep(64)
local SIZE = "number of bytes or string such as '64M' expected, got boolean"
local HOST_NAME = "is not a host name: letters, digits and '-', not at the start"

-- Asserts that luabox.container refuses each { options, sentence }; the name is "box" unless a case has one.
local function refuses(cases)
  for _, case in ipairs(cases) do case[1].name = case[1].name or "box" end
  sentences.check(luabox.container, "container", cases)
end

-- Cases of one option: pairs of its value and the sentence about it.
local function of(name, list)
  local cases = {}
  for _, pair in ipairs(list) do
    cases[#cases + 1] = { { [name] = pair[1] }, ("option '%s%s': %s"):format(name, pair[3] or "", pair[2]) }
  end
  refuses(cases)
end

local function new_lan()
  return luabox.network { name = "lan", subnet = { "10.1.0.0/24", "fd00:1::/64" } }
end

local function new_ipv4()
  return luabox.network { name = "four", subnet = "10.4.0.0/24" }
end

-- Who has what in a network.
local function places(network)
  local list = {}
  for _, pool in pairs(network.pools) do
    for address, owner in pairs(pool.owners) do list[#list + 1] = address .. " " .. owner end
  end
  for name in pairs(network.by_name) do list[#list + 1] = name end
  table.sort(list)
  return table.concat(list, "\n") .. #network.members
end

describe("luabox.container", function()
  local before

  before_each(function() before = leaks.snapshot() end)

  -- A refused call has no effect, and neither has one that is taken: `start` acts.
  after_each(function() assert.same({}, leaks.difference(before, leaks.snapshot())) end)

  it("touches nothing", function()
    local lan <close> = new_lan()
    local box <close> = luabox.container {
      name = "box", command = { "true" }, memory = "64M", ports = { "8080:80" }, network = lan,
      rootfs = "/nowhere", mounts = { { source = "/nowhere", target = "/x" } }, stdout = { path = "/nowhere/x" } }
    assert.equal("created", box:state())
    assert.equal("10.1.0.1", box.address)
    assert.same({}, leaks.difference(before, leaks.snapshot()))
  end)

  it("wants a table of options that it knows", function()
    assert.equal("#1 to 'container' (table expected, got no value)", sentences.refusal(luabox.container))
    assert.equal("#1 to 'container' (table expected, got string)", sentences.refusal(luabox.container, "box"))
    assert.equal("#1 to 'container' (option 'name' is missing)", sentences.refusal(luabox.container, {}))
    refuses {
      { { nam = "x" }, "unknown option 'nam'; did you mean 'name'?" },
      { { comand = {} }, "unknown option 'comand'; did you mean 'command'?" },
      { { "box" }, "option names are strings, got a number key" },
    }
  end)

  it("checks names", function()
    of("name", {
      { 1, "string expected, got number" }, { "", "is empty" }, { "a b", "'a b' " .. HOST_NAME },
      { "-a", "'-a' " .. HOST_NAME }, { "a/b", "'a/b' " .. HOST_NAME }, { "a\0", "contains a zero byte" },
      { LONG, ("'%s' is 64 bytes long; at most 63 are allowed"):format(LONG) },
    })
    of("hostname", {
      { 1, "string expected, got number" }, { "", "is empty" }, { "a.b", "'a.b' " .. HOST_NAME },
      { LONG, ("'%s' is 64 bytes long; at most 63 are allowed"):format(LONG) },
    })
    of("domainname", { { 1, "string expected, got number" }, { "", "is empty" },
      { LONG .. "x", ("'%sx' is 65 bytes long; at most 64 are allowed"):format(LONG) } })
  end)

  it("checks the command", function()
    of("command", {
      { "ls -l", "list expected, got string" }, { {}, "is empty" }, { { "" }, "the program's name is empty" },
      { { a = "x" }, "list expected, got a table with the key 'a'" },
      { { "a", 1 }, "string expected, got number", "[2]" }, { { "a\0b" }, "contains a zero byte", "[1]" },
    })
    of("init", { { 1, "boolean expected, got number" } })
    of("cwd", { { 1, "string expected, got number" }, { "tmp", "'tmp' is not an absolute path" }, { "", "is empty" },
      { "/" .. ("x"):rep(4095), ("'/%s' is 4096 bytes long; at most 4095 are allowed"):format(("x"):rep(79)) } })
    of("env", {
      { 1, "table expected, got number" }, { { "A=B" }, "names are strings, got a number key" },
      { { ["A=B"] = "x" }, "name 'A=B' has a '=' in it" }, { { [""] = "x" }, "name is empty" },
      { { A = 1 }, "string expected, got number", ".A" }, { { A = "a\0b" }, "contains a zero byte", ".A" },
    })
    of("user", {
      { "root", "table expected, got string" }, { { uid = "root" }, "integer expected, got string", ".uid" },
      { { uid = -1 }, "-1 is out of range (0 to 4294967294)", ".uid" },
      { { gid = 2 ^ 32 }, "4294967296 is out of range (0 to 4294967294)", ".gid" },
      { { groups = 5 }, "list expected, got number", ".groups" },
      { { groups = { -1 } }, "-1 is out of range (0 to 4294967294)", ".groups[1]" },
    })
    refuses { { { user = { name = "x" } }, "unknown option 'user.name'; expected one of 'gid', 'groups', 'uid'" } }
  end)

  it("checks the root", function()
    of("rootfs", { { 1, "luabox.overlay or string or luabox.mount expected, got number" },
      { "", "is empty" }, { "root", "'root' is not an absolute path" }, { {}, "luabox.mount expected, got table" },
      { io.stdout, "luabox.mount expected, got FILE*" } })
    of("access", { { 1, "string expected, got number" }, { "ro", "'ro' needs a 'rootfs'" },
      { "xx", "unknown value 'xx'; expected one of 'overlay', 'ro', 'rw'" } })
    of("size", { { true, SIZE }, { 1, "'1' is out of range (at least 4096)" },
      { "4X", "'4X' is not a size, such as '512K', '64M' or '1G'" } })
    of("files", {
      { "x", "table expected, got string" }, { { "x" }, "names are strings, got a number key" },
      { { x = "y" }, "name 'x' is not an absolute path" }, { { ["/x"] = 1 }, "string expected, got number", "./x" },
    })
  end)

  it("checks mounts", function()
    of("mounts", {
      { 1, "list expected, got number" }, { { 1 }, "table expected, got number", "[1]" },
      { { { target = 1 } }, "string expected, got number", "[1].target" },
      { { { target = "x" } }, "'x' is not an absolute path", "[1].target" },
      { { { target = "//", type = "tmpfs" } }, "'/' is the root itself, which 'rootfs' and 'access' tell",
        "[1].target" },
      { { { target = "/x" } }, "an absolute path of the host is needed for a bind mount", "[1].source" },
      { { { target = "/x", source = "y" } }, "an absolute path of the host is needed for a bind mount", "[1].source" },
      { { { target = "/x", source = "/y", flags = "r0" } }, "unknown value 'r0'; did you mean 'ro'?", "[1].flags" },
      { { { target = "/x", type = "tmpfs", flags = "ro,nosid" } }, "unknown value 'nosid'; did you mean 'nosuid'?",
        "[1].flags" },
      { { { target = "/x", source = "/y", flags = 1 } }, "string expected, got number", "[1].flags" },
      { { { target = "/x", type = "" } }, "is empty", "[1].type" },
      { { { target = "/x", type = "tmpfs", data = 1 } }, "string expected, got number", "[1].data" },
      { { { target = "/x", source = "/y", data = "ro" } }, "a bind mount has none; its flags may be 'ro', 'nosuid', " ..
        "'nodev', 'noexec', 'noatime', 'nodiratime', 'strictatime', 'nosymfollow', 'rec'", "[1].data" },
    })
    refuses {
      { { mounts = { {} } }, "option 'mounts[1].target' is missing" },
      { { mounts = { { typ = "x" } } }, "unknown option 'mounts[1].typ'; did you mean 'type'?" },
    }
  end)

  it("checks id maps", function()
    local one = { { inside = 0, outside = 0 } }
    local cases = {
      { { uid_map = one }, "option 'gid_map': is missing: a user namespace needs both maps" },
      { { gid_map = one }, "option 'uid_map': is missing: a user namespace needs both maps" },
      { { uid_map = one, gid_map = one, network = "host" },
        "option 'uid_map': cannot be combined with network = \"host\"" },
    }
    for _, pair in ipairs {
      { 1, "': list expected, got number" }, { {}, "': is empty" }, { { { inside = 0 } }, "[1].outside' is missing" },
      { { { inside = -1, outside = 0 } }, "[1].inside': -1 is out of range (0 to 4294967294)" },
      { { { inside = 0, outside = 0, count = 0 } }, "[1].count': 0 is out of range (1 to 4294967295)" },
      { { { inside = 0, outside = 4294967290, count = 10 } }, "': range 1 goes beyond the last id, 4294967294" },
      { { { inside = 0, outside = 0, count = 9 }, { inside = 5, outside = 100 } },
        "': the inside ids of ranges 1 and 2 overlap" },
      { { { inside = 0, outside = 5, count = 9 }, { inside = 50, outside = 0, count = 6 } },
        "': the outside ids of ranges 1 and 2 overlap" },
    } do
      cases[#cases + 1] = { { uid_map = pair[1], gid_map = one }, "option 'uid_map" .. pair[2] }
      cases[#cases + 1] = { { uid_map = one, gid_map = pair[1] }, "option 'gid_map" .. pair[2] }
    end
    refuses(cases)
  end)

  it("checks limits", function()
    local not_a_size = "'%s' is not a size, such as '512K', '64M' or '1G'"
    of("memory", { { true, SIZE }, { 1, "'1' is out of range (at least 4096)" }, { -1, not_a_size:format(-1) },
      { "64Q", not_a_size:format "64Q" } })
    of("memory_high", { { true, SIZE }, { 1, "'1' is out of range (at least 4096)" } })
    of("memory_swap", { { true, SIZE }, { -1, not_a_size:format(-1) } })
    of("cpus", { { "1", "number expected, got string" }, { 0, "0 is out of range (0.01 to 8192)" },
      { 8193, "8193 is out of range (0.01 to 8192)" } })
    of("cpu_weight", { { "1", "integer expected, got string" }, { 0, "0 is out of range (1 to 10000)" },
      { 10001, "10001 is out of range (1 to 10000)" } })
    local cases = { { 1, "string expected, got number" } }
    for i, text in ipairs { "", "x", "0-", "-1", "1,,2", "3-1" } do
      cases[i + 1] = { text, ("'%s' is not a list of CPUs, such as '0-1,3'"):format(text) }
    end
    of("cpuset", cases)
    of("pids", { { "1", "integer expected, got string" }, { 0, "0 is out of range (1 to 4194304)" } })
    local io = "'%s' is not a limit, such as 'rbps=1048576'; there are rbps, wbps, riops and wiops"
    of("io", {
      { 1, "table expected, got number" }, { { sda = "rbps=1" }, "name 'sda' is not a device, such as '8:0'" },
      { { ["8:0"] = 1 }, "string expected, got number", ".8:0" }, { { ["8:0"] = "" }, "is empty", ".8:0" },
      { { ["8:0"] = "rbps=1 bps=2" }, io:format "bps=2", ".8:0" },
      { { ["8:0"] = "rbps=x" }, io:format "rbps=x", ".8:0" },
    })
  end)

  it("checks what processes may", function()
    of("rlimits", {
      { 1, "table expected, got number" },
      { { NOFIL = 1 }, "name 'NOFIL' is unknown; did you mean 'NOFILE'?" },
      { { NOFILE = -1 }, "-1 is out of range (at least 0)", ".NOFILE" },
      { { NOFILE = "x" }, "'x' is neither a number nor 'unlimited'", ".NOFILE" },
    })
    of("sysctls", {
      { 1, "table expected, got number" },
      { { ["../x"] = 1 }, "name '../x' is not a sysctl's name, such as 'net.ipv4.ip_forward'" },
      { { ["kernel.shmmax"] = true }, "integer or string expected, got boolean", ".kernel.shmmax" },
      { { ["kernel.shmmax"] = "1\n2" }, "'1\n2' has more than one line", ".kernel.shmmax" },
    })
    for _, name in ipairs { "vm.swappiness", "kernel.panic", "fs/file-max" } do
      of("sysctls", { { { [name] = 1 },
        ("'%s' is the host's, not the container's; set it with luabox.sys.system.set_sysctl"):format(name) } })
    end
    refuses { { { network = "host", sysctls = { ["net.ipv4.ip_forward"] = 1 } },
      "option 'sysctls': 'net.ipv4.ip_forward' is the host's, not the container's; " ..
      "set it with luabox.sys.system.set_sysctl" } }
    of("capabilities", { { 1, "string expected, got number" },
      { "chown,CAP_NET_ADMIN", "unknown value 'CAP_NET_ADMIN'; did you mean 'net_admin'?" },
      { "chow", "unknown value 'chow'; did you mean 'chown'?" } })
    of("seccomp", { { 1, "boolean or luabox.seccomp expected, got number" } })
    of("no_new_privs", { { 1, "boolean expected, got number" } })
  end)

  it("checks streams and times", function()
    for _, name in ipairs { "stdin", "stdout", "stderr" } do
      of(name, {
        { true, "handle, io file or descriptor number or table or string expected, got boolean" },
        { -1, "handle, io file or descriptor number expected, got number" },
        { "nul", "unknown value 'nul'; did you mean 'null'?" },
        { { path = 1 }, "string expected, got number", ".path" }, { { path = "" }, "is empty", ".path" },
        { { path = "x", mode = "q" }, "unknown value 'q'; expected one of 'r', 'w', 'a'", ".mode" },
      })
      refuses { { { [name] = {} }, ("option '%s.path' is missing"):format(name) } }
    end
    of("stop_timeout", {
      { true, "number of seconds or string such as '1.5s' expected, got boolean" },
      { -1, "'-1' is not a duration, such as 3, '1.5s' or '200ms'" },
      { "1w", "'1w' is not a duration, such as 3, '1.5s' or '200ms'" },
    })
  end)

  it("checks names of others", function()
    of("hosts", {
      { 1, "table expected, got number" }, { { db = 1 }, "string expected, got number", ".db" },
      { { db = "x" }, "'x' is not an address", ".db" },
      { { ["a b"] = "10.0.0.1" },
        "name 'a b' is not a name: letters, digits, '_', '.' and '-', the last two not at the start" },
    })
    of("dns", {
      { "10.0.0.1", "list expected, got string" }, { { "x" }, "'x' is not an address", "[1]" },
      { { "10.0.0.1/8" }, "'10.0.0.1/8' has a prefix; only the address '10.0.0.1' belongs here", "[1]" },
      { { "10.0.0.1", "10.0.0.2", "10.0.0.3", "10.0.0.4" }, "has 4 entries; at most 3 are allowed" },
    })
  end)

  it("checks networks", function()
    local lan <close> = new_lan()
    of("network", {
      { 1, "luabox.network or string expected, got number" }, { {}, "luabox.network expected, got table" },
      { "hosts", "unknown value 'hosts'; did you mean 'host'?" },
      { "lan", "unknown value 'lan'; expected one of 'none', 'host' or a luabox.network" },
    })
    of("networks", { { {}, "is empty" }, { "x", "list expected, got string" } })
    of("address", { { "10.1.0.1", "needs a network" }, { 1, "string or list expected, got number" }, { {}, "is empty" },
      { "x", "'x' is not an address" },
      { "10.1.0.1/24", "'10.1.0.1/24' has a prefix; only the address '10.1.0.1' belongs here" } })
    refuses {
      { { networks = { {} } }, "option 'networks[1].network' is missing" },
      { { networks = { { network = "host" } } }, "option 'networks[1].network': luabox.network expected, got string" },
      { { network = lan, networks = { { network = lan } } },
        "option 'networks': cannot be given together with 'network'" },
      { { networks = { { network = lan } }, address = "10.1.0.1" },
        "option 'address': belongs into an entry of 'networks' here" },
      { { networks = { { network = lan } }, routes = {} },
        "option 'routes': belongs into an entry of 'networks' here" },
      { { routes = {} }, "option 'routes': needs a network" },
      { { networks = { { network = lan, adress = "x" } } },
        "unknown option 'networks[1].adress'; did you mean 'address'?" },
      { { networks = { { network = lan, default_route = 1 } } },
        "option 'networks[1].default_route': boolean expected, got number" },
    }
  end)

  it("says which interface name is wrong, and how long", function()
    local lan <close> = new_lan()
    local not_allowed = "'%s' is not an interface name: no '/', ':', '%%' or blank is allowed in it"
    local cases = {}
    for _, pair in ipairs {
      { 1, "string expected, got number" }, { "", "is empty" },
      { "a-name-of-16-xxx", "'a-name-of-16-xxx' is 16 bytes long; at most 15 are allowed" },
      { "a/b", not_allowed:format "a/b" }, { "a b", not_allowed:format "a b" }, { "a:1", not_allowed:format "a:1" },
      { "eth%d", not_allowed:format "eth%d" }, { "..", "'..' is not an interface name that can be chosen" },
      { "lo", "'lo' is not an interface name that can be chosen" },
    } do
      cases[#cases + 1] = { { networks = { { network = lan, interface = pair[1] } } },
        ("option 'networks[1].interface': %s"):format(pair[2]) }
    end
    refuses(cases)
  end)

  it("checks MAC addresses", function()
    local lan <close> = new_lan()
    local cases = {}
    for _, pair in ipairs {
      { 1, "string expected, got number" }, { "x", "'x' is not a MAC address, such as '02:00:00:00:00:01'" },
      { "01:00:00:00:00:01", "'01:00:00:00:00:01' is no MAC address of a single link" },
      { "00:00:00:00:00:00", "'00:00:00:00:00:00' is no MAC address of a single link" },
    } do
      cases[#cases + 1] = { { networks = { { network = lan, mac = pair[1] } } },
        ("option 'networks[1].mac': %s"):format(pair[2]) }
    end
    refuses(cases)
  end)

  it("checks ports", function()
    local lan <close> = new_ipv4()
    local port = "is neither a port nor a range of ports"
    for _, pair in ipairs {
      { "80", "': list expected, got string" }, { { true }, "[1]': integer or string or table expected, got boolean" },
      { { "" }, "': '': the host port is missing" }, { { ":80" }, "': ':80': the host port is missing" },
      { { "80:" }, "': '80:': the container port is missing" }, { { "80:x" }, "': '80:x': 'x' " .. port },
      { { "1.5:80" }, "': '1.5:80': '1.5' " .. port }, { { "-1:80" }, "': '-1:80': '-1' " .. port },
      { { 0 }, "[1]': 0 is out of range (1 to 65535)" },
      { { "70000:80" }, "': '70000:80': port 70000 is out of range (1 to 65535)" },
      { { "9-8:9-8" }, "': '9-8:9-8': the range 9-8 runs backwards" },
      { { "80-90:80-91" }, "': '80-90:80-91': 11 host ports for 12 container ports" },
      { { "80:80/sctp" }, "': '80:80/sctp': unknown protocol 'sctp'; expected 'tcp' or 'udp'" },
      { { "10.0.0.300:80:80" }, "': '10.0.0.300:80:80': '10.0.0.300' is not an address" },
      { { "::1:80:80" }, "': '::1:80:80': an IPv6 address stands in brackets: '[::1]'" },
      { { "[::1]:80:80" }, "': '[::1]:80:80': network 'four' has no IPv6" },
      { { "80:80", "80:81" }, "': host port 80/tcp is mapped twice: by '80:80' and by '80:81'" },
      { { { host = 80 } }, "[1].container' is missing" },
      { { { container = 65536 } }, "[1].container': 65536 is out of range (1 to 65535)" },
      { { { container = 1, host = "x" } }, "[1].host': integer expected, got string" },
      { { { container = 1, protocol = "tpc" } }, "[1].protocol': unknown value 'tpc'; did you mean 'tcp'?" },
      { { { container = 1, address = "x" } }, "[1].address': 'x' is not an address" },
    } do
      refuses { { { network = lan, ports = pair[1] }, "option 'ports" .. pair[2] } }
    end
    refuses {
      { { ports = { "80:80" } }, "option 'ports': '80:80' needs a network" },
      { { ports = { "80:80" }, network = "host" }, "option 'ports': '80:80' needs a network" },
      { { network = lan, ports = { { container = 1, hots = 1 } } },
        "unknown option 'ports[1].hots'; did you mean 'host'?" },
    }
  end)

  it("keeps no place of a network when it refuses", function()
    local lan <close> = new_lan()
    local four <close> = new_ipv4()
    local other <close> = luabox.container { name = "other", networks = { { network = lan }, { network = four } } }
    local before_lan, before_four = places(lan), places(four)
    refuses {
      { { networks = { { network = lan }, { network = lan } } },
        "option 'name': 'box' is in network 'lan' already; names in a network are unique" },
      { { networks = { { network = lan }, { network = four, address = "10.4.0.1" } } },
        "option 'networks[2].address': 10.4.0.1 is taken by other" },
      { { networks = { { network = lan }, { network = four, address = "fd00:4::1" } } },
        "option 'networks[2].address': fd00:4::1: network 'four' has no IPv6" },
      { { networks = { { network = lan, address = { "10.1.0.7", "fd00:2::1" } } } },
        "option 'networks[1].address': fd00:2::1 is not in the subnet fd00:1::/64" },
      { { networks = { { network = lan, address = { "10.1.0.7", "10.1.0.8" } } } },
        "option 'networks[1].address': two of IPv4; a member has one of each version" },
      { { networks = { { network = lan, interface = "a" }, { network = four, interface = "a" } } },
        "option 'networks[2].interface': 'a' is taken in this container" },
      { { networks = { { network = lan, default_route = true }, { network = four, default_route = true } } },
        "option 'networks[2].default_route': networks[1] has it already" },
      { { networks = { { network = lan, default_route = true },
        { network = four, routes = { { to = "0.0.0.0/0", via = "10.4.0.9" } } } } },
        "option 'networks[2].default_route': networks[1] has it already" },
      { { networks = { { network = lan }, { network = four, routes = { { to = "10.5.0.0/16", via = "10.1.0.9" } } } } },
        "option 'networks[2].routes[1].via': 10.1.0.9 is not in the subnet 10.4.0.0/24; a gateway is a neighbour" },
      { { network = lan, routes = { { to = "10.5.0.0/16", via = "10.1.0.2" } } },
        "option 'routes[1].via': 10.1.0.2 is the member's own address" },
      { { network = lan, address = "10.1.0.0" }, "option 'address': 10.1.0.0 is the address of the subnet itself" },
      { { network = lan, address = "10.1.0.255" },
        "option 'address': 10.1.0.255 is the broadcast address of 10.1.0.0/24" },
      { { network = lan, address = "10.1.0.254" },
        "option 'address': 10.1.0.254 is taken by the gateway that the network gets if a member publishes ports" },
      { { network = lan, address = "10.9.0.1" }, "option 'address': 10.9.0.1 is not in the subnet 10.1.0.0/24" },
      { { name = "other", network = four },
        "option 'name': 'other' is in network 'four' already; names in a network are unique" },
    }
    assert.equal(before_lan, places(lan))
    assert.equal(before_four, places(four))
    assert.equal("10.1.0.1", other.address)
  end)

  it("gives its place back when it is deleted", function()
    local lan <close> = new_lan()
    local before_lan = places(lan)
    luabox.container({ name = "box", network = lan }):delete()
    assert.equal(before_lan, places(lan))
  end)
end)
