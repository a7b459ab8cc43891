--- What this run must undo even if it is killed.
--
-- The kernel undoes most by itself. The rest (cgroups, sysctls, pinned namespaces, processes, files) is told to the
-- keeper, a small process of this run, before it is made; when the run is over, however that came, the keeper
-- undoes what is still on its list, last first. What it could not undo, since it was killed too, is in a journal
-- under `/run/luabox`, and `luabox gc` undoes it.
--
-- Each method tells one thing and gives a token: `token:forget()` when the thing is gone again.
-- @module luabox.keeper
local cgroup = require "luabox.sys.cgroup"
local errors = require "luabox.error"
local file = require "luabox.sys.file"
local options = require "luabox.options"
local sys = require "luabox.sys.keeper"

local M = {}

--- Something the keeper knows.
-- @type luabox.keeper_token
local token_methods = {}
local token_mt = { __name = "luabox.keeper_token", __index = token_methods }

--- Takes the thing off the keeper's list: it is gone. Once is enough; without a keeper nothing happens.
-- @function forget
-- @usage
-- local token = luabox.keeper.get():file("/tmp/luabox-doc-forget")
-- token:forget()
function token_methods:forget()
  local keeper = self.keeper
  self.keeper = nil
  if not keeper or keeper ~= M.current() then return end
  local ok, failure = pcall(keeper.handle.forget, keeper.handle, self.id, self.count)
  if ok then return end
  if failure.code ~= "EPIPE" then error(failure, 0) end
  -- The keeper was killed. Undoing goes on without it, and must not undo this.
  for id = self.id, self.id + self.count - 1 do keeper.forgotten[id] = true end
end

--- The keeper of this run.
-- @type luabox.run_keeper
local keeper_methods = {}
local keeper_mt = { __name = "luabox.run_keeper", __index = keeper_methods }

local current

--- The keeper of this process, if one was started. A forked child has none of its parent's.
-- @treturn ?luabox.run_keeper
-- @usage assert(luabox.keeper.get() == luabox.keeper.current())
function M.current()
  if current and not (current.handle:is_own() and current.open) then current = nil end
  return current
end

--- The keeper of this process, started now if none was.
-- @treturn luabox.run_keeper
-- @raise luabox.error if it cannot be started; nothing has been made then
-- @usage assert(luabox.keeper.get():journal():match("%.journal$"))
function M.get()
  if not M.current() then
    current = setmetatable({ handle = sys.start(), open = true, forgotten = {}, parents = {} }, keeper_mt)
  end
  return current
end

--- Ends the keeper of this process, if one was started; returns when all on its list is undone.
-- @raise as `luabox.run_keeper:close`
-- @usage luabox.keeper.close()
function M.close()
  if M.current() then current:close() end
end

-- What was told in one message, as one token.
local function tell(self, records, fd)
  local id = self.handle:tell(records, fd)
  return setmetatable({ keeper = self, id = id, count = #records }, token_mt)
end

local function check_path(path, what)
  if type(path) ~= "string" then error(("%s: string expected, got %s"):format(what, type(path)), 3) end
  if path:sub(1, 1) ~= "/" then error(("%s: '%s' does not begin with a slash"):format(what, path), 3) end
  if path:find("[\n\0]") then error(("%s: contains a newline or a zero byte"):format(what), 3) end
  if #path > 4000 then error(("%s: %d bytes long; at most 4000 are allowed"):format(what, #path), 3) end
end

--- The name of the journal in the state directory.
-- @function journal
-- @treturn string
-- @usage assert(luabox.keeper.get():journal():match("%.journal$"))
function keeper_methods:journal()
  return self.handle:journal()
end

--- The keeper's process.
-- @function pid
-- @treturn int
-- @usage assert(luabox.keeper.get():pid() > 0)
function keeper_methods:pid()
  return self.handle:pid()
end

--- Directories of a cgroup that are about to be made. To undo: kill all in them, remove them.
-- @function cgroup
-- @tparam string|{string,...} path
-- @treturn luabox.keeper_token
-- @raise luabox.error: EEXIST if one is there already
-- @usage luabox.keeper.get():cgroup("/sys/fs/cgroup/luabox-doc-keeper"):forget()
function keeper_methods:cgroup(path)
  local records = {}
  for i, p in ipairs(type(path) == "table" and path or { path }) do
    check_path(p, "cgroup")
    records[i] = "cgroup " .. p
  end
  return tell(self, records)
end

-- A cgroup of version 2 in which groups are made, and which may have to change for it; told once, for the whole run.
local function tell_parent(self, path)
  if self.parents[path] then return end
  tell(self, { "controllers " .. path })
  self.parents[path] = true
end

-- Whether a step failed of itself, and has made nothing. Ctrl-C is heard at a step's return, when it may be done: then
-- the keeper is to undo it.
local function was_refused(failure)
  return errors.is(failure) and not failure.signal
end

--- Makes a cgroup that the keeper knows: `luabox.sys.cgroup.create` and `cgroup` in one. What has to change in the
-- cgroup above for it, with version 2, is put back at the end of the run.
-- @function create_cgroup
-- @tparam table o as `luabox.sys.cgroup.create` takes it
-- @treturn luabox.cgroup
-- @treturn luabox.keeper_token
-- @usage
-- local group, token = luabox.keeper.get():create_cgroup { name = "doc-keeper-create" }
-- group:remove()
-- token:forget()
function keeper_methods:create_cgroup(o)
  local token
  local ok, group = pcall(cgroup.create, o, function(paths, parent)
    if parent then tell_parent(self, parent) end
    token = self:cgroup(paths)
  end)
  if ok then return group, token end
  if token and was_refused(group) then token:forget() end
  error(group, 0)
end

-- A rule for the methods that tell a path.
local function path_teller(kind)
  return function(self, path)
    check_path(path, kind)
    return tell(self, { kind .. " " .. path })
  end
end

--- A path that a namespace is about to be pinned to. To undo: unmount, unlink.
-- @function pin
-- @string path absolute
-- @treturn luabox.keeper_token
-- @raise luabox.error: EEXIST if there is something
-- @usage luabox.keeper.get():pin("/tmp/luabox-doc-pin"):forget()
keeper_methods.pin = path_teller("pin")

--- A file, symbolic link, socket or pipe that is about to be made. To undo: unlink.
-- @function file
-- @string path absolute
-- @treturn luabox.keeper_token
-- @raise luabox.error: EEXIST if there is something
-- @usage luabox.keeper.get():file("/tmp/luabox-doc-file"):forget()
keeper_methods.file = path_teller("file")

--- A directory that is about to be made. To undo: remove it if it is empty.
-- @function directory
-- @string path absolute
-- @treturn luabox.keeper_token
-- @raise luabox.error: EEXIST if there is something
-- @usage luabox.keeper.get():directory("/tmp/luabox-doc-directory"):forget()
keeper_methods.directory = path_teller("directory")

--- What is about to be made in an empty directory. To undo: remove all that is in it then, but not the directory.
-- No link is followed, no other mount entered. `luabox gc` leaves it alone: later, others may have files there.
-- @function contents
-- @string path absolute
-- @treturn luabox.keeper_token
-- @raise luabox.error: ENOENT, ENOTDIR; ENOTEMPTY if something is in it
-- @usage
-- luabox.sys.file.mkdir("/tmp/luabox-doc-contents")
-- luabox.keeper.get():contents("/tmp/luabox-doc-contents"):forget()
-- luabox.sys.file.rmdir("/tmp/luabox-doc-contents")
function keeper_methods:contents(path)
  check_path(path, "contents")
  if file.list(path)[1] then errors.raise { op = "tell keeper", subject = path, code = "ENOTEMPTY" } end
  local stat = file.stat(path)
  return tell(self, { ("contents %s %d %s"):format(stat.device, stat.inode, path) })
end

--- A process that was just made. To undo: SIGKILL, through its pidfd.
-- @function process
-- @tparam luabox.process process anything with `pid()` that is a handle of a pidfd
-- @treturn luabox.keeper_token
-- @raise luabox.error: ESRCH if it is gone
-- @usage
-- local p <close> = luabox.sys.process.spawn { program = { "/bin/true" } }
-- local token = luabox.keeper.get():process(p)
-- p:wait()
-- token:forget()
function keeper_methods:process(process)
  local pid = process:pid()
  local start = sys.start_time(pid)
  if not start then errors.raise { op = "tell keeper", subject = "process " .. pid, code = "ESRCH" } end
  return tell(self, { ("process %d %d"):format(pid, start) }, process)
end

local link_options = {
  name = { "string", required = true, min = 1, max = 15 },
  index = { "integer", min = 0, max = 2147483647, default = 0 },
}

--- A network link that is about to be made in this process's network namespace. To undo: delete it.
-- @function link
-- @tparam table o
-- @tparam string o.name at most 15 bytes
-- @tparam[opt=0] int o.index the index that it will have; one of that name with another index is not touched
-- @treturn luabox.keeper_token
-- @raise luabox.error: EEXIST if there is such a link
-- @usage luabox.keeper.get():link { name = "doc0" }:forget()
function keeper_methods:link(o)
  o = options.check(link_options, o)
  return tell(self, { ("link %d %s"):format(o.index, o.name) })
end

local FAMILIES = { inet = 1, ip = 2, arp = 3, netdev = 5, bridge = 7, ip6 = 10 }

local table_options = {
  family = { "enum", names = { "arp", "bridge", "inet", "ip", "ip6", "netdev" }, required = true },
  name = { "string", required = true, min = 1, max = 255 },
}

--- An nftables table that is about to be made in this process's network namespace, for kernels before 5.12, which
-- do not tie a table to its maker. To undo: delete it.
-- @function table
-- @tparam table o
-- @tparam string o.family inet, ip, ip6, arp, bridge or netdev
-- @tparam string o.name
-- @treturn luabox.keeper_token
-- @usage luabox.keeper.get():table { family = "inet", name = "doc" }:forget()
function keeper_methods:table(o)
  o = options.check(table_options, o)
  return tell(self, { ("table %d %s"):format(FAMILIES[o.family], o.name) })
end

-- Claims and sets. The keeper is told twice: of the file before it is made, and of the claim itself, so that a
-- forked child that lives on and shares it does not keep it from being given up.
local function claim_and_set(self, o, tokens)
  local record = "sysctl " .. sys.claim_file(o.name)
  tokens[1] = tell(self, { record })
  local claim = sys.claim_sysctl(o.name, tostring(o.value))
  tokens.claim = claim
  if not claim then return end
  tokens[2] = tell(self, { record }, claim)
  claim:set()
end

local function forget_all(tokens)
  for _, token in ipairs(tokens) do token:forget() end
end

-- The run's part in a claim: with the last one's the old value comes back.
local function undo_sysctl(token)
  local claim <close> = token.claim
  token.claim = nil
  if not claim then return end
  claim:drop()
  forget_all(token.tokens)
end

local sysctl_options = {
  name = { "string", required = true, min = 1, max = 180 },
  value = { "any", { "string", min = 1, max = 247 }, { "integer" }, required = true },
}

--- Sets a sysctl of this process's network namespace, or of the host, for as long as this run needs it. Several runs
-- may need the same at once; the last to leave puts back what was there, unless somebody has changed it since.
-- @function sysctl
-- @tparam table o
-- @tparam string o.name as in sysctl(8)
-- @tparam string|int o.value
-- @treturn table with a method `undo`, which gives the sysctl up before the run's end
-- @raise luabox.error: ENOENT, EINVAL, EACCES, EROFS; EBUSY if another run needs another value
-- @usage
-- local token = luabox.keeper.get():sysctl { name = "net.ipv4.ip_default_ttl", value = 77 }
-- token:undo()
function keeper_methods:sysctl(o)
  o = options.check(sysctl_options, o)
  local tokens = {}
  local ok, failure = pcall(claim_and_set, self, o, tokens)
  if ok and tokens.claim then return { claim = tokens.claim, tokens = tokens, undo = undo_sysctl } end
  if tokens.claim then
    tokens.claim:close()
  elseif not ok then
    collectgarbage() -- a claim that did not get here holds a lock, for which the keeper would wait
  end
  if ok or was_refused(failure) then forget_all(tokens) end
  if not ok then error(failure, 0) end
  return { undo = undo_sysctl }
end

local function not_undone(journal, what)
  errors.raise {
    op = "end keeper",
    subject = journal,
    message = what,
    hint = "`luabox gc --dry-run` lists what is left, `luabox gc` tries again",
  }
end

--- Ends the keeper; returns when all on its list is undone.
-- If the keeper was killed, this process does its work.
-- @function close
-- @raise luabox.error if something could not be undone
-- @usage luabox.keeper.get():close()
function keeper_methods:close()
  if not self.open or not self.handle:is_own() then return end
  self.open = false
  local journal = self.handle:journal()
  local outcome = self.handle:stop()
  if outcome == "killed" then
    local left = require("luabox.gc").collect(journal, {
      skip = function(id) return self.forgotten[id] end,
    })
    outcome = left and "left" or "done"
    sys.leave_directory() -- where it was killed between its last two calls
  end
  if outcome == "left" then not_undone(journal, "not everything could be undone") end
end

-- The end of the program is the end of the run; what is left then should not go unsaid.
function keeper_mt:__gc()
  local ok, failure = pcall(self.close, self)
  if not ok then io.stderr:write("luabox: ", tostring(failure), "\n") end
end

return M
