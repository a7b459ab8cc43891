-- SIGINT, SIGTERM and SIGHUP as errors of the script.
if os.getenv("LUABOX_UNDER") ~= "luabox" then return end
local program = require "program"

local CLOSING = [[
local function closing(name)
  return setmetatable({}, { __close = function(_, e)
    io.write(name, " closed by ", tostring(e), "\n")
    io.stdout:flush()
  end })
end
local x <close> = closing "main"
local function ready() print "ready" io.stdout:flush() end
]]

-- Says that it is ready for another signal, and waits until it has been sent the n-th.
local SENT = [[
local function ready() print "ready" io.stdout:flush() end
local function sent(n)
  ready()
  repeat local file = io.open(os.getenv "SIGNALS" .. "/sent." .. n) until file
end
]]

local numbers = { HUP = 1, INT = 2, TERM = 15 }

-- The script closes its variables with the signal's error, and the program ends by the signal.
local function unwinds(signal, code, more)
  local out, err, status = program.signal(signal, { "-e", CLOSING .. code })
  local told = (" closed by interrupted by SIG%s (EINTR)\n"):format(signal)
  assert.equal("ready\n" .. (more and more .. told or "") .. "main" .. told, out)
  assert.equal(program.path .. ": interrupted by SIG" .. signal .. "\n", err)
  assert.equal(128 + numbers[signal], status)
end

describe("a signal", function()
  local blocking = {
    ["a loop"] = "ready() while true do end",
    ["io.read"] = "ready() io.read() print 'went on'",
    ["a line of a command"] = "local p = io.popen('sleep 60') ready() p:read() print 'went on'",
    ["a wait for a process"] = [[
      local p <close> = luabox.sys.process.spawn { program = { "/bin/sleep", "60" } }
      ready() p:wait() print "went on"
    ]],
    ["a wait with a timeout"] = [[
      local p <close> = luabox.sys.process.spawn { program = { "/bin/sleep", "60" } }
      ready() luabox.sys.process.wait_any({ p }, 60) print "went on"
    ]],
    ["the end of a command"] = "local p <close> = io.popen('sleep 60') ready() p:close() print 'went on'",
  }
  for name, code in pairs(blocking) do
    for signal in pairs(numbers) do
      it(("%s unwinds %s"):format(signal, name), function() unwinds(signal, code) end)
    end
    it("unwinds " .. name .. " in a coroutine", function()
      local inner = "coroutine.wrap(function() local y <close> = closing 'coroutine' " .. code .. " end)()"
      unwinds("TERM", inner, "coroutine")
    end)
  end

  it("unwinds os.execute, whose command ends too", function()
    unwinds("TERM", "ready() os.execute('sleep 60') print 'went on'")
    unwinds("HUP", "ready() os.execute('sleep 60') print 'went on'")
  end)

  it("goes on through luabox.try", function()
    unwinds("INT", "luabox.try(function() ready() while true do end end) print 'went on'")
  end)

  it("is raised in the coroutine that runs, and ends it", function()
    unwinds("TERM", [[
      local co = coroutine.create(function() local y <close> = closing "coroutine" ready() while true do end end)
      local ok, e = coroutine.resume(co)
      coroutine.close(co)
      error(e)
    ]], "coroutine")
  end)

  it("is an error that says which it was", function()
    local out = program.signal("TERM", { "-e", [[
      print "ready" io.stdout:flush()
      local ok, e = pcall(function() while true do end end)
      print(ok, e.code, e.errno, e.signal, e.message, getmetatable(e) == luabox.sys.error.metatable)
    ]] })
    assert.equal("ready\nfalse\tEINTR\t4\tSIGTERM\tinterrupted by SIGTERM\ttrue\n", out)
  end)

  it("is over once pcall, xpcall or resume has caught it; the next is raised again", function()
    local code = SENT .. [[
      local function forever() ready() while true do end end
      %s
      print(ok, e.signal)
      forever()
    ]]
    for _, call in ipairs {
      "local ok, e = pcall(forever)", "local ok, e = xpcall(forever, function(e) return e end)",
      "local ok, e = coroutine.resume(coroutine.create(forever))",
    } do
      local out, err, status = program.signal("INT TERM", { "-e", code:format(call) })
      assert.equal("ready\nfalse\tSIGINT\nready\n", out)
      assert.matches("interrupted by SIGTERM\n$", err)
      assert.equal(128 + 15, status)
    end
  end)

  it("does not cut the undo of an earlier one short", function()
    local code = SENT .. [[
      local x <close> = setmetatable({}, { __close = function() sent(2) print "undone" end })
      ready()
      while true do end
    ]]
    local out, err, status = program.signal("TERM INT", { "-e", code })
    assert.equal("ready\nready\nundone\n", out)
    local told = "luabox: undoing; interrupt once more to stop at once\n"
    assert.equal(told .. program.path .. ": interrupted by SIGTERM\n", err)
    assert.equal(128 + 15, status)
  end)

  it("ends the program at once if it is the third", function()
    local code = SENT .. [[
      local x <close> = setmetatable({}, { __close = function() sent(2) ready() while true do end end })
      ready()
      while true do end
    ]]
    local out, _, status = program.signal("INT INT INT", { "-e", code })
    assert.same({ "ready\nready\nready\n", 128 + 2 }, { out, status })
  end)

  it("does not disturb the closing of the state", function()
    local code = SENT .. [[
      x = setmetatable({}, { __gc = function()
        sent(1)
        print "collected"
      end })
    ]]
    local out, _, status = program.signal("TERM", { "-e", code .. "os.exit(3)" })
    assert.same({ "ready\ncollected\n", 3 }, { out, status })
  end)

  it("stays ignored if it was when the program started", function()
    local code = [[
      os.execute("kill -HUP " .. io.open("/proc/self/stat"):read("n"))
      for _ = 1, 1e6 do end
      print "alive"
    ]]
    local command = "trap '' HUP; exec " .. program.path .. " -e " .. program.quote(code)
    assert.equal("alive\n", (program.shell("sh -c " .. program.quote(command))))
  end)
end)

describe("SIGINT under lua5.4", function()
  local WAIT = [[
    local luabox = require "luabox"
    local p <close> = luabox.sys.process.spawn { program = { "/bin/sleep", "60" } }
    print "ready" io.stdout:flush()
    p:wait()
    print "went on"
  ]]

  local codes = { ["the main thread"] = WAIT, ["a coroutine"] = "coroutine.wrap(function()" .. WAIT .. " end)()" }
  if program.is_sanitized() then codes = {} end -- lua5.4 cannot load such a luabox.so
  for name, code in pairs(codes) do
    it("ends a wait in " .. name, function()
      local path = program.path
      program.path = "lua5.4"
      local out, err, status = program.signal("INT", { "-e", code })
      program.path = path
      assert.equal("ready\n", out)
      assert.matches("interrupted!", err)
      assert.equal(1, status)
    end)
  end
end)
