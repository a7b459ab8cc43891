-- tests/c/inject.c: a system call of luabox that fails as told, or is late.
if os.getenv("LUABOX_UNDER") ~= "luabox" then return end

local inject = require "inject"

local function run(plan, code)
  return inject.run(plan, { "-e", code }, 20)
end

-- The numbers of calls of a kind.
local function count(calls, kind)
  local n = 0
  for _, call in ipairs(calls) do n = n + (call.kind == kind and 1 or 0) end
  return n
end

local TWICE = [[
  for i = 1, 2 do
    local _, e = luabox.try(luabox.sys.namespace.create, "net")
    print(i, e and e.code or "made")
  end
]]

describe("an injected fault #root", function()
  it("records the calls of a run", function()
    local plan <close> = inject.plan()
    local result, out, err = run(plan, TWICE)
    assert.same({ { code = 0 }, "1\tmade\n2\tmade\n", "" }, { result, out, err })
    local calls = plan:calls()
    assert.equal(#calls, plan:outcome().count)
    assert.equal(0, plan:outcome().injected)
    assert.is_true(count(calls, "unshare") >= 2)
    assert.truthy(inject.where(calls[1]):find "%.c:%d")
  end)

  it("hits the call of a kind and number", function()
    local plan <close> = inject.plan()
    plan:set { kind = "unshare", first = 2, error = inject.errors.ENOSPC }
    local _, out = run(plan, TWICE)
    assert.equal("1\tmade\n2\tENOSPC\n", out)
    assert.equal(1, plan:outcome().injected)
  end)

  it("hits a call by its place in the program", function()
    local plan <close> = inject.plan()
    run(plan, TWICE)
    for _, call in ipairs(plan:calls()) do
      if call.kind == "unshare" then
        plan:set { kind = call.kind, site = call.site, first = 1, last = 2, error = inject.errors.ENOMEM }
        break
      end
    end
    local _, out = run(plan, TWICE)
    assert.equal("1\tENOMEM\n2\tENOMEM\n", out)
    assert.equal(2, plan:outcome().injected)
  end)

  it("counts children, too, whether they share memory or not", function()
    local plan <close> = inject.plan()
    for _, body in ipairs { 'program = { "/bin/true" }', "body = function() end" } do
      local code = ([[
        local spawn = luabox.sys.process.spawn
        local function run()
          local p <close> = spawn { steps = { { "hostname", name = "x" } }, namespaces = "uts", %s }
        end
        for i = 1, 3 do print((select(2, luabox.try(run)) or {}).code) end
      ]]):format(body)
      plan:set { kind = "sethostname", first = 3, error = inject.errors.EBUSY }
      local _, out = run(plan, code)
      assert.equal("nil\nnil\nEBUSY\n", out)
      assert.equal(3, plan:outcome().matched)
    end
  end)

  it("makes a call late", function()
    local plan <close> = inject.plan()
    plan:set { kind = "unshare", first = 1, delay = 0.1 }
    local _, out = run(plan, [[
      local from = luabox.sys.system.clock()
      luabox.sys.namespace.create "net"
      print(luabox.sys.system.clock() - from >= 0.1)
    ]])
    assert.equal("true\n", out)
  end)
end)
