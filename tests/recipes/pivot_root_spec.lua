-- What the recipe of pivot_root says, looked at from outside: the root and the mounts of its process in /proc.
local recipe = require "recipe"
local spec = require "spec"

local output = spec.output

describe("the recipe of pivot_root #root #pidfd", function()
  it("moves a process to a new root, and loses the old one", function()
    local own = output "cat /proc/self/mountinfo"
    local pid
    local text = recipe.run("pivot_root.lua", {
      ["^Process (%d+) has a mount namespace"] = function(process)
        pid = process
        assert.equal(output "ls -A / | wc -l", output(("ls -A /proc/%d/root/ | wc -l"):format(pid)))
        assert.not_equal(output "readlink /proc/self/ns/mnt", output(("readlink /proc/%d/ns/mnt"):format(pid)))
      end,
      ["^After pivot_root"] = function()
        assert.equal("hello", output(("ls -A /proc/%d/root/"):format(pid)))
        assert.equal("hello from the new root", output(("cat /proc/%d/root/hello"):format(pid)))
      end,
      ["^The old root is unreachable"] = function()
        local mounts = output(("cat /proc/%d/mountinfo"):format(pid))
        assert.matches("^%d+ %d+ %S+ /box / [^\n]* %- tmpfs tmpfs [^\n]*$", mounts)
        assert.matches("cannot access", output(("ls /proc/%d/root/usr"):format(pid)))
      end,
    })
    assert.equal('Invalid argument (EINVAL); "/" is a shared mount here; make it private first: '
      .. 'mount.propagation("/", "private,rec")', text:match("pivot_root /mnt: (.*)$"):gsub(";\n  ", "; "))
    assert.matches("sees: 1\n", text)
    assert.equal(own, output "cat /proc/self/mountinfo")
  end)
end)
