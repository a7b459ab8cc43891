--[[
     luabox ----- clone -----> container "web"         mnt uts ipc net pid cgroup, its root, its /www
        |                            ^
        +---- setns by pidfd --------+                 further programs and functions go in
              (nsenter -t PID -a -r -w)
]]
local luabox = require "luabox"
local ns, file, process, system = luabox.ns, luabox.sys.file, luabox.sys.process, luabox.sys.system

local web <close> = luabox.container {
  name = "web", command = { "sleep", "60" }, init = false, cwd = "/www", files = { ["/www/index.html"] = "hello\n" },
}
web:start()
print(("The container %s runs; its process 1 is process %d here."):format(web.name, web:pid()))

-- What one sees from where one is.
local function look()
  return ("process %d, host name %s, in %s, / has %d entries"):format(process.id(), system.hostname(),
    file.realpath ".", #file.list "/")
end
print("Here:                        " .. look())

-- $ nsenter --target PID --uts sh
print("In its UTS namespace:        " .. ns.call(web:pid(), { types = "uts" }, look))

-- $ nsenter --target PID --mount --uts --ipc --net --pid --root --wd sh
print("In all, root and directory:  " .. ns.call(web:pid(), { root = true, cwd = true }, look))

-- $ nsenter --target PID --all --root --wd sh -c 'hostname; cat index.html'
local result = ns.run(web:pid(), { root = true, cwd = true }, { "sh", "-c", "hostname; cat index.html" })
print("A shell in it has printed the two lines above. At the prompt: luabox enter web")
assert(result.code == 0)
