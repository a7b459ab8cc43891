-- What keeps containers running costs: prints the KiB of memory (proportional set size) of all processes but the
-- containers' own programs. "luabox N": N containers of this process; else a command that runs "sleep".
local luabox = require "luabox"
local process, file = luabox.sys.process, luabox.sys.file

local PROGRAM = "sleep"

local function contents(path)
  local ok, text = pcall(file.read, path)
  return ok and text or ""
end

-- All processes of this pid namespace below 'root', itself included: pid → name.
local function tree(root)
  local parents, names, found = {}, {}, {}
  for _, entry in ipairs(file.list "/proc") do
    local pid = tonumber(entry)
    local name, parent = contents(("/proc/%s/stat"):format(entry)):match "%((.*)%) %S (%d+)"
    if pid and name then parents[pid], names[pid] = tonumber(parent), name end
  end
  for pid, name in pairs(names) do
    local above = pid
    while above and above ~= root do above = parents[above] end
    if above then found[pid] = name end
  end
  return found
end

local function memory_of(root)
  local sum = 0
  for pid, name in pairs(tree(root)) do
    local pss = contents(("/proc/%d/smaps_rollup"):format(pid)):match "\nPss:%s*(%d+) kB"
    if name ~= PROGRAM and pss then sum = sum + tonumber(pss) end
  end
  return sum
end

local function runs(root)
  for _, name in pairs(tree(root)) do
    if name == PROGRAM then return true end
  end
end

local function own_containers(count)
  local undo <close> = luabox.scope.new()
  for i = 1, count do
    local box = undo:own(luabox.container {
      name = "box" .. i, rootfs = "/", access = "ro", command = { PROGRAM, "60" },
    })
    box:start()
  end
  print(memory_of(process.id()))
end

local function command(words)
  local child <close> = process.spawn { program = words, setsid = true }
  repeat until child:wait(0.01) or runs(child:pid())
  print(memory_of(child:pid()))
end

if arg[1] == "luabox" then own_containers(tonumber(arg[2])) else command { table.unpack(arg) } end
