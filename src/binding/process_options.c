/* SPDX-License-Identifier: MIT
 * The options of spawn and exec, checked whole and turned into the plain data that
 * the kernel side takes. Arrays are userdata left on the stack, so they live as long.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <sched.h>
#include <string.h>
#include <unistd.h>

#include "binding/namespace.h"
#include "binding/process.h"
#include "binding/signal.h"
#include "kernel/namespace.h"

#define MAX_ID 4294967294 /* the last one means "unchanged" */

struct options {
	uint64_t namespaces;
	const char *cwd, *death_signal;
	int64_t uid, gid, umask;
	int cgroup, setsid, init;
};

#define FIELD(name) offsetof(struct options, name)

static const struct box_opt spawn_options[] = {
	{ "program", BOX_TABLE },
	{ "body", BOX_FUNCTION },
	{ "args", BOX_TABLE },
	{ "namespaces", BOX_FLAGS, FIELD(namespaces), .names = box_namespace_types },
	{ "join", BOX_TABLE },
	{ "cgroup", BOX_FD, FIELD(cgroup) },
	{ "stdin", BOX_ANY },
	{ "stdout", BOX_ANY },
	{ "stderr", BOX_ANY },
	{ "fds", BOX_TABLE },
	{ "env", BOX_TABLE },
	{ "cwd", BOX_STRING, FIELD(cwd), .min = 1, .max = 4095 },
	{ "uid", BOX_INT, FIELD(uid), .min = 0, .max = MAX_ID },
	{ "gid", BOX_INT, FIELD(gid), .min = 0, .max = MAX_ID },
	{ "groups", BOX_TABLE },
	{ "umask", BOX_INT, FIELD(umask), .min = 0, .max = 0777 },
	{ "death_signal", BOX_STRING, FIELD(death_signal), .min = 1 },
	{ "setsid", BOX_BOOL, FIELD(setsid) },
	{ "uid_map", BOX_TABLE },
	{ "gid_map", BOX_TABLE },
	{ "time_offsets", BOX_TABLE },
	{ "init", BOX_BOOL, FIELD(init) },
	{ "steps", BOX_TABLE },
	{ "guard", BOX_ANY },
	{ 0 },
};

/* Pushes an option and says whether it is there. */
static int get(lua_State *L, const char *name)
{
	lua_pushstring(L, name);
	return lua_rawget(L, 1) != LUA_TNIL;
}

/* The length of the list at the top; other keys are refused. */
static size_t list_length(lua_State *L, const char *name)
{
	size_t n = lua_rawlen(L, -1), seen = 0;

	for (lua_pushnil(L); lua_next(L, -2); lua_pop(L, 1))
		seen++;
	if (seen != n)
		box_option_error(L, 1, NULL, name, "a list is expected, without other keys");
	return n;
}

/* Refuses item 'i' of a list; the message is pushed by the caller. */
static void wrong_item(lua_State *L, const char *name, size_t i, const char *message)
{
	box_option_error(L, 1, NULL, lua_pushfstring(L, "%s[%d]", name, (int)i), "%s", message);
}

/* A string of the list at 'list'. It lives as long as the list. */
static const char *list_string(lua_State *L, int list, size_t i, const char *name)
{
	size_t length;
	const char *s;

	if (lua_rawgeti(L, list, (lua_Integer)i) != LUA_TSTRING)
		wrong_item(L, name, i, lua_pushfstring(L, "string expected, got %s", luaL_typename(L, -1)));
	s = lua_tolstring(L, -1, &length);
	if (strlen(s) != length)
		wrong_item(L, name, i, "contains a zero byte");
	lua_pop(L, 1);
	return s;
}

static char *const *read_program(lua_State *L)
{
	int list = lua_gettop(L);
	size_t n = list_length(L, "program");
	const char **argv;

	if (n == 0)
		box_option_error(L, 1, NULL, "program", "is empty");
	argv = lua_newuserdatauv(L, (n + 1) * sizeof *argv, 0);
	for (size_t i = 1; i <= n; i++)
		argv[i - 1] = list_string(L, list, i, "program");
	argv[n] = NULL;
	if (!argv[0][0])
		box_option_error(L, 1, NULL, "program[1]", "is empty");
	return (char *const *)argv;
}

/* Pushes "NAME=value" of the pair at the top, which is kept. */
static const char *push_variable(lua_State *L)
{
	const char *name, *value;
	size_t name_length, value_length;

	if (lua_type(L, -2) != LUA_TSTRING)
		box_option_error(L, 1, NULL, "env", "names are strings, got a %s key", luaL_typename(L, -2));
	name = lua_tolstring(L, -2, &name_length);
	if (name_length == 0 || strchr(name, '=') || strlen(name) != name_length)
		box_option_error(L, 1, NULL, "env", "'%s' is no name of a variable", name);
	if (lua_type(L, -1) != LUA_TSTRING)
		box_option_error(L, 1, "env", name, "string expected, got %s", luaL_typename(L, -1));
	value = lua_tolstring(L, -1, &value_length);
	if (strlen(value) != value_length)
		box_option_error(L, 1, "env", name, "contains a zero byte");
	return lua_pushfstring(L, "%s=%s", name, value);
}

static char *const *read_env(lua_State *L)
{
	int table = lua_gettop(L);
	size_t n = 0, i = 0;
	const char **env;

	for (lua_pushnil(L); lua_next(L, table); lua_pop(L, 1))
		n++;
	lua_createtable(L, (int)n, 0); /* holds the strings */
	env = lua_newuserdatauv(L, (n + 1) * sizeof *env, 0);
	for (lua_pushnil(L); lua_next(L, table); lua_pop(L, 1)) {
		env[i] = push_variable(L);
		lua_rawseti(L, table + 1, (lua_Integer)++i);
	}
	env[i] = NULL;
	return (char *const *)env;
}

void process_read_groups(lua_State *L, const char *where, struct proc_user *user)
{
	int list = lua_gettop(L);
	size_t n = lua_rawlen(L, list);
	gid_t *groups = lua_newuserdatauv(L, (n + 1) * sizeof *groups, 0);

	for (size_t i = 1; i <= n; i++) {
		int exact;
		lua_Integer gid;

		lua_rawgeti(L, list, (lua_Integer)i);
		gid = lua_tointegerx(L, -1, &exact);
		if (lua_type(L, -1) != LUA_TNUMBER || !exact || gid < 0 || gid > MAX_ID)
			box_option_error(L, 1, where, lua_pushfstring(L, "groups[%d]", (int)i),
					 "a group id is expected (0 to 4294967294)");
		groups[i - 1] = (gid_t)gid;
		lua_pop(L, 1);
	}
	user->groups = groups;
	user->group_count = n;
	user->groups_given = 1;
}

struct file_options {
	const char *path;
	int64_t mode;
};

static const struct box_name file_modes[] = {
	{ "r", O_RDONLY },
	{ "w", O_WRONLY | O_CREAT | O_TRUNC },
	{ "a", O_WRONLY | O_CREAT | O_APPEND },
	{ "rw", O_RDWR | O_CREAT },
	{ 0 },
};

static const struct box_opt file_option_list[] = {
	{ "path", BOX_STRING, offsetof(struct file_options, path), .required = 1, .min = 1, .max = 4095 },
	{ "mode", BOX_ENUM, offsetof(struct file_options, mode), .names = file_modes },
	{ 0 },
};

static void read_word(lua_State *L, const char *name, struct proc_stream *s)
{
	static const struct {
		const char *word;
		enum proc_stream_kind kind;
	} words[] = { { "inherit", PROC_INHERIT }, { "null", PROC_NULL }, { "pipe", PROC_PIPE } };
	const char *word = lua_tostring(L, -1);

	for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
		if (!strcmp(word, words[i].word)) {
			s->kind = words[i].kind;
			return;
		}
	box_option_error(
		L, 1, NULL, name,
		"unknown value '%s'; expected 'inherit', 'null', 'pipe', { path = … } or a descriptor", word);
}

static void read_file(lua_State *L, const char *name, int i, struct proc_stream *s)
{
	struct file_options o = { .mode = i == 0 ? O_RDONLY : O_WRONLY | O_CREAT | O_TRUNC };

	box_options_at(L, 1, -1, name, 0, file_option_list, &o);
	*s = (struct proc_stream){ .kind = PROC_FILE, .path = o.path, .flags = (int)o.mode };
}

static void read_stream(lua_State *L, const char *name, int i, struct proc_stream *s)
{
	if (!get(L, name))
		s->kind = PROC_INHERIT;
	else if (lua_type(L, -1) == LUA_TSTRING)
		read_word(L, name, s);
	else if (lua_istable(L, -1))
		read_file(L, name, i, s);
	else {
		s->kind = PROC_DESCRIPTOR;
		s->fd = box_tofd(L, -1);
		if (s->fd < 0)
			box_option_error(L, 1, NULL, name, "%s",
					 lua_isuserdata(L, -1)
						 ? "attempt to use a closed handle"
						 : "a word, a table or a descriptor is expected");
	}
	lua_pop(L, 1);
}

static int read_target(lua_State *L)
{
	int exact;
	lua_Integer n = lua_tointegerx(L, -2, &exact);

	if (lua_type(L, -2) != LUA_TNUMBER || !exact || n < 3 || n > 1 << 20)
		box_option_error(L, 1, NULL, "fds", "keys are the child's descriptors, from 3 on");
	return (int)n;
}

static void read_fds(lua_State *L, struct proc_spawn *s)
{
	int table = lua_gettop(L);
	size_t n = 0;

	for (lua_pushnil(L); lua_next(L, table); lua_pop(L, 1))
		n++;
	s->fds = lua_newuserdatauv(L, (n + 1) * sizeof *s->fds, 0);
	for (lua_pushnil(L); lua_next(L, table); lua_pop(L, 1)) {
		struct proc_fd *fd = &s->fds[s->fd_count++];

		fd->target = read_target(L);
		fd->source = box_tofd(L, -1);
		if (fd->source < 0)
			wrong_item(L, "fds", (size_t)fd->target,
				   lua_pushfstring(
					   L,
					   "an open handle, io file or descriptor number is expected, got %s",
					   luaL_typename(L, -1)));
	}
}

struct join_options {
	int pidfd;
	uint64_t types;
};

static const struct box_opt join_option_list[] = {
	{ "pidfd", BOX_FD, offsetof(struct join_options, pidfd), .required = 1 },
	{ "types", BOX_FLAGS, offsetof(struct join_options, types), .required = 1,
	  .names = box_namespace_types },
	{ 0 },
};

/* The value at the top: a namespace, or { pidfd =, types = }. */
static struct proc_join read_join(lua_State *L, int i)
{
	const char *where = lua_pushfstring(L, "join[%d]", i);
	struct join_options o = { 0 };
	struct fault f;
	int type;

	lua_insert(L, -2);
	if (lua_istable(L, -1)) {
		box_options_at(L, 1, -1, where, 0, join_option_list, &o);
		if (!o.types)
			box_option_error(L, 1, where, "types", "is empty");
	} else {
		o.pidfd = box_tofd(L, -1);
		type = o.pidfd < 0 ? -EBADF : ns_type_of(o.pidfd, &f);
		if (type < 0 && !ns_is_none(-type))
			box_raise(L, &f);
		if (type < 0)
			box_option_error(L, 1, NULL, where,
					 "an open namespace or { pidfd =, types = } is expected");
		o.types = (uint64_t)type;
	}
	lua_pop(L, 2);
	return (struct proc_join){ o.pidfd, o.types };
}

static void read_joins(lua_State *L, struct proc_spawn *s)
{
	int list = lua_gettop(L);
	size_t n = list_length(L, "join");
	struct proc_join *joins = lua_newuserdatauv(L, (n + 1) * sizeof *joins, 0);
	uint64_t seen = s->namespaces, again;

	for (size_t i = 1; i <= n; i++) {
		lua_rawgeti(L, list, (lua_Integer)i);
		joins[i - 1] = read_join(L, (int)i);
		again = seen & joins[i - 1].types;
		if (again) {
			box_push_flags(L, again, box_namespace_types);
			wrong_item(
				L, "join", i,
				lua_pushfstring(L, "'%s' is joined or created twice", lua_tostring(L, -1)));
		}
		seen |= joins[i - 1].types;
	}
	s->joins = joins;
	s->join_count = n;
}

static int read_death_signal(lua_State *L, const char *name)
{
	int signal;

	if (!name)
		return SIGKILL;
	if (!strcmp(name, "NONE"))
		return 0;
	signal = sys_signal_number(name);
	if (!signal)
		box_option_error(L, 1, NULL, "death_signal", "unknown signal '%.40s'; 'NONE' for none", name);
	return signal;
}

/* Exactly one of them, and what goes with one only. */
static void check_body(lua_State *L, int init)
{
	int program = get(L, "program"), body = get(L, "body"), args = get(L, "args"), fds = get(L, "fds");

	if (program && body)
		box_option_error(L, 1, NULL, "body", "there is a 'program' already");
	if (!program && !body && !init)
		luaL_argerror(L, 1, "one of the options 'program' and 'body' is needed");
	if (init && body)
		box_option_error(L, 1, NULL, "init",
				 "is for a 'program'; a Lua function would be process 1 itself");
	if (args && !body)
		box_option_error(L, 1, NULL, "args", "is for a 'body'; a program's are in 'program'");
	if (fds && body)
		box_option_error(L, 1, NULL, "fds", "is for a 'program'; a Lua function sees its handles");
	lua_pop(L, 4);
}

static void read_maps(lua_State *L, struct proc_spawn *s)
{
	static const char *const names[] = { "uid_map", "gid_map" };
	struct idmap *maps[] = { &s->maps.uid, &s->maps.gid };

	for (int i = 0; i < 2; i++) {
		if (!get(L, names[i]))
			continue;
		if (!(s->namespaces & CLONE_NEWUSER))
			box_option_error(L, 1, NULL, names[i], "needs 'user' among 'namespaces'");
		box_check_idmap(L, 1, names[i], maps[i]);
	}
}

static const struct box_opt time_options[] = {
	{ "monotonic", BOX_INT, offsetof(struct proc_spawn, monotonic_offset), .min = -INT32_MAX,
	  .max = INT32_MAX },
	{ "boottime", BOX_INT, offsetof(struct proc_spawn, boot_offset), .min = -INT32_MAX,
	  .max = INT32_MAX },
	{ 0 },
};

static void read_time_offsets(lua_State *L, struct proc_spawn *s)
{
	if (!(s->namespaces & CLONE_NEWTIME))
		box_option_error(L, 1, NULL, "time_offsets", "needs 'time' among 'namespaces'");
	box_options_at(L, 1, -1, "time_offsets", 0, time_options, s);
}

static void read_streams(lua_State *L, struct proc_spawn *s)
{
	static const char *const names[] = { "stdin", "stdout", "stderr" };

	for (int i = 0; i < 3; i++)
		read_stream(L, names[i], i, &s->streams[i]);
}

/* What spawn and exec have in common. Returns the stack index of the functions of steps, or 0. */
static int read_common(lua_State *L, const struct options *o, struct proc_spawn *s)
{
	*s = (struct proc_spawn){ .namespaces = o->namespaces,
				  .cgroup = o->cgroup,
				  .new_session = o->setsid,
				  .umask = o->umask,
				  .cwd = o->cwd,
				  .user = { .uid = o->uid, .gid = o->gid },
				  .init = o->init,
				  .env = environ };
	if (get(L, "program"))
		s->argv = read_program(L);
	if (get(L, "env"))
		s->env = read_env(L);
	if (get(L, "groups"))
		process_read_groups(L, NULL, &s->user);
	return get(L, "steps") ? process_read_steps(L, &s->steps) : 0;
}

int process_read_options(lua_State *L, struct proc_spawn *s)
{
	struct options o = { .uid = -1, .gid = -1, .umask = -1, .cgroup = -1 };
	int functions;

	box_options(L, 1, spawn_options, &o);
	luaL_checkstack(L, 40, NULL);
	check_body(L, o.init);
	functions = read_common(L, &o, s);
	s->death_signal = read_death_signal(L, o.death_signal);
	read_streams(L, s);
	if (get(L, "fds"))
		read_fds(L, s);
	if (get(L, "join"))
		read_joins(L, s);
	read_maps(L, s);
	if (get(L, "time_offsets"))
		read_time_offsets(L, s);
	return functions;
}

static const struct box_opt exec_options[] = {
	{ "program", BOX_TABLE, .required = 1 },
	{ "env", BOX_TABLE },
	{ "cwd", BOX_STRING, FIELD(cwd), .min = 1, .max = 4095 },
	{ "uid", BOX_INT, FIELD(uid), .min = 0, .max = MAX_ID },
	{ "gid", BOX_INT, FIELD(gid), .min = 0, .max = MAX_ID },
	{ "groups", BOX_TABLE },
	{ "umask", BOX_INT, FIELD(umask), .min = 0, .max = 0777 },
	{ "steps", BOX_TABLE },
	{ 0 },
};

void process_read_exec_options(lua_State *L, struct proc_spawn *s)
{
	struct options o = { .uid = -1, .gid = -1, .umask = -1, .cgroup = -1 };

	box_options(L, 1, exec_options, &o);
	luaL_checkstack(L, 40, NULL);
	read_common(L, &o, s);
	if (s->steps.calls)
		box_option_error(L, 1, NULL, "steps", "'call' is for spawn; before exec, call it yourself");
}
