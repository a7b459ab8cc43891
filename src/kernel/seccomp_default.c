/* SPDX-License-Identifier: MIT */
#include "kernel/capability.h"
#include "kernel/seccomp_profile.h"

#include "seccomp_default.h"

static int same_groups(uint64_t a, uint64_t b)
{
	for (const struct sec_group *g = sec_groups; g->calls; g++)
		if (sec_group_applies(g, a) != sec_group_applies(g, b))
			return 0;
	return 1;
}

int sec_default(uint64_t capabilities, struct fault *f)
{
	if (!same_groups(capabilities, CAP_DEFAULT))
		return sec_build_profile(capabilities, f);
	return sec_keep(default_program, sizeof default_program / sizeof *default_program, f);
}
