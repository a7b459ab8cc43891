--- The options of `luabox.nat`'s methods, in nftables' names, and the iptables words that they stand for: all rules
-- take one way.
-- Internal: a part of `luabox.nat`, for nobody else.
-- @module luabox.nat_words

local M = {}

--- The description of a single value, for luabox.options.
M.one = { "any", { "string", min = 1 }, { "integer" } }

local VALUE = { "any", { "string", min = 1 }, { "integer" }, { "list", min = 1, of = M.one } }

-- What a rule compares.
local MATCHES = {
  saddr = VALUE, daddr = VALUE, iifname = VALUE, oifname = VALUE, protocol = VALUE, sport = VALUE, dport = VALUE,
  ct_state = VALUE, comment = { "string", min = 1, max = 127 },
  version = {
    "integer",
    check = function(version)
      if version == 4 or version == 6 then return version end
      return nil, ("%d is no version of IP; expected 4 or 6"):format(version)
    end,
  },
}

--- The descriptions of what a rule compares, for luabox.options, and more.
-- @tparam table more
-- @treturn table
function M.with(more)
  local spec = {}
  for name, description in pairs(MATCHES) do spec[name] = description end
  for name, description in pairs(more) do spec[name] = description end
  return spec
end

-- The values behind "!=", and whether they are.
local function values_of(value)
  if type(value) ~= "table" then return { tostring(value) }, false end
  local list, negate = {}, value[1] == "!="
  for i = negate and 2 or 1, #value do list[#list + 1] = tostring(value[i]) end
  return list, negate
end

local function add(words, negate, ...)
  if negate then words[#words + 1] = "!" end
  for _, word in ipairs { ... } do words[#words + 1] = word end
end

local function joined(list, translate)
  local texts = {}
  for i, text in ipairs(list) do texts[i] = translate and translate(text) or text end
  return table.concat(texts, ",")
end

local function plus(text) return (text:gsub("%*$", "+")) end
local function colon(text) return (text:gsub("-", ":", 1)) end

local OPTIONS = { { "saddr", "-s" }, { "daddr", "-d" }, { "iifname", "-i", plus }, { "oifname", "-o", plus },
  { "protocol", "-p" } }

local function add_ports(words, o, name)
  if o[name] == nil then return end
  local list, negate = values_of(o[name])
  if #list > 1 then add(words, false, "-m", "multiport") end
  add(words, negate, "--" .. name .. (#list > 1 and "s" or ""), joined(list, colon))
end

--- The words of what a rule compares.
-- @tparam table o as `with` describes it
-- @treturn {string,...}
-- @usage
-- local words = luabox.nat_words.of { saddr = "10.0.0.0/24", oifname = { "!=", "br0" } }
-- assert(table.concat(words, " ") == "-s 10.0.0.0/24 ! -o br0")
function M.of(o)
  local words = {}
  for _, option in ipairs(OPTIONS) do
    if o[option[1]] ~= nil then
      local list, negate = values_of(o[option[1]])
      add(words, negate, option[2], joined(list, option[3]))
    end
  end
  add_ports(words, o, "sport")
  add_ports(words, o, "dport")
  if o.ct_state then
    local list, negate = values_of(o.ct_state)
    add(words, false, "-m", "conntrack")
    add(words, negate, "--ctstate", joined(list):gsub(" ", ""):upper())
  end
  if o.comment then add(words, false, "-m", "comment", "--comment", o.comment) end
  return words
end

--- Which IP the options are about: 6 if an address of it is among them.
-- @tparam table o
-- @treturn integer
function M.version(o)
  if o.version then return o.version end
  for _, name in ipairs { "saddr", "daddr" } do
    for _, text in ipairs(o[name] ~= nil and values_of(o[name]) or {}) do
      if text:find(":", 1, true) then return 6 end
    end
  end
  return 4
end

return M
