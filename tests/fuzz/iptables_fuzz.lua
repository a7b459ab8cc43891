--- Random iptables lines for the parser. A failure names the seed and the line.
--
-- Usage: luabox tests/fuzz/iptables_fuzz.lua [--seconds N] [--seed S]
package.path = "tests/fuzz/?.lua;" .. package.path

local lines = require "iptables_lines"

require("trials").run("lines", function()
  local line = lines.line()
  local ok, problem = pcall(lines.check, line)
  if not ok then return ("line %q:\n%s"):format(line, problem) end
end)
