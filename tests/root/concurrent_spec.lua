-- Several runs at once, as from several terminals, on one host.
-- time limit: 600
local luabox = require "luabox"
local process, system = luabox.sys.process, luabox.sys.system

local INTERPRETER = os.getenv "LUABOX_INTERPRETER" or "build/luabox"

local function start(recipe)
  return process.spawn { program = { INTERPRETER, recipe }, stdin = "null", stdout = "pipe", stderr = "pipe" }
end

local function finish(p)
  local stdout, stderr = process.communicate(p, { timeout = 200 })
  return p:wait(200), stdout .. stderr
end

describe("recipes/lan.lua #root", function()
  it("runs four times at once, and all pass", function()
    local runs = {}
    for i = 1, 4 do runs[i] = start "recipes/lan.lua" end
    for _, p in ipairs(runs) do
      local result, output = finish(p)
      assert.equal(0, result and result.code, output)
    end
    assert.equal("0", system.sysctl "net.ipv4.ip_forward")
  end)

  it("is not disturbed by one that is killed beside it", function()
    local one <close> = start "recipes/lan.lua"
    local other <close> = start "recipes/lan.lua"
    other:wait(0.2)
    other:kill "KILL"
    local result, output = finish(one)
    assert.equal(0, result and result.code, output)
  end)

  it("leaves a live run alone when gc clears a dead one", function()
    local live <close> = start "recipes/lan.lua"
    live:wait(0.15)
    local gc <close> = process.spawn { program = { os.getenv "LUABOX_BUILD" .. "/luabox", "gc" }, stdin = "null",
      stdout = "null" }
    assert.equal(0, gc:wait().code)
    local result, output = finish(live)
    assert.equal(0, result and result.code, output)
  end)
end)
