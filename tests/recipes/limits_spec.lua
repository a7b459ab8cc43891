-- What the recipe of limits says, looked at from outside while it says it: the control group's own files.
local recipe = require "recipe"
local spec = require "spec"
local system = require "system"

-- The text of a file of the group, by its name in version 1 and in version 2.
local function value(v1, v2)
  return spec.output(("find /sys/fs/cgroup -path '*/luabox-box-*' '(' -name %s -o -name %s ')' -exec cat {} +")
    :format(v1, v2))
end

describe("the recipe of limits #root #cgroup", function()
  it("holds a busy loop, kills a hog, ends a bomb", function()
    local pid
    local text = recipe.run("limits.lua", {
      ["^A busy loop in box %(process (%d+)%) has had ([%d.]+) seconds of a CPU in ([%d.]+) seconds"] =
        function(number, used, seconds)
          local begin = system.monotime()
          pid = number
          assert.matches("/luabox-box-", spec.contents(("/proc/%d/cgroup"):format(pid)), 1, true)
          local quota = value("cpu.cfs_quota_us", "cpu.max")
          assert.equal("20000", quota:match "%d+")
          -- What it may take in its periods, and one more.
          assert.is_true(tonumber(used) <= 0.2 * tonumber(seconds) + 0.1, used)
          assert.is_true(tonumber(used) > 0)
          -- The group's own account: of version 1 in nanoseconds on a line of its own. It has the start, too.
          local account = value("cpuacct.usage", "cpu.stat")
          local usage = account:match "usage_usec (%d+)" or account:match "%f[^\n\0](%d+)%f[\n\0]" // 1000
          local until_now = tonumber(seconds) + system.monotime() - begin
          assert.is_true(usage / 1e6 <= 0.2 * until_now + 0.3, account)
          assert.is_true(spec.eventually(function() -- on a busy machine it does not get what it may have at once
            return tonumber(value("cpu.stat", "cpu.stat"):match "nr_throttled (%d+)") > 0
          end))
        end,
      ["^A program that takes ever more memory"] = function()
        local kills = value("memory.oom_control", "memory.events"):match "oom_kill (%d+)"
        assert.equal("1", kills)
        assert.equal("67108864", value("memory.limit_in_bytes", "memory.max"))
      end,
      ["^It has left (%d+) processes"] = function(left)
        assert.equal(tostring(left), value("pids.current", "pids.current"))
        assert.equal("20", value("pids.max", "pids.max"))
        assert.is_true(left <= 20)
      end,
    })
    assert.matches("was killed by memory.max of box (64.0 MiB).", text, 1, true)
    assert.matches("was refused a fork by pids.max of box (20).", text, 1, true)
    assert.is_true(spec.eventually(function() return spec.ended(pid) end))
  end)
end)
