--[[
     a mount namespace, before           after
     /  this machine's disk              /  the new root, a tmpfs
     +-- mnt  tmpfs                      +-- hello
         +-- box  bound on itself            (the old root was on /old, and is gone)
             +-- hello
             +-- old
]]
local luabox = require "luabox"
local ns, file, mount, process = luabox.ns, luabox.sys.file, luabox.sys.mount, luabox.sys.process

-- Does it in a process's mount namespace.
local function inside(box, f, ...)
  return ns.call(box:pid(), { types = "mnt" }, f, ...)
end

-- The new root: a directory in memory, with one file.
local function make_root()
  -- $ mount -t tmpfs tmpfs /mnt; mkdir -p /mnt/box/old; echo 'hello from the new root' > /mnt/box/hello
  mount.mount { type = "tmpfs", target = "/mnt" }
  file.mkdir("/mnt/box/old", { parents = true })
  file.write("/mnt/box/hello", "hello from the new root\n")

  -- $ mount --bind /mnt/box /mnt/box
  mount.bind { source = "/mnt/box", target = "/mnt/box" }
end

-- $ unshare --mount sleep 60 &
local box <close> = process.spawn { namespaces = "mnt", program = { "sleep", "60" } }
print(("Process %d has a mount namespace of its own; its / has %d entries."):format(box:pid(),
  #inside(box, file.list, "/")))

-- $ mount --make-rprivate /
inside(box, mount.propagation, "/", "private,rec")

inside(box, make_root)
inside(box, function()
  -- $ pivot_root /mnt/box /mnt/box/old
  mount.pivot_root("/mnt/box", "/mnt/box/old")

  -- $ umount --lazy /old; rmdir /old
  mount.umount("/old", "detach")
  file.rmdir "/old"
end)
local names = inside(box, file.list, "/")
print(("After pivot_root its / has only: %s (%s)"):format(table.concat(names, " "),
  inside(box, file.read, "/hello"):gsub("\n", "")))
print(("The old root is unreachable: /usr %s, mounts that it sees: %d"):format(
  inside(box, file.exists, "/usr") and "is there" or "is not there", #mount.list(box:pid())))
assert(#names == 1 and not inside(box, file.exists, "/old"))

print "Where / is shared, as systemd has it, the kernel says EINVAL, and luabox which of the rules it was:"
local shared <close> = process.spawn { namespaces = "mnt", program = { "sleep", "60" } }
-- $ mount --make-shared /
inside(shared, mount.propagation, "/", "shared")
local _, refused = luabox.try(inside, shared, function()
  mount.mount { type = "tmpfs", target = "/mnt" }
  mount.pivot_root("/mnt", "/mnt")
end)
print("  " .. tostring(refused):gsub("; ", ";\n  "))
