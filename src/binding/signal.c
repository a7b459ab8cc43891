/***
Signals by name, and this process's own: thin functions on sigaction and sigprocmask.
A signal is written "TERM", "SIGTERM", "RTMIN+1" or 15 everywhere in luabox.
@module luabox.sys.signal
*/
#include "binding/signal.h"

#include <errno.h>

#include "binding/binding.h"
#include "kernel/wait.h"

int box_checksignal(lua_State *L, int arg, int fallback)
{
	lua_Integer n;
	int signal = 0;

	if (fallback && lua_isnoneornil(L, arg))
		return fallback;
	if (lua_type(L, arg) == LUA_TSTRING)
		signal = sys_signal_number(lua_tostring(L, arg));
	else {
		n = luaL_checkinteger(L, arg);
		signal = n > 0 && n < NSIG ? (int)n : 0;
	}
	if (!signal)
		luaL_argerror(L, arg,
			      lua_pushfstring(L, "unknown signal '%s'", luaL_tolstring(L, arg, NULL)));
	return signal;
}

void box_push_signal(lua_State *L, int signal)
{
	const char *name = sys_signal_name(signal);

	if (name)
		lua_pushstring(L, name);
	else
		lua_pushinteger(L, signal);
}

/***
The number of a signal.
@function number
@tparam string|integer signal
@treturn integer
@see signal(7)
@usage assert(luabox.sys.signal.number("TERM") == 15)
*/
static int signal_number(lua_State *L)
{
	lua_pushinteger(L, box_checksignal(L, 1, 0));
	return 1;
}

/***
The name of a signal, without "SIG".
@function name
@tparam string|integer signal
@treturn ?string nil for a real-time signal, which has none
@see signal(7)
@usage assert(luabox.sys.signal.name(9) == "KILL")
*/
static int signal_name(lua_State *L)
{
	lua_pushstring(L, sys_signal_name(box_checksignal(L, 1, 0)));
	return 1;
}

static int set_disposition(lua_State *L, void (*handler)(int), const char *op)
{
	int signal = box_checksignal(L, 1, 0);
	const struct sigaction action = { .sa_handler = handler };

	return sigaction(signal, &action, NULL) < 0 ? box_fail(L, errno, op, sys_signal_name(signal)) : 0;
}

/***
Lets this process ignore a signal. Children of `process.spawn` start with the default all the same.
@function ignore
@tparam string|integer signal
@raise luabox.error EINVAL for KILL and STOP
@see sigaction(2)
@usage luabox.sys.signal.ignore("WINCH")
*/
static int signal_ignore(lua_State *L)
{
	return set_disposition(L, SIG_IGN, "ignore signal");
}

/***
Gives a signal its default effect again.
@function default
@tparam string|integer signal
@raise luabox.error EINVAL for KILL and STOP
@see sigaction(2)
@usage luabox.sys.signal.default("WINCH")
*/
static int signal_default(lua_State *L)
{
	return set_disposition(L, SIG_DFL, "reset signal");
}

static int change_mask(lua_State *L, int how, const char *op)
{
	int signal = box_checksignal(L, 1, 0);
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, signal);
	return sigprocmask(how, &set, NULL) < 0 ? box_fail(L, errno, op, sys_signal_name(signal)) : 0;
}

/***
Holds a signal back until it is unblocked.
@function block
@tparam string|integer signal
@see sigprocmask(2)
@usage luabox.sys.signal.block("USR1")
luabox.sys.signal.unblock("USR1")
*/
static int signal_block(lua_State *L)
{
	return change_mask(L, SIG_BLOCK, "block signal");
}

/***
Lets a signal through again.
@function unblock
@tparam string|integer signal
@see sigprocmask(2)
@usage luabox.sys.signal.unblock("USR1")
*/
static int signal_unblock(lua_State *L)
{
	return change_mask(L, SIG_UNBLOCK, "unblock signal");
}

/***
Sends a signal to a process that is held by a descriptor: no other process can be hit by mistake.
@function kill
@tparam luabox.process|luabox.fd pidfd
@tparam[opt="TERM"] string|integer signal
@treturn boolean false if the process has ended already
@raise luabox.error EPERM; EBADF for a descriptor of something else
@see pidfd_send_signal(2)
@usage local p <close> = luabox.sys.process.spawn { program = { "sleep", "60" } }
local pidfd <close> = p:pidfd()
assert(luabox.sys.signal.kill(pidfd, "HUP"))
assert(p:wait().signal == "HUP")
*/
static int signal_kill(lua_State *L)
{
	int pidfd = box_checkfd(L, 1), signal = box_checksignal(L, 2, SIGTERM);
	int rc = proc_signal(pidfd, signal);

	if (rc < 0)
		return box_fail(L, rc, "kill", lua_pushfstring(L, "descriptor %d", pidfd));
	lua_pushboolean(L, rc);
	return 1;
}

static const luaL_Reg functions[] = {
	{ "kill", signal_kill },       { "number", signal_number },
	{ "name", signal_name },       { "ignore", signal_ignore },
	{ "default", signal_default }, { "block", signal_block },
	{ "unblock", signal_unblock }, { NULL, NULL },
};

BOX_MODULE(signal)
{
	luaL_newlib(L, functions);
	return 1;
}
