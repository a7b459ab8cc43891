--- Prints which lines of each file ran: of the C files from what llvm-cov exports (lcov's format), of the Lua files
-- from what count.lua wrote. Those that never ran go to never.c.txt and never.lua.txt.
-- Usage: lua5.4 tests/coverage/report.lua DIRECTORY (with c.lcov and lua/)
local directory = assert(arg[1])

-- ---- C ----

-- Adds file → line → times run.
local function read_lcov(path, files)
  local lines
  for text in io.lines(path) do
    local file = text:match("^SF:.*/(src/.*)$")
    if text:find("^SF:") then
      lines = file and (files[file] or {})
      if file then files[file] = lines end
    end
    local line, count = text:match("^DA:(%d+),(%d+)")
    if line and lines then lines[tonumber(line)] = (lines[tonumber(line)] or 0) + tonumber(count) end
  end
end

-- ---- Lua ----

-- The lines of a chunk that have code, and those of the functions in it: from the compiler's listing.
local function code_lines(path)
  local lines = {}
  local list <close> = assert(io.popen("luac5.4 -l -p " .. path))
  for text in list:lines() do
    local line = text:match("^%s+%d+%s+%[(%d+)%]%s+(%u+)")
    local op = text:match("^%s+%d+%s+%[%d+%]%s+(%u+)")
    if line and op ~= "VARARGPREP" and op ~= "RETURN" and op ~= "RETURN0" then lines[tonumber(line)] = 0 end
  end
  return lines
end

local function read_lua(files)
  for path in assert(io.popen("ls lua/luabox/*.lua")):lines() do files[path] = code_lines(path) end
  for text in assert(io.popen(("cat %s/lua/* 2>/dev/null | sort -u"):format(directory))):lines() do
    local file, line = text:match("^(.*):(%d+)$")
    local lines = files[file]
    if lines and lines[tonumber(line)] then lines[tonumber(line)] = 1 end
  end
end

-- ---- the table ----

local function source_lines(path)
  local lines = {}
  for line in io.lines(path) do lines[#lines + 1] = line end
  return lines
end

-- Counts, and writes the lines that never ran.
local function examine(path, lines, out)
  local all, never, source = 0, {}, source_lines(path)
  for line, count in pairs(lines) do
    all = all + 1
    if count == 0 then never[#never + 1] = line end
  end
  table.sort(never)
  for _, line in ipairs(never) do
    out:write(("%s:%d: %s\n"):format(path, line, (source[line] or ""):match("^%s*(.*)")))
  end
  return all, #never
end

local function print_row(name, all, never)
  local ran = all > 0 and (all - never) / all * 100 or 100
  print(("%-44s %6d lines %6d never run  %5.1f %%"):format(name, all, never, ran))
end

local function print_table(files, out)
  local names, all, never = {}, 0, 0
  for name in pairs(files) do names[#names + 1] = name end
  table.sort(names)
  for _, name in ipairs(names) do
    local of, missed = examine(name, files[name], out)
    all, never = all + of, never + missed
    print_row(name, of, missed)
  end
  print_row("all", all, never)
end

local c_files, lua_files = {}, {}
read_lcov(directory .. "/c.lcov", c_files)
read_lua(lua_files)
for kind, files in pairs { c = c_files, lua = lua_files } do
  local out <close> = assert(io.open(("%s/never.%s.txt"):format(directory, kind), "w"))
  print_table(files, out)
end
print(("The lines that never ran: %s/never.c.txt, never.lua.txt"):format(directory))
