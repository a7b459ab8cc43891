-- The prompt on a terminal, and without one.
if os.getenv("LUABOX_UNDER") ~= "luabox" then return end
local program = require "program"

-- Talks to a prompt with an empty home; returns what the terminal showed, its end, and what a command says in the home.
local function talk(lines, command)
  local home, remove = program.directory()
  local path = program.path
  program.path = "env"
  local arguments = { "HOME=" .. home, "XDG_STATE_HOME=", "TERM=dumb", "LC_ALL=C.UTF-8", path }
  local out, err, status = program.terminal(arguments, lines)
  program.path = path
  local said = command and program.shell("cd " .. home .. " && " .. command)
  remove()
  assert.equal("", err)
  return out:gsub("\r", ""), status, said
end

local function answer(line, expected)
  local out, status = talk { "> ", line .. "\\n", "\n" .. expected .. "\r\n> ", "\\x04" }
  assert.equal(0, status)
  return out
end

describe("the prompt on a terminal", function()
  it("says what it is", function()
    assert.matches("^luabox %d+%.%d+%.%d+  Lua 5%.4", (talk { "> ", "\\x04" }))
  end)

  it("prints expressions, and tables so that they can be read", function()
    answer("1 + 1", "2")
    answer("nil, 'a', 2.0", "nil\ta\t2.0")
    answer("{ b = 1, a = { 2, 'x' } }", '{ a = { 2, "x" }, b = 1 }')
    answer("local x = 5 print(x)", "5")
  end)

  it("takes statements of several lines", function()
    talk { "> ", "for i = 1, 2 do\\n", ">> ", "print(i * 7)\\n", ">> ", "end\\n", "7\r\n14\r\n> ", "\\x04" }
  end)

  it("goes on after errors", function()
    local out = talk { "> ", "error 'boom'\\n", "[C]: in ?\r\n> ", "x = = 1\\n", "unexpected symbol near '='", "\\x04" }
    assert.matches("stdin:1: boom\nstack traceback:\n\t%[C%]: in function 'error'\n", (out:gsub("        ", "\t")))
  end)

  it("drops the line at Ctrl-C, or what runs", function()
    local _, status = talk {
      "> ", "x = 17 forgotten", "forgotten", "\\x03",
      "\r\n> ", "while true do end\\n", "end\r\n", "\\x03", "interrupted by SIGINT\r\n> ",
      "for i = 1, 2 do\\n", ">> ", "\\x03", "\r\n> ", "tostring(x) .. '!'\\n", "nil!\r\n> ", "\\x04",
    }
    assert.equal(0, status)
  end)

  it("never counts a Ctrl-C to three", function()
    local lines = { "> ", "\\x03", "\r\n> ", "\\x03", "\r\n> ", "\\x03", "\r\n> ", "\\x03" }
    table.move({ "\r\n> ", "6 * 7\\n", "42\r\n> ", "\\x04" }, 1, 4, #lines + 1, lines)
    assert.equal(0, (select(2, talk(lines))))
  end)

  it("completes names at Tab", function()
    talk { "> ", "string.forma\\t('%d', 3)\\n", "\r\n3\r\n> ", "\\x04" }
    talk { "> ", "string.re\\t", "rep  reverse", "", "string.re", "\\x03", "\r\n> ", "\\x04" }
    talk { "> ", "luabox.sys.opt\\t.nea\\t('ab', { 'ac' })\\n", "\r\nac\r\n> ", "\\x04" }
  end)

  it("remembers lines in a file that is its owner's", function()
    local look = "stat -c %a .luabox_history; cat .luabox_history"
    local _, _, said = talk({ "> ", "first = 1\\n", "> ", "\\x04" }, look)
    assert.matches("^600\n.*first", said)
  end)

  it("ends by SIGTERM and SIGHUP", function()
    for signal, number in pairs { TERM = 15, HUP = 1 } do
      local out, status = talk { "> ", "signal " .. signal }
      assert.matches("interrupted by SIG" .. signal, out)
      assert.equal(128 + number, status)
    end
  end)

  it("comes after a script with -i, which left its globals", function()
    local path = program.path
    program.path = "env"
    local out = program.terminal({ "TERM=dumb", "HOME=/nonexistent", path, "-i", "-e", "y = 6" },
      { "> ", "y * 7\\n", "42\r\n> ", "\\x04" })
    program.path = path
    assert.matches("42", out)
  end)
end)

describe("the prompt without a terminal", function()
  it("reads lines and prints results", function()
    local out, err, status = program.run({ "-i" }, "1 + 1\nfor i = 1, 1 do\nprint 'in'\nend\nerror 'x'\n{ 1 }\n")
    assert.matches("^luabox .-\n> 2\n> >> >> in\n> > { 1 }\n> \n$", out)
    assert.matches("^stdin:1: x\nstack traceback:", err)
    assert.equal(0, status)
  end)

  it("uses _PROMPT and _PROMPT2", function()
    local out = program.run({ "-e", "_PROMPT, _PROMPT2 = 'one ', 'two '", "-i" }, "if true then\nend\n")
    assert.matches("one two one \n$", out)
  end)
end)
