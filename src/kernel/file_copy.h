/* SPDX-License-Identifier: MIT
 * Copies of files.
 */
#ifndef LUABOX_FILE_COPY_H
#define LUABOX_FILE_COPY_H

#include <stdint.h>

#include "kernel/fault.h"

/* Copies a regular file of the process's own paths to one that is not there yet, inside 'root' as in file.h.
 * A mode of -1 is that of 'from', without the bits that give its owner's or group's rights away. Returns 1 if
 * the two share their blocks until one is written to, 0 if the bytes were copied. On failure nothing is left.
 */
int file_copy(const char *from, int root, const char *path, int64_t mode, struct fault *f);

#endif
