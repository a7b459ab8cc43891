-- TCP between two network namespaces for a second, by iperf3: prints how many MiB arrived.
-- The way between them is the argument: "veth" end to end, a luabox.network's "bridge", a published "port" from
-- another machine, or the same through a userland "proxy".
local luabox = require "luabox"
local namespace, net, process = luabox.sys.namespace, luabox.sys.net, luabox.sys.process

local PORT = "5201"
local way = {}

-- A link between two namespaces, one of which may be this one (nil).
local function link(a, b, name, address, peer_address)
  local socket <close> = net.socket(a)
  socket:link_add { kind = "veth", name = name, up = true, peer = { name = "eth0", netns = b } }
  socket:address_add { link = name, address = address }
  local other <close> = net.socket(b)
  other:link_set { name = "eth0", up = true }
  other:address_add { link = "eth0", address = peer_address }
end

local function run_in(ns, program)
  return process.spawn { program = program, join = { ns }, stdin = "null", stdout = "pipe", stderr = "null" }
end

-- The server says when it listens.
local function serve(ns)
  local server = run_in(ns, { "iperf3", "--server", "--one-off", "--forceflush", "--port", PORT })
  assert(server:stdout():read(1))
  return server
end

local function send(ns, address)
  local client <close> = run_in(ns, { "iperf3", "--client", address, "--port", PORT, "--time", "1", "--json" })
  local text = process.communicate(client)
  local bits = text:match('"sum_received".-"bits_per_second":%s*([%d.e+]+)')
  print(("%.0f"):format(assert(tonumber(bits), text) / 8 / (1 << 20)))
end

function way.veth(a, b)
  link(a, b, "eth0", "10.9.0.1/24", "10.9.0.2/24")
  local server <close> = serve(b)
  send(a, "10.9.0.2")
  server:wait()
end

function way.bridge(a, b)
  local lan <close> = luabox.network { name = "lan", subnet = "10.8.0.0/24" }
  lan:endpoint({ name = "a", address = "10.8.0.1" }):connect(a)
  lan:endpoint({ name = "b", address = "10.8.0.2" }):connect(b)
  local server <close> = serve(b)
  send(a, "10.8.0.2")
  server:wait()
end

-- 'a' is another machine, 'b' a member of the host's network.
function way.port(a, b)
  link(nil, a, "wan0", "10.9.0.1/24", "10.9.0.2/24")
  local lan <close> = luabox.network { name = "lan", subnet = "10.8.0.0/24", gateway = true }
  local member = lan:endpoint { name = "b", address = "10.8.0.2" }
  member:connect(b)
  local _ <close> = lan:publish_maps(member, luabox.port_map.parse { PORT .. ":" .. PORT })
  local server <close> = serve(b)
  send(a, "10.9.0.1")
  server:wait()
end

function way.proxy(a, b)
  link(nil, a, "wan0", "10.9.0.1/24", "10.9.0.2/24")
  local lan <close> = luabox.network { name = "lan", subnet = "10.8.0.0/24", gateway = true }
  lan:endpoint({ name = "b", address = "10.8.0.2" }):connect(b)
  local server <close> = serve(b)
  local proxy <close> = process.spawn {
    program = { "socat", "-d", "-d", "TCP-LISTEN:" .. PORT .. ",fork", "TCP:10.8.0.2:" .. PORT }, stderr = "pipe",
  }
  local said = ""
  repeat said = said .. assert(proxy:stderr():read(1)) until said:find "listening"
  send(a, "10.9.0.1")
  server:wait()
end

local a <close> = namespace.create "net"
local b <close> = namespace.create "net"
way[arg[1]](a, b)
