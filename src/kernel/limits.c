/* SPDX-License-Identifier: MIT
 * The program's own limit on descriptors.
 */
#include "kernel/limits.h"

#include <stddef.h>

static struct rlimit original;
static int raised;

void limits_raise(void)
{
	struct rlimit wanted;

	if (getrlimit(RLIMIT_NOFILE, &original) < 0 || original.rlim_cur == original.rlim_max)
		return;
	wanted = original;
	wanted.rlim_cur = wanted.rlim_max;
	raised = setrlimit(RLIMIT_NOFILE, &wanted) == 0;
}

const struct rlimit *limits_original(void)
{
	return raised ? &original : NULL;
}
