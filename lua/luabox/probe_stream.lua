--- One attempt of TCP, UDP and HTTP each. To be called in `luabox.probe_loop`.
-- Internal: a part of `luabox.probe`, for nobody else.
-- @module luabox.probe_stream
local loop = require "luabox.probe_loop"
local clock = require("luabox").sys.system.clock

local M = {}

local function add(result, failure)
  result.error, result.from, result.icmp = failure.error, failure.from, failure.icmp
  return result
end

-- Sends all; returns what the error says, if one stopped it.
local function send_all(socket, data, deadline)
  local from = 1
  repeat
    local count, failure = socket:send(data, from)
    if failure then return failure end
    from = from + (count or 0)
    if not count and not loop.wait(socket, "write", deadline) then return { error = "ETIMEDOUT" } end
  until from > #data
end

-- Reads until `enough` of what came is true (it is asked after each piece), the end, `limit` bytes or the time. Returns
-- what came, and an error that stopped it.
local function receive_until(socket, enough, limit, deadline)
  local parts, size = {}, 0
  while size < limit do
    local data, failure = socket:receive(math.min(65536, limit - size))
    if failure then return table.concat(parts), failure end
    if data == "" then break end
    if data then
      parts[#parts + 1], size = data, size + #data
      if enough then parts = { table.concat(parts) } end
      if enough and enough(parts[1]) then break end
    elseif not loop.wait(socket, "read", deadline) then
      return table.concat(parts), { error = "ETIMEDOUT" }
    end
  end
  return table.concat(parts)
end

local function connect(socket, result, deadline)
  local began = clock()
  local ready = loop.wait(socket, "write", deadline)
  result.time = clock() - began
  local failure = socket:failure() or not ready and { error = "ETIMEDOUT" }
  if failure then return add(result, failure) end
  result.local_address, result.local_port = socket:address()
end

--- A connection, and a talk if there is something to send or to expect.
-- @tparam function open gives the socket
-- @tparam table o as of `luabox.probe.tcp`, checked
-- @treturn table
function M.tcp(open, o)
  local socket <close> = open()
  local result, deadline = { ok = false }, clock() + o.timeout
  if connect(socket, result, deadline) then return result end
  if not (o.send or o.expect) then
    result.ok = true
    return result
  end
  local failure = o.send and send_all(socket, o.send, deadline)
  if failure then return add(result, failure) end
  local function matches(data) return data:find(o.expect) ~= nil end
  result.received, failure = receive_until(socket, o.expect and matches, o.limit, deadline)
  if o.expect then
    result.ok = matches(result.received)
    failure = failure or { error = "EBADMSG" }
  else -- it may be the other's way not to end: what came came
    result.ok = not failure or failure.error == "ETIMEDOUT"
  end
  return result.ok and result or add(result, failure)
end

--- One packet, and the first that comes back.
-- @tparam function open gives the socket
-- @tparam table o as of `luabox.probe.udp`, checked
-- @treturn table
function M.udp(open, o)
  local socket <close> = open()
  local result, deadline, began = { ok = false }, clock() + o.timeout, clock()
  local failure = socket:failure()
  if not failure then failure = select(2, socket:send(o.send)) end
  while not failure and not result.received do
    result.received, failure = socket:receive()
    if not (result.received or failure) and not loop.wait(socket, "read", deadline) then
      failure = { error = "ETIMEDOUT" }
    end
  end
  result.time = clock() - began
  if failure then return add(result, failure) end
  result.local_address, result.local_port = socket:address()
  result.ok = not o.expect or result.received:find(o.expect) ~= nil
  if not result.ok then result.error = "EBADMSG" end
  return result
end

-- ---- HTTP ----

local function read_headers(text)
  local headers = {}
  for name, value in text:gmatch "\n([^:\r\n]+):[ \t]*([^\r\n]*)" do
    name = name:lower()
    headers[name] = headers[name] and headers[name] .. ", " .. value or value
  end
  return headers
end

-- The parts of a response whose head is whole; nil while it is not.
local function read_response(data, method)
  local head, body = data:match "^(.-\r?\n)\r?\n(.*)$"
  local status, reason = (head or ""):match "^HTTP/1%.%d (%d%d%d) ?([^\r\n]*)"
  if not status then return nil end
  local response = { status = tonumber(status), reason = reason, headers = read_headers(head), body = body }
  local without = method == "HEAD" or response.status == 204 or response.status == 304
  response.length = without and 0 or tonumber(response.headers["content-length"])
  return response
end

local function is_whole(response)
  return response.length ~= nil and #response.body >= response.length
end

local function accepts(expect, response)
  if math.type(expect) == "integer" then return response.status == expect end
  return response.status // 100 == 2 and (not expect or response.body:find(expect) ~= nil)
end

--- A request and its response.
-- @tparam function open gives the socket
-- @tparam table o as of `luabox.probe.http`, checked; `request` is all that is sent
-- @treturn table
function M.http(open, o)
  local socket <close> = open()
  local began, result, deadline = clock(), { ok = false }, clock() + o.timeout
  if connect(socket, result, deadline) then return result end
  local failure, data = send_all(socket, o.request, deadline), ""
  if not failure then
    data, failure = receive_until(socket, function(all)
      local response = read_response(all, o.method)
      return response and is_whole(response)
    end, o.limit, deadline)
  end
  result.time = clock() - began
  local response = read_response(data, o.method)
  if not response then return add(result, failure or { error = "EBADMSG" }) end
  result.status, result.reason, result.headers = response.status, response.reason, response.headers
  result.body = response.length and response.body:sub(1, response.length) or response.body
  if response.length and not is_whole(response) then
    result.truncated = true
    if #data < o.limit then return add(result, failure or { error = "EBADMSG" }) end
  elseif not response.length then
    result.truncated = #data >= o.limit or nil
    if failure then return add(result, failure) end
  end
  result.ok = accepts(o.expect, result)
  if not result.ok then result.error = "EBADMSG" end
  return result
end

return M
