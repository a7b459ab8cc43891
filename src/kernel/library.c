/* SPDX-License-Identifier: MIT */
#include "kernel/library.h"

#include <dlfcn.h>
#include <errno.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* The path of the program's file leads to that file only in the root that it was started from. */
static int is_own_root(void)
{
	char path[PATH_MAX];
	ssize_t n = readlink("/proc/self/exe", path, sizeof path - 1);
	struct stat running, found;

	if (n < 0)
		return 0;
	path[n] = '\0';
	return stat("/proc/self/exe", &running) == 0 && stat(path, &found) == 0 &&
	       running.st_dev == found.st_dev && running.st_ino == found.st_ino;
}

static int fail(const struct library *l, const char *reason, struct fault *f)
{
	fault_set(f, ELIBACC, "dlopen", "%s", l->file);
	return fault_detail(f, reason);
}

static int find_functions(struct library *l, void *handle, struct fault *f)
{
	char *to = l->functions;

	for (size_t i = 0; l->names[i]; i++) {
		void *function = dlsym(handle, l->names[i]);

		if (!function) {
			fail(l, dlerror(), f);
			return fault_hint(f, "it takes a newer version: apt-get install %s", l->package);
		}
		memcpy(to + i * sizeof function, &function, sizeof function);
	}
	return 0;
}

int library_load(struct library *l, struct fault *f)
{
	void *handle;
	int rc;

	if (l->is_loaded)
		return 0;
	if (!is_own_root()) {
		fail(l,
		     "this process has another root than the one of its program, whose libraries it does not "
		     "trust",
		     f);
		return fault_hint(f, "do this before the other root is entered");
	}
	handle = dlopen(l->file, RTLD_NOW | RTLD_LOCAL);
	if (!handle) {
		fail(l, dlerror(), f);
		return fault_hint(f, "it is in Debian's package %s: apt-get install %s", l->package,
				  l->package);
	}
	rc = find_functions(l, handle, f);
	if (rc < 0)
		dlclose(handle);
	l->is_loaded = rc == 0;
	return rc;
}
