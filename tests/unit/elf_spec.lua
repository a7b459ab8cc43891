-- Programs' libraries, held against what ldd says.
local elf = require "luabox.elf"
local file = require "luabox.sys.file"
local program = require "program"

local function directory()
  local path, remove = program.directory()
  finally(remove)
  return path
end

-- name → path, from the tool that runs the loader.
local function ldd(path)
  local found, pipe = {}, assert(io.popen("ldd " .. path .. " 2>&1"))
  for line in pipe:lines() do
    local name, where = line:match "^%s*(%S+) => (%S+)"
    if name then found[name] = where end
  end
  pipe:close()
  return found
end

local function by_name(list)
  local found = {}
  for _, entry in ipairs(list) do found[entry.name] = entry end
  return found
end

local function compile(source, options)
  assert(os.execute(("printf %%s '%s' | cc -x c - -x none %s 2>/dev/null"):format(source, options)))
end

describe("luabox.elf", function()
  it("finds the libraries that the loader finds", function()
    for _, path in ipairs { "/bin/bash", "/usr/bin/python3", "/sbin/ip", "/usr/bin/lua5.4", "/bin/ls" } do
      local real, compared = file.realpath(path), 0
      local own = by_name(elf.dependencies(real))
      for name, where in pairs(ldd(real)) do
        assert.is_table(own[name], path .. " needs " .. name)
        assert.equal(file.realpath(where), file.realpath(own[name].path), path)
        compared = compared + 1
      end
      assert.is_true(compared > 0, path)
      assert.equal("/lib64/ld-linux-x86-64.so.2", elf.dependencies(real)[1].path)
    end
  end)

  it("finds nothing for what is linked statically, and for a script", function()
    assert.same({}, elf.dependencies "/bin/busybox")
    assert.is_nil(elf.read "/bin/busybox".interpreter)
    assert.is_nil((elf.read "/usr/bin/ldd"))
    assert.same({}, elf.dependencies "/usr/bin/ldd")
  end)

  it("follows a program's own paths, and names what is missing", function()
    local dir = directory()
    assert(os.execute("mkdir -p " .. dir .. "/lib " .. dir .. "/deep"))
    compile("int deep(void) { return 1; }",
      ("-shared -fPIC -Wl,-soname,libdeep.so.1 -o %s/deep/libdeep.so.1"):format(dir))
    compile("int deep(void); int near(void) { return deep(); }",
      ("-shared -fPIC -Wl,-soname,libnear.so.1 -Wl,--disable-new-dtags,-rpath,\\$ORIGIN/../deep "
        .. "-o %s/lib/libnear.so.1 %s/deep/libdeep.so.1"):format(dir, dir))
    compile("int near(void); int main(void) { return near(); }",
      ("-Wl,-rpath,\\${ORIGIN}/lib -o %s/program %s/lib/libnear.so.1 -Wl,-rpath-link,%s/deep"):format(dir, dir, dir))
    local found = by_name(elf.dependencies(dir .. "/program"))
    assert.equal(file.realpath(dir .. "/lib/libnear.so.1"), file.realpath(found["libnear.so.1"].path))
    assert.equal(file.realpath(dir .. "/deep/libdeep.so.1"), file.realpath(found["libdeep.so.1"].path))
    os.remove(dir .. "/deep/libdeep.so.1")
    local missing = by_name(elf.dependencies(dir .. "/program"))["libdeep.so.1"]
    assert.is_nil(missing.path)
    assert.equal(dir .. "/lib/libnear.so.1", missing.needed_by)
  end)

  it("reads each library once for several programs", function()
    local search, real, reads = elf.search(), file.read, {}
    file.read = function(path, o)
      reads[path] = (reads[path] or 0) + 1
      return real(path, o)
    end
    finally(function() file.read = real end)
    for _, path in ipairs { "/bin/ls", "/bin/bash" } do
      assert.same(elf.dependencies(path), search:dependencies(path))
      reads = {}
    end
    search:dependencies "/bin/cat"
    assert.same({ ["/bin/cat"] = 1 }, reads)
  end)

  it("keeps to a root", function()
    local root = directory()
    assert(os.execute(("mkdir -p %s/bin %s/lib64 && cp /bin/ls %s/bin"):format(root, root, root)))
    for _, entry in ipairs(elf.dependencies("/bin/ls", root)) do assert.is_nil(entry.path, entry.name) end
    for _, entry in ipairs(elf.dependencies "/bin/ls") do
      local path = entry.path
      assert(os.execute(("mkdir -p %s%s && cp %s %s%s"):format(root, path:match "^(.*)/", path, root, path)))
    end
    for _, entry in ipairs(elf.dependencies("/bin/ls", root)) do assert.is_string(entry.path, entry.name) end
  end)

  it("refuses a damaged file, wherever it is cut", function()
    local path = directory() .. "/damaged"
    local whole = file.read "/bin/ls"
    local kept, refused = 0, 0
    for size = 4, #whole, 97 do
      file.write(path, whole:sub(1, size))
      local ok, e = pcall(elf.read, path)
      if ok then
        kept = kept + 1
      else
        refused = refused + 1
        assert.equal("ENOEXEC", e.code)
        assert.matches("damaged ELF file", tostring(e), 1, true)
      end
    end
    assert.is_true(refused > 0 and kept > 0)
  end)

  it("says what is not there", function()
    local ok, e = pcall(elf.dependencies, "/nowhere")
    assert.is_false(ok)
    assert.equal("ENOENT", e.code)
    assert.matches("bad argument #2 to 'dependencies' ('x' is not an absolute path)",
      select(2, pcall(elf.dependencies, "/bin/ls", "x")), 1, true)
  end)
end)
