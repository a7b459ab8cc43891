local badargs = require "badargs"
local process = require "luabox.sys.process"
local run = require("child").run
local spec = require "spec"

local refused = spec.refused

local function refuses(sentence, o)
  assert.equal("bad argument #1 to 'luabox.sys.process.spawn' (" .. sentence .. ")",
    (refused(process.spawn, o):gsub("'[%w_.]*spawn'", "'luabox.sys.process.spawn'", 1)))
end

-- What a Lua function brings back from a child.
local function returned(f, ...)
  local p <close> = process.spawn { body = f, args = { ... } }
  return p:result()
end

describe("process.spawn's options", function()
  it("are checked before anything is done", function()
    badargs.check(process.spawn, {
      program = { "table" }, body = { "function" }, args = { "table" },
      namespaces = { "flags", names = { "mnt", "pid", "net", "uts", "ipc", "user", "time", "cgroup" } },
      join = { "table" }, cgroup = { "fd" }, fds = { "table" }, env = { "table" },
      cwd = { "string", min = 1, max = 4095 },
      uid = { "int", min = 0, max = 4294967294 }, gid = { "int", min = 0, max = 4294967294 }, groups = { "table" },
      umask = { "int", min = 0, max = 511 }, death_signal = { "string", min = 1 }, setsid = { "bool" },
      uid_map = { "table" }, gid_map = { "table" }, time_offsets = { "table" }, init = { "bool" },
      steps = { "table" }, stdin = { "any" }, stdout = { "any" }, stderr = { "any" },
    }, { program = { "true" } })
  end)

  it("name one body", function()
    refuses("one of the options 'program' and 'body' is needed", {})
    refuses("option 'body': there is a 'program' already", { program = { "true" }, body = print })
    refuses("option 'program': is empty", { program = {} })
    refuses("option 'program[1]': is empty", { program = { "" } })
    refuses("option 'program[2]': string expected, got number", { program = { "echo", 1 } })
    refuses("option 'program[2]': contains a zero byte", { program = { "echo", "a\0b" } })
    refuses("option 'program': a list is expected, without other keys", { program = { "echo", n = 1 } })
    refuses("option 'args': is for a 'body'; a program's are in 'program'", { program = { "true" }, args = {} })
    refuses("option 'fds': is for a 'program'; a Lua function sees its handles", { body = print, fds = {} })
    refuses("option 'init': is for a 'program'; a Lua function would be process 1 itself",
      { body = print, init = true })
  end)

  it("describe streams", function()
    refuses("option 'stdin': unknown value 'pip'; expected 'inherit', 'null', 'pipe', { path = … } or a descriptor",
      { program = { "true" }, stdin = "pip" })
    refuses("option 'stdout': a word, a table or a descriptor is expected", { program = { "true" }, stdout = true })
    refuses("option 'stderr.path' is missing", { program = { "true" }, stderr = {} })
    refuses("option 'stderr.mode': unknown value 'x'; expected one of 'r', 'w', 'a', 'rw'",
      { program = { "true" }, stderr = { path = "/x", mode = "x" } })
    local file = io.open "/dev/null"
    file:close()
    refuses("option 'stdout': attempt to use a closed handle", { program = { "true" }, stdout = file })
  end)

  it("describe descriptors, environment, groups and the death signal", function()
    refuses("option 'fds': keys are the child's descriptors, from 3 on", { program = { "true" }, fds = { 1, 2 } })
    refuses("option 'fds[3]': an open handle, io file or descriptor number is expected, got string",
      { program = { "true" }, fds = { [3] = "x" } })
    refuses("option 'env': 'A=' is no name of a variable", { program = { "true" }, env = { ["A="] = "x" } })
    refuses("option 'env.A': string expected, got number", { program = { "true" }, env = { A = 1 } })
    refuses("option 'env': names are strings, got a number key", { program = { "true" }, env = { "A=1" } })
    refuses("option 'groups[2]': a group id is expected (0 to 4294967294)",
      { program = { "true" }, groups = { 1, -1 } })
    refuses("option 'death_signal': unknown signal 'KIL'; 'NONE' for none",
      { program = { "true" }, death_signal = "KIL" })
  end)

  it("describe namespaces", function()
    refuses("option 'join[1]': an open namespace or { pidfd =, types = } is expected",
      { program = { "true" }, join = { 0 } })
    refuses("option 'join[1].types' is missing", { program = { "true" }, join = { { pidfd = 0 } } })
    refuses("option 'join[1]': 'net' is joined or created twice",
      { program = { "true" }, namespaces = "net", join = { { pidfd = 0, types = "net" } } })
    refuses("option 'uid_map': needs 'user' among 'namespaces'",
      { program = { "true" }, uid_map = { { inside = 0, outside = 0 } } })
    refuses("option 'time_offsets': needs 'time' among 'namespaces'",
      { program = { "true" }, time_offsets = { monotonic = 1 } })
  end)

  it("describe steps", function()
    local function step(sentence, ...)
      refuses(sentence, { program = { "true" }, steps = { { "setsid" }, ... } })
    end
    step("option 'steps[2]': table expected, got string", "x")
    step("option 'steps[2]': a name is expected as its first value, got nil", {})
    step("option 'steps[2]': unknown value 'mnt'; did you mean 'mount'?", { "mnt" })
    step("unknown option 'steps[2].targt'; did you mean 'target'?", { "mount", targt = "/" })
    step("option 'steps[2].target' is missing", { "mount", type = "tmpfs" })
    step("option 'steps[2].type' is missing", { "mount", target = "/" })
    step("option 'steps[2].flags': unknown value 'rw2'; did you mean 'rw'?",
      { "mount", target = "/", type = "tmpfs", flags = "rw2" })
    step("option 'steps[2].source': a path or the handle of a mount is expected, got boolean",
      { "bind", target = "/", source = true })
    step("option 'steps[2].create': unknown value 'x'; expected one of 'dir', 'file'",
      { "bind", target = "/", source = "/", create = "x" })
    step("option 'steps[2].mode': 4096 is out of range (0 to 4095)", { "mkdir", path = "/x", mode = 4096 })
    step("option 'steps[2].tree': is one root, and 'path' another", { "root", path = "/", tree = 0 })
    step("option 'steps[2].work': both go together", { "root", path = "/", overlay = true, upper = "/u" })
    step("option 'steps[3]': a second 'root'", { "root" }, { "root" })
    step("option 'steps[2]': there is no 'root' before it", { "detach_root" })
    step("option 'steps[2].soft': is above 'hard'", { "rlimit", name = "NOFILE", soft = 2, hard = 1 })
    step("option 'steps[2].filter': an open luabox.seccomp is expected, got string", { "seccomp", filter = "x" })
    step("option 'steps[2].fds[1]': an open descriptor of a 'tasks' or 'cgroup.procs' file is expected",
      { "cgroup", fds = { "x" } })
    step("option 'steps[2].groups[1]': a group id is expected (0 to 4294967294)", { "user", groups = { "x" } })
    step("option 'steps[2].name': '../x' is not a sysctl's name, as net.ipv4.ip_forward is",
      { "sysctl", name = "../x", value = "1" })
    step("option 'steps[2].value': 1001 is out of range (-1000 to 1000)", { "oom_score_adj", value = 1001 })
  end)
end)

describe("values from a child", function()
  it("are the same", function()
    for _, value in ipairs {
      true, false, 0, -1, math.maxinteger, math.mininteger, 0.0, 1.5, -0.0, math.huge,
      "", "a\0b\255", ("x"):rep(1 << 20),
      {}, { 1, 2, 3 }, { a = { b = { c = "d" } }, [1.5] = true, [false] = 1 },
    } do
      assert.same(value, (returned(function() return value end)))
      assert.equal(math.type(value), math.type(returned(function() return value end)))
    end
    local nan = returned(function() return 0 / 0 end)
    assert.is_true(nan ~= nan)
  end)

  it("keep their number", function()
    assert.equal(0, select("#", returned(function() end)))
    assert.same(table.pack(nil, 1, nil), table.pack(returned(function() return nil, 1, nil end)))
    local many = { returned(function() return table.unpack({}, 1, 500) end) }
    assert.equal(0, #many)
  end)

  it("come from arguments", function()
    assert.same({ 1, "x", { 2 } }, { returned(function(...) return ... end, 1, "x", { 2 }) })
  end)

  it("lose metatables, not the type of errors", function()
    assert.is_nil(getmetatable(returned(function() return setmetatable({}, { __index = {} }) end)))
    local e = returned(function()
      return select(2, pcall(process.spawn, { program = { "/nowhere/prog" } }))
    end)
    assert.equal("in the child: exec /nowhere/prog: No such file or directory (ENOENT); "
      .. "there is no such file in the child's root", tostring(e))
  end)

  it("cannot be functions, threads or userdata", function()
    for what, f in pairs {
      ["function from the child (return value 1)"] = function() return print end,
      ["function from the child (return value 2.x)"] = function() return 1, { x = print } end,
      ["userdata from the child (return value 1.a[2])"] = function() return { a = { 1, io.stdout } } end,
      ["thread from the child (return value 1)"] = function() return coroutine.create(print) end,
      ["table that contains itself from the child (return value 1.a)"] = function()
        local t = {}
        t.a = t
        return t
      end,
    } do
      assert.equal("in the child: cannot send a " .. what, refused(returned, f))
    end
  end)

  it("are not nested without end", function()
    local function nested(depth) return depth > 0 and { nested(depth - 1) } or 1 end
    assert.same(nested(99), returned(nested, 99))
    assert.truthy(refused(returned, nested, 200):find("in the child: cannot send a table nested deeper than 100 levels "
      .. "from the child (return value 1[1][1]", 1, true))
  end)
end)

describe("errors from a child", function()
  it("say so and keep their traceback", function()
    local ok, e = pcall(returned, function() error("boom", 0) end)
    assert.is_false(ok)
    assert.equal("in the child: boom", tostring(e))
    assert.truthy(e.traceback:find("stack traceback", 1, true))
  end)

  it("cross two levels", function()
    local ok, e = pcall(returned, function()
      local p <close> = process.spawn { body = function() process.spawn { program = { "/nowhere" } } end }
      return p:result()
    end)
    assert.is_false(ok)
    assert.same({ "in the child", "in the child", "in the child" }, e.context)
    assert.equal("ENOENT", e.code)
    assert.equal("/nowhere", e.subject)
  end)

  it("can be any table", function()
    local ok, e = pcall(returned, function() error { reason = "x", f = print } end)
    assert.is_false(ok)
    assert.equal("x", e.reason)
    assert.truthy(e.f:find "^function: ")
  end)

  it("can be nil", function()
    assert.equal("in the child: nil", refused(returned, function() error() end))
  end)

  it("tell of a child that did not return", function()
    local p <close> = process.spawn { body = function() os.exit(7) end }
    assert.equal(("result process %d: the child ended with exit status 7 before its function returned (EPIPE)")
      :format(p:pid()), refused(p.result, p))
    local q <close> = process.spawn { body = function() process.exec { program = { "sh", "-c", "kill -9 $$" } } end }
    assert.truthy(refused(q.result, q):find("ended with signal KILL", 1, true))
  end)
end)

describe("a child's body", function()
  it("closes its own variables, not the parent's", function()
    local closed = {}
    local mine <close> = setmetatable({}, { __close = function() closed[#closed + 1] = "parent's" end })
    assert.same({ "child's" }, returned(function()
      do
        local own <close> = setmetatable({}, { __close = function() closed[#closed + 1] = "child's" end })
        assert(own)
      end
      return closed
    end))
    assert.same({}, closed)
    assert.is_table(mine)
  end)

  it("prints once what was printed", function()
    assert.equal("before\nin the child\nafter\n", run [[
      local process = require "luabox.sys.process"
      io.stdout:setvbuf "full"
      print "before"
      local p = process.spawn { body = function() print "in the child" end }
      p:wait()
      print "after"
    ]])
  end)

  it("leaves by os.exit without the parent's finalizers", function()
    assert.equal("3\nparent's end\n", run [[
      local process = require "luabox.sys.process"
      local mine <close> = setmetatable({}, { __close = function() print "parent's end" end })
      print(process.spawn { body = function() os.exit(3) end }:wait().code)
    ]])
  end)

  it("can start children", function()
    assert.equal(42, (returned(function()
      local p <close> = process.spawn { body = function() return 41 end }
      return p:result() + 1
    end)))
  end)

  it("has another owner than its parent", function()
    assert.are_not.equal(process.owner(), (returned(process.owner)))
  end)
end)

describe("a program", function()
  it("gets arguments, environment, directory and umask", function()
    local p <close> = process.spawn {
      program = { "sh", "-c", 'echo "$0 $1|$A|$B|$(pwd)|$(umask)"; env | wc -l', "a b", "c" },
      env = { A = "1", PATH = "/usr/bin:/bin" }, cwd = "/usr", umask = 63, stdout = "pipe",
    }
    assert.equal("a b c|1||/usr|0077\n", p:stdout():read():match "^[^\n]*\n")
    assert.same({ code = 0 }, p:wait())
  end)

  it("ends with a code or a signal", function()
    local p <close> = process.spawn { program = { "sh", "-c", "exit 3" } }
    assert.same({ code = 3 }, p:wait())
    assert.same({ code = 3 }, p:wait())
    assert.is_false(p:alive())
    assert.is_false(p:kill())
    local q <close> = process.spawn { program = { "sh", "-c", "kill -TERM $$" } }
    assert.same({ signal = "TERM", core = false }, q:wait())
  end)

  it("is waited for until a time", function()
    local p <close> = process.spawn { program = { "sleep", "60" } }
    assert.is_nil(p:wait(0))
    assert.is_nil(p:wait(0.01))
    assert.is_true(p:alive())
    assert.is_true(p:kill "SIGINT")
    assert.equal("INT", p:wait().signal)
    assert.truthy(refused(p.wait, p, -1):find("a timeout is 0 seconds or more", 1, true))
    assert.truthy(refused(p.kill, p, "NONSENSE"):find("unknown signal 'NONSENSE'", 1, true))
  end)

  it("is waited for with others", function()
    local slow <close> = process.spawn { program = { "sleep", "60" } }
    assert.same(table.pack(nil), table.pack(process.wait_any({ slow }, 0)))
    local quick <close> = process.spawn { program = { "sh", "-c", "exit 5" } }
    local ended, result = process.wait_any { slow, quick }
    assert.equal(quick, ended)
    assert.same({ code = 5 }, result)
    assert.truthy(refused(process.wait_any, {}):find("the list is empty", 1, true))
    assert.truthy(refused(process.wait_any, { 1 }):find("[1]: an open luabox.process is expected", 1, true))
  end)

  it("ends with its handle, unless released", function()
    local p = process.spawn { program = { "sleep", "60" } }
    local pidfd <close> = p:pidfd()
    local path = "/proc/" .. p:pid() .. "/stat"
    p:close()
    assert.is_nil(io.open(path))
    assert.truthy(refused(p.wait, p):find("attempt to use a closed luabox.process", 1, true))
    assert.truthy(tostring(pidfd):find "luabox.fd")
    assert.equal("7\n", run [[
      local p = require("luabox.sys.process").spawn { program = { "sh", "-c", "sleep 0.1; exit 7" }, stdout = "pipe" }
      p:release()
      local out = p:stdout()
      print(p:wait().code)
    ]])
  end)

  it("has signals at their defaults, whatever the parent ignores and blocks", function()
    local signal = require "luabox.sys.signal"
    finally(function() signal.default "USR1" signal.unblock "USR2" end)
    signal.ignore "USR1"
    signal.block "USR2"
    local p <close> = process.spawn { program = { "grep", "Sig[BI]", "/proc/self/status" }, stdout = "pipe" }
    assert.equal(("SigBlk:\t%s\nSigIgn:\t%s\n"):format(("0"):rep(16), ("0"):rep(16)), p:stdout():read())
  end)

  it("has no descriptors but those it was given", function()
    local file <close> = io.open "/etc/passwd"
    local p <close> = process.spawn {
      program = { "sh", "-c", "ls /proc/self/fd; head -c 4 <&7" }, fds = { [7] = file, [5] = 0 }, stdout = "pipe",
    }
    assert.equal("0\n1\n2\n3\n5\n7\nroot", p:stdout():read()) -- 3 is the directory that ls reads
  end)

  it("can swap descriptors", function()
    local a <close> = io.open "/etc/hostname"
    local b <close> = io.open "/etc/passwd"
    local function fileno(file)
      for i = 3, 1000 do
        local link <close> = io.popen(("readlink /proc/%d/fd/%d"):format(process.id(), i))
        if link:read "l" == file then return i end
      end
    end
    local m, n = fileno "/etc/hostname", fileno "/etc/passwd"
    local p <close> = process.spawn {
      program = { "sh", "-c", ("readlink /proc/self/fd/%d /proc/self/fd/%d"):format(m, n) }, stdout = "pipe",
      fds = { [m] = b, [n] = a },
    }
    assert.equal("/etc/passwd\n/etc/hostname\n", p:stdout():read())
  end)

  it("reads and writes files", function()
    local path = os.tmpname()
    finally(function() os.remove(path) end)
    for _ = 1, 2 do
      local p <close> = process.spawn {
        program = { "cat" }, stdin = { path = "/etc/hostname" }, stdout = { path = path, mode = "a" },
      }
      p:wait()
    end
    local hostname = io.open("/etc/hostname"):read "a"
    assert.equal(hostname:rep(2), io.open(path):read "a")
    assert.equal("open /nowhere/x: No such file or directory (ENOENT)",
      refused(process.spawn, { program = { "true" }, stdin = { path = "/nowhere/x" } }))
  end)
end)

describe("a program that cannot be run", function()
  local function why(path, ...)
    return refused(process.spawn, { program = { path, ... }, env = { PATH = "/nowhere:/usr/bin" } })
  end

  local function script(text, mode)
    local path = os.tmpname()
    local file <close> = io.open(path, "w")
    file:write(text)
    os.execute(("chmod %s %s"):format(mode or "755", path))
    return path
  end

  it("says why", function()
    assert.equal("in the child: exec prog: No such file or directory (ENOENT); not found in PATH '/nowhere:/usr/bin'",
      why "prog")
    assert.equal("in the child: exec x/y: No such file or directory (ENOENT); "
      .. "there is no such file in the child's working directory", why "x/y")
    assert.equal("in the child: exec /etc: Permission denied (EACCES); it is a directory", why "/etc")
    assert.equal("in the child: exec /etc/passwd: Permission denied (EACCES); "
      .. "it is not executable: its mode is 0644", why "/etc/passwd")
    assert.equal("in the child: exec /etc/passwd/x: Not a directory (ENOTDIR); "
      .. "there is no such file in the child's root", why "/etc/passwd/x")
  end)

  it("names its interpreter", function()
    local path = script "#! /nowhere/sh -e\n"
    finally(function() os.remove(path) end)
    assert.equal("in the child: exec " .. path .. ": No such file or directory (ENOENT); "
      .. "the file is there; its interpreter '/nowhere/sh' is missing in this root", why(path))
  end)

  it("names its format", function()
    local text, elf = script "hello", script("\127ELF\2\1\1" .. ("\0"):rep(9) .. "\2\0\183\0" .. ("\0"):rep(100))
    finally(function() os.remove(text) os.remove(elf) end)
    assert.equal("in the child: exec " .. text .. ": Exec format error (ENOEXEC); "
      .. "it is neither a program nor a script with a '#!' line", why(text))
    assert.equal("in the child: exec " .. elf .. ": Exec format error (ENOEXEC); "
      .. "it is a program for AArch64, or damaged", why(elf))
  end)

  it("leaves no zombie", function()
    for _ = 1, 3 do why "prog" end
    local children = io.open(("/proc/self/task/%d/children"):format(process.id())):read "a"
    assert.equal("", children)
  end)
end)

describe("pipes", function()
  it("carry a megabyte both ways", function()
    local p <close> = process.spawn { program = { "cat" }, stdin = "pipe", stdout = "pipe" }
    local input = ("0123456789abcdef"):rep(65536)
    local output, errors, why = process.communicate(p, { input = input })
    assert.is_true(output == input)
    assert.is_nil(errors)
    assert.is_nil(why)
    assert.same({ code = 0 }, p:wait())
  end)

  it("bring both outputs", function()
    local p <close> = process.spawn {
      program = { "sh", "-c", "i=0; while [ $i -lt 20000 ]; do echo o; echo e >&2; i=$((i+1)); done" },
      stdout = "pipe", stderr = "pipe",
    }
    local output, errors = process.communicate(p)
    assert.equal(40000, #output)
    assert.equal(("e\n"):rep(20000), errors)
  end)

  it("stop at a limit or a time", function()
    local p <close> = process.spawn { program = { "yes" }, stdout = "pipe" }
    local output, _, why = process.communicate(p, { limit = 100000 })
    assert.equal(100000, #output)
    assert.equal("limit", why)
    local q <close> = process.spawn { program = { "sh", "-c", "echo x; exec sleep 60" }, stdout = "pipe" }
    assert.equal("x", q:stdout():read(1)) -- it has written
    assert.same({ "\n", nil, "timeout" }, { process.communicate(q, { timeout = 0.1 }) })
  end)

  it("refuse wrong options", function()
    local p <close> = process.spawn { program = { "true" } }
    assert.truthy(refused(process.communicate, p, { input = "x" })
      :find("option 'input': the process was not spawned with stdin = \"pipe\"", 1, true))
    assert.truthy(refused(process.communicate, p, { input = 1 })
      :find("option 'input': string expected, got number", 1, true))
    assert.truthy(refused(process.communicate, p, { limit = 0 }):find("option 'limit': 0 is out of range", 1, true))
    assert.truthy(refused(process.communicate, p, { timout = 1 })
      :find("unknown option 'timout'; did you mean 'timeout'?", 1, true))
  end)

  it("are read in pieces", function()
    local p <close> = process.spawn { program = { "echo", "hello" }, stdout = "pipe" }
    local out = p:stdout()
    assert.equal("he", out:read(2))
    assert.equal("llo\n", out:read(100))
    assert.is_nil(out:read(1))
    assert.equal("", out:read())
    assert.truthy(refused(out.read, out, 0):find("1 byte or more", 1, true))
  end)

  it("do not kill the writer when the reader is gone", function()
    local p <close> = process.spawn { program = { "true" }, stdin = "pipe" }
    p:wait()
    assert.equal("write: Broken pipe (EPIPE)", refused(function() p:stdin():write "x" end))
  end)

  it("end with the input for a Lua body, too", function()
    local p <close> = process.spawn { body = function() return io.read "a" end, stdin = "pipe" }
    p:stdin():write "hello"
    p:stdin():close()
    assert.is_nil(p:stdin())
    assert.equal("hello", p:result())
  end)

  it("are nil where there is none", function()
    local p <close> = process.spawn { program = { "true" }, stdout = "null" }
    assert.same({}, { p:stdin(), p:stdout(), p:stderr() })
  end)
end)

describe("process.exec", function()
  it("replaces the process", function()
    local p <close> = process.spawn {
      body = function()
        process.exec {
          program = { "sh", "-c", "echo $A; pwd; umask; ls /proc/self/fd" },
          env = { A = "1", PATH = "/bin" }, cwd = "/usr", umask = 0,
        }
      end,
      stdout = "pipe",
    }
    assert.equal("1\n/usr\n0000\n0\n1\n2\n3\n", p:stdout():read())
    assert.equal(0, p:wait().code)
  end)

  it("raises when it cannot", function()
    assert.equal("in the child: exec /nowhere: No such file or directory (ENOENT); "
      .. "there is no such file in the child's root",
      refused(returned, function() process.exec { program = { "/nowhere" } } end))
    assert.equal("in the child: exec, step 1 (chdir): chdir /nowhere: No such file or directory (ENOENT); "
      .. "there is no such directory in the child's root",
      refused(returned, function()
        process.exec { program = { "true" }, steps = { { "chdir", path = "/nowhere" } } }
      end))
  end)

  it("checks its options", function()
    badargs.check(process.exec, {
      program = { "table", required = true }, env = { "table" }, cwd = { "string", min = 1, max = 4095 },
      uid = { "int", min = 0, max = 4294967294 }, gid = { "int", min = 0, max = 4294967294 },
      groups = { "table" }, umask = { "int", min = 0, max = 511 }, steps = { "table" },
    }, { program = { "true" } })
    assert.truthy(refused(process.exec, { program = { "true" }, steps = { { "call", ["function"] = print } } })
      :find("option 'steps': 'call' is for spawn; before exec, call it yourself", 1, true))
  end)
end)

describe("an interrupt", function()
  -- The program and lua5.4 alike turn SIGINT into an error in the midst of a wait.
  local function interrupted(wait)
    return run(([[
      local process = require "luabox.sys.process"
      local closed = setmetatable({}, { __close = function() print "closed" end })
      local c <close> = closed
      local p <close> = process.spawn { program = { "sleep", "60" }, stdout = "pipe" }
      -- Sent when this process sleeps; within pcall, should it be earlier.
      local ok, e = pcall(function()
        local killer <close> = process.spawn { program = { "sh", "-c", ("until grep -q '^State:.S' " ..
          "/proc/%%d/status; do sleep 0.01; done; kill -INT %%d"):format(process.id(), process.id()) } }
        %s
      end)
      print(ok, (tostring(e):gsub("^.*: ", "")))
    ]]):format(wait))
  end

  it("ends every wait", function()
    for _, wait in ipairs {
      "p:wait()", "process.wait_any { p }", "p:stdout():read()", "process.communicate(p)",
      "process.spawn { body = function() process.spawn { program = { 'sleep', '60' } }:wait() end }:result()",
    } do
      assert.truthy(interrupted(wait):find "^false\tinterrupted[^\n]*\nclosed\n$", wait)
    end
  end)
end)

describe("luabox.sys.signal", function()
  local signal = require "luabox.sys.signal"

  it("knows names and numbers", function()
    assert.equal(15, signal.number "TERM")
    assert.equal(15, signal.number "SIGTERM")
    assert.equal(15, signal.number "15")
    assert.equal(15, signal.number(15))
    assert.equal(signal.number "RTMIN" + 2, signal.number "RTMIN+2")
    assert.equal("WINCH", signal.name(28))
    assert.is_nil(signal.name(40))
    for _, bad in ipairs { "TERMM", "SIG", "", "0", "65", "RTMIN+99", "1x" } do
      assert.truthy(refused(signal.number, bad):find("unknown signal '" .. bad .. "'", 1, true))
    end
    assert.truthy(refused(signal.number, 0):find("unknown signal '0'", 1, true))
  end)

  it("signals what a descriptor holds", function()
    local p <close> = process.spawn { program = { "sleep", "60" } }
    local pidfd <close> = p:pidfd()
    assert.is_true(signal.kill(pidfd, "HUP"))
    assert.equal("HUP", p:wait().signal)
    assert.is_false(signal.kill(pidfd))
    assert.equal("kill descriptor 0: Bad file descriptor (EBADF)", refused(signal.kill, 0))
  end)

  it("cannot ignore KILL", function()
    assert.equal("ignore signal KILL: Invalid argument (EINVAL)", refused(signal.ignore, "KILL"))
    assert.equal("reset signal KILL: Invalid argument (EINVAL)", refused(signal.default, "KILL"))
  end)
end)
