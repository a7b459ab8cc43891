/* SPDX-License-Identifier: MIT
 * Lua values as bytes, to cross from a child to its parent: nil, booleans, numbers
 * exactly, strings, tables of these, luabox.error.
 */
#ifndef LUABOX_VALUE_H
#define LUABOX_VALUE_H

#include "binding/buffer.h"

/* Appends the value at 'index'. What cannot cross is the error "cannot send a function
 * from the child (return value 1.x)", where 'what' is "return value 1"; with 'lenient'
 * its text is sent instead. Metatables are dropped, but luabox.error's. */
void value_encode(lua_State *L, struct box_buffer *b, int index, const char *what, int lenient);

/* Pushes the value at 'at' and returns what follows it; null (and nothing is pushed)
 * if the bytes are no value. */
const char *value_decode(lua_State *L, const char *at, const char *end);

#endif
