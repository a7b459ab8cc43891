-- The luabox program as an interpreter: options, arg, exit statuses, errors.
if os.getenv("LUABOX_UNDER") ~= "luabox" then return end
local program = require "program"
local run, shell = program.run, program.shell

-- A file with that text, removed after the test.
local function script(text)
  local path = os.tmpname()
  finally(function() os.remove(path) end)
  local file <close> = assert(io.open(path, "w"))
  file:write(text)
  return path
end

-- luabox and lua5.4 print the same, but for their names, and end the same.
local function same_as_lua(arguments, input)
  local out, err, status = run(arguments, input)
  local path = program.path
  program.path = "lua5.4"
  local lua_out, lua_err, lua_status = run(arguments, input)
  program.path = path
  assert.equal(lua_out, (out:gsub(path:gsub("%p", "%%%0"), "lua5.4")))
  assert.equal(lua_err, (err:gsub(path:gsub("%p", "%%%0"), "lua5.4")))
  assert.equal(lua_status, status)
end

describe("the command line", function()
  it("is lua5.4's", function()
    local file = script "print(..., #arg, arg[0] ~= nil, arg[-1]) return 7"
    for _, arguments in ipairs {
      { "-e", "print(1)", "-e", "print(2)" },
      { "-eprint(1)" },
      { "-e" }, { "-e", "-v" }, { "-l" }, { "-x" }, { "-vv" }, { "-E1" }, { "-i1" }, { "--x" }, { "-W2" },
      { file, "a", "b", "-c" }, { "--", file, "a" }, { "-E", file }, { "-", "a" }, { "--" },
      { "-e", "print(arg[0], arg[1], arg[-1])", file, "x" },
      { "-W", "-e", "warn('@on') warn('w')" }, { "-e", "warn('w')" },
      { "-l", "string", "-e", "print(string.len('abc'))" }, { "-lm=math", "-e", "print(m == math)" },
      { "-l", "no.such_module_" }, { "no-such-file.lua" }, { "--", "-no-such-file" },
      { "-e", "error('boom')" }, { "-e", "error('boom', 0)" }, { "-e", "local x = nil; x()" },
      { "-e", "error()" }, { "-e", "x =" }, { "-e", "os.exit(3)" }, { "-e", "os.exit(false)" },
      { "-e", "os.exit(true)" },
      { "-e", "arg = nil", file }, { "-i" },
    } do
      -- Stock Lua's prompt has its own version line; that of luabox is tested below.
      if arguments[1] ~= "-i" then same_as_lua(arguments, "print('from stdin', ...)") end
    end
  end)

  it("says its version, and Lua's", function()
    local out, err, status = run { "-v" }
    assert.matches("^luabox %d+%.%d+%.%d+  Lua 5%.4%.%d+  Copyright", out)
    assert.same({ "", 0 }, { err, status })
    assert.equal(out, (run { "--version" }))
    assert.equal(out:match "^luabox (%S+)" .. "\n", (run { "-e", "print(luabox.version)" }))
  end)

  it("shows its options", function()
    local out, err, status = run { "--help" }
    assert.matches("usage: .-luabox %[options%] %[script %[args%]%]\n", out)
    assert.matches("\n  gc ", out)
    assert.same({ "", 0 }, { err, status })
  end)

  it("names the command that a misspelt one may mean, where no script has the name", function()
    local function no_such(word)
      local out, err, status = run { word }
      assert.same({ "", 1 }, { out, status })
      return err:match "cannot open (.*)"
    end
    local why = ": No such file or directory"
    assert.equal("docter" .. why .. "; did you mean the command 'doctor'?\n", no_such "docter")
    assert.equal("lss" .. why .. "; did you mean the command 'ls'?\n", no_such "lss")
    assert.equal("./docter" .. why .. "\n", no_such "./docter")
    assert.equal("doctor.lua" .. why .. "\n", no_such "doctor.lua")
  end)

  it("runs LUA_INIT and its version's own, but not with -E", function()
    local luabox = program.path
    assert.equal("init\n", (shell("LUA_INIT='print[[init]]' " .. luabox .. " -e ''")))
    assert.equal("5.4\n", (shell("LUA_INIT='print[[init]]' LUA_INIT_5_4='print[[5.4]]' " .. luabox .. " -e ''")))
    assert.equal("", (shell("LUA_INIT='print[[init]]' " .. luabox .. " -E -e ''")))
    assert.equal("file\n", (shell("LUA_INIT=@" .. script "print 'file'" .. " " .. luabox .. " -e ''")))
    local _, err, status = shell("LUA_INIT='error[[x]]' " .. luabox .. " -e 'print(1)'")
    assert.matches("LUA_INIT:1: x\nstack traceback:", err)
    assert.equal(1, status)
  end)

  it("finds modules by LUA_PATH and LUA_CPATH, but not with -E", function()
    assert.equal("a/?.lua\tb/?.so\n",
      (shell("LUA_PATH='a/?.lua' LUA_CPATH='b/?.so' " .. program.path .. " -e 'print(package.path, package.cpath)'")))
    assert.not_matches("a/%?", (shell("LUA_PATH='a/?.lua' " .. program.path .. " -E -e 'print(package.path)'")))
  end)

  it("runs scripts that begin with #!", function()
    local file = script("#!" .. program.path .. "\nprint('ran', ...)")
    assert(os.execute("chmod 755 " .. file))
    assert.equal("ran\tx\n", (shell(file .. " x")))
  end)
end)

describe("an uncaught error", function()
  local function fail(code)
    local out, err, status = run { "-e", code }
    assert.equal("", out, err)
    assert.equal(1, status)
    return err
  end

  it("has a traceback if it is a string", function()
    assert.matches("luabox: %(command line%):1: boom\nstack traceback:\n\t%[C%]: in function 'error'\n",
      fail "error 'boom'")
  end)

  it("has a traceback if it is an object", function()
    local err = fail "error(setmetatable({}, { __tostring = function() return 'told' end }))"
    assert.matches("luabox: told\nstack traceback:\n\t%[C%]: in function 'error'", err)
    assert.matches("luabox: %(error object is a table value%)\nstack traceback:\n", fail "error({})")
    assert.matches("luabox: %(error object is a nil value%)\nstack traceback:\n", fail "error(nil)")
  end)

  it("is a sentence and the traceback of its origin if it is a luabox.error", function()
    local err = fail [[local function origin() luabox.error.raise { op = 'mount', subject = '/x', message = 'no' } end
      local ok, e = pcall(origin)
      error(e)
    ]]
    assert.matches("luabox: mount /x: no\nstack traceback:\n\t%(command line%):1: in function", err)
    assert.not_matches("%[C%]: in function 'error'", err)
  end)

  it("shows where a child raised it, and where it arrived", function()
    local err = fail [[local function origin() luabox.error.raise { op = 'mount', subject = '/x', message = 'no' } end
      local p <close> = luabox.sys.process.spawn { body = function() origin() end }
      p:result()
    ]]
    assert.matches("luabox: in the child: mount /x: no\nstack traceback:\n.-:1: in upvalue 'origin'", err)
    assert.matches("\nand in the parent:\nstack traceback:\n.-:3: in main chunk", err)
  end)

  it("closes the variables that wait to be closed", function()
    local closing = "local x <close> = setmetatable({}, { __close = function() print 'closed' end }) "
    local out, _, status = run { "-e", closing .. "error 'x'" }
    assert.same({ "closed\n", 1 }, { out, status })
  end)
end)

describe("os.exit", function()
  local CLOSING = "local x <close> = setmetatable({}, { __close = function() print 'closed' end });"

  it("closes the variables of the main thread, from wherever it is called", function()
    assert.same({ "closed\n", "", 3 }, { run { "-e", CLOSING .. "(function() os.exit(3) end)()" } })
    assert.same({ "closed\n", "", 4 }, { run { "-e", CLOSING .. "coroutine.wrap(function() os.exit(4) end)()" } })
    assert.same({ "closed\n", "", 5 }, { run { "-e", CLOSING .. "pcall(os.exit, 5)" } })
    assert.same({ "closed\n", "", 0 }, { run { "-e", CLOSING .. "os.exit(true, true)" } })
  end)

  it("collects what is left", function()
    assert.same({ "gone\n", "", 0 },
      { run { "-e", "x = setmetatable({}, { __gc = function() print 'gone' end }) os.exit()" } })
  end)

  it("closes nothing when told so", function()
    assert.same({ "", "", 1 }, { run { "-e", CLOSING .. "os.exit(1, false)" } })
  end)

  it("takes what Lua's takes", function()
    local _, err = run { "-e", "os.exit('x')" }
    assert.matches("bad argument #1 to 'exit' %(number expected, got string%)", err)
  end)
end)

describe("the library in the program", function()
  it("is the global luabox, and the module", function()
    for _, condition in ipairs { "luabox == require 'luabox'", "luabox.error == require 'luabox.error'" } do
      assert.equal("true\n", (run { "-e", "print(" .. condition .. ")" }))
    end
    assert.equal("true\n",
      (run { "-e", "local before = luabox; local _ = luabox.sys; print(before == require 'luabox')" }))
  end)

  it("is not loaded before it is touched", function()
    assert.equal("nil\tnil\n", (run { "-e", "print(package.loaded.luabox, next(luabox))" }))
    assert.equal("nil\n", (run { "-e", "print(getmetatable(_G))" }))
  end)

  it("is there for scripts that forbid unknown globals", function()
    local strict = "setmetatable(_G, { __index = function(_, name) error('unknown ' .. name, 2) end })\n"
    assert.equal("table\n", (run { "-e", strict .. "print(type(luabox.sys))" }))
  end)

  it("is found in LUABOX_LUA before what is embedded", function()
    local directory, remove = program.directory()
    finally(remove)
    local function write(name, text)
      local file <close> = assert(io.open(directory .. "/" .. name, "w"))
      file:write(text)
    end
    assert(os.execute("mkdir -p " .. directory .. "/luabox"))
    write("luabox/other.lua", "return 'other'")
    write("luabox/init.lua", "local luabox = select(3, ...) or {}; luabox.mine = true; return luabox")
    local environment = "LUABOX_LUA=" .. directory .. " " .. program.path
    assert.equal("other\ttrue\n",
      (shell(environment .. " -e 'print(require [[luabox.other]], require [[luabox]].mine)'")))
    write("luabox/broken.lua", "x =")
    local _, err = shell(environment .. " -l luabox.broken")
    assert.matches("broken.lua:1: unexpected symbol near <eof>", err)
  end)

  it("runs alone, in an empty directory, with nothing but the C library beside it", function()
    local directory, remove = program.directory()
    finally(remove)
    assert(os.execute("cp " .. program.path .. " " .. directory))
    local code = "print(require 'luabox.options' ~= nil, luabox.sys.options ~= nil)"
    assert.equal("true\ttrue\n",
      (shell("cd " .. directory .. " && env -i ./luabox -e " .. program.quote(code))))
    if program.is_sanitized() then return end
    local allowed = { libc = true, libm = true, libmnl = true }
    for library in shell("ldd " .. directory .. "/luabox"):gmatch("(%S+)%.so%.%d+ =>") do
      assert.is_true(allowed[library], library)
    end
  end)

  it("lets C modules made for stock Lua in", function()
    assert.equal("function\n", (run { "-e", "print(type(require 'lfs'.dir))" }))
  end)
end)

describe("descriptors", function()
  it("may be as many as the hard limit allows, but not for commands", function()
    local code = [[
      local function soft(file) return (file:read("a"):match("Max open files%s+(%d+)")) end
      local own <close> = io.open("/proc/self/limits")
      local child <close> = io.popen("cat /proc/self/limits")
      print(soft(own), soft(child))
      io.stdout:flush()
      os.execute("ulimit -n")
    ]]
    local out = shell("ulimit -Sn 300; ulimit -Hn 2000; " .. program.path .. " -e " .. program.quote(code))
    assert.equal("2000\t300\n300\n", out)
  end)

  it("are not left open", function()
    local with = shell(program.path .. " -e 'os.execute [[ls /proc/self/fd]]'")
    assert.equal(shell("sh -c 'ls /proc/self/fd; :'"), with)
  end)
end)

describe("os.execute and io.popen", function()
  it("are as Lua's", function()
    for _, code in ipairs {
      "print(os.execute 'exit 3')", "print(os.execute 'kill -9 $$')", "print(os.execute())", "print(os.execute 'true')",
      "local p = io.popen('cat; exit 2', 'w') p:write('x\\n') print(p:close())",
      "local p = io.popen('echo a; echo b') print(p:read('l', 'l', 'l')) print(p:close())",
      "print(pcall(io.popen, 'x', 'rw'))", "print(io.popen('no-such-command 2>/dev/null'):close())",
      "print(tostring(io.popen('true')):match '^file %(0x')",
      "for l in io.popen('echo 1; echo 2'):lines() do print(l) end",
      "local p <close> = io.popen('exec sleep 0; exit 1') print(io.type(p)) p:close() print(io.type(p), tostring(p))",
    } do
      same_as_lua { "-e", code }
    end
  end)
end)

describe("coroutines and protected calls", function()
  local CODES = {
    [[local co = coroutine.create(function(...) print(...) print(coroutine.yield(1, 2)) return 3 end)
      print(coroutine.resume(co, 'a')) print(coroutine.resume(co, 'b'))]],
    [[local co = coroutine.wrap(function(a) local b = coroutine.yield(a) error('x' .. b) end)
      print(co(1)) print(pcall(co, 2))]],
    [[print(type(select(2, pcall(coroutine.wrap(function() error({}) end)))))]],
    [[print(coroutine.resume(coroutine.running()))]],
    [[local co = coroutine.create(print)
      coroutine.resume(co) print(coroutine.resume(co)) print(coroutine.close(co))]],
    [[local co = coroutine.create(function()
        local x <close> = setmetatable({}, { __close = function() error('c') end })
        coroutine.yield()
      end)
      coroutine.resume(co) print(coroutine.close(co)) print(coroutine.status(co))]],
    [[local co co = coroutine.create(function() print(pcall(coroutine.close, co)) end) coroutine.resume(co)]],
    [[local main = coroutine.running() coroutine.wrap(function() print(pcall(coroutine.close, main)) end)()]],
    [[print(pcall(coroutine.close, coroutine.running())) print(pcall(coroutine.resume, 1))]],
    [[print(pcall(coroutine.wrap, 1))]],
    [[print(pcall(pcall)) print(pcall(error)) print(pcall(error, 'a', 0)) print(pcall(error, nil))]],
    [[local function f(level) error('at', level) end for level = 0, 3 do print(pcall(f, level)) end]],
    [[print(xpcall(error, function(m) return 'h' .. m end, 'x'))]],
    [[print(pcall(xpcall, print)) print(xpcall(print, print, 1))]],
    [[print(select('#', pcall(function() end)))]],
    [[print(coroutine.wrap(function() return pcall(function() return coroutine.yield(1), 2 end) end)())]],
    [[local co = coroutine.wrap(function()
        return xpcall(function() coroutine.yield(1) error('e', 0) end, string.upper)
      end)
      print(co()) print(co())]],
    [[coroutine.wrap(function() coroutine.wrap(function() error('deep') end)() end)()]],
    [[local function nest(n) if n == 0 then return 'end' end return coroutine.wrap(nest)(n - 1) end
      print(pcall(nest, 100)) print((select(2, pcall(nest, 300)):match('C stack overflow')))]],
    [[print(pcall(string.rep)) local t = setmetatable({}, { __index = function(t, k) return t[k] end })
      print(pcall(function() return t.x end))]],
  }
  for i, code in ipairs(CODES) do
    it("are as Lua's: " .. i, function() same_as_lua { "-e", code } end)
  end
end)
