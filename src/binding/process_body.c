/* SPDX-License-Identifier: MIT
 * A Lua function as the body of a child, and how its results or its error come back.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "binding/process.h"
#include "binding/value.h"
#include "kernel/util.h"

/* What goes through the pipe: this, then 'count' values in 'size' bytes. */
struct header {
	uint64_t size;
	int32_t failed; /* the one value is the error */
	int32_t count;
};

/* Any error becomes something that has fields and a traceback. */
static int describe_error(lua_State *L)
{
	if (lua_type(L, 1) == LUA_TTABLE)
		return 1;
	lua_newtable(L);
	luaL_tolstring(L, 1, NULL);
	lua_setfield(L, -2, "message");
	luaL_traceback(L, L, NULL, 1);
	lua_setfield(L, -2, "traceback");
	box_set_error_type(L);
	return 1;
}

/* Leaving by os.exit must not close a state that is the parent's. */
static void replace_exit(lua_State *L)
{
	if (lua_getglobal(L, "os") == LUA_TTABLE) {
		lua_pushcfunction(L, process_exit);
		lua_setfield(L, -2, "exit");
	}
	lua_pop(L, 1);
}

static void begin(lua_State *L, struct box_buffer *b)
{
	struct header h = { 0 };

	b->length = 0;
	box_buffer_add(L, b, &h, sizeof h);
}

static void finish(struct box_buffer *b, int failed, int count)
{
	struct header h = { b->length - sizeof h, failed, count };

	memcpy(b->data, &h, sizeof h);
}

/* (buffer, function, arguments or nil): calls it and turns its results into bytes. */
static int call_body(lua_State *L)
{
	struct box_buffer *b = lua_touserdata(L, 1);
	lua_Integer n = lua_isnil(L, 3) ? 0 : luaL_len(L, 3);
	int count;

	replace_exit(L);
	luaL_checkstack(L, (int)n + 4, "too many arguments");
	lua_pushvalue(L, 2);
	for (lua_Integer i = 1; i <= n; i++)
		lua_geti(L, 3, i);
	lua_call(L, (int)n, LUA_MULTRET);
	count = lua_gettop(L) - 3;
	begin(L, b);
	for (int i = 1; i <= count; i++) {
		luaL_checkstack(L, 4, "too many results");
		lua_pushfstring(L, "return value %d", i);
		value_encode(L, b, 3 + i, lua_tostring(L, -1), 0);
		lua_pop(L, 1);
	}
	finish(b, 0, count);
	return 0;
}

/* (buffer, error) */
static int send_error(lua_State *L)
{
	struct box_buffer *b = lua_touserdata(L, 1);

	begin(L, b);
	value_encode(L, b, 2, "error", 1);
	finish(b, 1, 1);
	return 0;
}

/* A hook that a signal set in the parent is for the parent. */
static void leave_parent(struct process_body *body)
{
	lua_State *L = body->L;

	if (body->left)
		return;
	body->left = 1;
	box_forked();
	lua_sethook(L, NULL, 0, 0);
	lua_rawgeti(L, LUA_REGISTRYINDEX, LUA_RIDX_MAINTHREAD);
	lua_sethook(lua_tothread(L, -1), NULL, 0, 0);
	lua_pop(L, 1);
}

/* Outside of the pcalls nothing may raise: process_spawn has made room on the stack,
 * and only values that exist are pushed. */
int process_run_body(void *context, int result)
{
	struct process_body *body = context;
	lua_State *L = body->L;
	int failed;

	leave_parent(body);
	lua_pushcfunction(L, describe_error);
	lua_pushcfunction(L, call_body);
	lua_pushlightuserdata(L, body->buffer);
	lua_pushvalue(L, body->function);
	lua_pushvalue(L, body->args);
	failed = lua_pcall(L, 3, 0, -5) != LUA_OK;
	if (failed) {
		lua_pushcfunction(L, send_error);
		lua_pushlightuserdata(L, body->buffer);
		lua_pushvalue(L, -3);
		if (lua_pcall(L, 2, 0, 0) != LUA_OK)
			body->buffer->length = 0;
	}
	fflush(NULL);
	if (util_write_all(result, body->buffer->data, body->buffer->length) < 0)
		return 127; /* nobody reads any more, or it cannot be told */
	return failed;
}

static void copy_field(lua_State *L, const char *field, char *out, size_t size)
{
	if (lua_getfield(L, 2, field) != LUA_TNIL)
		snprintf(out, size, "%s", luaL_tolstring(L, -1, NULL));
	lua_settop(L, 2);
}

/* (fault, error): the fields that a fault has. */
static int fill_fault(lua_State *L)
{
	struct fault *f = lua_touserdata(L, 1);

	if (!box_is_error(L, 2)) {
		snprintf(f->detail, sizeof f->detail, "%s", luaL_tolstring(L, 2, NULL));
		return 0;
	}
	if (lua_getfield(L, 2, "errno") == LUA_TNUMBER && lua_tointeger(L, -1) >= 1 &&
	    lua_tointeger(L, -1) <= FAULT_ERRNO_MAX)
		f->error = (int)lua_tointeger(L, -1);
	copy_field(L, "op", f->op, sizeof f->op);
	copy_field(L, "subject", f->subject, sizeof f->subject);
	copy_field(L, "message", f->detail, sizeof f->detail);
	copy_field(L, "hint", f->hint, sizeof f->hint);
	return 0;
}

/* As process_run_body: nothing may raise. */
int process_run_call(void *context, int function, struct fault *f)
{
	struct process_body *body = context;
	lua_State *L = body->L;

	leave_parent(body);
	lua_rawgeti(L, body->functions, function);
	if (lua_pcall(L, 0, 0, 0) == LUA_OK)
		return 0;
	fault_set(f, ECANCELED, "call", "%s", "");
	lua_pushcfunction(L, fill_fault);
	lua_pushlightuserdata(L, f);
	lua_pushvalue(L, -3);
	if (lua_pcall(L, 2, 0, 0) != LUA_OK)
		lua_pop(L, 1);
	lua_pop(L, 1);
	return -f->error;
}

/* The header if all that it announces is there. */
static int is_complete(const struct box_buffer *b, struct header *h)
{
	if (b->length < sizeof *h)
		return 0;
	memcpy(h, b->data, sizeof *h);
	return b->length - sizeof *h == h->size && h->count >= 0;
}

/* "exit status 3" or "signal KILL". */
static const char *describe_end(lua_State *L, const struct proc_end *end)
{
	process_push_end(L, end);
	if (lua_getfield(L, -1, "signal") == LUA_TSTRING)
		return lua_pushfstring(L, "signal %s", lua_tostring(L, -1));
	return lua_pushfstring(L, "exit status %d", end->code);
}

static int no_result(lua_State *L, const struct process *p)
{
	struct fault f;

	fault_set(&f, EPIPE, "result", "process %d", (int)p->pid);
	snprintf(f.detail, sizeof f.detail, "the child ended with %s before its function returned",
		 describe_end(L, &p->end));
	return box_raise(L, &f);
}

static int raise_error(lua_State *L)
{
	if (box_is_error(L, -1))
		box_add_context(L, "in the child");
	return lua_error(L);
}

int process_push_result(lua_State *L, struct process *p)
{
	const char *at = p->buffer->data, *end = at + p->buffer->length;
	struct header h;

	if (!is_complete(p->buffer, &h))
		return no_result(L, p);
	at += sizeof h;
	for (int i = 0; i < h.count; i++) {
		luaL_checkstack(L, 4, "too many results");
		at = value_decode(L, at, end);
		if (!at)
			return no_result(L, p);
	}
	return h.failed ? raise_error(L) : h.count;
}
