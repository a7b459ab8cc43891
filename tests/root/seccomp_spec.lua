local run = require("child").run

local HEAD = [[
local seccomp = require "luabox.sys.seccomp"
local capability = require "luabox.sys.capability"
capability.set { no_new_privs = true }
local function confine(filter)
  seccomp.load(filter)
  filter:close()
end
-- What system calls answer, asked by a program that makes them by number.
local function probe(calls)
  io.stdout:flush()
  os.execute("exec python3 -c '" .. PYTHON .. calls .. "'")
end
]]

-- In single quotes of a shell: no single quote inside.
local PYTHON = [[
import ctypes, errno, os, platform, pty, socket, sys
libc = ctypes.CDLL(None, use_errno=True)
numbers = dict(x86_64=dict(ioctl=16, socket=41, clone=56, mount=165, personality=135, add_key=248, keyctl=250,
  unshare=272, bpf=321),
    aarch64=dict(ioctl=29, socket=198, clone=220, mount=40, personality=92, add_key=217, keyctl=219, unshare=97,
      bpf=280))
numbers = dict(numbers[platform.machine()], io_uring_setup=425, fsopen=430, clone3=435, new=600)
def call(name, *args):
    ctypes.set_errno(0)
    r = libc.syscall(numbers[name], *[ctypes.c_long(a) for a in args])
    print(name, "ok" if r != -1 else errno.errorcode[ctypes.get_errno()], flush=True)
    return r
]]

-- Runs code after a head with 'confine' and 'probe'; returns what was printed.
local function confined(code)
  return run(("local PYTHON = %q\n"):format(PYTHON) .. HEAD .. code)
end

-- Runs a shell command under the default filter.
local function under_default(command)
  return (confined(("confine(seccomp.default())\nos.execute(%q)"):format(command)))
end

local function assert_answers(expected, calls, filter)
  local code = "confine(%s)\nprobe %q"
  assert.equal(expected, (confined(code:format(filter or "seccomp.default()", calls))))
end

describe("luabox.sys.seccomp #root", function()
  it("needs no_new_privs or sys_admin", function()
    assert.equal("seccomp SECCOMP_SET_MODE_FILTER: Permission denied (EACCES); "
      .. "set no_new_privs first, or keep sys_admin until the filter is loaded\n", (run [[
      local seccomp = require "luabox.sys.seccomp"
      require("luabox.sys.capability").set { effective = "" }
      local filter <close> = seccomp.default()
      print(select(2, pcall(seccomp.load, filter)))
    ]]))
    assert.equal("Seccomp:\t2\n", (run [[
      local seccomp = require "luabox.sys.seccomp"
      local filter <close> = seccomp.default()
      seccomp.load(filter)
      os.execute "grep Seccomp: /proc/self/status"
    ]]))
  end)

  describe("the default filter", function()
    it("lets ordinary programs work", function()
      assert.equal("2\t/bin\n",
        under_default "busybox sh -c 'printf \"%s\\t%s\\n\" $((1 + 1)) $(busybox dirname /bin/x)'")
      assert.equal("42\n", under_default([[python3 -c 'import threading, subprocess
t = threading.Thread(target=print, args=(42,)); t.start(); t.join(); subprocess.run(["true"], check=True)']]))
      assert.is_truthy(under_default "apt-get --version":match "^apt %d")
      assert.equal("1\n", under_default "seq 3 | grep 1 | sort | head -n 1")
      assert.is_truthy(under_default "ip -o address show lo":match "127.0.0.1")
    end)

    it("refuses what reaches out of a container", function()
      assert_answers("mount EPERM\nunshare EPERM\nclone EPERM\nfsopen EPERM\n", [[
call("mount", 0, 0, 0, 0, 0)
call("unshare", 0x10000000)
call("clone", 0x10000000 | 17, 0, 0, 0, 0)
call("fsopen", 0, 0)
]])
      assert_answers("add_key EPERM\nkeyctl EPERM\nbpf EPERM\nio_uring_setup EPERM\n", [[
call("add_key", 0, 0, 0, 0, 0)
call("keyctl", 0, 0, 0, 0, 0)
call("bpf", 0, 0, 0)
call("io_uring_setup", 1, 0)
]])
    end)

    it("has the C library fall back from clone3 and what is newer", function()
      assert_answers("clone3 ENOSYS\nnew ENOSYS\n", [[
call("clone3", 0, 0)
call("new")
]])
    end)

    it("refuses AF_ALG and AF_VSOCK, whatever the upper half of the register says", function()
      assert_answers("socket EPERM\nsocket EPERM\nsocket EPERM\nsocket EPERM\nsocket ok\nsocket ok\nsocket ok\n", [[
call("socket", 38, 5, 0)
call("socket", 40, 1, 0)
call("socket", 38 | 1 << 32, 5, 0)
call("socket", 1000, 1, 0)
call("socket", socket.AF_INET, 1, 0)
call("socket", socket.AF_NETLINK, 3, 0)
call("socket", socket.AF_UNIX | 1 << 40, 1, 0)
]])
    end)

    it("keeps keys from being pushed into a terminal", function()
      assert_answers("ioctl EIO\nioctl EIO\nioctl EIO\nioctl ok\n", [[
master, slave = pty.openpty()
key = ctypes.create_string_buffer(b"x")
call("ioctl", slave, 0x5412, ctypes.addressof(key))
call("ioctl", slave, 0x5412 | 1 << 35, ctypes.addressof(key))
call("ioctl", slave, 0x541c, ctypes.addressof(key))
size = ctypes.create_string_buffer(8)
call("ioctl", slave, 0x5413, ctypes.addressof(size))
]])
    end)

    it("allows the usual personalities only", function()
      assert_answers("personality ok\npersonality EPERM\n", [[
call("personality", 0xffffffff)
call("personality", 0x0040000)
]])
    end)

    it("kills who calls by another architecture's numbers", function()
      if not under_default "uname -m":match "x86_64" then return pending "x32 is there on x86_64 only" end
      assert.equal("Bad system call\n159\n",
        under_default [[python3 -c 'import ctypes; ctypes.CDLL(None).syscall(0x40000027)' ; echo $?]])
    end)

    it("lets through what a capability is for #clone3", function()
      assert_answers("unshare ok\nclone3 EINVAL\nkeyctl EPERM\n", [[
call("unshare", 0x04000000)
call("clone3", 0, 0)
call("keyctl", 0, 0, 0, 0, 0)
]], [[seccomp.default "default,sys_admin"]])
    end)
  end)

  describe("a filter of one's own", function()
    it("denies by name", function()
      assert_answers("mount EPERM\nbpf EXDEV\nkeyctl ok\n", [[
call("mount", 0, 0, 0, 0, 0)
call("bpf", 0, 0, 0)
call("keyctl", 0, -3, 1)
]], [[seccomp.build { default = "allow", deny = { "mount" }, rules = { { "bpf", action = "errno:EXDEV" } } }]])
    end)

    it("compares arguments", function()
      local rule = '{ "personality", action = "errno:EXDEV", args = { %s } }'
      local function answers(expected, compare)
        assert_answers(expected, [[
for value in (1, 2, 3): call("personality", value << 8 & 0x300 | 0x0400000)
]], ("seccomp.build { default = 'allow', rules = { %s } }"):format(rule:format(compare)))
      end
      answers("personality ok\npersonality EXDEV\npersonality ok\n", "{ index = 0, value = 0x0400200 }")
      answers("personality EXDEV\npersonality ok\npersonality EXDEV\n", "{ index = 0, op = 'ne', value = 0x0400200 }")
      answers("personality EXDEV\npersonality ok\npersonality ok\n", "{ index = 0, op = 'lt', value = 0x0400200 }")
      answers("personality EXDEV\npersonality EXDEV\npersonality ok\n", "{ index = 0, op = 'le', value = 0x0400200 }")
      answers("personality ok\npersonality ok\npersonality EXDEV\n", "{ index = 0, op = 'gt', value = 0x0400200 }")
      answers("personality ok\npersonality EXDEV\npersonality EXDEV\n", "{ index = 0, op = 'ge', value = 0x0400200 }")
      answers("personality EXDEV\npersonality ok\npersonality EXDEV\n",
        "{ index = 0, op = 'masked_eq', mask = 0x100, value = 0x100 }")
    end)

    it("puts a rule with compares before one without", function()
      assert_answers("personality EXDEV\npersonality ok\npersonality EXDEV\n", [[
call("personality", 0x0400100)
call("personality", 0x0400200)
call("personality", 0x0400100 | 1 << 32)
]], [[(function()
  local profile = seccomp.profile()
  local rules = {}
  for _, rule in ipairs(profile.rules) do
    if rule[1] ~= "personality" then rules[#rules + 1] = rule end
  end
  rules[#rules + 1] = { "personality", action = "errno:EXDEV",
    args = { { index = 0, op = "masked_eq", mask = 0xffffffff, value = 0x0400100 } } }
  profile.rules = rules
  table.insert(profile.allow, "personality")
  return seccomp.build(profile)
end)()]])
    end)

    it("answers newer calls as it is told", function()
      assert_answers("new EXDEV\n", [[call("new")]], [[(function()
  local profile = seccomp.profile()
  profile.newer = "errno:EXDEV"
  return seccomp.build(profile)
end)()]])
    end)

    it("can be loaded more than once, and the strictest wins", function()
      assert.equal("mount EPERM\nbpf EPERM\n", (confined([[
        local mount <close> = seccomp.build { default = "allow", deny = { "mount" } }
        local bpf <close> = seccomp.build { default = "allow", deny = { "bpf" } }
        seccomp.load(mount)
        seccomp.load(bpf)
        seccomp.load(bpf)
        probe [=[
call("mount", 0, 0, 0, 0, 0)
call("bpf", 0, 0, 0)
]=] ]])))
    end)
  end)
end)
