/* SPDX-License-Identifier: MIT
 * What the parts of luabox.sys.file share.
 */
#ifndef LUABOX_BINDING_FILE_H
#define LUABOX_BINDING_FILE_H

#include <stdint.h>
#include <sys/types.h>

#include "binding/binding.h"

struct box_file_options {
	int root; /* negative: none */
	int parents, append, exclusive, atomic, nofollow;
	int64_t max;
	const char *mode;
};

#define BOX_FILE_OPTION(name, type, ...)                                                                     \
	{                                                                                                    \
#name, type, offsetof(struct box_file_options, name), __VA_ARGS__                            \
	}
#define BOX_FILE_ROOT                                                                                        \
	{                                                                                                    \
		"root", BOX_ANY                                                                              \
	}
#define BOX_FILE_MODE BOX_FILE_OPTION(mode, BOX_STRING, .min = 1, .max = 5)

/* The options at 'arg', which may be absent. What 'root' needs stays on the stack. */
void box_file_options(lua_State *L, int arg, const struct box_opt *list, struct box_file_options *o);

/* A mode of octal digits, the value of option 'name' or, with null, the argument itself. */
mode_t box_file_mode(lua_State *L, int arg, const char *name, const char *text);

/* The functions that copy and link, into the module's table at the top of the stack. */
void box_file_copies(lua_State *L);

#endif
