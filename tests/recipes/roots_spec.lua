-- What the recipes of roots say, looked at from outside: ldd, chroot, findmnt, the files of the host.
local recipe = require "recipe"
local spec = require "spec"

local output = spec.output

describe("the recipe of chroot #root #detached", function()
  it("says what ldd says, and meets what the tutorials meet", function()
    local mounts = output "cat /proc/self/mountinfo"
    local text = recipe.run("chroot.lua", {
      ["^What bash needs"] = function() assert.equal(mounts, output "cat /proc/self/mountinfo") end,
    })
    for name, path in output("ldd /bin/bash"):gmatch "(%S+) => (%S+)" do
      assert.matches(("\n  %s +%s\n"):format(name:gsub("%p", "%%%0"), path:gsub("%p", "%%%0")), text)
    end
    assert.matches("exec /bin/bash: No such file or directory (ENOENT)", text, 1, true)
    local dir = output "mktemp -d"
    finally(function() os.execute("rm -rf " .. dir) end)
    spec.shell(("mkdir %s/bin && cp /bin/bash %s/bin"):format(dir, dir))
    assert.matches("/bin/bash.*: No such file or directory", output("chroot " .. dir .. " /bin/bash"))
    spec.shell(("mkdir %s/lib64 && cp /lib64/ld-linux* %s/lib64"):format(dir, dir))
    assert.matches(output("chroot " .. dir .. " /bin/bash"), text, 1, true)
    assert.matches("\nWith all of it:\n  Hello from a root with 3 programs$", text)
  end)
end)

describe("the recipe of layers #root #detached #overlay", function()
  it("shows each its own, as the host sees it through /proc", function()
    local text = recipe.run("layers.lua", {
      ["^  one  process (%d+)  overlay"] = function(pid)
        assert.equal("written by one", spec.contents(("/proc/%d/root/etc/motd"):format(pid)))
        assert.is_false(spec.exists(("/proc/%d/root/etc/passwd"):format(pid)))
        assert.equal("overlay", output(("stat -fc %%T /proc/%d/root | sed 's/fs$//'"):format(pid)))
      end,
      ["^  two  process (%d+)  overlay"] = function(pid)
        assert.equal("from the image", spec.contents(("/proc/%d/root/etc/motd"):format(pid)))
        assert.is_true(spec.exists(("/proc/%d/root/etc/passwd"):format(pid)))
      end,
    })
    assert.matches("the layer app has:      from the image", text, 1, true)
  end)
end)
