/* SPDX-License-Identifier: MIT */
#include "fuzz.h"

#include <lualib.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "binding/binding.h"
#include "kernel/util.h"

int fuzz_file(const uint8_t *data, size_t size)
{
	int fd = memfd_create("fuzz", MFD_CLOEXEC);

	fuzz_require(fd >= 0 && write(fd, data, size) == (ssize_t)size && lseek(fd, 0, SEEK_SET) == 0);
	return fd;
}

char *fuzz_text(const uint8_t *data, size_t size)
{
	return strndup((const char *)data, size);
}

lua_State *fuzz_state(const char *chunk)
{
	lua_State *L = luaL_newstate();

	fuzz_require(L);
	luaL_openlibs(L);
	luaL_getsubtable(L, LUA_REGISTRYINDEX, LUA_PRELOAD_TABLE);
#define PRELOAD(name)                                                                                        \
	lua_pushcfunction(L, luaopen_luabox_sys_##name);                                                     \
	lua_setfield(L, -2, "luabox.sys." #name);
	BOX_MODULES(PRELOAD)
	lua_pop(L, 1);
	if (luaL_dostring(L, chunk)) {
		fprintf(stderr, "%s\n", luaL_tolstring(L, -1, NULL));
		abort();
	}
	return L;
}

void fuzz_call(lua_State *L, int index)
{
	int top = lua_gettop(L);

	lua_pushvalue(L, index);
	if (lua_pcall(L, 0, 0, 0) != LUA_OK)
		fuzz_require(luaL_tolstring(L, -1, NULL));
	lua_settop(L, top);
	lua_gc(L, LUA_GCSTEP, 0);
}
