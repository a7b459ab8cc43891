--[[
     image.tar                                image, in memory              evil.tar
       bin/busybox     0755        from_tar     /bin/busybox                  ../../etc/passwd    refused:
       bin/sh      ->  busybox     -------->    /bin/sh -> busybox            l -> /etc, l/x      nothing is
       bin/su          4755 root                /bin/su, setuid               h = /etc/shadow     written
]]
local luabox = require "luabox"
local undo <close> = luabox.scope.new()

-- A tar is blocks of 512 bytes: for each file a header, with a sum of its bytes, and the data.
local function entry(name, kind, data, mode, target)
  local size = ("%011o"):format(#data)
  local head = ("c100c8c8c8c12c12"):pack(name, mode or "0000644", "0000000", "0000000", size, "00000000000")
  local tail = ("c1c100c8c247"):pack(kind, target or "", "ustar\00000", "")
  local sum = 8 * 32
  for byte in (head .. tail):gmatch "." do sum = sum + byte:byte() end
  return head .. ("%06o\0 "):format(sum) .. tail .. data .. ("\0"):rep(-#data % 512)
end
local FILE, HARD, LINK, DIRECTORY = "0", "1", "2", "5"

local function archive(...)
  local path = os.tmpname()
  undo:add(function() os.remove(path) end)
  local file <close> = assert(io.open(path, "w"))
  file:write(table.concat { ... }, ("\0"):rep(1024))
  return path
end

-- What is given, such as Alpine's minirootfs or what `docker export` wrote; else busybox and a few names for it.
local function own_image()
  local tree <close> = luabox.rootfs.default()
  local busybox = luabox.sys.file.read("/bin/busybox", { root = tree })
  return archive(entry("bin/", DIRECTORY, "", "0000755"), entry("bin/busybox", FILE, busybox, "0000755"),
    entry("bin/sh", LINK, "", "0000777", "busybox"), entry("bin/ls", HARD, "", "0000755", "bin/busybox"),
    entry("bin/su", FILE, busybox, "0004755"), entry("etc/issue", FILE, "a root from a tar\n"))
end
local image = ... or own_image()

-- $ mkdir image && tar -x -f image.tar -C image
-- $ mkdir image && docker export box | tar -x -C image
local root <close>, report = luabox.rootfs.from_tar(image)
print(("Unpacked: %d entries, %.1f MiB; kinds of entries left out: %d"):format(report.entries, report.bytes / (1 << 20),
  #report.skipped))

-- $ chroot image /bin/sh -c 'ls -ln /bin'
local box <close> = luabox.container { name = "image", rootfs = root }
box:start()
io.write("In a container of it, process ", box:pid(), ":\n", box:check({ "/bin/sh", "-c", "ls -ln /bin" }).stdout)

print "What is refused, and nothing of it is there:"
for _, evil in ipairs {
  archive(entry("fine", FILE, "x"), entry("../../etc/passwd", FILE, "root::0:0:::\n")),
  archive(entry("l", LINK, "", "0000777", "/etc"), entry("l/x", FILE, "x")),
  archive(entry("h", HARD, "", "0000644", "/etc/shadow")),
} do
  local _, e = luabox.try(luabox.rootfs.from_tar, evil)
  print(("  %s: %s (%s);\n    %s"):format((e.subject:gsub(" of /.*", "")), e.message, e.code, e.hint))
end
