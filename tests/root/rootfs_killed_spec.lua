-- A run is killed while it makes a root in a directory: nothing of it stays, and nothing else is touched.
local archive = require "archive"
local gc = require "luabox.gc"
local luabox = require "luabox"
local program = require "program"
local spec = require "spec"

local eventually, exists, output = spec.eventually, spec.exists, spec.output

local STATE = "/run/luabox"

local function place()
  local path, remove = program.directory()
  finally(remove)
  return path
end

-- Starts a run of luabox that stops in the midst; gives it with the numbers of its process and its keeper's.
local function start(dir, code)
  spec.write(dir .. "/run.lua", [[
    local luabox = require "luabox"
    local file = luabox.sys.file
    local function stop()
      io.write(io.open("/proc/self/stat"):read("n"), " ", luabox.keeper.current():pid(), "\n")
      io.flush()
      require("system").sleep(1000)
    end
  ]] .. code)
  local pipe = assert(io.popen(("exec %s %s/run.lua 2>&1"):format(os.getenv "LUABOX_INTERPRETER", dir)))
  local line = pipe:read("l") or ""
  local pid, keeper = line:match "^(%d+) (%d+)$"
  if not pid then error("the run failed: " .. line .. (pipe:read("a") or ""), 2) end
  return { pipe = pipe, pid = pid, keeper = keeper }
end

local function kill(run, also)
  os.execute(("kill -9 %s %s"):format(also or "", run.pid))
  run.pipe:close()
end

local function is_undone() return not exists(STATE) end

-- Stops in the midst of a root of programs.
local PROGRAMS = [[
  local copy, copies = file.copy, 0
  function file.copy(...)
    copy(...)
    copies = copies + 1
    if copies == 3 then stop() end
  end
  luabox.rootfs.from_programs { "bash", "ls", to = "%s" }
]]

describe("a run that is killed #root", function()
  for _, given in ipairs { true, false } do
    it("leaves nothing of from_programs in a directory that was " .. (given and "empty" or "not there"), function()
      local dir = place()
      local to = dir .. "/root"
      if given then spec.shell("mkdir -m 750 " .. to) end
      spec.write(dir .. "/neighbour", "mine")
      local run = start(dir, PROGRAMS:format(to))
      assert.equal("3", output(("find %s -type f | wc -l"):format(to)))
      kill(run)
      assert.is_true(eventually(is_undone))
      assert.equal(given and "neighbour root run.lua" or "neighbour run.lua", (output("ls " .. dir):gsub("\n", " ")))
      if given then
        assert.equal("750 0", (output(("stat -c %%a %s; ls -A %s | wc -l"):format(to, to)):gsub("\n", " ")))
      end
    end)
  end

  it("leaves nothing of from_tar", function()
    local dir = place()
    archive.write(dir .. "/x.tar", [[directory("d"); file("d/small"); directory("shut", mode=0); file("shut/x")]])
    local run = start(dir, ([[
      local unpack = luabox.sys.tar.unpack
      function luabox.sys.tar.unpack(...)
        unpack(...)
        stop()
      end
      luabox.rootfs.from_tar("%s/x.tar", { to = "%s/root" })
    ]]):format(dir, dir))
    assert.is_true(exists(dir .. "/root/d/small"))
    kill(run)
    assert.is_true(eventually(is_undone))
    assert.is_false(exists(dir .. "/root"))
  end)

  it("leaves a root that is whole", function()
    local dir = place()
    local run = start(dir, ([[
      luabox.rootfs.from_programs { "bash", to = "%s/root" }
      stop()
    ]]):format(dir))
    kill(run)
    assert.is_true(eventually(is_undone))
    assert.equal("0", output(("chroot %s/root /bin/bash -c :; echo $?"):format(dir)))
  end)

  it("leaves it to people when its keeper is killed, too", function()
    local dir = place()
    local run = start(dir, PROGRAMS:format(dir .. "/root"))
    kill(run, run.keeper)
    assert.is_true(eventually(function() return spec.ended(run.keeper) end))
    local lines = {}
    local function write(line) lines[#lines + 1] = line end
    gc.run { write = write, dry_run = true }
    gc.run { write = write }
    local name = "contents " .. dir .. "/root: "
    assert.equal(name .. "would be left alone\n", lines[1])
    assert.equal(name .. "left alone: it was not finished, and others may have files in it by now; remove it by hand\n",
      lines[3])
    assert.equal("3", output(("find %s/root -type f | wc -l"):format(dir)))
    spec.shell(("rm -r %s/root"):format(dir))
    gc.run {}
    assert.is_true(is_undone())
  end)
end)

describe("the keeper's contents #root", function()
  local function told(dir, make)
    kill(start(dir, ([[
      file.mkdir("%s/of")
      luabox.keeper.get():contents("%s/of")
      os.execute [=[cd %s/of && %s]=]
      stop()
    ]]):format(dir, dir, dir, make)))
  end

  it("go, however deep they are; what a link leads to stays", function()
    local dir = place()
    spec.write(dir .. "/neighbour", "mine")
    told(dir, [[ln -s .. up && ln ../neighbour hard && mkfifo fifo && mkdir -p x/y/z x/.../w && touch 'x/a b' &&
      python3 -c 'import os
for i in range(2000): os.mkdir("d"); os.chdir("d")']])
    assert.is_true(eventually(is_undone))
    assert.equal("0", output(("ls -A %s/of | wc -l"):format(dir)))
    assert.equal("mine", spec.contents(dir .. "/neighbour"))
  end)

  it("stay where another file system is mounted", function()
    local dir = place()
    finally(function() os.execute(("umount %s/of/m; rm -rf %s"):format(dir, dir)) end)
    told(dir, "mkdir m && mount -t tmpfs m m && touch m/x")
    assert.is_true(eventually(function() -- the keeper gives it up, then so does the collector
      gc.run {}
      return is_undone()
    end))
    assert.is_true(exists(dir .. "/of/m/x"))
  end)

  it("are refused where something is already", function()
    local dir = place()
    finally(luabox.keeper.close)
    local keeper = luabox.keeper.get()
    spec.write(dir .. "/x", "mine")
    assert.equal("ENOTEMPTY", spec.failure(keeper.contents, keeper, dir).code)
    assert.equal("ENOTDIR", spec.failure(keeper.contents, keeper, dir .. "/x").code)
    assert.equal("ENOENT", spec.failure(keeper.contents, keeper, dir .. "/nowhere").code)
    for _, line in ipairs { "contents " .. dir, "contents 0:1 x " .. dir, "contents 0:1 2 x" } do
      assert.equal("EINVAL", spec.failure(keeper.handle.tell, keeper.handle, { line }).code)
    end
  end)
end)
