-- luabox.sys.ipc, held against ipcmk, ipcs and ipcrm. Every test has the ipc namespace of the sandbox.
local ipc = require "luabox.sys.ipc"
local luabox = require "luabox"
local spec = require "spec"

local output, refused = spec.output, spec.refused

-- A line of ipcs, its columns one blank apart: key, id, owner, mode and what the kind has.
local function listed(option)
  return (output("ipcs " .. option .. " | grep ^0x"):gsub(" +", " "):gsub(" \n", "\n"))
end

local function only(kind)
  local list = ipc.list(kind)
  assert.equal(1, #list)
  return list[1]
end

describe("luabox.sys.ipc #root", function()
  it("makes and removes what ipcs lists", function()
    for kind, case in pairs {
      queue = { option = "-q", columns = "600 0 0" },
      memory = { option = "-m", o = { size = 12345 }, columns = "600 12345 0" },
      semaphores = { option = "-s", o = { count = 7 }, columns = "600 7" },
    } do
      local id = ipc.create(kind, case.o)
      assert.equal(("0x00000000 %d root %s"):format(id, case.columns), listed(case.option), kind)
      ipc.remove(kind, id)
      assert.equal("", listed(case.option))
    end
  end)

  it("lists what ipcmk makes", function()
    local id = math.tointeger(output "ipcmk -Q -p 640":match "%d+$")
    local queue = only "queue"
    assert.same({ id, 0, 0, "0640", 0, 0 }, { queue.id, queue.uid, queue.gid, queue.mode, queue.messages, queue.size })
    assert.is_true(queue.key ~= 0)
    ipc.remove("queue", id)
    id = math.tointeger(output "ipcmk -M 4096":match "%d+$")
    assert.same({ id, 4096, 0 }, { only("memory").id, only("memory").size, only("memory").attached })
    ipc.remove("memory", id)
    id = math.tointeger(output "ipcmk -S 3":match "%d+$")
    assert.same({ id, 3 }, { only("semaphores").id, only("semaphores").count })
    ipc.remove("semaphores", id)
    assert.same({ {}, {}, {} }, { ipc.list "queue", ipc.list "memory", ipc.list "semaphores" })
  end)

  it("lists what lies apart", function()
    local ids = {}
    for i = 1, 5 do ids[i] = ipc.create "queue" end
    for i = 1, 5, 2 do ipc.remove("queue", ids[i]) end
    local list = ipc.list "queue"
    assert.same({ ids[2], ids[4] }, { list[1].id, list[2].id })
    ipc.remove("queue", ids[2])
    ipc.remove("queue", ids[4])
  end)

  it("has its own in each namespace", function()
    local id = ipc.create "queue"
    local p <close> = luabox.sys.process.spawn { namespaces = "ipc", body = function() return #ipc.list "queue" end }
    assert.equal(0, p:result())
    ipc.remove("queue", id)
  end)

  it("names the limit that is met, and what is not there", function()
    local p <close> = luabox.sys.process.spawn { namespaces = "ipc", body = function()
      local system = luabox.sys.system
      system.set_sysctl("kernel.msgmni", 0)
      system.set_sysctl("kernel.shmmax", 8192)
      system.set_sysctl("kernel.sem", "2 32000 32 1")
      local few = ipc.create "semaphores"
      return refused(ipc.create, "queue"), refused(ipc.create, "memory", { size = 8193 }),
        refused(ipc.create, "semaphores", { count = 3 }), refused(ipc.create, "semaphores"),
        (refused(ipc.remove, "semaphores", few + 1))
    end }
    local sentences = table.pack(p:result())
    assert.same({
      n = 5,
      "msgget message queue: No space left on device (ENOSPC); this ipc namespace has as many as kernel.msgmni lets it",
      "shmget shared memory: Invalid argument (EINVAL); the size is more than kernel.shmmax",
      "semget semaphores: Invalid argument (EINVAL); a set has at most as many as the first number of kernel.sem says",
      "semget semaphores: No space left on device (ENOSPC); this ipc namespace has as many as kernel.sem " ..
        "(the second and fourth number) lets it",
      "remove semaphores 1: Invalid argument (EINVAL); nothing with this id is in this ipc namespace",
    }, sentences)
  end)

  it("checks its arguments", function()
    assert.matches("unknown value 'pipe'; expected one of", refused(ipc.create, "pipe"), 1, true)
    assert.matches("option 'size': is of memory only", refused(ipc.create, "queue", { size = 1 }), 1, true)
    assert.matches("option 'count': is of semaphores only", refused(ipc.create, "memory", { count = 1 }), 1, true)
    assert.matches("option 'mode': '9' is no mode", refused(ipc.create, "queue", { mode = "9" }), 1, true)
    assert.matches("option 'mode': '4600' has bits that only files have",
      refused(ipc.create, "queue", { mode = "4600" }), 1, true)
    assert.matches("id out of range", refused(ipc.remove, "queue", -1), 1, true)
    assert.same({}, ipc.list "queue")
  end)
end)
