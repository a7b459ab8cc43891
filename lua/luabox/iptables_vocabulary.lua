--- The matches and targets of iptables that luabox knows, with their options, and what each becomes in nftables.
-- Internal: a part of `luabox.nat`, for nobody else.
--
-- An extension has `options`: a list in the order in which iptables writes them, each with its `name`, `aliases`, a
-- `read` of `luabox.iptables_values` (without one it is a flag), and the `selector` of `luabox.sys.nft` that it is
-- compared with.
-- @module luabox.iptables_vocabulary

local values = require "luabox.iptables_values"

local M = {}

--- The names of a table, sorted.
-- @tparam table t
-- @treturn {string,...}
function M.names(t)
  local names = {}
  for name in pairs(t) do names[#names + 1] = name end
  table.sort(names)
  return names
end

local function port_options()
  return {
    { name = "--sport", aliases = { "--source-port" }, read = values.ports, selector = "sport", says = "spt" },
    { name = "--dport", aliases = { "--destination-port" }, read = values.ports, selector = "dport", says = "dpt" },
  }
end

--- Matches, by the name that -m takes. `protocol`: what -p must say. `fixed`: options that take no `!`.
M.matches = {
  tcp = { protocol = "tcp", options = port_options(), says = "tcp" },
  udp = { protocol = "udp", options = port_options(), says = "udp" },
  multiport = {
    ports = true, says = "multiport",
    options = {
      { name = "--sports", aliases = { "--source-ports" }, read = values.port_list, selector = "sport",
        says = "sports " },
      { name = "--dports", aliases = { "--destination-ports" }, read = values.port_list, selector = "dport",
        says = "dports " },
    },
  },
  conntrack = {
    options = { { name = "--ctstate", aliases = {}, read = values.conntrack_states, says = "ctstate " } },
  },
  state = {
    options = { { name = "--state", aliases = {}, read = values.states, selector = "ct_state", says = "state " } },
  },
  mark = {
    says = "mark match",
    options = { { name = "--mark", aliases = {}, read = values.mark, selector = "mark", says = "" } },
  },
  addrtype = {
    says = "ADDRTYPE match",
    options = {
      { name = "--src-type", aliases = {}, read = values.address_type, selector = "saddr_type", says = "src-type " },
      { name = "--dst-type", aliases = {}, read = values.address_type, selector = "daddr_type", says = "dst-type " },
    },
  },
  comment = {
    fixed = true,
    options = { { name = "--comment", aliases = {}, read = values.text(127), selector = "comment" } },
  },
}

-- ---- targets ----

local function flag(name, says) return { name = name, aliases = {}, says = says or name:gsub("^%-%-", "") } end

-- nftables' words for the flags among the options given; nil without one.
local function flags_of(given)
  local words = {}
  for name, word in pairs { ["--random"] = "random", ["--random-fully"] = "fully-random",
    ["--persistent"] = "persistent" } do
    if given[name] then words[#words + 1] = word end
  end
  return #words > 0 and table.concat(words, ",") or nil
end

-- A table with what was given, or true where nothing was.
local function statement(field, entry, given)
  local t = { [field] = entry and entry.value, flags = flags_of(given) }
  return next(t) and t or true
end

local REJECTS = {
  [4] = {
    ["icmp-net-unreachable"] = "icmp net-unreachable", ["icmp-host-unreachable"] = "icmp host-unreachable",
    ["icmp-proto-unreachable"] = "icmp prot-unreachable", ["icmp-port-unreachable"] = "icmp port-unreachable",
    ["icmp-net-prohibited"] = "icmp net-prohibited", ["icmp-host-prohibited"] = "icmp host-prohibited",
    ["icmp-admin-prohibited"] = "icmp admin-prohibited", ["tcp-reset"] = "tcp reset",
  },
  [6] = {
    ["icmp6-no-route"] = "icmpv6 no-route", ["icmp6-adm-prohibited"] = "icmpv6 admin-prohibited",
    ["icmp6-addr-unreachable"] = "icmpv6 addr-unreachable", ["icmp6-port-unreachable"] = "icmpv6 port-unreachable",
    ["tcp-reset"] = "tcp reset",
  },
}
local REJECT_ALIASES = {
  [4] = {
    ["net-unreach"] = "icmp-net-unreachable", ["host-unreach"] = "icmp-host-unreachable",
    ["proto-unreach"] = "icmp-proto-unreachable", ["port-unreach"] = "icmp-port-unreachable",
    ["net-prohib"] = "icmp-net-prohibited", ["host-prohib"] = "icmp-host-prohibited",
    ["admin-prohib"] = "icmp-admin-prohibited", ["tcp-rst"] = "tcp-reset",
  },
  [6] = {
    ["no-route"] = "icmp6-no-route", ["adm-prohibited"] = "icmp6-adm-prohibited",
    ["addr-unreach"] = "icmp6-addr-unreachable", ["port-unreach"] = "icmp6-port-unreachable",
  },
}
local DEFAULT_REJECT = { [4] = "icmp-port-unreachable", [6] = "icmp6-port-unreachable" }

local function read_reject(text, version)
  local name = REJECT_ALIASES[version][text] or text
  if REJECTS[version][name] then
    return { value = REJECTS[version][name], text = name, needs_tcp = name == "tcp-reset" }
  end
  return nil, ("'%s' is no answer of REJECT; expected one of %s"):format(text,
    table.concat(M.names(REJECTS[version]), ", "))
end

local function verdict(word)
  return { options = {}, build = function() return "verdict", word end }
end

--- Targets, by the name that -j takes. `tables` and `chains`: where alone they may stand; `build` gives the option of
-- a rule of `luabox.sys.nft`, and its value; `defaults`: options that are written though nobody gave them; `list`: what
-- -L prints, where it is not the options one by one.
M.targets = {
  ACCEPT = verdict "accept",
  DROP = verdict "drop",
  RETURN = verdict "return",
  REJECT = {
    tables = { filter = true },
    options = { { name = "--reject-with", aliases = {}, read = read_reject, says = "reject-with " } },
    defaults = function(version) return { ["--reject-with"] = read_reject(DEFAULT_REJECT[version], version) } end,
    build = function(given) return "reject", { with = given["--reject-with"].value } end,
  },
  LOG = {
    options = {
      { name = "--log-prefix", aliases = {}, read = values.text(29) },
      { name = "--log-level", aliases = {}, read = values.log_level },
    },
    list = function(given)
      local prefix, level = given["--log-prefix"], given["--log-level"]
      return ("LOG flags 0 level %s%s"):format(level and level.text or "4",
        prefix and (' prefix "%s"'):format(prefix.value) or "")
    end,
    build = function(given)
      local prefix, level = given["--log-prefix"], given["--log-level"]
      return "log", { prefix = prefix and prefix.value, level = level and level.value or "warn" }
    end,
  },
  MASQUERADE = {
    tables = { nat = true }, chains = { POSTROUTING = true },
    options = {
      { name = "--to-ports", aliases = {}, read = values.to_ports, says = "masq ports: " },
      flag "--random", flag "--random-fully",
    },
    build = function(given) return "masquerade", statement("ports", given["--to-ports"], given) end,
  },
  SNAT = {
    tables = { nat = true }, chains = { POSTROUTING = true, INPUT = true }, required = "--to-source",
    options = {
      { name = "--to-source", aliases = {}, read = values.to_address, says = "to:" },
      flag "--random", flag "--random-fully", flag "--persistent",
    },
    build = function(given) return "snat", statement("to", given["--to-source"], given) end,
  },
  DNAT = {
    tables = { nat = true }, chains = { PREROUTING = true, OUTPUT = true }, required = "--to-destination",
    options = {
      { name = "--to-destination", aliases = {}, read = values.to_address, says = "to:" },
      flag "--random", flag "--persistent",
    },
    build = function(given) return "dnat", statement("to", given["--to-destination"], given) end,
  },
  REDIRECT = {
    tables = { nat = true }, chains = { PREROUTING = true, OUTPUT = true },
    options = { { name = "--to-ports", aliases = {}, read = values.to_ports, says = "redir ports " }, flag "--random" },
    build = function(given) return "redirect", statement("to", given["--to-ports"], given) end,
  },
}

return M
