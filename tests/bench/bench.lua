-- luabox beside bare C floors and its peers, in one run, interleaved. Started by tests/bench/run in namespaces of
-- its own.
local measure = require "measure"

local BUILD, QUICK = assert(os.getenv "LUABOX_BUILD"), os.getenv "QUICK"
local LUABOX, BENCH = BUILD .. "/luabox", BUILD .. "/bench/"
local ROOT, BUNDLES = "/tmp/bench/root", "/tmp/bench/bundle-" -- of the runtimes that take no "/"
local ROUNDS = QUICK and 3 or 7

local out = assert(io.open(BUILD .. "/bench.txt", "w"))
local broken = {}

local function shell(command)
  assert(os.execute(command), command)
end

local function installed(program)
  if os.execute("command -v " .. program .. " >/dev/null") then return true end
  print(("%s: not installed, left out"):format(program))
  return false
end

-- The contenders whose program is there. Each is { name, program, … } and becomes what measure wants by 'make'.
local function present(list, make)
  local contenders = {}
  for _, c in ipairs(list) do
    if not c.program or installed(c.program) then contenders[#contenders + 1] = make(c) end
  end
  return contenders
end

local function row_of(rows, name)
  for _, row in ipairs(rows) do
    if row.name == name then return row end
  end
end

-- A bar: how many times the floor a contender may take.
local function hold(what, rows, name, field, bar)
  local row = row_of(rows, name)
  local ratio = row and row[field] / rows[1][field]
  if not ratio or ratio > bar then
    broken[#broken + 1] = ("%s: %s, the bar is %.1f ×"):format(what,
      ratio and ("%.2f ×"):format(ratio) or "not measured", bar)
  end
end

-- A bar in milliseconds.
local function hold_time(what, rows, name, bar)
  local row = row_of(rows, name)
  if not row or row.time > bar then
    broken[#broken + 1] = ("%s: %s, the bar is %d ms"):format(what,
      row and ("%.1f ms"):format(row.time) or "not measured", bar)
  end
end

-- Samples the milliseconds from the start to the exit of a command, so many times.
local function times_of(command, runs, prepare)
  return function()
    local times = measure.process(command, runs, prepare)
    return times and { time = times }
  end
end

-- Samples the numbers that a command prints.
local function numbers_of(field, command)
  return function()
    local list = measure.numbers(command .. " 2>/dev/null")
    return list and list[1] and { [field] = list }
  end
end

-- ---- a container's start to exit ----

local function make_root()
  shell(("mkdir -p %s/bin %s/proc %s/dev %s/sys %s/tmp %s/etc"):format(ROOT, ROOT, ROOT, ROOT, ROOT, ROOT))
  shell(("cp $(command -v busybox) %s/bin/busybox && ln %s/bin/busybox %s/bin/true"):format(ROOT, ROOT, ROOT))
end

-- The runtime's own specification, with another program and without a terminal.
local function make_bundle(runtime)
  local bundle = BUNDLES .. runtime
  shell(("mkdir -p %s && cd %s && rm -f config.json && %s spec"):format(bundle, bundle, runtime))
  local file <close> = assert(io.open(bundle .. "/config.json", "r+"))
  local config = file:read "a"
  config = config:gsub('"terminal": true', '"terminal": false')
    :gsub('"sh"', '"/bin/true"'):gsub('"rootfs"', ('"%s"'):format(ROOT))
  file:seek "set"
  file:write(config, (" "):rep(64)) -- whatever is shorter now is blank
end

local function compare_containers()
  local rows = measure.interleave(present({
    { name = "floor", command = BENCH .. "floor_container / /bin/true" },
    { name = "luabox.sys.process", command = LUABOX .. " tests/bench/spawn.lua / /bin/true" },
    { name = "luabox.container", command = LUABOX .. " tests/bench/container.lua / /bin/true" },
    { name = "unshare", program = "unshare", command = "unshare -mpnuiC --fork --mount-proc /bin/true" },
    { name = "bubblewrap", program = "bwrap", command = "bwrap --unshare-all --ro-bind / / --proc /proc /bin/true" },
    -- crun's own cgroups want CAP_SYS_RESOURCE
    { name = "crun, no cgroup", program = "crun",
      command = "crun --cgroup-manager=disabled run -b " .. BUNDLES .. "crun bench-crun" },
    { name = "runc", program = "runc", command = "runc run -b " .. BUNDLES .. "runc bench-runc" },
  }, function(c)
    if c.command:find(BUNDLES, 1, true) then make_bundle(c.program) end
    return { name = c.name, sample = times_of(c.command, 5) }
  end), ROUNDS * 4) -- a few runs at a time: a millisecond is soon disturbed
  measure.report("/bin/true in a container, start to exit of the whole process", rows, { { "time", "ms" } }, out)
  -- What the floor does; luabox.container does far more: devices, masks, capabilities, a system call filter.
  hold("a container", rows, "luabox.sys.process", "time", 1.5)
end

local function compare_rates()
  local count = QUICK and 50 or 200
  local function sample(command)
    return function()
      local rate = measure.numbers(command)
      return rate and rate[1] and { time = { 1e3 / rate[1] }, rate = rate }
    end
  end
  local rows = measure.interleave({
    { name = "floor", sample = sample(("%sfloor_container / /bin/true %d"):format(BENCH, count)) },
    { name = "luabox.sys.process", sample = sample(("%s tests/bench/spawn.lua / /bin/true %d"):format(LUABOX, count)) },
    { name = "luabox.container",
      sample = sample(("%s tests/bench/container.lua / /bin/true %d"):format(LUABOX, count)) },
  }, ROUNDS)
  measure.report("containers one after the other in one process", rows, { { "time", "ms" }, { "rate", "/s" } }, out)
end

-- ---- a LAN of N nodes ----

local LANS = {
  { name = "floor", command = BENCH .. "floor_lan" },
  { name = "luabox.sys.net", command = LUABOX .. " tests/bench/lan.lua" },
  -- its links are in a namespace of their own, all but the gateway's: nobody outside sees them go
  { name = "luabox.network", command = LUABOX .. " tests/bench/lan_network.lua", unseen = true },
  { name = "ip -batch", program = "ip", command = "tests/bench/lan_ip_batch.sh", most = 500, rounds = 2 },
  { name = "ip, a script", program = "ip", command = "tests/bench/lan_ip.sh", most = 200, rounds = 2 },
  { name = "pyroute2", python = "pyroute2", command = "tests/bench/lan_pyroute2.py", most = 200, rounds = 2 },
  { name = "Mininet", python = "mininet", program = "brctl", command = "tests/bench/lan_mininet.py", most = 50,
    rounds = 2 },
}

local function has_python(module)
  if os.execute(("/usr/bin/python3 -c 'import %s' 2>/dev/null"):format(module)) then return true end
  print(("%s: not installed, left out"):format(module))
  return false
end

-- Before each a pause, for the kernel to end the namespaces of the one before.
local function compare_lans(count)
  local list = {}
  for _, c in ipairs(LANS) do
    if count <= (c.most or count) and (not c.python or has_python(c.python)) then list[#list + 1] = c end
  end
  local rows = measure.interleave(present(list, function(c)
    return { name = c.name, rounds = c.rounds, sample = function()
      local times = measure.numbers(("sleep 0.1; %slan_time %s %d 2>/dev/null"):format(BENCH, c.command, count))
      return times and { up = { times[1] }, down = not c.unseen and { times[2] } or nil }
    end }
  end), ROUNDS)
  measure.report(("a LAN of %d nodes on one bridge, up and down"):format(count), rows,
    { { "up", "ms" }, { "down", "ms" } }, out)
  return rows
end

-- ---- port maps ----

local function write_rules(path, head, line, tail, count)
  local file <close> = assert(io.open(path, "w"))
  file:write(head)
  for i = 0, count - 1 do
    local number = 2 + i
    file:write(line:format(10000 + i, number >> 8, number & 255))
  end
  file:write(tail)
end

local function compare_ports(count)
  write_rules("/tmp/bench/nft",
    "table ip floor {\nmap ports { type inet_service : ipv4_addr . inet_service; elements = {\n",
    "%d : 10.64.%d.%d . 80,\n", "} }\nchain prerouting { type nat hook prerouting priority dstnat; "
    .. "meta l4proto tcp dnat ip to tcp dport map @ports; }\n}\n", count)
  write_rules("/tmp/bench/iptables", "*nat\n",
    "-A PREROUTING -p tcp --dport %d -j DNAT --to-destination 10.64.%d.%d:80\n",
    "COMMIT\n", count)
  local function inside(command)
    return function()
      local times = measure.numbers(("%s %d %d"):format(command, count, 5))
      for i, microseconds in ipairs(times or {}) do times[i] = microseconds / 1e3 end
      return times and { time = times }
    end
  end
  local function process(command) return times_of(command, 5, "nft flush ruleset") end
  local rows = measure.interleave({
    { name = "floor (libnftnl)", sample = inside(BENCH .. "floor_nft") },
    { name = "luabox.sys.nft", sample = inside(LUABOX .. " tests/bench/ports.lua") },
    { name = "nft -f, a process", rounds = ROUNDS, sample = process "nft -f /tmp/bench/nft" },
    { name = "iptables-restore, a process", rounds = ROUNDS,
      sample = process "iptables-restore /tmp/bench/iptables" },
  }, ROUNDS * 4)
  shell "nft flush ruleset"
  measure.report(("%d port maps"):format(count), rows, { { "time", "ms" } }, out)
  return rows
end

-- ---- what flows, what stays ----

local function compare_bytes()
  local rows = measure.interleave(present({
    { name = "veth, end to end", program = "iperf3", way = "veth" },
    { name = "luabox.network", program = "iperf3", way = "bridge" },
    { name = "a published port", program = "iperf3", way = "port" },
    { name = "a userland proxy (socat)", program = "socat", way = "proxy" },
  }, function(c)
    return { name = c.name, sample = numbers_of("rate", ("%s tests/bench/bytes.lua %s"):format(LUABOX, c.way)) }
  end), ROUNDS)
  measure.report("TCP, what arrives in a second", rows, { { "rate", "MiB" } }, out)
end

local function compare_memory()
  local count = 50
  local function sample(command) return numbers_of("memory", LUABOX .. " tests/bench/memory.lua " .. command) end
  local rows = measure.interleave(present({
    { name = "unshare", program = "unshare", command = "unshare -mpnuiC --fork --kill-child --mount-proc sleep 60" },
    { name = "bubblewrap", program = "bwrap", command = "bwrap --unshare-all --ro-bind / / --proc /proc sleep 60" },
    { name = "luabox.container", command = "luabox 1" },
    { name = ("%d × luabox.container"):format(count), command = "luabox " .. count },
  }, function(c) return { name = c.name, sample = sample(c.command) } end), 3)
  measure.report("memory of what keeps a container running, without its program", rows, { { "memory", "KiB" } }, out)
end

-- ---- a root of programs ----

local function compare_programs()
  local directory = "/tmp/bench/programs"
  shell("mkdir -p " .. directory)
  local pipe <close> = assert(io.popen(LUABOX .. " tests/bench/programs.lua list"))
  local files = pipe:read("a"):gsub("\n", " ")
  local function process(command) return times_of(command, 3, ("find %s -mindepth 1 -delete"):format(directory)) end
  local rows = measure.interleave({
    { name = "cp of the same files", sample = process(("cp --parents -t %s %s"):format(directory, files)) },
    { name = "luabox.rootfs.from_programs", sample = numbers_of("time", LUABOX .. " tests/bench/programs.lua 3") },
    { name = "ldd and cp, a script", rounds = 2, sample = process("tests/bench/programs_ldd.sh " .. directory) },
  }, ROUNDS)
  measure.report("a root of bash and ten tools", rows, { { "time", "ms" } }, out)
  hold_time("a root of bash and ten tools", rows, "luabox.rootfs.from_programs", 100)
end

-- ---- looking ----

local function compare_lists()
  local count, sleepers = 500, {}
  for i = 1, count do sleepers[i] = luabox.sys.process.spawn { program = { "sleep", "600" } } end
  local rows = measure.interleave({
    { name = "lsns", sample = times_of("lsns", 5) },
    { name = "luabox ls", sample = times_of(LUABOX .. " ls", 5) },
  }, ROUNDS)
  for _, sleeper in ipairs(sleepers) do sleeper:close() end
  measure.report(("namespaces of %d processes"):format(count), rows, { { "time", "ms" } }, out)
  hold("a list of namespaces", rows, "luabox ls", "time", 1.0)
end

-- Of a LAN four times the size, four times the time and a little: the growth is linear.
local function compare_maps()
  local contenders = {}
  for i, count in ipairs { 50, 200 } do
    contenders[i] = { name = ("luabox map of %d"):format(count),
      sample = numbers_of("time", ("sleep 0.1; %s tests/bench/map.lua %d"):format(LUABOX, count)) }
  end
  local rows = measure.interleave(contenders, ROUNDS)
  measure.report("a picture of a LAN", rows, { { "time", "ms" } }, out)
  hold_time("a map of 200 nodes", rows, "luabox map of 200", 1000)
  hold("a map of 200 nodes beside one of 50", rows, "luabox map of 200", "time", 5)
end

local WRITE_TAR = [[python3 -c "
import io, tarfile
t = tarfile.open('/tmp/bench/unpack.tar', 'w')
for i in range(10100):
    e = tarfile.TarInfo('d%d/file-%d' % (i // 50, i))
    e.size = 10000 if i % 101 else 1000000
    t.addfile(e, io.BytesIO(bytes(e.size)))
t.close()"]]

local function compare_tars()
  shell(WRITE_TAR)
  local function process(command) return times_of(command, 1, "rm -rf /tmp/bench/unpacked") end
  local rows = measure.interleave({
    { name = "tar -x", sample = process "tar -x -f /tmp/bench/unpack.tar -C /tmp/bench --one-top-level=unpacked" },
    { name = "luabox.rootfs.from_tar",
      sample = process(LUABOX .. " tests/bench/unpack.lua /tmp/bench/unpack.tar /tmp/bench/unpacked") },
  }, ROUNDS)
  shell "rm -rf /tmp/bench/unpack.tar /tmp/bench/unpacked"
  measure.report("a tar of 200 MB and 10100 files", rows, { { "time", "ms" } }, out)
  hold("a tar", rows, "luabox.rootfs.from_tar", "time", 1.2)
end

shell "mount -t cgroup2 cgroup2 /sys/fs/cgroup" -- crun runs on no hybrid of the versions
make_root()
compare_containers()
compare_rates()
for _, count in ipairs(QUICK and { 2, 50, 200 } or { 2, 50, 200, 500 }) do
  local rows = compare_lans(count)
  -- The same bar at every size is what makes the growth the kernel's own.
  if count >= 200 then
    hold(("a LAN of %d"):format(count), rows, "luabox.sys.net", "up", 1.3)
    hold(("a luabox.network of %d"):format(count), rows, "luabox.network", "up", 1.3)
  end
end
for _, count in ipairs { 1, 100, 1000 } do
  local rows = compare_ports(count)
  if count == 1000 then hold("1000 port maps", rows, "luabox.sys.nft", "time", 1.3) end
end
compare_bytes()
compare_memory()
compare_programs()
compare_lists()
compare_maps()
compare_tars()

print ""
for _, line in ipairs(broken) do
  print("BROKEN: " .. line)
  out:write("BROKEN: ", line, "\n")
end
print(#broken == 0 and "all bars hold" or #broken .. " bars broken")
os.exit(#broken == 0, true)
