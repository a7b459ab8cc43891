--- Rules as `iptables -S` and `iptables -L -n` print them.
-- Internal: a part of `luabox.nat`, for nobody else.
-- @module luabox.iptables_listing

local name_of = require("luabox.iptables_words").name
local rules = require "luabox.iptables_rule"
local vocabulary = require "luabox.iptables_vocabulary"

local M = {}

-- ---- -S ----

--- What a rule has counted, as far as it was read.
-- @tparam table record of `luabox.nat_rules`
-- @treturn integer packets
-- @treturn integer bytes
function M.counts(record)
  local counter = record.counter or { packets = 0, bytes = 0 }
  return counter.packets, counter.bytes
end

--- A rule as `iptables -S` writes it.
-- @tparam table record of `luabox.nat_rules`
-- @tparam[opt=false] boolean verbose with its counters
-- @treturn string
function M.line(record, verbose)
  local matches, target = rules.texts(record.rule)
  local words = { "-A", name_of(record.chain.name) }
  if matches ~= "" then words[#words + 1] = matches end
  if verbose then words[#words + 1] = ("-c %d %d"):format(M.counts(record)) end
  if target ~= "" then words[#words + 1] = target end
  return table.concat(words, " ")
end

--- The lines of `iptables -S`.
-- @tparam {table,...} chains of `luabox.nat_rules`
-- @tparam table command as `luabox.iptables_parse` reads it
-- @treturn string
function M.script(chains, command)
  local lines = {}
  for _, chain in ipairs(chains) do
    if command.number then break end
    lines[#lines + 1] = chain.base and ("-P %s %s"):format(chain.name, chain.policy:upper())
      or "-N " .. name_of(chain.name)
  end
  for _, chain in ipairs(chains) do
    for i, record in ipairs(chain.rules) do
      if not command.number or command.number == i then lines[#lines + 1] = M.line(record, command.verbose) end
    end
  end
  return table.concat(lines, "\n")
end

-- ---- -L ----

local function not_sign(entry) return entry.negate and "!" or "" end

-- "dpt:80", "dpts:80:90", "!" before the ports.
local function port_words(o, entry)
  return ("%s%s:%s%s"):format(o.says, entry.text:find(":", 1, true) and "s" or "", not_sign(entry), entry.text)
end

-- iptables' extensions differ in where they put the "!".
local function option_words(name, o, entry)
  if name == "multiport" or name == "addrtype" then return o.says .. not_sign(entry) .. entry.text end
  return (entry.negate and "! " or "") .. o.says .. entry.text
end

local function match_words(match)
  local extension = vocabulary.matches[match.name]
  if match.name == "comment" then return ("/* %s */"):format(match.given["--comment"].value) end
  local words = { extension.says }
  for _, o in ipairs(extension.options) do
    local entry = match.given[o.name]
    if entry and extension.protocol then
      words[#words + 1] = port_words(o, entry)
    elseif entry then
      words[#words + 1] = option_words(match.name, o, entry)
    end
  end
  return table.concat(words, " ")
end

local function target_words(target)
  if target.is_chain then return target.is_goto and "[goto]" or nil end
  local extension, words = vocabulary.targets[target.name], {}
  if extension.list then return extension.list(target.given) end
  for _, o in ipairs(extension.options) do
    local entry = target.given[o.name]
    if entry and (entry.text or not o.read) then words[#words + 1] = o.says .. (entry.text or "") end
  end
  return #words > 0 and table.concat(words, " ") or nil
end

local function details(rule)
  local words = {}
  for _, match in ipairs(rule.matches) do words[#words + 1] = match_words(match) end
  if rule.target then words[#words + 1] = target_words(rule.target) end
  return table.concat(words, " ")
end

local function shown(entry, otherwise)
  if not entry or not entry.value then return otherwise end
  return not_sign(entry) .. entry.text
end

-- A single address is listed without its prefix.
local function shown_address(entry, version)
  return (shown(entry, version == 4 and "0.0.0.0/0" or "::/0"):gsub(version == 4 and "/32$" or "/128$", ""))
end

-- A count in five columns, rounded.
local function short(count)
  if count <= 99999 then return tostring(count) end
  for unit in ("KMGT"):gmatch "." do
    count = (count + 500) // 1000
    if count <= 9999 or unit == "T" then return count .. unit end
  end
end

local function count_cell(record, command)
  local packets, bytes = M.counts(record)
  if command.exact then return ("%8d %8d"):format(packets, bytes) end
  return ("%5s %5s"):format(short(packets), short(bytes))
end

local function columns(record, number, command)
  local rule, cells = record.rule, {}
  local function cell(format, ...) cells[#cells + 1] = format:format(...) end
  if command.line_numbers then cell("%-4d", number) end
  if command.verbose then cell("%s", count_cell(record, command)) end
  cell("%-10s %-4s --", rule.target and rule.target.name or "", shown(rule.protocol, "all"))
  if command.verbose then cell(" %-6s %-6s", shown(rule.input, "*"), shown(rule.output, "*")) end
  cell(" %-19s  %-19s ", shown_address(rule.source, record.table.version),
    shown_address(rule.destination, record.table.version))
  cell("%s", details(rule))
  return (table.concat(cells, " "):gsub("%s+$", ""))
end

local function heading(command)
  local cells = {}
  if command.line_numbers then cells[1] = "num " end
  if command.verbose then cells[#cells + 1] = command.exact and "    pkts      bytes" or " pkts bytes" end
  cells[#cells + 1] = "target     prot opt"
  if command.verbose then cells[#cells + 1] = "in     out    " end
  cells[#cells + 1] = "source               destination"
  return table.concat(cells, " ")
end

local function references(chains, name)
  local count = 0
  for _, chain in ipairs(chains) do
    for _, record in ipairs(chain.rules) do
      local target = record.rule.target
      if target and target.is_chain and target.name == name then count = count + 1 end
    end
  end
  return count
end

--- The table of `iptables -L -n`: nothing is looked up, with -n or without.
-- @tparam {table,...} chains those to list
-- @tparam {table,...} all of the table, of which jumps are counted
-- @tparam table command as `luabox.iptables_parse` reads it
-- @treturn string
function M.table(chains, all, command)
  local parts = {}
  for _, chain in ipairs(chains) do
    local lines = {}
    if not command.number then
      lines[1] = chain.base and ("Chain %s (policy %s)"):format(chain.name, chain.policy:upper())
        or ("Chain %s (%d references)"):format(chain.name, references(all, chain.name))
      lines[2] = heading(command)
    end
    for i, record in ipairs(chain.rules) do
      if not command.number or command.number == i then lines[#lines + 1] = columns(record, i, command) end
    end
    parts[#parts + 1] = table.concat(lines, "\n")
  end
  return table.concat(parts, "\n\n")
end

return M
