local gc = require "luabox.gc"
local spec = require "spec"
local sys = require "luabox.sys.keeper"

local contents, eventually, exists, sh = spec.contents, spec.eventually, spec.exists, spec.output
local unique, write = spec.unique, spec.write

local STATE = "/run/luabox"

-- Starts a run of luabox, behind a command if given; gives the numbers of its process and its keeper's.
local function start(code, prefix)
  local path = os.tmpname()
  write(path, [[
local keeper = require("luabox.keeper").get()
]] .. code .. [[
io.write(io.open("/proc/self/stat"):read("n"), " ", keeper:pid(), "\n")
io.flush()
require("system").sleep(1000)
]])
  local command = ("exec %s %s %s 2>&1"):format(prefix or "", os.getenv "LUABOX_INTERPRETER", path)
  local pipe = assert(io.popen(command))
  local line = pipe:read("l") or ""
  os.remove(path)
  local pid, keeper = line:match("^(%d+) (%d+)$")
  if not pid then error("the run failed: " .. line .. (pipe:read("a") or ""), 2) end
  return { pipe = pipe, pid = pid, keeper = keeper }
end

-- A kernel before 5.12 plays here: it knows no owner of a table.
local WITHOUT_OWNERS = [[
local luabox = require "luabox"
local methods
do
  local socket <close> = luabox.sys.nft.socket()
  methods = getmetatable(socket).__index
end
local apply = methods.apply
function methods.apply(socket, operations)
  for _, o in ipairs(operations) do
    if o.owner then luabox.error.raise { op = "nft", subject = "table", code = "EOPNOTSUPP" } end
  end
  return apply(socket, operations)
end
local lan = luabox.network { name = "old", gateway = true }
lan:start()
]]

local function tables()
  return sh "nft list tables | grep -c luabox-old"
end

local function no_tables()
  return tables() == "0"
end

local function kill_both(run)
  os.execute(("kill -9 %s %s"):format(run.keeper, run.pid))
  run.pipe:close()
  eventually(function() return spec.ended(run.keeper) end)
end

-- Runs the collector and gives what it says.
local function collect(options)
  local lines = {}
  options = options or {}
  options.write = function(line) lines[#lines + 1] = line end
  gc.run(options)
  return table.concat(lines)
end

local function header(o)
  o = o or {}
  local here = sys.here()
  return ("luabox-journal 1\nboot %s\nrun %d %d\nnamespaces pid %d mnt %d net %d cookie %d\n"):format(
    o.boot or here.boot, 999, 1, o.pid_ns or here.pid_ns, o.mnt_ns or here.mnt_ns, o.net_ns or here.net_ns,
    o.net_cookie or here.net_cookie)
end

-- A journal as a dead run would have left it.
local function forge(name, records, o)
  os.execute("mkdir -m 700 -p " .. STATE)
  local path = STATE .. "/" .. name .. ".journal"
  write(path, header(o) .. records)
  return path
end

describe("luabox gc #root #cgroup", function()
  local function test(name, f)
    it(name, function()
      finally(function()
        os.execute(("rm -rf %s; umount /run/netns 2>/dev/null; rmdir /run/netns 2>/dev/null"):format(STATE))
      end)
      f()
    end)
  end

  test("checks its options first", function()
    assert.error_matches(function() gc.run(print) end, "bad argument #1 to 'run' %(table expected, got function%)")
    assert.error_matches(function() gc.run { dry = true } end, "unknown option 'dry'; expected one of 'dry_run', ")
    assert.error_matches(function() gc.collect("1-1-0.journal", { write = 1 }) end, "option 'write': function expected")
  end)

  test("undoes what a killed run with a killed keeper left", function()
    local name = unique()
    local run = start(([[
      local group = keeper:create_cgroup { name = "%s", ["pids.max"] = 10 }
      for _, path in ipairs(group:paths()) do
        os.execute("(echo 0 >" .. path .. "/cgroup.procs; sleep 1000 &) >/dev/null 2>&1 </dev/null")
      end
      keeper:sysctl { name = "net.ipv4.ip_forward", value = 1 }
      keeper:file("/tmp/%s")
      io.open("/tmp/%s", "w"):close()
    ]]):format(name, name, name))
    assert.equal("", collect()) -- it lives
    assert.is_true(exists("/tmp/" .. name))
    kill_both(run)
    assert.equal("1", contents "/proc/sys/net/ipv4/ip_forward")
    local dry = collect { dry_run = true }
    assert.truthy(dry:find("file /tmp/" .. name .. ": would be removed", 1, true))
    assert.is_true(exists("/tmp/" .. name))
    local said = collect()
    assert.truthy(said:find("file /tmp/" .. name .. ": removed", 1, true))
    assert.truthy(said:find("^file"), "the last made first")
    assert.equal("0", contents "/proc/sys/net/ipv4/ip_forward")
    assert.equal("", sh("find /sys/fs/cgroup -name luabox-" .. name))
    assert.is_false(exists("/tmp/" .. name))
    assert.is_false(exists(STATE))
  end)

  test("removes a table that no kernel removes, as the keeper does #nft", function()
    local run = start(WITHOUT_OWNERS)
    assert.equal("1", tables())
    os.execute("kill -9 " .. run.pid)
    run.pipe:close()
    assert.is_true(eventually(no_tables))
    assert.is_true(eventually(function() return not exists(STATE) end))
    run = start(WITHOUT_OWNERS)
    kill_both(run)
    assert.equal("1", tables())
    assert.truthy(collect():find "table 1 luabox%-old%-%x+: removed")
    assert.equal("0", tables())
    run = start(WITHOUT_OWNERS .. "lan:delete()")
    assert.equal("0", tables())
    kill_both(run)
    assert.equal("", collect())
  end)

  test("leaves a run alone whose keeper alone was killed, and one whose keeper is at work", function()
    local path = "/tmp/" .. unique()
    local run = start(('keeper:file("%s"); io.open("%s", "w"):close()\n'):format(path, path))
    os.execute("kill -9 " .. run.keeper)
    assert.is_true(eventually(function() return spec.ended(run.keeper) end))
    assert.equal("", collect())
    assert.is_true(exists(path))
    os.execute("kill -9 " .. run.pid)
    run.pipe:close()
    assert.truthy(collect():find(path .. ": removed", 1, true))
    assert.is_false(exists(path))
  end)

  test("says nothing, or only what fails, if asked", function()
    local path = "/tmp/" .. unique()
    write(path, "")
    forge("1-1-0", ("+1 file %s\n+2 directory /tmp\n"):format(path))
    local said = collect { quiet = true }
    assert.is_nil(said:find(path, 1, true))
    assert.truthy(said:find("directory /tmp: cannot be removed: ", 1, true))
    assert.is_false(exists(path))
  end)

  test("keeps a journal until all in it is done, and strikes out what is", function()
    local path = "/tmp/" .. unique()
    os.execute(("mkdir -p %s/in; touch %s.file"):format(path, path))
    local journal = forge("1-1-0", ("+1 directory %s\n+2 file %s.file\n"):format(path, path))
    assert.truthy(collect():find("cannot be removed: is not empty", 1, true))
    assert.truthy(contents(journal):find("\n-2 file", 1, true))
    assert.truthy(contents(journal):find("\n+1 directory", 1, true))
    os.execute("rmdir " .. path .. "/in")
    assert.equal(("directory %s: removed\n"):format(path), collect())
    assert.is_false(exists(STATE))
  end)

  test("passes over what is no record in force", function()
    local path = "/tmp/" .. unique()
    write(path, "")
    forge("1-1-0", table.concat({
      "?1 file " .. path, "-2 file " .. path, "+3", "+ file " .. path, "+x file " .. path, "+4file " .. path,
      "+99999999999 file " .. path, "file " .. path, "\0+5 file " .. path,
      "+6 file " .. path, -- without its end
    }, "\n"))
    collect()
    assert.is_true(exists(path))
    os.remove(path)
  end)

  test("kills no process that has the pid of another", function()
    local pipe = io.popen("echo $$; exec sleep 100")
    local pid = pipe:read("n")
    local start_time = sys.start_time(pid)
    local function lives() return not spec.ended(pid) end
    forge("1-1-0", ("+1 process %d %d\n"):format(pid, start_time - 1))
    collect()
    local survived = lives()
    forge("1-1-0", ("+1 process %d %d\n"):format(pid, start_time), { pid_ns = 1 })
    local said = collect()
    survived = survived and lives()
    forge("1-1-0", ("+1 process %d %d\n"):format(pid, start_time))
    assert.truthy(collect():find(("process %d %d: removed"):format(pid, start_time), 1, true))
    pipe:close()
    assert.is_true(survived)
    assert.truthy(said:find("is gone already", 1, true))
    assert.is_nil(sys.start_time(pid))
  end)

  test("removes only files after a restart of the machine", function()
    local path = "/tmp/" .. unique()
    os.execute(("touch %s; touch %s.pin"):format(path, path))
    local pid = sys.here().pid
    forge("1-1-0", ("+1 file %s\n+2 pin %s.pin\n+3 process %d %d\n"):format(path, path, pid, sys.start_time(pid)),
      { boot = "00000000-0000-0000-0000-000000000000" })
    collect()
    assert.is_false(exists(path))
    assert.is_true(exists(path .. ".pin"))
    os.remove(path .. ".pin")
  end)

  test("destroys no directory that is no cgroup", function()
    local path = "/tmp/" .. unique()
    os.execute("mkdir " .. path)
    forge("1-1-0", "+1 cgroup " .. path .. "\n+2 cgroup /sys/fs/cgroup\n+3 file " .. path .. "\n")
    local said = collect()
    assert.truthy(said:find("cgroup " .. path .. ": left alone: it is no record of luabox's", 1, true))
    assert.truthy(said:find("file " .. path .. ": cannot be removed: is a directory now", 1, true))
    assert.is_true(exists(path))
    os.execute("rmdir " .. path)
  end)

  test("follows no symbolic link, and takes no foreign file for a journal", function()
    os.execute("mkdir -m 700 -p " .. STATE)
    local path = "/tmp/" .. unique()
    write(path, header() .. "+1 file " .. path .. "\n")
    os.execute(("cd %s; ln -s %s 1-1-0.journal; cp %s x; ln x 1-1-1.journal; mkfifo 1-1-2.journal; mkdir 1-1-3.journal")
      :format(STATE, path, path))
    write(STATE .. "/1-1-4.journal", "something else")
    local said = collect()
    for i = 0, 4 do
      local line = said:match(("1%%-1%%-%d%%.journal: left alone: ([^\n]*)"):format(i))
      assert.truthy(line and (line:find("EBADMSG", 1, true) or line:find("EISDIR", 1, true)), said)
    end
    assert.is_true(exists(path))
    os.remove(path)
  end)

  test("removes the journal of a keeper that was killed before it wrote to it", function()
    os.execute("mkdir -m 700 -p " .. STATE)
    write(STATE .. "/1-1-0.journal", "")
    assert.equal("", collect { dry_run = true })
    assert.is_true(exists(STATE .. "/1-1-0.journal"))
    assert.equal("", collect())
    assert.is_false(exists(STATE))
  end)

  test("trusts no directory that others can write to", function()
    forge("1-1-0", "+1 file /tmp/x\n")
    os.execute("chmod 777 " .. STATE)
    local ok, e = pcall(collect)
    assert.is_false(ok)
    assert.equal("EPERM", e.code)
  end)

  test("goes where a living network namespace is", function()
    os.execute("ip netns add lbgc; ip -n lbgc link add lbgc0 type veth peer name lbgc1")
    local run = start('keeper:link { name = "lbgc2" }; os.execute("ip link add lbgc2 type veth peer name lbgc3")\n',
      "ip netns exec lbgc")
    kill_both(run)
    local holder = io.popen("exec ip netns exec lbgc sleep 1000", "w")
    local holder_pid
    assert.is_true(eventually(function()
      holder_pid = sh("ip netns pids lbgc")
      return holder_pid ~= ""
    end))
    local said = collect()
    local links = sh("ip -n lbgc -br link")
    os.execute("kill -9 " .. holder_pid)
    holder:close()
    os.execute("ip netns del lbgc")
    assert.truthy(said:find("link 0 lbgc2: removed", 1, true), said)
    assert.is_nil(links:find("lbgc2", 1, true))
    assert.truthy(links:find("lbgc0", 1, true))
  end)

  test("removes the note of a sysctl whose namespace is gone", function()
    os.execute("ip netns add lbgc")
    local run = start('keeper:sysctl { name = "net.ipv4.ip_forward", value = 1 }\n', "ip netns exec lbgc")
    kill_both(run)
    os.execute("ip netns del lbgc")
    assert.is_true(eventually(function()
      collect()
      return not exists(STATE)
    end))
    assert.equal("0", contents "/proc/sys/net/ipv4/ip_forward")
  end)

  test("is a command", function()
    local path = "/tmp/" .. unique()
    write(path, "")
    forge("1-1-0", "+1 file " .. path .. "\n")
    local command = os.getenv("LUABOX_BUILD") .. "/luabox gc"
    assert.equal(("file %s: would be removed"):format(path), sh(command .. " --dry-run"))
    assert.equal(("file %s: removed"):format(path), sh(command))
    assert.equal("", sh(command))
    assert.equal("luabox gc: unknown argument '--all'", sh(command .. " --all 2>&1 | head -1"))
  end)
end)
