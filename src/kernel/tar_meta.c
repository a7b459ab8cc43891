/* SPDX-License-Identifier: MIT
 * Owners, modes, times, extended attributes and access control lists.
 */
#include <endian.h>
#include <fcntl.h>
#include <string.h>
#include <sys/xattr.h>

#include "kernel/tar_parts.h"
#include "kernel/util.h"

/* ---- owner, mode, time ---- */

static int map_id(const struct idmap *map, int64_t id, uint32_t *mapped)
{
	if (id < 0 || id >= UINT32_MAX)
		return -EINVAL;
	*mapped = (uint32_t)id;
	for (size_t i = 0; i < map->count; i++) {
		const struct idmap_range *r = &map->ranges[i];

		if (id >= r->inside && id < (int64_t)r->inside + r->count) {
			*mapped = (uint32_t)id - r->inside + r->outside;
			return 0;
		}
	}
	return map->count ? -EINVAL : 0;
}

static int read_id(struct tar *t, const struct idmap *map, const char *which, int64_t id, uint32_t *mapped,
		   struct fault *f)
{
	if (map_id(map, id, mapped) == 0)
		return 0;
	tar_failed(t, EINVAL, "chown", f);
	return fault_hint(f, "its %s is %lld, which %s; owners = false gives all to the caller", which,
			  (long long)id, map->count ? "the map does not have" : "is no id");
}

void tar_default_meta(struct tar *t, struct tar_meta *m)
{
	*m = (struct tar_meta){ .mode = 0755,
				.times = { { .tv_nsec = UTIME_OMIT }, { .tv_nsec = UTIME_NOW } } };
	if (map_id(&t->options.uid, 0, &m->uid) < 0)
		m->uid = geteuid();
	if (map_id(&t->options.gid, 0, &m->gid) < 0)
		m->gid = getegid();
}

static void read_time(struct tar *t, struct archive_entry *e, struct tar_meta *m)
{
	const struct archive_functions *lib = t->lib;

	m->times[0] = (struct timespec){ .tv_nsec = UTIME_OMIT };
	m->times[1] = (struct timespec){ .tv_nsec = UTIME_NOW };
	if (lib->archive_entry_mtime_is_set(e))
		m->times[1] =
			(struct timespec){ lib->archive_entry_mtime(e), lib->archive_entry_mtime_nsec(e) };
}

int tar_read_meta(struct tar *t, struct archive_entry *e, struct tar_meta *m, struct fault *f)
{
	const struct archive_functions *lib = t->lib;
	int rc;

	m->mode = lib->archive_entry_perm(e) & 07777;
	read_time(t, e, m);
	if (!t->options.owners) {
		m->mode &= 01777; /* of another owner nothing may be setuid */
		return 0;
	}
	rc = read_id(t, &t->options.uid, "user", lib->archive_entry_uid(e), &m->uid, f);
	return rc < 0 ? rc : read_id(t, &t->options.gid, "group", lib->archive_entry_gid(e), &m->gid, f);
}

int tar_set_owner(struct tar *t, int fd, const char *name, const struct tar_meta *m, struct fault *f)
{
	if (!t->options.owners ||
	    fchownat(fd, name, m->uid, m->gid, AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW) == 0)
		return 0;
	tar_failed(t, errno, "chown", f);
	if (f->error == EINVAL || f->error == EPERM)
		fault_hint(
			f,
			"it belongs to %u:%u, whom this user may not give it to: owners = false gives all to "
			"the caller",
			m->uid, m->gid);
	return -f->error;
}

int tar_set_mode_and_time(struct tar *t, int fd, const struct tar_meta *m, struct fault *f)
{
	if (fchmod(fd, m->mode) < 0)
		return tar_failed(t, errno, "chmod", f);
	return futimens(fd, m->times) < 0 ? tar_failed(t, errno, "utimensat", f) : 0;
}

/* ---- extended attributes ---- */

/* What the file system or the caller's rights do not allow is passed over; another error is one. */
static int set_attribute(struct tar *t, int fd, const char *name, const void *value, size_t size,
			 enum tar_skip what, struct fault *f)
{
	if (fsetxattr(fd, name, value, size, 0) == 0)
		return 0;
	if (errno == ENOSPC || errno == EDQUOT || errno == EIO)
		return tar_failed(t, errno, "setxattr", f);
	tar_skip(t, what, errno);
	return 0;
}

/* overlay's own would let a layer's maker say what it shows of other layers; lists are read apart. */
static int is_left_out(const char *name)
{
	return strstr(name, ".overlay.") || !strncmp(name, "system.", 7);
}

static int set_extended(struct tar *t, int fd, struct archive_entry *e, struct fault *f)
{
	const void *value;
	const char *name;
	size_t size;
	int rc = 0;

	t->lib->archive_entry_xattr_reset(e);
	while (rc == 0 && t->lib->archive_entry_xattr_next(e, &name, &value, &size) == ARCHIVE_OK) {
		if (name && is_left_out(name))
			tar_skip(t, TAR_ATTRIBUTE, EPERM);
		else if (name)
			rc = set_attribute(t, fd, name, value, size, TAR_ATTRIBUTE, f);
	}
	return rc;
}

/* ---- access control lists, as the kernel reads them: acl(5), linux/posix_acl_xattr.h ---- */

#define MOST_ENTRIES 1024
#define NO_ID UINT32_MAX

struct acl_entry {
	uint16_t tag, perm;
	uint32_t id;
};

struct acl {
	uint32_t version;
	struct acl_entry entries[MOST_ENTRIES];
};

static const struct {
	int ours;
	uint16_t tag;
	int has_id;
} tags[] = {
	{ ARCHIVE_ENTRY_ACL_USER_OBJ, 0x01, 0 },  { ARCHIVE_ENTRY_ACL_USER, 0x02, 1 },
	{ ARCHIVE_ENTRY_ACL_GROUP_OBJ, 0x04, 0 }, { ARCHIVE_ENTRY_ACL_GROUP, 0x08, 1 },
	{ ARCHIVE_ENTRY_ACL_MASK, 0x10, 0 },      { ARCHIVE_ENTRY_ACL_OTHER, 0x20, 0 },
};

/* Adds an entry where the kernel wants it, by its tag. Returns 0, or -EINVAL for what no list can have. */
static int add_entry(struct tar *t, struct acl *list, size_t count, int tag, int perm, int id)
{
	struct acl_entry new = { 0, htole16((uint16_t)(perm & 7)), htole32(NO_ID) };
	uint32_t mapped;
	size_t at = count;

	for (size_t i = 0; i < sizeof tags / sizeof *tags; i++) {
		if (tags[i].ours != tag)
			continue;
		new.tag = htole16(tags[i].tag);
		if (tags[i].has_id) {
			if (map_id(tag == ARCHIVE_ENTRY_ACL_USER ? &t->options.uid : &t->options.gid, id,
				   &mapped) < 0)
				return -EINVAL;
			new.id = htole32(mapped);
		}
	}
	if (!new.tag || count == MOST_ENTRIES)
		return -EINVAL;
	for (; at > 0 && le16toh(list->entries[at - 1].tag) > le16toh(new.tag); at--)
		list->entries[at] = list->entries[at - 1];
	list->entries[at] = new;
	return 0;
}

static int set_acl(struct tar *t, int fd, struct archive_entry *e, int type, const char *name,
		   struct fault *f)
{
	struct acl list = { .version = htole32(2) };
	int count = t->lib->archive_entry_acl_reset(e, type), kind, perm, tag, id, rc;
	size_t used = 0;
	const char *who;

	if (count <= 0)
		return 0;
	while (t->lib->archive_entry_acl_next(e, type, &kind, &perm, &tag, &id, &who) == ARCHIVE_OK) {
		rc = add_entry(t, &list, used++, tag, perm, id);
		if (rc < 0) {
			tar_skip(t, TAR_ACL, -rc);
			return 0;
		}
	}
	return set_attribute(t, fd, name, &list, sizeof list.version + used * sizeof *list.entries, TAR_ACL,
			     f);
}

int tar_set_attributes(struct tar *t, int fd, struct archive_entry *e, struct fault *f)
{
	int rc = set_extended(t, fd, e, f);

	rc = rc < 0 || !t->options.owners
		     ? rc
		     : set_acl(t, fd, e, ARCHIVE_ENTRY_ACL_TYPE_ACCESS, "system.posix_acl_access", f);
	return rc < 0 || !t->options.owners
		       ? rc
		       : set_acl(t, fd, e, ARCHIVE_ENTRY_ACL_TYPE_DEFAULT, "system.posix_acl_default", f);
}
