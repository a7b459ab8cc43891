/* SPDX-License-Identifier: MIT */
/***
What a group has used, and which limit it has met.
@submodule luabox.sys.cgroup
*/
#include "binding/cgroup.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct box_cgroup *check(lua_State *L)
{
	return box_handle_check(L, 1, CGROUP_TYPE);
}

void cgroup_push_number(lua_State *L, uint64_t value)
{
	if (value == CG_MAX)
		lua_pushliteral(L, "max");
	else
		lua_pushinteger(L, (lua_Integer)value);
}

int cgroup_is_there(lua_State *L, int rc, const char *name)
{
	return rc < 0 ? box_fail(L, rc, "read", name) : rc;
}

/* Numbers that have a file each; 'v1' is version 1's. */
static const struct {
	const char *name;
	enum cg_controller controller;
	const char *v1;
} numbers[] = {
	{ "memory.current", CG_MEMORY, "memory.usage_in_bytes" },
	{ "memory.peak", CG_MEMORY, "memory.max_usage_in_bytes" },
	{ "pids.current", CG_PIDS, "pids.current" },
};

static void add_numbers(lua_State *L, const struct cgroup *cg)
{
	for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
		const struct cg_dir *d = cg_dir_of(cg, numbers[i].controller);
		const char *file = d && d->version == 1 ? numbers[i].v1 : numbers[i].name;
		uint64_t value;

		if (!cgroup_is_there(L, cg_read_number(d, file, NULL, &value), numbers[i].name))
			continue;
		cgroup_push_number(L, value);
		lua_setfield(L, -2, numbers[i].name);
	}
}

/* Numbers that have a line each of what cg_read reads. */
static const struct {
	const char *name, *file, *key;
} lines[] = {
	{ "cpu.usage_usec", "cpu.stat", "usage_usec" },   { "cpu.user_usec", "cpu.stat", "user_usec" },
	{ "cpu.system_usec", "cpu.stat", "system_usec" }, { "cpu.periods", "cpu.stat", "nr_periods" },
	{ "cpu.throttled", "cpu.stat", "nr_throttled" },  { "memory.oom_kill", "memory.events", "oom_kill" },
	{ "pids.refused", "pids.events", "max" },
};

/* "" without the controller, and when somebody has removed the group. */
static void read_text(lua_State *L, const struct cgroup *cg, const char *file, char *text, size_t size)
{
	struct fault f;
	int rc = cg_read(cg, file, text, size, &f);

	if (rc == -ENOTSUP || rc == -ENOENT || rc == -ENODEV)
		*text = '\0';
	else if (rc < 0)
		box_raise(L, &f);
}

static void add_lines(lua_State *L, const struct cgroup *cg)
{
	const char *file = "";
	char text[4096];
	uint64_t value;

	for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
		if (strcmp(file, lines[i].file) != 0)
			read_text(L, cg, lines[i].file, text, sizeof text);
		file = lines[i].file;
		if (!cg_find_number(text, lines[i].key, &value))
			continue;
		cgroup_push_number(L, value);
		lua_setfield(L, -2, lines[i].name);
	}
}

/***
What the group has used.
@function stat
@treturn table as far as the group's controllers know: `cpu.usage_usec`, `cpu.user_usec`, `cpu.system_usec`,
`cpu.periods`, `cpu.throttled` (periods in which it was held back), `memory.current`, `memory.peak` (bytes),
`memory.oom_kill` (processes killed by the limit), `pids.current`, `pids.refused` (forks)
@usage local cg <close> = luabox.sys.cgroup.create { name = "doc-stat", ["pids.max"] = 10 }
assert(cg:stat()["pids.current"] == 0)
cg:remove()
*/
int box_cgroup_stat(lua_State *L)
{
	const struct box_cgroup *c = check(L);

	lua_newtable(L);
	add_lines(L, &c->cg);
	add_numbers(L, &c->cg);
	return 1;
}

/* ---- files of version 2 ---- */

static const char *check_readable(lua_State *L)
{
	const char *name = luaL_checkstring(L, 2);
	luaL_Buffer b;

	for (int i = 0; cg_readable[i]; i++)
		if (!strcmp(name, cg_readable[i]))
			return name;
	luaL_buffinit(L, &b);
	luaL_addstring(&b, "unknown file; expected one of ");
	for (int i = 0; cg_readable[i]; i++) {
		luaL_addstring(&b, i ? ", " : "");
		luaL_addstring(&b, cg_readable[i]);
	}
	luaL_pushresult(&b);
	luaL_argerror(L, 2, lua_tostring(L, -1));
	return NULL;
}

/* "avg10=0.00 avg60=0.00 avg300=0.00 total=0" as a table. */
static void push_pressure(lua_State *L, const char *s, const char *end)
{
	char key[16], value[32];
	int length = 0;

	lua_createtable(L, 0, 4);
	while (s < end && sscanf(s, " %15[a-z0-9]=%31[0-9.]%n", key, value, &length) == 2) {
		lua_stringtonumber(L, value);
		lua_setfield(L, -2, key);
		s += length;
	}
}

/* "key number" or "some avg10=…" into the table on top. */
static void add_line(lua_State *L, const char *line, const char *end)
{
	size_t length = strcspn(line, " \n");

	lua_pushlstring(L, line, length);
	if (memchr(line, '=', (size_t)(end - line)))
		push_pressure(L, line + length, end);
	else
		lua_pushinteger(L, (lua_Integer)strtoll(line + length, NULL, 10));
	lua_rawset(L, -3);
}

/***
Read a file of version 2's, from whichever version has the numbers.
@function read
@string name `cpu.stat`, `memory.events`, `pids.events`, `cpu.pressure`, `memory.pressure` or `io.pressure`
@treturn table the file's names and numbers. `cpu.stat`: `usage_usec`, `nr_throttled`, `throttled_usec` and
more; `memory.events`: `max`, `oom_kill`, and with version 2 `low`, `high`, `oom` and more; `pids.events`:
`max`. Pressure: `some` and `full`, tables of `avg10`, `avg60`, `avg300` (per cent of the last seconds in
which tasks waited) and `total` (microseconds).
@raise luabox.error: EOPNOTSUPP where the group was made without the controller, or for pressure without
cgroup2; ENOENT where the kernel counts none
@usage local cg <close> = luabox.sys.cgroup.create { name = "doc-read", ["pids.max"] = 10 }
assert(cg:read("pids.events").max == 0)
cg:remove()
*/
int box_cgroup_read(lua_State *L)
{
	const struct box_cgroup *c = check(L);
	const char *name = check_readable(L);
	char text[4096];
	struct fault f;

	if (cg_read(&c->cg, name, text, sizeof text, &f) < 0)
		return box_raise(L, &f);
	lua_newtable(L);
	for (const char *line = text; *line;) {
		const char *end = line + strcspn(line, "\n");

		add_line(L, line, end);
		line = *end ? end + 1 : end;
	}
	return 1;
}

/* ---- the limit that was met ---- */

/* Where it is counted. */
static const struct {
	const char *file, *key;
	enum cg_limit limit;
} killers[] = { { "memory.events", "oom_kill", CG_MEMORY_MAX }, { "pids.events", "max", CG_PIDS_MAX } };

/***
By which limit processes of the group were killed, or could not be made.
@function killed_by
@treturn ?table nil if by none; `limit` ("memory.max": killed; "pids.max": a fork was refused), `value` of
that limit, `count` of processes
@usage local cg <close> = luabox.sys.cgroup.create { name = "doc-killed", ["memory.max"] = "64M" }
assert(cg:killed_by() == nil)
cg:remove()
*/
int box_cgroup_killed_by(lua_State *L)
{
	const struct box_cgroup *c = check(L);
	char text[4096];
	uint64_t count;

	for (size_t i = 0; i < sizeof killers / sizeof *killers; i++) {
		read_text(L, &c->cg, killers[i].file, text, sizeof text);
		if (!cg_find_number(text, killers[i].key, &count) || !count)
			continue;
		lua_createtable(L, 0, 3);
		lua_pushstring(L, cg_limit_name(killers[i].limit));
		lua_setfield(L, -2, "limit");
		if (cgroup_push_limit(L, &c->cg, killers[i].limit))
			lua_setfield(L, -2, "value");
		cgroup_push_number(L, count);
		lua_setfield(L, -2, "count");
		return 1;
	}
	return 0;
}
