-- Many containers and LANs one after the other in one process: what it holds does not grow.
-- time limit: 900
local luabox = require "luabox"
local process = luabox.sys.process

local INTERPRETER = os.getenv "LUABOX_INTERPRETER" or "build/luabox"
local SHORT = os.getenv "LUABOX_UNDER" == "lua5.4" or os.getenv "LUABOX_KILLS" ~= nil
local COUNTS = os.getenv "LUABOX_SOAK" == "1" and { containers = 10000, lans = 1000 }
  or SHORT and { containers = 300, lans = 40 } or { containers = 1000, lans = 100 }
-- By then all pages are touched that Lua's heap needs between two collections.
local FIRST = { containers = 100, lans = 20 }

-- KiB that memory may grow: what malloc has in pieces (a sanitizer keeps what is freed, and looks for leaks itself),
-- and a table of Lua's that doubles.
local SANITIZED = (os.getenv "LUABOX_BUILD" or ""):find("asan", 1, true)
local SLACK = { memory = SANITIZED and math.huge or 512, ["keeper's memory"] = 64, ["Lua's memory"] = 32 }

local function soak(kind)
  local p <close> = process.spawn { stdin = "null", stdout = "pipe", stderr = "pipe",
    program = { INTERPRETER, "tests/soak.lua", kind, tostring(COUNTS[kind]), tostring(FIRST[kind]) } }
  local stdout, stderr = process.communicate(p)
  assert.same({ code = 0 }, p:wait(), stderr)
  return stdout
end

local function samples(output)
  local found = { first = {}, last = {} }
  for which, value, name in output:gmatch "(%l+) (%d+) ([^\n]+)\n" do found[which][name] = tonumber(value) end
  return found.first, found.last
end

-- A leak by each of them, not what others on the machine have made meanwhile.
local function slack(kind, name)
  return SLACK[name] or math.max(400, (COUNTS[kind] - FIRST[kind]) // 2)
end

local function check(kind)
  local output = soak(kind)
  assert.is_nil(output:match "\n[+-] .*")
  local first, last = samples(output)
  for name, value in pairs(first) do
    print(("%s, %s: %d after %d, %d after %d"):format(kind, name, value, FIRST[kind], last[name], COUNTS[kind]))
    assert(last[name] <= value + slack(kind, name), ("%s of %s: %d, then %d"):format(name, kind, value, last[name]))
  end
end

describe("one process with many, one after the other, #root #cgroup #userns #overlay #nft", function()
  it("does not grow with containers", function() check "containers" end)
  it("does not grow with LANs", function() check "lans" end)
end)
