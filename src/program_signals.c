/* SPDX-License-Identifier: MIT
 * SIGINT, SIGTERM and SIGHUP as errors, so that <close> variables are unwound.
 *
 * The handler sets a Lua hook, as stock lua5.4's does for SIGINT; the hook raises at the next
 * instruction or return. Handlers are installed without SA_RESTART: a call that blocks returns
 * with EINTR, and its function's return runs the hook. A hook belongs to one coroutine, so
 * 'running' follows what runs (program_signals_enter).
 *
 * While the error of one signal unwinds, a second signal waits: raised at once it would cut undo
 * work short. The third ends the process at once, whatever runs.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "binding/binding.h"
#include "program.h"

#define ANY_EVENT (LUA_MASKCALL | LUA_MASKRET | LUA_MASKLINE | LUA_MASKCOUNT)
#define FORCE 3      /* the signal of this number ends the process */
#define CLOSING (-1) /* 'unwinding' while the state is closed */

static lua_State *volatile running;
static volatile sig_atomic_t pending;   /* came; its hook has not run */
static volatile sig_atomic_t unwinding; /* was raised; has not been caught */
static volatile sig_atomic_t waiting;   /* came while another unwound */
static volatile sig_atomic_t count;
static int last; /* the signal of the error under error_key */
static int ended_by;

static const char error_key; /* registry: the error that was raised last */

static void push_error(lua_State *L, int sig)
{
	struct fault f;

	fault_set(&f, EINTR, "", "%s", "");
	snprintf(f.detail, sizeof f.detail, "interrupted by SIG%s", sigabbrev_np(sig));
	box_push_error(L, &f);
	lua_pushfstring(L, "SIG%s", sigabbrev_np(sig));
	lua_setfield(L, -2, "signal");
}

/* The hook. A coroutine made while a signal was pending inherits it and may run it late. */
static void raise_pending(lua_State *L, lua_Debug *ar)
{
	int sig = pending;

	(void)ar;
	lua_sethook(L, NULL, 0, 0);
	if (!sig)
		return;
	pending = 0;
	unwinding = last = sig;
	push_error(L, sig);
	lua_pushvalue(L, -1);
	lua_rawsetp(L, LUA_REGISTRYINDEX, &error_key);
	lua_error(L);
}

static void set_pending(int sig)
{
	pending = sig;
	lua_sethook(running, raise_pending, ANY_EVENT, 1);
}

static void say_waiting(void)
{
	static const char text[] = "luabox: undoing; interrupt once more to stop at once\n";

	if (write(STDERR_FILENO, text, sizeof text - 1) < 0)
		return; /* no one to tell */
}

static void handle(int sig)
{
	int error = errno;

	count++;
	if (count >= FORCE) {
		signal(sig, SIG_DFL);
		raise(sig); /* delivered when the handler returns */
	} else if (!unwinding) {
		set_pending(sig);
	} else {
		waiting = sig == unwinding ? 0 : sig;
		if (sig == SIGINT)
			say_waiting();
	}
	errno = error;
}

static void install(int sig)
{
	struct sigaction action = { .sa_handler = handle }, before;

	sigaction(sig, &action, &before);
	if (before.sa_handler == SIG_IGN)
		sigaction(sig, &before, NULL);
}

void program_signals_open(lua_State *L)
{
	running = L;
	install(SIGINT);
	install(SIGTERM);
	install(SIGHUP);
}

void program_signals_closing(void)
{
	unwinding = CLOSING;
}

int program_signals_current(void)
{
	return pending ? pending : unwinding > 0 ? unwinding : ended_by;
}

int program_signals_raised(lua_State *L, int index)
{
	int same;

	index = lua_absindex(L, index);
	lua_rawgetp(L, LUA_REGISTRYINDEX, &error_key);
	same = lua_rawequal(L, index, -1);
	lua_pop(L, 1);
	return same ? last : 0; /* 0 too where nil is compared with no error at all */
}

void program_signals_again(lua_State *L, int index)
{
	int sig = program_signals_raised(L, index);

	if (sig && !unwinding)
		unwinding = sig;
}

void program_signals_caught(lua_State *L, int index)
{
	int next;

	if (unwinding <= 0 || !program_signals_raised(L, index))
		return;
	next = waiting;
	waiting = 0;
	unwinding = 0;
	if (next)
		set_pending(next);
}

int program_signals_uncaught(lua_State *L, int index)
{
	ended_by = program_signals_raised(L, index);
	return ended_by;
}

int program_signals_ended_by(void)
{
	return ended_by;
}

void program_signals_forget(lua_State *L)
{
	if (pending)
		lua_sethook(L, NULL, 0, 0);
	pending = 0;
	unwinding = 0;
	waiting = 0;
	count = 0;
	ended_by = 0;
}

void program_signals_hold(sigset_t *before)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGHUP);
	sigprocmask(SIG_BLOCK, &set, before);
}

void program_signals_die(int sig)
{
	sigset_t set;

	signal(sig, SIG_DFL);
	sigemptyset(&set);
	sigaddset(&set, sig);
	raise(sig);
	sigprocmask(SIG_UNBLOCK, &set, NULL);
	_exit(128 + sig); /* the first process of a pid namespace gets no such signal */
}

lua_State *program_signals_enter(lua_State *L)
{
	lua_State *before = running;

	running = L;
	if (pending)
		set_pending(pending);
	return before;
}
