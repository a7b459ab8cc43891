/* SPDX-License-Identifier: MIT */
/***
Control groups behind cgroup v2's names, on v1, v2 and hybrid alike.
A group is a directory `luabox-NAME` below the caller's own cgroup in each hierarchy that it needs.
In the hybrid layout the cgroup2 hierarchy tracks, freezes and kills; limits go to version 1's.
Version 2 limits only the children of a cgroup that has no process of its own. If the caller's own has none
but the caller and what it has started, those move to the directory `luabox.self` in it; if there are others,
the group is made in the nearest cgroup above that can have it. Lua's `warn` says so (`luabox -W`).
@module luabox.sys.cgroup
*/
#include "binding/cgroup.h"

#include <limits.h>
#include <string.h>

#define REMOVE_TIMEOUT 2.0

static struct box_cgroup *check(lua_State *L)
{
	return box_handle_check(L, 1, CGROUP_TYPE);
}

/* The handle closes the tracker's descriptor itself. */
static int cgroup_release(lua_State *L)
{
	struct box_cgroup *c = lua_touserdata(L, 1);

	if (c->h.fd >= 0)
		c->cg.dir[c->cg.tracker].fd = -1;
	cg_release(&c->cg);
	return 0;
}

/* ---- making ---- */

struct create_options {
	const char *name, *parent;
};

static const struct box_opt create_options[] = {
	{ "name", BOX_STRING, offsetof(struct create_options, name), .required = 1, .min = 1,
	  .max = CG_NAME_MAX },
	{ "parent", BOX_STRING, offsetof(struct create_options, parent), .min = 1, .max = PATH_MAX - 512 },
	LIMIT_OPTIONS,
	{ 0 },
};

static const struct box_opt limit_options[] = { LIMIT_OPTIONS, { 0 } };

static void check_name(lua_State *L, const char *name)
{
	if (strpbrk(name, "/\n"))
		box_option_error(L, 1, NULL, "name", "'%.80s' contains a slash or a newline", name);
}

static void check_parent(lua_State *L, const char *parent)
{
	if (parent && (*parent != '/' || strstr(parent, "/..") || strchr(parent, '\n')))
		box_option_error(
			L, 1, NULL, "parent",
			"'%.80s' is not a path of cgroups as in /proc/self/cgroup: \"/\" or \"/a/b\"",
			parent);
}

static void push_paths(lua_State *L, const struct cgroup *cg)
{
	lua_createtable(L, cg->count, 0);
	for (int i = 0; i < cg->count; i++) {
		lua_pushstring(L, cg->dir[i].path);
		lua_seti(L, -2, i + 1);
	}
}

static void announce(lua_State *L, const struct cgroup *cg)
{
	if (lua_isnoneornil(L, 2))
		return;
	lua_pushvalue(L, 2);
	push_paths(L, cg);
	lua_pushstring(L, cg->parent.need ? cg->parent.path : NULL);
	lua_call(L, 2, 0);
}

/* What luabox does to itself, or does not do where one expects it, is said to those who listen (-W). */
static void say_where(lua_State *L, const struct cg_parent *p)
{
	const char *others = p->others.length ? ", where there are others than luabox's processes: " : "";

	if (p->moved)
		lua_warning(
			L,
			lua_pushfstring(
				L,
				"luabox: moved %d of its own processes from cgroup %s to " CG_LEAF
				" in it: cgroup v2 limits only the children of a cgroup without processes",
				p->moved, p->path),
			0);
	if (p->instead_of)
		lua_warning(L,
			    lua_pushfstring(L, "luabox: makes cgroups in %s and not in its own, %s%s%s",
					    p->path, p->instead_of, others, p->others.text),
			    0);
}

/***
Make a control group, empty, with its limits set.
@function create
@tparam table o
@tparam string o.name at most 200 bytes, no slash; the directories are called `luabox-NAME`
@tparam[opt] string o.parent the cgroup to make it in, as in /proc/self/cgroup (`"/"`, `"/a/b"`); if absent,
the caller's own, or with version 2 the nearest above it that can have groups with these limits
@tparam[opt] int|string o.memory.max bytes, `"64M"` (K, M, G, T) or `"max"`
@tparam[opt] int|string o.memory.high likewise: above it processes are held back and their memory is
reclaimed; version 2 only
@tparam[opt] int|string o.memory.swap.max bytes of swap, likewise; with cgroup v1 only together with
`memory.max`
@tparam[opt] number|string o.cpu.max CPUs (0.2 is a fifth of one), or `"QUOTA PERIOD"` in microseconds, or
`"max"`
@tparam[opt] int o.cpu.weight share of the CPUs against neighbours, 1 to 10000; the kernel's default is 100
@tparam[opt] int|string o.pids.max tasks, or `"max"`
@tparam[opt] string o.cpuset.cpus CPUs as in `"0-3,7"`
@tparam[opt] {string,...} o.io.max lines `"MAJOR:MINOR rbps=… wbps=… riops=… wiops=…"`
@tparam[opt] function before called with the list of the directories just before they are made, so that they
can be told to the keeper; and, where version 2 has to hand controllers on for it, with the directory above.
That directory is then put back as it was by whoever was told (the record `controllers PATH` of
`luabox.sys.keeper`), without `before` by `remove`.
@treturn luabox.cgroup
@raise luabox.error: EEXIST; EACCES and EROFS; EOPNOTSUPP if a controller is not there, or the cgroup above is
threaded; EBUSY under version 2's rule of no internal processes, if others than this process and those that it
has started are in the cgroup above. After an error no directory is left.
@see cgroups(7)
@usage local cg <close> = luabox.sys.cgroup.create { name = "doc-create", ["pids.max"] = 10 }
assert(cg:get("pids.max") == 10)
cg:remove()
*/
static int cgroup_create(lua_State *L)
{
	struct create_options o = { 0 };
	struct cg_limits l = { 0 };
	struct box_cgroup *c;
	struct fault f;
	int c_at;

	lua_settop(L, 2); /* what follows keeps strings on the stack */
	box_options(L, 1, create_options, &o);
	check_name(L, o.name);
	check_parent(L, o.parent);
	if (!lua_isnoneornil(L, 2))
		luaL_checktype(L, 2, LUA_TFUNCTION);
	cgroup_get_limits(L, 1, &l);
	c = box_handle_new(L, CGROUP_TYPE, sizeof *c);
	if (cg_plan(&c->cg, o.name, o.parent, l.set, &f) < 0)
		return box_raise(L, &f);
	c->cg.restores = c->cg.parent.need && lua_isnoneornil(L, 2);
	announce(L, &c->cg);
	if (cg_make(&c->cg, &l, &f) < 0)
		return box_raise(L, &f);
	c->h.fd = c->cg.dir[c->cg.tracker].fd;
	c_at = lua_gettop(L);
	say_where(L, &c->cg.parent);
	lua_settop(L, c_at);
	return 1;
}

/* ---- methods ---- */

/***
A control group.
`close` lets go of its descriptors; the group itself stays until `remove`.
@type luabox.cgroup
*/

/***
The directories of the group, in the order in which they were made.
@function paths
@treturn {string,...}
@usage local cg <close> = luabox.sys.cgroup.create { name = "doc-paths" }
assert(cg:paths()[1]:match("/luabox%-doc%-paths$"))
cg:remove()
*/
static int cgroup_paths(lua_State *L)
{
	push_paths(L, &check(L)->cg);
	return 1;
}

/***
The descriptor of the cgroup2 directory, for a child that is born inside (CLONE_INTO_CGROUP).
@function fd
@treturn ?int nil where cgroup2 is not mounted
@see clone(2)
@usage local cg <close> = luabox.sys.cgroup.create { name = "doc-fd" }
assert(cg:fd() == cg:fileno())
cg:remove()
*/
static int cgroup_fd(lua_State *L)
{
	const struct box_cgroup *c = check(L);

	if (c->cg.dir[c->cg.tracker].version == 2)
		lua_pushinteger(L, c->h.fd);
	else
		lua_pushnil(L);
	return 1;
}

/***
Descriptors to which a child with one thread writes `"0"` to move itself into the group.
Without `all` only those that `fd` does not serve: version 1's `tasks`, which take no lock and 40
microseconds.
@function attach_fds
@tparam[opt=false] boolean all cgroup2's `cgroup.procs` too (that one takes milliseconds)
@treturn {luabox.fd,...}
@usage local cg <close> = luabox.sys.cgroup.create { name = "doc-fds", ["pids.max"] = 10 }
assert(#cg:attach_fds(true) == #cg:paths())
cg:remove()
*/
static int cgroup_attach_fds(lua_State *L)
{
	const struct box_cgroup *c = check(L);
	int all = lua_toboolean(L, 2);
	struct fault f;

	lua_newtable(L);
	for (int i = 0; i < c->cg.count; i++) {
		struct box_fd *fd;

		if (c->cg.dir[i].version == 2 && !all)
			continue;
		fd = box_fd_new(L);
		fd->fd = cg_attach_fd(&c->cg.dir[i], &f);
		if (fd->fd < 0)
			return box_raise(L, &f);
		lua_seti(L, -2, luaL_len(L, -2) + 1);
	}
	return 1;
}

/***
Move a process with all its threads into the group; takes milliseconds per hierarchy.
@function attach
@int pid
@raise luabox.error: ESRCH for no such process, EBUSY, EINVAL
@usage local cg <close> = luabox.sys.cgroup.create { name = "doc-attach" }
local ok, e = pcall(cg.attach, cg, 4194304)
assert(not ok and e.code == "ESRCH")
cg:remove()
*/
static int cgroup_attach(lua_State *L)
{
	const struct box_cgroup *c = check(L);
	lua_Integer pid = luaL_checkinteger(L, 2);
	struct fault f;

	luaL_argcheck(L, pid > 0 && pid <= INT_MAX, 2, "not the number of a process");
	if (cg_attach(&c->cg, (pid_t)pid, &f) < 0)
		return box_raise(L, &f);
	return 0;
}

static void push_lines(lua_State *L, const char *text)
{
	lua_newtable(L);
	for (lua_Integer i = 1; *text; i++) {
		size_t length = strcspn(text, "\n");

		lua_pushlstring(L, text, length);
		lua_seti(L, -2, i);
		text += length + (text[length] == '\n');
	}
}

static void push_cpu_max(lua_State *L, const struct cg_limits *l)
{
	if (l->cpu_quota == CG_MAX)
		lua_pushliteral(L, "max");
	else
		lua_pushnumber(L, (double)l->cpu_quota / (double)l->cpu_period);
}

int cgroup_push_limit(lua_State *L, const struct cgroup *cg, enum cg_limit limit)
{
	struct cg_limits l = { 0 };
	char text[4096];

	if (!cgroup_is_there(L, cg_get_limit(cg, limit, &l, text, sizeof text), cg_limit_name(limit)))
		return 0;
	switch (limit) {
	case CG_MEMORY_MAX:
		cgroup_push_number(L, l.memory_max);
		break;
	case CG_MEMORY_HIGH:
		cgroup_push_number(L, l.memory_high);
		break;
	case CG_SWAP_MAX:
		cgroup_push_number(L, l.swap_max);
		break;
	case CG_CPU_MAX:
		push_cpu_max(L, &l);
		break;
	case CG_CPU_WEIGHT:
		cgroup_push_number(L, l.cpu_weight);
		break;
	case CG_PIDS_MAX:
		cgroup_push_number(L, l.pids_max);
		break;
	case CG_CPUSET_CPUS:
		lua_pushstring(L, text);
		break;
	case CG_IO_MAX:
		push_lines(L, text);
		break;
	case CG_LIMITS:
		return 0;
	}
	return 1;
}

static int unknown_limit(lua_State *L, const char *name)
{
	luaL_Buffer b;

	luaL_buffinit(L, &b);
	luaL_addstring(&b, lua_pushfstring(L, "unknown name '%s'; expected one of ", name));
	lua_remove(L, -2);
	for (int i = 0; i < CG_LIMITS; i++) {
		luaL_addstring(&b, i ? ", " : "");
		luaL_addstring(&b, cg_limit_name(i));
	}
	luaL_pushresult(&b);
	return luaL_argerror(L, 2, lua_tostring(L, -1));
}

/***
Read a limit back, from whichever file holds it.
@function get
@string name a limit as `create` takes it
@treturn ?int|number|string|table as `create` takes it: bytes, CPUs, a count, "max", a list of lines;
nil if the group was made without the controller of that limit
@usage local cg <close> = luabox.sys.cgroup.create { name = "doc-get", ["cpu.max"] = 0.5 }
assert(cg:get("cpu.max") == 0.5)
cg:remove()
*/
static int cgroup_get(lua_State *L)
{
	const struct box_cgroup *c = check(L);
	const char *name = luaL_checkstring(L, 2);
	int i = 0;

	while (i < CG_LIMITS && strcmp(cg_limit_name(i), name))
		i++;
	if (i == CG_LIMITS)
		return unknown_limit(L, name);
	return cgroup_push_limit(L, &c->cg, i);
}

/***
Change limits of the group while it runs.
@function set
@tparam table o limits as in `create`; the group must have been made with each one's controller
@raise luabox.error: EOPNOTSUPP without the controller, EBUSY if more memory is in use and cannot be reclaimed
@usage local cg <close> = luabox.sys.cgroup.create { name = "doc-set", ["pids.max"] = 10 }
cg:set { ["pids.max"] = 20 }
assert(cg:get("pids.max") == 20)
cg:remove()
*/
static int cgroup_set(lua_State *L)
{
	const struct box_cgroup *c = check(L);
	struct cg_limits l = { 0 };
	struct fault f;

	box_options(L, 2, limit_options, &l);
	cgroup_get_limits(L, 2, &l);
	if (cg_set_limits(&c->cg, &l, &f) < 0)
		return box_raise(L, &f);
	return 0;
}

/* Room for the pids is made in Lua between two walks of the kernel's, never in one. */
struct pids {
	pid_t *pid;
	size_t count, size;
};

static int collect_pid(pid_t pid, void *data)
{
	struct pids *p = data;

	if (p->count < p->size)
		p->pid[p->count] = pid;
	p->count++;
	return 0;
}

/***
The processes in the group and in those below it.
@function processes
@treturn {int,...} process numbers; 0 for those that this process's pid namespace does not show
@usage local cg <close> = luabox.sys.cgroup.create { name = "doc-processes" }
assert(#cg:processes() == 0)
cg:remove()
*/
static int cgroup_processes(lua_State *L)
{
	const struct box_cgroup *c = check(L);
	struct pids p = { NULL, 0, 64 };
	int rc;

	for (;;) {
		p.pid = lua_newuserdatauv(L, p.size * sizeof *p.pid, 0);
		p.count = 0;
		rc = cg_each_process(c->h.fd, collect_pid, &p);
		if (rc < 0)
			return box_fail(L, rc, "read", c->cg.dir[c->cg.tracker].path);
		if (p.count <= p.size)
			break;
		p.size = p.count * 2;
		lua_pop(L, 1);
	}
	lua_createtable(L, (int)p.count, 0);
	for (size_t i = 0; i < p.count; i++) {
		lua_pushinteger(L, p.pid[i]);
		lua_seti(L, -2, (lua_Integer)i + 1);
	}
	return 1;
}

static int set_frozen(lua_State *L, int frozen)
{
	struct fault f;

	if (cg_freeze(&check(L)->cg, frozen, &f) < 0)
		return box_raise(L, &f);
	return 0;
}

/***
Stop all processes of the group; returns when all have stopped.
@function freeze
@raise luabox.error: ETIMEDOUT if one is in an uninterruptible wait; ENOENT without cgroup2 and freezer
@usage local cg <close> = luabox.sys.cgroup.create { name = "doc-freeze" }
cg:freeze()
cg:thaw()
cg:remove()
*/
static int cgroup_freeze(lua_State *L)
{
	return set_frozen(L, 1);
}

/***
Let the processes of a frozen group go on.
@function thaw
@usage local cg <close> = luabox.sys.cgroup.create { name = "doc-thaw" }
cg:thaw()
cg:remove()
*/
static int cgroup_thaw(lua_State *L)
{
	return set_frozen(L, 0);
}

/***
Send SIGKILL to all processes of the group and below, those that are frozen or forking too.
Does not wait for their end; `remove` does.
@function kill
@usage local cg <close> = luabox.sys.cgroup.create { name = "doc-kill" }
cg:kill()
cg:remove()
*/
static int cgroup_kill(lua_State *L)
{
	struct fault f;

	if (cg_kill(&check(L)->cg, &f) < 0)
		return box_raise(L, &f);
	return 0;
}

/***
Remove the group and those below it. Kills nothing, but waits for processes that are about to end.
The handle is closed by it.
@function remove
@tparam[opt=2] number timeout seconds to wait for the processes to end
@raise luabox.error: EBUSY with the processes that are still in it
@usage local cg <close> = luabox.sys.cgroup.create { name = "doc-remove" }
cg:remove()
*/
static int cgroup_remove(lua_State *L)
{
	struct box_cgroup *c = check(L);
	lua_Number timeout = luaL_optnumber(L, 2, REMOVE_TIMEOUT);
	struct fault f;

	luaL_argcheck(L, timeout >= 0 && timeout <= 86400, 2, "seconds from 0 to 86400 expected");
	if (cg_remove(&c->cg, (int)(timeout * 1000), &f) < 0)
		return box_raise(L, &f);
	lua_settop(L, 1);
	lua_getfield(L, 1, "close");
	lua_insert(L, 1);
	lua_call(L, 1, 0);
	return 0;
}

static const luaL_Reg methods[] = { { "attach", cgroup_attach },
				    { "attach_fds", cgroup_attach_fds },
				    { "fd", cgroup_fd },
				    { "freeze", cgroup_freeze },
				    { "get", cgroup_get },
				    { "kill", cgroup_kill },
				    { "killed_by", box_cgroup_killed_by },
				    { "paths", cgroup_paths },
				    { "processes", cgroup_processes },
				    { "read", box_cgroup_read },
				    { "remove", cgroup_remove },
				    { "set", cgroup_set },
				    { "stat", box_cgroup_stat },
				    { "thaw", cgroup_thaw },
				    { NULL, NULL } };

static const luaL_Reg functions[] = { { "create", cgroup_create },
				      { "layout", box_cgroup_layout },
				      { NULL, NULL } };

BOX_MODULE(cgroup)
{
	box_handle_type(L, CGROUP_TYPE, methods, cgroup_release);
	luaL_newlib(L, functions);
	return 1;
}
