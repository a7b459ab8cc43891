--- The text of a map's namespaces, line by line, before there are boxes around it.
-- Internal: a part of `luabox.map_text`, for nobody else.
-- @module luabox.map_lines

local M = {}

local RULES = 12 -- that a picture has room for

local MAP = { "table", required = true, check = function(map)
  if type(map.namespaces) == "table" and type(map.unseen) == "table" then return map end
  return nil, "is no map: it lacks 'namespaces' or 'unseen'"
end }

--- Checks the argument of a function that draws.
-- @tparam luabox.map map or a table like it
-- @tparam string where the function
-- @treturn table
-- @raise an argument error
function M.check(map, where)
  return require("luabox.options").argument(MAP, map, where)
end

-- ---- text of a width ----

-- Letters of one column each; what else a name or a command may have in it would spoil the picture, or the terminal.
local function is_narrow(code)
  return code >= 0x20 and code < 0x7f or code >= 0xa1 and code < 0x300 or code >= 0x370 and code < 0x590
    or code >= 0x2190 and code < 0x2580 or code == 0x2026
end

--- Text in which each character is one column wide.
-- @tparam string text
-- @treturn string
function M.plain(text)
  if not utf8.len(text) then text = text:gsub("[\128-\255]", "?") end
  return (text:gsub(utf8.charpattern, function(c) return not is_narrow(utf8.codepoint(c)) and "?" or nil end))
end

--- At most so many columns of a text.
-- @tparam string text
-- @tparam integer width
-- @treturn string
function M.cut(text, width)
  if utf8.len(text) <= width then return text end
  return text:sub(1, utf8.offset(text, math.max(width, 1)) - 1) .. "…"
end

--- A text with blanks up to a width; what is longer is cut.
-- @tparam string text
-- @tparam integer width
-- @treturn string
function M.pad(text, width)
  text = M.cut(text, width)
  return text .. (" "):rep(width - utf8.len(text))
end

--- Words as lines of at most a width.
-- @tparam {string,...} words
-- @tparam integer width
-- @tparam string blank between two
-- @treturn {string,...} at least one
function M.wrap(words, width, blank)
  local lines = { "" }
  for _, word in ipairs(words) do
    word = M.cut(word, width)
    local line = lines[#lines]
    if line == "" then
      lines[#lines] = word
    elseif utf8.len(line) + #blank + utf8.len(word) <= width then
      lines[#lines] = line .. blank .. word
    else
      lines[#lines + 1] = word
    end
  end
  return lines
end

--- The words of a text.
-- @tparam string text
-- @treturn {string,...}
function M.words(text)
  local words = {}
  for word in M.plain(text):gmatch "%S+" do words[#words + 1] = word end
  return words
end

-- ---- a link ----

local QUIET = { veth = true, netkit = true, ether = true, loopback = true }

local function kind_note(link, is_below_lower)
  local o = link.options or {}
  if link.kind == "bridge" then return o.vlan_filtering and "bridge with VLANs" or "bridge" end
  if QUIET[link.kind] then return nil end
  local note = link.kind
  if o.id then note = note .. " " .. o.id end
  if o.mode then note = ("%s (%s)"):format(note, o.mode) end
  if o.remote then note = note .. " to " .. o.remote end
  local far = link.lower
  if far and far.link and not is_below_lower then note = note .. " of " .. far.link end
  return note
end

-- Where the other end is, in words, for what no line is drawn to.
local function far_note(graph, namespace, link)
  local far = link.peer or link.lower
  if not far then return nil end
  if not far.namespace then
    return (link.peer and "to link %d, out of sight" or "of link %d, out of sight"):format(far.index)
  end
  if far.namespace == namespace.id then return link.peer and ("to %s"):format(far.link or far.index) or nil end
  local label = graph.by_id[far.namespace] and graph.by_id[far.namespace].label or far.namespace
  return (link.peer and "to %s in %s" or "in %s%s"):format(link.peer and (far.link or far.index) or "", label)
end

--- What is to be said of a link by itself: its addresses but for IPv6's own, its kind, and what a bridge does with it.
-- @tparam table link
-- @tparam[opt] boolean is_below_lower it stands below the link that it is on, which need not be named
-- @treturn {string,...}
function M.notes(link, is_below_lower)
  local list = {}
  for _, a in ipairs(link.addresses) do
    if not a:find "^fe80:" then list[#list + 1] = a end
  end
  local kind = kind_note(link, is_below_lower)
  list[#list + 1] = kind and M.plain(kind)
  if link.port and link.port ~= "forwarding" then list[#list + 1] = link.port end
  return list
end

local function details_of(graph, namespace, item)
  local list = M.notes(item.link, item.is_below_lower)
  local far = not item.drawn and far_note(graph, namespace, item.link)
  if far then list[#list + 1] = M.plain(far) end
  return list
end

-- ---- the links as a tree ----

local STANDARD = { ["127.0.0.1/8"] = true, ["::1/128"] = true }

--- Whether a link is the loopback, and there is nothing to say of it.
-- @tparam table link
-- @treturn boolean
function M.is_dull(link)
  if link.kind ~= "loopback" then return false end
  for _, a in ipairs(link.addresses) do
    if not STANDARD[a] then return false end
  end
  return true
end

-- Ports below their bridge, other links below the one that they are on.
local function tree_of(namespace)
  local by_name, children, roots = {}, {}, {}
  for _, link in ipairs(namespace.links) do by_name[link.name] = link end
  for _, link in ipairs(namespace.links) do
    local lower = link.lower and link.lower.namespace == namespace.id and link.lower.link
    local parent = by_name[link.master or lower or ""]
    if not parent then
      if not M.is_dull(link) then roots[#roots + 1] = link end
    else
      children[parent] = children[parent] or {}
      table.insert(children[parent], link)
    end
  end
  return roots, children
end

-- Each item is a link with what stands before its name, and before a line that comes between it and the next.
local function add_items(items, children, link, before, below, is_below_lower)
  local own = children[link] or {}
  children[link] = nil -- also where links are each other's
  local name = M.plain(link.name)
  items[#items + 1] = { link = link, head = before .. name, after = below .. (#own > 0 and "│ " or ""),
    is_below_lower = is_below_lower }
  for i, child in ipairs(own) do
    local is_last = i == #own
    add_items(items, children, child, below .. (is_last and "└ " or "├ "), below .. (is_last and "  " or "│ "),
      not child.master)
  end
end

--- The links of a namespace as a picture has them, one below the other.
-- @tparam table namespace
-- @treturn {table,...} each with `link`, `head` (its name in the tree), `after` (the tree below)
function M.items(namespace)
  local items = {}
  local roots, children = tree_of(namespace)
  for _, link in ipairs(roots) do add_items(items, children, link, "", "") end
  for _, link in ipairs(namespace.links) do -- none is lost, however odd
    if children[link] then add_items(items, children, link, "", "") end
  end
  return items
end

-- ---- lines ----

local function widest(items, field)
  local width = 0
  for _, item in ipairs(items) do width = math.max(width, utf8.len(item[field])) end
  return width
end

local function longest(words)
  local length = 0
  for _, word in ipairs(words) do length = math.max(length, utf8.len(word)) end
  return length
end

-- One link: what does not fit behind its name and state goes on below, or stands there as a whole: no address is cut.
local function add_link_lines(lines, item, columns, width)
  local front = ("%s  %s  "):format(M.pad(item.head, columns.head), M.pad(item.state, columns.state))
  local indent, is_below = utf8.len(front), false
  if longest(item.details) > width - indent then indent, is_below = utf8.len(item.after) + 2, true end
  local texts = M.wrap(item.details, width - indent, "  ")
  lines[#lines + 1] = { text = front .. (is_below and "" or texts[1]), item = item, after = item.after }
  for i = is_below and 1 or 2, #texts do
    lines[#lines + 1] = { text = M.pad(item.after, indent) .. texts[i], after = item.after }
  end
end

local function add_rules(lines, namespace, width)
  for i, rule in ipairs(namespace.nat) do
    if i > RULES then
      lines[#lines + 1] = { text = ("NAT  and %d more, all in --json"):format(#namespace.nat - RULES), after = "" }
      break
    end
    for n, text in ipairs(M.wrap(M.words(rule.text), width - 5, " ")) do
      lines[#lines + 1] = { text = (n == 1 and "NAT  " or "     ") .. text, after = "" }
    end
  end
end

--- The lines of a namespace.
-- @tparam table graph with `by_id`
-- @tparam table namespace
-- @tparam {table,...} items of it; `drawn` are those to whose other end a line is drawn
-- @tparam integer width
-- @treturn {table,...} each with `text`, `after` (the tree below), and `item` where it is a link's first
function M.lines(graph, namespace, items, width)
  local lines = {}
  for _, item in ipairs(items) do
    item.state, item.details = item.link.state, details_of(graph, namespace, item)
  end
  local columns = { head = math.min(widest(items, "head"), width // 2), state = widest(items, "state") }
  for _, item in ipairs(items) do add_link_lines(lines, item, columns, width) end
  add_rules(lines, namespace, width)
  return lines
end

-- ---- titles ----

local function who(namespace)
  local command = M.plain(namespace.command or "")
  if namespace.pid then
    local others = namespace.processes > 1 and (" and %d more"):format(namespace.processes - 1) or ""
    return ("process %d%s: %s"):format(namespace.pid, others, command)
  end
  if namespace.held_here then return "held by this process" end
  if namespace.holder then return ("held by process %d: %s"):format(namespace.holder, command) end
  return namespace.hidden and "held out of sight" or "no process in it"
end

-- Of note only where there are addresses: a switch needs no loopback.
local function has_loopback_down(namespace)
  local is_down, count = false, 0
  for _, link in ipairs(namespace.links) do
    if link.kind == "loopback" then is_down = link.state == "down" end
    count = count + #link.addresses
  end
  return is_down and count > 0
end

--- What stands on top of a namespace's box: its name, who is in it.
-- @tparam table namespace
-- @treturn string
function M.title(namespace)
  local is_process = namespace.pid and namespace.label == ("process %d"):format(namespace.pid)
  local parts = { not is_process and M.plain(tostring(namespace.label)) or nil }
  if namespace.here then parts[#parts + 1] = "here" end
  if namespace.part then parts[#parts + 1] = "in part" end
  if has_loopback_down(namespace) then parts[#parts + 1] = "lo down" end
  parts[#parts + 1] = who(namespace)
  return table.concat(parts, " · ")
end

--- Whether nothing but a quiet loopback is there.
-- @tparam table namespace
-- @treturn boolean
function M.is_empty(namespace)
  if #namespace.nat > 0 or namespace.unread then return false end
  for _, link in ipairs(namespace.links) do
    if not M.is_dull(link) then return false end
  end
  return true
end

return M
