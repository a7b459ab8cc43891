--[[
        one              two            what each writes, in memory
     +--------+       +--------+
     | upper  |       | upper  |
     +--------+-------+--------+
     | app: sed, /etc/motd     |        lower layers, which both share
     +-------------------------+        and nobody writes to
     | base: bash, cat, rm     |
     +-------------------------+
]]
local luabox = require "luabox"
local file, rootfs = luabox.sys.file, luabox.rootfs

-- Two layers in memory, as an image has them: a base, and what is put on it.
local base <close> = rootfs.from_programs { "bash", "cat", "rm", files = { "/etc/passwd" } }
local app <close> = rootfs.from_programs { "sed" }
file.write("/etc/motd", "from the image\n", { root = app })

-- $ mkdir up1 work1 up2 work2
-- $ mount -t overlay overlay -o lowerdir=app:base,upperdir=up1,workdir=work1 one
-- $ mount -t overlay overlay -o lowerdir=app:base,upperdir=up2,workdir=work2 two
local image = rootfs.overlay { lower = { app, base } }
local one <close> = luabox.container { name = "one", rootfs = image }
local two <close> = luabox.container { name = "two", rootfs = image }
one:start()
two:start()

local function inside(box, text)
  return (box:check({ "bash", "-c", text }).stdout:gsub("%s+$", ""))
end

-- $ chroot one bash -c 'echo written by one > /etc/motd; rm /etc/passwd'
inside(one, "echo written by one > /etc/motd; rm /etc/passwd")

print("one has of /etc/motd:   " .. inside(one, "cat /etc/motd"))
print("two has of /etc/motd:   " .. inside(two, "cat /etc/motd"))
print("the layer app has:      " .. file.read("/etc/motd", { root = app }):gsub("\n", ""))
local REMOVED = "[ -e /etc/passwd ] && echo there || echo gone"
print(("/etc/passwd is %s in one, which removed it, and %s in two"):format(inside(one, REMOVED), inside(two, REMOVED)))
assert(file.exists("/etc/passwd", { root = base }))

-- $ mount -t overlay
print "Both roots are overlays:"
for _, box in ipairs { one, two } do
  for _, m in ipairs(luabox.sys.mount.list(box:pid())) do
    if m.target == "/" then print(("  %s  process %d  %s"):format(box.name, box:pid(), m.type)) end
  end
end
