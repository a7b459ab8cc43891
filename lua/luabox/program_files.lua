--- The files that programs take to run, found and not touched: loaders, libraries, the interpreters of scripts, and
-- what leads to each, directory by directory and link by link, as it is on the host.
-- Internal: a part of `luabox.rootfs` and `luabox.doctor`, for nobody else.
-- @module luabox.program_files
local elf = require "luabox.elf"
local errors = require "luabox.error"
local file = require("luabox").sys.file

local M = {}

local MOST_LINKS = 40 -- as the kernel follows

local function refuse(code, subject, message, hint, ...)
  errors.raise { op = "from_programs", subject = subject, code = code, message = message:format(...), hint = hint }
end

-- ---- what leads to a path ----

local function words_of(path)
  local words = {}
  for word in path:gmatch "[^/]+" do words[#words + 1] = word end
  return words
end

local function add(self, path, entry)
  entry.path = path
  self.by_path[path] = entry
  self.list[#self.list + 1] = entry
  return entry
end

local PERMISSIONS = 1023 -- 01777: without the bits that give rights away

local function mode_of(st)
  return ("%o"):format(tonumber(st.mode, 8) & PERMISSIONS)
end

local function look(self, path)
  local entry = self.by_path[path]
  if entry then return entry end
  local st = file.lstat(path)
  if st.type ~= "symlink" and st.type ~= "directory" and st.type ~= "file" then
    refuse("EINVAL", path, "it is a %s", "only files, directories and symbolic links are taken", st.type)
  end
  return add(self, path, { type = st.type, mode = mode_of(st),
    target = st.type == "symlink" and file.readlink(path) or nil })
end

-- Enters a path with all that leads to it, and returns the path without links. What the last link leads to is
-- entered unless 'nofollow'.
local function enter(self, path, nofollow)
  local at, left, links = "", words_of(path), 0
  while left[1] do
    local word = table.remove(left, 1)
    if word == ".." then
      at = at:match "^(.*)/" or ""
    elseif word ~= "." then
      local entry = look(self, at .. "/" .. word)
      if entry.type ~= "symlink" or nofollow and not left[1] then
        at = entry.path
      else
        links = links + 1
        if links > MOST_LINKS then refuse("ELOOP", path, "too many symbolic links") end
        if entry.target:find "^/" then at = "" end
        local way = words_of(entry.target)
        left = table.move(left, 1, #left, #way + 1, way)
      end
    end
  end
  return at
end

-- ---- what a file needs ----

local function first_bytes(path)
  local f <close>, _, number = io.open(path, "rb")
  if not f then errors.raise { op = "open", subject = path, errno = number, hint = "leave it out, or be root" } end
  return f:read(256) or ""
end

local function is_file(path)
  return file.access(path) and file.stat(path).type == "file"
end

--- Looks for a program in PATH.
-- @tparam string name without a slash
-- @treturn ?string its path
function M.in_path(name)
  for directory in (os.getenv "PATH" or "/usr/bin:/bin"):gmatch "[^:]+" do
    local path = directory .. "/" .. name
    if directory:find "^/" and is_file(path) and file.access(path, "execute") then return path end
  end
end

local function refuse_library(path, library)
  local what = library.is_loader and "loader" or "library"
  refuse("ENOENT", path, "the %s '%s', which '%s' needs, is not here", "install what has it, or leave the program out",
    what, library.name, library.needed_by)
end

-- With 'lenient' what is missing is passed over: a directory may hold plugins for what is not installed.
local function add_libraries(self, path, lenient)
  local ok, list = pcall(self.search.dependencies, self.search, path)
  if not ok then
    if lenient and errors.is(list, "ENOEXEC") then return end
    error(list, 0)
  end
  for _, library in ipairs(list) do
    if library.path then
      enter(self, library.path)
      self.has_libraries = true
    elseif not lenient then
      refuse_library(path, library)
    end
  end
end

local add_program -- calls itself through interpreters

-- "#!/usr/bin/env -S name" starts what env finds in PATH.
local function add_interpreter(self, path, line)
  local interpreter, rest = line:match "^#!%s*(%S+)%s*([^\n]*)"
  if not interpreter then return end
  if not is_file(interpreter) then
    refuse("ENOENT", path, "its interpreter '%s' is not here", "install it, or leave the program out", interpreter)
  end
  add_program(self, interpreter)
  if not interpreter:find "/env$" then return end
  for word in rest:gmatch "%S+" do
    if not word:find "^%-" and not word:find "=" then
      local found = word:find "/" and word or M.in_path(word)
      if not found then refuse("ENOENT", path, "its interpreter '%s' is not in PATH", nil, word) end
      return add_program(self, found)
    end
  end
end

local function add_needs(self, path, lenient)
  local start = first_bytes(path)
  if start:find "^\127ELF" then
    add_libraries(self, path, lenient)
  elseif start:find "^#!" and not lenient then
    add_interpreter(self, path, start)
  end
end

function add_program(self, path)
  local real = enter(self, path)
  if self.programs[real] then return end
  self.programs[real] = true
  add_needs(self, path, false)
end

-- ---- what was asked for ----

local function find_program(name)
  if not name:find "/" then
    local path = M.in_path(name)
    if path then return path end
    refuse("ENOENT", name, "no such program in PATH '%s'", "name it with its directory", os.getenv "PATH" or "")
  end
  local st = file.stat(name)
  if st.type ~= "file" then refuse("EACCES", name, "it is a %s, and no program", nil, st.type) end
  if not file.access(name, "execute") then
    refuse("EACCES", name, "it is not executable", "name it among the 'files' if it is no program")
  end
  return name
end

local function add_below(self, directory)
  for _, name in ipairs(file.list(directory)) do
    local path = enter(self, directory .. "/" .. name, true)
    local kind = self.by_path[path].type
    if kind == "directory" then
      add_below(self, path)
    elseif kind == "file" then
      add_needs(self, path, true)
    end
  end
end

local function add_file(self, path)
  local real = enter(self, path)
  if real == "" then refuse("EINVAL", path, "it is the whole root", "name what is needed of it") end
  if self.by_path[real].type == "directory" then add_below(self, real) else add_needs(self, path, false) end
end

-- ---- what every root has ----

-- "/bin" and the like are where scripts look, whatever merged-/usr makes of them.
local USUAL = { "/bin", "/sbin", "/lib", "/lib64" }
local EMPTY = {
  { "/dev", "755" }, { "/etc", "755" }, { "/proc", "555" }, { "/root", "700" }, { "/run", "755" }, { "/sys", "555" },
  { "/tmp", "1777" },
}
-- Where loaders look for directories that are not their own.
local LOADERS = { "/etc/ld.so.cache", "/etc/ld-musl-x86_64.path", "/etc/ld-musl-aarch64.path" }

local function add_usual(self)
  for _, path in ipairs(USUAL) do
    if file.exists(path) then enter(self, path) end
  end
  for _, path in ipairs(self.has_libraries and LOADERS or {}) do
    if file.exists(path) then enter(self, path) end
  end
  for _, directory in ipairs(EMPTY) do
    if not self.by_path[directory[1]] then add(self, directory[1], { type = "directory", mode = directory[2] }) end
  end
end

--- Finds what programs take.
-- @tparam {string,...} programs absolute paths, or names to be found in PATH
-- @tparam {string,...} files absolute paths of more; directories with all below
-- @treturn {table,...} what is to be made, each after the directory that it is in: `type` ("directory", "file" or
--   "symlink"), `path`, `mode`, and `target` of a link
-- @raise luabox.error: what is not here
function M.find(programs, files)
  local self = { list = {}, by_path = {}, programs = {}, search = elf.search() }
  for _, name in ipairs(programs) do add_program(self, find_program(name)) end
  for _, path in ipairs(files) do add_file(self, path) end
  add_usual(self)
  return self.list
end

return M
