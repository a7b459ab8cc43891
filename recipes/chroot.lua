--[[
     the host                  box, as the tutorials begin it         box, from a list of programs
     /bin/bash          cp     /bin/bash                              /bin -> usr/bin
     /lib64/ld-linux…  ----->  no loader, no library:                 /usr/bin/{bash,ls,cat}
     /lib/…/libc.so.6          "No such file or directory"            /lib64/ld-linux…  /usr/lib/…/libc.so.6
]]
local luabox = require "luabox"
local file, mount, process = luabox.sys.file, luabox.sys.mount, luabox.sys.process

-- A root in memory, which is nowhere in the host's tree and ends with its handle.
-- $ mkdir box
local memory <close> = mount.fsopen "tmpfs"
memory:create()
local box <close> = memory:mount()

-- $ chroot box PROGRAM…
local function chroot(tree, program)
  local p <close> = process.spawn { program = program, stdout = "pipe", stderr = "pipe",
    steps = { { "chroot", fd = tree } } }
  local stdout, stderr = process.communicate(p)
  return p:wait().code, stdout .. stderr
end

-- $ mkdir -p box/bin; cp /bin/bash box/bin
file.mkdir("/bin", { root = box })
file.copy("/bin/bash", "/bin/bash", { root = box })

local hello = { "/bin/bash", "-c", "echo Hello from a root with $(ls -d /usr/bin/* | wc -w) programs" }
local _, e = luabox.try(chroot, box, hello)
print("With bash alone nothing starts, though the file is there:\n  " .. tostring(e):gsub("; ", ";\n  "))
assert(e.hint:find("its interpreter '/%S+' is missing in this root"))

-- $ ldd /bin/bash
print "What bash needs, as its headers and its loader's rules say; nothing was run to find it:"
local needed = luabox.elf.dependencies "/bin/bash"
for _, library in ipairs(needed) do print(("  %-28s %s"):format(library.name, library.path)) end

-- $ mkdir -p box/lib64; cp /lib64/ld-linux-x86-64.so.2 box/lib64
local loader = needed[1].path
file.mkdir(loader:match "^(.*)/", { root = box, parents = true })
file.copy(loader, loader, { root = box })

local code, output = chroot(box, hello)
print(("With its loader it starts, and ends with status %d:\n  %s"):format(code, output:gsub("%s+$", "")))
assert(code == 127)

-- $ for p in bash ls wc; do cp $(which $p) box/bin; for l in $(ldd …); do mkdir -p …; cp $l box/$l; done; done
local whole <close> = luabox.rootfs.from_programs { "/bin/bash", "ls", "wc" }

-- $ chroot box /bin/bash
code, output = chroot(whole, hello)
io.write("With all of it:\n  ", output)
assert(code == 0)
