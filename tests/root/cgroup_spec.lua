local cgroup = require "luabox.sys.cgroup"
local process = require "luabox.sys.process"
local run = require("child").run
local spec = require "spec"

local contents, words, exists, unique, failure = spec.contents, spec.output, spec.exists, spec.unique, spec.failure

local self_pid = contents("/proc/self/stat"):match("^%d+")

local groups = {}

local function create(o)
  o.name = o.name or unique()
  local group = cgroup.create(o)
  groups[#groups + 1] = group
  return group
end

-- Runs a shell command inside the group.
local function inside(group, command)
  local moves = {}
  for _, path in ipairs(group:paths()) do moves[#moves + 1] = "echo 0 >" .. path .. "/cgroup.procs" end
  return os.execute(("(%s; %s) >/dev/null 2>&1 </dev/null"):format(table.concat(moves, "; "), command))
end

local function dir_with(group, file)
  for _, path in ipairs(group:paths()) do
    if exists(path .. "/" .. file) then return path .. "/" end
  end
end

-- The contents of a file of version 1, or of the one of version 2.
local function limit_file(group, v1, v2)
  local dir = dir_with(group, v1)
  return contents((dir or dir_with(group, v2)) .. (dir and v1 or v2)), dir and 1 or 2
end

describe("luabox.sys.cgroup #root #cgroup", function()
  local function remove_all()
    for _, group in ipairs(groups) do
      if not tostring(group):find("closed", 1, true) then
        group:kill()
        group:remove()
      end
    end
    groups = {}
  end

  local function test(name, f)
    it(name, function()
      finally(remove_all)
      f()
    end)
  end

  test("says where a group's directories will be", function()
    local layout = cgroup.layout()
    for _, path in ipairs(create({ ["pids.max"] = 7 }):paths()) do
      local parent = path:match "^(.*)/"
      local at = layout.pids.path == parent and layout.pids or layout.cgroup2 or layout.freezer
      assert.equal(parent, at.path)
      assert.equal(at.version, words("stat --file-system --format %T " .. parent) == "cgroup2fs" and 2 or 1)
    end
  end)

  test("makes directories in the caller's cgroup, and removes them", function()
    local group = create { ["pids.max"] = 7 }
    local paths = group:paths()
    for _, path in ipairs(paths) do
      assert.is_true(exists(path .. "/cgroup.procs"))
      assert.truthy(path:find("/luabox-spec-", 1, true))
    end
    group:remove()
    for _, path in ipairs(paths) do assert.is_false(exists(path)) end
    assert.equal("luabox.cgroup (closed)", tostring(group))
  end)

  test("nests in the cgroup that the process is in; with version 2 it may have to be the one above", function()
    local group = create { ["memory.max"] = "100M" }
    for _, path in ipairs(group:paths()) do
      local above = path:match "^(.*)/"
      local has_it = ("\n" .. contents(above .. "/cgroup.procs") .. "\n"):find("\n" .. self_pid .. "\n", 1, true)
      if exists(path .. "/memory.max") then
        assert.is_nil(has_it)
        above = above .. "/host" -- see tests/sandbox
        has_it = contents(above .. "/cgroup.procs"):find(self_pid, 1, true)
      end
      assert.truthy(has_it, path)
    end
  end)

  test("writes memory.max", function()
    local group = create { ["memory.max"] = "64M" }
    assert.equal("67108864", (limit_file(group, "memory.limit_in_bytes", "memory.max")))
    assert.equal(67108864, group:get "memory.max")
    group:set { ["memory.max"] = "max" }
    assert.equal("max", group:get "memory.max")
  end)

  test("writes memory.high, or says that version 1 has none", function()
    local ok, group = pcall(create, { ["memory.max"] = "64M", ["memory.high"] = "32M" })
    if ok then
      assert.equal("33554432", contents(dir_with(group, "memory.high") .. "memory.high"))
      assert.equal(33554432, group:get "memory.high")
      group:set { ["memory.high"] = "max" }
      assert.equal("max", group:get "memory.high")
      return
    end
    assert.equal("EOPNOTSUPP", group.code)
    assert.equal("memory.high", group.subject)
    assert.truthy(group.hint:find("only cgroup v2's memory controller has it", 1, true))
    group = create { ["memory.max"] = "64M" }
    assert.is_truthy(dir_with(group, "memory.limit_in_bytes"))
    assert.is_nil(group:get "memory.high")
    assert.equal("EOPNOTSUPP", failure(group.set, group, { ["memory.high"] = "32M" }).code)
  end)

  test("writes memory.swap.max, whatever moves first", function()
    local group = create { ["memory.max"] = "64M", ["memory.swap.max"] = "32M" }
    local text, version = limit_file(group, "memory.memsw.limit_in_bytes", "memory.swap.max")
    assert.equal(version == 1 and "100663296" or "33554432", text)
    for _, memory in ipairs { "256M", "16M", "max", "8M" } do
      group:set { ["memory.max"] = memory, ["memory.swap.max"] = memory == "max" and "max" or 0 }
      assert.equal(memory == "max" and "max" or 0, group:get "memory.swap.max")
    end
    assert.equal(8388608, group:get "memory.max")
  end)

  test("keeps the swap limit when only memory changes", function()
    local group = create { ["memory.max"] = "64M", ["memory.swap.max"] = "32M" }
    group:set { ["memory.max"] = "128M" }
    assert.equal(33554432, group:get "memory.swap.max")
    group:set { ["memory.max"] = "16M" }
    assert.equal(33554432, group:get "memory.swap.max")
  end)

  test("writes cpu.max", function()
    local group = create { ["cpu.max"] = 0.2 }
    local text, version = limit_file(group, "cpu.cfs_quota_us", "cpu.max")
    assert.equal(version == 1 and "20000" or "20000 100000", text)
    assert.equal(0.2, group:get "cpu.max")
    group:set { ["cpu.max"] = "5000 10000" }
    assert.equal(0.5, group:get "cpu.max")
    group:set { ["cpu.max"] = "max" }
    assert.equal("max", group:get "cpu.max")
    group:set { ["cpu.max"] = "900000 1000000" }
    assert.equal(0.9, group:get "cpu.max")
  end)

  test("writes cpu.weight as the kernel converts it", function()
    local group = create { ["cpu.weight"] = 100 }
    local text, version = limit_file(group, "cpu.shares", "cpu.weight")
    assert.equal(version == 1 and "1024" or "100", text)
    for _, weight in ipairs { 1, 7, 100, 333, 10000 } do
      group:set { ["cpu.weight"] = weight }
      assert.equal(weight, group:get "cpu.weight")
    end
  end)

  test("writes pids.max", function()
    local group = create { ["pids.max"] = 12 }
    assert.equal("12", (limit_file(group, "pids.max", "pids.max")))
    group:set { ["pids.max"] = "max" }
    assert.equal("max", group:get "pids.max")
  end)

  test("writes cpuset.cpus and takes processes then", function()
    local group = create { ["cpuset.cpus"] = "0" }
    assert.equal("0", group:get "cpuset.cpus")
    assert.is_true(inside(group, "test $(nproc) = 1"))
  end)

  test("writes io.max where there is a controller", function()
    local device = words("cat /sys/block/[shv]d*/dev /sys/block/nvme*/dev 2>/dev/null"):match("^%d+:%d+")
    if not device then return pending("needs a disk") end
    local ok, group = pcall(create, { ["io.max"] = { device .. " rbps=1048576 wiops=max" } })
    if not ok then
      assert.truthy(tostring(group):find("io.max", 1, true))
      return pending("needs a kernel that limits io")
    end
    assert.same({ device .. " rbps=1048576" }, group:get "io.max")
  end)

  test("says nil of limits that it has no controller for", function()
    local group = create { ["pids.max"] = 5 }
    local layout = group:get "memory.max"
    assert.is_true(layout == nil or layout == "max")
    if layout == nil then
      local e = failure(group.set, group, { ["memory.max"] = 1 << 20 })
      assert.equal("EOPNOTSUPP", e.code)
      assert.truthy(e.hint:find("made without the controller 'memory'", 1, true))
    end
  end)

  test("moves a process by pid and by descriptor", function()
    local group = create { ["pids.max"] = 5 }
    local pipe <close> = io.popen("echo $$; exec sleep 100", "r")
    local pid = math.tointeger(pipe:read("n"))
    group:attach(pid)
    assert.same({ pid }, group:processes())
    group:kill()
    pipe:close()
    local fds = group:attach_fds(true)
    assert.equal(#group:paths(), #fds)
    local mover = {}
    for _, fd in ipairs(fds) do mover[#mover + 1] = ("echo 0 >/proc/%s/fd/%d"):format(self_pid, fd:fileno()) end
    assert.is_true(os.execute(("(%s; grep -q luabox-spec /proc/self/cgroup)"):format(table.concat(mover, "; "))))
    for _, fd in ipairs(fds) do fd:close() end
    local e = failure(group.attach, group, 4194303)
    assert.equal("ESRCH", e.code)
    assert.truthy(tostring(e):find("no such process here", 1, true))
  end)

  test("kills a memory hog, and says by which limit", function()
    local group = create { ["memory.max"] = "16M", ["memory.swap.max"] = 0 }
    assert.is_nil(group:killed_by())
    inside(group, "exec tail /dev/zero")
    local by = group:killed_by()
    assert.equal("memory.max", by.limit)
    assert.equal(16777216, by.value)
    assert.equal(1, by.count)
    assert.equal(1, group:stat()["memory.oom_kill"])
    assert.is_true(group:stat()["memory.peak"] > 8388608)
  end)

  test("reads version 2's files, whichever version has the numbers", function()
    local group = create { ["memory.max"] = "16M", ["pids.max"] = 10, ["cpu.max"] = 0.5 }
    inside(group, "exec tail /dev/zero")
    inside(group, "for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15; do sleep 100 & done")
    inside(group, "i=0; while [ $i -lt 150000 ]; do i=$((i+1)); done")
    local file, version = limit_file(group, "memory.oom_control", "memory.events")
    assert.equal(tonumber(file:match "oom_kill (%d+)"), group:read("memory.events").oom_kill)
    assert.equal(1, group:read("memory.events").oom_kill)
    assert.is_true(group:read("memory.events").max > 0)
    assert.equal(version == 2, group:read("memory.events").high ~= nil)
    assert.same({ max = tonumber(contents(dir_with(group, "pids.events") .. "pids.events"):match "max (%d+)") },
      group:read "pids.events")
    assert.is_true(group:read("pids.events").max > 0)
    local cpu = group:read "cpu.stat"
    assert.is_true(cpu.nr_periods > 0)
    assert.equal("integer", math.type(cpu.throttled_usec))
    if exists(dir_with(group, "cgroup.procs") .. "cpu.stat") and group:fd() then assert.is_true(cpu.usage_usec > 0) end
  end)

  test("reads pressure where cgroup2 is", function()
    local group = create { ["pids.max"] = 10 }
    local dir = group:fd() and dir_with(group, "memory.pressure")
    for _, name in ipairs { "cpu.pressure", "memory.pressure", "io.pressure" } do
      if not dir then
        local e = failure(group.read, group, name)
        assert.truthy(e.code == "EOPNOTSUPP" or e.code == "ENOENT")
        assert.truthy(e.hint:find("only cgroup v2 has it", 1, true) or e.hint:find("CONFIG_PSI", 1, true))
      else
        local pressure = group:read(name)
        assert.equal(tonumber(contents(dir .. name):match "some avg10=([%d.]+)"), pressure.some.avg10)
        assert.equal("integer", math.type(pressure.some.total))
      end
    end
  end)

  test("says which controller a file takes, and which files there are", function()
    local group = create { ["pids.max"] = 10 }
    local e = failure(group.read, group, "memory.events")
    assert.equal("EOPNOTSUPP", e.code)
    assert.truthy(e.hint:find("made without the controller 'memory'", 1, true))
    local text = failure(group.read, group, "memory.max")
    assert.truthy(text:find("unknown file; expected one of cpu.pressure, cpu.stat, ", 1, true))
  end)

  test("refuses the forks of a fork bomb", function()
    local group = create { ["pids.max"] = 10 }
    inside(group, "for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15; do sleep 100 & done")
    assert.is_true(#group:processes() <= 10)
    local by = group:killed_by()
    assert.equal("pids.max", by.limit)
    assert.equal(10, by.value)
  end)

  test("holds back who takes more than its share", function()
    local group = create { ["cpu.max"] = 0.05 }
    inside(group, "i=0; while [ $i -lt 30000 ]; do i=$((i+1)); done")
    local stat = group:stat()
    assert.is_true(stat["cpu.throttled"] > 0)
    assert.is_true(stat["cpu.usage_usec"] > 0)
  end)

  test("has used nothing that is known once somebody has removed it", function()
    local group = create { ["pids.max"] = 300 }
    for _, path in ipairs(group:paths()) do assert.is_truthy(os.execute("rmdir " .. path)) end
    local stat, by = group:stat(), group:killed_by()
    group:remove()
    assert.same({}, stat)
    assert.is_nil(by)
  end)

  test("kills a hundred that ignore SIGTERM", function()
    local group = create { ["pids.max"] = 300 }
    inside(group, "for i in $(seq 100); do (trap '' TERM HUP INT; exec setsid sleep 1000) & done")
    assert.equal(100, #group:processes())
    group:kill()
    group:remove()
  end)

  test("stops and lets go on", function()
    local group = create { ["pids.max"] = 5 }
    inside(group, "sleep 1000 &")
    group:freeze()
    local dir = dir_with(group, "cgroup.events")
    if dir then assert.truthy(contents(dir .. "cgroup.events"):find("frozen 1", 1, true)) end
    group:thaw()
    if dir then assert.equal("0", contents(dir .. "cgroup.freeze")) end
    group:freeze()
    group:kill() -- the frozen too
    group:remove()
  end)

  test("removes groups below its own", function()
    local group = create {}
    local path = group:paths()[1]
    assert.is_true(os.execute(("mkdir -p %s/a/b/c %s/d"):format(path, path)))
    assert.is_true(os.execute(("(echo 0 >%s/a/b/c/cgroup.procs; exec sleep 1000 >/dev/null 2>&1) &"):format(path)))
    while #group:processes() == 0 do os.execute("sleep 0.01") end
    group:kill()
    group:remove()
    assert.is_false(exists(path))
  end)

  test("refuses to remove processes, and names them", function()
    local group = create {}
    inside(group, "sleep 1000 &")
    local e
    assert.is_true(spec.eventually(function() -- until then it is a shell
      e = failure(group.remove, group, 0.02)
      return e.hint:find("still in it: sleep %(%d+%); kill them first") ~= nil
    end))
    assert.equal("EBUSY", e.code)
  end)

  test("says that a name is taken, and leaves nothing", function()
    local group = create { ["pids.max"] = 5 }
    local name = group:paths()[1]:match("luabox%-(.*)$")
    local e = failure(cgroup.create, { name = name, ["memory.max"] = "1G" })
    assert.equal("EEXIST", e.code)
    assert.truthy(e.hint:find("luabox gc", 1, true))
    assert.equal(#group:paths(), math.tointeger(words(("find /sys/fs/cgroup -name 'luabox-%s' | wc -l"):format(name))))
  end)

  test("tells the directories before it makes them", function()
    local told
    local name = unique()
    local ok = pcall(cgroup.create, { name = name }, function(paths)
      told = paths
      error("stop")
    end)
    assert.is_false(ok)
    assert.is_false(exists(told[1]))
  end)

  test("makes it below another cgroup, if told", function()
    local e = failure(cgroup.create, { name = unique(), parent = "/luabox-spec-no-such" })
    assert.equal("ENOENT", e.code)
    assert.truthy(tostring(e):find("the cgroup above it does not exist", 1, true))
  end)

  test("refuses arguments with one sentence and no effect", function()
    local function bad(o, message)
      local e = failure(cgroup.create, o)
      assert.equal("string", type(e))
      assert.truthy(e:find(message, 1, true), e)
    end
    bad({}, "option 'name' is missing")
    bad({ name = "" }, "option 'name': is empty")
    bad({ name = "a/b" }, "contains a slash or a newline")
    bad({ name = ("x"):rep(201) }, "is 201 bytes long; at most 200 are allowed")
    bad({ name = "x", memory = 1 }, "unknown option 'memory'")
    bad({ name = "x", ["memroy.max"] = 1 }, "did you mean 'memory.max'?")
    bad({ name = "x", parent = "a" }, "is not a path of cgroups")
    bad({ name = "x", parent = "/a/../b" }, "is not a path of cgroups")
    bad({ name = "x", ["memory.max"] = "64Q" }, "option 'memory.max': a size as in 67108864 or \"64M\", or \"max\",")
    bad({ name = "x", ["memory.max"] = {} }, "option 'memory.max'")
    bad({ name = "x", ["memory.max"] = -1 }, "-1 is out of range")
    bad({ name = "x", ["memory.max"] = "99999999T" }, "option 'memory.max'")
    bad({ name = "x", ["cpu.max"] = 0 }, "0 is out of range (0.01 to 10000 CPUs)")
    bad({ name = "x", ["cpu.max"] = 0 / 0 }, "out of range")
    bad({ name = "x", ["cpu.max"] = "1 2 3" }, "\"QUOTA PERIOD\"")
    bad({ name = "x", ["cpu.max"] = "10 100000" }, "quota from 1000")
    bad({ name = "x", ["cpu.weight"] = 0 }, "0 is out of range (1 to 10000)")
    bad({ name = "x", ["cpu.weight"] = "100" }, "option 'cpu.weight': an integer expected, got '100'")
    bad({ name = "x", ["pids.max"] = 0 }, "0 is out of range")
    bad({ name = "x", ["pids.max"] = 1.5 }, "option 'pids.max': an integer or \"max\" expected, got 1.5")
    bad({ name = "x", ["cpuset.cpus"] = "a" }, "a list of CPUs")
    bad({ name = "x", ["io.max"] = "8:0" }, "option 'io.max': table expected")
    bad({ name = "x", ["io.max"] = { "8:0 rbps" } }, "a list of lines")
    bad({ name = "x", ["io.max"] = { "8:0" } }, "a list of lines")
    local group = create {}
    assert.truthy(failure(group.get, group, "memory"):find("unknown name 'memory'", 1, true))
    assert.truthy(failure(group.set, group, { name = "x" }):find("unknown option 'name'", 1, true))
    assert.truthy(failure(group.remove, group, -1):find("seconds from 0 to 86400 expected", 1, true))
    assert.truthy(failure(group.attach, group, 0):find("not the number of a process", 1, true))
  end)

  test("says where a CPU is not there", function()
    local e = failure(cgroup.create, { name = unique(), ["cpuset.cpus"] = "4000" })
    assert.truthy(e.hint:find("a list of CPUs", 1, true))
  end)

  test("does without cgroup2, by the freezer #freezer", function()
    local name = unique()
    local output = run(([[
      local cgroup = require "luabox.sys.cgroup"
      local group = cgroup.create { name = "%s", ["pids.max"] = 100 }
      assert(group:fd() == nil)
      local moves = {}
      for _, path in ipairs(group:paths()) do
        assert(not path:find("unified", 1, true))
        moves[#moves + 1] = "echo 0 >" .. path .. "/cgroup.procs"
      end
      local fork = "for i in $(seq 30); do (trap '' TERM; exec sleep 1000) & done"
      os.execute("(" .. table.concat(moves, "; ") .. ";" .. fork .. ") >/dev/null 2>&1 </dev/null")
      assert(#group:processes() == 30)
      group:freeze()
      local file = io.open(group:paths()[#group:paths()] .. "/freezer.state")
      assert(file:read("l") == "FROZEN")
      file:close()
      group:kill()
      group:remove()
      print "done"]]):format(name), "unshare -m sh -c 'umount /sys/fs/cgroup/unified 2>/dev/null; exec \"$@\"' -")
    assert.equal("done\n", output)
    assert.equal("", words("find /sys/fs/cgroup -name luabox-" .. name))
  end)

  test("says that there are no cgroups at all", function()
    local output = run([[print(pcall(require("luabox.sys.cgroup").create, { name = "none" }))]],
      "unshare -m sh -c 'mount -t tmpfs none /sys; exec \"$@\"' -")
    assert.truthy(output:find("create cgroup none: No such device (ENODEV); no cgroup file system is mounted", 1, true),
      output)
    output = run([[print(pcall(require("luabox.sys.cgroup").create, { name = "none", ["pids.max"] = 1 }))]],
      "unshare -m sh -c 'mount -t tmpfs none /sys; exec \"$@\"' -")
    assert.truthy(output:find("the controller 'pids' is neither in", 1, true), output)
  end)

  test("says that version 2 puts no process beside children that have controllers #cgroup2", function()
    local group = create { ["memory.max"] = "64M" }
    local path = group:paths()[1]
    spec.shell(("mkdir %s/below && echo +memory >%s/cgroup.subtree_control"):format(path, path))
    local text = spec.refused(process.spawn,
      { program = { "true" }, steps = { { "cgroup", fds = group:attach_fds(true) } } })
    spec.shell(("rmdir %s/below"):format(path))
    assert.matches("(EBUSY); cgroup v2 puts no process into a cgroup whose children have controllers (here: memory",
      text, 1, true)
  end)

  test("is of no use when it is closed", function()
    local group = create {}
    local path = group:paths()[1]
    group:close()
    assert.truthy(failure(group.kill, group):find("closed luabox.cgroup", 1, true))
    assert.is_true(exists(path))
    os.execute("rmdir " .. path)
  end)
end)
