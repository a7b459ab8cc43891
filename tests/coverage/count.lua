--- Counts the lines that run of the library's files: LUA_INIT=@tests/coverage/count.lua, under lua5.4 (luabox has its
-- modules without their source, and a hook of its own for signals). Each process that ends in order writes the lines,
-- "FILE:LINE", to a file of its own in $LUABOX_LINES; one that is killed, or runs another program, does not.
local directory = os.getenv("LUABOX_LINES")
local seen = {} -- source → line → true

local function note(_, line)
  local source = debug.getinfo(2, "S").source
  local lines = seen[source]
  if lines == nil then
    lines = source:find("lua/luabox/", 1, true) and {} or false
    seen[source] = lines
  end
  if lines then lines[line] = true end
end

local function write()
  local file <close> = io.open(("%s/%x"):format(directory, math.random(0)), "a") -- two may have one name
  if not file then return end
  for source, lines in pairs(seen) do
    if lines then
      for line in pairs(lines) do file:write(source:match("lua/luabox/.*"), ":", line, "\n") end
    end
  end
end

-- A coroutine has a hook of its own.
local create = coroutine.create
local function hooked(f)
  local co = create(f)
  debug.sethook(co, note, "l")
  return co
end
coroutine.create = hooked -- luacheck: ignore
function coroutine.wrap(f) -- luacheck: ignore
  local co = hooked(f)
  return function(...)
    local results = table.pack(coroutine.resume(co, ...))
    if not results[1] then error(results[2], 0) end
    return table.unpack(results, 2, results.n)
  end
end

-- Ends with the state; os.exit leaves it open unless it is told otherwise.
local exit = os.exit
function os.exit(code) exit(code, true) end -- luacheck: ignore
debug.getregistry()["luabox.coverage"] = setmetatable({}, { __gc = write })
debug.sethook(note, "l")
