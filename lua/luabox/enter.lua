--- `luabox enter`: a program in the namespaces of another process, with nsenter's options.
-- @module luabox.enter
local command_line = require "luabox.command_line"
local find = require "luabox.ns_find"
local ns = require "luabox.ns"
local sys = require("luabox").sys

local M = {}

local USAGE = [==[
usage: luabox enter [options] PID|NAME [--] [COMMAND [ARGUMENT...]]
Runs a command (your shell by default) in the namespaces of a process. NAME is a network namespace of `ip netns`, or
the host name of a container. Without options: all namespaces that differ, the root and the working directory.
  -t, --target PID  the process, as nsenter(1) has it
  -m, --mount   -u, --uts   -i, --ipc   -n, --net   -p, --pid   -U, --user   -C, --cgroup   -T, --time
                    these namespaces only
  -a, --all         all namespaces that differ
  -r, --root        its root directory
  -w, --wd          its working directory
]==]

local TYPES = {
  ["-m"] = "mnt", ["--mount"] = "mnt", ["-u"] = "uts", ["--uts"] = "uts", ["-i"] = "ipc", ["--ipc"] = "ipc",
  ["-n"] = "net", ["--net"] = "net", ["-p"] = "pid", ["--pid"] = "pid", ["-U"] = "user", ["--user"] = "user",
  ["-C"] = "cgroup", ["--cgroup"] = "cgroup", ["-T"] = "time", ["--time"] = "time",
}
local OTHERS = { ["-a"] = "all", ["--all"] = "all", ["-r"] = "root", ["--root"] = "root", ["-w"] = "cwd",
  ["--wd"] = "cwd" }

-- ---- the command line ----

-- The options, or nil and what is wrong.
local function read(arguments)
  local o, types, i = {}, {}, 1
  while arguments[i] and arguments[i]:find "^%-" and arguments[i] ~= "--" do
    local word = arguments[i]
    local target = word:match "^%-t(%d+)$" or word:match "^%-%-target=(.+)$"
    if target then
      o.target = target
    elseif word == "-t" or word == "--target" then
      i = i + 1
      o.target = arguments[i]
    elseif TYPES[word] then
      types[#types + 1] = TYPES[word]
    elseif OTHERS[word] then
      o[OTHERS[word]] = true
    else
      return nil, ("unknown option '%s'"):format(word)
    end
    i = i + 1
  end
  if not o.target and arguments[i] ~= "--" then
    o.target = arguments[i]
    i = i + 1
  end
  if arguments[i] == "--" then i = i + 1 end
  o.types = #types > 0 and table.concat(types, ",") or nil
  o.command = table.move(arguments, i, #arguments, 1, {})
  return o.target and o, "a process or a name is needed"
end

-- Whether more is asked for than a network namespace with a name has.
local function wants_process(o)
  for type in (o.types or ""):gmatch "%a+" do
    if type ~= "net" then return true end
  end
  return o.root or o.cwd
end

local function run(o, pid, namespace)
  local command = #o.command > 0 and o.command or { os.getenv "SHELL" or "/bin/sh" }
  if namespace then
    if wants_process(o) then
      error(("'%s' is a network namespace, and no process: all that can be entered is --net"):format(o.target), 0)
    end
    local process <close> = sys.process.spawn { program = command, join = { namespace } }
    return process:wait()
  end
  local plain = not (o.types or o.all or o.root or o.cwd)
  return ns.run(pid, { types = o.types or (o.root or o.cwd) and not o.all and "" or nil, root = o.root or plain,
    cwd = o.cwd or plain }, command)
end

--- The command line.
-- @tparam {string,...} arguments
-- @treturn int the command's exit status, 128 and its signal's number if one killed it; 125 if it was not started; 2
--   for wrong arguments
-- @usage assert(luabox.enter.main { "--help" } == 0)
function M.main(arguments)
  local o, status = command_line.read("enter", USAGE, read, arguments)
  if not o then return status end
  local pid, namespace, problem = find.one(o.target)
  if problem then return command_line.fail("enter", problem, 125) end
  local ok, result = pcall(run, o, pid, namespace)
  if namespace then namespace:close() end
  if not ok then return command_line.fail("enter", result, 125) end
  return result.code or 128 + sys.signal.number(result.signal)
end

return M
