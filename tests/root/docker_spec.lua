-- luabox.mount.docker: the table inside held against what runc makes of its own default specification.
local luabox = require "luabox"
local sentences = require "sentences"
local spec = require "spec"

local docker, process = luabox.mount.docker, luabox.sys.process
local shell, refused = spec.output, spec.refused

local DIR = "/tmp/docker"
local NAMESPACES = "mnt,pid,uts,ipc,net,cgroup"
local BUSYBOX = "cp $(command -v busybox) bin && for n in sh cat ls; do ln bin/busybox bin/$n; done"
local LOOK = "cat /proc/self/mountinfo; echo; ls -lAn /dev"

-- What a shell of busybox says below these steps.
local function inside(steps, text, o)
  local s = { namespaces = NAMESPACES, steps = steps, program = { "sh", "-c", text }, stdout = "pipe", stderr = "pipe" }
  for name, value in pairs(o or {}) do s[name] = value end
  local p <close> = process.spawn(s)
  local stdout, stderr = process.communicate(p, { timeout = 60 })
  assert.equal("", stderr)
  return stdout
end

-- target → type, options of the file system and, in a set, flags of the mount.
local function table_of(text)
  local mounts = {}
  local line = "%d+ %d+ %S+ %S+ (%S+) (%S+)[^\n]- %- (%S+) %S+ (%S+)"
  for target, flags, type, options in (text:match "^(.-)\n\n"):gmatch(line) do
    local set = {}
    for flag in flags:gmatch "[^,]+" do set[flag] = true end
    mounts[target] = { type = type, options = options, flags = set }
  end
  return mounts
end

-- The names in /dev with what each is.
local function devices_of(text)
  local list = {}
  for line in text:match "\n\n(.*)$":gmatch "[^\n]+" do
    local mode, rest = line:match "^(%S+) +%d+ +%d+ +%d+ +(.*)$"
    if mode then list[#list + 1] = mode .. " " .. rest:gsub("%u%l%l +%d+ +[%d:]+ ", ""):gsub("^%d+ ", "") end
  end
  table.sort(list)
  return list
end

local function root_of_runc()
  spec.shell(("mkdir -p %s/rootfs && cd %s && runc spec && cd rootfs && mkdir bin proc dev sys etc && %s")
    :format(DIR, DIR, BUSYBOX))
  local path = DIR .. "/config.json"
  local config = spec.contents(path):gsub('"terminal": true', '"terminal": false')
    :gsub('"sh"', ('"sh", "-c", "%s"'):format(LOOK))
  spec.write(path, config)
end

-- runc knows cgroup2 alone, or version 1, and leaves controllers handed on.
local CONTROL = "/sys/fs/cgroup/cgroup.subtree_control"

local function runc()
  local is_there = spec.exists(CONTROL)
  if not is_there then spec.shell "mount -t cgroup2 cgroup2 /sys/fs/cgroup" end
  local before = " " .. spec.contents(CONTROL) .. " "
  local _ <close> = setmetatable({}, { __close = function()
    for controller in spec.contents(CONTROL):gmatch "%S+" do
      if not before:find(" " .. controller .. " ", 1, true) then spec.write(CONTROL, "-" .. controller) end
    end
    if not is_there then os.execute "umount /sys/fs/cgroup" end
  end })
  root_of_runc()
  local text = shell("cd " .. DIR .. " && runc run luabox-spec </dev/null 2>&1") .. "\n"
  if not text:find " /proc " then pending("runc cannot run here: " .. text) end
  return text
end

local function names_of(mounts, but)
  local list = {}
  for target in pairs(mounts) do
    if not but[target] then list[#list + 1] = target end
  end
  table.sort(list)
  return list
end

describe("luabox.mount.docker #root", function()
  it("makes what runc makes, and no less safe #runc", function()
    finally(function() os.execute("rm -rf " .. DIR) end)
    local text = runc()
    local theirs, ours = table_of(text), table_of(inside(docker(DIR .. "/rootfs", { access = "ro", tmpfs = {} }), LOOK))
    assert.is_table(theirs["/proc"], text)
    for target, mount in pairs(theirs) do
      local own = ours[target]
      assert.is_table(own, target)
      assert.equal(mount.type, own.type, target)
      for flag in pairs(mount.flags) do assert.is_true(own.flags[flag], target .. " " .. flag) end
      if mount.type == "devpts" then assert.equal(mount.options, own.options) end
    end
    assert.same({ "/proc/interrupts" }, names_of(ours, theirs))
  end)

  it("has Docker's /dev #runc", function()
    finally(function() os.execute("rm -rf " .. DIR) end)
    local text = runc()
    local theirs = devices_of(text)
    assert.is_true(#theirs > 10, text)
    assert.same(theirs, devices_of(inside(docker(DIR .. "/rootfs"), LOOK)))
  end)

  it("has the same set as a container, and /run, /tmp and files of /etc beside", function()
    local box <close> = luabox.container { name = "box" }
    box:start()
    local theirs = table_of(box:check({ "sh", "-c", LOOK }).stdout)
    local ours = table_of(inside(docker(), LOOK))
    assert.same({ "/etc/hosts", "/etc/resolv.conf", "/run", "/tmp" }, names_of(ours, theirs))
    assert.same({}, names_of(theirs, ours))
    theirs["/"] = nil -- how the default root is shared depends on the kernel
    for target, mount in pairs(theirs) do assert.same(mount, ours[target], target) end
  end)

  it("binds hostname, hosts, name servers and volumes, and changes nothing outside", function()
    spec.shell(("mkdir %s && cd %s && mkdir -p srv/sub log"):format(DIR, DIR))
    spec.shell(("cd %s && mount -t tmpfs sub srv/sub && echo deep >srv/sub/f"):format(DIR))
    finally(function() os.execute(("umount %s/srv/sub; rm -rf %s"):format(DIR, DIR)) end)
    local before = shell "cat /proc/self/mountinfo; md5sum /etc/hosts /etc/hostname; hostname"
    local text = inside(docker(nil, { hostname = "web", domainname = "lan", hosts = { db = "10.0.0.5" },
      dns = { "10.9.9.9" }, volumes = { DIR .. "/srv:/data:ro", DIR .. "/log:/deep/log" } }), [[
      hostname; cat /proc/sys/kernel/domainname /etc/hostname /etc/hosts /etc/resolv.conf /data/sub/f
      touch /data/f /data/sub/g 2>/dev/null || echo read-only; echo logged >/deep/log/l; mount | grep ' /etc/' | wc -l
      echo $$ /proc/[0-9]*; touch /run/x /tmp/x /etc/x]])
    assert.equal("web\nlan\nweb\n" ..
      "127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n10.0.0.5\tdb\n" ..
      "nameserver 10.9.9.9\ndeep\nread-only\n3\n1 /proc/1\n", text)
    assert.equal("logged", shell("cat " .. DIR .. "/log/l"))
    assert.equal("sub", shell("ls " .. DIR .. "/srv"))
    assert.equal(before, shell "cat /proc/self/mountinfo; md5sum /etc/hosts /etc/hostname; hostname")
  end)

  it("binds over what a directory that stays has, and makes nothing there but mount points", function()
    spec.shell(("mkdir -p %s/root && cd %s/root && mkdir bin etc && echo own >etc/hosts && %s")
      :format(DIR, DIR, BUSYBOX))
    finally(function() os.execute("rm -rf " .. DIR) end)
    local steps = docker(DIR .. "/root", { access = "rw", dns = { "10.9.9.9" } })
    assert.equal("127.0.0.1", inside(steps, "cat /etc/hosts; echo x >/new"):match "^%S+")
    assert.equal("own hosts x", shell(("cd %s/root && echo $(cat etc/hosts; ls etc; cat new)"):format(DIR)))
  end)

  it("serves in a user namespace, with the host's devices #userns", function()
    local ids = { { inside = 0, outside = 0, count = 65536 } }
    local text = inside(docker(nil, { bind_devices = true }), "echo x >/dev/null; id -u; ls -ln /dev/zero",
      { namespaces = NAMESPACES .. ",user", uid_map = ids, gid_map = ids })
    assert.matches("^0\ncrw%-rw%-rw%- .* 1, +5 ", text)
  end)

  it("takes steps of one's own at its end, and serves again", function()
    local steps = docker()
    steps[#steps + 1] = { "write", path = "/tmp/own", data = "own\n" }
    for _ = 1, 2 do assert.equal("own\n", inside(steps, "cat /tmp/own; rm /bin/busybox")) end
  end)

  it("says which volume is not there, before anything is mounted", function()
    assert.equal("volumes[1]: open /tmp/nowhere: No such file or directory (ENOENT)",
      refused(docker, nil, { volumes = { "/tmp/nowhere:/x" } }))
  end)

  it("checks what it is given", function()
    local function complaint(...) return sentences.refusal(docker, ...) end
    local ROOT = "luabox.overlay or string or luabox.mount expected, got number"
    assert.equal(("#1 to 'docker' (%s)"):format(ROOT), complaint(1))
    for _, case in ipairs {
      { { hostnam = "x" }, "unknown option 'hostnam'; did you mean 'hostname'?" },
      { { access = "ro" }, "option 'access': 'ro' needs a 'rootfs'" },
      { { volumes = { "x" } }, "option 'volumes[1]': 'x' is not a volume, such as '/srv:/data' or '/srv:/data:ro'" },
      { { volumes = { "/x:y" } },
        "option 'volumes[1]': '/x:y' is not a volume, such as '/srv:/data' or '/srv:/data:ro'" },
      { { volumes = { "/x:/y:wo" } },
        "option 'volumes[1]': '/x:/y:wo' is not a volume, such as '/srv:/data' or '/srv:/data:ro'" },
      { { volumes = { "/x:/" } }, "option 'volumes[1]': '/x:/': the root itself is no volume" },
      { { tmpfs = { "//" } }, "option 'tmpfs[1]': '//' is not an absolute path below the root" },
    } do
      assert.matches("#2 to 'docker' (" .. case[2], complaint(nil, case[1]), 1, true)
    end
  end)
end)
