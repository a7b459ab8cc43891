-- What keeps the program's own file from containers, seen from outside: nobody can write to it.
local luabox = require "luabox"
local run = require("child").run
local eventually = require("spec").eventually

local function shell(format, ...)
  assert(os.execute(format:format(...)))
end

-- A copy of the interpreter, to run and to try to write to.
local function copy_interpreter()
  local path = os.tmpname()
  shell("cp --remove-destination --preserve=mode /proc/$PPID/exe %s", path)
  finally(function() os.remove(path) end)
  return path
end

local function is_busy(path)
  local file, problem = io.open(path, "r+")
  if file then file:close() end
  return problem ~= nil and problem:find("Text file busy", 1, true) ~= nil
end

local function guards()
  local pipe <close> = io.popen "cat /proc/[0-9]*/comm 2>/dev/null | grep -cx luabox-guard"
  return pipe:read "n"
end

-- Runs a copy that says the pid of a process of its own, and kills itself; returns both.
local function orphan(options)
  local path = copy_interpreter()
  local code = ([[
    local process = require "luabox.sys.process"
    local options = { program = { "sleep", "60" }, stdout = "null", stderr = "null", death_signal = "NONE" }
    options.namespaces, options.init = %s
    options.guard = process.guard()
    print(process.spawn(options):pid())
    io.stdout:flush()
    os.execute("kill -KILL " .. process.id())
  ]]):format(options)
  local source = os.tmpname()
  finally(function() os.remove(source) end)
  shell("cat >%s <<'END'\n%s\nEND", source, code)
  local pipe <close> = io.popen(("%s - <%s 2>&1"):format(path, source))
  local text = pipe:read "a"
  return assert(tonumber(text:match "^%d+"), text), path
end

describe("a guard #root", function()
  it("keeps the program's file busy after a SIGKILL, until the guarded process is over", function()
    for _, options in ipairs { "nil, nil", "'pid', true", "'time', nil", "'user', nil" } do
      local pid, path = orphan(options)
      assert.is_true(is_busy(path), options)
      assert.is_true(eventually(function() return guards() == 1 end))
      shell("kill -KILL %d", pid)
      assert.is_true(eventually(function() return not is_busy(path) and guards() == 0 end), options)
    end
  end)

  it("ends at once with a killed program that has nothing guarded", function()
    run [[
      local process = require "luabox.sys.process"
      local guard = process.guard()
      local p <close> = process.spawn { program = { "true" }, guard = guard }
      p:wait()
      os.execute("kill -KILL " .. process.id())
    ]]
    assert.is_true(eventually(function() return guards() == 0 end))
  end)

  it("is one process for all, which holds no descriptor of the program", function()
    local process = luabox.sys.process
    local first <close> = process.guard()
    local second <close> = process.guard()
    assert.is_true(eventually(function() return guards() == 1 end))
    local pipe <close> = io.popen "for p in /proc/[0-9]*; do grep -qsx luabox-guard $p/comm && ls $p/fd; done"
    assert.equal(1, #pipe:read("a"):gsub("[^\n]", ""))
    first:close()
    assert.is_true(eventually(function() return guards() == 1 end))
    second:close()
    assert.equal(0, guards())
  end)

  it("is for one process at a time", function()
    local process = luabox.sys.process
    local guard <close> = process.guard()
    local p <close> = process.spawn { program = { "sleep", "60" }, guard = guard }
    local ok, e = pcall(process.spawn, { program = { "true" }, guard = guard })
    assert.is_false(ok)
    assert.matches(("option 'guard': it guards process %d"):format(p:pid()), e, 1, true)
    p:kill()
    p:wait()
    local q <close> = process.spawn { program = { "true" }, guard = guard }
    assert.equal(0, q:wait().code)
    assert.is_false(pcall(process.spawn, { program = { "/nowhere" }, guard = guard }))
    local r <close> = process.spawn { program = { "true" }, guard = guard }
    assert.equal(0, r:wait().code)
  end)

  it("of a parent is none of its forked child's", function()
    local process = luabox.sys.process
    local guard <close> = process.guard()
    local child <close> = process.spawn { body = function()
      local refused = not pcall(process.spawn, { program = { "true" }, guard = guard })
      local own <close> = process.guard()
      local q <close> = process.spawn { program = { "true" }, guard = own }
      return refused, q:wait().code
    end }
    local refused, code = child:result()
    assert.is_true(refused)
    assert.equal(0, code)
    assert.is_true(eventually(function() return guards() == 1 end))
  end)

  it("is what a container has from its start to its end, and one in a user namespace has not", function()
    local box = luabox.container { name = "box" }
    assert.equal(0, guards())
    box:start()
    assert.is_true(eventually(function() return guards() == 1 end))
    box:delete()
    assert.equal(0, guards())
    local map = { { inside = 0, outside = 100000, count = 65536 } }
    local mapped <close> = luabox.container { name = "mapped", uid_map = map, gid_map = map }:start()
    assert.equal("running", mapped:state())
    assert.equal(0, guards())
  end)
end)
