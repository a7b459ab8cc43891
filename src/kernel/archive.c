/* SPDX-License-Identifier: MIT */
#include "kernel/archive.h"

#include <stddef.h>

#include "kernel/library.h"

#define NAME(name) #name,

static struct archive_functions functions;
static const char *const names[] = { ARCHIVE_FUNCTIONS(NAME) NULL };
static struct library library = { "libarchive.so.13", "libarchive13", names, &functions };

const struct archive_functions *archive_load(struct fault *f)
{
	return library_load(&library, f) < 0 ? NULL : &functions;
}
