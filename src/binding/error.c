/* SPDX-License-Identifier: MIT
 * The luabox.error object: a table, so that scripts read its fields, with a
 * metatable from the registry, so that C and Lua make the same type.
 */
/***
The numbers, symbols and messages of the system's errors. `luabox.error` makes and raises errors.
@module luabox.sys.error
*/
#include "binding/binding.h"

#include <errno.h>
#include <string.h>
#include <sys/resource.h>

#include "kernel/capability_hint.h"

static void set_text(lua_State *L, const char *field, const char *text)
{
	if (!text || !*text)
		return;
	lua_pushstring(L, text);
	lua_setfield(L, -2, field);
}

/* strerrorname_np gives null for numbers it does not know. */
static const char *code_of(lua_State *L, int error)
{
	const char *code = strerrorname_np(error);

	return code ? code : lua_pushfstring(L, "errno %d", error);
}

static int error_tostring(lua_State *L);

static const luaL_Reg metamethods[] = { { "__tostring", error_tostring }, { NULL, NULL } };

static void push_metatable(lua_State *L)
{
	box_metatable(L, BOX_ERROR, metamethods, NULL);
}

void box_set_error_type(lua_State *L)
{
	push_metatable(L);
	lua_setmetatable(L, -2);
}

int box_is_error(lua_State *L, int index)
{
	int same;

	if (!lua_getmetatable(L, index))
		return 0;
	luaL_getmetatable(L, BOX_ERROR);
	same = lua_rawequal(L, -1, -2);
	lua_pop(L, 2);
	return same;
}

void box_add_context(lua_State *L, const char *context)
{
	if (lua_getfield(L, -1, "context") != LUA_TTABLE) {
		lua_pop(L, 1);
		lua_newtable(L);
		lua_pushvalue(L, -1);
		lua_setfield(L, -3, "context");
	}
	lua_pushstring(L, context);
	lua_rawseti(L, -2, (lua_Integer)lua_rawlen(L, -2) + 1);
	lua_pop(L, 1);
}

/* Any call may fail for want of a capability and, if it opens something, of descriptors. */
static void set_hint(lua_State *L, const struct fault *f)
{
	struct fault explained = *f;
	struct rlimit limit;

	cap_explain(&explained);
	set_text(L, "hint", explained.hint);
	if (f->error != EMFILE || f->hint[0] || getrlimit(RLIMIT_NOFILE, &limit) < 0)
		return;
	lua_pushfstring(L, "a process may have %I descriptors: raise the limit (ulimit -n)",
			(lua_Integer)limit.rlim_cur);
	lua_setfield(L, -2, "hint");
}

void box_push_error(lua_State *L, const struct fault *f)
{
	const char *code = code_of(L, f->error);

	lua_createtable(L, 0, 8);
	set_text(L, "op", f->op);
	set_text(L, "subject", f->subject);
	set_text(L, "code", code);
	lua_pushinteger(L, f->error);
	lua_setfield(L, -2, "errno");
	set_text(L, "message", f->detail[0] ? f->detail : strerror(f->error));
	set_hint(L, f);
	luaL_traceback(L, L, NULL, 1);
	lua_setfield(L, -2, "traceback");
	box_set_error_type(L);
}

int box_raise(lua_State *L, const struct fault *f)
{
	box_push_error(L, f);
	return lua_error(L);
}

int box_fail(lua_State *L, int error, const char *op, const char *subject)
{
	struct fault f;

	fault_set(&f, error < 0 ? -error : error, op, "%s", subject ? subject : "");
	return box_raise(L, &f);
}

static void add_field(lua_State *L, luaL_Buffer *b, const char *before, const char *field, const char *after)
{
	if (lua_getfield(L, 1, field) == LUA_TNIL) {
		lua_pop(L, 1);
		return;
	}
	luaL_tolstring(L, -1, NULL);
	lua_remove(L, -2);
	lua_pushfstring(L, "%s%s%s", before, lua_tostring(L, -1), after);
	lua_remove(L, -2);
	luaL_addvalue(b);
}

/* What failed while the error was on its way, as an undo: it may have left something. */
static void add_failure(lua_State *L, luaL_Buffer *b, int list, lua_Integer i)
{
	lua_geti(L, list, i);
	luaL_tolstring(L, -1, NULL);
	lua_remove(L, -2);
	lua_pushfstring(L, "; and then: %s", lua_tostring(L, -1));
	lua_remove(L, -2);
	luaL_addvalue(b);
}

/***
One sentence of an error: contexts, operation, subject, message, code, hint, and what failed after it.
@function tostring
@tparam luabox.error e
@treturn string as in "start container 'web': mount /box/tmp: Operation not permitted (EPERM); hint"
@usage local ok, e = pcall(error, luabox.error.new { op = "mount", subject = "/x", message = "no" })
assert(luabox.sys.error.tostring(e) == "mount /x: no")
*/
static int error_tostring(lua_State *L)
{
	luaL_Buffer b;
	lua_Integer contexts, failures;
	int has_subject;

	luaL_checktype(L, 1, LUA_TTABLE);
	lua_settop(L, 1);
	contexts = lua_getfield(L, 1, "context") == LUA_TTABLE ? luaL_len(L, 2) : 0;
	has_subject = lua_getfield(L, 1, "subject") != LUA_TNIL;
	failures = lua_getfield(L, 1, "suppressed") == LUA_TTABLE ? luaL_len(L, 4) : 0;
	luaL_buffinit(L, &b);
	for (lua_Integer i = contexts; i >= 1; i--) {
		lua_geti(L, 2, i);
		luaL_tolstring(L, -1, NULL);
		lua_remove(L, -2);
		luaL_addvalue(&b);
		luaL_addstring(&b, ": ");
	}
	add_field(L, &b, "", "op", has_subject ? "" : ": ");
	add_field(L, &b, " ", "subject", ": ");
	add_field(L, &b, "", "message", "");
	add_field(L, &b, " (", "code", ")");
	add_field(L, &b, "; ", "hint", "");
	for (lua_Integer i = 1; i <= failures; i++)
		add_failure(L, &b, 4, i);
	luaL_pushresult(&b);
	return 1;
}

/***
The symbol of an errno.
@function name
@int errno
@treturn ?string nil for a number that has none
@see errno(3)
@usage assert(luabox.sys.error.name(1) == "EPERM")
*/
static int error_name(lua_State *L)
{
	lua_pushstring(L, strerrorname_np((int)luaL_checkinteger(L, 1)));
	return 1;
}

/***
The message of an errno.
@function strerror
@int errno
@treturn string
@see strerror(3)
@usage assert(luabox.sys.error.strerror(1) == "Operation not permitted")
*/
static int error_strerror(lua_State *L)
{
	lua_pushstring(L, strerror((int)luaL_checkinteger(L, 1)));
	return 1;
}

static const luaL_Reg functions[] = {
	{ "name", error_name }, { "strerror", error_strerror }, { "tostring", error_tostring }, { NULL, NULL }
};

BOX_MODULE(error)
{
	luaL_newlib(L, functions);
	push_metatable(L);
	lua_setfield(L, -2, "metatable");
	return 1;
}
