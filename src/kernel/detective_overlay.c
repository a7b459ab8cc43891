/* SPDX-License-Identifier: MIT
 * Overlay has one EINVAL for its layers, and says why only in the kernel's log.
 */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

#include "kernel/detective.h"
#include "kernel/look.h"
#include "kernel/namespace.h"

static int is_readonly(const char *path)
{
	struct statvfs s;

	return statvfs(path, &s) == 0 && s.f_flag & ST_RDONLY;
}

/* An overlay, say, cannot be the upper layer of another. */
static void explain_type(const char *upper, struct fault *f)
{
	char line[LOOK_LINE];
	struct mnt_info info;

	if (look_mount(mnt_id(upper), &info, line))
		fault_hint(
			f,
			"upperdir is on %s (%s), which may not be able to hold a writable layer (whiteouts "
			"and trusted.* attributes); put upperdir and workdir on a tmpfs or the disk",
			info.target, info.type);
}

static void explain_upper(const char *upper, const char *work, struct fault *f)
{
	char top[PATH_MAX], side[PATH_MAX];

	if (is_readonly(upper))
		fault_hint(f,
			   "upperdir %.100s is on a read-only mount: leave upperdir and workdir out, or put "
			   "both "
			   "on a writable file system",
			   upper);
	else if (mnt_id(upper) != mnt_id(work))
		fault_hint(f, "upperdir and workdir must be on the same mount");
	else if (look_real_path(upper, top, sizeof top) < 0 || look_real_path(work, side, sizeof side) < 0)
		return;
	else if (look_is_below(top, side) || look_is_below(side, top))
		fault_hint(f, "upperdir and workdir must be two directories, neither below the other");
	else
		explain_type(upper, f);
}

void detect_overlay(const char *upper, const char *work, struct fault *f)
{
	if (!f)
		return;
	if (f->error == ELOOP)
		fault_hint(f, "one layer is a directory below another: each must be apart from the others");
	else if (!upper != !work)
		fault_hint(f, "upperdir and workdir go together: %s is missing",
			   upper ? "workdir" : "upperdir");
	else if (upper)
		explain_upper(upper, work, f);
	else if (ns_in_user_namespace() > 0)
		fault_hint(f, "in a user namespace a directory below which something is mounted cannot be a "
			      "lower layer");
}

/* The value of an option of 'data', into 'value'; null if it is not given. */
static const char *option(const char *data, const char *name, char *value, size_t size)
{
	size_t length = strlen(name);

	for (const char *s = data; s; s = strchr(s, ',') ? strchr(s, ',') + 1 : NULL)
		if (!strncmp(s, name, length) && s[length] == '=') {
			s += length + 1;
			snprintf(value, size, "%.*s", (int)strcspn(s, ","), s);
			return value;
		}
	return NULL;
}

void detect_overlay_options(const char *data, struct fault *f)
{
	char upper[PATH_MAX], work[PATH_MAX];

	detect_overlay(option(data, "upperdir", upper, sizeof upper),
		       option(data, "workdir", work, sizeof work), f);
}
