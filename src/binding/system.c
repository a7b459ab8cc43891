/* SPDX-License-Identifier: MIT */
/***
Names, limits and parameters of the kernel and of this process.
@module luabox.sys.system
*/
#include "binding/system.h"

#include <errno.h>
#include <limits.h>
#include <string.h>
#include <sys/sysinfo.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

#include "kernel/netns_socket.h"
#include "kernel/system.h"

#define UNLIMITED "unlimited"

const struct box_name box_rlimit_names[] = {
	{ "AS", RLIMIT_AS },
	{ "CORE", RLIMIT_CORE },
	{ "CPU", RLIMIT_CPU },
	{ "DATA", RLIMIT_DATA },
	{ "FSIZE", RLIMIT_FSIZE },
	{ "LOCKS", RLIMIT_LOCKS },
	{ "MEMLOCK", RLIMIT_MEMLOCK },
	{ "MSGQUEUE", RLIMIT_MSGQUEUE },
	{ "NICE", RLIMIT_NICE },
	{ "NOFILE", RLIMIT_NOFILE },
	{ "NPROC", RLIMIT_NPROC },
	{ "RSS", RLIMIT_RSS },
	{ "RTPRIO", RLIMIT_RTPRIO },
	{ "RTTIME", RLIMIT_RTTIME },
	{ "SIGPENDING", RLIMIT_SIGPENDING },
	{ "STACK", RLIMIT_STACK },
	{ 0 },
};

const char *box_rlimit_name(int resource)
{
	const struct box_name *n = box_rlimit_names;

	while (n->name && n->bits != (uint64_t)resource)
		n++;
	return n->name;
}

/* ---- host and domain name ---- */

static void get_uname(lua_State *L, struct utsname *u)
{
	if (uname(u))
		box_fail(L, errno, "uname", NULL);
}

/* Pushes one of the names of uname(2). */
static int push_name(lua_State *L, size_t offset)
{
	struct utsname u;

	get_uname(L, &u);
	lua_pushstring(L, (const char *)&u + offset);
	return 1;
}

/***
The host name of this UTS namespace.
@function hostname
@treturn string
@see uname(2)
@usage assert(#luabox.sys.system.hostname() > 0)
*/
static int system_hostname(lua_State *L)
{
	return push_name(L, offsetof(struct utsname, nodename));
}

/***
The NIS domain name of this UTS namespace.
@function domainname
@treturn string `"(none)"` where there is none
@see uname(2)
@usage print(luabox.sys.system.domainname())
*/
static int system_domainname(lua_State *L)
{
	return push_name(L, offsetof(struct utsname, domainname));
}

/* A name of up to 64 bytes at 1, set by 'set'. */
static int set_name(lua_State *L, int (*set)(const char *, struct fault *))
{
	size_t length;
	const char *name = luaL_checklstring(L, 1, &length);
	struct fault f;

	luaL_argcheck(L, length <= BOX_HOSTNAME_MAX, 1,
		      lua_pushfstring(L, "'%s' is %d bytes long; at most %d are allowed", name, (int)length,
				      BOX_HOSTNAME_MAX));
	luaL_argcheck(L, strlen(name) == length, 1, "contains a zero byte");
	if (set(name, &f))
		return box_raise(L, &f);
	lua_pushboolean(L, 1);
	return 1;
}

/***
Name the host, in this UTS namespace.
@function set_hostname
@string name at most 64 bytes
@raise luabox.error: EPERM without sys_admin over the UTS namespace
@see sethostname(2)
@usage luabox.sys.system.set_hostname "box"
*/
static int system_set_hostname(lua_State *L)
{
	return set_name(L, sys_set_hostname);
}

/***
Set the NIS domain name, in this UTS namespace.
@function set_domainname
@string name at most 64 bytes
@raise luabox.error: EPERM without sys_admin over the UTS namespace
@see setdomainname(2)
@usage luabox.sys.system.set_domainname "example.org"
*/
static int system_set_domainname(lua_State *L)
{
	return set_name(L, sys_set_domainname);
}

/* ---- sysctl ---- */

void box_check_sysctl_name(lua_State *L, int arg, const char *where, const char *name, const char *text)
{
	char path[SYS_SYSCTL_SIZE];

	if (sys_sysctl_path(text, path))
		box_option_error(L, arg, where, name,
				 "'%.80s' is not a sysctl's name, as net.ipv4.ip_forward is", text);
}

void box_check_sysctl_value(lua_State *L, int arg, const char *where, const char *name, const char *text)
{
	if (strchr(text, '\n'))
		box_option_error(L, arg, where, name, "a sysctl's value has no newline");
}

/* A string without zero bytes; a number is taken as its digits. */
static const char *check_text(lua_State *L, int arg)
{
	size_t length;
	const char *text = luaL_checklstring(L, arg, &length);

	luaL_argcheck(L, strlen(text) == length, arg, "contains a zero byte");
	return text;
}

struct sysctl {
	const char *name, *value;
	char *buffer; /* of SYS_VALUE_SIZE bytes, for what is read */
	ssize_t length;
};

static int get_sysctl(void *argument, struct fault *f)
{
	struct sysctl *s = argument;

	s->length = sys_sysctl_get(s->name, s->buffer, SYS_VALUE_SIZE, f);
	return s->length < 0 ? (int)s->length : 0;
}

/***
A parameter of the kernel.

Names are as in sysctl(8): `net.ipv4.ip_forward` or `net/ipv4/ip_forward`; a dot in an interface's name is
written `/` in the first form (`net.ipv4.conf.eth0/100.mtu`).
@function sysctl
@string name
@tparam[opt] luabox.namespace|integer namespace a network namespace of which to read it, for `net.…`; the
current one by default
@treturn string the value without the newline at its end
@raise luabox.error: ENOENT where this kernel or namespace has no such parameter
@see sysctl(8), proc(5)
@usage assert(luabox.sys.system.sysctl "kernel.ostype" == "Linux")
*/
static int system_sysctl(lua_State *L)
{
	struct sysctl s = { .name = check_text(L, 1) };
	int netns = lua_isnoneornil(L, 2) ? -1 : box_checkfd(L, 2);
	struct fault f;
	luaL_Buffer b;

	box_check_sysctl_name(L, 1, NULL, NULL, s.name);
	s.buffer = luaL_buffinitsize(L, &b, SYS_VALUE_SIZE);
	if (net_visit(netns, get_sysctl, &s, &f))
		return box_raise(L, &f);
	luaL_pushresultsize(&b, (size_t)s.length);
	return 1;
}

static int set_sysctl(void *argument, struct fault *f)
{
	const struct sysctl *s = argument;

	return sys_sysctl_set(s->name, s->value, f);
}

/***
Set a parameter of the kernel.
@function set_sysctl
@string name as for `sysctl`
@tparam string|integer value without a newline
@tparam[opt] luabox.namespace|integer namespace a network namespace in which to set it, for `net.…`; the
current one by default
@raise luabox.error: ENOENT, EACCES, EPERM, EROFS; EINVAL for a value that the kernel does not take
@see sysctl(8), proc(5)
@usage luabox.sys.system.set_sysctl("net.ipv4.ip_forward", 1)
assert(luabox.sys.system.sysctl "net.ipv4.ip_forward" == "1")
*/
static int system_set_sysctl(lua_State *L)
{
	struct sysctl s = { .name = check_text(L, 1), .value = check_text(L, 2) };
	int netns = lua_isnoneornil(L, 3) ? -1 : box_checkfd(L, 3);
	struct fault f;

	box_check_sysctl_name(L, 1, NULL, NULL, s.name);
	box_check_sysctl_value(L, 2, NULL, NULL, s.value);
	if (net_visit(netns, set_sysctl, &s, &f))
		return box_raise(L, &f);
	lua_pushboolean(L, 1);
	return 1;
}

/* ---- limits ---- */

static void push_limit(lua_State *L, rlim_t limit)
{
	if (limit == RLIM_INFINITY)
		lua_pushliteral(L, UNLIMITED);
	else
		lua_pushinteger(L, (lua_Integer)limit);
}

rlim_t box_checklimit(lua_State *L, int arg, int index, const char *where, const char *name)
{
	int exact = 0;
	lua_Integer n = lua_type(L, index) == LUA_TNUMBER ? lua_tointegerx(L, index, &exact) : 0;

	if (lua_type(L, index) == LUA_TSTRING && !strcmp(lua_tostring(L, index), UNLIMITED))
		return RLIM_INFINITY;
	if (!exact)
		return (rlim_t)box_option_error(
			L, arg, where, name, "integer or '" UNLIMITED "' expected, got %s",
			lua_type(L, index) == LUA_TSTRING ? lua_pushfstring(L, "'%s'", lua_tostring(L, index))
							  : luaL_typename(L, index));
	if (n < 0)
		return (rlim_t)box_option_error(L, arg, where, name, "%lld is negative", (long long)n);
	return (rlim_t)n;
}

static pid_t opt_pid(lua_State *L, int arg)
{
	lua_Integer pid = luaL_optinteger(L, arg, getpid());

	luaL_argcheck(L, pid > 0 && pid <= INT_MAX, arg, "pid out of range");
	return (pid_t)pid;
}

/***
A resource limit.
@function rlimit
@string name AS, CORE, CPU, DATA, FSIZE, LOCKS, MEMLOCK, MSGQUEUE, NICE, NOFILE, NPROC, RSS, RTPRIO, RTTIME,
SIGPENDING or STACK
@int[opt] pid of another process than this one
@treturn integer|string the soft limit, or `"unlimited"`
@treturn integer|string the hard limit, or `"unlimited"`
@raise luabox.error: ESRCH for a process that is not there, EPERM
@see prlimit(2)
@usage local soft, hard = luabox.sys.system.rlimit "NOFILE"
*/
static int system_rlimit(lua_State *L)
{
	int resource = (int)box_checkenum(L, 1, NULL, box_rlimit_names);
	pid_t pid = opt_pid(L, 2);
	struct rlimit limit;

	if (prlimit(pid, (__rlimit_resource_t)resource, NULL, &limit))
		return box_fail(L, errno, "prlimit", lua_tostring(L, 1));
	push_limit(L, limit.rlim_cur);
	push_limit(L, limit.rlim_max);
	return 2;
}

struct rlimit_options {
	int64_t name, pid;
};

static const struct box_opt rlimit_options[] = {
	{ "name", BOX_ENUM, offsetof(struct rlimit_options, name), .required = 1, .names = box_rlimit_names },
	{ "soft", BOX_ANY, .required = 1 },
	{ "hard", BOX_ANY },
	{ "pid", BOX_INT, offsetof(struct rlimit_options, pid), .min = 1, .max = INT_MAX },
	{ 0 },
};

/***
Set a resource limit.
@function set_rlimit
@tparam table o
@string o.name as for `rlimit`
@tparam integer|string o.soft what the kernel holds the process to; `"unlimited"` for none
@tparam[opt] integer|string o.hard how far the process may raise the soft limit itself; `soft` if left out
@tparam[opt] integer o.pid of another process than this one
@raise luabox.error: EPERM for a hard limit raised without sys_resource, EINVAL for soft above hard
@see prlimit(2)
@usage luabox.sys.system.set_rlimit { name = "CORE", soft = 0 }
assert(luabox.sys.system.rlimit "CORE" == 0)
*/
static int system_set_rlimit(lua_State *L)
{
	struct rlimit_options o = { 0 };
	struct rlimit limit;
	struct fault f;

	box_options(L, 1, rlimit_options, &o);
	lua_settop(L, 1);
	lua_getfield(L, 1, "soft");
	limit.rlim_cur = limit.rlim_max = box_checklimit(L, 1, 2, NULL, "soft");
	if (lua_getfield(L, 1, "hard") != LUA_TNIL)
		limit.rlim_max = box_checklimit(L, 1, 3, NULL, "hard");
	if (limit.rlim_cur > limit.rlim_max)
		return box_option_error(L, 1, NULL, "soft", "is above the hard limit");
	if (sys_rlimit_set((pid_t)o.pid, (int)o.name, box_rlimit_name((int)o.name), &limit, &f))
		return box_raise(L, &f);
	lua_pushboolean(L, 1);
	return 1;
}

/* ---- the machine ---- */

/***
The kernel and the machine.
@function uname
@treturn {sysname=string,release=string,version=string,machine=string}
@see uname(2)
@usage assert(luabox.sys.system.uname().sysname == "Linux")
*/
static int system_uname(lua_State *L)
{
	struct utsname u;

	get_uname(L, &u);
	lua_createtable(L, 0, 4);
	box_set_text(L, "sysname", u.sysname);
	box_set_text(L, "release", u.release);
	box_set_text(L, "version", u.version);
	box_set_text(L, "machine", u.machine);
	return 1;
}

static void get_sysinfo(lua_State *L, struct sysinfo *s)
{
	if (sysinfo(s))
		box_fail(L, errno, "sysinfo", NULL);
}

/***
The machine's memory, whatever limit a cgroup sets.
@function memory
@treturn {total=integer,free=integer,swap_total=integer,swap_free=integer} bytes
@see sysinfo(2)
@usage assert(luabox.sys.system.memory().total > 0)
*/
static int system_memory(lua_State *L)
{
	struct sysinfo s;

	get_sysinfo(L, &s);
	lua_createtable(L, 0, 4);
	box_set_integer(L, "total", (lua_Integer)s.totalram * s.mem_unit);
	box_set_integer(L, "free", (lua_Integer)s.freeram * s.mem_unit);
	box_set_integer(L, "swap_total", (lua_Integer)s.totalswap * s.mem_unit);
	box_set_integer(L, "swap_free", (lua_Integer)s.freeswap * s.mem_unit);
	return 1;
}

/***
Seconds since the machine started.
@function uptime
@treturn integer
@see sysinfo(2)
@usage assert(luabox.sys.system.uptime() > 0)
*/
static int system_uptime(lua_State *L)
{
	struct sysinfo s;

	get_sysinfo(L, &s);
	lua_pushinteger(L, s.uptime);
	return 1;
}

/***
Seconds on a clock that nobody sets: only differences mean something.
@function clock
@treturn number with nanoseconds
@see clock_gettime(2)
@usage local before = luabox.sys.system.clock()
assert(luabox.sys.system.clock() >= before)
*/
static int system_clock(lua_State *L)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	lua_pushnumber(L, (lua_Number)t.tv_sec + (lua_Number)t.tv_nsec / 1e9);
	return 1;
}

/***
Processors that are online.
@function cpus
@treturn integer
@see sysconf(3)
@usage assert(luabox.sys.system.cpus() >= 1)
*/
static int system_cpus(lua_State *L)
{
	lua_pushinteger(L, sysconf(_SC_NPROCESSORS_ONLN));
	return 1;
}

/***
Bytes of a page of memory.
@function page_size
@treturn integer
@see sysconf(3)
@usage assert(luabox.sys.system.page_size() >= 4096)
*/
static int system_page_size(lua_State *L)
{
	lua_pushinteger(L, sysconf(_SC_PAGESIZE));
	return 1;
}

/* ---- this process ---- */

/***
The effective user id of this process, in its user namespace.
@function uid
@treturn integer
@see geteuid(2)
@usage assert(luabox.sys.system.uid() == 0)
*/
static int system_uid(lua_State *L)
{
	lua_pushinteger(L, geteuid());
	return 1;
}

/***
The effective group id of this process, in its user namespace.
@function gid
@treturn integer
@see getegid(2)
@usage assert(luabox.sys.system.gid() == 0)
*/
static int system_gid(lua_State *L)
{
	lua_pushinteger(L, getegid());
	return 1;
}

static const luaL_Reg functions[] = {
	{ "calls", box_system_calls },
	{ "clock", system_clock },
	{ "cpus", system_cpus },
	{ "domainname", system_domainname },
	{ "gid", system_gid },
	{ "has_call", box_system_has_call },
	{ "hostname", system_hostname },
	{ "memory", system_memory },
	{ "page_size", system_page_size },
	{ "rlimit", system_rlimit },
	{ "set_domainname", system_set_domainname },
	{ "set_hostname", system_set_hostname },
	{ "set_rlimit", system_set_rlimit },
	{ "set_sysctl", system_set_sysctl },
	{ "sysctl", system_sysctl },
	{ "uid", system_uid },
	{ "uname", system_uname },
	{ "uptime", system_uptime },
	{ NULL, NULL },
};

BOX_MODULE(system)
{
	luaL_newlib(L, functions);
	return 1;
}
