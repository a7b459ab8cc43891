local run = require("child").run

local HEAD = [[
local capability = require "luabox.sys.capability"
local function status(field) -- as the kernel tells it to others
  for line in io.lines "/proc/self/status" do
    local value = line:match("^" .. field .. ":%s+(%x+)$")
    if value then return value end
  end
end
local function try(o)
  local ok, e = pcall(capability.set, o)
  print(ok and "done" or tostring(e))
end
]]

local function assert_prints(expected, code, prefix)
  assert.equal(expected .. "\n", run(HEAD .. code, prefix))
end

describe("luabox.sys.capability #root", function()
  it("limits all sets to those of a container", function()
    assert_prints("00000000800405fb 00000000800405fb 00000000800405fb 0000000000000000 0000000000000000", [[
      capability.set { bounding = "default", permitted = "default", effective = "default", inheritable = "",
        ambient = "" }
      print(table.concat({ status "CapEff", status "CapPrm", status "CapBnd", status "CapInh", status "CapAmb" }, " "))
    ]])
  end)

  it("leaves the sets alone that are not named", function()
    assert_prints("true\ttrue", [[
      local permitted, bounding = status "CapPrm", status "CapBnd"
      capability.set { effective = "chown" }
      print(status "CapEff" == "0000000000000001", status "CapPrm" == permitted and status "CapBnd" == bounding)
    ]])
  end)

  it("takes names out of a list again", function()
    assert_prints("00000000000400c0", [[
      capability.set { effective = "setuid,setgid,kill,sys_chroot,-kill" }
      print(status "CapEff")
    ]])
  end)

  it("gives an ordinary program the ambient set", function()
    assert_prints("CapEff:\t0000000000000401", [[
      capability.set { inheritable = "all,-sys_resource", ambient = "chown,net_bind_service" }
      os.execute "grep CapEff /proc/self/status"
    ]], "setpriv --reuid 1000 --regid 1000 --clear-groups "
      .. "--inh-caps +all,-sys_resource --ambient-caps +all,-sys_resource")
  end)

  it("keeps the bounding set shut", function()
    assert_prints("CapEff:\t0000000000000001", [[
      capability.set { bounding = "chown", inheritable = "" }
      os.execute "grep CapEff /proc/self/status"
    ]])
  end)

  it("sets no_new_privs", function()
    assert_prints("NoNewPrivs:\t1\ntrue\n"
      .. "bad argument #1 to 'set' (option 'no_new_privs': it is set already and cannot be taken back)", [[
      capability.set { no_new_privs = true }
      os.execute "grep NoNewPrivs /proc/self/status"
      print(capability.get().no_new_privs)
      local set = capability.set
      print((select(2, pcall(function() set { no_new_privs = false } end)):gsub("^[^ ]+ ", ""):gsub("'[%w.]+%.set'",
        "'set'")))
    ]])
  end)

  it("says which capability is not there", function()
    assert_prints("capset: Operation not permitted (EPERM); "
      .. "net_admin is not in the permitted set of this process, and none can be added", [[
      capability.set { permitted = "chown,setpcap", effective = "chown,setpcap" }
      try { permitted = "chown,net_admin", effective = "chown" }
    ]])
    assert_prints("capset: Operation not permitted (EPERM); kill is asked for in effective but not in permitted", [[
      try { permitted = "chown", effective = "chown,kill" }
    ]])
    assert_prints("prctl PR_CAP_AMBIENT chown: Operation not permitted (EPERM); "
      .. "an ambient capability must be permitted and inheritable too", [[
      try { inheritable = "", ambient = "chown" }
    ]])
  end)

  it("says what dropping from the bounding set takes", function()
    assert_prints("prctl PR_CAPBSET_DROP chown: Operation not permitted (EPERM); "
      .. "dropping from the bounding set takes setpcap in the effective set", [[
      capability.set { effective = "chown" }
      try { bounding = "" }
    ]])
  end)
end)
