-- What the recipes of user, time and cgroup namespaces say, looked at from outside while they say it.
local recipe = require "recipe"
local spec = require "spec"

local output = spec.output

describe("the recipe of users #root #userns", function()
  it("has several roots, and files of theirs", function()
    local seen = {}
    recipe.run("users.lua", {
      ["^In (%a+) %(process (%d+)%) user (%d+) makes (%S+); here it belongs to (%d+)%.$"] =
        function(name, pid, user, path, owner)
          seen[#seen + 1] = ("%s %d %d"):format(name, user, owner)
          assert.equal(tostring(owner), output(("stat --format %%u /proc/%d/root%s"):format(pid, path)))
          assert.equal(tostring(owner), output(("stat --format %%g /proc/%d/root%s"):format(pid, path)))
          local root = name == "one" and "100000" or "200000"
          assert.equal(root, output(("ps -o uid= -p %d"):format(pid)):match "%d+")
        end,
    })
    assert.same({ "one 0 100000", "one 1000 101000", "two 0 200000", "two 1000 300000" }, seen)
  end)
end)

describe("the recipe of clocks #root #cgroup #pidfd", function()
  it("shifts the clocks, and hides the way to a cgroup", function()
    local function uptime(command)
      return tonumber(output(command .. " cat /proc/uptime"):match "^[%d.]+")
    end
    recipe.run("clocks.lua", {
      ["^For process (%d+), in a time namespace"] = function(pid)
        local offsets = spec.contents(("/proc/%d/timens_offsets"):format(pid)):gsub("%s+", " ")
        assert.equal("monotonic 86400 0 boottime 604800 0", offsets)
        local here = uptime ""
        local there = uptime(("nsenter --target %d --time"):format(pid))
        assert.equal(7, (there - here) // (24 * 60 * 60))
      end,
      ["^The cgroup of box %(process (%d+)%) is (%S+) here, and in its own cgroup namespace (%S+)$"] =
        function(pid, here, there)
          assert.equal("/", there)
          assert.matches(":" .. here .. "\n", spec.contents(("/proc/%d/cgroup"):format(pid)) .. "\n", 1, true)
          local inside = output(("nsenter --target %d --cgroup cat /proc/%d/cgroup"):format(pid, pid)) .. "\n"
          assert.is_nil(inside:find(here, 1, true))
        end,
    })
  end)
end)
