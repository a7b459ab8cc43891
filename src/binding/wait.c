/* SPDX-License-Identifier: MIT
 * Waiting that Ctrl-C interrupts, under luabox and under stock lua5.4 alike: both
 * install a Lua hook from the signal's handler.
 */
#include "binding/binding.h"

#include <errno.h>
#include <signal.h>
#include <time.h>

#define NANO 1000000000LL

static int64_t now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * NANO + t.tv_nsec;
}

int64_t box_deadline(double seconds)
{
	if (seconds < 0)
		return -1;
	if (seconds > 1e9) /* thirty years, and no overflow */
		seconds = 1e9;
	return now() + (int64_t)(seconds * (double)NANO);
}

int64_t box_check_deadline(lua_State *L, int arg)
{
	lua_Number seconds = luaL_optnumber(L, arg, -1);

	luaL_argcheck(L, lua_isnoneornil(L, arg) || seconds >= 0, arg, "a timeout is 0 seconds or more");
	return box_deadline(seconds);
}

static int no_op(lua_State *L)
{
	(void)L;
	return 0;
}

/* A handler that knows the main coroutine only (stock lua5.4's, or the program's where a C module
 * resumed 'L') sets the hook there; it is handed to the coroutine that waits. The signal's
 * hook is told from a debugger's or a profiler's by its mask. */
static void adopt_hook(lua_State *L)
{
	const int any = LUA_MASKCALL | LUA_MASKRET | LUA_MASKLINE | LUA_MASKCOUNT;
	lua_State *main;

	lua_rawgeti(L, LUA_REGISTRYINDEX, LUA_RIDX_MAINTHREAD);
	main = lua_tothread(L, -1);
	lua_pop(L, 1);
	if (main == L || lua_gethookmask(main) != any || lua_gethookcount(main) != 1)
		return;
	lua_sethook(L, lua_gethook(main), any, 1);
	lua_sethook(main, NULL, 0, 0);
}

/* The call hook runs when any function is called, and raises. */
void box_run_hooks(lua_State *L)
{
	adopt_hook(L);
	lua_pushcfunction(L, no_op);
	lua_call(L, 0, 0);
}

/* Only these are held back: the program's and stock lua5.4's handlers are for them. */
static void block_signals(sigset_t *before)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGHUP);
	sigprocmask(SIG_BLOCK, &set, before);
}

/* One ppoll. A signal that came before is seen as a hook, one that comes during
 * it as EINTR: held back in between, it cannot fall into the gap. */
static int poll_once(lua_State *L, struct pollfd *fds, nfds_t count, int64_t deadline)
{
	struct timespec left, *timeout = NULL;
	sigset_t before;
	int rc;

	block_signals(&before);
	adopt_hook(L);
	if (lua_gethook(L)) {
		sigprocmask(SIG_SETMASK, &before, NULL);
		box_run_hooks(L);
		block_signals(&before);
	}
	if (deadline >= 0) {
		int64_t ns = deadline - now();

		ns = ns < 0 ? 0 : ns;
		left = (struct timespec){ ns / NANO, ns % NANO };
		timeout = &left;
	}
	rc = ppoll(fds, count, timeout, &before);
	rc = rc < 0 ? -errno : rc;
	sigprocmask(SIG_SETMASK, &before, NULL);
	return rc;
}

int box_poll(lua_State *L, struct pollfd *fds, nfds_t count, int64_t deadline)
{
	int rc;

	while ((rc = poll_once(L, fds, count, deadline)) == -EINTR)
		box_run_hooks(L);
	return rc < 0 ? box_fail(L, rc, "poll", NULL) : rc;
}
