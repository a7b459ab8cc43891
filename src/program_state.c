/* SPDX-License-Identifier: MIT
 * The program's Lua state: its memory and its warnings.
 *
 * Lua tells the size of a block that it gives back, so small blocks need no header: they are cut from
 * chunks, and wait on a list of their size to be used again. A quarter of a short script's instructions
 * were malloc's.
 */
#include <lua.h>
#include <lauxlib.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "program.h"

/* ---- memory ---- */

enum { UNIT = 16, SMALL = 512, CHUNK = 64 << 10 };

struct block {
	struct block *next;
};

static struct block *unused[SMALL / UNIT + 1]; /* by size in units */
static char *chunk, *chunk_end;

static size_t units(size_t size)
{
	return (size + UNIT - 1) / UNIT;
}

/* What is left of the chunk before is lost: less than one small block. */
static void *cut(size_t size)
{
	char *block;

	if ((size_t)(chunk_end - chunk) < size) {
		block = malloc(CHUNK);
		if (!block)
			return NULL;
		chunk = block;
		chunk_end = block + CHUNK;
	}
	block = chunk;
	chunk += size;
	return block;
}

static void *small_new(size_t size)
{
	struct block *block = unused[units(size)];

	if (!block)
		return cut(units(size) * UNIT);
	unused[units(size)] = block->next;
	return block;
}

static void small_free(struct block *block, size_t size)
{
	block->next = unused[units(size)];
	unused[units(size)] = block;
}

static void release(void *block, size_t size)
{
	if (size > SMALL)
		free(block);
	else if (size)
		small_free(block, size);
}

static void *resize(void *block, size_t old_size, size_t new_size)
{
	void *moved;

	if (old_size > SMALL && new_size > SMALL)
		return realloc(block, new_size);
	if (old_size <= SMALL && units(old_size) == units(new_size))
		return block;
	moved = new_size <= SMALL ? small_new(new_size) : malloc(new_size);
	if (!moved)
		return NULL;
	memcpy(moved, block, old_size < new_size ? old_size : new_size);
	release(block, old_size);
	return moved;
}

static void *allocate(void *context, void *block, size_t old_size, size_t new_size)
{
	(void)context;
	if (!block)
		return new_size == 0 ? NULL : new_size <= SMALL ? small_new(new_size) : malloc(new_size);
	if (new_size)
		return resize(block, old_size, new_size);
	release(block, old_size);
	return NULL;
}

/* What the state frees while it closes, the end of the process frees at once. */
static void *keep(void *context, void *block, size_t old_size, size_t new_size)
{
	return new_size ? allocate(context, block, old_size, new_size) : NULL;
}

/* ---- warnings ---- */

/* As of lua5.4: off until "@on". A message may come in pieces. */
static void warn(void *context, const char *message, int continues)
{
	static int on, started;

	(void)context;
	if (!started && !continues && *message == '@') {
		on = strcmp(message, "@off") && (on || !strcmp(message, "@on"));
		return;
	}
	if (on)
		fprintf(stderr, "%s%s%s", started ? "" : "Lua warning: ", message, continues ? "" : "\n");
	started = continues;
}

/* ---- the state ---- */

/* A sanitizer wants to see each block, and all of them back. */
#ifdef __SANITIZE_ADDRESS__
#define OWN_MEMORY 0
#else
#define OWN_MEMORY 1
#endif

lua_State *program_state_new(void)
{
	lua_State *L = OWN_MEMORY ? lua_newstate(allocate, NULL) : luaL_newstate();

	if (L)
		lua_setwarnf(L, warn, NULL);
	return L;
}

void program_state_close(lua_State *L)
{
	program_signals_closing();
	if (OWN_MEMORY)
		lua_setallocf(L, keep, NULL);
	lua_close(L);
}
