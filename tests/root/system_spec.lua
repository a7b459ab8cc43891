local system = require "luabox.sys.system"
local run = require("child").run
local spec = require "spec"

local output, refused = spec.output, spec.refused

-- Sets a sysctl, sees it through another program and sets it back.
local function assert_sets(seen, name, path, value)
  local before = system.sysctl(name)
  system.set_sysctl(name, value)
  local now = output("cat /proc/sys/" .. path)
  system.set_sysctl(name, before)
  assert.equal(seen, now)
end

describe("luabox.sys.system #root", function()
  it("names the host", function()
    local before = system.hostname()
    finally(function() system.set_hostname(before) end)
    system.set_hostname "box-1"
    assert.equal("box-1", output "uname -n")
    assert.equal("box-1", system.hostname())
  end)

  it("names the domain", function()
    local before = system.domainname()
    finally(function() system.set_domainname(before) end)
    system.set_domainname "box.example"
    assert.equal("box.example", output "cat /proc/sys/kernel/domainname")
  end)

  it("sets sysctls", function()
    assert_sets("1", "net.ipv4.ip_forward", "net/ipv4/ip_forward", 1)
    assert_sets("0\t0", "net/ipv4/ping_group_range", "net/ipv4/ping_group_range", "0 0")
  end)

  it("takes a dot in an interface's name", function()
    assert(os.execute "ip link add eth0.100 type bridge")
    finally(function() os.execute "ip link delete eth0.100" end)
    system.set_sysctl("net.ipv4.conf.eth0/100.rp_filter", 2)
    assert.equal("2", output "cat /proc/sys/net/ipv4/conf/eth0.100/rp_filter")
    assert.equal("2", system.sysctl "net/ipv4/conf/eth0.100/rp_filter")
  end)

  it("says that a value is not taken", function()
    assert.equal("sysctl net.ipv4.ip_default_ttl=1000: Invalid argument (EINVAL); "
      .. "the kernel does not take this value for it",
      refused(system.set_sysctl, "net.ipv4.ip_default_ttl", 1000))
  end)

  it("says that /proc/sys is read-only", function()
    assert(os.execute "mount --bind -o ro /proc/sys /proc/sys && mount -o remount,bind,ro /proc/sys")
    finally(function() os.execute "umount /proc/sys" end)
    assert.equal("sysctl net.ipv4.ip_forward: Read-only file system (EROFS); "
      .. "/proc/sys is read-only here; set it before it is made so, or from outside",
      refused(system.set_sysctl, "net.ipv4.ip_forward", 1))
    assert.equal("0", system.sysctl "net.ipv4.ip_forward")
  end)

  it("writes to the kernel's procfs only", function()
    assert(os.execute "mkdir -p /tmp/fake && echo 0 >/tmp/fake/ostype && mount --bind /tmp/fake /proc/sys/kernel")
    finally(function() os.execute "umount /proc/sys/kernel; rm -r /tmp/fake" end)
    assert.equal("sysctl kernel.ostype: Invalid cross-device link (EXDEV); "
      .. "/proc/sys/kernel/ostype is not a file of the kernel's own procfs", refused(system.set_sysctl,
        "kernel.ostype", 1))
    assert.equal("0", output "cat /tmp/fake/ostype")
  end)

  it("sets limits of this process", function()
    local printed = run [[
      local system = require "luabox.sys.system"
      system.set_rlimit { name = "NOFILE", soft = 20, hard = 30 }
      os.execute "ulimit -Sn; ulimit -Hn"
      system.set_rlimit { name = "CORE", soft = 0, hard = "unlimited" }
      print(system.rlimit "CORE")
      system.set_rlimit { name = "NPROC", soft = 100 }
      print(system.rlimit "NPROC")
    ]]
    assert.equal("20\n30\n0\tunlimited\n100\t100\n", printed)
  end)

  it("sets limits of another process", function()
    local printed = run [[
      local system = require "luabox.sys.system"
      local sleeper = io.popen "echo $$; exec sleep 60"
      local pid = sleeper:read "n"
      system.set_rlimit { name = "NOFILE", soft = 17, pid = pid }
      print(system.rlimit("NOFILE", pid))
      os.execute("grep 'open files' /proc/" .. pid .. "/limits")
      os.execute("kill " .. pid)
      sleeper:close()
    ]]
    assert.is_truthy(printed:match "^17\t17\nMax open files +17 +17 ", printed)
  end)

  it("says what raising a hard limit takes", function()
    assert.equal("prlimit NOFILE: Operation not permitted (EPERM); "
      .. "raising the hard limit above 20 takes sys_resource\n", (run [[
      local system = require "luabox.sys.system"
      local capability = require "luabox.sys.capability"
      capability.set { effective = capability.get().effective .. ",-sys_resource" }
      system.set_rlimit { name = "NOFILE", soft = 20 }
      print(select(2, pcall(system.set_rlimit, { name = "NOFILE", soft = 20, hard = 21 })))
    ]]))
  end)

  it("says that a value is none in this user namespace", function()
    assert.equal("sysctl net.ipv4.ping_group_range=0 1000: Invalid argument (EINVAL); the kernel does not take this " ..
      "value for it; of ids, only those that this user namespace maps\n", (run([[
      print(select(2, pcall(require("luabox.sys.system").set_sysctl, "net.ipv4.ping_group_range", "0 1000")))
    ]], "unshare --user --map-root-user --net")))
  end)

  it("says that a filter may keep it from naming the host", function()
    assert.equal("sethostname box: Operation not permitted (EPERM); the system call filter (seccomp) that this " ..
      "process runs under refuses it, or sys_admin over this UTS namespace is missing\n", (run [[
      local seccomp = require "luabox.sys.seccomp"
      require("luabox.sys.capability").set { no_new_privs = true }
      seccomp.load(seccomp.build { default = "allow", rules = { { "sethostname", action = "errno:EPERM" } } })
      print(select(2, pcall(require("luabox.sys.system").set_hostname, "box")))
    ]]))
  end)

  it("says what naming the host takes #unfiltered", function()
    assert.equal("sethostname box: Operation not permitted (EPERM); "
      .. "it takes sys_admin over this UTS namespace; make a new one first\n", (run [[
      require("luabox.sys.capability").set { effective = "" }
      print(select(2, pcall(require("luabox.sys.system").set_hostname, "box")))
    ]]))
  end)
end)
