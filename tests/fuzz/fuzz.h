/* SPDX-License-Identifier: MIT
 * What the fuzz targets share. A target is one file NAME_fuzz.c with an LLVMFuzzerTestOneInput (libFuzzer's
 * entry), which gives its bytes to what luabox reads others' bytes with. It must return for all of them; the
 * sanitizers, and fuzz_require, say what is wrong.
 */
#ifndef LUABOX_FUZZ_H
#define LUABOX_FUZZ_H

#include <lua.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/types.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerInitialize(int *argc, char ***argv);

/* Ends the program, with the input, if what must hold does not. */
#define fuzz_require(condition) ((condition) ? (void)0 : abort())

/* A descriptor of a file that holds these bytes, to be closed. */
int fuzz_file(const uint8_t *data, size_t size);

/* The bytes as a string of its own, so that what is read behind its end is seen; to be freed. */
char *fuzz_text(const uint8_t *data, size_t size);

/* ---- Lua (state.c) ---- */

/* A state with luabox.sys.*, and on its stack what 'chunk' returns. */
lua_State *fuzz_state(const char *chunk);

/* Calls the function at 'index'; it may fail, with an error that has a text. */
void fuzz_call(lua_State *L, int index);

/* ---- the kernel's answers (answers.c) ---- */

/* From now on nothing that is sent to a socket leaves, and what is received is made of these bytes:
 * datagrams, each behind its length in two bytes, then EAGAIN. The numbers of netlink messages are counted
 * from the last request's. Null ends that. */
void fuzz_answers(const uint8_t *data, size_t size);

/* ---- files of /proc (files.c) ---- */

/* From now on what is read whole, or is opened below /proc, has these bytes: each file those up to the next
 * zero. Null ends that. */
void fuzz_files(const uint8_t *data, size_t size);

/* Whether util_write_file was asked to write to such a path; it writes nothing meanwhile. */
int fuzz_wrote_outside(void);

#endif
