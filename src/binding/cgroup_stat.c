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

/* Numbers that are read only; 'v1' is version 1's file and key. */
static const struct {
	const char *name;
	enum cg_controller controller;
	const char *v2, *v2_key, *v1, *v1_key;
} counters[] = {
	{ "memory.current", CG_MEMORY, "memory.current", NULL, "memory.usage_in_bytes", NULL },
	{ "memory.peak", CG_MEMORY, "memory.peak", NULL, "memory.max_usage_in_bytes", NULL },
	{ "memory.oom_kill", CG_MEMORY, "memory.events", "oom_kill", "memory.oom_control", "oom_kill" },
	{ "pids.current", CG_PIDS, "pids.current", NULL, "pids.current", NULL },
	{ "pids.refused", CG_PIDS, "pids.events", "max", "pids.events", "max" },
	{ "cpu.periods", CG_CPU, "cpu.stat", "nr_periods", "cpu.stat", "nr_periods" },
	{ "cpu.throttled", CG_CPU, "cpu.stat", "nr_throttled", "cpu.stat", "nr_throttled" },
};

#define COUNTERS (sizeof counters / sizeof *counters)

static int read_counter(lua_State *L, const struct cgroup *cg, size_t i, uint64_t *out)
{
	const struct cg_dir *d = cg_dir_of(cg, counters[i].controller);
	int rc = 0;

	if (d)
		rc = d->version == 2 ? cg_read_number(d, counters[i].v2, counters[i].v2_key, out)
				     : cg_read_number(d, counters[i].v1, counters[i].v1_key, out);
	return cgroup_is_there(L, rc, counters[i].name);
}

/* Times are there without a controller where cgroup2 is, and with version 1 where cpuacct is mounted with
 * cpu; they are gone when somebody has removed the group. */
static void add_times(lua_State *L, const struct cgroup *cg)
{
	char text[4096], key[32];
	long long value;
	struct fault f;
	int rc = cg_read(cg, "cpu.stat", text, sizeof text, &f), length = 0;

	if (rc == -ENOTSUP || rc == -ENOENT || rc == -ENODEV)
		return;
	if (rc < 0)
		box_raise(L, &f);
	for (const char *s = text; sscanf(s, "%31s %lld%n", key, &value, &length) == 2; s += length) {
		if (strcmp(key, "usage_usec") && strcmp(key, "user_usec") && strcmp(key, "system_usec"))
			continue;
		lua_pushfstring(L, "cpu.%s", key);
		lua_pushinteger(L, value);
		lua_rawset(L, -3);
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
	uint64_t value;

	lua_newtable(L);
	add_times(L, &c->cg);
	for (size_t i = 0; i < COUNTERS; i++)
		if (read_counter(L, &c->cg, i, &value)) {
			cgroup_push_number(L, value);
			lua_setfield(L, -2, counters[i].name);
		}
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

static const struct {
	const char *counter;
	enum cg_limit limit;
} killers[] = { { "memory.oom_kill", CG_MEMORY_MAX }, { "pids.refused", CG_PIDS_MAX } };

static uint64_t counter_of(lua_State *L, const struct cgroup *cg, const char *name)
{
	uint64_t value = 0;

	for (size_t i = 0; i < COUNTERS; i++)
		if (!strcmp(counters[i].name, name) && read_counter(L, cg, i, &value))
			return value;
	return 0;
}

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

	for (size_t i = 0; i < sizeof killers / sizeof *killers; i++) {
		uint64_t count = counter_of(L, &c->cg, killers[i].counter);

		if (!count)
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
