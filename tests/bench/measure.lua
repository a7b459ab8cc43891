--- Interleaved measurements and their table.
local measure = {}

local function median(list)
  local sorted = table.move(list, 1, #list, 1, {})
  table.sort(sorted)
  local half = #sorted // 2
  return #sorted % 2 == 1 and sorted[half + 1] or (sorted[half] + sorted[half + 1]) / 2
end

--- What a shell command prints, as a list of numbers; nil if it failed.
function measure.numbers(command)
  local pipe = assert(io.popen(command))
  local output, list = pipe:read "a", {}
  if not pipe:close() then return nil end
  for word in output:gmatch "%S+" do list[#list + 1] = tonumber(word) end
  return list
end

--- Milliseconds from the start to the exit of a command, `runs` times; nil if it failed.
-- @string command without shell syntax
-- @int runs
-- @string[opt] prepare a shell command before each run
function measure.process(command, runs, prepare)
  local path = os.tmpname()
  local _ <close> = setmetatable({}, { __close = function() os.remove(path) end })
  prepare = prepare and ("--prepare '%s'"):format(prepare) or ""
  local hyperfine = "hyperfine -N --style none --warmup 1 --runs %d %s --export-json %s '%s' >/dev/null 2>&1"
  if not os.execute(hyperfine:format(runs, prepare, path, command)) then return nil end
  local file <close> = assert(io.open(path))
  local list = {}
  for seconds in file:read "a":match '"times":%s*(%b[])':gmatch "[%d.e-]+" do list[#list + 1] = seconds * 1e3 end
  return list
end

--- Samples every contender in each round, so that what slows the machine down meets all alike.
-- A contender is `{ name =, sample = function() -> { field = list of numbers } or nil, rounds = at most }`; one whose
-- sample gives nil is left out from then on, and said to be.
-- @treturn {table,...} rows `{ name =, field = median, … }` in the contenders' order
function measure.interleave(contenders, rounds)
  local results, failed = {}, {}
  for round = 1, rounds do
    for i = 1, #contenders do
      local c = contenders[(i + round) % #contenders + 1] -- nobody always comes after the same
      local fields = not failed[c] and round <= (c.rounds or rounds) and c.sample()
      if fields == nil then
        failed[c] = true
        print(("%s: failed, left out"):format(c.name))
      end
      local result = results[c] or {}
      results[c] = result
      for field, list in pairs(fields or {}) do
        result[field] = table.move(list, 1, #list, #(result[field] or {}) + 1, result[field] or {})
      end
    end
  end
  local rows = {}
  for _, c in ipairs(contenders) do
    local row = { name = c.name }
    for field, list in pairs(results[c]) do row[field] = median(list) end
    if next(results[c]) and not failed[c] then rows[#rows + 1] = row end
  end
  return rows
end

--- Prints rows with each field's median, and as a ratio to the first row, the floor.
-- @string title
-- @tparam {table,...} rows
-- @tparam {{string,string},...} fields name and unit
-- @tparam file out besides the standard output
function measure.report(title, rows, fields, out)
  local function say(...)
    local line = string.format(...)
    print(line)
    out:write(line, "\n")
  end
  say("\n%s", title)
  for _, row in ipairs(rows) do
    local line = ("  %-28s"):format(row.name)
    for _, field in ipairs(fields) do
      local value, floor = row[field[1]], rows[1][field[1]]
      line = line .. (value and ("%10.2f %s %6.2f ×"):format(value, field[2], value / floor) or "")
    end
    say("%s", line)
  end
end

return measure
