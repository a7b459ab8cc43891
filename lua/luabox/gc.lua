--- `luabox gc`: undoes what killed runs and their killed keepers left, and only that.
--
-- It reads the journals in the state directory. Those of living runs are locked, and left alone. A record is acted
-- on only where it means the same as when it was written: a pid only with its start time and in its pid namespace,
-- and after a restart of the machine only files and directories, since all else is gone.
-- @module luabox.gc
local command_line = require "luabox.command_line"
local options = require "luabox.options"
local sys = require "luabox.sys.keeper"

local M = {}

local run_options = { dry_run = { "boolean" }, quiet = { "boolean" }, write = { "function" } }

local collect_options = {
  dry_run = run_options.dry_run, quiet = run_options.quiet, write = run_options.write, skip = { "function" },
}

-- kind → the namespace that a record is tied to
local TIED_TO = {
  process = "pid", pin = "mnt", file = "mnt", directory = "mnt", sysctl = "net", link = "net", table = "net",
}

local OUTLIVES_BOOT = { file = true, directory = true }

-- What was in the way, in words.
local REASON = {
  EACCES = "not permitted; run this as root",
  EBUSY = "still in use",
  EISDIR = "is a directory now, and not luabox's",
  ENOTEMPTY = "is not empty",
  EPERM = "not permitted; run this as root",
  ETIMEDOUT = "does not end",
}

local HALF_MADE = "it was not finished, and others may have files in it by now; remove it by hand"

local function is_here(kind, argument, header, here)
  local tied = TIED_TO[kind]
  if not tied or argument:find("^sysctl%-0%-") then return true end -- 0: not of a network namespace
  if tied == "net" then return header.net_cookie == here.net_cookie end
  return header[tied .. "_ns"] == here[tied .. "_ns"]
end

-- Runs `f` in the network namespace of process `pid`, if it is the one of the header; nil if it is not.
local function in_network(pid, header, f)
  local namespace = require "luabox.sys.namespace"
  local home <close> = namespace.open("net")
  local there <close> = namespace.open("net", pid)
  namespace.enter(there)
  local ok, failure
  if sys.here().net_cookie == header.net_cookie then ok, failure = pcall(f) end
  namespace.enter(home)
  if ok == false then error(failure, 0) end
  return ok and { failure = failure }
end

-- A record of another namespace. Returns what became of it and why.
local function undo_elsewhere(journal, record, kind, argument, header)
  local tied = TIED_TO[kind]
  local pid = sys.find_process(tied, header[tied .. "_ns"])
  if pid and tied == "net" then
    local done = in_network(pid, header, function() return journal:undo(record.line) end)
    if done then return not done.failure and "done" or "failed", done.failure end
    pid = nil
  end
  if pid then return "failed", ("of another %s namespace; run `luabox gc` in that of process %d"):format(tied, pid) end
  if kind == "sysctl" then sys.release_claim(argument, true) end
  if kind == "file" or kind == "directory" then return "left", "it was made in a mount namespace that is gone" end
  return "gone"
end

local function undo(journal, record, kind, argument, header, here)
  if kind == "contents" then return "left", HALF_MADE end
  if header.boot ~= here.boot and not OUTLIVES_BOOT[kind] then
    if kind == "sysctl" then sys.release_claim(argument, true) end
    return "gone"
  end
  if not is_here(kind, argument, header, here) then return undo_elsewhere(journal, record, kind, argument, header) end
  local failure = journal:undo(record.line)
  if not failure then return "done" end
  -- What is no record of ours will not become one.
  return failure == "EINVAL" and "left" or "failed", failure == "EINVAL" and "it is no record of luabox's" or failure
end

-- The path alone: a device and an inode say nothing to people.
local function shown(kind, argument)
  return kind == "contents" and argument:match "^%S+ %S+ (.+)$" or argument
end

local WORDS = { done = "removed", gone = "is gone already", left = "left alone", failed = "cannot be removed" }

local function report(o, kind, argument, outcome, reason)
  local write = o.write
  if not write or o.quiet and outcome ~= "failed" and outcome ~= "left" then return end
  reason = REASON[reason] or reason
  write(("%s %s: %s%s\n"):format(kind, shown(kind, argument), WORDS[outcome], reason and ": " .. reason or ""))
end

local function collect_record(journal, record, header, here, o)
  local kind, argument = record.line:match("^(%S+) (.+)$")
  if not kind then return true end
  if o.dry_run then
    local outcome = kind == "contents" and "left" or "done"
    if o.write then o.write(("%s %s: would be %s\n"):format(kind, shown(kind, argument), WORDS[outcome])) end
    return false
  end
  local outcome, reason = undo(journal, record, kind, argument, header, here)
  report(o, kind, argument, outcome, reason)
  if outcome == "failed" then return false end
  journal:strike(record.offset)
  return true
end

-- Last first, as the keeper would.
local function records_of(journal, skip)
  local records = {}
  for _, record in ipairs(journal:records()) do
    if not (skip and skip(record.id)) then records[#records + 1] = record end
  end
  table.sort(records, function(a, b) return a.id > b.id end)
  return records
end

--- Undoes what the journal of a dead run holds, and removes it if nothing is left.
-- @string name
-- @tparam[opt] table o
-- @tparam[opt=false] boolean o.dry_run only say what would be removed
-- @tparam[opt=false] boolean o.quiet say only what cannot be
-- @tparam[opt] function o.write takes the lines; none are made without
-- @tparam[opt] function o.skip tells of a record's number whether to leave it out
-- @treturn boolean whether something is left
-- @raise luabox.error: EBADMSG if it is no journal
-- @usage assert(luabox.gc.collect("1-1-0.journal") == false)
function M.collect(name, o)
  o = options.check(collect_options, o or {}, "collect")
  local journal <close> = sys.open_journal(name)
  if not journal then return false end
  if journal:is_empty() then
    if not o.dry_run then journal:remove() end
    return false
  end
  local header, here, left = journal:header(), sys.here(), false
  for _, record in ipairs(records_of(journal, o.skip)) do
    if not collect_record(journal, record, header, here, o) then left = true end
  end
  if not left and not o.dry_run then journal:remove() end
  return left
end

local function say(o, text)
  if o.write then o.write(text .. "\n") end
end

-- Runs that were killed between claiming a sysctl and telling their keepers.
local function collect_claims(o)
  if o.dry_run then return end
  for _, file in ipairs(sys.claims()) do sys.release_claim(file) end
end

--- Undoes what all dead runs left.
-- @tparam[opt] table o as `collect` takes them
-- @treturn boolean whether something is left
-- @usage luabox.gc.run { dry_run = true }
function M.run(o)
  o = options.check(run_options, o or {}, "run")
  local left = false
  local names = sys.journals()
  table.sort(names)
  for _, name in ipairs(names) do
    local own = package.loaded["luabox.keeper"]
    own = own and own.current()
    -- To open the own journal would be to lose its lock.
    if not (own and own:journal() == name) then
      local ok, result = pcall(M.collect, name, o)
      if not ok then say(o, ("%s: left alone: %s"):format(name, result)) end
      left = left or not ok or result
    end
  end
  collect_claims(o)
  if not o.dry_run then sys.leave_directory() end
  return left
end

local USAGE = [[
usage: luabox gc [--dry-run] [--quiet]
Removes what killed runs of luabox left (cgroups, processes, sysctls, pinned namespaces, files), and nothing else.
  --dry-run  only say what would be removed
  --quiet    say only what cannot be removed
]]

local FLAGS = { ["--dry-run"] = "dry_run", ["--quiet"] = "quiet" }

--- The command line.
-- @tparam {string,...} arguments
-- @treturn int the exit status: 0; 2 for wrong arguments
-- @usage assert(luabox.gc.main { "--dry-run", "--quiet" } == 0)
function M.main(arguments)
  local o, status = command_line.flags("gc", USAGE, FLAGS, arguments)
  if not o then return status end
  o.write = function(line) io.stdout:write(line) end
  M.run(o)
  return 0
end

return M
