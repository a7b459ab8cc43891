-- time limit: 300
-- The main job without each capability in turn: it is done, or the error names what is missing. Either way nothing is
-- left, which tests/helper.lua looks at.
local capability = require "luabox.sys.capability"
local spec = require "spec"

-- setpriv takes it from the bounding set, and with the exec it is gone from all.
local function run_without(name)
  return spec.output(("timeout 100 setpriv --bounding-set=-%s --inh-caps=-all %s recipes/lan.lua && echo done")
    :format(name, os.getenv "LUABOX_INTERPRETER"))
end

describe("recipes/lan.lua #root #nft #cgroup", function()
  for _, name in ipairs(capability.names()) do
    it("without " .. name, function()
      local output = run_without(name)
      local done = output:match "[^\n]*$" == "done"
      local first = output:match "%f[%w][^\n]*%(E%u+%)[^\n]*" or ""
      local named = first:find("CAP_" .. name:upper(), 1, true) or first:find("%f[%w_]" .. name .. "%f[^%w_]")
      assert.is_true(done or named ~= nil, output)
    end)
  end

  it("says that an ordinary user cannot", function()
    local output = spec.output("setpriv --reuid=65534 --clear-groups " .. os.getenv "LUABOX_INTERPRETER"
      .. " recipes/lan.lua")
    assert.matches("CAP_SYS_ADMIN", output, 1, true)
  end)
end)
