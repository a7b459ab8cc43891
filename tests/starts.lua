--- Runs of luabox that make all that it can make, and print what came of it: what tests/root/sweep_spec.lua lets fail
-- at each system call. One that prints anything else than without a fault has made something else.

-- What a container sees of itself.
local PROBE = [[
grep -E '^(Umask|Uid|Gid|Groups|NStgid|Cap|NoNewPrivs|Seccomp:|Sig[BI])' /proc/self/status
grep -E '^(Umask|Uid|Gid|Groups|Cap|NoNewPrivs|Seccomp:)' /proc/1/status
cut -d' ' -f4- /proc/self/mountinfo | sed 's/ [a-z]*:[0-9]*//; s/luabox-test-[^ ]*//'
cut -d' ' -f6,7 /proc/1/stat
cat /proc/self/limits /proc/self/uid_map /etc/hosts /etc/hostname /etc/resolv.conf
env; pwd; uname -n; cat /proc/sys/kernel/domainname /proc/sys/net/ipv4/ping_group_range
ls -l /dev /proc/self/fd | sed 's/ [A-Z][a-z][a-z] .*[0-9] / /; s/:\[.*//; s/proc.[0-9]*//'
ip -o addr | cut -d' ' -f2-9; ip route; ip -6 route
]]

-- $before, $options, $probe, $after. An error that is luabox's says so; any other is a flaw.
local BODY = [[
local function main()
  $before
  local box <close> = luabox.container { name = "box", $options }
  box:start()
  print(box:check({ "sh", "-c", [==[$probe]==] }).stdout)
  print(box:call(luabox.sys.system.hostname))
  $after
  box:kill()
  box:wait()
end
local ok, e = pcall(main)
if ok then return end
io.stderr:write(luabox.error.is(e) and "luabox.error: " or "another error: ", tostring(e), "\n")
os.exit(3, true)
]]

local function body(start)
  local words = { before = start.before or "", options = start.options, probe = PROBE, after = start.after or "" }
  return (BODY:gsub("%$(%l+)", words))
end

-- A root in a directory; $1 is its path.
local MAKE_ROOT = [[
mkdir -p $1/bin $1/proc $1/dev $1/sys $1/etc $1/tmp $1/volume && cp /bin/busybox $1/bin &&
for a in sh cat ls ip sed grep cut env uname pwd sleep; do ln -s busybox $1/bin/$a; done
]]

-- Not in which cgroup luabox has made its own: where one may not be looked at it takes the next one further up.
local SHOW_LIMITS = [[
local file <close> = assert(io.open(("/proc/%d/cgroup"):format(box:pid())))
print((file:read("a"):gsub("[^:\n]*luabox[%w-]*", "")))
print(box.cgroup:get "memory.max", box.cgroup:get "pids.max", box.cgroup:get "cpu.max")
]]

local starts = {
  {
    name = "the default root",
    options = [[hostname = "h", domainname = "d", files = { ["/a/b"] = "c" }, dns = { "10.9.9.9" }]],
  },
  {
    name = "a directory below an overlay", make_root = MAKE_ROOT,
    options = [[rootfs = ROOT, size = "1M", init = false, command = { "sleep", "100" }, mounts = {
      { source = ROOT .. "/volume", target = "/v", flags = "ro" }, { type = "tmpfs", target = "/t" } }]],
  },
  {
    name = "a user namespace",
    before = "local map = { { inside = 0, outside = 100000, count = 65536 } }",
    options = "uid_map = map, gid_map = map, user = { uid = 7, gid = 8, groups = { 9 } }",
  },
  {
    name = "limits",
    options = [[memory = "64M", cpus = 0.5, pids = 50, rlimits = { NOFILE = 100 }, capabilities = "kill",
      seccomp = false, sysctls = { ["net.ipv4.ip_default_ttl"] = 33 }]],
    after = SHOW_LIMITS,
  },
  {
    name = "a network",
    before = [[local lan <close> =
      luabox.network { name = "lan", subnet = { "10.1.2.0/24", "fd00:1::/64" }, nat = true }]],
    options = [[network = lan, address = "10.1.2.3", ports = { "8080:80" }]],
    after = [[print(luabox.sys.system.sysctl "net.ipv4.ip_forward")]],
  },
}

for _, start in ipairs(starts) do start.code = body(start) end

return starts
