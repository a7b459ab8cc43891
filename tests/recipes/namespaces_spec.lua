-- What the recipes of namespaces say, looked at from outside while they say it: lsns, nsenter, ps, /proc.
local dkjson = require "dkjson"
local recipe = require "recipe"
local spec = require "spec"

local output = spec.output

local function link(pid, type)
  return output(("readlink /proc/%s/ns/%s"):format(pid, type)):match "%d+"
end

-- The types of which a process has another namespace than this one.
local function differing(pid)
  local types = {}
  for type in output("ls /proc/self/ns"):gmatch "[^\n]+" do
    if not type:find "_for_children" and link(pid, type) ~= link("self", type) then types[#types + 1] = type end
  end
  return table.concat(types, " ")
end

local function inside(pid, options, command)
  return output(("nsenter --target %d %s %s"):format(pid, options, command))
end

describe("the recipe of namespaces #root", function()
  it("shows what lsns and /proc show", function()
    local own, listed = {}, {}
    local function look_apart(pid)
      assert.equal("net uts", differing(pid))
      spec.await_program(pid, "sleep") -- whose arguments are listed next
    end
    recipe.run("namespaces.lua", {
      ["^  (%a+) +(%d+)$"] = function(type, id) own[type] = id end,
      ["^A child, process (%d+), inherits.*: none%.$"] = function(pid) assert.equal("", differing(pid)) end,
      ["^A child made apart, process (%d+), .*: net and uts%.$"] = look_apart,
      ["^  (%d+) +(%a+) +(%d+) +(%d+)  sleep 60$"] = function(id, type, processes, pid)
        for _, theirs in ipairs(dkjson.decode(output("lsns --json --task " .. pid)).namespaces) do
          if theirs.ns == id then listed[type] = theirs.type == type and theirs.nprocs == processes end
        end
      end,
      ["^In the uts namespace of process (%d+) there is"] = function(pid)
        assert.equal(tostring(pid), output(("lsns --noheadings --output PID %s"):format(link(pid, "uts"))):match "%d+")
      end,
    })
    for _, type in ipairs { "cgroup", "ipc", "mnt", "net", "pid", "user", "uts" } do
      assert.equal(link("self", type), tostring(own[type]))
    end
    assert.same({ net = true, uts = true }, listed)
  end)
end)

describe("the recipe of host names #root #pidfd", function()
  it("gives one to a namespace only, and to all who share it", function()
    local here = output "hostname"
    local text = recipe.run("hostname.lua", {
      ["^Process (%d+) has .* the name 'box'%.$"] = function(pid)
        assert.equal("box", inside(pid, "--uts", "hostname"))
        assert.equal(here, output "hostname")
      end,
      ["process (%d+) is now called 'changed'"] = function(pid)
        assert.equal("changed", inside(pid, "--uts", "hostname"))
        assert.equal(here, output "hostname")
      end,
    })
    assert.matches(("The machine's is still '%s'."):format(here), text, 1, true)
  end)
end)

describe("the recipe of message queues #root #pidfd", function()
  it("has them in one namespace", function()
    local function queues(pid) return select(2, inside(pid, "--ipc", "ipcs -q"):gsub("\n0x", "")) end
    recipe.run("ipc.lua", {
      ["^On the host %(process (%d+)%) there is message queue (%d+)"] = function(pid, id)
        assert.matches("\n0x00000000 +" .. id .. " ", inside(pid, "--ipc", "ipcs -q"))
        assert.equal(1, queues(pid))
      end,
      ["^Process (%d+) has an ipc namespace of its own, and sees 0"] = function(pid) assert.equal(0, queues(pid)) end,
      ["^Process (%d+), without the flag, .* sees 1"] = function(pid) assert.equal(1, queues(pid)) end,
    })
  end)
end)

describe("the recipe of bind mounts #root #pidfd", function()
  it("shows them inside only", function()
    local here, usr = output "ls -A /mnt", output "ls -A /usr"
    recipe.run("bind.lua", {
      ["^Process (%d+) has a mount namespace"] = function(pid)
        assert.equal(usr, inside(pid, "--mount", "ls -A /mnt"))
        assert.equal(here, output "ls -A /mnt")
        assert.equal("", output "findmnt --noheadings /mnt")
      end,
      ["^The container box %(process (%d+)%) has it as /data"] = function(pid)
        assert.equal(usr, output(("ls -A /proc/%d/root/data"):format(pid)))
        assert.matches("^ro,", output(("awk '$5 == \"/data\" { print $6 }' /proc/%d/mountinfo"):format(pid)))
        assert.is_false(spec.exists "/data")
      end,
    })
  end)
end)

describe("the recipe of isolation #root #pidfd", function()
  it("leaves loopback alone, down", function()
    local here = output "ip -brief link"
    recipe.run("isolate.lua", {
      ["^Process (%d+) has a network of its own: lo down"] = function(pid)
        assert.matches("^lo +DOWN [^\n]*$", inside(pid, "--net", "ip -brief link"))
        assert.matches("^lo +DOWN *$", inside(pid, "--net", "ip -brief addr"))
        assert.equal("", inside(pid, "--net", "ip route show table all type unicast"))
      end,
      ["^Process (%d+) has of its own: ipc mnt pid uts"] = function(pid)
        assert.equal("ipc mnt pid uts", differing(pid):gsub(" ?pid_for_children", ""))
      end,
    })
    assert.equal(here, output "ip -brief link")
  end)
end)

describe("the recipe of going in #root #pidfd", function()
  it("is where nsenter is", function()
    local pid, uts, all
    recipe.run("enter.lua", {
      ["its process 1 is process (%d+) here"] = function(number) pid = number end,
      ["^In its UTS namespace: +(.*)$"] = function(text)
        uts = text
        assert.equal("web", inside(pid, "--uts", "hostname"))
      end,
      ["^In all, root and directory: +(.*)$"] = function(text)
        all = text
        assert.equal("web\n/www", inside(pid, "--all --root --wd", "/bin/sh -c 'hostname; pwd'"))
      end,
    })
    assert.matches("host name web, in " .. output "pwd", uts, 1, true)
    assert.matches("^process %d, host name web, in /www, ", all)
  end)

  it("runs a shell there", function()
    local printed = output(os.getenv "LUABOX_INTERPRETER" .. " recipes/enter.lua")
    assert.matches("\nweb\nhello\n", printed, 1, true)
  end)
end)
