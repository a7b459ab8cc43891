--- Runs the luabox program for the specs that are about the program itself.
local M = {}

M.path = os.getenv("LUABOX_BUILD") .. "/luabox"

local function read(path)
  local file <close> = assert(io.open(path))
  return file:read("a")
end

--- One word of a shell command.
function M.quote(word)
  return "'" .. word:gsub("'", "'\\''") .. "'"
end

-- The command as a shell sees it.
local function line(words)
  local quoted = {}
  for i, word in ipairs(words) do quoted[i] = M.quote(word) end
  return table.concat(quoted, " ")
end

--- Makes an empty directory, and returns its path and a function that removes it.
function M.directory()
  local path = os.tmpname()
  os.remove(path)
  assert(os.execute("mkdir -m 700 " .. path))
  return path, function() os.execute("rm -rf " .. path) end
end

--- Runs a shell command; returns what it printed, its errors, and its exit status (128 + N for signal N).
function M.shell(command)
  local directory, remove = M.directory()
  local files = (" >%s/out 2>%s/err"):format(directory, directory)
  local _, how, status = os.execute("{ " .. command .. "\n}" .. files)
  local out, err = read(directory .. "/out"), read(directory .. "/err")
  remove()
  return out, err, how == "signal" and 128 + status or status
end

--- Runs the program with arguments; standard input is empty, or `input`.
function M.run(arguments, input)
  local source = input and "printf %s " .. M.quote(input) .. " | " or "</dev/null "
  return M.shell(source .. line { M.path, table.unpack(arguments) })
end

-- $1 are the signals, the rest the command. The command prints "ready" once for each signal that it is ready for,
-- and finds "sent.1", "sent.2"… in the directory $SIGNALS as soon as it has been sent. It has a minute to end.
local SIGNAL = [[
signal=$1 directory=$2
shift 2
mkfifo "$directory/input"
exec 3<>"$directory/input"
: >"$directory/out" # it is looked at before the command may have begun
export SIGNALS="$directory"
env --default-signal "$@" <&3 >"$directory/out" 2>"$directory/err" 3>&- &
pid=$!
n=0
for s in $signal; do
  n=$((n + 1))
  for i in $(seq 3000); do
    [ "$(grep -cs ready "$directory/out")" -lt $n ] || break
    sleep 0.02
  done
  sleep 0.05 # until it blocks; a moment early does no harm
  kill -"$s" $pid
  : >"$directory/sent.$n"
done
{ timeout 60 tail -s 0.1 --pid=$pid -f /dev/null || kill -KILL $pid; } 3>&- &
wait $pid
status=$?
wait
exit $status
]]

--- Runs the program with arguments, sends it signals ("TERM", or several), the n-th when it has printed "ready" n
-- times, and returns what `shell` does. The program finds $SIGNALS/sent.N when it has been sent the n-th.
function M.signal(signals, arguments)
  local directory, remove = M.directory()
  local command = line { "sh", "-c", SIGNAL, "sh", signals, directory, M.path, table.unpack(arguments) }
  local _, _, status = M.shell(command)
  local out, err = read(directory .. "/out"), read(directory .. "/err")
  remove()
  return out, err, status
end

--- Whether the program was built with sanitizers, which bring libraries of their own.
function M.is_sanitized()
  return M.shell("ldd " .. M.path):find("libasan", 1, true) ~= nil
end

--- Runs the program on a terminal: pairs of what to wait for and what to type. Returns what `shell` does.
function M.terminal(arguments, talk)
  return M.shell(line { "tests/terminal.py", line { M.path, table.unpack(arguments) }, table.unpack(talk) })
end

return M
