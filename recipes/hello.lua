--[[
     host                      container "hello"
   +--------+  clone, pivot   +-------------------+
   | luabox | --------------> | a root of its own |
   +--------+                 +-------------------+
]]
local luabox = require "luabox"

local hello <close> = luabox.container { name = "hello" }
hello:start()
local command = { "sh", "-c", "echo Hello from $(hostname), process $$ of $(ls -d /proc/[0-9]* | wc -l)" }
io.write(hello:check(command).stdout)
