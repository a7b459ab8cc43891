--- Runs a recipe in this process, so that a test can look from outside at what is there when a line is printed.
local spec = require "spec"

local M = {}

local FINISHED = {}

-- What the recipe has in place of the globals that print and exit, and of its arguments.
local function globals(on_line, arguments)
  local started = ""
  local function write(text)
    started = started .. text
    started = started:gsub("([^\n]*)\n", function(line)
      on_line(line)
      return ""
    end)
  end
  return setmetatable({
    arg = arguments,
    print = function(...)
      local words = table.pack(...)
      for i = 1, words.n do words[i] = tostring(words[i]) end
      write(table.concat(words, "\t") .. "\n")
    end,
    io = setmetatable({ write = function(...) write(table.concat { ... }) end }, { __index = io }),
    os = setmetatable({
      exit = function(code) error(setmetatable({ ok = code == nil or code == true or code == 0 }, FINISHED), 0) end,
    }, { __index = os }),
  }, { __index = _G })
end

local function finish(ok, failure)
  if ok then return end
  if getmetatable(failure) ~= FINISHED then error(failure, 0) end
  assert(failure.ok, "the recipe says that it failed")
end

--- Runs recipes/NAME. While it waits in `print`, the function of each pattern that the line matches is called with the
-- pattern's captures, as numbers where they are; every one of them must be called.
-- @tparam string name
-- @tparam[opt] {[string]=function} looks by patterns
-- @tparam[opt] {string,...} arguments of the recipe
-- @treturn string all that it printed
function M.run(name, looks, arguments)
  local lines, seen = {}, {}
  local function on_line(line)
    lines[#lines + 1] = line
    for pattern, look in pairs(looks or {}) do
      local captures = table.pack(line:match(pattern))
      if captures[1] then
        for i = 1, captures.n do captures[i] = math.tointeger(captures[i]) or captures[i] end
        look(table.unpack(captures, 1, captures.n))
        seen[pattern] = true
      end
    end
  end
  finish(pcall(assert(loadfile("recipes/" .. name, "t", globals(on_line, arguments or {})))))
  local text = table.concat(lines, "\n")
  for pattern in pairs(looks or {}) do
    if not seen[pattern] then error(("no line matches '%s':\n%s"):format(pattern, text), 2) end
  end
  return text
end

-- How a command is run in each network namespace that a descriptor of this process holds.
local function entries()
  local own, list = spec.output "stat --dereference --format %i /proc/self/ns/net", {}
  local pid = spec.contents("/proc/self/stat"):match "%d+"
  for fd, id in spec.output("ls -l --numeric-uid-gid /proc/" .. pid .. "/fd"):gmatch "(%d+) %-> net:%[(%d+)%]" do
    if id ~= own then list[#list + 1] = ("nsenter --net=/proc/%s/fd/%s "):format(pid, fd) end
  end
  return list
end

--- How a command is run in the network namespace of the recipe that has an address.
-- @tparam string address with its prefix
-- @treturn string what stands before the command
function M.inside(address)
  for _, entry in ipairs(entries()) do
    if spec.output(entry .. "ip -o addr"):find(" " .. address, 1, true) then return entry end
  end
  error("no namespace has " .. address)
end

return M
