-- time limit: 900
local lfs = require "lfs"

local INTERPRETER = os.getenv("LUABOX_INTERPRETER") or "build/luabox"
local LIMIT = 200
local MOST_LINES = 60

-- What a recipe needs of the kernel, as tests/needs.lua has it.
local NEEDS = {
  ["bind.lua"] = " #pidfd",
  ["chroot.lua"] = " #detached",
  ["clocks.lua"] = " #cgroup #pidfd",
  ["diagnose.lua"] = " #nft",
  ["docker_mounts.lua"] = " #detached #overlay",
  ["enter.lua"] = " #pidfd",
  ["forward.lua"] = " #nft",
  ["hostname.lua"] = " #pidfd",
  ["image.lua"] = " #detached",
  ["ipc.lua"] = " #pidfd",
  ["isolate.lua"] = " #pidfd",
  ["lan.lua"] = " #nft #cgroup",
  ["layers.lua"] = " #overlay",
  ["limits.lua"] = " #cgroup",
  ["nested_pids.lua"] = " #pidfd",
  ["outside.lua"] = " #nft",
  ["pid.lua"] = " #pidfd",
  ["pivot_root.lua"] = " #pidfd",
  ["publish.lua"] = " #nft",
  ["tutorial_lan.lua"] = " #nft",
  ["users.lua"] = " #userns",
}

local recipes = {}
for name in lfs.dir("recipes") do
  if name:find("%.lua$") then recipes[#recipes + 1] = name end
end
table.sort(recipes)

describe("recipe", function()
  for _, name in ipairs(recipes) do
    it(name .. " has its drawing on top, at most 60 lines, and needs luabox alone", function()
      local file <close> = assert(io.open("recipes/" .. name))
      local text = file:read "a"
      assert.equal("--[[\n", text:sub(1, 5))
      assert.is_true(select(2, text:gsub("\n", "")) <= MOST_LINES)
      for module in text:gmatch "require *%(?[\"']([^\"']+)" do assert.equal("luabox", module) end
    end)
  end
end)

describe("recipe #root", function()
  for _, name in ipairs(recipes) do
    it(name .. " runs to its end and leaves nothing" .. (NEEDS[name] or ""), function()
      local command = ("timeout --signal=KILL %d %s recipes/%s </dev/null 2>&1"):format(LIMIT, INTERPRETER, name)
      local pipe = assert(io.popen(command))
      local output = pipe:read("a")
      local _, how, status = pipe:close()
      assert.same({ "exit", 0 }, { how, status }, output)
      assert.is_true(#output > 0, "it prints nothing")
    end)
  end
end)
