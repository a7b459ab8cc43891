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

describe("the recipe of layers #root #overlay", function()
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

describe("the recipe of images #root #detached", function()
  -- What is outside of it, and what is left of its archives.
  local function outside()
    return output "md5sum /etc/passwd /etc/shadow; ls -A /tmp /etc"
  end

  it("keeps modes and links, and writes nothing that leads out", function()
    local before = outside()
    local text = recipe.run("image.lua", {
      ["^In a container of it, process (%d+)"] = function(pid)
        assert.equal("4755 0 1\n755 0 2\n755 0 2\nbusybox", output(([[cd /proc/%d/root/bin
          stat -c '%%a %%u %%h' su ls busybox; readlink sh]]):format(pid)))
        assert.is_true(spec.exists(("/proc/%d/root/etc/issue"):format(pid)))
      end,
    })
    assert.equal(before, outside())
    for _, line in ipairs { "../../etc/passwd: the path has a \"..\"", "l/x: its path leads through a symbolic link",
      "/etc/shadow: the path is absolute" } do
      assert.matches(line, text, 1, true)
    end
  end)

  -- As Alpine's minirootfs is made: busybox, and an absolute symbolic link for each applet.
  it("takes one that is given", function()
    local dir = output "mktemp -d"
    finally(function() os.execute("rm -rf " .. dir) end)
    spec.shell(([[mkdir %s/root && cd %s/root && mkdir -p bin dev etc home proc root run sbin sys tmp usr/bin var
      cp /bin/busybox bin; chmod 1777 tmp; echo 3.99.0 >etc/alpine-release
      for a in $(bin/busybox --list); do [ -e bin/$a ] || ln -s /bin/busybox bin/$a; done
      tar -c -z -f ../minirootfs.tar.gz .]]):format(dir, dir))
    local entries = output(("tar -t -z -f %s/minirootfs.tar.gz | wc -l"):format(dir))
    local text = output(("%s recipes/image.lua %s/minirootfs.tar.gz"):format(os.getenv "LUABOX_INTERPRETER", dir))
    local mebibytes = output "stat -c %s /bin/busybox" / (1 << 20)
    local unpacked = "^Unpacked: %s entries, %.1f MiB; kinds of entries left out: 0\nIn a container"
    assert.matches(unpacked:format(entries, mebibytes), text)
    assert.matches("\nlrwx[^\n]* sh %-> /bin/busybox\n", text)
  end)
end)

describe("the recipe of docker's mounts #root #detached #overlay", function()
  it("prints the table that the kernel has, and what is behind it", function()
    local outside, targets = output "cat /proc/self/mountinfo", nil
    local text = recipe.run("docker_mounts.lua", {
      ["^The table of process (%d+):"] = function(pid)
        targets = output(("cut -d ' ' -f 5 /proc/%d/mountinfo"):format(pid))
        local root = ("/proc/%d/root"):format(pid)
        assert.equal("web", spec.contents(root .. "/etc/hostname"))
        assert.matches("\n10.0.0.5\tdb$", spec.contents(root .. "/etc/hosts"))
        assert.equal("nameserver 10.0.0.1", spec.contents(root .. "/etc/resolv.conf"))
        assert.equal(output "ls /usr/share", output("ls " .. root .. "/data"))
        assert.equal("web", output(("nsenter --target %d --uts hostname"):format(pid)))
        assert.equal(outside, output "cat /proc/self/mountinfo")
      end,
    })
    local printed = {}
    for target in text:gmatch "\n  (/%S*) " do printed[#printed + 1] = target end
    assert.equal(targets, table.concat(printed, "\n"))
    for _, target in ipairs { "/proc", "/sys", "/dev/pts", "/dev/shm", "/dev/mqueue", "/run", "/tmp", "/etc/hosts" } do
      assert.matches("\n" .. target .. "\n", targets, 1, true)
    end
    for _, line in ipairs { "devices work", "the volume is read-only" } do
      assert.matches("\ninside: " .. line, text, 1, true)
    end
  end)
end)
