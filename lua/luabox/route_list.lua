--- The routes of a member of a network: each leads to a subnet, by a gateway that is a neighbour.
-- Internal: a part of `luabox.network`, for nobody else.
-- @module luabox.route_list

local M = {}

--- The description of the option, for luabox.options.
M.option = {
  "list",
  of = {
    "table",
    fields = { to = { "subnet", required = true }, via = { "address", prefix = "none", required = true } },
  },
}

-- What is wrong with one route, as the field's name and a sentence, or nil.
local function problem_of(route, network)
  local pool = network.pools[route.to.version]
  if route.via.version ~= route.to.version then
    return "via", ("%s is no gateway to %s, which is IPv%d"):format(route.via, route.to, route.to.version)
  end
  if not pool then return "to", ("%s: network '%s' has no IPv%d"):format(route.to, network.name, route.to.version) end
  if not pool.subnet:contains(route.via) then
    return "via", ("%s is not in the subnet %s; a gateway is a neighbour"):format(route.via, pool.subnet)
  end
  if route.to == pool.subnet then
    return "to", ("%s is the network's own subnet, which needs no gateway"):format(route.to)
  end
end

--- Refuses routes that cannot be.
-- @tparam {table,...} routes each { to, via }
-- @tparam luabox.network network
-- @tparam function refuse called with an option's name and a sentence; raises
function M.check(routes, network, refuse)
  local seen = {}
  for i, route in ipairs(routes) do
    local field, problem = problem_of(route, network)
    if problem then refuse(("routes[%d].%s"):format(i, field), problem) end
    local to = tostring(route.to)
    if seen[to] then refuse(("routes[%d].to"):format(i), ("routes[%d] leads to %s already"):format(seen[to], to)) end
    seen[to] = i
  end
end

--- Refuses a gateway that is the member itself.
-- @tparam {table,...} routes
-- @tparam {luabox.address,...} own
-- @treturn ?string an option's name
-- @treturn[2] string a sentence
function M.loop(routes, own)
  for i, route in ipairs(routes) do
    for _, a in ipairs(own) do
      if a:host() == route.via then
        return ("routes[%d].via"):format(i), ("%s is the member's own address"):format(route.via)
      end
    end
  end
end

--- Whether one of the routes is the default route of a version of IP.
-- @tparam {table,...} routes
-- @tparam integer version
-- @treturn boolean
function M.has_default(routes, version)
  for _, route in ipairs(routes) do
    if route.to.version == version and route.to.prefix == 0 then return true end
  end
  return false
end

return M
