-- luabox doctor tells the truth: what is taken away is missed, by the right feature, and its exit status is the
-- recipe's.
local run = require("doctor").run
local spec = require "spec"
local system = require "luabox.sys.system"

local output, shell = spec.output, spec.shell

local INTERPRETER = os.getenv "LUABOX_INTERPRETER"
local LACKING = os.getenv("LUABOX_BUILD") .. "/tests/lacking "

-- Whether the main job runs, behind a command.
local function recipe_runs(prefix)
  return os.execute(("%s %s recipes/lan.lua >/dev/null 2>&1"):format(prefix or "", INTERPRETER)) == true
end

local function agrees(prefix)
  local _, status, said = run(prefix)
  assert.equal(recipe_runs(prefix), status == 0, (prefix or "") .. ": " .. said.summary)
  assert.equal(status == 0, said.can_run)
  return said
end

-- The status and the detail of a feature after a command of the shell in a mount namespace of its own.
local function without(before, name)
  local features, status = run("unshare --mount --propagation private", before)
  return features[name].status, features[name].detail, status
end

describe("luabox doctor #root", function()
  it("agrees with the recipe", function()
    agrees()
  end)

  it("is a command", function()
    assert.matches("The main job can[^\n]+$", output(os.getenv "LUABOX_BUILD" .. "/luabox doctor"))
  end)

  it("agrees with ip on the kinds of links", function()
    local features = run()
    local commands = {
      veth = "type veth", bridge = "type bridge", dummy = "type dummy", vxlan = "type vxlan id 7 dstport 4789",
      macvlan = "link v0 type macvlan", ipvlan = "link v0 type ipvlan", vlan = "link v0 type vlan id 7",
    }
    for kind, words in pairs(commands) do
      local there = os.execute("unshare --net sh -c 'ip link add v0 type veth peer v1 && ip link add x0 " .. words ..
        "' 2>/dev/null")
      assert.equal(there and "ok" or "missing", features[kind .. " links"].status, kind)
    end
  end)

  for name, library in pairs { libpcap = "libpcap.so.0.8", libarchive = "libarchive.so.13" } do
    it(("misses %s where it cannot be loaded"):format(name), function()
      assert.equal("ok", (without("true", name)))
      local file = output(("ldconfig -p | sed -n 's/.*%s .*=> //p'"):format(library))
      local status, detail = without("mount --bind /dev/null " .. file, name)
      assert.equal("missing", status)
      assert.matches(library, detail, 1, true)
    end)
  end

  it("agrees with unshare on the namespaces", function()
    local features = run()
    for type, option in pairs { mnt = "mount", pid = "pid --fork", net = "net", uts = "uts", ipc = "ipc",
      cgroup = "cgroup", user = "user", time = "time" } do
      local there = os.execute("unshare --" .. option .. " true 2>/dev/null")
      assert.equal(there and "ok" or "missing", features[type .. " namespaces"].status, type)
    end
  end)

  it("loads no module", function()
    local function loaded() return output "cut -d ' ' -f 1 /proc/modules | sort" end
    run() -- what the child's namespaces need is loaded by others before
    local before = loaded()
    run()
    assert.equal(before, loaded())
  end)

  it("misses nothing but what a capability is for", function()
    for _, case in ipairs {
      { "sys_admin", "CAP_SYS_ADMIN" }, { "net_admin", "CAP_NET_ADMIN" }, { "sys_ptrace", "CAP_SYS_PTRACE" },
      { "mknod", "CAP_MKNOD" }, { "setpcap", "capabilities to give" }, { "net_raw", "capabilities to give" },
    } do
      local features, status = run(("setpriv --bounding-set -%s --inh-caps -%s"):format(case[1], case[1]))
      assert.equal("missing", features[case[2]].status)
      assert.equal("this process lacks CAP_" .. case[1]:upper(), features[case[2]].detail)
      assert.equal(1, status)
    end
  end)

  for _, name in ipairs { "chown", "dac_override", "setgid", "sys_ptrace", "mknod", "audit_write", "sys_time" } do
    it("agrees with the recipe without " .. name, function()
      agrees(("setpriv --bounding-set -%s --inh-caps -%s"):format(name, name))
    end)
  end

  for _, call in ipairs(system.calls()) do
    it("agrees with the recipe without the call " .. call, function()
      agrees(LACKING .. call)
    end)
  end

  it("misses limits where cgroups are read-only #cgroup", function()
    local read_only = [[
      for directory in $(awk '$(NF - 2) ~ /^cgroup2?$/ { print $5 }' /proc/self/mountinfo); do
        mount -o remount,bind,ro $directory
      done 2>/dev/null]]
    local state, detail, status = without(read_only, "controller memory")
    assert.equal("missing", state)
    assert.matches("^/sys/fs/cgroup%S* is mounted read%-only$", detail)
    assert.equal(1, status)
  end)

  it("misses limits where no cgroups are #cgroup", function()
    local state, detail, status = without("umount --recursive --lazy /sys/fs/cgroup", "controller pids")
    assert.same({ "missing", "in no cgroup file system that is mounted here", 1 }, { state, detail, status })
  end)

  it("misses a file system that the kernel does not list", function()
    local hide = "grep -v mqueue /proc/filesystems >/tmp/list; mount --bind /tmp/list /proc/filesystems; rm /tmp/list"
    local state, _, status = without(hide, "file system mqueue")
    assert.same({ "missing", 1 }, { state, status })
  end)

  it("misses forwarding that is off and cannot be turned on", function()
    local path = "/proc/sys/net/ipv4/ip_forward"
    local before = ("echo 0 >%s; mount --bind -o ro %s %s; mount -o remount,bind,ro %s"):format(path, path, path, path)
    assert.same({ "missing", path .. " is mounted read-only", 1 }, { without(before, "forwarding") })
    assert.equal("ok", (without(before:gsub("echo 0", "echo 1"), "forwarding")))
    shell("echo 0 >" .. path)
  end)

  it("sees a forward policy that drops #nft", function()
    shell "nft 'add table ip guard; add chain ip guard forward { type filter hook forward priority 0; policy drop; }'"
    local features, status = run()
    local feature = features["forward policy"]
    assert.equal("the policy of chain ip guard forward is drop, and it has no rule", feature.detail)
    assert.same({ "missing", 1 }, { feature.status, status })
    agrees()
    shell "nft add rule ip guard forward accept"
    feature = run()["forward policy"]
    assert.equal("cannot tell", feature.status)
    assert.equal("the policy of chain ip guard forward is drop; its rules decide", feature.detail)
    shell "nft delete table ip guard"
    assert.equal("ok", run()["forward policy"].status)
  end)

  it("sees that IPv6 is off, without which the main job runs #ipv6", function()
    shell "echo 1 >/proc/sys/net/ipv6/conf/all/disable_ipv6"
    local features = run()
    shell "echo 0 >/proc/sys/net/ipv6/conf/all/disable_ipv6"
    assert.equal("missing", features.IPv6.status)
    assert.is_false(features.IPv6.essential)
    assert.equal("ok", run().IPv6.status)
  end)

  it("sees a state directory that luabox would not trust", function()
    shell "mkdir -m 777 /run/luabox && chmod 777 /run/luabox"
    local features, status = run()
    assert.matches("^/run/luabox is of user 0 with mode 0777;", features["state directory"].detail)
    assert.equal(1, status)
    agrees()
    shell "rmdir /run/luabox"
    assert.equal("missing", (without("mount -t tmpfs -o ro tmpfs /run", "state directory")))
  end)

  it("misses each type of namespace of which none may be made #userns", function()
    for _, type in ipairs { "mnt", "pid", "net", "uts", "ipc", "cgroup", "user", "time" } do
      local limit = ("max_%s_namespaces"):format(type)
      local features, status = run("unshare --user --map-root-user", ("echo 0 >/proc/sys/user/%s"):format(limit))
      local name = type .. " namespaces"
      assert.same({ "missing", "user." .. limit .. " is 0" }, { features[name].status, features[name].detail })
      assert.equal("ok", features[type == "uts" and "ipc namespaces" or "uts namespaces"].status)
      assert.equal("missing", features["initial user namespace"].status)
      assert.equal(1, status)
    end
  end)

  it("knows the ids that a user may map #userns", function()
    local ids = "echo 1000:100000:65536 >/tmp/ids; mount --bind /tmp/ids /etc/subuid; mount --bind /tmp/ids /etc/subgid"
    local features = run("unshare --mount --propagation private sh -c '" .. ids ..
      "; exec \"$@\"' - setpriv --reuid 1000 --regid 1000 --clear-groups")
    os.remove "/tmp/ids"
    assert.equal(output "command -v newuidmap" ~= "" and "ok" or "missing", features["subordinate ids"].status)
  end)
end)
