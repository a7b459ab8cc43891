-- luabox.network's LAN of N nodes, in a switch namespace: prints "up", waits for the end of stdin, takes all down.
require "nodes"(tonumber(arg[1]), function()
  print "up"
  io.stdout:flush()
  io.read "a"
end)
