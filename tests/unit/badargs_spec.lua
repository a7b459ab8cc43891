local badargs = require "badargs"
local options = require "luabox.options"

local spec = {
  name = { "string", required = true, min = 1, max = 15 },
  count = { "integer", min = 1, max = 9 },
  cpus = { "number", min = 0, max = 64 },
  nat = { "boolean" },
  state = { "enum", names = { "created", "running" } },
  body = { "function" },
  env = { "map", of = { "string" } },
  command = { "list", of = { "string" } },
  memory = { "size" },
  timeout = { "duration" },
  address = { "address" },
  stdin = { "handle" },
}

describe("badargs", function()
  it("makes cases that luabox.options answers as it must", function()
    badargs.check(function(o) options.check(spec, o, "f") end, spec, { name = "a" })
  end)

  it("finds a function that takes what it must not", function()
    local _, message = pcall(badargs.check, function(o)
      local loose = { name = { "string" }, count = { "integer" } }
      options.check(loose, o, "f")
    end, { name = { "string", required = true }, count = { "integer", min = 1, max = 9 } }, { name = "a" })
    assert.is_truthy(message:find("expected  option 'count': 0 is out of range (1 to 9)\nwas taken", 1, true), message)
    assert.is_truthy(message:find("expected  option 'name' is missing\nwas taken", 1, true), message)
  end)

  it("finds another sentence", function()
    local _, message = pcall(badargs.check, function() error("no", 0) end, {}, {})
    local sentence = "expected  option names are strings, got a number key\ngot       no"
    assert.is_truthy(message:find(sentence, 1, true), message)
  end)

  it("finds an effect", function()
    local calls = 0
    local _, message = pcall(badargs.check, function(o)
      calls = calls + 1
      options.check(spec, o, "f")
    end, spec, { name = "a" }, { state = function() return tostring(calls) end })
    assert.is_truthy(message:find("a refused call changed 0\nto ", 1, true), message)
  end)
end)
