local sleep = require("system").sleep
local child = require "child"
local run_keeper = require "luabox.keeper"
local signal = require "luabox.sys.signal"
local spec = require "spec"
local sys = require "luabox.sys.keeper"

local contents, ended, eventually, exists = spec.contents, spec.ended, spec.eventually, spec.exists
local failure, sh, unique, write = spec.failure, spec.output, spec.unique, spec.write

local STATE = "/run/luabox"

local PRELUDE = [[
local keeper = require("luabox.keeper").get()
local function pid() return io.open("/proc/self/stat"):read("n") end
local function ready(...) io.write(table.concat({ pid(), keeper:pid(), ... }, " "), "\n"); io.flush() end
local function wait() require("system").sleep(1000) end
]]

-- Starts a run of luabox; gives it with the numbers of its process and its keeper's.
local function start(code)
  local path = os.tmpname()
  write(path, PRELUDE .. code)
  local pipe = assert(io.popen(("exec %s %s 2>&1"):format(os.getenv "LUABOX_INTERPRETER", path)))
  local line = pipe:read("l") or ""
  os.remove(path)
  local pid, keeper, rest = line:match("^(%d+) (%d+) ?(.*)$")
  if not pid then error("the run failed: " .. line .. (pipe:read("a") or ""), 2) end
  return { pipe = pipe, pid = math.tointeger(pid), keeper = math.tointeger(keeper), rest = rest }
end

-- Kills the run and waits until it is gone.
local function kill_run(run)
  os.execute("kill -9 " .. run.pid)
  run.pipe:close()
end

local function nothing_left()
  return not exists(STATE)
end

local function ip_forward()
  return contents "/proc/sys/net/ipv4/ip_forward"
end

local MAKE_ALL = [[
local name = "%s"
local group, t = keeper:create_cgroup { name = name, ["pids.max"] = 50 }
local paths = group:paths()
for _, path in ipairs(paths) do
  os.execute("(echo 0 >" .. path .. "/cgroup.procs; trap '' TERM; sleep 1000 &) >/dev/null 2>&1 </dev/null")
end
keeper:sysctl { name = "net.ipv4.ip_forward", value = 1 }
keeper:directory("/tmp/" .. name)
os.execute("mkdir /tmp/" .. name)
keeper:file("/tmp/" .. name .. "/file")
os.execute("touch /tmp/" .. name .. "/file")
keeper:pin("/tmp/" .. name .. "/ns")
os.execute("touch /tmp/" .. name .. "/ns; mount --bind /proc/self/ns/uts /tmp/" .. name .. "/ns")
keeper:link { name = "lbk0" }
os.execute("ip link add lbk0 type veth peer name lbk1")
keeper:table { family = "inet", name = "lbk" }
os.execute("nft add table inet lbk")
]]

local function assert_made(name)
  assert.truthy(sh("find /sys/fs/cgroup -name luabox-" .. name) ~= "")
  assert.equal("1", ip_forward())
  assert.is_true(exists("/tmp/" .. name .. "/file"))
  assert.truthy(sh("cat /proc/self/mountinfo"):find("/tmp/" .. name .. "/ns", 1, true))
  assert.is_true(exists "/sys/class/net/lbk0")
  assert.truthy(sh("nft list tables"):find("inet lbk", 1, true))
end

local function assert_undone(name)
  assert.equal("", sh("find /sys/fs/cgroup -name luabox-" .. name))
  assert.equal("0", ip_forward())
  assert.is_false(exists("/tmp/" .. name))
  assert.is_nil(sh("cat /proc/self/mountinfo"):find("/tmp/" .. name, 1, true))
  assert.is_false(exists "/sys/class/net/lbk0")
  assert.is_nil(sh("nft list tables"):find("lbk", 1, true))
end

describe("the keeper #root", function()
  it("undoes everything when the run is killed", function()
    local name = unique()
    local run = start(MAKE_ALL:format(name) .. "ready(); wait()")
    assert_made(name)
    assert.equal("luabox-keeper", contents(("/proc/%d/comm"):format(run.keeper)))
    kill_run(run)
    assert.is_true(eventually(nothing_left))
    assert_undone(name)
    assert.is_true(eventually(function() return ended(run.keeper) end))
  end)

  it("undoes everything when the run ends, before it has ended", function()
    for _, ending in ipairs { "", "os.exit(3, true)", "error('x')", "require('luabox.keeper').close()" } do
      local name = unique()
      local run = start(MAKE_ALL:format(name) .. "ready()\n" .. ending)
      run.pipe:read("a")
      run.pipe:close()
      assert.is_true(nothing_left(), ending)
      assert_undone(name)
    end
  end)

  it("undoes what there is at any moment of a SIGKILL", function()
    for i = 1, 25 do
      local name = unique()
      local run = start(("ready()\n" .. [[
        for i = 1, 1000 do
          local group, t1 = keeper:create_cgroup { name = "%s-" .. i, ["pids.max"] = 10 }
          local t2 = keeper:file("/tmp/%s-" .. i)
          io.open("/tmp/%s-" .. i, "w"):close()
          local t3 = keeper:sysctl { name = "net.ipv4.ip_forward", value = 1 }
          os.remove("/tmp/%s-" .. i)
          t2:forget()
          t3:undo()
          group:remove()
          t1:forget()
        end]]):format(name, name, name, name))
      sleep(0.0013 * i)
      kill_run(run)
      assert.is_true(eventually(nothing_left), "round " .. i)
      assert.equal("", sh("find /sys/fs/cgroup /tmp -name '*" .. name .. "*'"))
      assert.equal("0", ip_forward())
    end
  end)

  it("is not held up by a child that lives on", function()
    local path = "/tmp/" .. unique()
    local run = start(([[
      keeper:file("%s")
      os.execute("touch %s")
      local process = require "luabox.sys.process"
      local child = process.spawn { body = wait }
      keeper:process(child)
      ready(child:pid())
      wait()]]):format(path, path))
    kill_run(run)
    assert.is_true(eventually(nothing_left))
    assert.is_false(exists(path))
    assert.is_true(eventually(function() return ended(math.tointeger(run.rest)) end))
  end)

  it("holds no descriptor of the run's, and no signal ends it", function()
    local run = start [[
      local ns = io.open("/proc/self/ns/net")
      ready()
      wait()]]
    local fds = sh(("ls -l /proc/%d/fd"):format(run.keeper))
    assert.is_nil(fds:find("net:", 1, true))
    assert.equal(3, select(2, fds:gsub("/dev/null", "")))
    os.execute(("kill -TERM %d; kill -HUP %d; kill -INT %d"):format(run.keeper, run.keeper, run.keeper))
    local blocked = tonumber(contents(("/proc/%d/status"):format(run.keeper)):match "SigBlk:%s*(%x+)", 16)
    for _, name in ipairs { "TERM", "HUP", "INT" } do
      assert.equal(1, blocked >> signal.number(name) - 1 & 1, name)
    end
    assert.is_false(ended(run.keeper))
    kill_run(run)
    assert.is_true(eventually(nothing_left))
  end)

  it("forgets what is undone", function()
    finally(run_keeper.close)
    local path = "/tmp/" .. unique()
    local token = run_keeper.get():file(path)
    token:forget()
    token:forget()
    write(path, "somebody's")
    run_keeper.close()
    assert.equal("somebody's", contents(path))
    os.remove(path)
  end)

  it("uses the places of the journal again", function()
    local k <close> = sys.start()
    local path = STATE .. "/" .. k:journal()
    local function size() return #contents(path) end
    local id = k:tell { "file /tmp/luabox-spec-a" }
    local first = size()
    for _ = 1, 50 do
      k:forget(id)
      id = k:tell { "file /tmp/luabox-spec-b" }
    end
    assert.equal(first, size())
    assert.equal(1, select(2, contents(path):gsub("\n%+", "")))
  end)

  it("refuses what is there already, all or nothing", function()
    local k <close> = sys.start()
    local e = failure(k.tell, k, { "file /tmp/luabox-spec-new", "directory /tmp" })
    assert.equal("EEXIST", e.code)
    assert.truthy(e.hint:find("it is there already, and not this run's", 1, true))
    assert.equal("EEXIST", failure(k.tell, k, { "link 0 lo" }).code)
    assert.is_nil(contents(STATE .. "/" .. k:journal()):find("\n+", 1, true))
    assert.equal("EINVAL", failure(k.tell, k, { "nonsense x" }).code)
    assert.equal("EINVAL", failure(k.tell, k, { "file tmp/x" }).code)
    assert.equal("EINVAL", failure(k.tell, k, { "process 0 0" }).code)
    assert.truthy(failure(k.tell, k, { "file /a\nfile /b" }):find("a record is one line", 1, true))
    assert.truthy(failure(k.tell, k, {}):find("a list of records expected", 1, true))
    assert.truthy(failure(k.tell, k, { 1 }):find("records are strings", 1, true))
  end)

  it("refuses wrong arguments", function()
    finally(run_keeper.close)
    local keeper = run_keeper.get()
    local function bad(method, argument, message)
      local e = failure(keeper[method], keeper, argument)
      assert.equal("string", type(e))
      assert.truthy(e:find(message, 1, true), e)
    end
    for _, method in ipairs { "file", "directory", "pin", "cgroup" } do
      bad(method, 1, method .. ": string expected, got number")
      bad(method, "a", method .. ": 'a' does not begin with a slash")
      bad(method, "/a\nb", "contains a newline or a zero byte")
      bad(method, "/" .. ("a"):rep(4000), "4001 bytes long; at most 4000 are allowed")
    end
    bad("link", { name = ("x"):rep(16) }, "option 'name'")
    bad("link", { index = 1 }, "option 'name' is missing")
    bad("table", { family = "ipx", name = "x" }, "option 'family'")
    bad("sysctl", { name = "net.ipv4.ip_forward" }, "option 'value' is missing")
    bad("sysctl", { name = "net.ipv4.ip_forward", value = {} }, "option 'value'")
    assert.equal("EINVAL", failure(keeper.sysctl, keeper, { name = "../kernel", value = 1 }).code)
    assert.equal("ENOENT", failure(keeper.sysctl, keeper, { name = "net.no_such", value = 1 }).code)
    assert.equal("EINVAL", failure(keeper.sysctl, keeper, { name = "net.ipv4.ip_forward", value = "x" }).code)
    assert.equal("0", ip_forward())
  end)

  it("says that it was killed, and the run's own undo works still", function()
    local name = unique()
    local run = start(([[
      local group, token = keeper:create_cgroup { name = "%s" }
      keeper:file("/tmp/%s")
      io.open("/tmp/%s", "w"):close()
      os.execute("kill -9 " .. keeper:pid())
      local ok, e = pcall(keeper.file, keeper, "/tmp/other")
      ready(tostring(e))
      group:remove()
      token:forget()]]):format(name, name, name))
    run.pipe:read("a")
    run.pipe:close()
    assert.truthy(run.rest:find("tell keeper process %d+: Broken pipe %(EPIPE%); the process that undoes"), run.rest)
    assert.is_true(nothing_left())
    assert.is_false(exists("/tmp/" .. name))
  end)

  it("says that it could not be started, and leaves nothing", function()
    local group = require("luabox.sys.cgroup").create { name = unique(), ["pids.max"] = 1 }
    local into = ("sh -c 'echo 0 >%s/cgroup.procs; exec \"$@\"' -"):format(group:paths()[1])
    local output = child.run([[print(pcall(require("luabox.sys.keeper").start))]], into)
    group:remove()
    assert.truthy(output:find("start keeper of process %d+: Resource temporarily unavailable %(EAGAIN%); "), output)
    assert.truthy(output:find("so nothing was made", 1, true))
    assert.is_true(nothing_left())
  end)

  it("serves ordinary users in their own directory", function()
    local dir = "/tmp/" .. unique()
    os.execute(("mkdir -m 700 %s; chown 1000 %s"):format(dir, dir))
    local as_user = "setpriv --reuid 1000 --regid 1000 --clear-groups env XDG_RUNTIME_DIR=" .. dir
    local output = child.run(([[
      local keeper = require("luabox.keeper").get()
      keeper:file("%s/x")
      io.open("%s/x", "w"):close()
      os.execute("stat -c '%%u %%a' %s/luabox")]]):format(dir, dir, dir), as_user)
    assert.equal("1000 700\n", output)
    assert.equal("", sh("ls " .. dir))
    os.remove(dir)
    as_user = as_user:gsub("env .*", "env -u XDG_RUNTIME_DIR")
    output = child.run([[print(pcall(require("luabox.sys.keeper").start))]], as_user)
    assert.truthy(output:find("set XDG_RUNTIME_DIR to a directory of yours", 1, true), output)
  end)

  it("does not start where its journal cannot be", function()
    os.execute("mkdir -m 755 " .. STATE)
    local e = failure(sys.start)
    assert.equal("EPERM", e.code)
    assert.truthy(e.hint:find("only a directory of user 0 with mode 0700; this one is of user 0, mode 0755", 1, true))
    os.execute(("rmdir %s; ln -s /tmp %s"):format(STATE, STATE))
    assert.truthy(failure(sys.start).hint:find("no symbolic link", 1, true))
    os.execute("rm " .. STATE)
    os.execute("mount --bind -o ro /run /run; mount -o remount,bind,ro /run")
    e = failure(sys.start)
    os.execute("umount /run")
    assert.equal("EROFS", e.code)
    assert.truthy(e.hint:find("mount a tmpfs on /run", 1, true))
  end)
end)

describe("a sysctl of several runs #root", function()
  local HOLD = 'keeper:sysctl { name = "net.ipv4.ip_forward", value = 1 }; ready(); wait()'

  it("is put back by the last", function()
    local a, b = start(HOLD), start(HOLD)
    assert.equal("1", ip_forward())
    kill_run(a)
    assert.is_true(eventually(function() return ended(a.keeper) end))
    assert.equal("1", ip_forward())
    kill_run(b)
    assert.is_true(eventually(nothing_left))
    assert.equal("0", ip_forward())
  end)

  it("comes back with what it changed besides", function()
    -- A name with dots in it, not a way up.
    os.execute("ip link add lbk..2 type veth peer name lbk3")
    os.execute("echo 1 >/proc/sys/net/ipv4/conf/lbk..2/forwarding")
    os.execute("echo 0 >/proc/sys/net/ipv4/conf/all/accept_redirects")
    local run = start(HOLD)
    assert.equal("1", contents "/proc/sys/net/ipv4/conf/lbk3/forwarding")
    kill_run(run)
    assert.is_true(eventually(nothing_left))
    assert.equal("1", contents "/proc/sys/net/ipv4/conf/lbk..2/forwarding")
    assert.equal("0", contents "/proc/sys/net/ipv4/conf/lbk3/forwarding")
    assert.equal("0", contents "/proc/sys/net/ipv4/conf/all/accept_redirects")
    assert.equal("0", contents "/proc/sys/net/ipv4/conf/default/forwarding")
    os.execute("ip link del lbk3; echo 1 >/proc/sys/net/ipv4/conf/all/accept_redirects")
  end)

  it("stays as somebody else has set it", function()
    local run = start 'keeper:sysctl { name = "net.ipv4.ip_default_ttl", value = 77 }; ready(); wait()'
    os.execute("echo 99 >/proc/sys/net/ipv4/ip_default_ttl")
    kill_run(run)
    assert.is_true(eventually(nothing_left))
    assert.equal("99", contents "/proc/sys/net/ipv4/ip_default_ttl")
    os.execute("echo 64 >/proc/sys/net/ipv4/ip_default_ttl")
  end)

  it("that has the value needs nothing", function()
    finally(run_keeper.close)
    local token = run_keeper.get():sysctl { name = "net.ipv4.ip_forward", value = 0 }
    assert.equal("", sh("ls " .. STATE .. " 2>/dev/null | grep sysctl"))
    token:undo()
  end)

  it("is refused at two values", function()
    finally(run_keeper.close)
    local run = start 'keeper:sysctl { name = "net.ipv4.ip_default_ttl", value = 77 }; ready(); wait()'
    local keeper = run_keeper.get()
    local e = failure(keeper.sysctl, keeper, { name = "net.ipv4.ip_default_ttl", value = 78 })
    assert.equal("EBUSY", e.code)
    assert.truthy(e.hint:find("another luabox run needs it to be 77", 1, true))
    kill_run(run)
    run_keeper.close()
    assert.is_true(eventually(nothing_left))
    assert.equal("64", contents "/proc/sys/net/ipv4/ip_default_ttl")
  end)

  it("is given up before the end", function()
    finally(run_keeper.close)
    local token = run_keeper.get():sysctl { name = "net.ipv4.ip_local_port_range", value = "20000 30000" }
    assert.equal("20000\t30000", contents "/proc/sys/net/ipv4/ip_local_port_range")
    token:undo()
    token:undo()
    assert.equal("32768\t60999", contents "/proc/sys/net/ipv4/ip_local_port_range")
  end)
end)

local luabox = require "luabox"
local TTL = "net.ipv4.ip_default_ttl"

-- Ctrl-C is heard at the return of a step that is done.
local function interrupting(f)
  return function(...)
    f(...)
    local e = luabox.error.new { op = "run", code = "EINTR" }
    e.signal = "SIGINT"
    error(e, 0)
  end
end

describe("a step that Ctrl-C interrupts when it is done #root", function()
  local function try(t, name, f)
    local original = t[name]
    t[name] = interrupting(original)
    local ok, e = pcall(f)
    t[name] = original
    assert.is_false(ok)
    assert.equal("SIGINT", e.signal)
    run_keeper.close()
  end

  it("is undone: a sysctl", function()
    run_keeper.get()
    for _, name in ipairs { "claim_sysctl", "claim_file" } do
      try(sys, name, function() run_keeper.get():sysctl { name = TTL, value = 77 } end)
      assert.equal("64", luabox.sys.system.sysctl(TTL))
    end
    local claim = sys.claim_sysctl(TTL, "77")
    local methods = getmetatable(claim).__index
    claim:close()
    try(methods, "set", function() run_keeper.get():sysctl { name = TTL, value = 77 } end)
    assert.equal("64", luabox.sys.system.sysctl(TTL))
  end)

  it("leaves no state directory after a claim that is refused", function()
    assert.is_false((pcall(sys.claim_sysctl, "net.nosuch", "1")))
    assert.is_nil(sys.claim_sysctl("kernel.ostype", "Linux"))
    assert.is_nil(io.open "/run/luabox")
  end)

  it("is undone: a cgroup", function()
    try(luabox.sys.cgroup, "create", function() run_keeper.get():create_cgroup { name = "interrupted" } end)
    assert.equal("", sh "find /sys/fs/cgroup -name luabox-interrupted")
  end)
end)
