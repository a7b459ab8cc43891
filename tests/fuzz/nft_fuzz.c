/* SPDX-License-Identifier: MIT
 * nf_tables' answers. The first byte is what is asked.
 */
#include "fuzz.h"

#include <lauxlib.h>

static lua_State *L;

/* libnftnl's way to refuse an attribute of the wrong length is exit(3). What it has allocated by then is
 * lost, so leaks are not looked for here. */
_Noreturn void __wrap___abi_breakage(const char *file, int line, const char *reason);

void __wrap___abi_breakage(const char *file, int line, const char *reason)
{
	luaL_error(L, "%s:%d: %s", file, line, reason);
	abort();
}

const char *__asan_default_options(void);

const char *__asan_default_options(void)
{
	return "detect_leaks=0";
}

static const char chunk[] =
	"local nft = require 'luabox.sys.nft'.socket()\n"
	"return function() return nft:tables() end,\n"
	"  function() return nft:chains() end,\n"
	"  function() return nft:sets() end,\n"
	"  function() return nft:rules() end,\n"
	"  function() return nft:elements { family = 'ip', table = 't', set = 's' } end,\n"
	"  function() return nft:apply {\n"
	"      { 'add', 'table', family = 'ip', name = 't', owner = true },\n"
	"      { 'add', 'set', family = 'ip', table = 't', name = 's', type = 'ipv4_addr' },\n"
	"      { 'add', 'element', family = 'ip', table = 't', set = 's', elements = { '1.2.3.4', '1.2.3.5' "
	"} },\n"
	"      { 'add', 'chain', family = 'ip', table = 't', name = 'c' },\n"
	"      { 'add', 'rule', family = 'ip', table = 't', chain = 'c', verdict = 'accept' } } end\n";

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (!L)
		L = fuzz_state(chunk);
	if (size < 1)
		return 0;
	fuzz_answers(data + 1, size - 1);
	fuzz_call(L, 1 + data[0] % lua_gettop(L));
	fuzz_answers(NULL, 0);
	return 0;
}
