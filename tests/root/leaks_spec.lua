local leaks = require "leaks"

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
end)
