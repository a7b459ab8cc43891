/* SPDX-License-Identifier: MIT */
/***
System call filters: which of the kernel's calls a program may make at all.

A filter is compiled once and loaded as often as wanted: by a child (`process.spawn`'s step `seccomp`) or by
this process. What happens to a call is an action: `"allow"`, `"errno:EPERM"` (the call fails so),
`"kill_process"`,
`"kill_thread"`, `"trap"` (SIGSYS) or `"log"` (allowed, and logged).

`fileno` of a filter is a file with its BPF, as `bwrap --seccomp` and others read it.
@module luabox.sys.seccomp
*/
#include "binding/seccomp.h"

#include <errno.h>
#include <string.h>

#include "binding/capability.h"
#include "kernel/capability.h"
#include "kernel/seccomp_profile.h"

#define LAST_ERRNO 133

static const struct box_name actions[] = {
	{ "allow", SCMP_ACT_ALLOW },
	{ "kill_process", SCMP_ACT_KILL_PROCESS },
	{ "kill_thread", SCMP_ACT_KILL_THREAD },
	{ "log", SCMP_ACT_LOG },
	{ "trap", SCMP_ACT_TRAP },
	{ 0 },
};

static const struct box_name operators[] = {
	{ "eq", SCMP_CMP_EQ },
	{ "ge", SCMP_CMP_GE },
	{ "gt", SCMP_CMP_GT },
	{ "le", SCMP_CMP_LE },
	{ "lt", SCMP_CMP_LT },
	{ "ne", SCMP_CMP_NE },
	{ "masked_eq", SCMP_CMP_MASKED_EQ },
	{ 0 },
};

/* ---- actions ---- */

static int errno_number(const char *name)
{
	for (int e = 1; e <= LAST_ERRNO; e++) {
		const char *known = strerrorname_np(e);

		if (known && !strcmp(known, name))
			return e;
	}
	return 0;
}

static uint32_t check_action(lua_State *L, const char *where, const char *name, const char *text)
{
	int error;

	if (strncmp(text, "errno:", 6)) {
		for (const struct box_name *n = actions; n->name; n++)
			if (!strcmp(n->name, text))
				return (uint32_t)n->bits;
		return (uint32_t)box_option_error(L, 1, where, name,
						  "unknown action '%.80s'; expected 'allow', 'errno:NAME', "
						  "'kill_process', 'kill_thread', 'log' or 'trap'",
						  text);
	}
	error = errno_number(text + 6);
	if (!error)
		return (uint32_t)box_option_error(L, 1, where, name, "'%.80s' is not the name of an errno",
						  text + 6);
	return SCMP_ACT_ERRNO((uint32_t)error);
}

static void push_action(lua_State *L, uint32_t action)
{
	for (const struct box_name *n = actions; n->name; n++)
		if (n->bits == action) {
			lua_pushstring(L, n->name);
			return;
		}
	lua_pushfstring(L, "errno:%s", strerrorname_np((int)(action & SECCOMP_RET_DATA)));
}

/* ---- descriptions ---- */

/* The list 'name' of the table at 'index', or nil, with its length. */
static size_t get_list(lua_State *L, int index, const char *name)
{
	index = lua_absindex(L, index);
	lua_pushstring(L, name);
	return lua_rawget(L, index) == LUA_TTABLE ? lua_rawlen(L, -1) : 0;
}

/* The call named by the string at the top; one that this architecture never had is left out. */
static void add_call(lua_State *L, struct sec_filter *s, struct sec_rule *rules, const char *where,
		     const struct sec_rule *like)
{
	int number;

	if (lua_type(L, -1) != LUA_TSTRING) {
		box_option_error(L, 1, NULL, where, "string expected, got %s", luaL_typename(L, -1));
		return;
	}
	number = sec_number(lua_tostring(L, -1));
	if (number == -EINVAL)
		box_option_error(L, 1, NULL, where, "'%.80s' is not the name of a system call",
				 lua_tostring(L, -1));
	if (number < 0)
		return;
	rules[s->count] = *like;
	rules[s->count++].number = number;
}

/* Adds the names in the list at the top with the rule's action and compares. */
static void add_calls(lua_State *L, struct sec_filter *s, struct sec_rule *rules, const char *where,
		      const struct sec_rule *like)
{
	size_t n = lua_rawlen(L, -1);

	for (size_t i = 1; i <= n; i++) {
		lua_pushfstring(L, "%s[%d]", where, (int)i);
		lua_rawgeti(L, -2, (lua_Integer)i);
		add_call(L, s, rules, lua_tostring(L, -2), like);
		lua_pop(L, 2);
	}
}

static void add_list(lua_State *L, struct sec_filter *s, struct sec_rule *rules, const char *name,
		     uint32_t action)
{
	struct sec_rule like = { .action = action };

	if (get_list(L, 1, name))
		add_calls(L, s, rules, name, &like);
	lua_pop(L, 1);
}

struct compare_options {
	int64_t index, op, value, mask;
};

static const struct box_opt compare_options[] = {
	{ "index", BOX_INT, offsetof(struct compare_options, index), .required = 1, .max = SEC_ARGS - 1 },
	{ "op", BOX_ENUM, offsetof(struct compare_options, op), .names = operators },
	{ "value", BOX_INT, offsetof(struct compare_options, value), .required = 1 },
	{ "mask", BOX_INT, offsetof(struct compare_options, mask) },
	{ 0 },
};

/* Adds the compare in the table at the top. */
static void add_compare(lua_State *L, struct sec_rule *r, const char *where)
{
	struct compare_options o = { .op = SCMP_CMP_EQ };
	int masked;

	if (!lua_istable(L, -1)) {
		box_option_error(L, 1, NULL, where, "table expected, got %s", luaL_typename(L, -1));
		return;
	}
	box_options_at(L, 1, -1, where, 0, compare_options, &o);
	lua_pushliteral(L, "mask");
	masked = lua_rawget(L, -2) != LUA_TNIL;
	lua_pop(L, 1);
	if (masked != (o.op == SCMP_CMP_MASKED_EQ))
		box_option_error(L, 1, where, "mask",
				 masked ? "goes with op 'masked_eq' only" : "is missing for op 'masked_eq'");
	for (unsigned i = 0; i < r->count; i++)
		if (r->args[i].arg == (unsigned)o.index)
			box_option_error(L, 1, where, "index", "argument %d is compared twice in one rule",
					 (int)o.index);
	r->args[r->count++] = (struct scmp_arg_cmp){
		.arg = (unsigned)o.index,
		.op = (enum scmp_compare)o.op,
		.datum_a = masked ? (uint64_t)o.mask : (uint64_t)o.value,
		.datum_b = masked ? (uint64_t)o.value : 0,
	};
}

struct rule_options {
	const char *action;
};

static const struct box_opt rule_options[] = {
	{ "action", BOX_STRING, offsetof(struct rule_options, action), .required = 1 },
	{ "args", BOX_TABLE },
	{ 0 },
};

/* Adds the rule in the table at the top: { "name", …, action =, args = { … } }. */
static void add_rule(lua_State *L, struct sec_filter *s, struct sec_rule *rules, const char *where)
{
	struct sec_rule like = { 0 };
	struct rule_options o;
	size_t n;

	if (!lua_istable(L, -1)) {
		box_option_error(L, 1, NULL, where, "table expected, got %s", luaL_typename(L, -1));
		return;
	}
	box_options_at(L, 1, -1, where, (int)lua_rawlen(L, -1), rule_options, &o);
	like.action = check_action(L, where, "action", o.action);
	n = get_list(L, -1, "args");
	for (size_t i = 1; i <= n; i++) {
		lua_pushfstring(L, "%s.args[%d]", where, (int)i);
		lua_rawgeti(L, -2, (lua_Integer)i);
		add_compare(L, &like, lua_tostring(L, -2));
		lua_pop(L, 2);
	}
	lua_pop(L, 1);
	add_calls(L, s, rules, where, &like);
}

static void add_rules(lua_State *L, struct sec_filter *s, struct sec_rule *rules)
{
	size_t n = get_list(L, 1, "rules");

	for (size_t i = 1; i <= n; i++) {
		lua_pushfstring(L, "rules[%d]", (int)i);
		lua_rawgeti(L, -2, (lua_Integer)i);
		add_rule(L, s, rules, lua_tostring(L, -2));
		lua_pop(L, 2);
	}
	lua_pop(L, 1);
}

/* How many rules the description makes at most; what is no table is reported later. */
static size_t count_rules(lua_State *L)
{
	size_t count = get_list(L, 1, "allow") + get_list(L, 1, "deny"), n = get_list(L, 1, "rules");

	for (size_t i = 1; i <= n; i++) {
		if (lua_rawgeti(L, -1, (lua_Integer)i) == LUA_TTABLE)
			count += lua_rawlen(L, -1);
		lua_pop(L, 1);
	}
	lua_pop(L, 3);
	return count;
}

/* ---- the handle ---- */

static int close_program(lua_State *L)
{
	struct box_seccomp *h = lua_touserdata(L, 1);

	sec_unmap(&h->program);
	return 0;
}

static struct box_seccomp *new_handle(lua_State *L)
{
	box_handle_type(L, BOX_SECCOMP, NULL, close_program);
	return box_handle_new(L, BOX_SECCOMP, sizeof(struct box_seccomp));
}

/* What sec_build and the like returned goes into the handle at once. */
static int finish(lua_State *L, struct box_seccomp *h, int fd, struct fault *f)
{
	h->handle.fd = fd < 0 ? -1 : fd;
	if (fd < 0 || sec_map(fd, &h->program, f))
		return box_raise(L, f);
	return 1;
}

const struct sock_fprog *box_seccomp_program(lua_State *L, int index)
{
	struct box_seccomp *h = luaL_testudata(L, index, BOX_SECCOMP);

	return h && h->handle.fd >= 0 ? &h->program : NULL;
}

/* ---- functions ---- */

struct build_options {
	const char *otherwise, *newer, *foreign;
};

static const struct box_opt build_options[] = {
	{ "default", BOX_STRING, offsetof(struct build_options, otherwise), .required = 1 },
	{ "newer", BOX_STRING, offsetof(struct build_options, newer) },
	{ "foreign", BOX_STRING, offsetof(struct build_options, foreign) },
	{ "allow", BOX_TABLE },
	{ "deny", BOX_TABLE },
	{ "rules", BOX_TABLE },
	{ 0 },
};

/* A profile that refuses cannot know the calls to come, and ENOSYS is what a program
 * falls back from; one that allows goes on allowing. */
static uint32_t newer_action(uint32_t otherwise)
{
	return (otherwise & SECCOMP_RET_ACTION_FULL) == SECCOMP_RET_ERRNO ? SCMP_ACT_ERRNO(ENOSYS)
									  : otherwise;
}

/***
Compile a filter.

Calls are named as in syscalls(2). One that exists, but not on this architecture, is left out. For one call a
rule with `args` goes before one without.
@function build
@tparam table o
@tparam string o.default action for every call that nothing else names
@tparam[opt] string o.newer action for calls newer than luabox; `"errno:ENOSYS"` if `default` is an errno,
else as `default`
@tparam[opt="kill_process"] string o.foreign action for calls of another architecture (i386, x32)
@tparam[opt] {string,...} o.allow names of calls
@tparam[opt] {string,...} o.deny names of calls that fail with EPERM
@tparam[opt] {table,...} o.rules each `{ name, …, action = …, args = { { index = 0, op = "eq", value = … }, …
} }`: the action is taken where all of `args` hold. `index` counts the call's arguments from 0, `op` is eq
(the default), ne, lt, le, ge, gt or masked_eq, which takes a `mask` too. An int argument wants `mask =
0xffffffff`: the kernel ignores its upper half, a plain comparison does not.
@treturn luabox.seccomp
@raise luabox.error: EINVAL for rules that contradict each other, E2BIG for too many
@see seccomp(2), seccomp_rule_add(3)
@usage local filter <close> = luabox.sys.seccomp.build {
  default = "allow", deny = { "mount", "umount2" },
  rules = { { "socket", action = "errno:EAFNOSUPPORT", args = { { index = 0, value = 38 } } } },
}
*/
static int filter_build(lua_State *L)
{
	struct build_options o = { .foreign = "kill_process" };
	struct sec_filter s = { 0 };
	struct sec_rule *rules;
	struct box_seccomp *h;
	struct fault f;

	box_options(L, 1, build_options, &o);
	lua_settop(L, 1);
	s.otherwise = check_action(L, NULL, "default", o.otherwise);
	s.foreign = check_action(L, NULL, "foreign", o.foreign);
	s.newer = o.newer ? check_action(L, NULL, "newer", o.newer) : newer_action(s.otherwise);
	s.rules = rules = lua_newuserdatauv(L, count_rules(L) * sizeof *rules, 0);
	add_list(L, &s, rules, "allow", SCMP_ACT_ALLOW);
	add_list(L, &s, rules, "deny", SCMP_ACT_ERRNO(EPERM));
	add_rules(L, &s, rules);
	h = new_handle(L);
	return finish(L, h, sec_build(&s, &f), &f);
}

/* The capabilities at 'arg' for which a profile is wanted. */
static uint64_t opt_capabilities(lua_State *L, int arg)
{
	return box_flags(L, arg, NULL, NULL, luaL_optstring(L, arg, "default"), box_capability_names);
}

/***
The filter of a container: moby's and podman's list of allowed calls.

Refused with EPERM are mounts, namespaces, keyrings, bpf, io_uring, kernel modules and the like; sockets of
families that no namespace confines (AF_ALG, AF_VSOCK); unusual personalities. `clone3`, and every call newer
than luabox, gives ENOSYS, so that the C library falls back; TIOCSTI and TIOCLINUX give EIO. Calls of another
architecture kill. A capability beyond the default ones brings the calls that it is for: with `sys_admin`
mounts and namespaces are let through.

For the default capabilities the filter was compiled when luabox was built and costs microseconds.
@function default
@string[opt="default"] capabilities what the container has, as in `luabox.sys.capability`
@treturn luabox.seccomp
@usage local filter <close> = luabox.sys.seccomp.default()
*/
static int filter_default(lua_State *L)
{
	uint64_t capabilities = opt_capabilities(L, 1);
	struct box_seccomp *h = new_handle(L);
	struct fault f;

	return finish(L, h, sec_default(capabilities, &f), &f);
}

static void push_compare(lua_State *L, const struct scmp_arg_cmp *c)
{
	lua_createtable(L, 1, 0);
	lua_createtable(L, 0, 4);
	lua_pushinteger(L, c->arg);
	lua_setfield(L, -2, "index");
	lua_pushliteral(L, "masked_eq");
	lua_setfield(L, -2, "op");
	lua_pushinteger(L, (lua_Integer)c->datum_a);
	lua_setfield(L, -2, "mask");
	lua_pushinteger(L, (lua_Integer)c->datum_b);
	lua_setfield(L, -2, "value");
	lua_rawseti(L, -2, 1);
}

/* Appends the group's names to the list at the top. */
static void append_calls(lua_State *L, const struct sec_group *g)
{
	char name[SEC_NAME_SIZE];

	for (const char *s = g->calls; (s = sec_next_call(s, name));) {
		lua_pushstring(L, name);
		lua_rawseti(L, -2, (lua_Integer)lua_rawlen(L, -2) + 1);
	}
}

/* Appends the group to 'allow' at stack index 'allow' or to the list of rules after it. */
static void append_group(lua_State *L, int allow, const struct sec_group *g)
{
	if (!g->count && g->action == SCMP_ACT_ALLOW) {
		lua_pushvalue(L, allow);
		append_calls(L, g);
		lua_pop(L, 1);
		return;
	}
	lua_newtable(L);
	append_calls(L, g);
	push_action(L, g->action);
	lua_setfield(L, -2, "action");
	if (g->count) {
		push_compare(L, &g->arg);
		lua_setfield(L, -2, "args");
	}
	lua_rawseti(L, allow + 1, (lua_Integer)lua_rawlen(L, allow + 1) + 1);
}

static void set_action(lua_State *L, const char *name, uint32_t action)
{
	push_action(L, action);
	lua_setfield(L, -2, name);
}

/***
What `default` is made of, as a fresh table for `build`: to look at, or to change first.
@function profile
@string[opt="default"] capabilities what the container has
@treturn table
@usage local profile = luabox.sys.seccomp.profile()
table.insert(profile.allow, "io_uring_setup")
local filter <close> = luabox.sys.seccomp.build(profile)
*/
static int filter_profile(lua_State *L)
{
	uint64_t capabilities = opt_capabilities(L, 1);
	int allow;

	lua_newtable(L);
	allow = lua_gettop(L);
	lua_newtable(L);
	for (const struct sec_group *g = sec_groups; g->calls; g++)
		if (sec_group_applies(g, capabilities))
			append_group(L, allow, g);
	lua_createtable(L, 0, 5);
	lua_insert(L, allow);
	lua_setfield(L, allow, "rules");
	lua_setfield(L, allow, "allow");
	set_action(L, "default", SEC_PROFILE_OTHERWISE);
	set_action(L, "newer", SEC_PROFILE_NEWER);
	set_action(L, "foreign", SEC_PROFILE_FOREIGN);
	return 1;
}

/***
Load a filter into this process, for ever: for all that it starts too. Filters add up, the strictest action
wins.
@function load
@tparam luabox.seccomp filter
@raise luabox.error: EACCES without no_new_privs and without sys_admin
@see seccomp(2)
@usage local seccomp = luabox.sys.seccomp
local child <close> = luabox.sys.process.spawn {
  body = function()
    local filter <close> = seccomp.default()
    seccomp.load(filter)
    return pcall(luabox.sys.mount.mount, { source = "none", target = "/tmp", type = "tmpfs" })
  end,
}
assert(child:result() == false)
*/
static int filter_load(lua_State *L)
{
	struct box_seccomp *h = box_handle_check(L, 1, BOX_SECCOMP);
	struct fault f;

	if (sec_load(&h->program, &f))
		return box_raise(L, &f);
	lua_pushboolean(L, 1);
	return 1;
}

static const luaL_Reg functions[] = {
	{ "build", filter_build },
	{ "default", filter_default },
	{ "load", filter_load },
	{ "profile", filter_profile },
	{ NULL, NULL },
};

BOX_MODULE(seccomp)
{
	luaL_newlib(L, functions);
	return 1;
}
