--- Echo requests of one socket to any number of addresses, and what came back.
-- Internal: a part of `luabox.probe`, for nobody else.
-- @module luabox.probe_ping
local loop = require "luabox.probe_loop"
local clock = require("luabox").sys.system.clock

local M = {}

local FULL = 0.02 -- seconds: the kernel's queues or its table of neighbours may have room again

-- What is known of the request `entry` belongs to the pings of its address.
local function settle(run, seq, fields)
  local entry = run.pending[seq]
  if not entry then return end -- a second answer, or one that came too late
  run.pending[seq], run.count = nil, run.count - 1
  local replies = entry.replies
  local reply = replies[entry.round]
  reply.from, reply.ttl = fields.from, not fields.error and fields.ttl or nil
  reply.error, reply.icmp, reply.mtu = fields.error, fields.icmp, fields.mtu
  if not fields.error then reply.rtt = math.max(fields.time - entry.sent, 0) end
end

local function drain(run)
  for answer in run.socket.answer, run.socket do settle(run, answer.seq, answer) end
end

-- All requests have the same patience, so that they run out of it in their order.
local function expire(run, now)
  while run.oldest <= run.last do
    local entry = run.pending[run.oldest]
    if entry and now < entry.sent + run.timeout then return entry.sent + run.timeout end
    if entry then settle(run, run.oldest, { error = "ETIMEDOUT" }) end
    run.oldest = run.oldest + 1
  end
  return math.huge
end

-- Takes answers until a time, or until no more than `few` requests are open.
local function collect(run, time, few)
  repeat
    drain(run)
    local now = clock()
    local first = expire(run, now)
    if run.count <= few or now >= time then return end
    loop.wait(run.socket, "read", math.min(first, time))
  until false
end

-- While the kernel has no room the request is not lost.
local function send(run, address, seq)
  local deadline = clock() + run.timeout
  repeat
    drain(run)
    local sent, refusal = run.socket:echo(address, seq, run.size)
    if sent then return sent end
    if refusal.error ~= "ENOBUFS" or clock() > deadline then return clock(), refusal end
    loop.sleep(FULL)
  until false
end

local function request(run, replies, round)
  run.last = run.last + 1
  local seq = run.last
  replies[round] = { seq = round }
  local entry = { replies = replies, round = round }
  local refusal
  entry.sent, refusal = send(run, replies.address, seq)
  run.pending[seq], run.count = entry, run.count + 1
  if refusal then settle(run, seq, refusal) end
end

--- Asks each of some addresses `count` times. To be called in `luabox.probe_loop`.
-- @tparam luabox.sys.probe socket
-- @tparam {string,...} addresses
-- @tparam table o `count`, `interval`, `timeout`, `size`; `window`: so many requests may be open at a time
-- @treturn {table,...} for each address its replies
function M.run(socket, addresses, o)
  local run = { socket = socket, timeout = o.timeout, size = o.size, pending = {}, count = 0, oldest = 1, last = 0 }
  local all = {}
  for i, address in ipairs(addresses) do all[i] = { address = address } end
  local began = clock()
  for round = 1, o.count do
    local due = began + (round - 1) * o.interval
    while clock() < due do collect(run, due, -1) end
    for _, replies in ipairs(all) do
      request(run, replies, round)
      if run.count >= o.window then collect(run, math.huge, o.window - 1) end
    end
  end
  collect(run, math.huge, 0)
  for _, replies in ipairs(all) do replies.address = nil end
  return all
end

--- What some replies come to.
-- @tparam {table,...} replies
-- @treturn table as `luabox.probe.ping`
function M.summary(replies)
  local result = { sent = #replies, received = 0, replies = replies }
  local least, most, sum = math.huge, 0, 0
  for _, reply in ipairs(replies) do
    if reply.rtt then
      result.received, sum = result.received + 1, sum + reply.rtt
      least, most = math.min(least, reply.rtt), math.max(most, reply.rtt)
    else
      result.error, result.icmp, result.from = reply.error, reply.icmp, reply.from
    end
  end
  result.ok, result.loss = result.received > 0, 1 - result.received / #replies
  if result.ok then result.rtt = { min = least, avg = sum / result.received, max = most } end
  return result
end

return M
