--- Archives for the specs, written by Python's tarfile, which writes whatever it is told to.
local spec = require "spec"

local M = {}

local HEAD = [[
import io, sys, tarfile
t = tarfile.open(sys.argv[1], "w:" + sys.argv[2], format=getattr(tarfile, sys.argv[3] + "_FORMAT"))
def add(name, type=tarfile.REGTYPE, data=b"", **fields):
    i = tarfile.TarInfo(name)
    i.type, i.size, i.mtime = type, len(data), 1000000000
    for k, v in fields.items(): setattr(i, k, v)
    t.addfile(i, io.BytesIO(data))
def file(name, data=b"hello", **k): add(name, tarfile.REGTYPE, data, **k)
def directory(name, mode=0o755, **k): add(name, tarfile.DIRTYPE, mode=mode, **k)
def link(name, to, **k): add(name, tarfile.SYMTYPE, linkname=to, **k)
def hard(name, to, **k): add(name, tarfile.LNKTYPE, linkname=to, **k)
]]

--- Writes an archive.
-- @tparam string path
-- @tparam string body Python, which calls `file`, `directory`, `link`, `hard` and `add`
-- @tparam[opt=""] string compression "gz", "bz2" or "xz"
-- @tparam[opt="PAX"] string format "PAX", "GNU" or "USTAR"
function M.write(path, body, compression, format)
  local script = os.tmpname()
  spec.write(script, HEAD .. body .. "\nt.close()\n")
  local output = spec.output(("python3 %s %s '%s' %s"):format(script, path, compression or "", format or "PAX"))
  os.remove(script)
  assert(output == "", output)
end

return M
