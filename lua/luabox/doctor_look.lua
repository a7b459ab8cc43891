--- What `luabox.doctor` reads: this process, the kernel's modules, file systems, system calls.
-- Internal: a part of `luabox.doctor`, for nobody else.
-- @module luabox.doctor_look

local contents = require("luabox.proc_text").contents
local errors = require "luabox.error"
local sys = require("luabox").sys

local M = {}

local see_methods = {}
local see_mt = { __name = "luabox.doctor_look", __index = see_methods }

-- ---- who and where this is ----

local function effective_set()
  local set, sets = {}, errors.try(sys.capability.get)
  for name in (sets and sets.effective or ""):gmatch("[%w_]+") do set[name] = true end
  return set
end

--- Begins to look: the features share what is found out about this process.
-- @treturn table
function M.new()
  local status = contents "/proc/self/status" or ""
  local self = setmetatable({
    release = sys.system.uname().release, machine = sys.system.uname().machine, uid = sys.system.uid(),
    capabilities = effective_set(),
    filtered = (status:match "\nSeccomp:%s*(%d)" or "0") ~= "0",
    no_new_privs = status:match "\nNoNewPrivs:%s*(%d)" == "1",
    -- The initial user namespace maps all the ids that there are.
    nested = not (contents "/proc/self/uid_map" or "4294967295"):find("4294967295", 1, true),
  }, see_mt)
  self.privileged = self.capabilities.sys_admin and self.capabilities.net_admin or false
  return self
end

--- The capabilities of a comma list that this process does not have, as capabilities(7) writes them.
-- @string list
-- @treturn {string,...}
function see_methods:lacking(list)
  local lacking = {}
  for name in list:gmatch("[%w_]+") do
    if not self.capabilities[name] then lacking[#lacking + 1] = "CAP_" .. name:upper() end
  end
  return lacking
end

local function capability_words(see)
  local names = sys.capability.names()
  local lacking = see:lacking(table.concat(names, ","))
  if #lacking == #names then return "no capabilities" end
  if #lacking == 0 then return "all capabilities" end
  if #lacking > 4 then return ("%d of %d capabilities"):format(#names - #lacking, #names) end
  return "all capabilities but " .. table.concat(lacking, ", ")
end

--- Who and where this is, in a line.
-- @treturn string
function see_methods:words()
  local words = {
    ("Linux %s, %s"):format(self.release, self.machine),
    ("uid %d%s"):format(self.uid, self.nested and " of a user namespace" or ""), capability_words(self),
  }
  if self.no_new_privs then words[#words + 1] = "no new privileges" end
  if self.filtered then words[#words + 1] = "under a filter of system calls" end
  return table.concat(words, "; ")
end

-- ---- modules ----

-- name → the file it is in, from lists whose lines begin with the one or the other.
local function read_list(path)
  local set = {}
  for first in ("\n" .. (contents(path) or "")):gmatch("\n([^%s:]+)") do
    local name = first:match("[^/]+$"):gsub("%.ko.*$", ""):gsub("-", "_")
    set[name] = first
  end
  return set
end

local function read_modules(see)
  local directory = "/lib/modules/" .. see.release
  return {
    directory = directory,
    any = sys.file.access "/proc/modules",
    listed = sys.file.access(directory .. "/modules.dep"),
    loaded = read_list "/proc/modules",
    builtin = read_list(directory .. "/modules.builtin"),
    files = read_list(directory .. "/modules.dep"),
    closed = contents "/proc/sys/kernel/modules_disabled" == "1",
  }
end

-- "loaded", also if it is built in; "loadable"; "absent"; "unlisted" where no list tells; "none" if this kernel has no
-- modules at all, so that what it has is built in and not listed.
local function state_of(modules, name)
  if modules.loaded[name] or modules.builtin[name] then return "loaded" end
  if not modules.any then return "none" end
  if not modules.listed then return "unlisted" end
  local file = modules.files[name]
  return file and sys.file.access(modules.directory .. "/" .. file) and "loadable" or "absent"
end

local GRAVITY = { loaded = 1, none = 2, loadable = 3, unlisted = 4, absent = 5 }

--- The gravest state among the modules of a comma list, and the module that is in it.
-- @string list
-- @treturn string "loaded", "none" (this kernel has no modules), "loadable", "unlisted" or "absent"
-- @treturn ?string
function see_methods:module(list)
  self.modules = self.modules or read_modules(self)
  local worst, which = "loaded", nil
  for name in list:gmatch("[%w_]+") do
    local state = state_of(self.modules, name)
    if GRAVITY[state] > GRAVITY[worst] then worst, which = state, name end
  end
  return worst, which
end

--- What the state of modules tells by itself.
-- @string list
-- @treturn ?string the status; nil if only an attempt tells
-- @treturn ?string the detail
function see_methods:by_module(list)
  local state, name = self:module(list)
  if state == "absent" then return "missing", ("there is no module %s in %s"):format(name, self.modules.directory) end
  if state == "unlisted" then
    return "cannot tell", ("an attempt might load the module %s; no list in %s tells"):format(name,
      self.modules.directory)
  end
  if state ~= "loadable" then return nil end
  if self.modules.closed then return "missing", ("module %s is not loaded, and none can be any more"):format(name) end
  return "ok", ("module %s, loaded when first used"):format(name)
end

-- ---- features ----

--- Looks for system calls.
-- @string list
-- @treturn function
function M.calls(list)
  return function()
    for name in list:gmatch("[%w_]+") do
      local there, code = sys.system.has_call(name)
      if not there then return "missing", ("%s(2) answers %s"):format(name, code) end
    end
    return "ok"
  end
end

--- Looks for a file system.
-- @string name
-- @string[opt] module that may have it
-- @treturn function
function M.filesystem(name, module)
  return function(see)
    local list = contents "/proc/filesystems"
    if not list then return "cannot tell", "/proc/filesystems cannot be read" end
    if (list .. "\n"):find("\t" .. name .. "\n", 1, true) then return "ok" end
    local status, detail
    if module then status, detail = see:by_module(module) end
    return status or "missing", detail
  end
end

--- Looks for capabilities.
-- @string list
-- @treturn function
function M.capability(list)
  return function(see)
    local lacking = see:lacking(list)
    if #lacking > 0 then return "missing", "this process lacks " .. table.concat(lacking, ", ") end
    return "ok"
  end
end

return M
