-- Every @usage snippet of the doc comments runs as it stands, as root, in namespaces of its own.

local function read(path)
  local file <close> = assert(io.open(path))
  return file:read("a")
end

-- The doc comments of a C file: text and first line's number.
local function c_blocks(text)
  local blocks, position = {}, 1
  while true do
    local first, last, block = text:find("/%*%*%*\n(.-)%*/", position)
    if not first then return blocks end
    blocks[#blocks + 1] = { text = block, line = select(2, text:sub(1, first):gsub("\n", "")) + 2 }
    position = last
  end
end

-- Those of a Lua file: runs of comment lines of which the first begins with three dashes.
local function lua_blocks(text)
  local blocks, block, number = {}, nil, 0
  for line in text:gmatch("([^\n]*)\n") do
    number = number + 1
    local comment = line:match("^%-%-%-? ?(.*)$")
    if line:match("^%-%-%-") then
      block = { text = "", line = number }
      blocks[#blocks + 1] = block
    elseif not comment then
      block = nil
    end
    if block then block.text = block.text .. comment .. "\n" end
  end
  return blocks
end

-- The snippets of a doc comment: from @usage to the next tag.
local function snippets(block)
  local found, snippet, number = {}, nil, block.line - 1
  for line in block.text:gmatch("([^\n]*)\n") do
    number = number + 1
    local first = line:match("^@usage%s?(.*)$")
    if first then
      snippet = { code = first, line = number }
      found[#found + 1] = snippet
    elseif line:match("^@") then
      snippet = nil
    elseif snippet then
      snippet.code = snippet.code .. "\n" .. line
    end
  end
  return found
end

-- Runs the snippet in an interpreter of its own; returns what it printed, and whether it succeeded.
local function run(code)
  local script = os.tmpname()
  finally(function() os.remove(script) end)
  do
    local file <close> = assert(io.open(script, "w"))
    file:write(code, "\n")
  end
  local interpreter = os.getenv("LUABOX_INTERPRETER")
  local command = ("LUABOX_SANDBOX= tests/sandbox %s -l luabox - <%s 2>&1"):format(interpreter, script)
  local process <close> = assert(io.popen(command))
  local output = process:read("a")
  return output, process:close()
end

local function list(pattern)
  local process <close> = assert(io.popen("ls " .. pattern))
  local files = {}
  for path in process:lines() do files[#files + 1] = path end
  return files
end

describe("the snippets of the doc comments #root", function()
  for _, path in ipairs(list("src/binding/*.c lua/luabox/*.lua")) do
    local blocks = (path:match("%.c$") and c_blocks or lua_blocks)(read(path))
    for _, block in ipairs(blocks) do
      for _, snippet in ipairs(snippets(block)) do
        it(("%s:%d"):format(path, snippet.line), function()
          local output, ok = run(snippet.code)
          assert.is_true(ok, snippet.code .. "\n" .. output)
        end)
      end
    end
  end
end)
