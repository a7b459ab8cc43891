local luabox = require "luabox"
local sentences = require "sentences"

describe("the methods of a container", function()
  local box

  before_each(function() box = luabox.container { name = "box" } end)
  after_each(function() box:delete() end)

  -- Asserts { sentence, arguments… } of one method.
  local function refused(method, list)
    for _, case in ipairs(list) do
      assert.equal(case[1], sentences.refusal(box[method], box, table.unpack(case, 2)))
    end
  end

  it("are called with a colon", function()
    for _, name in ipairs {
      "start", "state", "pid", "run", "check", "call", "wait", "stop", "kill", "stat", "delete", "close",
    } do
      assert.equal(("calling '%s' on bad self (luabox.container expected, got no value)"):format(name),
        sentences.refusal(box[name]))
      assert.equal(("calling '%s' on bad self (luabox.container expected, got table)"):format(name),
        sentences.refusal(box[name], {}))
    end
  end)

  it("check what to run", function()
    for _, name in ipairs { "run", "check" } do
      local function at(number, text) return ("#%d to '%s' (%s)"):format(number, name, text) end
      local expected = "list of program and arguments expected, got "
      local ls = { "ls" }
      refused(name, {
        { at(1, expected .. "no value") }, { at(1, expected .. "number"), 1 },
        { at(1, expected .. "string; there is no shell in between"), "ls -l" },
        { at(1, "option 'command': is empty"), {} }, { at(1, "option 'command': the program's name is empty"), { "" } },
        { at(1, "option 'command[2]': string expected, got number"), { "ls", 1 } },
        { at(2, "table expected, got string"), ls, "x" },
        { at(2, "unknown option 'inptu'; did you mean 'input'?"), ls, { inptu = "x" } },
        { at(2, "option 'input': string expected, got number"), ls, { input = 1 } },
        { at(2, "option 'timeout': '-1' is not a duration, such as 3, '1.5s' or '200ms'"), ls, { timeout = -1 } },
        { at(2, "option 'env': names are strings, got a number key"), ls, { env = { "A=B" } } },
        { at(2, "option 'cwd': 'tmp' is not an absolute path"), ls, { cwd = "tmp" } },
        { at(2, "option 'user.uid': -1 is out of range (0 to 4294967294)"), ls, { user = { uid = -1 } } },
      })
    end
    refused("call", { { "#1 to 'call' (function expected, got no value)" },
      { "#1 to 'call' (function expected, got string)", "print" } })
  end)

  it("check times and signals", function()
    for _, name in ipairs { "wait", "stop" } do
      refused(name, {
        { ("#1 to '%s' ('-1' is not a duration, such as 3, '1.5s' or '200ms')"):format(name), -1 },
        { ("#1 to '%s' (number of seconds or string such as '1.5s' expected, got boolean)"):format(name), true },
      })
    end
    refused("kill", {
      { "#1 to 'kill' (unknown signal 'TREM')", "TREM" },
      { "#1 to 'kill' (string or integer expected, got table)", {} },
      { "#1 to 'kill' (integer expected, got number)", 1.5 },
    })
    assert.equal("created", box:state())
  end)
end)
