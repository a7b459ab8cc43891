local child = require "child"
local system = require "luabox.sys.system"
local spec = require "spec"

local output = spec.output

local function assert_refused(expected, f, ...)
  local ok, message = pcall(f, ...)
  assert.is_false(ok)
  message = tostring(message)
  assert.is_truthy(message:find(expected, 1, true), message)
end

describe("luabox.sys.system", function()
  it("tells the machine", function()
    local u = system.uname()
    assert.equal(output "uname -s", u.sysname)
    assert.equal(output "uname -r", u.release)
    assert.equal(output "uname -v", u.version)
    assert.equal(output "uname -m", u.machine)
    assert.equal(output "uname -n", system.hostname())
    assert.equal(output "cat /proc/sys/kernel/domainname", system.domainname())
    assert.equal(tonumber(output "getconf PAGESIZE"), system.page_size())
    assert.equal(tonumber(output "getconf _NPROCESSORS_ONLN"), system.cpus())
    assert.equal(tonumber(output "id -u"), system.uid())
    assert.equal(tonumber(output "id -g"), system.gid())
  end)

  it("tells memory in bytes", function()
    local memory = system.memory()
    assert.equal(tonumber(output "sed -n 's/MemTotal: *\\(.*\\) kB/\\1/p' /proc/meminfo") * 1024, memory.total)
    assert.equal(tonumber(output "sed -n 's/SwapTotal: *\\(.*\\) kB/\\1/p' /proc/meminfo") * 1024, memory.swap_total)
    assert.is_true(memory.free > 0 and memory.free < memory.total)
    assert.is_true(memory.swap_free <= memory.swap_total)
  end)

  it("tells the time since the start", function()
    local before = system.clock()
    local since = tonumber(output "cut -d. -f1 /proc/uptime")
    assert.is_true(system.uptime() >= since - 1)
    assert.is_true(system.clock() > before)
  end)

  it("tells limits", function()
    local soft, hard = system.rlimit "NOFILE"
    local process_id = io.open("/proc/self/stat"):read "n"
    local seen = ("Max open files +%d +%d "):format(soft, hard)
    assert.matches(seen, io.open("/proc/self/limits"):read "a")
    assert.equal("unlimited", (system.rlimit("AS", process_id)))
  end)

  it("refuses what is no limit", function()
    assert_refused("string expected, got no value", system.rlimit)
    assert_refused("unknown value 'NOFILES'; did you mean 'NOFILE'?", system.rlimit, "NOFILES")
    assert_refused("pid out of range", system.rlimit, "NOFILE", 0)
    assert_refused("prlimit NOFILE: No such process (ESRCH)", system.rlimit, "NOFILE", 2147483647)
    local set = system.set_rlimit
    assert_refused("table expected, got string", set, "NOFILE")
    assert_refused("option 'name' is missing", set, { soft = 1 })
    assert_refused("option 'soft' is missing", set, { name = "NOFILE" })
    assert_refused("unknown option 'sof'; did you mean 'soft'?", set, { name = "NOFILE", sof = 1 })
    assert_refused("option 'name': unknown value 'FILES'; ", set, { name = "FILES", soft = 1 })
    assert_refused("option 'soft': integer or 'unlimited' expected, got 'many'", set, { name = "CORE", soft = "many" })
    assert_refused("option 'hard': integer or 'unlimited' expected, got table", set, { name = "CORE", soft = 0,
      hard = {} })
    assert_refused("option 'soft': integer or 'unlimited' expected, got number", set, { name = "CORE", soft = 1.5 })
    assert_refused("option 'soft': -1 is negative", set, { name = "CORE", soft = -1 })
    assert_refused("option 'soft': is above the hard limit", set, { name = "CORE", soft = 2, hard = 1 })
    assert_refused("option 'pid': 0 is out of range", set, { name = "CORE", soft = 0, pid = 0 })
  end)

  it("reads sysctls by either spelling", function()
    assert.equal("Linux", system.sysctl "kernel.ostype")
    assert.equal("Linux", system.sysctl "kernel/ostype")
    assert.equal(output "cat /proc/sys/kernel/printk", system.sysctl "kernel.printk")
  end)

  it("refuses what is no sysctl's name", function()
    for _, name in ipairs { "", ".", "..", "/kernel/ostype", "kernel..ostype", "kernel.ostype.", "net/../kernel/ostype",
      "kernel/./ostype", ".kernel", ("x"):rep(256) } do
      assert_refused("is not a sysctl's name, as net.ipv4.ip_forward is", system.sysctl, name)
      assert_refused("is not a sysctl's name, as net.ipv4.ip_forward is", system.set_sysctl, name, "1")
    end
    assert_refused("string expected, got no value", system.sysctl)
    assert_refused("contains a zero byte", system.sysctl, "kernel\0ostype")
  end)

  it("refuses what is no sysctl's value", function()
    assert_refused("a sysctl's value has no newline", system.set_sysctl, "kernel.ostype", "1\n2")
    assert_refused("contains a zero byte", system.set_sysctl, "kernel.ostype", "1\0")
    assert_refused("string expected, got boolean", system.set_sysctl, "kernel.ostype", true)
    assert_refused("string expected, got no value", system.set_sysctl, "kernel.ostype")
  end)

  it("says what is missing of a sysctl", function()
    assert_refused("sysctl kernel.ostyp: No such file or directory (ENOENT); "
      .. "there is /proc/sys/kernel, but no 'ostyp' in it",
      system.sysctl, "kernel.ostyp")
    assert_refused("this kernel has no 'krnel' in /proc/sys: is it misspelt?", system.sysctl, "krnel.ostype")
    assert_refused("sysctl kernel: Is a directory (EISDIR); it is a directory of sysctls", system.sysctl, "kernel")
    assert_refused("sysctl kernel.ostype: Permission denied (EACCES)", system.set_sysctl, "kernel.ostype", "x")
  end)

  it("refuses what is no host's name", function()
    for _, set in ipairs { system.set_hostname, system.set_domainname } do
      assert_refused("is 65 bytes long; at most 64 are allowed", set, ("x"):rep(65))
      assert_refused("contains a zero byte", set, "a\0b")
      assert_refused("string expected, got table", set, {})
    end
  end)

  it("tells a system call that a filter refuses from one that is not there", function()
    local answer = child.run [[
      local luabox = require "luabox"
      luabox.sys.capability.set { no_new_privs = true }
      luabox.sys.seccomp.load(luabox.sys.seccomp.build { default = "allow", deny = { "openat2" },
        rules = { { "memfd_create", action = "errno:ENOSYS" } } })
      for _, name in ipairs { "openat2", "memfd_create", "seccomp" } do print(luabox.sys.system.has_call(name)) end
    ]]
    assert.equal("false\tEPERM\nfalse\tENOSYS\ntrue\tnil\n", answer)
    assert_refused("'read' is none of calls()", system.has_call, "read")
  end)
end)
