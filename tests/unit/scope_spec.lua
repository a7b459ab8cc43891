local errors = require "luabox.error"
local scope = require "luabox.scope"

describe("luabox.scope", function()
  local done

  local function step(name)
    return function() table.insert(done, name) end
  end

  local function failing(name)
    return function()
      table.insert(done, name)
      errors.raise { op = "undo", subject = name, message = "no" }
    end
  end

  before_each(function() done = {} end)

  it("undoes last first at the end of the block", function()
    do
      local s <close> = scope.new()
      s:add(step "a")
      s:add(step "b")
    end
    assert.same({ "b", "a" }, done)
  end)

  it("undoes on an error, which goes on", function()
    local ok, message = pcall(function()
      local s <close> = scope.new()
      s:add(step "a")
      error("boom", 0)
    end)
    assert.is_false(ok)
    assert.equal("boom", message)
    assert.same({ "a" }, done)
  end)

  it("keeps the undos in a new scope", function()
    local kept
    do
      local s <close> = scope.new()
      s:add(step "a")
      s:add(step "b")
      kept = s:keep()
    end
    assert.same({}, done)
    kept:close()
    assert.same({ "b", "a" }, done)
  end)

  it("undoes each step once", function()
    local s = scope.new()
    s:add(step "a")
    s:close()
    s:close()
    assert.same({ "a" }, done)
  end)

  it("runs every undo though some fail, and raises the first failure with the others", function()
    local s = scope.new()
    s:add(step "a")
    s:add(failing "b")
    s:add(failing "c")
    local ok, e = pcall(s.close, s)
    assert.is_false(ok)
    assert.same({ "c", "b", "a" }, done)
    assert.equal("undo c: no; and then: undo b: no", tostring(e))
    assert.equal(1, #e.suppressed)
    assert.equal("undo b: no", tostring(e.suppressed[1]))
  end)

  it("does not let an undo replace the error on its way", function()
    local ok, e = pcall(function()
      local s <close> = scope.new()
      s:add(failing "a")
      errors.raise { op = "mount", message = "first" }
    end)
    assert.is_false(ok)
    assert.equal("mount: first; and then: undo a: no", tostring(e))
    assert.equal("undo a: no", tostring(e.suppressed[1]))
  end)

  it("warns where the error on its way has no place for another", function()
    local ok, message = pcall(function()
      local s <close> = scope.new()
      s:add(failing "a")
      error("plain", 0)
    end)
    assert.is_false(ok)
    assert.equal("plain", message)
  end)

  it("raises an undo's failure if nothing else failed", function()
    local ok, e = pcall(function()
      local s <close> = scope.new()
      s:add(failing "a")
    end)
    assert.is_false(ok)
    assert.equal("undo a: no", tostring(e))
  end)

  it("undoes what an undo registers", function()
    local s = scope.new()
    s:add(function() s:add(step "late") end)
    s:close()
    assert.same({ "late" }, done)
  end)

  it("owns handles", function()
    local handle = { close = function(self) table.insert(done, self.name) end, name = "h" }
    local s = scope.new()
    assert.equal(handle, s:own(handle))
    s:close()
    assert.same({ "h" }, done)
  end)

  it("undoes nothing in another process", function()
    local s = scope.new()
    s:add(step "a")
    s.owner = -1
    s:close()
    assert.same({}, done)
  end)

  it("prints what it holds", function()
    local s = scope.new()
    s:add(step "a")
    assert.equal("luabox.scope (1 undos)", tostring(s))
  end)
end)
