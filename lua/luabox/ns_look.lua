--- What /proc and the mounts tell of namespaces.
-- Internal: a part of `luabox.ns` and `luabox.map`, for nobody else.
-- @module luabox.ns_look
local contents = require("luabox.proc_text").contents
local errors = require "luabox.error"
local sys = require("luabox").sys

local M = {}

--- What a link of /proc/PID/ns says.
-- @tparam ?string text "net:[4026531840]"
-- @treturn ?string the type
-- @treturn ?integer the id
function M.parse_link(text)
  local type, id = (text or ""):match "^(%a+):%[(%d+)%]$"
  return type, math.tointeger(id)
end

--- The program and its arguments; a kernel thread, and one that is ending, has but its name.
-- @tparam integer pid
-- @tparam string name
-- @treturn string
function M.command_of(pid, name)
  local text = (contents(("/proc/%d/cmdline"):format(pid)) or ""):gsub("%z+$", ""):gsub("%c", " ")
  return text ~= "" and text or name
end

--- The names of the users.
-- @treturn {[integer]=string} uid → name
function M.user_names()
  local names = {}
  for name, uid in (contents "/etc/passwd" or ""):gmatch "([^:\n]+):[^:\n]*:(%d+):[^\n]*" do
    names[tonumber(uid)] = names[tonumber(uid)] or name
  end
  return names
end

-- A child goes into one after the other, and this process into none.
local function read_host_names(pids)
  local process <close> = sys.process.spawn { body = function()
    local names = {}
    for id, pid in pairs(pids) do
      local ok, ns = pcall(sys.namespace.open, "uts", pid)
      if ok and pcall(sys.namespace.enter, ns) then names[id] = sys.system.hostname() end
    end
    return names
  end }
  return process:result()
end

--- The host names in UTS namespaces.
-- @tparam {[integer]=integer} pids id → a process in it
-- @treturn {[integer]=string} id → name, of those that this process may enter
function M.host_names(pids)
  return next(pids) and errors.try(read_host_names, pids) or {}
end

-- Namespaces by type and id, made as they are seen.
local function new_table(types)
  local seen, list = {}, {}
  for _, type in ipairs(types) do seen[type] = {} end
  return list, function(type, id)
    local of_type = seen[type]
    if not (of_type and id) then return nil end
    local entry = of_type[id]
    if not entry then
      entry = { type = type, id = id, processes = 0 }
      of_type[id] = entry
      list[#list + 1] = entry
    end
    return entry
  end
end

local function add_processes(entry_of, types, processes)
  for _, p in ipairs(processes) do
    for _, type in ipairs(types) do
      local entry = entry_of(type, p.namespaces[type])
      if entry then
        entry.processes = entry.processes + 1
        if not entry.pid or p.pid < entry.pid then entry.pid, entry.first = p.pid, p end
      end
    end
  end
end

local function add_pins(entry_of)
  for _, mount in ipairs(sys.mount.list()) do
    if mount.type == "nsfs" then
      local entry = entry_of(M.parse_link(mount.root))
      if entry then entry.path = entry.path or mount.target end
    end
  end
end

-- Those that only a descriptor holds, such as a luabox.network's switch.
local function add_held(entry_of, processes)
  for _, p in ipairs(processes) do
    local directory = ("/proc/%d/fd"):format(p.pid)
    local ok, names = pcall(sys.file.list, directory)
    for _, name in ipairs(ok and names or {}) do
      local found, link = pcall(sys.file.readlink, directory .. "/" .. name)
      local entry = found and entry_of(M.parse_link(link))
      if entry and not entry.holder then entry.holder, entry.held_at = p.pid, directory .. "/" .. name end
    end
  end
end

--- Opens a namespace that `scan` found.
-- @tparam table entry
-- @treturn ?luabox.namespace nil of one that is known from those below only
-- @raise luabox.error: EACCES, EPERM; ENOENT, ESRCH if what held it has ended meanwhile
function M.open(entry)
  local which = entry.pid or entry.path or entry.held_at
  return which and sys.namespace.open(entry.type, which) or nil
end

local function parent_of(entry)
  if entry.type ~= "pid" and entry.type ~= "user" then return nil end
  local ns <close> = M.open(entry)
  return ns and ns:parent()
end

-- The ones above are reached from those below, though nobody may be in them.
local function add_parents(list, entry_of)
  for _, entry in ipairs(list) do
    local ok, parent = pcall(parent_of, entry)
    if ok and parent then
      local _, id = M.parse_link(parent:id())
      parent:close()
      entry.parent = id
      entry_of(entry.type, id)
    end
  end
end

local function finish(list)
  local users = M.user_names()
  for _, entry in ipairs(list) do
    local first = entry.first
    entry.first = nil
    if first then
      entry.uid, entry.user = first.uid, users[first.uid] or tostring(first.uid)
      entry.command = M.command_of(first.pid, first.name)
    end
  end
  table.sort(list, function(a, b) return a.id < b.id end)
  return list
end

--- All namespaces of some types that this process may see.
-- @tparam {string,...} types
-- @tparam boolean held those, too, that only a descriptor holds
-- @treturn {table,...} as `luabox.ns.list` gives them
-- @treturn {table,...} the processes, as `luabox.sys.namespace.processes` gives them
function M.scan(types, held)
  local list, entry_of = new_table(types)
  local processes = sys.namespace.processes()
  add_processes(entry_of, types, processes)
  add_pins(entry_of)
  if held then add_held(entry_of, processes) end
  add_parents(list, entry_of)
  return finish(list), processes
end

return M
