-- Every primitive that a start uses fails once: each time the error must come out, and nothing be left.
local leaks = require "leaks"
local luabox = require "luabox"

local MODULES = { "capability", "cgroup", "file", "namespace", "net", "nft", "port", "process", "rootfs", "seccomp" }
local HANDLES = { "luabox.netlink", "luabox.netlink.batch", "luabox.nft", "luabox.cgroup" }
-- What undoes is not made to fail here: after a failure it is what must work.
local UNDO = { close = true, remove = true, kill = true, link_delete = true, release = true, fileno = true, id = true,
  wait = true, thaw = true, owner = true }
local GRACE = 20 -- seconds, on a machine that is busy with other things

local function primitives()
  local tables = {}
  for _, name in ipairs(MODULES) do tables[#tables + 1] = luabox.sys[name] end
  for _, name in ipairs(HANDLES) do tables[#tables + 1] = debug.getregistry()[name].__index end
  local list = {}
  for _, t in ipairs(tables) do
    for name, original in pairs(t) do
      if type(original) == "function" and not UNDO[name] then list[#list + 1] = { t, name, original } end
    end
  end
  return list
end

-- Calls `f` with the n-th primitive failing; returns whether there was an n-th, and how f ended.
local function with_fault(list, n, f)
  local count, at = 0, nil
  for _, entry in ipairs(list) do
    local t, name, original = table.unpack(entry)
    t[name] = function(...)
      count = count + 1
      if count == n then
        at = name
        luabox.error.raise { op = name, subject = "fault", code = "EIO" }
      end
      return original(...)
    end
  end
  local ok, e = pcall(f)
  for _, entry in ipairs(list) do entry[1][entry[2]] = entry[3] end
  return at, ok, e
end

local function start_all()
  local lan <close> = luabox.network { name = "lan", subnet = { "10.1.0.0/24", "fd00:1::/64" }, nat = true }
  local box <close> = luabox.container { name = "box", network = lan, ports = { "8080:80" }, pids = 20 }
  box:start()
  box:check { "true" }
  box:call(function() return 1 end)
end

local function left(before)
  return leaks.left(before, GRACE, luabox.keeper.close)
end

describe("a start in which a primitive fails #root", function()
  it("raises, and leaves nothing, whichever it is", function()
    start_all() -- so that handles have their metatables
    luabox.keeper.close()
    local list = primitives()
    local before = leaks.snapshot()
    local n = 0
    repeat
      n = n + 1
      local at, ok, e = with_fault(list, n, start_all)
      local what = ("primitive %d, %s"):format(n, at)
      if at then
        assert(not ok, what .. ": no error")
        assert(luabox.error.is(e, "EIO"), what .. ": " .. tostring(e))
      else
        assert(ok, tostring(e))
      end
      assert.equal("", left(before), what)
    until not at
    assert.is_true(n > 20)
  end)
end)
