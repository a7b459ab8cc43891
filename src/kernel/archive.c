/* SPDX-License-Identifier: MIT */
#include "kernel/archive.h"

#include <dlfcn.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#define LIBRARY "libarchive.so.13"

static struct archive_functions functions;
static void *library; /* kept until the process ends */

static const struct {
	const char *name;
	size_t offset;
} symbols[] = {
#define ARCHIVE_SYMBOL(name) { #name, offsetof(struct archive_functions, name) },
	ARCHIVE_FUNCTIONS(ARCHIVE_SYMBOL)
#undef ARCHIVE_SYMBOL
};

static const struct archive_functions *refuse(struct fault *f)
{
	const char *reason = dlerror();

	fault_set(f, ELIBACC, "dlopen", LIBRARY);
	if (f && reason)
		snprintf(f->detail, sizeof f->detail, "%s", reason);
	fault_hint(f, "archives are read by libarchive: install the Debian package libarchive13");
	return NULL;
}

static int find_symbols(void *handle)
{
	for (size_t i = 0; i < sizeof symbols / sizeof *symbols; i++) {
		void *symbol = dlsym(handle, symbols[i].name);

		if (!symbol)
			return -1;
		memcpy((char *)&functions + symbols[i].offset, &symbol, sizeof symbol);
	}
	return 0;
}

const struct archive_functions *archive_load(struct fault *f)
{
	void *handle;

	if (library)
		return &functions;
	handle = dlopen(LIBRARY, RTLD_NOW | RTLD_LOCAL);
	if (!handle)
		return refuse(f);
	if (find_symbols(handle) < 0) {
		refuse(f);
		dlclose(handle);
		return NULL;
	}
	library = handle;
	return &functions;
}
