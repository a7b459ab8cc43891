local leaks = require "leaks"
local spec = require "spec"

local function run(command)
  assert(os.execute(command .. " >/dev/null"), command)
end

-- `expected` appears when `make` runs, and all is as it was after `unmake`.
local function assert_seen(expected, make, unmake)
  local before = leaks.snapshot()
  make()
  local lines = table.concat(leaks.difference(before, leaks.snapshot()), "\n")
  unmake()
  assert.is_truthy(lines:find(expected, 1, true), lines)
  assert.same({}, leaks.difference(before, leaks.snapshot()))
end

local function seen_command(expected, make, unmake)
  assert_seen(expected, function() run(make) end, function() run(unmake) end)
end

describe("finally", function()
  local called = {}

  it("may be called more than once", function()
    finally(function() called[#called + 1] = "first" end)
    finally(function() called[#called + 1] = "second" end)
  end)

  it("undoes all, the last first", function()
    assert.same({ "second", "first" }, called)
  end)
end)

describe("leak check #root", function()
  it("sees an open descriptor", function()
    local file
    assert_seen("-> /dev/null", function() file = assert(io.open("/dev/null")) end, function() file:close() end)
  end)

  it("sees a process", function()
    local pipe
    assert_seen("+ child ", function() pipe = io.popen("read line", "w") end, function() pipe:close() end)
  end)

  it("sees an orphan", function()
    seen_command("+ process ", "sleep 60 & echo $! | tee /tmp/pid",
      "pid=$(cat /tmp/pid); rm /tmp/pid; kill $pid; while [ -e /proc/$pid ]; do sleep 0.01; done")
  end)

  it("sees a mount", function()
    seen_command("+ mount ", "mount -t tmpfs tmpfs /mnt", "umount /mnt")
  end)

  it("sees a link", function()
    seen_command("+ link box0", "ip link add box0 type bridge", "ip link delete box0")
  end)

  it("sees an address", function()
    seen_command("+ network address 10.9.8.7",
      "ip address add 10.9.8.7/32 dev lo", "ip address delete 10.9.8.7/32 dev lo")
  end)

  it("sees a table of nftables #nft", function()
    seen_command("+ nft table inet box", "nft add table inet box", "nft delete table inet box")
  end)

  it("sees a control group #cgroup", function()
    local parent = io.popen("find /sys/fs/cgroup -mindepth 1 -maxdepth 1 -type d | tail -n 1"):read("l")
    if not parent then return pending("needs cgroup v1 or hybrid") end
    local path = parent .. "/luabox-leak"
    seen_command("+ cgroup " .. path, "mkdir " .. path, "rmdir " .. path)
  end)

  it("sees a named network namespace", function()
    seen_command("+ network namespace box", "ip netns add box",
      "ip netns delete box && umount /run/netns && rmdir /run/netns")
  end)

  it("sees a file of state", function()
    seen_command("+ file /run/luabox/x", "mkdir /run/luabox && touch /run/luabox/x", "rm -r /run/luabox")
  end)

  it("sees a file in /tmp, and one of os.tmpname anywhere", function()
    seen_command("+ file /tmp/other", "touch /tmp/other", "rm /tmp/other")
    local path
    assert_seen("+ temporary file /tmp/lua_", function() path = os.tmpname() end, function() os.remove(path) end)
  end)

  it("sees a changed sysctl", function()
    seen_command("+ sysctl net/ipv4/ip_forward = 1",
      "sysctl -w net.ipv4.ip_forward=1", "sysctl -w net.ipv4.ip_forward=0")
  end)
end)

describe("tests/sandbox #root", function()
  it("has namespaces of its own, whatever the environment says", function()
    local function mnt(prefix)
      local pipe <close> = assert(io.popen(prefix .. " readlink /proc/self/ns/mnt"))
      return pipe:read "l"
    end
    local inner = mnt "LUABOX_SANDBOX=1 tests/sandbox"
    assert.matches("^mnt:", inner)
    assert.not_equal(mnt "", inner)
  end)

  local WITH_GROUPS = "env -u LUABOX_CGROUPS tests/sandbox" -- as one that is within no other
  local LIST_GROUPS = "find /sys/fs/cgroup -type d -name 'luabox-test-*'"

  local function groups() return spec.output(LIST_GROUPS) end
  local function sleeps() return spec.output "pgrep -f '^sleep 1000$'" end

  -- The process id of the sandbox, which leads a process group.
  local function start(sandbox)
    local pid = spec.output("setsid " .. sandbox .. " sleep 1000 >/dev/null 2>&1 & echo $!")
    assert.is_true(spec.eventually(function() return sleeps() ~= "" end))
    return pid
  end

  local function kill(victims)
    spec.shell("kill -KILL " .. victims)
  end

  local function assert_ended()
    assert.is_true(spec.eventually(function() return sleeps() == "" end), "it goes on")
  end

  local function assert_no_groups()
    assert.is_true(spec.eventually(function() return groups() == "" end), groups())
  end

  it("ends what is inside when it is killed", function()
    kill(start "tests/sandbox")
    assert_ended()
  end)

  for victim, sign in pairs { shell = "", ["process group"] = "-" } do
    it("leaves no control group when its " .. victim .. " is killed #cgroup", function()
      local pid = start(WITH_GROUPS)
      assert.not_equal("", groups())
      kill(sign .. pid)
      assert_ended()
      assert_no_groups()
    end)
  end

  it("removes the control groups of one that was killed with all that it started #cgroup", function()
    local pid = start(WITH_GROUPS)
    spec.shell("kill -STOP " .. pid) -- it would end with them
    kill(("$(pgrep -P %s) %s"):format(pid, pid))
    assert_ended()
    assert.not_equal("", groups())
    spec.shell(WITH_GROUPS .. " true")
    assert.equal("", groups())
  end)

  it("ends as its command does, when nothing is left in its control groups #cgroup", function()
    local sandbox = assert(io.popen(WITH_GROUPS .. [[ sh -c 'trap "" TERM; sleep 1000 & read -r line; exit 7']], "w"))
    assert.is_true(spec.eventually(function() return sleeps() ~= "" end))
    local late = spec.output "sleep 1000 >/dev/null 2>&1 & echo $!"
    spec.shell(("for group in $(%s); do echo %s >$group/cgroup.procs || exit 1; done"):format(LIST_GROUPS, late))
    assert.same({ nil, "exit", 7 }, { sandbox:close() })
    assert.same({ "", "" }, { groups(), sleeps() })
  end)
end)
