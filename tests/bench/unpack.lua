-- Unpacks a tar into a directory, as tar -x does.
require("luabox").rootfs.from_tar(arg[1], { to = arg[2] })
