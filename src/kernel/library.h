/* SPDX-License-Identifier: MIT
 * Shared libraries that are loaded at their first use: what does not need them costs nothing, and runs where
 * they are not installed. dlopen(3)
 */
#ifndef LUABOX_LIBRARY_H
#define LUABOX_LIBRARY_H

#include "kernel/fault.h"

struct library {
	const char *file;         /* as ld.so(8) finds it: "libpcap.so.0.8" */
	const char *package;      /* Debian's, which has it */
	const char *const *names; /* of functions, null at the end */
	void *functions;          /* a struct of pointers to them, in the order of the names: filled */
	int is_loaded;
};

/* Loads the library unless it is there already. Refused in another root than the one that holds this
 * program's file: the library would be a stranger's. Returns 0 or -ELIBACC, with a hint that names the
 * package. */
int library_load(struct library *l, struct fault *f);

#endif
