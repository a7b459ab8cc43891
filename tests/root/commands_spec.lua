-- luabox ls and luabox enter, as they are typed.
local luabox = require "luabox"
local dkjson = require "dkjson"
local program = require "program"
local spec = require "spec"

local is_program = os.getenv "LUABOX_UNDER" == "luabox"

local function sleeper(namespaces)
  local p = luabox.sys.process.spawn { program = { "sleep", "60" }, namespaces = namespaces }
  spec.await_program(p:pid(), "sleep")
  return p
end

local function lines(text)
  local list = {}
  for line in text:gmatch "[^\n]+" do list[#list + 1] = line end
  return list
end

if is_program then
  describe("luabox ls #root", function()
    it("prints lsns's columns", function()
      local p <close> = sleeper "net"
      local id = luabox.ns.of(p:pid()).net
      local out, _, status = program.run { "ls", "-t", "net", "-p", tostring(p:pid()) }
      assert.equal(0, status)
      local listed = lines(out:gsub(" +", " "))
      assert.same({ " NS TYPE NPROCS PID USER COMMAND", ("%d net 1 %d root sleep 60"):format(id, p:pid()) },
        { listed[1]:gsub("^NS", " NS"), listed[2] })
      local of_one = program.run { "ls", "-n", tostring(id) }
      assert.equal(("%d %d root sleep 60\n"):format(p:pid(), luabox.sys.process.id()), of_one)
    end)

    it("prints nothing that a terminal would obey", function()
      assert(os.execute [[ip netns add "$(printf 'red\033[31m')"]])
      finally(function() os.execute "ip netns del $(ls /run/netns); umount /run/netns" end)
      local out = program.run { "ls", "-t", "net", "-o", "PATH" }
      assert.truthy(out:find("/run/netns/red?[31m\n", 1, true), out)
      assert.is_nil(out:find "\27")
    end)

    it("chooses columns, and writes JSON", function()
      local p <close> = sleeper "net"
      local out = program.run { "ls", "-J", "-t", "net", "-p", tostring(p:pid()), "-o", "NS,PID,COMMAND" }
      local entry = dkjson.decode(out).namespaces[1]
      assert.same({ ns = luabox.ns.of(p:pid()).net, pid = p:pid(), command = "sleep 60" }, entry)
    end)

    it("works for an ordinary user", function()
      local out, err, status = program.shell("setpriv --reuid 65534 --clear-groups " .. program.path .. " ls")
      assert.equal("", err)
      assert.equal(0, status)
      assert.is_true(#lines(out) >= 2)
    end)

    it("refuses what it does not know", function()
      for argument, says in pairs { ["-x"] = "unknown argument '-x'", ["-p"] = "'-p' needs a value" } do
        local out, err, status = program.run { "ls", argument }
        assert.equal(2, status)
        assert.equal("", out)
        assert.matches(says, err, 1, true)
      end
      local _, err = program.run { "ls", "-t", "foo" }
      assert.matches("unknown value 'foo'; expected one of", err, 1, true)
      local _, none, status = program.run { "ls", "-p", "999999" }
      assert.equal(1, status)
      assert.matches("No such file or directory", none, 1, true)
    end)
  end)

  describe("luabox enter #root", function()
    it("enters a container by its name, all of it #pidfd", function()
      local box <close> = luabox.container { name = "inside" }:start()
      local script = "hostname; readlink /proc/1/ns/net; exit 3"
      local out, err, status = program.run { "enter", "inside", "sh", "-c", script }
      assert.equal("", err)
      assert.equal(3, status)
      assert.equal(("inside\nnet:[%d]\n"):format(luabox.ns.of(box:pid()).net), out)
      assert.equal("inside\n", (program.run { "enter", tostring(box:pid()), "--", "hostname" }))
    end)

    it("enters as nsenter does with the same options #pidfd", function()
      local box <close> = luabox.container { name = "inside" }:start()
      for _, options in ipairs { "-t %d -u", "-u -n -t%d", "--target=%d --mount --root", "-t %d -a -r -w" } do
        local words = options:format(box:pid()):gsub("%-%-root", "-r")
        local script = "hostname; readlink /proc/self/ns/net /proc/self/ns/mnt /proc/self/cwd"
        local theirs = program.shell(("nsenter %s sh -c '%s'"):format(words, script))
        local ours = program.shell(("%s enter %s sh -c '%s'"):format(program.path, options:format(box:pid()), script))
        assert.equal(theirs, ours, options)
      end
    end)

    it("enters a network namespace of ip netns", function()
      os.execute "ip netns add blue"
      finally(function() os.execute "ip netns delete blue; umount /run/netns" end)
      for _, options in ipairs { {}, { "-n" }, { "-a" } } do
        local words = table.move(options, 1, #options, 2, { "enter" })
        table.move({ "blue", "--", "ip", "-br", "link" }, 1, 5, #words + 1, words)
        assert.matches("^lo%s+DOWN", (program.run(words)))
      end
      for _, option in ipairs { "-m", "-r", "--wd" } do
        local out, err, status = program.run { "enter", "-n", option, "blue", "true" }
        assert.same({ "", 125 }, { out, status }, option)
        assert.matches("'blue' is a network namespace, and no process: all that can be entered is --net", err, 1, true)
      end
    end)

    it("says what is wrong #pidfd", function()
      local _, err, status = program.run { "enter", "nobody", "true" }
      assert.equal(125, status)
      assert.matches("no network namespace and no container with the name 'nobody'", err, 1, true)
      _, err, status = program.run { "enter" }
      assert.equal(2, status)
      assert.matches("a process or a name is needed", err, 1, true)
      _, err, status = program.run { "enter", tostring(luabox.sys.process.id()), "/nowhere" }
      assert.equal(125, status)
      assert.matches("exec /nowhere", err, 1, true)
      local a <close> = luabox.container { name = "twin" }:start()
      local b <close> = luabox.container { name = "twin" }:start()
      _, err = program.run { "enter", "twin", "true" }
      assert.matches("is the host name of several: processes", err, 1, true)
      assert.matches(tostring(a:pid()), err, 1, true)
      assert.matches(tostring(b:pid()), err, 1, true)
    end)

    it("ends with 128 and the number of the signal that killed the command #pidfd", function()
      local _, _, status = program.run { "enter", tostring(luabox.sys.process.id()), "sh", "-c", "kill -TERM $$" }
      assert.equal(143, status)
    end)
  end)
end
