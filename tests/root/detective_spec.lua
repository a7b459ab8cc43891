--- Each notorious failure is provoked for real, and the error must name the rule that was broken.
local file = require "luabox.sys.file"
local mount = require "luabox.sys.mount"
local namespace = require "luabox.sys.namespace"
local net = require "luabox.sys.net"
local process = require "luabox.sys.process"
local spec = require "spec"
local system = require "luabox.sys.system"

local refused, shell = spec.refused, spec.shell

-- Runs a function in a child in new namespaces and returns its results.
local function in_child(namespaces, body, ...)
  local child <close> = process.spawn { namespaces = namespaces, body = body, args = { ... } }
  return child:result()
end

-- In a user namespace in which it is root.
local function as_inner_root(namespaces, body)
  local child <close> = process.spawn {
    namespaces = "user," .. namespaces, body = body,
    uid_map = { { inside = 0, outside = 0, count = 1000 } }, gid_map = { { inside = 0, outside = 0, count = 1000 } },
  }
  return child:result()
end

local function says(f, ...)
  local ok, e = pcall(f, ...)
  return ok and "done" or tostring(e)
end

local function contains(text, words)
  assert.is_truthy(text:find(words, 1, true), text)
end

-- A process of a shell command, which says a line when it is where it should be.
local function user(command, namespaces)
  local p = process.spawn {
    namespaces = namespaces, program = { "sh", "-c", command }, stdout = "pipe", stderr = "pipe",
  }
  local text = ""
  repeat
    local more = p:stdout():read(5)
    text = text .. (more or "")
  until not more or text:find "\n"
  assert.equal("here\n", text)
  return p
end

local function on_tmpfs()
  mount.mount { type = "tmpfs", target = "/mnt" }
  finally(function() os.execute "umount -R /mnt" end)
end

describe("umount's EBUSY #root names", function()
  local function busy(target)
    return refused(mount.umount, target or "/mnt")
  end

  it("a mount below", function()
    on_tmpfs()
    shell "mkdir /mnt/a /mnt/b; mount -t tmpfs one /mnt/a"
    contains(busy(), "(EBUSY); /mnt/a (tmpfs) is mounted below: unmount it first")
    shell "mount -t ramfs two /mnt/b"
    contains(busy(), "/mnt/a (tmpfs) and 1 more are mounted below")
  end)

  local function python(code)
    return ([[exec python3 -c "%s; print('here', flush=True); import time; time.sleep(60)"]]):format(code)
  end

  -- What holds the mount, and the words that follow the process's name and number.
  local uses = {
    { "a working directory", "mkdir /mnt/dir; cd /mnt/dir; echo here; exec sleep 60", "sleep",
      "has its working directory on it: /mnt/dir" },
    { "an open file", "exec 7>/mnt/file; echo here; exec sleep 60", "sleep", "has /mnt/file open (descriptor 7)" },
    { "a program", "cp /bin/sleep /mnt/prog; echo here; exec /mnt/prog 60", "prog", "runs /mnt/prog" },
    { "a mapped file", python("import mmap, os; fd = os.open('/mnt/m', os.O_RDWR | os.O_CREAT); os.write(fd, b'x'); "
      .. "m = mmap.mmap(fd, 1); os.closerange(3, 9)"), "python3", "has /mnt/m mapped" },
    { "a Unix socket", python "import socket; s = socket.socket(socket.AF_UNIX); s.bind('/mnt/sock')",
      "python3", "has the Unix socket /mnt/sock bound" },
  }
  for _, use in ipairs(uses) do
    it(use[1], function()
      on_tmpfs()
      local p <close> = user(use[2])
      spec.await_program(p:pid(), use[3]) -- the exec comes after the line
      local e = busy()
      contains(e, ("%s (pid %d) %s"):format(use[3], p:pid(), use[4]))
      contains(e, '"detach" takes it out of sight now')
    end)
  end

  it("a root directory", function()
    on_tmpfs()
    shell "mkdir /mnt/bin; cp /bin/busybox /mnt/bin/ 2>/dev/null || cp /usr/bin/busybox /mnt/bin/"
    local p <close> = process.spawn {
      program = { "/bin/busybox", "sleep", "60" }, steps = { { "chroot", path = "/mnt" } },
    }
    spec.await_program(p:pid(), "busybox")
    contains(busy(), ("busybox (pid %d) has its working directory on it: /mnt"):format(p:pid()))
  end)

  it("the process itself, and how many others", function()
    on_tmpfs()
    local held <close> = assert(io.open("/mnt/own", "w"))
    contains(busy(), "this process itself, ")
    contains(busy(), " has /mnt/own open")
    local p <close> = user "cd /mnt; echo here; exec sleep 60"
    local q <close> = user "cd /mnt; echo here; exec sleep 60"
    contains(busy(), " and 2 more processes use it")
    assert.is_truthy(p and q and held)
  end)
end)

describe("pivot_root's EINVAL #root names", function()
  local function pivot(new_root, put_old)
    return says(mount.pivot_root, new_root, put_old or new_root)
  end

  it("a mount that came from a more privileged namespace #userns", function()
    on_tmpfs()
    contains(as_inner_root("mnt", function() return pivot "/mnt" end), "pivot_root /mnt: Invalid argument (EINVAL); "
      .. "/mnt came with others from a more privileged mount namespace and stays where it is; "
      .. "bind it onto itself first")
    assert.equal("done", as_inner_root("mnt", function() -- and that mends it
      mount.bind { source = "/mnt", target = "/mnt", flags = "rec" }
      file.chdir "/mnt"
      return pivot "."
    end))
  end)

  it("a mount of another mount namespace", function()
    local p <close> = user("mount -t tmpfs t /mnt; echo here; exec sleep 60", "mnt")
    contains(in_child("mnt", function() return pivot(("/proc/%d/root/mnt"):format(p:pid())) end),
      "is on a mount of another mount namespace")
  end)

  it("a shared mount below the present root", function()
    contains(in_child("mnt", function()
      shell "mount --make-shared /; mount -t tmpfs t /mnt; mkdir /mnt/new /mnt/proc; mount -t proc proc /mnt/proc"
      shell "mount -t tmpfs t /mnt/new; mount --make-private /mnt; mount --make-private /mnt/new"
      mount.chroot "/mnt"
      return pivot "/new"
    end), "the mount below the present root, which is not seen from here, is shared")
  end)

  -- Under every root there is the kernel's own; whoever detaches the one above comes to it by setns.
  it("the kernel's initial root", function()
    local message = in_child("mnt", function()
      local own <close> = namespace.open "mnt"
      mount.umount("/", "detach")
      namespace.enter(own)
      if file.exists "/proc" then mount.mount { type = "proc", target = "/proc" } end
      mount.mount { type = "tmpfs", target = "/root" }
      return pivot "/root"
    end)
    contains(message, "pivot_root /root: Invalid argument (EINVAL); "
      .. "the present root is the kernel's initial file system")
  end)
end)

describe("mount's errors #root name", function()
  local function says_mount(o)
    return says(mount.mount, o)
  end

  it("mounts that cannot be left out #userns", function()
    on_tmpfs()
    shell "mkdir /mnt/a /mnt/b; mount -t tmpfs t /mnt/a; mkdir /mnt/a/sub; mount -t tmpfs t /mnt/a/sub"
    contains(as_inner_root("mnt", function() return says(mount.bind, { source = "/mnt/a", target = "/mnt/b" }) end),
      'what is mounted below it (/mnt/a/sub, tmpfs) came from a more privileged mount namespace and cannot be '
      .. 'left out: add "rec"')
    assert.equal("done", as_inner_root("mnt", function()
      return says(mount.bind, { source = "/mnt/a", target = "/mnt/b", flags = "rec" })
    end))
  end)

  it("an unbindable mount", function()
    on_tmpfs()
    shell "mkdir /mnt/b; mount --make-unbindable /mnt"
    contains(says(mount.bind, { source = "/mnt", target = "/media" }),
      '/mnt is on an unbindable mount; make it bindable: mount.propagation("/mnt", "private")')
  end)

  it("a mount of another namespace", function()
    local p <close> = user("mount -t tmpfs t /mnt; echo here; exec sleep 60", "mnt")
    contains(says(mount.bind, { source = ("/proc/%d/root/mnt"):format(p:pid()), target = "/mnt" }),
      "is on a mount of another mount namespace")
  end)

  it("flags that a user namespace may not take away #userns", function()
    mount.mount { type = "tmpfs", target = "/mnt", flags = "nosuid,nodev" }
    finally(function() os.execute "umount /mnt" end)
    contains(as_inner_root("mnt", function() return says_mount { target = "/mnt", flags = "remount,bind,ro" } end),
      "/mnt has the flags rw,nosuid,nodev,relatime, and those that a more privileged mount namespace has set cannot")
    assert.equal("done", as_inner_root("mnt", function()
      return says_mount { target = "/mnt", flags = "remount,bind,ro,nosuid,nodev,relatime" }
    end))
  end)

  it("who has files open for writing", function()
    on_tmpfs()
    local p <close> = user "exec 7>/mnt/file; echo here; exec sleep 60"
    local e = refused(mount.mount, { target = "/mnt", flags = "remount,ro" })
    contains(e, "(EBUSY); files on it are open for writing: ")
    contains(e, ("(pid %d) has /mnt/file open (descriptor 7); end it first"):format(p:pid()))
  end)

  it("what the layers of an overlay break #overlay", function()
    on_tmpfs()
    shell "mkdir /mnt/l /mnt/u /mnt/w /mnt/all /mnt/ro /mnt/u/w; mount -t tmpfs ro /mnt/ro"
    shell "mkdir /mnt/ro/u /mnt/ro/w; mount -o remount,ro /mnt/ro"
    local function overlay(upper, work)
      return says_mount { type = "overlay", target = "/mnt/all",
        data = { lowerdir = "/mnt/l", upperdir = upper, workdir = work } }
    end
    assert.equal("done", overlay("/mnt/u", "/mnt/w"))
    mount.umount "/mnt/all"
    contains(overlay("/mnt/ro/u", "/mnt/ro/w"), "upperdir /mnt/ro/u is on a read-only mount")
    contains(overlay("/mnt/u", "/mnt/ro/w"), "upperdir and workdir must be on the same mount")
    contains(overlay("/mnt/u", "/mnt/u/w"), "neither below the other")
    contains(overlay("/mnt/u"), "upperdir and workdir go together: workdir is missing")
    contains(overlay("/proc/sys", "/proc/tty"), "upperdir is on /proc (proc), which may not be able to hold")
  end)

  it("a module that is there", function()
    local release = spec.contents "/proc/sys/kernel/osrelease"
    shell "mkdir -p /lib/modules"
    mount.mount { type = "tmpfs", target = "/lib/modules" }
    finally(function() os.execute "umount /lib/modules" end)
    shell("mkdir /lib/modules/" .. release)
    spec.write("/lib/modules/" .. release .. "/modules.dep", ("x"):rep(5000) .. "\nkernel/fs/nofs/nofs.ko.xz: a.ko\n")
    contains(says_mount { type = "nofs", target = "/mnt" },
      "its module is there, but the kernel could not load it: modprobe nofs")
    contains(says_mount { type = "ofs", target = "/mnt" }, 'this kernel has no file system "ofs"')
  end)

  it("a file system that user namespaces may not mount #userns", function()
    contains(as_inner_root("mnt", function()
      return says_mount { type = "ext4", source = "/dev/null", target = "/mnt" }
    end), "the kernel lets no user namespace mount ext4")
    contains(as_inner_root("net", function() return says_mount { type = "tmpfs", target = "/mnt" } end),
      'this mount namespace belongs to the one above: unshare "mnt" in this one first')
  end)

  it("a table that is full, and how many are in it", function()
    local message, count = in_child("mnt", function()
      mount.mount { type = "tmpfs", target = "/mnt" }
      for i = 1, 30 do -- each takes all before it along
        shell("mkdir /mnt/" .. i)
        local e = says(mount.bind, { source = "/mnt", target = "/mnt/" .. i, flags = "rec" })
        if e ~= "done" then return e, #mount.list() end
      end
    end)
    contains(message, (" mounts (/proc/sys/fs/mount-max), and has %d;"):format(count))
  end)
end)

describe("errors about namespaces #root name", function()
  it("a chroot #userns", function()
    contains(in_child("mnt", function()
      mount.mount { type = "tmpfs", target = "/mnt" }
      shell "mkdir /mnt/root"
      mount.chroot "/mnt/root"
      return says(namespace.unshare, "user")
    end), "unshare user: Operation not permitted (EPERM); a user namespace cannot be made in a chroot")
  end)

  it("an id that is not mapped #userns", function()
    contains(in_child("user", function() return says(namespace.unshare, "user") end),
      "this process's user or group (65534:65534) has no id in the present user namespace")
  end)

  -- The switches are looked for where Debian's and Ubuntu's kernels have them; what refuses here is a chroot.
  for name, words in pairs {
    unprivileged_userns_clone = "sysctl kernel.unprivileged_userns_clone is 0",
    apparmor_restrict_unprivileged_userns = "sysctl kernel.apparmor_restrict_unprivileged_userns is 1",
  } do
    it("the switch " .. name .. " #userns", function()
      contains(in_child("mnt", function()
        shell "mount --rbind / /mnt && mount -t tmpfs t /mnt/proc/sys/kernel"
        spec.write("/mnt/proc/sys/kernel/" .. name, name:find "^un" and "0\n" or "1\n")
        local child <close> = process.spawn {
          steps = { { "chroot", path = "/mnt" } }, uid = 65534, gid = 65534,
          body = function() return says(namespace.unshare, "user") end,
        }
        return child:result()
      end), words)
    end)
  end

  it("the limit of the one type that has reached it #userns", function()
    local function limited(type, types)
      return as_inner_root("pid", function()
        spec.write(("/proc/sys/user/max_%s_namespaces"):format(type), "0")
        local ok, e = pcall(function()
          local child <close> = process.spawn { namespaces = types, program = { "true" } }
          return child:wait()
        end)
        return says(namespace.unshare, types) .. "\n" .. (ok and "done" or tostring(e))
      end)
    end
    for _, type in ipairs { "uts", "net", "ipc" } do
      local text = limited(type, "ipc,net,uts")
      local sentence = ("No space left on device (ENOSPC); /proc/sys/user/max_%s_namespaces is 0: "):format(type)
      contains(text, "unshare ipc,net,uts: " .. sentence)
      contains(text, "clone: " .. sentence)
    end
  end)

  it("a pid namespace that the children go to already", function()
    contains(in_child(nil, function()
      namespace.unshare "pid"
      return says(namespace.unshare, "pid")
    end), "the children of this process go into another pid namespace already")
  end)

  it("why nobody can be started any more", function()
    contains(in_child(nil, function()
      namespace.unshare "pid"
      os.execute "true"
      return says(process.spawn, { program = { "true" } })
    end), "clone: Cannot allocate memory (ENOMEM); the children of this process go into another pid namespace")
  end)

  it("what cannot be entered #userns", function()
    local own <close> = namespace.open "user"
    contains(says(namespace.enter, own), "a process cannot enter the user namespace that it is in already")
    local p <close> = process.spawn { namespaces = "user,net", program = { "sleep", "60" } }
    local user_ns <close> = namespace.open("user", p:pid())
    local net_ns <close> = namespace.open("net", p:pid())
    local above <close> = namespace.open "uts"
    contains(as_inner_root("net", function() return says(namespace.enter, above) end),
      "it belongs to a user namespace above this process's own")
    local child <close> = process.spawn { uid = 65534, gid = 65534, body = function()
      return says(namespace.enter, net_ns) .. says(namespace.enter, user_ns)
    end }
    local text = child:result()
    contains(text, "it belongs to another user namespace: enter that first")
    contains(text, "it takes CAP_SYS_ADMIN")
  end)
end)

describe("errors about ids #root name", function()
  local one = { { inside = 0, outside = 0 } }

  it("a second writing, and ids that are not there #userns", function()
    local p <close> = process.spawn { namespaces = "user", program = { "sleep", "60" } }
    namespace.write_id_maps { pid = p:pid(), uid = one }
    contains(says(namespace.write_id_maps, { pid = p:pid(), uid = one }), "it has been written before, and once is all")
    local text = as_inner_root("mnt", function()
      local q <close> = process.spawn { namespaces = "user", program = { "sleep", "60" } }
      return says(namespace.write_id_maps, { pid = q:pid(), uid = { { inside = 0, outside = 500, count = 1000 } } })
    end)
    contains(text, "uid_map process ")
    contains(text, "the outside id 1000 has no mapping in the present user namespace")
  end)

  it("a process that is not to be looked into #userns", function()
    local p <close> = process.spawn { uid = 65534, gid = 65534, body = function()
      local q <close> = process.spawn { namespaces = "user", body = function() return true end }
      return says(namespace.write_id_maps, { pid = q:pid(), uid = { { inside = 0, outside = 65534 } } })
    end }
    contains(p:result(), "(EACCES); the process is not to be looked into (it has changed its user")
  end)

  -- newgidmap would deny it without a word.
  it("setgroups that is to be denied #userns", function()
    local output = require("child").run([[
      local luabox = require "luabox"
      local p <close> = luabox.sys.process.spawn { namespaces = "user", program = { "/bin/sleep", "60" } }
      print(select(2, luabox.try(luabox.sys.namespace.write_id_maps, { pid = p:pid(), setgroups = "allow",
        gid = { { inside = 0, outside = 65534 } } })))
    ]], [[setpriv --reuid 65534 --regid 65534 --clear-groups sh -c 'i=$(command -v "$0"); PATH=/none exec "$i" -']])
    contains(output, 'without CAP_SETGID only where setgroups is denied: setgroups = "deny"')
  end)

  it("what a map has #userns", function()
    contains(as_inner_root("mnt", function()
      return says(process.spawn, { uid = 5000, program = { "true" } })
    end), "5000 has no mapping in the user namespace, whose uid_map has 0-999")
    contains(as_inner_root("mnt", function()
      mount.mount { type = "tmpfs", target = "/mnt" }
      return says(process.spawn, { program = { "true" }, steps = { { "chown", path = "/mnt", gid = 2000 } } })
    end), "2000 has no mapping in the user namespace, whose gid_map has 0-999")
  end)

  it("that setgroups is denied #userns", function()
    local p <close> = process.spawn { namespaces = "user", body = function()
      if not spec.eventually(function() return spec.contents "/proc/self/gid_map" ~= "" end) then return "no map" end
      return says(process.spawn, { groups = { 0 }, program = { "true" } })
    end }
    namespace.write_id_maps { pid = p:pid(), uid = one, gid = one, setgroups = "deny" }
    contains(p:result(), "setgroups is denied in this user namespace for good")
  end)

  it("that nobody has device nodes in a user namespace #userns", function()
    contains(as_inner_root("mnt", function()
      mount.mount { type = "tmpfs", target = "/mnt" }
      return says(process.spawn, { program = { "true" },
        steps = { { "mknod", path = "/mnt/null", type = "c", major = 1, minor = 3 } } })
    end), "no user namespace may make device nodes, whatever capabilities it has")
  end)

  it("the cgroup that keeps a device from its processes #cgroup", function()
    local top = spec.contents("/proc/self/mountinfo"):match "(/sys/fs/cgroup%S*) [^\n]* %- cgroup [^\n]*devices"
    if not top then return pending "cgroup v1's devices are not mounted" end
    local own = top .. "/" .. spec.unique()
    shell(("mkdir %s; echo 'c 1:3 m' >%s/devices.deny"):format(own, own))
    finally(function() shell("rmdir " .. own) end)
    local procs <close> = assert(io.open(own .. "/cgroup.procs", "w"))
    contains(in_child("mnt", function()
      mount.mount { type = "tmpfs", target = "/mnt" }
      return says(process.spawn, { program = { "true" }, steps = { { "cgroup", fds = { procs } },
        { "mknod", path = "/mnt/null", type = "c", major = 1, minor = 3 } } })
    end), "the device controller of this process's cgroup (devices.list, or a program of cgroup v2) does not allow")
  end)

  it("whose a sysctl is #userns", function()
    local nobody = { { inside = 0, outside = 65534 } }
    local function set(name) -- to what it is, should it be done
      local p <close> = process.spawn {
        namespaces = "user", uid_map = nobody, gid_map = nobody,
        body = function() return says(system.set_sysctl, name, system.sysctl(name)) end,
      }
      return p:result()
    end
    contains(set "kernel.panic", "/proc/sys/kernel/panic is the machine's, of no namespace")
    contains(set "net.ipv4.ip_forward", "it is part of the net namespace, which belongs to the user namespace above")
    contains(set "kernel.msgmax", "it is part of the ipc namespace")
  end)
end)

describe("EEXIST of a link #root names", function()
  local here, there

  before_each(function()
    here, there = namespace.create "net", namespace.create "net"
  end)

  after_each(function()
    here:close()
    there:close()
  end)

  it("the link that has the name or the index, its kind, and where it is", function()
    local s <close> = net.socket(here)
    local t <close> = net.socket(there)
    s:link_add { kind = "bridge", name = "br0", index = 7 }
    t:link_add { kind = "bridge", name = "d0", index = 9 }
    contains(says(s.link_add, s, { kind = "bridge", name = "br0" }), "(EEXIST); "
      .. "a link with this name is there already: br0 (bridge, index 7), in this network namespace; "
      .. "delete it, or take another name")
    contains(says(s.link_add, s, { kind = "bridge", name = "new", index = 7 }),
      "a link with this index is there already: br0 (bridge, index 7), in this network namespace")
    contains(says(s.link_add, s, { kind = "veth", name = "v0", peer = { name = "br0" } }),
      "a link with this peer's name is there already: br0 (bridge, index 7), in this network namespace")
    contains(says(s.link_add, s, { kind = "veth", name = "v0", peer = { name = "d0", netns = there } }),
      "a link with this peer's name is there already: d0 (bridge, index 9), in the peer's network namespace that it is "
      .. "for, " .. there:id())
    contains(says(s.link_add, s, { kind = "bridge", name = "d0", netns = there }),
      "d0 (bridge, index 9), in the network namespace that it is for, " .. there:id())
    s:link_add { kind = "veth", name = "d1", peer = { name = "d2" } }
    contains(says(s.link_set, s, { name = "d1", rename = "br0" }), "br0 (bridge, index 7), in this network namespace")
    contains(says(s.link_set, s, { name = "d1", netns = there, rename = "d0" }),
      "in the network namespace that it is for")
  end)
end)

-- The rule of no internal processes is in cgroup_spec.lua, which runs where version 2 has controllers.
describe("cgroup v2's refusals #root #cgroup", function()
  it("name a type that takes no processes", function()
    local top = spec.contents("/proc/self/mountinfo"):match "(/sys/fs/cgroup%S*) [^\n]* %- cgroup2 "
    if not top then return pending "cgroup v2 is not mounted" end
    local own = top .. "/" .. spec.unique()
    shell(("mkdir -p %s/a %s/b; echo threaded >%s/a/cgroup.type"):format(own, own, own))
    finally(function() shell(("rmdir %s/a %s/b %s"):format(own, own, own)) end)
    local procs <close> = assert(io.open(own .. "/b/cgroup.procs", "w"))
    contains(says(process.spawn, { program = { "true" }, steps = { { "cgroup", fds = { procs } } } }),
      "(EOPNOTSUPP); its cgroup.type, 'domain invalid', takes no processes")
  end)
end)
