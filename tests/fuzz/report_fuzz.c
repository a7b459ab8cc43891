/* SPDX-License-Identifier: MIT
 * What a child says that could not be started: through a socket that an untrusted program may have got at.
 */
#include "fuzz.h"

#include <fcntl.h>
#include <lauxlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "binding/binding.h"
#include "binding/process.h"
#include "kernel/spawn.h"

static int push(lua_State *L)
{
	box_push_error(L, lua_touserdata(L, 1));
	luaL_tolstring(L, -1, NULL);
	return 1;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static lua_State *L;
	struct proc_report *r = malloc(sizeof *r); /* on the heap: uninitialised, and its end is guarded */
	int ends[2], rc;

	if (!L)
		L = fuzz_state("require 'luabox.sys.error'");
	memset(r, 0xff, sizeof *r);
	fuzz_require(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, ends) == 0);
	fuzz_require(send(ends[0], data, size, MSG_DONTWAIT) == (ssize_t)size);
	close(ends[0]);
	rc = proc_started(ends[1], 0, r);
	close(ends[1]);
	fuzz_require(size == 0 ? rc == 0 : rc < 0 && rc == -r->fault.error);
	if (rc < 0) {
		lua_settop(L, 0);
		lua_pushcfunction(L, push);
		lua_pushlightuserdata(L, &r->fault);
		fuzz_require(lua_pcall(L, 1, 0, 0) == LUA_OK);
	}
	free(r);
	return 0;
}
