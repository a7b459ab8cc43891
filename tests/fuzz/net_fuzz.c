/* SPDX-License-Identifier: MIT
 * rtnetlink's and sock_diag's answers. The first byte is what is asked.
 */
#include "fuzz.h"

static const char chunk[] =
	"local net, port = require 'luabox.sys.net', require 'luabox.sys.port'\n"
	"local s = net.socket()\n"
	"return function() return s:links() end,\n"
	"  function() return s:link('lo') end,\n"
	"  function() return s:addresses() end,\n"
	"  function() return s:routes() end,\n"
	"  function() return s:neighbours() end,\n"
	"  function() return s:rules() end,\n"
	"  function() return s:nsid(0) end,\n"
	"  function() return s:link_add { name = 'a', kind = 'veth', master = 'br', alias = 'x' } end,\n"
	"  function() return s:route_add { to = 'default', via = '10.0.0.1' } end,\n"
	"  function() return s:batch():link_set { name = 'a', up = true }:address_delete\n"
	"      { link = 'a', address = '10.0.0.1/8' }:send() end,\n"
	"  function() return port.holder { port = 80 } end\n";

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static lua_State *L;

	if (!L)
		L = fuzz_state(chunk);
	if (size < 1)
		return 0;
	fuzz_answers(data + 1, size - 1);
	fuzz_call(L, 1 + data[0] % lua_gettop(L));
	fuzz_answers(NULL, 0);
	return 0;
}
