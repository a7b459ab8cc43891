local options = require "luabox.options"

-- The message of a failing check, without the position.
local function problem(spec, t)
  local ok, message = pcall(options.check, spec, t, "container")
  assert(not ok, "the check passed")
  return (message:gsub("^[^ ]+:%d+: ", ""))
end

local function assert_problem(expected, spec, t)
  assert.equal(("bad argument #1 to 'container' (%s)"):format(expected), problem(spec, t))
end

local function check(spec, t)
  return options.check(spec, t, "container")
end

describe("luabox.options", function()
  it("gives a new table with the defaults", function()
    local t = { name = "a" }
    local checked = check({ name = { "string" }, retries = { "integer", default = 3 } }, t)
    assert.same({ name = "a", retries = 3 }, checked)
    assert.same({ name = "a" }, t)
  end)

  it("takes false for a value", function()
    assert.same({ nat = false }, check({ nat = { "boolean", default = true } }, { nat = false }))
  end)

  it("refuses what is no table", function()
    assert_problem("table expected, got string", {}, "x")
    assert_problem("table expected, got no value", {}, nil)
  end)

  describe("names", function()
    local spec = { address = { "string" }, name = { "string", required = true } }

    it("suggests the nearest", function()
      assert_problem("unknown option 'adress'; did you mean 'address'?", spec, { adress = 1 })
    end)

    it("lists all where none is near", function()
      assert_problem("unknown option 'xyzzyq'; expected one of 'address', 'name'", spec, { xyzzyq = 1 })
    end)

    it("come before types", function()
      assert_problem("unknown option 'nam'; did you mean 'name'?", spec, { address = 1, nam = "x" })
    end)

    it("are strings", function()
      assert_problem("option names are strings, got a number key", spec, { "x" })
      assert_problem("option names are strings, got a boolean key", spec, { [true] = "x" })
    end)

    it("may be missing", function()
      assert_problem("option 'name' is missing", spec, {})
    end)

    it("may be entries of the list where the description says so", function()
      local positional = { [1] = { "string", required = true }, target = { "string" } }
      assert.same({ "mount", target = "/x" }, check(positional, { "mount", target = "/x" }))
      assert_problem("option '[1]' is missing", positional, {})
      assert_problem("option names are strings, got a number key", positional, { "mount", "x" })
    end)
  end)

  it("points at the first line outside of the library", function()
    local ok, message = pcall(function()
      options.check({}, { x = 1 }, "container") -- this line
    end)
    local line = debug.getinfo(1, "l").currentline - 2
    assert.is_false(ok)
    assert.is_truthy(message:find("options_spec.lua:" .. line .. ": bad argument #1", 1, true), message)
  end)

  describe("strings", function()
    local spec = { name = { "string", min = 1, max = 15, pattern = "^[%w_.-]+$", says = "is not a name" } }

    it("are strings", function()
      assert_problem("option 'name': string expected, got number", spec, { name = 1 })
    end)

    it("have no zero byte", function()
      assert_problem("option 'name': contains a zero byte", spec, { name = "a\0b" })
    end)

    it("are not too long", function()
      assert_problem("option 'name': 'a123456789012345' is 16 bytes long; at most 15 are allowed", spec,
        { name = "a123456789012345" })
    end)

    it("are not empty", function()
      assert_problem("option 'name': is empty", spec, { name = "" })
    end)

    it("match the pattern", function()
      assert_problem("option 'name': 'a b' is not a name", spec, { name = "a b" })
    end)
  end)

  it("checks integers", function()
    local spec = { n = { "integer", min = 1, max = 9 }, m = { "integer", min = 0 }, k = { "integer", max = 3 } }
    assert.equal("integer", math.type(check(spec, { n = 2.0 }).n))
    assert_problem("option 'n': integer expected, got string", spec, { n = "1" })
    assert_problem("option 'n': integer expected, got number", spec, { n = 1.5 })
    assert_problem("option 'n': 10 is out of range (1 to 9)", spec, { n = 10 })
    assert_problem("option 'm': -1 is out of range (at least 0)", spec, { m = -1 })
    assert_problem("option 'k': 4 is out of range (at most 3)", spec, { k = 4 })
  end)

  it("checks numbers", function()
    local spec = { cpus = { "number", min = 0, max = 64 }, any = { "number" } }
    assert.equal(0.2, check(spec, { cpus = 0.2 }).cpus)
    assert_problem("option 'cpus': number expected, got string", spec, { cpus = "1" })
    assert_problem("option 'cpus': 65.5 is out of range (0 to 64)", spec, { cpus = 65.5 })
    assert.is_truthy(problem(spec, { any = 0 / 0 }):find("option 'any': %-?nan is out of range"))
  end)

  it("checks booleans and functions", function()
    local spec = { nat = { "boolean" }, call = { "function" } }
    assert_problem("option 'nat': boolean expected, got number", spec, { nat = 1 })
    assert_problem("option 'call': function expected, got table", spec, { call = {} })
  end)

  it("checks enumerations", function()
    local spec = { state = { "enum", names = { "created", "running", "stopped" } } }
    assert.equal("running", check(spec, { state = "running" }).state)
    assert_problem("option 'state': string expected, got number", spec, { state = 1 })
    assert_problem("option 'state': unknown value 'runing'; did you mean 'running'?", spec, { state = "runing" })
    assert_problem("option 'state': unknown value 'x'; expected one of 'created', 'running', 'stopped'", spec,
      { state = "x" })
  end)

  it("checks lists", function()
    local spec = { command = { "list", of = { "string" }, min = 1, max = 3 } }
    assert.same({ "a", "b" }, check(spec, { command = { "a", "b" } }).command)
    assert_problem("option 'command': list expected, got string", spec, { command = "ls -l" })
    assert_problem("option 'command[2]': string expected, got number", spec, { command = { "a", 2 } })
    assert_problem("option 'command': list expected, got a table with the key 'x'", spec, { command = { x = 1 } })
    assert_problem("option 'command': list expected, got a table with holes", spec, { command = { "a", [5] = "b" } })
    assert_problem("option 'command': is empty", spec, { command = {} })
    assert_problem("option 'command': has 4 entries; at most 3 are allowed", spec, { command = { "a", "b", "c", "d" } })
  end)

  it("checks maps", function()
    local spec = { env = { "map", of = { "string" }, key = { "string", pattern = "^[^=]+$", says = "has an '='" } } }
    assert.same({ A = "1" }, check(spec, { env = { A = "1" } }).env)
    assert_problem("option 'env': table expected, got string", spec, { env = "A=1" })
    assert_problem("option 'env': names are strings, got a number key", spec, { env = { "A=1" } })
    assert_problem("option 'env': name 'A=B' has an '='", spec, { env = { ["A=B"] = "1" } })
    assert_problem("option 'env.A': string expected, got number", spec, { env = { A = 1 } })
  end)

  it("checks tables within", function()
    local mount = { source = { "string" }, target = { "string", required = true } }
    local spec = { mounts = { "list", of = { "table", fields = mount } }, root = { "table", fields = mount } }
    assert_problem("option 'root': table expected, got number", spec, { root = 1 })
    assert_problem("option 'root.target' is missing", spec, { root = {} })
    assert_problem("option 'mounts[2].target' is missing", spec, { mounts = { { target = "/" }, {} } })
    assert_problem("option 'mounts[1].source': string expected, got boolean", spec,
      { mounts = { { target = "/", source = true } } })
    assert_problem("unknown option 'mounts[1].sorce'; did you mean 'source'?", spec,
      { mounts = { { target = "/", sorce = "x" } } })
    assert_problem("mounts[1]: option names are strings, got a number key", spec, { mounts = { { "/" } } })
  end)

  it("takes any table where no fields are given", function()
    local t = { 1, x = 2 }
    assert.equal(t, check({ data = { "table" } }, { data = t }).data)
  end)

  it("checks handles", function()
    local spec = { stdin = { "handle" } }
    local file <close> = assert(io.open("/dev/null"))
    assert.equal(file, check(spec, { stdin = file }).stdin)
    assert.equal(3, check(spec, { stdin = 3 }).stdin)
    assert_problem("option 'stdin': handle, io file or descriptor number expected, got string", spec, { stdin = "x" })
    assert_problem("option 'stdin': handle, io file or descriptor number expected, got number", spec, { stdin = -1 })
    file:close()
    assert_problem("option 'stdin': attempt to use a closed handle", spec, { stdin = file })
  end)

  it("checks objects", function()
    local spec = { network = { "object", is = "luabox.network" } }
    local lan = setmetatable({}, { __name = "luabox.network" })
    assert.equal(lan, check(spec, { network = lan }).network)
    assert_problem("option 'network': luabox.network expected, got string", spec, { network = "lan" })
    assert_problem("option 'network': luabox.network expected, got table", spec, { network = {} })
    assert_problem("option 'network': luabox.network expected, got luabox.container", spec,
      { network = setmetatable({}, { __name = "luabox.container" }) })
  end)

  it("checks alternatives", function()
    local spec = {
      rootfs = { "any", { "string" }, { "table", fields = { path = { "string", required = true } } } },
      memory = { "any", { "enum", names = { "max" } }, { "size" } },
      data = { "any" },
    }
    assert.same({ rootfs = "/x", memory = 67108864 }, check(spec, { rootfs = "/x", memory = "64M" }))
    assert.same({ rootfs = { path = "/x" }, memory = "max" }, check(spec, { rootfs = { path = "/x" }, memory = "max" }))
    assert_problem("option 'rootfs': string or table expected, got number", spec, { rootfs = 1 })
    assert_problem("option 'rootfs.path' is missing", spec, { rootfs = {} })
    assert_problem("option 'memory': '64Q' is not a size, such as '512K', '64M' or '1G'", spec, { memory = "64Q" })
    assert.equal(print, check(spec, { data = print }).data)
  end)

  it("runs the check of an option, also in lists", function()
    local even = function(n)
      if n % 2 == 0 then return n // 2 end
      return nil, "is odd"
    end
    local spec = { n = { "integer", check = even }, list = { "list", of = { "integer", check = even } } }
    assert.same({ n = 2, list = { 1 } }, check(spec, { n = 4, list = { 2 } }))
    assert_problem("option 'n': is odd", spec, { n = 3 })
    assert_problem("option 'list[1]': is odd", spec, { list = { 3 } })
    assert_problem("option 'n': integer expected, got string", spec, { n = "3" })
  end)

  it("raises what a description cannot say", function()
    local ok, message = pcall(options.fail, "network", "subnet", "is too small", 2)
    assert.is_false(ok)
    assert.is_truthy(message:find("bad argument #2 to 'network' (option 'subnet': is too small)", 1, true), message)
  end)
end)
