std = "lua54"
max_line_length = 120
exclude_files = { "build*" }
files["tests/**/*_spec.lua"] = { std = "+busted" }
files["recipes/*.lua"] = { read_globals = { "luabox" } }
files["tests/**/*.lua"].read_globals = { "luabox" }
