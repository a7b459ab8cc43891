--- Functions that wait for sockets, many of them at once and without threads: each is a coroutine, and one poll(2)
-- waits for all.
-- Internal: a part of `luabox.probe`, for nobody else.
-- @module luabox.probe_loop
local luabox = require "luabox"
local clock, wait = luabox.sys.system.clock, luabox.sys.probe.wait

local M = {}

--- Waits in one of the functions that `run` runs.
-- @tparam ?luabox.sys.probe socket nil: only for the time to pass
-- @tparam ?string for_what "read" or "write"
-- @tparam number deadline by the clock
-- @treturn boolean whether the socket is ready
function M.wait(socket, for_what, deadline)
  return coroutine.yield(socket, for_what, deadline)
end

--- Lets a time pass.
-- @tparam number seconds
function M.sleep(seconds)
  coroutine.yield(nil, nil, clock() + seconds)
end

-- Goes on with a function to its next wait, or to its end: then its result is kept.
local function step(task, ready)
  local ok, socket, for_what, deadline = coroutine.resume(task.thread, ready)
  if not ok then error(socket, 0) end
  if coroutine.status(task.thread) == "dead" then
    task.result, task.done = socket, true
  else
    task.socket, task.for_what, task.deadline = socket, for_what, deadline
  end
end

-- Waits for the first of them; returns the sockets that are ready.
local function poll(tasks)
  local lists, first = { read = {}, write = {} }, math.huge
  for task in pairs(tasks) do
    local list = lists[task.for_what]
    if list then list[#list + 1] = task.socket end
    first = math.min(first, task.deadline)
  end
  return wait(lists.read, lists.write, math.max(first - clock(), 0))
end

local function close_all(tasks)
  for task in pairs(tasks) do coroutine.close(task.thread) end
end

--- Runs functions at once until all have ended.
-- @tparam {function,...} functions
-- @treturn table the first result of each, by its place
-- @raise what one of them raises; the others are ended then
function M.run(functions)
  local running <close> = setmetatable({}, { __close = close_all })
  local all = {}
  for i, f in ipairs(functions) do
    all[i] = { thread = coroutine.create(f) }
    running[all[i]] = true
    step(all[i])
    if all[i].done then running[all[i]] = nil end
  end
  while next(running) do
    local ready = poll(running)
    local now = clock()
    for task in pairs(running) do
      local is_ready = task.socket and ready[task.socket] or false
      if is_ready or now >= task.deadline then step(task, is_ready) end
      if task.done then running[task] = nil end
    end
  end
  local results = {}
  for i, task in ipairs(all) do results[i] = task.result end
  return results
end

return M
