local errors = require "luabox.error"
local luabox = require "luabox"
local sys = require "luabox.sys.error"

local function raised(f, ...)
  local ok, e = pcall(f, ...)
  assert(not ok, "nothing was raised")
  return e
end

describe("luabox.error", function()
  it("prints as one sentence", function()
    local e = errors.new {
      op = "mount", subject = "/box/tmp", code = "EPERM", hint = "run it as root",
      context = { "start container 'web'" },
    }
    assert.equal("start container 'web': mount /box/tmp: Operation not permitted (EPERM); run it as root", tostring(e))
  end)

  it("prints without what it does not have", function()
    assert.equal("gc: failed", tostring(errors.new { op = "gc" }))
    assert.equal("gc: no", tostring(errors.new { op = "gc", message = "no" }))
    assert.equal("start web: no", tostring(errors.new { op = "start", subject = "web", message = "no" }))
  end)

  it("finds code and errno, each by the other", function()
    assert.equal(2, errors.new({ op = "open", code = "ENOENT" }).errno)
    assert.equal("ENOENT", errors.new({ op = "open", errno = 2 }).code)
    assert.equal("errno 4000", errors.new({ op = "open", errno = 4000 }).code)
    assert.is_nil(errors.new({ op = "wait", code = "TIMEOUT" }).errno)
  end)

  it("carries where it was made", function()
    local e = errors.new { op = "x" }
    local line = debug.getinfo(1, "l").currentline - 1
    assert.is_truthy(e.traceback:find("^stack traceback:\n[^\n]*error_spec.lua:" .. line), e.traceback)
  end)

  it("is the type that the core raises", function()
    assert.equal(sys.metatable, getmetatable(errors.new { op = "x" }))
  end)

  it("is told from other values", function()
    local e = errors.new { op = "open", code = "ENOENT" }
    assert.is_true(errors.is(e))
    assert.is_true(errors.is(e, "ENOENT"))
    assert.is_false(errors.is(e, "EPERM"))
    assert.is_false(errors.is("open"))
    assert.is_false(errors.is({ op = "open" }))
    assert.is_false(errors.is(nil))
  end)

  it("is raised as it is", function()
    local e = raised(errors.raise, { op = "start", subject = "web", message = "it runs already" })
    assert.is_true(errors.is(e))
    assert.equal("start web: it runs already", tostring(e))
  end)

  it("checks its fields", function()
    assert.is_truthy(raised(errors.new, { op = 1 }):find(
      "error_spec.lua:%d+: bad argument #1 to 'new' %(option 'op': string expected, got number%)"))
    assert.is_truthy(raised(errors.new, {}):find("(option 'op' is missing)", 1, true))
    assert.is_truthy(raised(errors.raise, { op = "x", sbject = "y" }):find(
      "bad argument #1 to 'raise' (unknown option 'sbject'; did you mean 'subject'?)", 1, true))
    assert.is_truthy(raised(errors.new, { op = "x", errno = 0 }):find(
      "option 'errno': 0 is out of range (1 to 4095)", 1, true))
  end)

  it("adds context, outermost first in print", function()
    local e = errors.new { op = "mount", message = "no" }
    assert.equal(e, e:wrap("inner"):wrap("outer"))
    assert.same({ "inner", "outer" }, e.context)
    assert.equal("outer: inner: mount: no", tostring(e))
  end)

  describe("try", function()
    it("returns the results", function()
      assert.same({ n = 3, 1, nil, 3 }, table.pack(errors.try(function(...) return ... end, 1, nil, 3)))
    end)

    it("returns nil and the error", function()
      local value, e = luabox.try(errors.raise, { op = "open", code = "ENOENT" })
      assert.is_nil(value)
      assert.equal("ENOENT", e.code)
    end)

    it("lets other errors go on", function()
      assert.equal("interrupted!", raised(errors.try, error, "interrupted!", 0))
    end)
  end)

  describe("within", function()
    it("returns the results", function()
      assert.same({ n = 2, 1, nil }, table.pack(errors.within("step", function(...) return ... end, 1, nil)))
    end)

    it("says in which step", function()
      local e = raised(errors.within, "start web", errors.raise, { op = "mount", message = "no" })
      assert.equal("start web: mount: no", tostring(e))
    end)

    it("lets other errors go on as they are", function()
      assert.equal("plain", raised(errors.within, "step", error, "plain", 0))
    end)
  end)

  it("keeps suppressed failures", function()
    local e = errors.new { op = "mount" }
    errors.suppress(e, "one")
    errors.suppress(e, "two")
    assert.same({ "one", "two" }, e.suppressed)
    assert.equal("mount: failed; and then: one; and then: two", tostring(e))
  end)
end)
