--- The version of luabox, which is also what the Makefile takes it from.
-- @module luabox.version
return "0.1.0"
