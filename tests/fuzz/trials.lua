--- What the fuzz targets in Lua share: options, and one random input after the other until the time is over.
local M = {}

--- The integer that follows a name on the command line.
function M.option(name, otherwise)
  for i, word in ipairs(arg) do
    if word == name then return math.tointeger(arg[i + 1]) end
  end
  return otherwise
end

--- Tries inputs for --seconds (10 by default). The first that fails is printed with the seed, which --seed takes to
-- repeat it, and ends the program.
-- @tparam string what they are called: "files"
-- @tparam function try makes an input by math.random; returns nil, or what is wrong with it
function M.run(what, try)
  local seed = M.option("--seed", math.random(1 << 30))
  local deadline, count = os.time() + M.option("--seconds", 10), 0
  math.randomseed(seed)
  repeat
    local problem = try()
    if problem then
      print(("seed %d, %s"):format(seed, problem))
      os.exit(1)
    end
    count = count + 1
  until os.time() >= deadline
  print(("%d %s, nothing found"):format(count, what))
end

return M
