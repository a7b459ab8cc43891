--[[
        one              two            what each writes, in memory
     +--------+       +--------+
     | upper  |       | upper  |
     +--------+-------+--------+
     | app: /etc/motd          |        lower layers, which both share
     +-------------------------+        and nobody writes to
     | base: this machine's /  |
     +-------------------------+
]]
local luabox = require "luabox"
local file = luabox.sys.file
local undo <close> = luabox.scope.new()

-- $ mkdir -p app/etc
-- $ echo 'from the image' > app/etc/motd
local app = os.tmpname()
os.remove(app)
for _, directory in ipairs { app, app .. "/etc" } do
  file.mkdir(directory)
  undo:add(function() file.rmdir(directory) end)
end
file.write(app .. "/etc/motd", "from the image\n")
undo:add(function() file.unlink(app .. "/etc/motd") end)

-- $ mkdir up1 work1 up2 work2
-- $ mount -t overlay overlay -o lowerdir=app:/,upperdir=up1,workdir=work1 one
-- $ mount -t overlay overlay -o lowerdir=app:/,upperdir=up2,workdir=work2 two
local image = luabox.rootfs.overlay { lower = { app, "/" } }
local one <close> = luabox.container { name = "one", rootfs = image }
local two <close> = luabox.container { name = "two", rootfs = image }
one:start()
two:start()

local function inside(box, text)
  return (box:check({ "sh", "-c", text }).stdout:gsub("%s+$", ""))
end

-- $ chroot one sh -c 'echo written by one > /etc/motd; rm /etc/passwd'
inside(one, "echo written by one > /etc/motd; rm /etc/passwd")

print("one has of /etc/motd:   " .. inside(one, "cat /etc/motd"))
print("two has of /etc/motd:   " .. inside(two, "cat /etc/motd"))
print("the layer app has:      " .. file.read(app .. "/etc/motd"):gsub("\n", ""))
local REMOVED = "[ -e /etc/passwd ] && echo there || echo gone"
print(("/etc/passwd is %s in one, which removed it, and %s in two"):format(inside(one, REMOVED), inside(two, REMOVED)))

-- $ mount -t overlay
print "Both roots are overlays:"
for _, box in ipairs { one, two } do
  for _, m in ipairs(luabox.sys.mount.list(box:pid())) do
    if m.target == "/" then print(("  %s  process %d  %s"):format(box.name, box:pid(), m.type)) end
  end
end
