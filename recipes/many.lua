--[[
   luabox recipes/many.lua [N]: so many containers, 5 without a number

    ====+=========+=========+====  …  ====+====  lan, a switch of its own
        |         |         |             |
       box1      box2      box3          boxN    know each other by name
]]
local luabox = require "luabox"

local count = math.tointeger(tonumber(arg[1] or 5))
if not (count and count >= 2 and count <= 30) then
  io.stderr:write "usage: luabox recipes/many.lua [2 to 30]\n"
  os.exit(2)
end

local everything <close> = luabox.scope.new()

-- $ docker network create lan
local lan = everything:own(luabox.network { name = "lan" })

-- $ for i in $(seq 5); do docker run -d --name box$i --network lan busybox; done
local boxes = {}
for i = 1, count do boxes[i] = everything:own(luabox.container { name = "box" .. i, network = lan }):start() end

local first, last = boxes[1], boxes[count]
print(("%d containers have started; the last has the address %s."):format(count, last.address))

-- $ docker exec box1 ping -c 1 box5
local text = first:check({ "ping", "-c", "1", last.name }).stdout
print(("A program in %s finds it by its name: %s"):format(first.name, text:match "[^\n]*"))

-- $ for i in $(seq 5); do for j in $(seq 5); do docker exec box$i ping -c 1 box$j; done; done
local seen = lan:pingall()
print "Each one pings each other, at the same time:"
print(seen)

print(luabox.map { namespaces = { lan } })
os.exit(seen.ok, true)
