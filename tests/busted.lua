-- Runs busted under whichever interpreter executes this file, luabox or lua5.4, with busted's own
-- options: `luabox tests/busted.lua tests/unit`. Debian's /usr/bin/busted takes the default `lua`.
require "busted.runner" { standalone = false }
