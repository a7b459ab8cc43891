--- Reads an iptables command line: what it asks for, as plain data, every word of it checked.
-- Internal: a part of `luabox.nat`, for nobody else.
--
-- A rule is `{ version, source, destination, input, output, protocol, matches, target }`: the places are
-- `{ value, text, negate }` or nil, a match is `{ name, given }`, the target `{ name, is_goto, is_chain, given }`, and
-- `given` has such values by the option's name.
-- @module luabox.iptables_parse

local kinds = require "luabox.option_kinds"
local values = require "luabox.iptables_values"
local vocabulary = require "luabox.iptables_vocabulary"
local words_of = require("luabox.iptables_words").split

local M = {}

local CHAIN_MAX = 28

-- By iptables' letters. `chain`: whether one must follow, or may; `rule`: whether a rule follows.
local COMMANDS = {
  A = { name = "append", chain = "must", rule = true },
  I = { name = "insert", chain = "must", number = "may", rule = true },
  D = { name = "delete", chain = "must", number = "may", rule = true },
  C = { name = "check", chain = "must", rule = true },
  R = { name = "replace", chain = "must", number = "must", rule = true },
  L = { name = "list", chain = "may", number = "may" },
  S = { name = "show", chain = "may", number = "may" },
  F = { name = "flush", chain = "may" },
  N = { name = "new", chain = "must" },
  X = { name = "remove", chain = "may" },
  P = { name = "policy", chain = "must", policy = true },
}

local LONG = {
  append = "A", insert = "I", delete = "D", check = "C", replace = "R", list = "L", ["list-rules"] = "S", flush = "F",
  ["new-chain"] = "N", ["delete-chain"] = "X", policy = "P", table = "t", source = "s", src = "s", destination = "d",
  dst = "d", ["in-interface"] = "i", ["out-interface"] = "o", protocol = "p", proto = "p", match = "m", jump = "j",
  ["goto"] = "g", wait = "w", numeric = "n", verbose = "v", exact = "x", ["line-numbers"] = "0", ipv4 = "4",
  ipv6 = "6",
}

-- The flags of listings, and those that change nothing here.
local FLAGS = { n = "numeric", v = "verbose", x = "exact", ["0"] = "line_numbers" }

local PLACES = { s = "source", d = "destination", i = "input", o = "output", p = "protocol" }
local READERS = {
  s = values.address, d = values.address, i = values.interface, o = values.interface, p = values.protocol,
}

local TABLES = { filter = true, nat = true }

-- A problem is raised as a table, so that the many small readers need not hand it on. What they share is the state
-- of the reading, `self`: the words, which of them comes next, and what is known by now.
local function refuse(text, ...)
  error({ problem = text:format(...) }, 0)
end

local function peek(self) return self.words[self.at] end

-- The argument of `option`, which may be anything.
local function argument(self, option)
  local word = self.attached or self.words[self.at]
  if not word then refuse("'%s' lacks its argument", option) end
  if self.attached then
    self.attached = nil
  else
    self.at = self.at + 1
  end
  return word
end

-- The next word, if it looks like an argument and not like an option.
local function optional(self)
  local word = self.attached or self.words[self.at]
  if not word or not self.attached and word:find "^[-!]" then return nil end
  return argument(self)
end

local function check_chain(name)
  if name:find "^[-!]" or name == "" or name:find "[%s%c]" then refuse("'%s' is no chain's name", name) end
  if #name > CHAIN_MAX then
    refuse("'%.80s' is %d bytes long; a chain's name has at most %d", name, #name, CHAIN_MAX)
  end
  return name
end

local function chain_number(text, option)
  local number = #text < 10 and math.tointeger(text)
  if not number or number < 1 then refuse("'%s' is no rule's number, after '%s'", text, option) end
  return number
end

-- The policy that a chain is given.
local function read_policy(self, option)
  local policy = argument(self, option)
  if policy ~= "ACCEPT" and policy ~= "DROP" then refuse("'%s' is no policy; expected ACCEPT or DROP", policy) end
  return policy:lower()
end

local function read_command(self, letter, option)
  local about = COMMANDS[letter]
  local command = self.result
  if command.command then refuse("'%s' goes not with '%s': one command a line", option, self.command_word) end
  self.command_word, self.about = option, about
  command.command = about.name
  local chain = about.chain == "must" and argument(self, option) or about.chain == "may" and optional(self)
  command.chain = chain and check_chain(chain) or nil
  if about.policy then command.policy = read_policy(self, option) end
  if about.number == "must" then
    command.number = chain_number(argument(self, option), option)
  elseif about.number and chain and (peek(self) or ""):find "^%d+$" then
    command.number = chain_number(argument(self, option), option)
  end
end

-- What extensions that were named so far add: option → the match or target it goes to, and its description.
local function add_options(self, extension, given, where)
  for _, o in ipairs(extension.options) do
    local entry = { option = o, given = given, where = where, fixed = extension.fixed }
    self.extensions[o.name] = entry
    for _, alias in ipairs(o.aliases) do self.extensions[alias] = entry end
  end
end

local function load_match(self, name)
  local extension = vocabulary.matches[name]
  if not extension then
    local names = vocabulary.names(vocabulary.matches)
    refuse("'%s' is not a match that luabox knows%s", name, kinds.suggestion(name, names))
  end
  local match = { name = name, given = {} }
  table.insert(self.rule.matches, match)
  add_options(self, extension, match.given, name)
end

local function load_target(self, name, is_goto)
  if self.rule.target then refuse("the rule has a target already, before '%s'", name) end
  local extension = not is_goto and vocabulary.targets[name] or nil
  local given = extension and extension.defaults and extension.defaults(self.version) or {}
  self.rule.target = { name = name, is_goto = is_goto, given = given, is_chain = not extension }
  if extension then
    add_options(self, extension, given, name)
  else
    check_chain(name)
  end
end

-- -s, -d, -i, -o, -p
local function read_place(self, letter, option, negate)
  local place = PLACES[letter]
  if self.rule[place] then refuse("'%s' is there twice", option) end
  local text = argument(self, option)
  local read, problem = READERS[letter](text, self.version)
  if not read then refuse("%s: %s", option, problem) end
  if negate and not read.value then refuse("'! %s %s' is true of no packet", option, text) end
  self.rule[place] = { value = read.value, text = read.text, negate = negate }
end

local function read_extension_option(self, entry, word, negate)
  local o = entry.option
  if negate and (not o.selector and not o.read or entry.fixed or vocabulary.targets[entry.where]) then
    refuse("'!' does not go before '%s'", word)
  end
  local taken = entry.given[o.name]
  if taken and taken.is_given then refuse("'%s' is there twice", word) end
  local read, problem = { value = true }, nil
  if o.read then read, problem = o.read(argument(self, word), self.version) end
  if not read then refuse("%s: %s", word, problem) end
  if negate and not read.value then refuse("'! %s' of all there are is true of no packet", word) end
  read.negate, read.is_given = negate, true
  entry.given[o.name] = read
end

-- The names that an option's word may stand for, if not for itself: those that begin with it.
local function completions(self, word)
  local found, entry
  for name in pairs(LONG) do
    if ("--" .. name):sub(1, #word) == word and LONG[name] ~= found then
      if found then refuse("'%s' may stand for more than one option", word) end
      found = LONG[name]
    end
  end
  for name, candidate in pairs(self.extensions) do
    if name:sub(1, #word) == word and candidate ~= entry then
      if found or entry then refuse("'%s' may stand for more than one option", word) end
      entry = candidate
    end
  end
  return found, entry
end

local function known_words(self)
  local names = vocabulary.names(self.extensions)
  for _, name in ipairs(vocabulary.names(LONG)) do names[#names + 1] = "--" .. name end
  return names
end

-- Options of tcp and udp need no -m: the protocol names the match, once one of its options comes.
local function implied(self, word)
  local protocol = self.rule.protocol
  local extension = protocol and not protocol.negate and vocabulary.matches[protocol.text]
  if not extension then return nil end
  for _, o in ipairs(extension.options) do
    if o.name == word or o.aliases[1] == word then
      load_match(self, protocol.text)
      return self.extensions[word]
    end
  end
end

local function unknown(self, word)
  local nearest = kinds.suggestion(word, known_words(self)):match "^; did you mean.*" or ""
  if word:find "^%-%-[sd]port" or word:find "^%-%-source%-port" or word:find "^%-%-destination%-port" then
    nearest = "; ports need -p tcp or -p udp before them"
  end
  refuse("'%s' is not an option that luabox knows here%s", word, nearest)
end

local function check_version(self, letter)
  if math.tointeger(letter) ~= self.version then refuse("'-%s' in a line of IPv%d", letter, self.version) end
end

-- Nobody else has the table: there is nothing to wait for.
local function skip_wait(self)
  if (peek(self) or ""):find "^%d+$" then argument(self) end
end

local function read_table(self, option)
  local name = argument(self, option)
  if not TABLES[name] then refuse("'%s' is not a table that luabox knows; expected filter or nat", name) end
  self.result.table = name
end

-- One option by its letter.
local function read_general(self, letter, option, negate)
  if negate and not PLACES[letter] then refuse("'!' does not go before '%s'", option) end
  if COMMANDS[letter] then
    read_command(self, letter, option)
  elseif PLACES[letter] then
    self.rule_word = self.rule_word or option
    read_place(self, letter, option, negate)
  elseif letter == "m" then
    self.rule_word = self.rule_word or option
    load_match(self, argument(self, option))
  elseif letter == "j" or letter == "g" then
    self.rule_word = self.rule_word or option
    load_target(self, argument(self, option), letter == "g")
  elseif letter == "t" then
    read_table(self, option)
  elseif letter == "w" then
    skip_wait(self)
  elseif letter == "4" or letter == "6" then
    check_version(self, letter)
  elseif FLAGS[letter] then
    self.result[FLAGS[letter]] = true
  else
    unknown(self, option)
  end
end

local function read_long(self, word, negate)
  local name, value = word:match "^(%-%-[^=]+)=(.*)$"
  if name then word, self.attached = name, value end
  local letter, entry = LONG[word:sub(3)], self.extensions[word]
  if not letter and not entry then entry = implied(self, word) end
  if not letter and not entry then letter, entry = completions(self, word) end
  if letter then
    read_general(self, letter, word, negate)
  elseif entry then
    read_extension_option(self, entry, word, negate)
  else
    unknown(self, word)
  end
  if self.attached then refuse("'%s' takes no argument", word) end
end

local function takes_argument(letter)
  return COMMANDS[letter] or PLACES[letter] or letter == "m" or letter == "j" or letter == "g" or letter == "t"
end

-- "-nvL": flags side by side; what follows a letter that takes an argument is that.
local function read_short(self, word, negate)
  local at = 2
  while at <= #word do
    local letter = word:sub(at, at)
    local rest = word:sub(at + 1)
    if takes_argument(letter) and rest ~= "" then self.attached, at = rest, #word end
    read_general(self, letter == "0" and "?" or letter, "-" .. letter, negate)
    if self.attached then refuse("'-%s' takes no argument", letter) end
    at = at + 1
  end
end

local function read_all(self)
  local negate = false
  while peek(self) do
    local word = self.words[self.at]
    self.at = self.at + 1
    if word == "!" then
      if negate then refuse "'!' is there twice" end
      negate = true
    else
      if word:find "^%-%-." then
        read_long(self, word, negate)
      elseif word:find "^%-[^-]" then
        read_short(self, word, negate)
      else
        refuse("'%s' stands where an option is expected", word)
      end
      negate = false
    end
  end
  if negate then refuse "'!' ends the line" end
end

-- ---- the whole ----

-- "sudo iptables" and the like before the first option.
local PROGRAMS = {
  iptables = 4, ["iptables-nft"] = 4, ["iptables-legacy"] = 4, ip6tables = 6, ["ip6tables-nft"] = 6,
  ["ip6tables-legacy"] = 6,
}

local function skip_program(words, version)
  local at = 1
  if words[at] == "sudo" then at = at + 1 end
  local program = words[at] and words[at]:match "[^/]*$"
  local its = PROGRAMS[program]
  if its and its ~= version then
    refuse("'%s' begins a line for IPv%d; give it to %s", words[at], its, its == 6 and "ip6tables" or "iptables")
  end
  if its then return at + 1 end
  if at == 2 then refuse("'%s' is not iptables", words[at] or "sudo") end
  return at
end

local function check(self)
  local command, about = self.result, self.about
  if not about then refuse "the line has no command: -A, -I, -D, -C, -R, -L, -S, -F, -N, -X or -P" end
  local with_rule = about.rule and not (command.command == "delete" and command.number)
  if self.rule_word and not with_rule then
    refuse("'%s' has no place in a line with '%s'%s", self.rule_word, self.command_word,
      command.number and " and a number" or "")
  end
  if not with_rule then return end
  command.rule = self.rule
  local problem = require("luabox.iptables_rule").problem(self.rule, command.table, command.chain)
  if problem then refuse("%s", problem) end
end

--- Reads the words of a line.
-- @tparam {string,...} words
-- @tparam integer version 4 or 6
-- @treturn ?table `command` ("append", "insert", "delete", "check", "replace", "list", "show", "flush", "new",
--   "remove", "policy"), `version`, `table`, `chain`, `number`, `policy`, `rule`, and the flags `numeric`, `verbose`,
--   `exact`, `line_numbers`
-- @treturn[2] string what is wrong, and with which word
function M.words(words, version)
  local self = {
    words = words, version = version, result = { table = "filter", version = version }, extensions = {},
    rule = { version = version, matches = {} },
  }
  local ok, failure = pcall(function()
    self.at = skip_program(words, version)
    read_all(self)
    check(self)
  end)
  if ok then return self.result end
  if type(failure) ~= "table" or not failure.problem then error(failure, 0) end
  return nil, failure.problem
end

--- Reads a line.
-- @tparam string line with or without "iptables" at its beginning
-- @tparam integer version 4 or 6
-- @treturn ?table as `words` gives it
-- @treturn[2] string what is wrong, and with which word
-- @usage
-- local command = luabox.iptables_parse.line("-t nat -D POSTROUTING 1", 4)
-- assert(command.command == "delete" and command.chain == "POSTROUTING" and command.number == 1)
function M.line(line, version)
  local words, problem = words_of(line)
  if not words then return nil, problem end
  return M.words(words, version)
end

return M
