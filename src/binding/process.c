/***
Processes: a child with any set of namespaces, that runs a program or a Lua function.
Through a pidfd, so that no other process is ever signalled or waited for by mistake.

The `steps` of a child are run in their order, with all its rights, before `cwd`, `groups`, `gid`, `uid` and
the program of `spawn` itself. All are checked before there is a child; one that fails ends the child and is
raised with its number and name in the context. After "root" all paths are those of the new root, but for the
`source` of "bind".

- `{ "setns", fd =, types = "net" }`, `{ "unshare", namespaces = "net" }`: setns(2), unshare(2)
- `{ "cgroup", fds = { … } }`: moves the child into cgroups, by their `tasks` or `cgroup.procs` files, open
for writing
- `{ "propagation", path = "/", flags = "private,rec" }`: as `mount.propagation`
- `{ "root", path = | tree =, readonly = false, nosuid = false, nodev = false, overlay = false, below =, upper
=, work =, size = }`: a new root: a directory, a detached mount or, by default, busybox; with `overlay` a
writable layer over it, in `upper` and `work` or thrown away at the end, of at most `size` bytes, and more
layers `below` it, a list of directories and detached mounts
- `{ "detach_root" }`: the old root is gone from here on; at the latest it is after the last step
- `{ "mount", type =, source =, target =, flags = "", data =, create = "dir"|"file", nofollow = false }`: as
`mount.mount`; `create` makes the target, `nofollow` refuses one that is a symbolic link
- `{ "bind", source =, target =, flags = "rec,ro", create =, inside = false, optional = false }`: as
`mount.bind`. The source is a path of the host or a detached mount, with `inside` a path of the new root;
`optional`: nothing is done without source or target
- `{ "mask", path = }`, `{ "readonly", path = }`: hides a path, makes it read-only
- `{ "mkdir", path =, mode =, parents = false }`, `{ "symlink", path =, target = }`, `{ "unlink", path = }`,
`{ "mknod", path =, type = "c"|"b"|"p", major =, minor =, mode = }`,
`{ "write", path =, data =, mode =, append = false, parents = false }`,
`{ "chmod", path =, mode = }`, `{ "chown", path =, uid =, gid = }`
- `{ "hostname", name = }`, `{ "domainname", name = }`, `{ "sysctl", name =, value = }`
- `{ "rlimit", name = "NOFILE", soft =, hard = soft }`, `{ "umask", mask = }`, `{ "oom_score_adj", value = }`
- `{ "no_new_privs" }`, `{ "seccomp", filter = }`,
`{ "capabilities", bounding =, permitted =, effective =, inheritable =, ambient =, keep = false }`: sets that
are not given stay
- `{ "user", uid =, gid =, groups = {} }`, `{ "setsid" }`, `{ "session_keyring" }`, `{ "chdir", path = | fd =
}`
- `{ "chroot", path = | fd = }`: chroot(2) and chdir("/"), for a root that others hold, of `/proc/PID/root`
- `{ "call", ["function"] = f }`: a Lua function, in a fork
@module luabox.sys.process
*/
#include "binding/process.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/pidfd.h>
#include <unistd.h>

#include "binding/signal.h"
#include "kernel/lack.h"
#include "kernel/util.h"

/* Its pid is no longer its own. */
static void unguard(struct process *p)
{
	if (p->guard)
		p->guard->pid = 0;
	p->guard = NULL;
}

/* Kills and reaps what still runs, unless it was released or is not ours; the pipes end with it. */
static void end_process(struct process *p)
{
	if (p->fd.fd >= 0 && !p->ended && !p->released && p->fd.owner == box_owner())
		proc_destroy(p->fd.fd);
	p->ended = 1;
	unguard(p);
	util_closep(&p->report);
	util_closep(&p->result);
	for (int i = 0; i < 3; i++)
		if (p->streams[i])
			util_closep(&p->streams[i]->fd);
}

static int process_close(lua_State *L)
{
	end_process(lua_touserdata(L, 1));
	return 0;
}

struct process *process_check(lua_State *L, int arg)
{
	return box_handle_check(L, arg, PROCESS_TYPE);
}

/* Raises what the child reports; 'where' is what comes before the step in the context. */
static int raise_report(lua_State *L, const struct proc_report *r, const char *where)
{
	if (r->step)
		where = lua_pushfstring(L, "%s, step %d (%s)", where, r->step,
					process_step_name(L, 1, r->step));
	box_push_error(L, &r->fault);
	box_add_context(L, where);
	return lua_error(L);
}

/* (options, handle): waits for the child's report. */
static int await_start(lua_State *L)
{
	struct process *p = lua_touserdata(L, 2);
	struct pollfd poll = { .fd = p->report, .events = POLLIN };
	struct proc_report r = { 0 };

	box_poll(L, &poll, 1, -1);
	if (proc_started(p->report, p->has_init, &r) < 0)
		return raise_report(L, &r, "in the child");
	util_closep(&p->report);
	return 0;
}

/* What did not start, or while we were interrupted, is gone before the error is raised. */
static void wait_started(lua_State *L, struct process *p)
{
	lua_pushcfunction(L, await_start);
	lua_pushvalue(L, 1);
	lua_pushvalue(L, -3);
	if (lua_pcall(L, 2, 0, 0) == LUA_OK)
		return;
	end_process(p);
	util_closep(&p->fd.fd);
	lua_error(L);
}

/* Pushes the handle, with all that it will own. */
static struct process *new_handle(lua_State *L)
{
	struct process *p = box_handle_new(L, PROCESS_TYPE, sizeof *p);

	p->report = p->result = -1;
	lua_createtable(L, 3, 1);
	p->buffer = box_buffer_new(L);
	lua_setfield(L, -2, "buffer");
	for (int i = 0; i < 3; i++) {
		p->streams[i] = box_fd_new(L);
		lua_rawseti(L, -2, i + 1);
	}
	lua_setiuservalue(L, -2, 1);
	return p;
}

static void start(lua_State *L, struct proc_spawn *s, struct process *p)
{
	struct proc_child child;
	struct fault f;

	fflush(NULL); /* else a forked child would print what is in our buffers once more */
	if (proc_spawn(s, &child, &f) < 0) {
		unguard(p);
		box_raise(L, &f);
	}
	p->fd.fd = child.pidfd;
	p->pid = child.pid;
	p->report = child.report;
	p->result = child.result;
	for (int i = 0; i < 3; i++)
		p->streams[i]->fd = child.streams[i];
	if (p->result >= 0)
		fcntl(p->result, F_SETFL, O_NONBLOCK);
	wait_started(L, p);
}

/* Pushes an option, or nil; its stack index. */
static int push_option(lua_State *L, const char *name)
{
	lua_pushstring(L, name);
	lua_rawget(L, 1);
	return lua_gettop(L);
}

/* The slot of the option `guard`, whose handle the process's user value keeps. */
static struct guard_slot *hold_guard(lua_State *L, int process)
{
	struct guard_slot *slot = process_check_guard(L, push_option(L, "guard"));

	lua_getiuservalue(L, process, 1);
	lua_insert(L, -2);
	lua_setfield(L, -2, "guard");
	lua_pop(L, 1);
	return slot;
}

/***
Starts a child.
@function spawn
@tparam table o
@tparam[opt] {string,...} o.program the program and its arguments. Without a slash it is looked up in the
PATH of the child's environment, inside the child's root. Either this or `body`.
@tparam[opt] function o.body a Lua function, run in a copy of this process; see `result`
@tparam[opt] table o.args its arguments, a list
@tparam[opt] string o.namespaces to be created, "mnt,pid,net,uts,ipc,user,cgroup,time"
@tparam[opt] table o.join list of namespaces to be entered: `luabox.namespace` handles, or
`{ pidfd = process, types = "mnt,net" }` for several of one process
@tparam[opt] luabox.fd o.cgroup directory of a cgroup v2 that the child is born in
@tparam[opt="inherit"] string|table|luabox.fd o.stdin "inherit", "null", "pipe", `{ path =, mode = "r" }`, or
any open descriptor. A path is opened by the parent.
@tparam[opt="inherit"] string|table|luabox.fd o.stdout as `stdin`; modes "w" (the default), "a", "rw"
@tparam[opt="inherit"] string|table|luabox.fd o.stderr as `stdout`
@tparam[opt] table o.fds further descriptors of a program: `{ [3] = handle }`. All others are closed.
@tparam[opt] {[string]=string} o.env the whole environment; this process's own by default
@tparam[opt] string o.cwd working directory, inside the child's root
@tparam[opt] integer o.uid user id
@tparam[opt] integer o.gid group id
@tparam[opt] {integer,...} o.groups supplementary groups, exactly; with `uid` or `gid` none by default
@tparam[opt] integer o.umask
@tparam[opt="KILL"] string o.death_signal what the child gets when this process dies; "NONE" for nothing
@tparam[opt=false] boolean o.setsid a session of its own
@tparam[opt] table o.uid_map ranges `{ inside =, outside =, count = }` for a new user namespace; the child is
then its root
@tparam[opt] table o.gid_map the same of groups
@tparam[opt] table o.time_offsets `{ monotonic =, boottime = }` for a new time namespace, in seconds
@tparam[opt=false] boolean o.init let the child be process 1: it runs the program as its own child (or
nothing, without one), passes TERM, INT, HUP, QUIT, USR1, USR2 and WINCH on to it, reaps orphans and ends with
it
@tparam[opt] {table,...} o.steps what the child does, in this order, before `cwd`, `groups`, `gid`, `uid` and
the program; see above
@tparam[opt] luabox.guard o.guard what `guard` gave, and guards no other process: it guards this one
@treturn luabox.process that kills its process when it is closed or collected
@raise luabox.error, of the parent's part or, with the context "in the child", of the child's
@see clone(2)
@usage local p <close> = luabox.sys.process.spawn { program = { "echo", "hello" }, stdout = "pipe" }
assert(p:stdout():read() == "hello\n")
assert(p:wait().code == 0)
*/
static int process_spawn(lua_State *L)
{
	struct process_body body = { .L = L };
	struct proc_spawn s;
	struct process *p;

	lua_settop(L, 1);
	body.functions = process_read_options(L, &s);
	body.function = push_option(L, "body");
	body.args = push_option(L, "args");
	p = new_handle(L);
	body.buffer = box_buffer_new(L);
	lua_insert(L, -2);
	p->has_body = !s.argv && !s.init;
	p->has_init = s.init;
	p->guard = hold_guard(L, lua_gettop(L));
	s.number = p->guard ? &p->guard->pid : NULL;
	s.context = s.steps.context = &body;
	s.body = p->has_body ? process_run_body : NULL;
	s.steps.call = process_run_call;
	luaL_checkstack(L, 8, NULL);
	start(L, &s, p);
	return 1;
}

/* Takes in what has come from the body, so that it never waits for us to read. */
static void collect(lua_State *L, struct process *p)
{
	ssize_t n = 1;

	while (p->result >= 0 && n > 0)
		n = box_buffer_read(L, p->buffer, p->result, SIZE_MAX);
	if (n == 0)
		util_closep(&p->result);
}

static int has_ended(lua_State *L, struct process *p)
{
	int rc = p->ended ? 1 : proc_reap(p->fd.fd, 0, &p->end);

	if (rc < 0)
		return box_fail(L, rc, "wait", lua_pushfstring(L, "process %d", (int)p->pid));
	if (rc == 0)
		return 0;
	collect(L, p);
	if (p->has_init && p->buffer->length == sizeof p->end)
		memcpy(&p->end, p->buffer->data, sizeof p->end);
	p->ended = 1;
	unguard(p);
	return 1;
}

static int find_ended(lua_State *L, struct process **list, int count)
{
	for (int i = 0; i < count; i++)
		if (has_ended(L, list[i]))
			return i;
	return -1;
}

int process_wait_list(lua_State *L, struct process **list, int count, int64_t deadline)
{
	struct pollfd *polls = lua_newuserdatauv(L, 2 * (size_t)count * sizeof *polls + 1, 0);
	int found;

	while ((found = find_ended(L, list, count)) < 0) {
		for (int i = 0; i < count; i++) {
			polls[2 * i] = (struct pollfd){ .fd = list[i]->fd.fd, .events = POLLIN };
			polls[2 * i + 1] = (struct pollfd){ .fd = list[i]->result, .events = POLLIN };
		}
		if (box_poll(L, polls, 2 * (nfds_t)count, deadline) == 0)
			break;
		for (int i = 0; i < count; i++)
			collect(L, list[i]);
	}
	lua_pop(L, 1);
	return found;
}

void process_push_end(lua_State *L, const struct proc_end *end)
{
	lua_createtable(L, 0, 2);
	if (!end->signal) {
		lua_pushinteger(L, end->code);
		lua_setfield(L, -2, "code");
		return;
	}
	box_push_signal(L, end->signal);
	lua_setfield(L, -2, "signal");
	lua_pushboolean(L, end->core);
	lua_setfield(L, -2, "core");
}

/***
The process.
@type luabox.process
*/

/***
Waits for the end. Ctrl-C interrupts it. After the end it gives the same again.
@function wait
@tparam[opt] number timeout in seconds
@treturn ?table `{ code = 0 }`, or `{ signal = "KILL", core = false }`; nil if it still runs after `timeout`
@see waitid(2)
@usage local p <close> = luabox.sys.process.spawn { program = { "sleep", "60" } }
assert(p:wait(0) == nil)
*/
static int process_wait(lua_State *L)
{
	struct process *p = process_check(L, 1);

	if (process_wait_list(L, &p, 1, box_check_deadline(L, 2)) < 0)
		lua_pushnil(L);
	else
		process_push_end(L, &p->end);
	return 1;
}

/***
Waits for the end of a Lua body and gives what it returned: nil, booleans, numbers,
strings and tables of these.
@function result
@treturn any ...
@raise the body's error, with "in the child" in its context
@usage local p <close> = luabox.sys.process.spawn { body = function(a) return a + 1 end, args = { 1 } }
assert(p:result() == 2)
*/
static int process_result(lua_State *L)
{
	struct process *p = process_check(L, 1);

	if (!p->has_body)
		luaL_argerror(L, 1, "the process runs a program, which has no result");
	process_wait_list(L, &p, 1, -1);
	return process_push_result(L, p);
}

/***
Sends a signal.
@function kill
@tparam[opt="TERM"] string|integer signal
@treturn boolean false if the process has ended already
@see pidfd_send_signal(2)
@usage local p <close> = luabox.sys.process.spawn { program = { "sleep", "60" } }
p:kill()
assert(p:wait().signal == "TERM")
*/
static int process_kill(lua_State *L)
{
	struct process *p = process_check(L, 1);
	int signal = box_checksignal(L, 2, SIGTERM), rc;

	rc = p->ended ? 0 : proc_signal(p->fd.fd, signal);
	if (rc < 0)
		return box_fail(L, rc, "kill", lua_pushfstring(L, "process %d", (int)p->pid));
	lua_pushboolean(L, rc);
	return 1;
}

/***
Whether it still runs.
@function alive
@treturn boolean
@usage local p <close> = luabox.sys.process.spawn { program = { "sleep", "60" } }
assert(p:alive())
*/
static int process_alive(lua_State *L)
{
	lua_pushboolean(L, !has_ended(L, process_check(L, 1)));
	return 1;
}

/***
Its number, as this process sees it. Another process can have it after the end.
@function pid
@treturn integer
@usage local p <close> = luabox.sys.process.spawn { program = { "true" } }
assert(p:pid() > 1)
*/
static int process_pid(lua_State *L)
{
	lua_pushinteger(L, process_check(L, 1)->pid);
	return 1;
}

/***
Lets the process run on when the handle goes. It still dies with this process, unless `death_signal` was
"NONE".
@function release
@usage local p = luabox.sys.process.spawn { program = { "true" } }
p:release()
*/
static int process_release(lua_State *L)
{
	process_check(L, 1)->released = 1;
	return 0;
}

/***
Its pidfd, as a descriptor of its own: for poll, `namespace.enter`, or to keep.
@function pidfd
@treturn luabox.fd
@see pidfd_open(2)
@usage local p <close> = luabox.sys.process.spawn { program = { "sleep", "60" } }
local fd <close> = p:pidfd()
*/
static int process_pidfd(lua_State *L)
{
	struct process *p = process_check(L, 1);
	struct box_fd *h = box_fd_new(L);

	h->fd = fcntl(p->fd.fd, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
	return h->fd < 0 ? box_fail(L, errno, "dup", "pidfd") : 1;
}

static int push_stream(lua_State *L, int i)
{
	struct process *p = process_check(L, 1);

	lua_getiuservalue(L, 1, 1);
	lua_rawgeti(L, -1, i + 1);
	if (p->streams[i]->fd < 0)
		lua_pushnil(L);
	return 1;
}

/***
The pipe to its standard input. Close it to end the input.
@function stdin
@treturn ?luabox.fd nil if it is no pipe, or closed
@usage local p <close> = luabox.sys.process.spawn { program = { "cat" }, stdin = "pipe", stdout = "pipe" }
p:stdin():write("x")
p:stdin():close()
assert(p:stdout():read() == "x")
*/
static int process_stdin(lua_State *L)
{
	return push_stream(L, 0);
}

/***
The pipe from its standard output.
@function stdout
@treturn ?luabox.fd nil if it is no pipe, or closed
@usage local p <close> = luabox.sys.process.spawn { program = { "echo", "x" }, stdout = "pipe" }
assert(p:stdout():read() == "x\n")
*/
static int process_stdout(lua_State *L)
{
	return push_stream(L, 1);
}

/***
The pipe from its standard error.
@function stderr
@treturn ?luabox.fd nil if it is no pipe, or closed
@usage local p <close> = luabox.sys.process.spawn { program = { "ls", "/nowhere" }, stderr = "pipe" }
assert(p:stderr():read():find("nowhere"))
*/
static int process_stderr(lua_State *L)
{
	return push_stream(L, 2);
}

static const luaL_Reg methods[] = {
	{ "wait", process_wait },
	{ "result", process_result },
	{ "kill", process_kill },
	{ "alive", process_alive },
	{ "pid", process_pid },
	{ "release", process_release },
	{ "pidfd", process_pidfd },
	{ "stdin", process_stdin },
	{ "stdout", process_stdout },
	{ "stderr", process_stderr },
	{ NULL, NULL },
};

/***
@section end
*/

/***
Waits for the first of several processes to end.
@function wait_any
@tparam {luabox.process,...} list
@tparam[opt] number timeout in seconds
@treturn ?luabox.process nil if all still run after `timeout`
@treturn ?table as of `wait`
@usage local p <close> = luabox.sys.process.spawn { program = { "sleep", "60" } }
local q <close> = luabox.sys.process.spawn { program = { "true" } }
assert(luabox.sys.process.wait_any { p, q } == q)
*/
static int process_wait_any(lua_State *L)
{
	int64_t deadline = box_check_deadline(L, 2);
	struct process **list;
	int count, found;

	luaL_checktype(L, 1, LUA_TTABLE);
	count = (int)lua_rawlen(L, 1);
	luaL_argcheck(L, count > 0, 1, "the list is empty");
	list = lua_newuserdatauv(L, (size_t)count * sizeof *list, 0);
	for (int i = 0; i < count; i++) {
		lua_rawgeti(L, 1, i + 1);
		list[i] = luaL_testudata(L, -1, PROCESS_TYPE);
		if (!list[i] || list[i]->fd.fd < 0)
			luaL_argerror(L, 1,
				      lua_pushfstring(L, "[%d]: an open luabox.process is expected", i + 1));
		lua_pop(L, 1);
	}
	found = process_wait_list(L, list, count, deadline);
	if (found < 0) {
		lua_pushnil(L);
		return 1;
	}
	lua_rawgeti(L, 1, found + 1);
	process_push_end(L, &list[found]->end);
	return 2;
}

/***
Replaces this process by a program. Descriptors above 2 are closed; nothing is undone, and no `<close>` runs.
@function exec
@tparam table o `program`, `env`, `cwd`, `uid`, `gid`, `groups`, `umask` and `steps` as of `spawn`, without
"call" steps
@raise luabox.error; what had been changed by then (the working directory, steps) stays changed
@see execve(2)
@usage local process = luabox.sys.process
local p <close> = process.spawn { body = function() process.exec { program = { "echo", "hello" } } end }
assert(p:wait().code == 0)
*/
static int process_exec(lua_State *L)
{
	struct proc_report r = { 0 };
	struct proc_spawn s;

	lua_settop(L, 1);
	process_read_exec_options(L, &s);
	fflush(NULL);
	proc_replace(&s, &r.step, &r.fault);
	return r.step ? raise_report(L, &r, "exec") : box_raise(L, &r.fault);
}

/***
Ends this process at once: nothing is closed or undone, only printed text is flushed.
@function exit
@tparam[opt=true] boolean|integer status true is 0, false is 1
@see _exit(2)
@usage local p <close> = luabox.sys.process.spawn { body = function() luabox.sys.process.exit(3) end }
assert(p:wait().code == 3)
*/
int process_exit(lua_State *L)
{
	int status = lua_isboolean(L, 1) ? !lua_toboolean(L, 1) : (int)luaL_optinteger(L, 1, 0);

	fflush(NULL);
	_exit(status);
}

/***
A pidfd of any process, to enter its namespaces or to wait for its end; it stays that process's.
@function pidfd
@tparam integer pid
@treturn luabox.fd
@raise luabox.error: ESRCH; ENOSYS before Linux 5.3
@see pidfd_open(2)
@usage local process = luabox.sys.process
local fd <close> = process.pidfd(process.id())
*/
static int process_open_pidfd(lua_State *L)
{
	lua_Integer pid = luaL_checkinteger(L, 1);
	struct box_fd *h = box_fd_new(L);

	struct fault f;

	luaL_argcheck(L, pid > 0 && pid <= INT_MAX, 1, "is not a pid");
	h->fd = pidfd_open((pid_t)pid, 0);
	if (h->fd >= 0)
		return 1;
	fault_set(&f, errno, "pidfd_open", "process %d", (int)pid);
	if (f.error == ENOSYS)
		lack_explain(&f, "pidfd_open", "a child's pidfd is there without it, by process:pidfd()");
	return box_raise(L, &f);
}

/***
The number of this process, in its own pid namespace.
@function id
@treturn integer
@see getpid(2)
@usage assert(luabox.sys.process.id() > 0)
*/
static int process_id(lua_State *L)
{
	lua_pushinteger(L, getpid());
	return 1;
}

/***
What tells this process from the one that it was forked from: unlike `id` never the same in both, though each
may be process 1 of a pid namespace.
@function owner
@treturn integer
@usage local process = luabox.sys.process
local p <close> = process.spawn { body = process.owner, namespaces = "pid" }
p:wait()
assert(p:result() ~= process.owner())
*/
static int process_owner(lua_State *L)
{
	lua_pushinteger(L, box_owner());
	return 1;
}

static const luaL_Reg functions[] = {
	{ "spawn", process_spawn },
	{ "wait_any", process_wait_any },
	{ "exec", process_exec },
	{ "exit", process_exit },
	{ "id", process_id },
	{ "owner", process_owner },
	{ "pidfd", process_open_pidfd },
	{ "communicate", process_communicate },
	{ "guard", process_guard },
	{ NULL, NULL },
};

BOX_MODULE(process)
{
	box_handle_type(L, PROCESS_TYPE, methods, process_close);
	luaL_newlib(L, functions);
	return 1;
}
