--- Why a host does not forward what comes from its inner links: what its firewall, its sysctls and its routes do to it,
-- and the line that mends each.
-- Internal: a part of `luabox.nat`, for nobody else.
-- @module luabox.nat_diagnose

local address = require "luabox.address"
local errors = require "luabox.error"
local free_subnet = require "luabox.free_subnet"
local forward = require "luabox.nat_forward"
local options = require "luabox.options"
local place = require "luabox.net_place"
local proc_text = require "luabox.proc_text"
local scope = require "luabox.scope"
local sys = require("luabox").sys

local M = {}

local report_mt = { __name = "luabox.nat_diagnose" }

-- ---- what is looked at ----

-- IPv4's routes to somewhere, and the links of those to everywhere.
local function read_routes(see)
  see.routes, see.uplinks = {}, {}
  for _, route in ipairs(see.socket:routes { family = "inet" }) do
    local to = route.type == "unicast" and route.destination
    local subnet = to and address.parse(to == "default" and "0.0.0.0/0" or to)
    if subnet and subnet:length() == 0 then
      see.uplinks[#see.uplinks + 1] = route.link
    elseif subnet then
      see.routes[#see.routes + 1] = { subnet = subnet, link = route.link, connected = route.scope == "link" }
    end
  end
end

local function has(list, value)
  for _, v in ipairs(list) do
    if v == value then return true end
  end
  return false
end

-- Those with an address that are no way out. A port of a bridge has none.
local function inner_links(see)
  local names, seen = {}, {}
  for _, a in ipairs(see.socket:addresses { family = "inet" }) do
    if a.link ~= "lo" and not seen[a.link] and not has(see.uplinks, a.link) then names[#names + 1] = a.link end
    seen[a.link] = true
  end
  return names
end

local function new_look(wanted)
  local see = { socket = sys.net.socket(), links = {}, findings = {} }
  for _, link in ipairs(see.socket:links()) do see.links[link.name] = link end
  if wanted and not see.links[wanted] then
    errors.raise { op = "diagnose", subject = wanted, code = "ENODEV",
      hint = "there is no such link in this network namespace" }
  end
  read_routes(see)
  see.inner = wanted and { wanted } or inner_links(see)
  return see
end

local function find(see, finding)
  see.findings[#see.findings + 1] = finding
end

local function set_sysctl(see, code, name, value, what, certain)
  find(see, { code = code, certain = certain, what = what,
    mend = ('luabox.sys.system.set_sysctl("%s", "%s")'):format(name, value),
    shell = ("sysctl -w %s=%s"):format(name, value) })
end

-- ---- sysctls ----

local function look_at_forwarding(see)
  local all = proc_text.contents "/proc/sys/net/ipv4/ip_forward"
  if all == "0" then
    set_sysctl(see, "ip_forward", "net.ipv4.ip_forward", 1,
      "the host is no router: net.ipv4.ip_forward is 0, and what is not for itself is dropped", true)
  end
  for _, name in ipairs(see.inner) do
    local link = see.links[name]
    if all ~= "0" and link.ipv4 and link.ipv4.forwarding == 0 then
      set_sysctl(see, "link_forwarding", ("net/ipv4/conf/%s/forwarding"):format(name), 1,
        ("what comes in by %s is not forwarded: its own net.ipv4.conf.%s.forwarding is 0"):format(name, name), true)
    end
  end
end

-- A way to a part of a link's own subnet that goes by another link.
local function other_way(see, link)
  for _, own in ipairs(see.routes) do
    for _, other in ipairs(own.link == link and see.routes or {}) do
      local is_part = own.subnet:contains(other.subnet:host()) and other.subnet.prefix > own.subnet.prefix
      if is_part and other.link ~= link then return tostring(other.subnet), other.link end
    end
  end
  for _, uplink in ipairs(has(see.uplinks, link) and see.uplinks or {}) do
    if uplink ~= link then return "everywhere", uplink end
  end
end

-- The larger one of all's and the link's holds.
local function look_at_reverse_path(see)
  local all = tonumber(proc_text.contents "/proc/sys/net/ipv4/conf/all/rp_filter") or 0
  for name, link in pairs(see.links) do
    local mode = math.max(all, link.ipv4 and link.ipv4.rp_filter or 0)
    local to, by = other_way(see, name)
    if mode == 1 and to and link.up then
      set_sysctl(see, "rp_filter", ("net/ipv4/conf/%s/rp_filter"):format(name), 2,
        ("rp_filter of %s is strict: what comes in by it from %s is dropped, since the way back goes by %s")
          :format(name, to, by), false)
    end
  end
end

local function look_at_bridges(see, drops)
  if proc_text.contents "/proc/sys/net/bridge/bridge-nf-call-iptables" ~= "1" or not drops then return end
  for name, link in pairs(see.links) do
    if link.kind == "bridge" then
      return set_sysctl(see, "br_netfilter", "net.bridge.bridge-nf-call-iptables", 0,
        ("the module br_netfilter sends what goes from port to port of a bridge (%s) through the chains of forwarded "
          .. "packets, too, and one of these drops it"):format(name), true)
    end
  end
end

-- ---- routes ----

-- The subnet that most likely leads out: of a link that is not the one asked for, and no bridge.
local function way_out(see)
  local best, rank = nil, 0
  for _, route in ipairs(see.routes) do
    local link = see.links[route.link]
    local r = (#see.inner == 1 and see.inner[1] == route.link and 1 or 2) + (link.kind == "bridge" and 0 or 2)
    if route.connected and r > rank then best, rank = route, r end
  end
  return best
end

-- A neighbour that is known, or else the first address there that is not the host's own.
local function guess_router(see, way)
  for _, neighbour in ipairs(see.socket:neighbours { link = way.link, family = "inet" }) do
    if neighbour.state ~= "failed" and neighbour.state ~= "incomplete" then return neighbour.address end
  end
  local first = way.subnet:first()
  for _, a in ipairs(see.socket:addresses { link = way.link, family = "inet" }) do
    if address.parse(a.address):host() == first then return tostring(way.subnet:last()) end
  end
  return tostring(first)
end

local function look_at_default_route(see)
  if #see.uplinks > 0 then return end
  local way = way_out(see)
  local gateway = way and guess_router(see, way) or "192.0.2.1"
  find(see, { code = "no_default_route", certain = true,
    what = "the host has no default route: it reaches nothing but its own subnets; "
      .. gateway .. " stands for the router in the line",
    mend = ('luabox.sys.net.route_add { destination = "default", gateway = "%s" }'):format(gateway),
    shell = "ip route add default via " .. gateway })
end

local function look_at_overlaps(see)
  for i, a in ipairs(see.routes) do
    for j = i + 1, #see.routes do
      local b = see.routes[j]
      if a.link ~= b.link and a.subnet:overlaps(b.subnet) then
        local inner = has(see.inner, b.link) and b or a
        local free = free_subnet.choose {}
        find(see, { code = "overlap", certain = a.subnet == b.subnet, link = inner.link,
          what = ("%s (%s) and %s (%s) overlap: an address in both is looked for on one of the links only; %s is free")
            :format(a.subnet, a.link, b.subnet, b.link, free),
          mend = ('luabox.network { name = "%s", subnet = "%s", gateway = true }'):format(inner.link, free),
          shell = ("ip address flush dev %s; ip address add %s/%d dev %s"):format(inner.link, free:first(), free.prefix,
            inner.link) })
      end
    end
  end
end

-- ---- the firewall ----

local function look_at_legacy(see)
  if not proc_text.has_legacy_table "filter" then return end
  local link = see.inner[1] or "br0"
  find(see, { code = "legacy", certain = false,
    what = "there are tables of the legacy iptables beside nftables: what their FORWARD drops is dropped, and nft does "
      .. "not show them; `iptables-legacy -S FORWARD` does",
    shell = ("iptables-legacy -I FORWARD -i %s -j ACCEPT; iptables-legacy -I FORWARD -o %s -j ACCEPT")
      :format(link, link) })
end

local function look_at_firewall(see)
  local ok, e = errors.try(forward.look, see)
  if ok then return ok.drops end
  find(see, { code = "unseen", certain = false, what = "the firewall cannot be looked at: " .. tostring(e) })
end

-- ---- the whole ----

local function look(wanted)
  local see <close> = setmetatable(new_look(wanted), { __close = function(self) self.socket:close() end })
  look_at_forwarding(see)
  local drops = look_at_firewall(see)
  look_at_bridges(see, drops)
  look_at_legacy(see)
  look_at_reverse_path(see)
  look_at_overlaps(see)
  look_at_default_route(see)
  return see.findings
end

local spec = { namespace = place.option, link = { "string" } }

--- What `luabox.nat.diagnose` does.
-- @tparam[opt] table o its options
-- @treturn {table,...} the findings
-- @raise luabox.error
function M.look(o)
  o = options.check(spec, o == nil and {} or o, "diagnose")
  local undo <close> = scope.new()
  local namespace = place.namespace(o.namespace, undo)
  if not namespace then return setmetatable(look(o.link), report_mt) end
  local child <close> = sys.process.spawn {
    steps = { { "setns", fd = namespace, types = "net" } }, body = look, args = { o.link },
  }
  return setmetatable(child:result(), report_mt)
end

function report_mt:__tostring()
  local lines = {}
  for i, finding in ipairs(self) do
    lines[#lines + 1] = ("%d. %s%s"):format(i, finding.certain and "" or "perhaps: ", finding.what)
    if finding.mend then lines[#lines + 1] = "     mend: " .. finding.mend end
    if finding.shell then lines[#lines + 1] = (finding.mend and "       or: " or "     mend: ") .. finding.shell end
  end
  return #lines > 0 and table.concat(lines, "\n") or "nothing here blocks forwarding"
end

return M
