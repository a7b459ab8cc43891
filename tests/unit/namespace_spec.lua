local badargs = require "badargs"
local namespace = require "luabox.sys.namespace"
local refusal = require "refusal"

describe("luabox.sys.namespace", function()
  it("checks types, pids and paths", function()
    assert.equal("#1 (unknown value 'nett'; did you mean 'net'?)", refusal(namespace.open, "nett"))
    assert.equal("#2 (pid out of range)", refusal(namespace.open, "net", 0))
    assert.equal("#2 (number expected, got boolean)", refusal(namespace.open, "net", true))
    assert.equal("#2 (the path is empty)", refusal(namespace.open, "net", ""))
    assert.equal("#1 (no namespace type is named)", refusal(namespace.unshare, ""))
    assert.equal("#1 (handle, io file or descriptor number expected, got string)", refusal(namespace.enter, "net"))
    assert.equal("#2 (string expected, got no value)", refusal(namespace.enter, io.stdin))
  end)

  it("refuses a closed handle", function()
    local net = namespace.open "net"
    net:close()
    assert.equal("luabox.namespace (closed)", tostring(net))
    assert.is_truthy(refusal(net.id, net):find("attempt to use a closed luabox.namespace", 1, true))
    assert.equal("#1 (attempt to use a closed handle)", refusal(namespace.enter, net))
  end)

  describe("write_id_maps", function()
    local function map_refusal(ranges)
      return refusal(namespace.write_id_maps, { pid = 1, uid = ranges })
    end

    it("checks its options", function()
      badargs.check(namespace.write_id_maps, {
        pid = { "integer", required = true, min = 1, max = 2147483647 },
        uid = { "table" },
        gid = { "table" },
        setgroups = { "enum", names = { "allow", "deny" } },
      }, { pid = 1 })
    end)

    it("checks each range", function()
      assert.equal("#1 (option 'uid': a list of 1 to 340 ranges expected, got 0)", map_refusal {})
      assert.equal("#1 (option 'uid[1]': table expected, got number)", map_refusal { 1 })
      assert.equal("#1 (option 'uid[1].inside' is missing)", map_refusal { { outside = 1 } })
      assert.equal("#1 (option 'uid[1].count': 0 is out of range (1 to 4294967295))",
        map_refusal { { inside = 0, outside = 0, count = 0 } })
      assert.equal("#1 (option 'uid': range 1 goes beyond the last id, 4294967294)",
        map_refusal { { inside = 1, outside = 0, count = 4294967295 } })
      assert.equal("#1 (option 'uid': the inside ids of ranges 1 and 2 overlap)",
        map_refusal { { inside = 0, outside = 0, count = 10 }, { inside = 9, outside = 100 } })
      assert.equal("#1 (option 'uid': the outside ids of ranges 2 and 3 overlap)",
        map_refusal { { inside = 0, outside = 0 }, { inside = 1, outside = 5 }, { inside = 2, outside = 5 } })
    end)

    it("takes no more ranges than the kernel does", function()
      local ranges = {}
      for i = 1, 341 do ranges[i] = { inside = i, outside = i } end
      assert.equal("#1 (option 'uid': a list of 1 to 340 ranges expected, got 341)", map_refusal(ranges))
      for i = 1, 340 do ranges[i] = { inside = 100000 * i, outside = 4000000 + i } end
      ranges[341] = nil
      assert.equal("#1 (option 'uid': the kernel takes at most 340 ranges, in a text of less than 4096 bytes)",
        map_refusal(ranges))
    end)
  end)
end)
