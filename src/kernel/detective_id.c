/* SPDX-License-Identifier: MIT
 * The ids of user namespaces: user_namespaces(7).
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "kernel/capability.h"
#include "kernel/detective.h"
#include "kernel/look.h"
#include "kernel/util.h"

/* ---- what a map says ---- */

/* "0-9, 1000" of a map's first numbers. */
static void list_ranges(const char *path, char *list, size_t size)
{
	char text[4096], *line, *rest = text;
	unsigned long inside, outside, count;
	size_t used = 0;

	*list = '\0';
	if (util_read_file(AT_FDCWD, path, text, sizeof text) < 0)
		return;
	while ((line = strsep(&rest, "\n")) && used < size) {
		if (sscanf(line, "%lu %lu %lu", &inside, &outside, &count) != 3)
			continue;
		used += (size_t)snprintf(list + used, size - used, "%s%lu", used ? ", " : "", inside);
		if (count > 1 && used < size)
			used += (size_t)snprintf(list + used, size - used, "-%lu", inside + count - 1);
	}
}

void detect_id(const char *map, int64_t id, struct fault *f)
{
	char path[40], list[128];

	if (!f)
		return;
	snprintf(path, sizeof path, "/proc/self/%s", map);
	list_ranges(path, list, sizeof list);
	if (*list)
		fault_hint(f, "%lld has no mapping in the user namespace, whose %s has %s", (long long)id,
			   map, list);
	else
		fault_hint(f, "%lld has no mapping in the user namespace, whose %s is not written yet",
			   (long long)id, map);
}

void detect_owner(int64_t uid, int64_t gid, struct fault *f)
{
	if (uid >= 0 && !look_is_mapped("uid_map", (unsigned long)uid))
		detect_id("uid_map", uid, f);
	else if (gid >= 0 && !look_is_mapped("gid_map", (unsigned long)gid))
		detect_id("gid_map", gid, f);
}

/* ---- writing a map ---- */

/* The first id of a range that 'own', the text of a map, lacks; or the one after the range. A range may go
 * over several lines of it, in any order. */
static uint64_t find_lacking(const struct idmap_range *r, const char *own)
{
	const uint64_t end = (uint64_t)r->outside + r->count;
	uint64_t next = r->outside;
	unsigned long inside, outside, count;
	int moved;

	do {
		moved = 0;
		for (const char *s = own; s; s = strchr(s, '\n') ? strchr(s, '\n') + 1 : NULL) {
			if (sscanf(s, "%lu %lu %lu", &inside, &outside, &count) != 3 ||
			    next - inside >= count)
				continue;
			next = (uint64_t)inside + count;
			moved = 1;
		}
	} while (moved && next < end);
	return next < end ? next : end;
}

int detect_unmapped(const char *file, const struct idmap *map, struct fault *f)
{
	char path[40], own[4096];

	snprintf(path, sizeof path, "/proc/self/%s", file);
	if (util_read_file(AT_FDCWD, path, own, sizeof own) <= 0)
		return 0;
	for (size_t i = 0; i < map->count; i++) {
		const struct idmap_range *r = &map->ranges[i];
		uint64_t lacking = find_lacking(r, own);

		if (lacking == (uint64_t)r->outside + r->count)
			continue;
		fault_hint(f,
			   "the outside id %llu has no mapping in the present user namespace, which can give "
			   "only ids of its own",
			   (unsigned long long)lacking);
		return 1;
	}
	return 0;
}

void detect_id_map(const char *file, const struct idmap *map, struct fault *f)
{
	if (!f)
		return;
	if (f->error == EACCES)
		fault_hint(
			f,
			"the process is not to be looked into (it has changed its user, or said so with "
			"prctl), so that its files in /proc are root's: let root write the map, or have the "
			"process exec a program first");
	else if ((f->error != EPERM && f->error != EINVAL) || detect_unmapped(file, map, f))
		return;
	else if (f->error == EPERM)
		fault_hint(f, "it has been written before, and once is all");
	else
		fault_hint(f, "the kernel refuses the ranges: the outside ids must be mapped in the user "
			      "namespace above");
}

/* ---- setgroups ---- */

void detect_setgroups(struct fault *f)
{
	char byte[2];

	if (!f || f->error != EPERM)
		return;
	if (look_file_is("/proc/self/setgroups", "deny"))
		fault_hint(f, "setgroups is denied in this user namespace for good, as it must be where the "
			      "gid_map was written without CAP_SETGID: ask for no groups");
	else if (util_read_file(AT_FDCWD, "/proc/self/gid_map", byte, sizeof byte) == 0)
		fault_hint(f, "the gid_map of this user namespace is not written yet");
	else
		fault_hint(f, "it takes CAP_SETGID; change the groups before it is given up");
}
