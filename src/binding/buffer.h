/* SPDX-License-Identifier: MIT
 * Bytes that grow, owned by a userdata: what pipes bring, values on their way.
 */
#ifndef LUABOX_BUFFER_H
#define LUABOX_BUFFER_H

#include <lua.h>
#include <stddef.h>
#include <sys/types.h>

struct box_buffer {
	char *data;
	size_t length, size;
};

/* Pushes an empty buffer. */
struct box_buffer *box_buffer_new(lua_State *L);

/* Room for 'more' bytes behind the length; raises out of memory. */
char *box_buffer_reserve(lua_State *L, struct box_buffer *b, size_t more);

void box_buffer_add(lua_State *L, struct box_buffer *b, const void *data, size_t size);

/* One read of what is there, up to 'limit' bytes. Returns their number, 0 at the
 * end of the file, or -errno. */
ssize_t box_buffer_read(lua_State *L, struct box_buffer *b, int fd, size_t limit);

#endif
