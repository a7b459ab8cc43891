-- What the recipes of PID namespaces say, looked at from outside while they say it: ps, nsenter, /proc.
local recipe = require "recipe"
local spec = require "spec"

local output = spec.output

local function numbers(pid)
  return output(("awk '$1 == \"NSpid:\"' /proc/%d/status"):format(pid)):gsub("%s+", " ")
end

describe("the recipe of PID namespaces #root #pidfd", function()
  it("has a process 1, /proc old and new, and a fork that fails", function()
    local mounts = output "grep -c ' /proc ' /proc/self/mountinfo"
    local text = recipe.run("pid.lua", {
      ["^Process (%d+) here is process (%d+) in its own"] = function(pid, own)
        assert.equal(1, own)
        spec.await_program(pid, "sleep")
        assert.equal(("NSpid: %d 1"):format(pid), numbers(pid))
        local seen = output(("nsenter --target %d --pid cat /proc/1/cmdline /proc/%d/comm"):format(pid, pid))
        assert.equal(output "cat /proc/1/cmdline" .. "sleep", seen)
      end,
      ["process (%d+) and who asks%.$"] = function(pid)
        spec.await_program(pid, "sleep")
        local seen = output(("nsenter --target %d --pid --mount ps -e --no-headers -o pid,comm"):format(pid))
        assert.matches("^ *1 sleep\n *%d+ ps$", seen)
        assert.equal(mounts, output "grep -c ' /proc ' /proc/self/mountinfo")
      end,
    })
    assert.matches("the first child is process 1.", text, 1, true)
    assert.matches("\n  clone: Cannot allocate memory %(ENOMEM%);\n.*whose first process has ended", text)
  end)

  it("says what unshare's user meets", function()
    local theirs = output [[unshare --pid bash -c '/bin/true; /bin/true; :']]
    assert.matches("Cannot allocate memory", theirs, 1, true)
  end)
end)

describe("the recipe of nested PID namespaces #root #pidfd", function()
  it("has a number a level, and none for those above", function()
    local innermost, level2
    local text = recipe.run("nested_pids.lua", {
      ["has three numbers: (%d+) here, (%d+) at level 2, below process (%d+), and (%d+) in"] = function(a, b, outer, c)
        innermost, level2 = a, outer
        assert.equal(("NSpid: %d %d %d"):format(a, b, c), numbers(a))
        assert.equal(("NSpid: %d 1"):format(outer), numbers(outer))
        assert.equal(tostring(outer), output("ps -o ppid= -p " .. a):match "%d+")
      end,
      ["^Level 2 knows nothing above it%. SIGKILL for process (%d+)"] = function(above)
        assert.is_false(spec.ended(innermost))
        assert.is_false(spec.ended(above))
        assert.matches("No such process",
          output(("nsenter --target %d --pid sh -c 'kill -KILL %d'"):format(level2, above)), 1, true)
      end,
      ["^What is below it may be ended"] = function() assert.is_true(spec.eventually(function()
        return spec.ended(innermost)
      end)) end,
    })
    assert.matches("No such process (ESRCH)", text, 1, true)
  end)

  it("has them where luabox itself is process 1, too", function()
    local printed = output(("unshare --pid --fork --mount --mount-proc %s recipes/nested_pids.lua"):format(
      os.getenv "LUABOX_INTERPRETER"))
    assert.matches("three numbers: 3 here, 2 at level 2, below process 2, and 1 in its own", printed, 1, true)
    assert.matches("No such process (ESRCH)", printed, 1, true)
  end)
end)
