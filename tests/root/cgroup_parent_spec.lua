-- Where groups are made with cgroup v2, what has to change there, and that it is put back.
local lfs = require "lfs"
local run = require("child").run
local spec = require "spec"
local contents, eventually, exists, output, shell, write =
  spec.contents, spec.eventually, spec.exists, spec.output, spec.shell, spec.write

local TOP = "/sys/fs/cgroup"
local NAME = spec.unique()
local LAB = TOP .. "/" .. NAME -- hands on nothing yet, and is given all
local NOBODY = 65534

-- What the child's code begins with.
local PRELUDE = ([[
local luabox = require "luabox"
local cgroup, keeper = luabox.sys.cgroup, luabox.keeper
local LAB = %q
local function contents(path)
  local file <close> = assert(io.open(path))
  return (file:read("a"):gsub("%%s+$", ""))
end
local function say(...) io.write(table.concat({ ... }, " "), "\n") end
local function here() return contents("/proc/self/cgroup"):match "0::(%%S+)" end
]]):format(LAB)

-- A prefix that runs a command in a cgroup of its own, alone.
local function alone_in(directory)
  return ("timeout 60 sh -c 'echo 0 >%s/cgroup.procs; exec \"$@\"' -"):format(directory)
end

local function said(code, prefix)
  return run(PRELUDE .. code, prefix or alone_in(LAB))
end

local function processes(directory)
  return contents(directory .. "/cgroup.procs")
end

local function handed_on(directory)
  return contents(directory .. "/cgroup.subtree_control")
end

local function below(directory)
  return output(("find %s -mindepth 1 -type d"):format(directory))
end

-- A process in the lab that is not luabox's.
local function with_other(f)
  local pipe <close> = io.popen(("%s sh -c 'echo $$; exec sleep 1000'"):format(alone_in(LAB)), "r")
  local pid = pipe:read "l"
  local ok, failure = pcall(f, pid)
  shell("kill -KILL " .. pid)
  if not ok then error(failure, 0) end
end

describe("cgroup v2's parent #root #cgroup2", function()
  local given

  setup(function()
    given = handed_on(TOP)
    write(TOP .. "/cgroup.subtree_control", "+cpu +cpuset +memory +pids")
  end)

  teardown(function()
    for name in handed_on(TOP):gmatch "%S+" do
      if not given:find(name, 1, true) then write(TOP .. "/cgroup.subtree_control", "-" .. name) end
    end
  end)

  local function remove_lab()
    write(LAB .. "/cgroup.kill", "1")
    assert.is_true(eventually(function()
      os.execute(("rmdir $(find %s -depth -type d) 2>/dev/null"):format(LAB))
      return not exists(LAB)
    end))
  end

  local function test(name, f)
    it(name, function()
      assert(lfs.mkdir(LAB))
      finally(remove_lab)
      f()
    end)
  end

  local function untouched()
    assert.equal("", below(LAB))
    assert.equal("", handed_on(LAB))
    assert.equal("domain", contents(LAB .. "/cgroup.type"))
  end

  -- The keeper puts back after the run has ended, and is in the lab itself until it ends.
  local function is_put_back() return below(LAB) == "" and processes(LAB) == "" end

  test("is left by luabox for a leaf, and entered again", function()
    local text = said [[
      local group = cgroup.create { name = "x", ["memory.max"] = "64M", ["pids.max"] = 9 }
      say(here(), group:paths()[1], contents(LAB .. "/cgroup.subtree_control"), contents(LAB .. "/luabox-x/memory.max"))
      local p <close> = luabox.sys.process.spawn { program = { "cat", "/proc/self/cgroup" }, cgroup = group:fd() }
      p:wait()
      group:remove()
      say(here(), contents(LAB .. "/cgroup.subtree_control"))
    ]]
    local expected = "/%s/luabox.self %s/luabox-x memory pids 67108864\n0::/%s/luabox-x\n/%s \n"
    assert.equal(expected:format(NAME, LAB, NAME, NAME), text)
    untouched()
  end)

  test("takes its children along, and hands on what comes to be needed", function()
    local text = said [[
      local child <close> = luabox.sys.process.spawn { program = { "sleep", "1000" }, stderr = "null" }
      local first = cgroup.create { name = "x", ["pids.max"] = 9 }
      local second = cgroup.create { name = "y", ["cpu.max"] = 0.5 }
      say(contents(LAB .. "/cgroup.subtree_control"), contents(LAB .. "/luabox-y/cpu.max"))
      say(select(2, contents(LAB .. "/luabox.self/cgroup.procs"):gsub("%d+", "")))
      first:remove()
      say(contents(LAB .. "/luabox-y/cpu.max"))
      second:remove()
      say(select(2, contents(LAB .. "/cgroup.procs"):gsub("%d+", "")))
    ]]
    assert.equal("cpu pids 50000 100000\n2\n50000 100000\n2\n", text)
    untouched()
  end)

  test("says so to who listens", function()
    local create = [[ cgroup.create({ name = "x", ["pids.max"] = 9 }):remove() ]]
    assert.equal("", said(create))
    assert.equal(("Lua warning: luabox: moved 1 of its own processes from cgroup %s to luabox.self in it: " ..
      "cgroup v2 limits only the children of a cgroup without processes\n"):format(LAB), said("warn '@on' " .. create))
  end)

  test("is put back when a run ends that did not remove its group", function()
    local text = said [[
      keeper.get():create_cgroup { name = "x", ["memory.max"] = "64M" }
      say(here())
    ]]
    assert.equal("/" .. NAME .. "/luabox.self\n", text)
    assert.is_true(eventually(is_put_back))
    untouched()
  end)

  -- Makes a group, starts a process that lives on, and kills itself, and the keeper if told so.
  local function killed(with_keeper)
    local text = said(([[
      local k = keeper.get()
      local group = k:create_cgroup { name = "x", ["memory.max"] = "64M" }
      local sleeper = io.popen("exec sleep 1000 >/dev/null 2>&1", "r")
      local hog = luabox.sys.process.spawn {
        program = { "sleep", "1000" }, cgroup = group:fd(), stdout = "null", stderr = "null",
      }
      say(here())
      io.stdout:flush()
      os.execute(("kill -KILL %%s %%d"):format(%s and k:pid() or "", contents("/proc/self/stat"):match "%%d+"))
    ]]):format(tostring(with_keeper)))
    return text:match "^[^\n]*" -- the shell says "Killed"
  end

  test("is put back when the run is killed, and who lives on is in it again", function()
    assert.equal("/" .. NAME .. "/luabox.self", killed(false))
    assert.is_true(eventually(function() return below(LAB) == "" and processes(LAB):find "^%d+$" ~= nil end))
    untouched()
    spec.await_program(processes(LAB), "sleep")
  end)

  test("is put back by luabox gc when the keeper is killed, too", function()
    killed(true)
    assert.equal("memory", handed_on(LAB))
    assert.truthy(below(LAB):find("/luabox-x", 1, true))
    local text = run [[require("luabox.gc").main {}]]
    assert.equal(("cgroup %s/luabox-x: removed\ncontrollers %s: removed\n"):format(LAB, LAB), text)
    untouched()
  end)

  test("is the next above, if others than luabox's are in its own", function()
    with_other(function(pid)
      local text = said [[
        warn "@on"
        local group = cgroup.create { name = "x", ["memory.max"] = "64M" }
        say(here(), group:paths()[1])
        group:remove()
      ]]
      assert.equal(("Lua warning: luabox: makes cgroups in %s and not in its own, %s, where there are others than " ..
        "luabox's processes: sleep (%s)\n/%s %s/luabox-x\n"):format(TOP, LAB, pid, NAME, TOP), text)
      assert.equal(pid, processes(LAB))
    end)
    untouched()
  end)

  -- In a namespace whose root the lab is: nothing is above it.
  local function shut_in(code)
    return said(code, alone_in(LAB) .. " unshare --cgroup --mount sh -c 'umount -l /sys/fs/cgroup; " ..
      "mount -t cgroup2 cgroup2 /sys/fs/cgroup; exec \"$@\"' -")
  end

  test("says who is in the way, and changes nothing", function()
    with_other(function(pid)
      for _, limit in ipairs { "memory.max", "pids.max" } do -- the kernel would not refuse a threaded one
        local text = shut_in(([[
          local ok, e = pcall(cgroup.create, { name = "x", ["%s"] = 1 << 20 })
          say(e.code, e.op, e.subject, e.hint)
        ]]):format(limit))
        assert.matches("^EBUSY create cgroup in /sys/fs/cgroup cgroup v2 limits only the children of a cgroup " ..
          "without processes of its own, and in this one are some that are not luabox's: sleep %(" .. pid ..
          "%)%. Start luabox in one of its own %(`systemd%-run", text)
      end
      local found = shut_in [[say(cgroup.layout().memory.problem)]]
      assert.matches("^cgroup v2 limits only .* sleep %(" .. pid .. "%)", found)
      assert.equal(pid, processes(LAB))
      untouched()
    end)
  end)

  test("is the root of a cgroup namespace, if luabox is alone in it", function()
    local text = shut_in [[
      local group = cgroup.create { name = "x", ["memory.max"] = "64M" }
      say(here(), group:paths()[1], contents "/sys/fs/cgroup/luabox-x/memory.max")
      group:remove()
      say(here())
    ]]
    assert.equal("/luabox.self /sys/fs/cgroup/luabox-x 67108864\n/\n", text)
    untouched()
  end)

  test("is shared by two runs: the last to leave puts it back", function()
    write(LAB .. "/cgroup.subtree_control", "")
    assert(lfs.mkdir(LAB .. "/a"))
    local directory = os.tmpname()
    os.remove(directory)
    assert(lfs.mkdir(directory))
    local function start(name)
      write(directory .. "/" .. name .. ".lua", PRELUDE .. ([[
        local name, directory = %q, %q
        keeper.get():create_cgroup { name = name, ["memory.max"] = "64M", parent = %q }
        os.rename(directory .. "/" .. name .. ".lua", directory .. "/" .. name)
        while io.open(directory .. "/" .. name) do os.execute "sleep 0.05" end
      ]]):format(name, directory, "/" .. NAME))
      local interpreter = os.getenv "LUABOX_INTERPRETER"
      shell(("%s %s %s/%s.lua </dev/null &"):format(alone_in(LAB .. "/a"), interpreter, directory, name))
      assert.is_true(eventually(function() return exists(directory .. "/" .. name) end))
    end
    start "x"
    start "y"
    local function ends(name)
      assert(os.remove(directory .. "/" .. name))
      assert.is_true(eventually(function() return not exists(LAB .. "/luabox-" .. name) end))
    end
    ends "x"
    assert.is_true(eventually(function() return select(2, processes(LAB .. "/a"):gsub("%d+", "")) <= 3 end))
    assert.equal("memory", handed_on(LAB))
    assert.equal("67108864", contents(LAB .. "/luabox-y/memory.max"))
    ends "y"
    assert.is_true(eventually(function() return processes(LAB .. "/a") == "" end))
    assert.equal("", handed_on(LAB))
    assert.equal(LAB .. "/a", below(LAB))
    shell("rmdir " .. directory)
  end)

  test("goes on handing on what somebody uses since", function()
    assert(lfs.mkdir(LAB .. "/a"))
    assert(lfs.mkdir(LAB .. "/b"))
    local text = said(([[
      local group = cgroup.create { name = "x", ["memory.max"] = "64M", ["pids.max"] = 9, parent = "/%s" }
      local file <close> = io.open(LAB .. "/b/memory.max", "w")
      file:write "104857600"
      file:close()
      group:remove()
    ]]):format(NAME), alone_in(LAB .. "/a"))
    assert.equal("", text)
    assert.equal("memory", handed_on(LAB))
    assert.equal("104857600", contents(LAB .. "/b/memory.max"))
  end)

  test("says of which type it may not be", function()
    assert(lfs.mkdir(LAB .. "/t"))
    write(LAB .. "/t/cgroup.type", "threaded")
    for path, kind in pairs { ["/" .. NAME .. "/t"] = "threaded", ["/" .. NAME] = "domain threaded" } do
      local text = said(([[
        local ok, e = pcall(cgroup.create, { name = "x", ["pids.max"] = 5, parent = %q })
        say(e.code, e.hint)
      ]]):format(path), "")
      assert.equal("EOPNOTSUPP it is of type '" .. kind .. "', and only one of type 'domain' has groups with limits " ..
        "and processes; start luabox in another cgroup, or give parent=\n", text)
    end
  end)

  test("says what it is not given", function()
    assert(lfs.mkdir(LAB .. "/a"))
    assert(lfs.mkdir(LAB .. "/a/b"))
    local text = said(([[
      local ok, e = pcall(cgroup.create, { name = "x", ["pids.max"] = 5, parent = "/%s/a/b" })
      say(e.code, e.subject, e.hint)
    ]]):format(NAME), "")
    assert.equal(("EOPNOTSUPP %s/a/b this cgroup is not given: pids (see its cgroup.controllers), and none above it " ..
      "is to be had; write them to cgroup.subtree_control above it, or do without these limits\n"):format(LAB), text)
  end)

  local UNPRIVILEGED = (" setpriv --reuid %d --regid %d --clear-groups"):format(NOBODY, NOBODY)

  test("may be one that is delegated to an ordinary user", function()
    for _, file in ipairs { "", "/cgroup.procs", "/cgroup.subtree_control", "/cgroup.threads" } do
      shell(("chown %d %s%s"):format(NOBODY, LAB, file))
    end
    local runtime = os.tmpname()
    os.remove(runtime)
    assert(lfs.mkdir(runtime))
    shell(("chown %d %s; chmod 700 %s"):format(NOBODY, runtime, runtime))
    local text = said([[
      local group = keeper.get():create_cgroup { name = "x", ["memory.max"] = "64M" }
      local p <close> = luabox.sys.process.spawn { program = { "cat", "/proc/self/cgroup" }, cgroup = group:fd() }
      p:wait()
      say(here(), contents(LAB .. "/luabox-x/memory.max"))
    ]], alone_in(LAB) .. " env XDG_RUNTIME_DIR=" .. runtime .. UNPRIVILEGED)
    assert.equal(("0::/%s/luabox-x\n/%s/luabox.self 67108864\n"):format(NAME, NAME), text)
    assert.is_true(eventually(is_put_back))
    untouched()
    shell("rmdir " .. runtime)
  end)

  test("may not be another user's", function()
    local text = said([[
      local ok, e = pcall(cgroup.create, { name = "x", ["memory.max"] = "64M" })
      say(e.code, e.hint)
    ]], alone_in(LAB) .. UNPRIVILEGED)
    assert.equal("EACCES the cgroup above belongs to another user; run as root, or in a delegated cgroup, as " ..
      "`systemd-run --user --scope -p Delegate=yes luabox …` makes one\n", text)
    untouched()
  end)

  test("may not be read-only", function()
    local text = said([[
      local ok, e = pcall(cgroup.create, { name = "x", ["memory.max"] = "64M" })
      say(e.code, e.hint)
    ]], alone_in(LAB) .. " unshare --mount sh -c 'mount -o remount,bind,ro /sys/fs/cgroup; exec \"$@\"' -")
    assert.equal("EROFS cgroups are mounted read-only here, as in most containers\n", text)
    untouched()
  end)

  test("is put back after a failure", function()
    local text = said [[
      local ok, e = pcall(cgroup.create, { name = "x", ["memory.max"] = "64M", ["cpuset.cpus"] = "4000" })
      say(tostring(ok), here())
    ]]
    assert.equal(("false /%s\n"):format(NAME), text)
    untouched()
  end)
end)
