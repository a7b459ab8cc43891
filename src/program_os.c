/* SPDX-License-Identifier: MIT
 * os.exit, os.execute and io.popen of the program.
 *
 * os.exit closes the state unless told not to. The other two differ from Lua's in how they wait:
 * a SIGTERM or SIGHUP goes on to the child, so that the wait ends and the script unwinds; and the
 * child starts with the descriptor limit that luabox was started with. Ctrl-C reaches a child of
 * os.execute by itself, from the terminal; the script is interrupted only if the child dies of it,
 * so that an editor or a pager may use the key.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "kernel/limits.h"
#include "kernel/util.h"
#include "program.h"

static pid_t owner;

/* ---- os.exit ---- */

/* In a forked child the variables and handles are the parent's: nothing is closed there. */
static int os_exit(lua_State *L)
{
	int status = lua_isboolean(L, 1) ? !lua_toboolean(L, 1) : (int)luaL_optinteger(L, 1, EXIT_SUCCESS);

	if (getpid() != owner) {
		fflush(NULL);
		_exit(status);
	}
	if (lua_isnoneornil(L, 2) || lua_toboolean(L, 2)) {
		program_signals_closing();
		lua_close(L);
	}
	exit(status);
}

/* ---- a shell ---- */

/* Starts "sh -c command", its descriptor 'target' being 'fd' (-1: as ours). 0 or a positive errno. */
static int spawn_shell(const char *command, int fd, int target, const sigset_t *mask, pid_t *pid)
{
	char *const argv[] = { "sh", "-c", "--", (char *)(uintptr_t)command, NULL };
	const struct rlimit *original = limits_original();
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attributes;
	struct rlimit raised;
	int error;

	posix_spawn_file_actions_init(&actions);
	posix_spawnattr_init(&attributes);
	posix_spawnattr_setsigmask(&attributes, mask);
	posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK);
	error = fd < 0 ? 0 : posix_spawn_file_actions_adddup2(&actions, fd, target);
	if (original && getrlimit(RLIMIT_NOFILE, &raised) == 0)
		setrlimit(RLIMIT_NOFILE, original);
	else
		original = NULL;
	if (!error)
		error = posix_spawn(pid, "/bin/sh", &actions, &attributes, argv, environ);
	if (original)
		setrlimit(RLIMIT_NOFILE, &raised);
	posix_spawnattr_destroy(&attributes);
	posix_spawn_file_actions_destroy(&actions);
	return error;
}

/* Sleeps until the child has ended or a signal comes; before Linux 5.3, without a pidfd, for an instant.
 * Returns whether it has ended. */
static int sleep_with(pid_t pid, int pidfd, const sigset_t *mask)
{
	const struct timespec instant = { .tv_nsec = 10000000 };
	struct pollfd ready = { .fd = pidfd, .events = POLLIN };
	siginfo_t info = { 0 };

	if (ppoll(&ready, 1, pidfd < 0 ? &instant : NULL, mask) < 0)
		return errno != EINTR;
	return ready.revents ||
	       (pidfd < 0 &&
		(waitid(P_PID, (id_t)pid, &info, WEXITED | WNOHANG | WNOWAIT) < 0 || info.si_pid));
}

/* Waits for a child with program_signals_hold's signals held back, but for 'mask' while it sleeps:
 * one that comes is sent on as SIGTERM, once. Returns wait's status, or -1 with errno. */
static int wait_child(pid_t pid, const sigset_t *mask)
{
	int fd = pidfd_open(pid, 0), status = -1, told = 0;

	do {
		if (program_signals_current() && !told) {
			kill(pid, SIGTERM);
			told = 1;
		}
	} while (!sleep_with(pid, fd, mask));
	if (retry_eintr(waitpid(pid, &status, 0)) < 0)
		status = -1;
	util_close(fd);
	return status;
}

/* ---- os.execute ---- */

/* The signals that the terminal sends to the child as well. */
static void add_keys(sigset_t *set)
{
	sigaddset(set, SIGINT);
	sigaddset(set, SIGQUIT);
}

/* As system(3), but for the signals. A shell that cannot be started ends with 127. */
static int run_shell(const char *command)
{
	sigset_t before, during, keys;
	int status = 127 << 8;
	pid_t pid;

	program_signals_hold(&before);
	sigemptyset(&keys);
	add_keys(&keys);
	sigprocmask(SIG_BLOCK, &keys, NULL);
	during = before;
	add_keys(&during);
	if (spawn_shell(command, -1, -1, &before, &pid) == 0)
		status = wait_child(pid, &during);
	if (!WIFSIGNALED(status) || WTERMSIG(status) != SIGINT)
		while (sigtimedwait(&keys, NULL, &(struct timespec){ 0 }) > 0)
			continue;
	sigprocmask(SIG_SETMASK, &before, NULL);
	return status;
}

static int os_execute(lua_State *L)
{
	const char *command = luaL_optstring(L, 1, NULL);
	int status;

	if (!command) {
		lua_pushboolean(L, access("/bin/sh", X_OK) == 0);
		return 1;
	}
	status = run_shell(command);
	errno = status == -1 ? errno : 0;
	return luaL_execresult(L, status);
}

/* ---- io.popen ---- */

struct process_file {
	luaL_Stream stream; /* first: the io library knows no more */
	pid_t pid;
};

static int process_close(lua_State *L)
{
	struct process_file *p = luaL_checkudata(L, 1, LUA_FILEHANDLE);
	sigset_t before;
	int status;

	fclose(p->stream.f);
	program_signals_hold(&before);
	status = wait_child(p->pid, &before);
	sigprocmask(SIG_SETMASK, &before, NULL);
	errno = status == -1 ? errno : 0;
	return luaL_execresult(L, status);
}

/* Starts the command and fills 'p'. Returns 0 or a positive errno. */
static int open_process(struct process_file *p, const char *command, int reading)
{
	int ends[2], ours, error;
	sigset_t mask;

	if (pipe2(ends, O_CLOEXEC) < 0)
		return errno;
	ours = ends[!reading];
	sigprocmask(SIG_SETMASK, NULL, &mask);
	error = spawn_shell(command, ends[reading], reading ? STDOUT_FILENO : STDIN_FILENO, &mask, &p->pid);
	util_close(ends[reading]);
	if (error) {
		util_close(ours);
		return error;
	}
	p->stream.f = fdopen(ours, reading ? "r" : "w");
	if (p->stream.f) {
		p->stream.closef = process_close;
		return 0;
	}
	error = errno;
	util_close(ours); /* the child sees the end of its pipe, and ends */
	retry_eintr(waitpid(p->pid, NULL, 0));
	return error;
}

static int io_popen(lua_State *L)
{
	const char *command = luaL_checkstring(L, 1), *mode = luaL_optstring(L, 2, "r");
	struct process_file *p;

	luaL_argcheck(L, !strcmp(mode, "r") || !strcmp(mode, "w"), 2, "invalid mode");
	p = lua_newuserdatauv(L, sizeof *p, 0);
	p->stream.closef = NULL;
	luaL_setmetatable(L, LUA_FILEHANDLE);
	fflush(NULL);
	errno = open_process(p, command, *mode == 'r');
	return errno ? luaL_fileresult(L, 0, command) : 1;
}

static const luaL_Reg os[] = { { "execute", os_execute }, { "exit", os_exit }, { NULL, NULL } };

static const luaL_Reg io[] = { { "popen", io_popen }, { NULL, NULL } };

void program_os_open(lua_State *L)
{
	owner = getpid();
	lua_getglobal(L, "os");
	luaL_setfuncs(L, os, 0);
	lua_getglobal(L, "io");
	luaL_setfuncs(L, io, 0);
	lua_pop(L, 2);
}
