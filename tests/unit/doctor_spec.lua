-- luabox doctor, as any user: the list, its two forms, and what system calls and lists of modules make of it.
local doctor = require "luabox.doctor"
local json = require "dkjson"
local look = require "luabox.doctor_look"
local run = require("doctor").run
local spec = require "spec"
local system = require "luabox.sys.system"

local UNPRIVILEGED = system.uid() == 0 and "setpriv --reuid 1000 --regid 1000 --clear-groups --inh-caps=-all" or ""
local LACKING = os.getenv("LUABOX_BUILD") .. "/tests/lacking "

-- What the command writes, its last line and its exit status.
local function command(arguments)
  local text = spec.output(("%s%s/luabox doctor %s; echo $?"):format(UNPRIVILEGED .. " ", os.getenv "LUABOX_BUILD",
    arguments or ""))
  local said, status = text:match "^(.-)\n?(%d+)$"
  return said, tonumber(status)
end

describe("luabox.doctor", function()
  it("describes every feature whole", function()
    local rows, can_run, summary, here = doctor.check()
    local seen = {}
    assert.is_boolean(can_run)
    assert.matches("^The main job can", summary)
    assert.matches("^Linux %d", here)
    for _, row in ipairs(rows) do
      assert.is_nil(seen[row.name], row.name)
      seen[row.name] = true
      assert.is_truthy(row.status == "ok" or row.status == "missing" or row.status == "cannot tell", row.name)
      for _, field in ipairs { "group", "needed_by", "get" } do assert.is_string(row[field], row.name) end
      assert.is_boolean(row.essential)
      -- It says why, but where the name says all.
      assert.is_truthy(row.status ~= "cannot tell" or row.detail, row.name)
    end
    assert.is_truthy(#rows > 50)
  end)

  it("says so on one line, and by its exit status, where the main job cannot run", function()
    local text, status = command()
    assert.equal(1, status)
    assert.matches("\nThe main job cannot run here: missing [^\n]+%.$", text)
    assert.matches("\nmissing +CAP_SYS_ADMIN %* +namespaces, mounts", text)
  end)

  it("fits a terminal of 100 columns", function()
    for line in command():gmatch "[^\n]+" do
      assert.is_truthy(utf8.len(line) <= 100, line)
      assert.is_nil(line:find "%s$", line)
    end
  end)

  it("says the same for scripts", function()
    local text, status = command "--json"
    local said = json.decode(text)
    assert.equal(1, status)
    assert.is_false(said.can_run)
    local table_text = command()
    assert.matches(said.summary, table_text, 1, true)
    for _, row in ipairs(said.features) do
      local line = row.status .. (" "):rep(13 - #row.status) .. row.name
      assert.matches("\n" .. line, table_text, 1, true)
    end
  end)

  it("tells how it is used", function()
    local text, status = command "--help"
    assert.equal(0, status)
    assert.matches("^usage: luabox doctor %[%-%-json%]\n", text)
    text, status = command "--all"
    assert.equal(2, status)
    assert.matches("^luabox doctor: unknown argument '%-%-all'\nusage: ", text)
  end)

  it("needs no privilege, and tells what it cannot tell", function()
    local features, status = run(UNPRIVILEGED)
    assert.equal(1, status)
    assert.equal("missing", features.CAP_NET_ADMIN.status)
    assert.equal("this process lacks CAP_NET_ADMIN", features.CAP_NET_ADMIN.detail)
    assert.equal("cannot tell", features["mount and pivot_root"].status)
    assert.equal("ok", features["file system proc"].status)
  end)

  it("writes to no file that others see", function()
    local log, seen = os.tmpname(), false
    spec.output(("strace -f -o %s -e trace=file %s %s -e 'require(\"luabox\").doctor.check()'"):format(log,
      UNPRIVILEGED, os.getenv "LUABOX_INTERPRETER"))
    for line in io.lines(log) do
      seen = seen or line:find('"/proc/filesystems", O_RDONLY', 1, true)
      assert.is_nil(line:find "mkdir%(" or line:find "unlink%(" or line:find "rename%(", line)
      -- What is no path from the root is in a tree of a child's own; what is in /proc, the child's own id map.
      local path, flags = line:match 'openat%(AT_FDCWD, "([^"]+)", ([%u_|]+)'
      local writes = flags and (flags:find "O_WRONLY" or flags:find "O_RDWR" or flags:find "O_CREAT")
      assert.is_falsy(writes and not path:find "^/proc/self/" and path ~= "/dev/null", line)
    end
    os.remove(log)
    assert.is_truthy(seen)
  end)
end)

describe("a system call that is not there", function()
  local row_of = {}
  for name, feature in pairs((run())) do
    for call in name:gmatch "[%w_]+" do row_of[call] = feature.name end
  end
  row_of.seccomp, row_of.keyctl = "seccomp filters", "keyrings"

  for _, call in ipairs(system.calls()) do
    it("is missed: " .. call .. " #unfiltered", function()
      local feature = run(LACKING .. call)[row_of[call]]
      assert.equal("missing", feature.status)
      assert.equal(call .. "(2) answers ENOSYS", feature.detail)
    end)
  end
end)

describe("a module", function()
  local directory

  before_each(function()
    directory = os.tmpname()
    os.remove(directory)
    spec.shell(("mkdir -p %s/kernel && touch %s/kernel/a-b.ko.xz"):format(directory, directory))
  end)
  after_each(function() spec.shell("rm -r " .. directory) end)

  -- What the lists say of a comma list of modules.
  local function told(list, changes)
    local see = look.new()
    see.modules = {
      directory = directory, any = true, listed = true, loaded = { l = "l" }, builtin = { b = "kernel/b.ko" },
      files = { a_b = "kernel/a-b.ko.xz", gone = "kernel/gone.ko" }, closed = false,
    }
    for name, value in pairs(changes or {}) do see.modules[name] = value end
    return see:by_module(list)
  end

  it("is there if it is loaded, built in or can be loaded", function()
    assert.is_nil(told "l,b")
    assert.same({ "ok", "module a_b, loaded when first used" }, { told "l,a_b" })
  end)

  it("is missing if no list or no file has it, or none may be loaded", function()
    assert.same({ "missing", "there is no module x in " .. directory }, { told "l,a_b,x" })
    assert.same({ "missing", "there is no module gone in " .. directory }, { told "gone" })
    assert.same({ "missing", "module a_b is not loaded, and none can be any more" }, { told("a_b", { closed = true }) })
  end)

  it("is not asked for where no list tells what that would do", function()
    assert.equal("cannot tell", (told("x", { listed = false })))
    assert.is_nil(told("x", { any = false }))
  end)
end)
