/* SPDX-License-Identifier: MIT
 * What the files of src/binding share: errors, handles, options and waiting.
 *
 * lua_error is a longjmp, so nothing here or in a binding may hold a descriptor
 * or malloc'ed memory in a local variable across a call to lua_*. The order is
 * always: check the arguments, make the handle (closed), acquire, raise on failure.
 */
#ifndef LUABOX_BINDING_H
#define LUABOX_BINDING_H

#include <lauxlib.h>
#include <lua.h>
#include <poll.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "kernel/fault.h"

#define BOX_EXPORT __attribute__((visibility("default")))

/* ---- errors (error.c) ---- */

#define BOX_ERROR "luabox.error"

/* Raises a luabox.error made of 'f'. Never returns. */
int box_raise(lua_State *L, const struct fault *f);

/* Raises a luabox.error for a thin call: 'error' is a positive errno or the
 * -errno that a kernel-side function returned; 'subject' may be null. */
int box_fail(lua_State *L, int error, const char *op, const char *subject);

/* Pushes the luabox.error that box_raise would raise. */
void box_push_error(lua_State *L, const struct fault *f);

/* Makes the table at the top a luabox.error. */
void box_set_error_type(lua_State *L);

/* Whether the value at 'index' is a luabox.error. */
int box_is_error(lua_State *L, int index);

/* Adds what was being done, "start container 'web'", to the luabox.error at the top. */
void box_add_context(lua_State *L, const char *context);

/* ---- handles (handle.c) ---- */

#define BOX_FD_TYPE "luabox.fd"

/* Every handle's userdata begins with this. 'owner' is the process that made it (box_owner):
 * elsewhere (after a fork) closing closes the descriptor and undoes nothing. */
struct box_fd {
	int fd; /* -1: closed */
	pid_t owner;
};

/* What a handle's owner is compared with. Not the bare pid: parent and child can both
 * be process 1, each of its own pid namespace. */
pid_t box_owner(void);

/* Says that this process is a new one: called in the child of a fork. */
void box_forked(void);

/* Pushes the metatable of a type, made at the first need (any module may be loaded alone) with 'metamethods'
 * and the table 'methods' (null: empty) as __index. Unlike luaL_newmetatable's it is registered when it is
 * whole: one that was left half made for want of memory would be used for good. */
void box_metatable(lua_State *L, const char *type, const luaL_Reg *metamethods, const luaL_Reg *methods);

/* Pushes 'size' zeroed bytes; 'release' frees what they hold when they are collected. */
void *box_memory_new(lua_State *L, const char *type, size_t size, lua_CFunction release);

/* Makes the metatable of a handle type: __gc and __close close, __tostring says
 * "luabox.x (7)" or "luabox.x (closed)"; methods close() and fileno() are added to
 * 'methods' (which may be null). 'close' (null: only the descriptor is closed) runs
 * before the descriptor is closed; it must not raise and must be idempotent. */
void box_handle_type(lua_State *L, const char *type, const luaL_Reg *methods, lua_CFunction close);

/* Pushes a new handle of 'size' bytes (at least a struct box_fd), zeroed and
 * closed: fd = -1. Acquire after this, into the handle. */
void *box_handle_new(lua_State *L, const char *type, size_t size);
struct box_fd *box_fd_new(lua_State *L);

/* read and write of a luabox.fd (fd.c). */
extern const luaL_Reg box_fd_methods[];

/* The handle at 'arg', or an argument error: wrong type, or closed. */
void *box_handle_check(lua_State *L, int arg, const char *type);

/* A descriptor number from any handle, an io file or an integer at 'index'; -1
 * if it is none of these or closed. Never raises. */
int box_tofd(lua_State *L, int index);

/* As box_tofd, but an argument error if there is none. */
int box_checkfd(lua_State *L, int arg);

/* ---- options (options.c) ---- */

enum box_type {
	BOX_STRING,   /* const char *; min and max are its length in bytes; a zero byte is refused */
	BOX_INT,      /* int64_t, from min to max */
	BOX_NUMBER,   /* double, from min to max (integers), NaN refused */
	BOX_BOOL,     /* int, 0 or 1 */
	BOX_FLAGS,    /* uint64_t: comma list against 'names'; a name with clear = 1 takes its bits away */
	BOX_ENUM,     /* int64_t: one of 'names' */
	BOX_FD,       /* int: a handle, an io file or a descriptor number */
	BOX_TABLE,    /* nothing is stored: only the type is checked */
	BOX_FUNCTION, /* likewise */
	BOX_ANY,      /* likewise, not even the type */
	BOX_CUSTOM,   /* whatever 'read' makes of the value at the top of the stack */
};

struct box_name {
	const char *name;
	uint64_t bits;
	int clear;
};

struct box_opt {
	const char *name;
	enum box_type type;
	size_t offset;
	int required;
	int64_t min, max; /* both 0: no limit */
	const struct box_name *names;
	/* BOX_CUSTOM: stores the value at the top of the stack in 'out', or raises with
	 * box_option_error(L, arg, where, o->name, …). Leaves the stack as it was. */
	void (*read)(lua_State *L, int arg, const char *where, const struct box_opt *o, void *out);
};

/* Reads the options table at 'arg' into 'out' by the static list 'opts' (ended by
 * { 0 }). Names are checked first over the whole table, then types, ranges and
 * presence; an option that is absent leaves its field as it was (the default).
 * Strings live as long as the table does: leave it on the stack. */
void box_options(lua_State *L, int arg, const struct box_opt *opts, void *out);

/* The same for a table at stack 'index' inside argument 'arg'; messages call it
 * 'where', as in "option 'steps[3].target' is missing". A key that is an
 * integer is allowed up to 'positional' (for tables such as { "mount", target = … }). */
void box_options_at(lua_State *L, int arg, int index, const char *where, int positional,
		    const struct box_opt *opts, void *out);

#define BOX_FAR 3 /* a name that is so many edits away is not meant */

/* Keeps in 'best' the name nearest to 'word', if one is nearer than 'far', which is BOX_FAR at first. */
void box_keep_nearest(const char *word, const char *name, const char **best, size_t *far);

/* Raises the argument error "option 'where.name': <message>". 'where' may be null. */
int box_option_error(lua_State *L, int arg, const char *where, const char *name, const char *format, ...)
	__attribute__((format(printf, 5, 6)));

/* Parses a comma list "ro,nosuid" against 'names'; an argument error names the unknown word. */
uint64_t box_flags(lua_State *L, int arg, const char *where, const char *name, const char *text,
		   const struct box_name *names);

/* Pushes the comma list that box_flags would read. */
void box_push_flags(lua_State *L, uint64_t bits, const struct box_name *names);

/* One of 'names' from the string at 'arg' (or 'fallback' if absent and not null). */
uint64_t box_checkenum(lua_State *L, int arg, const char *fallback, const struct box_name *names);

/* The path at 'arg'; an argument error if it is empty, too long or contains a zero byte. */
const char *box_checkpath(lua_State *L, int arg);

/* ---- results (table.c) ---- */

/* Set a field of the table at the top of the stack. */
void box_set_integer(lua_State *L, const char *field, lua_Integer value);
void box_set_text(lua_State *L, const char *field, const char *text);
void box_set_bool(lua_State *L, const char *field, int value);

/* ---- waiting (wait.c) ---- */

/* Polls until a descriptor is ready or 'deadline' (CLOCK_MONOTONIC nanoseconds, -1:
 * none) has passed; returns poll's count, 0 at the deadline, or raises. A signal that
 * set a Lua hook (Ctrl-C) raises from here, without a window in which it is missed. */
int box_poll(lua_State *L, struct pollfd *fds, nfds_t count, int64_t deadline);

/* The deadline 'seconds' from now; negative means none (-1). */
int64_t box_deadline(double seconds);

/* A duration in seconds at 'arg', as a deadline; -1 if it is absent. */
int64_t box_check_deadline(lua_State *L, int arg);

/* Lets a pending Lua hook run: to be called when a system call gave EINTR. */
void box_run_hooks(lua_State *L);

/* ---- modules ---- */

/* One luaopen_luabox_sys_* a subject; modules.h lists them for the program's preload. */
#define BOX_MODULE(name) BOX_EXPORT int luaopen_luabox_sys_##name(lua_State *L)
#include "binding/modules.h"

#endif
