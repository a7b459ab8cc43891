--- Random iptables lines for the parser. A failure names the seed and the line.
--
-- Usage: luabox tests/fuzz/iptables_fuzz.lua [--seconds N] [--seed S]
package.path = "tests/fuzz/?.lua;" .. package.path

local lines = require "iptables_lines"

local function option(name, otherwise)
  for i, word in ipairs(arg) do
    if word == name then return math.tointeger(arg[i + 1]) end
  end
  return otherwise
end

local seed = option("--seed", math.random(1 << 30))
local deadline = os.time() + option("--seconds", 10)
math.randomseed(seed)
local count = 0
repeat
  for _ = 1, 1000 do
    local line = lines.line()
    local ok, problem = pcall(lines.check, line)
    if not ok then
      print(("seed %d, line %q:\n%s"):format(seed, line, problem))
      os.exit(1)
    end
  end
  count = count + 1000
until os.time() >= deadline
print(("%d lines, nothing found"):format(count))
