/* SPDX-License-Identifier: MIT
 * What the files of luabox.sys.process share.
 */
#ifndef LUABOX_PROCESS_H
#define LUABOX_PROCESS_H

#include "binding/binding.h"
#include "binding/buffer.h"
#include "kernel/guard.h"
#include "kernel/spawn.h"
#include "kernel/wait.h"

#define PROCESS_TYPE "luabox.process"

/* The handle: its descriptor is the pidfd. Its user value is a table that holds the
 * pipes at 1, 2 and 3, and the buffer. */
struct process {
	struct box_fd fd;
	pid_t pid;
	int report; /* descriptors, or -1 */
	int result;
	int has_body, has_init;
	int released;
	int ended;
	struct proc_end end;
	struct guard_slot *guard; /* that guards it, or null; its handle is in the user value */
	struct box_fd *streams[3];
	struct box_buffer *buffer; /* what has come through 'result' */
};

struct process *process_check(lua_State *L, int arg);

/* Waits until one of 'count' processes has ended; its index, or -1 at the deadline. */
int process_wait_list(lua_State *L, struct process **list, int count, int64_t deadline);

/* Pushes { code = } or { signal =, core = }. */
void process_push_end(lua_State *L, const struct proc_end *end);

/* process.guard (process_guard.c) */
int process_guard(lua_State *L);

/* The slot of the guard at 'index', which is free; null for nil. Raises an argument error. */
struct guard_slot *process_check_guard(lua_State *L, int index);

/* Reads the options of spawn at argument 1 into 's'; pushes what has to live as long. Returns the stack
 * index of the table in which "call" steps find their functions, or 0. */
int process_read_options(lua_State *L, struct proc_spawn *s);

/* The same of exec. */
void process_read_exec_options(lua_State *L, struct proc_spawn *s);

/* The list of groups at the top; pushes the array that is made of it. */
void process_read_groups(lua_State *L, const char *where, struct proc_user *user);

/* The list of steps at the top; pushes what has to live. Returns the index of the functions' table. */
int process_read_steps(lua_State *L, struct steps *s);

/* The name of a step in the table of options at 'index', for a message; pushes it. */
const char *process_step_name(lua_State *L, int index, int step);

/* Runs a Lua function in the child: the body of proc_spawn. 'context' is a struct process_body,
 * with room on the stack for six values more. */
struct process_body {
	lua_State *L;
	int function, args; /* stack indexes; of a nil if there are none */
	int functions;      /* of the table in which "call" steps find theirs; 0: no such step */
	struct box_buffer *buffer;
	int left; /* the child's: it has left the parent behind */
};
int process_run_body(void *context, int result);

/* The same for a "call" step. */
int process_run_call(void *context, int function, struct fault *f);

/* process.exit and, in a child, os.exit. */
int process_exit(lua_State *L);

/* Pushes what the body returned, or raises its error. */
int process_push_result(lua_State *L, struct process *p);

/* process.communicate (process_io.c) */
int process_communicate(lua_State *L);

#endif
