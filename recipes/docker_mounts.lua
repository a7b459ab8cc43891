--[[
     the host                            process 1 of namespaces of its own
                                         /                  overlay: bash and a few, thrown away
     /usr/share         -- bind, ro -->  /data              the volume
     text of a recipe   -- bind ------>  /etc/{hostname,hosts,resolv.conf}
                                         /proc /sys /dev /dev/pts /dev/shm /dev/mqueue /run /tmp
]]
local luabox = require "luabox"
local mount, process = luabox.sys.mount, luabox.sys.process

local root <close> = luabox.rootfs.from_programs { "bash", "cat", "ls", "sleep" }

-- $ mount -t proc proc root/proc; mount -t sysfs sysfs root/sys
-- $ mount -t tmpfs none root/run; mount -t tmpfs none root/tmp
-- $ mount -t tmpfs none root/dev; mkdir root/dev/pts root/dev/shm; mknod -m 666 root/dev/null c 1 3; …
-- $ mount -t devpts devpts root/dev/pts; mount -t tmpfs shm root/dev/shm
-- $ mount --bind conf/hosts root/etc/hosts; mount --bind conf/hostname root/etc/hostname; …
-- $ mount --bind /usr/share root/data; mount -o remount,bind,ro root/data
-- $ pivot_root root root/old; umount -l /old
local steps = luabox.mount.docker(root, {
  hostname = "web", hosts = { db = "10.0.0.5" }, dns = { "10.0.0.1" }, volumes = { "/usr/share:/data:ro" },
})

-- $ unshare -fpmuin --mount-proc …
local p <close> = process.spawn { namespaces = "mnt,pid,uts,ipc,net,cgroup", steps = steps, stdout = "pipe",
  program = { "bash", "-c", [[cat /etc/hostname; cat /etc/hosts; echo x > /dev/null && echo devices work
    echo > /data/x || echo the volume is read-only; exec sleep 60]] }, stderr = "null" }
local said = ""
repeat
  local more = p:stdout():read(4096)
  said = said .. (more or "")
until not more or said:find "read%-only\n"
io.write((said:gsub("[^\n]+", "inside: %0")))

-- $ cat /proc/PID/mountinfo
print(("The table of process %d:"):format(p:pid()))
for _, m in ipairs(mount.list(p:pid())) do
  print(("  %-30s %-8s %s"):format(m.target, m.type, m.flags))
end
