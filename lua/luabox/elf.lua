--- Programs and their libraries, found as their loader will find them: by the headers of ELF files; none is run.
-- @module luabox.elf
local errors = require "luabox.error"
local options = require "luabox.options"
local file = require("luabox").sys.file

local M = {}

local MAX = 1 << 30 -- bytes of a file that is read

-- ---- one file ----

-- Fields of the headers as string.unpack takes them, by class: position of the program headers (offset, size, count),
-- of one header's offset, address, size, and the width of a word.
local LAYOUT = {
  [1] = { table = { 28, "I4" }, entry = { 42, "I2I2" }, header = "I4I4I4I4I4", word = "I4" },
  [2] = { table = { 32, "I8" }, entry = { 54, "I2I2" }, header = "I4I4I8I8I8I8", word = "I8" },
}
local LOAD, DYNAMIC, INTERP = 1, 2, 3
local NEEDED, STRTAB, SONAME, RPATH, RUNPATH, FLAGS_1 = 1, 5, 14, 15, 29, 0x6ffffffb
local NO_DEFAULT_DIRECTORIES = 0x800

local function read_headers(data, order, class)
  local layout = LAYOUT[class]
  local offset = (order .. layout.table[2]):unpack(data, layout.table[1] + 1)
  local size, count = (order .. layout.entry[2]):unpack(data, layout.entry[1] + 1)
  local list = {}
  for i = 0, count - 1 do
    local at, h = offset + i * size + 1, {}
    if class == 2 then
      h.type, h.flags, h.offset, h.address, h.physical, h.size = (order .. layout.header):unpack(data, at)
    else
      h.type, h.offset, h.address, h.physical, h.size = (order .. layout.header):unpack(data, at)
    end
    list[#list + 1] = h
  end
  return list
end

local function string_at(data, offset)
  return ("z"):unpack(data, offset + 1)
end

-- An address of the running program as an offset in the file.
local function offset_of(headers, address)
  for _, h in ipairs(headers) do
    if h.type == LOAD and address >= h.address and address < h.address + h.size then
      return h.offset + address - h.address
    end
  end
  error "an address outside of all segments"
end

local function read_dynamic(data, order, class, headers, dynamic, elf)
  local word, width = order .. LAYOUT[class].word, class == 2 and 8 or 4
  local needed, names = {}, {}
  for at = dynamic.offset + 1, dynamic.offset + dynamic.size, 2 * width do
    local tag, value = word:unpack(data, at), word:unpack(data, at + width)
    if tag == 0 then break end
    if tag == NEEDED then needed[#needed + 1] = value else names[tag] = value end
  end
  local strings = (#needed > 0 or names[SONAME]) and offset_of(headers, assert(names[STRTAB], "no string table"))
  for _, at in ipairs(needed) do elf.needed[#elf.needed + 1] = string_at(data, strings + at) end
  for field, tag in pairs { soname = SONAME, rpath = RPATH, runpath = RUNPATH } do
    elf[field] = names[tag] and strings and string_at(data, strings + names[tag]) or nil
  end
  elf.no_default = (names[FLAGS_1] or 0) & NO_DEFAULT_DIRECTORIES ~= 0
end

local function parse(data)
  local class, endian = data:byte(5), data:byte(6)
  local order = assert(endian == 1 and "<" or endian == 2 and ">", "neither byte order")
  assert(LAYOUT[class], "neither 32 nor 64 bits")
  local elf = { class = class == 2 and 64 or 32, needed = {} }
  elf.machine = (order .. "I2"):unpack(data, 19)
  local headers = read_headers(data, order, class)
  for _, h in ipairs(headers) do
    if h.type == INTERP then elf.interpreter = string_at(data, h.offset) end
    if h.type == DYNAMIC then read_dynamic(data, order, class, headers, h, elf) end
  end
  return elf
end

-- Most candidates of a search are not there: that is asked first, since an error costs more.
local function is_regular(path, root)
  local o = { root = root }
  local ok, there = pcall(file.exists, path, o)
  if not (ok and there) then return false end
  local is_seen, st = pcall(file.stat, path, o)
  return is_seen and st.type == "file"
end

--- Reads the headers of an ELF file.
-- @tparam string path
-- @tparam[opt] string root a directory that the path is meant in
-- @treturn ?table `class` (32 or 64), `machine` (a number), `interpreter` (the loader's path), `needed` (names of
--   libraries), `soname`, `rpath`, `runpath`; nil if it is no ELF file, such as a script
-- @raise luabox.error: ENOENT, EACCES, ENOEXEC for a damaged one
-- @see elf(5)
-- @usage assert(luabox.elf.read("/bin/busybox").class == 64)
function M.read(path, root)
  local data = file.read(path, { root = root, max = MAX })
  if data:sub(1, 4) ~= "\127ELF" then return nil end
  local ok, elf = pcall(parse, data)
  if ok then return elf end
  errors.raise { op = "read", subject = path, code = "ENOEXEC", message = "a damaged ELF file",
    hint = tostring(elf):gsub("^.-:%d+: ", "") }
end

-- ---- where loaders look ----

local MACHINES = {
  [3] = { platform = "i686", lib = "lib/i386-linux-gnu", musl = "i386" },
  [62] = { platform = "x86_64", lib = "lib/x86_64-linux-gnu", musl = "x86_64" },
  [183] = { platform = "aarch64", lib = "lib/aarch64-linux-gnu", musl = "aarch64" },
}

local function directories(text)
  local list = {}
  for directory in (text or ""):gmatch "[^:\n]+" do list[#list + 1] = directory end
  return list
end

local function expand(directory, object)
  local machine = MACHINES[object.machine] or {}
  local words = { ORIGIN = object.path:match "^(.*)/[^/]*$", LIB = machine.lib, PLATFORM = machine.platform }
  return (directory:gsub("%${?(%u+)}?", words))
end

local CACHE, CACHE_HEADER, CACHE_ENTRY = "glibc-ld.so.cache1.1", 48, 24

-- ld.so.cache(8)'s table, name → paths, without what is for some processors only.
local function parse_cache(data)
  local start = data:find(CACHE, 1, true)
  local entries = {}
  if not start then return entries end
  local count = ("<I4"):unpack(data, start + #CACHE)
  for i = 0, count - 1 do
    local _, key, value, _, capabilities = ("<I4I4I4I4I8"):unpack(data, start + CACHE_HEADER + i * CACHE_ENTRY)
    if capabilities == 0 then
      local name = string_at(data, start - 1 + key)
      entries[name] = entries[name] or {}
      table.insert(entries[name], string_at(data, start - 1 + value))
    end
  end
  return entries
end

local function cache_of(search)
  if not search.cache then
    local ok, data = pcall(file.read, "/etc/ld.so.cache", { root = search.root })
    local parsed, entries = pcall(parse_cache, ok and data or "")
    search.cache = parsed and entries or {}
  end
  return search.cache
end

local function defaults(object)
  local machine = MACHINES[object.machine]
  local wide = object.class == 64 and { "/lib64", "/usr/lib64" } or {}
  local list = machine and { "/" .. machine.lib, "/usr/" .. machine.lib } or {}
  for _, more in ipairs { wide, { "/lib", "/usr/lib" } } do table.move(more, 1, #more, #list + 1, list) end
  return list
end

-- The paths to try, in glibc's order, each with what it stands on.
local function glibc_candidates(search, name, object)
  local list = {}
  local function add(text, of)
    for _, directory in ipairs(directories(text)) do list[#list + 1] = expand(directory, of) .. "/" .. name end
  end
  if not object.runpath then
    local above = object
    while above do
      if not above.runpath then add(above.rpath, above) end
      above = above.loader
    end
  end
  add(object.runpath, object)
  if object.no_default then return list end
  for _, path in ipairs(cache_of(search)[name] or {}) do list[#list + 1] = path end
  for _, directory in ipairs(defaults(object)) do list[#list + 1] = directory .. "/" .. name end
  return list
end

-- musl's libc is its loader, and has these names too.
local MUSL_OWN = { libc = true, libpthread = true, librt = true, libm = true, libdl = true, libutil = true,
  libxnet = true }

local function musl_candidates(search, name, object)
  if MUSL_OWN[name:match "^(%w+)%."] then return { search.interpreter } end
  local list, above = {}, object
  while above do
    for _, directory in ipairs(directories(above.runpath or above.rpath)) do
      list[#list + 1] = expand(directory, above) .. "/" .. name
    end
    above = above.loader
  end
  local machine = MACHINES[object.machine]
  local ok, text = pcall(file.read, ("/etc/ld-musl-%s.path"):format(machine and machine.musl), { root = search.root })
  for _, directory in ipairs(directories(ok and text or "/lib:/usr/local/lib:/usr/lib")) do
    list[#list + 1] = directory .. "/" .. name
  end
  return list
end

local function read_library(path, root)
  if not is_regular(path, root) then return false end
  local ok, elf = pcall(M.read, path, root)
  return ok and elf or false
end

-- The headers of what may be a library, or false; read once for all programs that need it.
local function headers_of(search, path)
  if search.known[path] == nil then search.known[path] = read_library(path, search.root) end
  return search.known[path]
end

-- An ELF file in its place among those that need it.
local function placed(elf, path, loader)
  return setmetatable({ path = path, loader = loader }, { __index = elf })
end

-- A candidate that is there and of the same kind; the loader passes over others.
local function load(search, path, loader)
  local elf = headers_of(search, path)
  return elf and elf.class == loader.class and elf.machine == loader.machine and placed(elf, path, loader) or nil
end

local function find(search, name, object)
  if name:find("/", 1, true) then return load(search, expand(name, object), object) end
  local candidates = search.is_musl and musl_candidates or glibc_candidates
  for _, path in ipairs(candidates(search, name, object)) do
    local found = load(search, path, object)
    if found then return found end
  end
end

local function add_needed(search, object, list)
  local queue, first, seen = { object }, 1, {}
  while queue[first] do
    local current = queue[first]
    first = first + 1
    for _, name in ipairs(current.needed) do
      if not seen[name] then
        seen[name] = true
        local found = find(search, name, current)
        list[#list + 1] = { name = name, path = found and found.path, needed_by = current.path }
        queue[#queue + 1] = found
      end
    end
  end
end

local path_argument = { "string", min = 1, required = true }
local root_argument = { "string", min = 1, pattern = "^/", says = "is not an absolute path" }

local search_methods = {}
local search_mt = { __name = "luabox.elf_search", __index = search_methods }

--- What a program needs beside itself to start, as the function `dependencies` tells it.
-- @function search:dependencies
-- @tparam string path of the program
-- @treturn {table,...}
-- @raise luabox.error: ENOENT, EACCES, ENOEXEC
function search_methods:dependencies(path)
  path = options.argument(path_argument, path, "dependencies")
  local elf, list = M.read(path, self.root), {}
  if not elf then return list end
  local interpreter = elf.interpreter
  if interpreter then
    list[1] = { name = interpreter, is_loader = true, needed_by = path,
      path = is_regular(interpreter, self.root) and interpreter or nil }
  end
  self.interpreter, self.is_musl = interpreter, interpreter ~= nil and interpreter:find("ld-musl", 1, true) ~= nil
  add_needed(self, placed(elf, path), list)
  return list
end

options.methods(search_mt.__name, search_methods)

--- A search for the libraries of several programs, which reads each library once. What changes meanwhile it may miss.
-- @tparam[opt="/"] string root a directory that the programs will run in; all paths are meant in it
-- @treturn luabox.elf_search
-- @raise an argument error
-- @usage
-- local search = luabox.elf.search()
-- for _, path in ipairs { "/bin/sh", "/bin/ls" } do print(path, #search:dependencies(path)) end
function M.search(root)
  return setmetatable({ root = options.argument(root_argument, root, "search"), known = {} }, search_mt)
end

--- What a program needs beside itself to start: its loader and its libraries, and theirs, as glibc's and musl's loaders
-- look for them without LD_LIBRARY_PATH. What it opens while it runs (plugins, name services) nobody can tell.
-- @tparam string path of the program
-- @tparam[opt="/"] string root a directory that it will run in; all paths are meant in it
-- @treturn {table,...} each with `name`, `needed_by` (a path) and `path`, which is nil if it is not there; first the
--   loader, with `is_loader`. Empty for a program that is linked statically, or no ELF file
-- @raise luabox.error: ENOENT, EACCES, ENOEXEC
-- @see ld.so(8)
-- @usage
-- for _, library in ipairs(luabox.elf.dependencies "/bin/sh") do print(library.name, library.path or "missing") end
function M.dependencies(path, root)
  path = options.argument(path_argument, path, "dependencies")
  root = options.argument(root_argument, root, "dependencies", 2)
  return M.search(root):dependencies(path)
end

return M
