/* SPDX-License-Identifier: MIT */
#include "binding/buffer.h"

#include <errno.h>
#include <lauxlib.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "binding/binding.h"
#include "kernel/util.h"

#define TYPE "luabox.buffer"
#define FIRST_SIZE 4096
#define ONE_READ (64 << 10) /* what a pipe holds */

static int buffer_free(lua_State *L)
{
	struct box_buffer *b = luaL_checkudata(L, 1, TYPE);

	free(b->data);
	*b = (struct box_buffer){ 0 };
	return 0;
}

struct box_buffer *box_buffer_new(lua_State *L)
{
	return box_memory_new(L, TYPE, sizeof(struct box_buffer), buffer_free);
}

char *box_buffer_reserve(lua_State *L, struct box_buffer *b, size_t more)
{
	size_t size = b->size ? b->size : FIRST_SIZE;
	char *data;

	if (more > SIZE_MAX / 4 - b->length)
		luaL_error(L, "not enough memory");
	while (size - b->length < more)
		size *= 2;
	if (size != b->size) {
		data = realloc(b->data, size);
		if (!data)
			luaL_error(L, "not enough memory");
		b->data = data;
		b->size = size;
	}
	return b->data + b->length;
}

void box_buffer_add(lua_State *L, struct box_buffer *b, const void *data, size_t size)
{
	memcpy(box_buffer_reserve(L, b, size), data, size);
	b->length += size;
}

ssize_t box_buffer_read(lua_State *L, struct box_buffer *b, int fd, size_t limit)
{
	size_t size = limit < ONE_READ ? limit : ONE_READ;
	ssize_t n = retry_eintr(read(fd, box_buffer_reserve(L, b, size), size));

	if (n < 0)
		return -errno;
	b->length += (size_t)n;
	return n;
}
