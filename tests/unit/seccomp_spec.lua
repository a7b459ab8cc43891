local seccomp = require "luabox.sys.seccomp"

local function assert_refused(expected, description)
  local ok, message = pcall(seccomp.build, description)
  assert.is_false(ok)
  message = tostring(message)
  assert.is_truthy(message:find(expected, 1, true), message)
end

local function with_rule(rule)
  return { default = "allow", rules = { rule } }
end

local function with_compare(compare)
  return with_rule { "read", action = "trap", args = { compare } }
end

-- The BPF that a filter would load.
local function program(filter)
  local file <close> = assert(io.open("/proc/self/fd/" .. filter:fileno(), "rb"))
  return file:read "a"
end

local function assert_same_program(a, b)
  assert.is_true(#program(a) > 0)
  assert.is_true(program(a) == program(b), "the programs differ")
end

describe("luabox.sys.seccomp", function()
  it("has built the default profile as it would build it now", function()
    local built <close> = seccomp.build(seccomp.profile())
    local default <close> = seccomp.default()
    assert_same_program(built, default)
  end)

  it("builds the profile of other capabilities", function()
    for _, capabilities in ipairs { "", "default,sys_admin", "all", "default,-sys_chroot" } do
      local built <close> = seccomp.build(seccomp.profile(capabilities))
      local default <close> = seccomp.default(capabilities)
      assert_same_program(built, default)
    end
  end)

  it("lets a capability's calls through with the capability only", function()
    local function allows(call, capabilities)
      for _, name in ipairs(seccomp.profile(capabilities).allow) do
        if name == call then return true end
      end
      return false
    end
    assert.is_false(allows("mount"))
    assert.is_true(allows("mount", "default,sys_admin"))
    assert.is_false(allows("clone"))
    assert.is_true(allows("clone", "sys_admin"))
    assert.is_true(allows("chroot"))
    assert.is_false(allows("chroot", ""))
    assert.is_true(allows("perf_event_open", "perfmon"))
  end)

  it("takes a rule that changes nothing", function()
    local with <close> = seccomp.build { default = "allow", allow = { "read" } }
    local without <close> = seccomp.build { default = "allow" }
    assert_same_program(with, without)
  end)

  it("leaves calls of other architectures out", function()
    local with <close> = seccomp.build { default = "trap", allow = { "read", "s390_runtime_instr" } }
    local without <close> = seccomp.build { default = "trap", allow = { "read" } }
    assert_same_program(with, without)
  end)

  it("closes once and says what it is", function()
    local filter = seccomp.default()
    assert.is_truthy(tostring(filter):match "^luabox.seccomp %(%d+%)$")
    filter:close()
    filter:close()
    assert.equal("luabox.seccomp (closed)", tostring(filter))
    local ok, message = pcall(seccomp.load, filter)
    assert.is_false(ok)
    assert.is_truthy(message:find("attempt to use a closed luabox.seccomp", 1, true), message)
  end)

  it("takes nothing but a filter to load", function()
    local ok, message = pcall(seccomp.load, {})
    assert.is_false(ok)
    assert.is_truthy(message:find("luabox.seccomp expected, got table", 1, true), message)
  end)

  describe("refuses", function()
    it("what is no description", function()
      assert_refused("table expected, got nil")
      assert_refused("option 'default' is missing", {})
      assert_refused("unknown option 'alow'; did you mean 'allow'?", { default = "allow", alow = {} })
      assert_refused("option 'allow': table expected, got string", { default = "trap", allow = "read" })
      assert_refused("option 'deny': table expected, got boolean", { default = "trap", deny = true })
      assert_refused("option 'rules': table expected, got number", { default = "trap", rules = 1 })
    end)

    it("unknown actions", function()
      local expected = "expected 'allow', 'errno:NAME', 'kill_process', 'kill_thread', 'log' or 'trap'"
      assert_refused("option 'default': unknown action 'deny'; " .. expected, { default = "deny" })
      assert_refused("option 'default': string expected, got boolean", { default = false })
      assert_refused("option 'newer': unknown action 'kill'", { default = "allow", newer = "kill" })
      assert_refused("option 'foreign': 'EFOO' is not the name of an errno", { default = "allow",
        foreign = "errno:EFOO" })
      assert_refused("option 'rules[1].action' is missing", with_rule { "read" })
      assert_refused("option 'rules[1].action': '' is not the name of an errno", with_rule { "read",
        action = "errno:" })
    end)

    it("unknown calls", function()
      assert_refused("option 'allow[2]': 'raed' is not the name of a system call",
        { default = "trap", allow = { "read", "raed" } })
      assert_refused("option 'deny[1]': string expected, got number", { default = "trap", deny = { 3 } })
      assert_refused("option 'rules[1][2]': 'x' is not the name of a system call",
        with_rule { "read", "x", action = "trap" })
    end)

    it("broken rules", function()
      assert_refused("option 'rules[2]': table expected, got string",
        { default = "allow", rules = { { "read", action = "trap" }, "write" } })
      assert_refused("unknown option 'rules[1].arg'; did you mean 'args'?", with_rule { "read", action = "trap",
        arg = {} })
      assert_refused("option 'rules[1].args': table expected, got number", with_rule { "read", action = "trap",
        args = 1 })
      assert_refused("option 'rules[1].args[1]': table expected, got number", with_compare(1))
    end)

    it("broken compares", function()
      local where = "option 'rules[1].args[1]"
      assert_refused(where .. ".index' is missing", with_compare { value = 1 })
      assert_refused(where .. ".value' is missing", with_compare { index = 1 })
      assert_refused(where .. ".index': 6 is out of range (0 to 5)", with_compare { index = 6, value = 1 })
      assert_refused(where .. ".index': -1 is out of range (0 to 5)", with_compare { index = -1, value = 1 })
      assert_refused(where .. ".value': integer expected, got string", with_compare { index = 0, value = "1" })
      assert_refused(where .. ".op': unknown value 'eqq'; did you mean 'eq'?", with_compare { index = 0, value = 1,
        op = "eqq" })
      assert_refused(where .. ".mask': is missing for op 'masked_eq'", with_compare { index = 0, value = 1,
        op = "masked_eq" })
      assert_refused(where .. ".mask': goes with op 'masked_eq' only", with_compare { index = 0, value = 1, mask = 1 })
      assert_refused("option 'rules[1].args[2].index': argument 0 is compared twice in one rule",
        with_rule { "read", action = "trap", args = { { index = 0, value = 1 }, { index = 0, value = 2 } } })
    end)

    it("rules that contradict each other", function()
      assert_refused("seccomp read: Invalid argument (EINVAL); two rules without compares give this call two actions",
        { default = "trap", allow = { "read" }, deny = { "read" } })
      assert_refused("seccomp write: Invalid argument (EINVAL)",
        { default = "trap", allow = { "read", "write" }, rules = { { "openat", "write", action = "log" } } })
    end)

    it("more rules than the kernel takes instructions", function()
      local rule = { "read", action = "trap", args = {} }
      for i = 0, 5 do rule.args[i + 1] = { index = i, value = 1 } end
      local rules = {}
      for i = 1, 400 do rules[i] = rule end
      assert_refused("seccomp 10012 instructions: Argument list too long (E2BIG); "
        .. "the kernel takes 4096; leave rules out",
        { default = "allow", rules = rules })
    end)
  end)
end)
