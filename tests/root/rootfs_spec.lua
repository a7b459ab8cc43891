local file = require "luabox.sys.file"
local mount = require "luabox.sys.mount"
local namespace = require "luabox.sys.namespace"
local process = require "luabox.sys.process"
local rootfs = require "luabox.sys.rootfs"
local spec = require "spec"

local shell = spec.output

-- The default root on /mnt for the length of a test.
local function on_mnt()
  local root <close> = rootfs.default()
  root:attach "/mnt"
  finally(function() os.execute "umount /mnt" end)
end

describe("luabox.sys.rootfs.default #root #detached", function()
  it("is a detached mount", function()
    local before = shell "cat /proc/self/mountinfo"
    local root <close> = rootfs.default()
    assert.is_truthy(tostring(root):find "^luabox.mount %(%d+%)$")
    assert.equal(before, shell "cat /proc/self/mountinfo")
  end)

  it("is read-only", function()
    on_mnt()
    assert.equal("touch: cannot touch '/mnt/x': Read-only file system", shell "touch /mnt/x")
  end)

  it("has busybox with every applet, wherever it is looked for", function()
    on_mnt()
    local missing = shell("for a in $(/mnt/bin/busybox --list | grep -vx linuxrc); do "
      .. "for d in bin sbin usr/bin usr/sbin; do [ -x /mnt/$d/$a ] || echo $d/$a; done; done")
    assert.equal("", missing)
    assert.equal("hello", shell "chroot /mnt /usr/bin/env echo hello")
    assert.is_truthy(shell("chroot /mnt /sbin/ip -o link"):find "lo")
  end)

  it("has the directories and files that programs look for", function()
    on_mnt()
    for path, mode in pairs {
      dev = "755", etc = "755", proc = "555", root = "700", run = "755", sys = "555", tmp = "1777", home = "755",
      ["var/tmp"] = "1777", www = "755", ["etc/passwd"] = "644", ["etc/hosts"] = "644", ["etc/resolv.conf"] = "644",
    } do
      assert.equal(mode .. " 0 0", shell("stat -c '%a %u %g' /mnt/" .. path), path)
    end
    assert.equal("root", shell "chroot /mnt id -un")
  end)

  it("is under no umask", function()
    local modes = process.spawn {
      umask = 63, namespaces = "mnt",
      body = function()
        local root <close> = rootfs.default()
        root:attach "/mnt"
        return shell "stat -c %a /mnt/bin /mnt/bin/sh /mnt/etc/passwd /mnt/tmp"
      end,
    }
    assert.equal("755\n755\n644\n1777", modes:result())
    modes:close()
  end)

  -- A detached overlay on a lower directory, with a tmpfs for what is written.
  local function overlay_on(root)
    local context <close> = mount.fsopen "tmpfs"
    context:create()
    local layer <close> = context:mount()
    local at = "/proc/self/fd/" .. layer:fileno()
    file.mkdir(at .. "/upper")
    file.mkdir(at .. "/work")
    local overlay <close> = mount.fsopen "overlay"
    for key, path in pairs {
      ["lowerdir+"] = "/proc/self/fd/" .. root:fileno(), upperdir = at .. "/upper", workdir = at .. "/work",
    } do
      local directory <close> = assert(io.open(path))
      overlay:set(key, directory)
    end
    overlay:create()
    return overlay:mount()
  end

  it("serves several overlays at once #overlay", function()
    local root <close> = rootfs.default()
    shell "mkdir -p /tmp/a /tmp/b"
    finally(function() os.execute "umount /tmp/a /tmp/b; rmdir /tmp/a /tmp/b" end)
    for _, name in ipairs { "a", "b" } do
      local tree <close> = overlay_on(root)
      tree:attach("/tmp/" .. name)
      shell(("echo %s >/tmp/%s/etc/hostname"):format(name, name))
    end
    assert.equal("a\nb", shell "cat /tmp/a/etc/hostname /tmp/b/etc/hostname")
    assert.equal("a", shell "chroot /tmp/a cat /etc/hostname")
  end)

  it("belongs to root of a user namespace, as a copy that is told so #userns #overlay", function()
    local maps = { { inside = 0, outside = 100000, count = 65536 } }
    local maker <close> = process.spawn { init = true, namespaces = "user", uid_map = maps, gid_map = maps }
    local user <close> = namespace.open("user", maker:pid())
    local root <close> = rootfs.default()
    local tree <close> = mount.open_tree(root, "clone")
    tree:setattr { userns = user }
    local child <close> = process.spawn {
      join = { user }, stdout = "pipe",
      steps = {
        { "user", uid = 0, gid = 0 }, { "unshare", namespaces = "mnt" }, { "root", tree = tree, overlay = true },
        { "detach_root" },
      },
      program = { "/bin/sh", "-c", "stat -c %u:%g /etc; echo new >/etc/new; rm -r /etc; mkdir /etc; ls /etc | wc -l" },
    }
    assert.equal("0:0\n0\n", child:stdout():read())
  end)

  it("says what it takes", function()
    local child <close> = process.spawn {
      uid = 65534, gid = 65534,
      body = function() return tostring(select(2, pcall(rootfs.default))) end,
    }
    local message = child:result()
    assert.is_truthy(message:find("^fsopen tmpfs: Operation not permitted %(EPERM%); it takes CAP_SYS_ADMIN"), message)
  end)
end)
