/* SPDX-License-Identifier: MIT
 * luabox.sys.cgroup: limits as options, in the forms that version 2's files take and
 * those that people write ("64M", 0.2 CPUs).
 */
#include "binding/cgroup.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PERIOD 100000 /* microseconds: the kernel's default */

static int bad_value(lua_State *L, int arg, const char *name, const char *expected)
{
	const char *text = luaL_tolstring(L, -1, NULL);

	return box_option_error(L, arg, NULL, name, "%s expected, got %s%.80s%s", expected,
				lua_type(L, -2) == LUA_TSTRING ? "'" : "", text,
				lua_type(L, -2) == LUA_TSTRING ? "'" : "");
}

/* "64M": a number with one of K M G T, powers of 1024. Returns whether it is one. */
static int parse_size(const char *s, uint64_t *out)
{
	static const char units[] = "KMGT";
	char *end;
	const char *unit;
	int shift = 0;

	if (*s < '0' || *s > '9')
		return 0;
	errno = 0;
	*out = strtoull(s, &end, 10);
	if (*end && (unit = strchr(units, *end))) {
		shift = 10 * (int)(unit - units + 1);
		end++;
	}
	if (errno || *end || *out > (uint64_t)INT64_MAX >> shift)
		return 0;
	*out <<= shift;
	return 1;
}

/* The value at the top of the stack as a count from 'min' to 'max', or "max". */
static uint64_t get_count(lua_State *L, int arg, const char *name, int64_t min, int64_t max, int sizes)
{
	const char *expected =
		sizes ? "a size as in 67108864 or \"64M\", or \"max\"," : "an integer or \"max\"";
	const char *text = lua_type(L, -1) == LUA_TSTRING ? lua_tostring(L, -1) : NULL;
	uint64_t value = 0;
	int ok;

	if (text && !strcmp(text, "max"))
		return CG_MAX;
	if (text) {
		ok = sizes && parse_size(text, &value);
	} else {
		value = (uint64_t)lua_tointegerx(L, -1, &ok);
	}
	if (!ok)
		bad_value(L, arg, name, expected);
	if ((int64_t)value < min || (int64_t)value > max)
		box_option_error(L, arg, NULL, name, "%lld is out of range (%lld to %lld)", (long long)value,
				 (long long)min, (long long)max);
	return value;
}

static void get_memory(lua_State *L, int arg, struct cg_limits *l)
{
	l->memory_max = get_count(L, arg, "memory.max", 0, INT64_MAX, 1);
}

static void get_high(lua_State *L, int arg, struct cg_limits *l)
{
	l->memory_high = get_count(L, arg, "memory.high", 0, INT64_MAX, 1);
}

static void get_swap(lua_State *L, int arg, struct cg_limits *l)
{
	l->swap_max = get_count(L, arg, "memory.swap.max", 0, INT64_MAX, 1);
}

static void get_pids(lua_State *L, int arg, struct cg_limits *l)
{
	l->pids_max = get_count(L, arg, "pids.max", 1, 4194304, 0);
}

static void get_weight(lua_State *L, int arg, struct cg_limits *l)
{
	int ok;
	lua_Integer weight = lua_tointegerx(L, -1, &ok);

	if (!ok || lua_type(L, -1) != LUA_TNUMBER)
		bad_value(L, arg, "cpu.weight", "an integer");
	if (weight < 1 || weight > 10000)
		box_option_error(L, arg, NULL, "cpu.weight", "%lld is out of range (1 to 10000)",
				 (long long)weight);
	l->cpu_weight = (uint64_t)weight;
}

/* "20000 100000", "max 100000" or "max", as in version 2's file. */
static void get_cpu_text(lua_State *L, int arg, struct cg_limits *l)
{
	const char *text = lua_tostring(L, -1);
	int end = -1;

	l->cpu_quota = CG_MAX;
	if (!strcmp(text, "max"))
		return;
	if (sscanf(text, "max %" SCNu64 "%n", &l->cpu_period, &end) < 1 || end < 0)
		if (sscanf(text, "%" SCNu64 " %" SCNu64 "%n", &l->cpu_quota, &l->cpu_period, &end) < 2)
			end = -1;
	if (end < 0 || text[end])
		bad_value(L, arg, "cpu.max", "a number of CPUs, or \"QUOTA PERIOD\" in microseconds,");
	if (l->cpu_quota < 1000 || l->cpu_period < 1000 || l->cpu_period > 1000000)
		box_option_error(L, arg, NULL, "cpu.max",
				 "'%.80s': quota from 1000 and period from 1000 to 1000000 microseconds",
				 text);
}

static void get_cpu_max(lua_State *L, int arg, struct cg_limits *l)
{
	double cpus = lua_tonumber(L, -1);

	l->cpu_period = PERIOD;
	if (lua_type(L, -1) == LUA_TSTRING) {
		get_cpu_text(L, arg, l);
		return;
	}
	if (lua_type(L, -1) != LUA_TNUMBER)
		bad_value(L, arg, "cpu.max", "a number of CPUs, or \"QUOTA PERIOD\" in microseconds,");
	if (!(cpus >= 0.01 && cpus <= 10000))
		box_option_error(L, arg, NULL, "cpu.max", "%g is out of range (0.01 to 10000 CPUs)", cpus);
	l->cpu_quota = (uint64_t)llround(cpus * PERIOD);
}

static void get_cpus(lua_State *L, int arg, struct cg_limits *l)
{
	const char *text = lua_type(L, -1) == LUA_TSTRING ? lua_tostring(L, -1) : "";

	if (!*text || text[strspn(text, "0123456789,-")])
		bad_value(L, arg, "cpuset.cpus", "a list of CPUs as in \"0-3,7\"");
	l->cpus = text;
}

/* The length of "rbps=1048576" or "wiops=max" at 's', or 0. */
static size_t io_pair(const char *s)
{
	static const char *const keys[] = { "rbps=", "wbps=", "riops=", "wiops=" };

	for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
		size_t key = strlen(keys[i]), value;

		if (strncmp(s, keys[i], key))
			continue;
		value = strncmp(s + key, "max", 3) ? strspn(s + key, "0123456789") : 3;
		return value ? key + value : 0;
	}
	return 0;
}

/* "8:0 rbps=1048576 wiops=max" */
static int is_io_line(const char *s)
{
	int device = 0;
	size_t length;

	if (sscanf(s, "%*u:%*u%n", &device) < 0 || !device || !s[device])
		return 0;
	for (s += device; *s; s += length) {
		if (*s++ != ' ')
			return 0;
		length = io_pair(s);
		if (!length)
			return 0;
	}
	return 1;
}

/* The lines become one string, in the place of the list on the stack. */
static void get_io(lua_State *L, int arg, struct cg_limits *l)
{
	int list = lua_gettop(L);
	lua_Integer n = luaL_len(L, list);
	luaL_Buffer b;

	luaL_buffinit(L, &b);
	for (lua_Integer i = 1; i <= n; i++) {
		lua_geti(L, list, i);
		if (lua_type(L, -1) != LUA_TSTRING || !is_io_line(lua_tostring(L, -1)))
			bad_value(L, arg, "io.max", "a list of lines as in \"8:0 rbps=1048576 wiops=max\"");
		luaL_addvalue(&b);
		luaL_addchar(&b, '\n');
	}
	luaL_pushresult(&b);
	lua_replace(L, list);
	l->io = lua_tostring(L, list);
}

static void (*const getters[CG_LIMITS])(lua_State *L, int arg, struct cg_limits *l) = {
	[CG_MEMORY_MAX] = get_memory, [CG_MEMORY_HIGH] = get_high,  [CG_SWAP_MAX] = get_swap,
	[CG_CPU_MAX] = get_cpu_max,   [CG_CPU_WEIGHT] = get_weight, [CG_PIDS_MAX] = get_pids,
	[CG_CPUSET_CPUS] = get_cpus,  [CG_IO_MAX] = get_io,
};

void cgroup_get_limits(lua_State *L, int arg, struct cg_limits *l)
{
	luaL_checkstack(L, CG_LIMITS + 8, NULL);
	for (int i = 0; i < CG_LIMITS; i++) {
		lua_pushstring(L, cg_limit_name(i));
		if (lua_rawget(L, arg) == LUA_TNIL) {
			lua_pop(L, 1);
			continue;
		}
		getters[i](L, arg, l);
		l->set |= 1u << i;
	}
}
