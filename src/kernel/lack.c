/* SPDX-License-Identifier: MIT */
#include "kernel/lack.h"

#include <string.h>

static const struct {
	const char *call, *since;
} calls[] = {
	{ "fsopen", "5.2" },     { "fsconfig", "5.2" },       { "fsmount", "5.2" },    { "open_tree", "5.2" },
	{ "move_mount", "5.2" }, { "mount_setattr", "5.12" }, { "pidfd_open", "5.3" },
};

void lack_explain(struct fault *f, const char *call, const char *instead)
{
	const char *since = "a later version";

	for (size_t i = 0; i < sizeof calls / sizeof *calls; i++)
		if (!strcmp(calls[i].call, call))
			since = calls[i].since;
	fault_hint(
		f,
		"this kernel has no %s(2): it came with Linux %s, or a filter of system calls hides it%s%s",
		call, since, instead ? "; " : "", instead ? instead : "");
}
