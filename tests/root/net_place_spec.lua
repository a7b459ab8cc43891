-- The option `namespace` of luabox.probe, luabox.pcap, luabox.nat and luabox.map: what it takes, everywhere the same.
local luabox = require "luabox"
local refusal = require "refusal"
local spec = require "spec"

local namespace, net, nft, process = luabox.sys.namespace, luabox.sys.net, luabox.sys.nft, luabox.sys.process

-- A link and an address by which a namespace is known.
local function mark(ns)
  local socket <close> = net.socket(ns)
  socket:link_set { name = "lo", up = true }
  socket:link_add { kind = "bridge", name = "mark0", up = true }
  socket:address_add { link = "mark0", address = "10.99.0.1/24" }
end

local function tables_in(ns)
  local socket <close> = nft.socket(ns)
  return #socket:tables()
end

-- Each taker of the option finds itself where the mark is.
local function leads(value, ns)
  assert.is_true(luabox.probe.ping("10.99.0.1", { namespace = value, timeout = 60 }).ok)
  luabox.pcap.capture({ link = "mark0", namespace = value }):close()
  assert.equal("luabox.nat_diagnose", getmetatable(luabox.nat.diagnose { namespace = value, link = "mark0" }).__name)
  local before = tables_in(ns)
  do
    local rules <close> = luabox.nat.new { namespace = value }
    rules:iptables "-A INPUT -s 10.99.0.9 -j DROP"
    assert.equal(before + 1, tables_in(ns))
  end
  assert.equal(before, tables_in(ns))
  local drawn = luabox.map { namespaces = { value } }
  assert.equal("mark0", drawn.namespaces[1].links[2].name)
end

-- What each taker says of a value.
local function each_refuses(say, value)
  local takers = {
    function() luabox.probe.ping("10.99.0.1", { namespace = value }) end,
    function() luabox.pcap.capture { link = "lo", namespace = value } end,
    function() luabox.nat.new { namespace = value } end,
    function() luabox.nat.diagnose { namespace = value } end,
    function() luabox.map { namespaces = { value } } end,
  }
  for i, taker in ipairs(takers) do say(taker, i) end
end

describe("the option namespace #root", function()
  it("takes handles, names, paths, processes and their pids #nft #pidfd", function()
    local blue <close> = luabox.ns.create "form-blue"
    finally(function() luabox.ns.delete "form-blue" end)
    mark(blue)
    local p <close> = process.spawn { program = { "sleep", "60" }, join = { blue } }
    local path = "/proc/self/fd/" .. blue:fileno()
    for _, value in ipairs { blue, "form-blue", "/run/netns/form-blue", path, p, p:pid() } do leads(value, blue) end
  end)

  it("takes containers, also by their host names #nft #cgroup #pidfd", function()
    local box <close> = luabox.container { name = "form-box" }:start()
    mark(box.namespace)
    leads(box, box.namespace)
    leads("form-box", box.namespace)
  end)

  it("takes a network for its switch", function()
    local lan <close> = luabox.network { name = "lan", subnet = "10.98.0.0/24" }
    lan:start()
    luabox.pcap.capture({ link = "switch", namespace = lan }):close()
    assert.equal("ENETUNREACH", luabox.probe.ping("10.98.0.1", { namespace = lan }).error)
  end)

  it("leaves no descriptor open #nft", function()
    local blue <close> = luabox.ns.create "form-blue"
    finally(function() luabox.ns.delete "form-blue" end)
    mark(blue)
    leads("form-blue", blue)
    local before = #luabox.sys.file.list "/proc/self/fd"
    leads("form-blue", blue)
    assert.equal(before, #luabox.sys.file.list "/proc/self/fd")
  end)

  it("says what it takes", function()
    local closed = namespace.create "net"
    closed:close()
    local uts <close> = namespace.create "uts"
    for _, case in ipairs {
      { true, "luabox.namespace, container, process or network, pid, name or path expected, got boolean" },
      { {}, "luabox.namespace, container, process or network, pid, name or path expected, got table" },
      { luabox.scope.new(), "pid, name or path expected, got luabox.scope" },
      { 0, "0 is out of range (1 to 2147483647)" }, { 1.5, "integer expected, got number" }, { "", "is empty" },
      { closed, "attempt to use a closed handle" }, { uts, "is a uts namespace, not net" },
    } do
      each_refuses(function(taker, i)
        local text = refusal(taker)
        assert.matches("option 'namespace", text, 1, true)
        assert.matches(case[2], text, 1, true, i)
      end, case[1])
    end
  end)

  it("says what is not there", function()
    local ended <close> = process.spawn { program = { "true" } }
    ended:wait()
    local asleep = luabox.network { name = "asleep", subnet = "10.98.0.0/24" }
    luabox.ns.create("form-green"):close()
    finally(function() luabox.ns.delete "form-green" end)
    for _, case in ipairs {
      { "form-gren", "open network namespace: there is no network namespace and no container with the name 'form-gren' "
        .. "(ENOENT); `luabox ls` shows what there is; did you mean 'form-green'?" },
      { "/run/none", "open /run/none: No such file or directory (ENOENT)" },
      { 99999999, "there is no process 99999999 in this pid namespace" },
      { ended, ("open network namespace of process %d: it has ended (ESRCH)"):format(ended:pid()) },
      { asleep, "open network namespace of network 'asleep': it has not started; it starts with its first member" },
      { luabox.container { name = "late" }, "container 'late' (created): it has no network namespace yet; call" },
    } do
      each_refuses(function(taker) assert.matches(case[2], spec.refused(taker), 1, true) end, case[1])
    end
  end)
end)
