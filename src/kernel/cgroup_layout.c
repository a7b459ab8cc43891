/* SPDX-License-Identifier: MIT
 * Where the hierarchies are mounted and where the caller is in them:
 * /proc/self/cgroup and /proc/self/mountinfo, cgroups(7), cgroup_namespaces(7).
 */
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "kernel/cgroup.h"
#include "kernel/mountinfo.h"
#include "kernel/util.h"

#define cleanup_file __attribute__((cleanup(close_filep)))

static const char *const v1_names[CG_CONTROLLERS] = { "cpu", "cpuset", "blkio", "memory", "pids", "freezer" };
static const char *const v2_names[CG_CONTROLLERS] = { "cpu", "cpuset", "io", "memory", "pids", "freezer" };

/* What /proc/self/cgroup says: the caller's place in each hierarchy. */
struct places {
	char *v2, *v1[CG_CONTROLLERS];
};

static void close_filep(FILE **file)
{
	if (*file)
		fclose(*file);
}

const char *cg_controller_name(enum cg_controller c)
{
	return v2_names[c];
}

/* Whether 'word' is one of the words in 'list', which 'separator' parts. */
static int has_word(const char *list, char separator, const char *word)
{
	size_t length = strlen(word);
	const char *s = list;

	while ((s = strstr(s, word))) {
		char end = s[length];

		if ((s == list || s[-1] == separator) && (end == separator || end == '\n' || !end))
			return 1;
		s += length;
	}
	return 0;
}

unsigned int cg_controllers_of(const char *names)
{
	unsigned int set = 0;

	for (int c = 0; c < CG_CONTROLLERS; c++)
		if (has_word(names, ' ', v2_names[c]))
			set |= 1u << c;
	return set;
}

static void places_release(struct places *p)
{
	free(p->v2);
	for (int c = 0; c < CG_CONTROLLERS; c++)
		free(p->v1[c]);
}

static int keep_copy(char **to, const char *text)
{
	free(*to);
	*to = strdup(text);
	return *to ? 0 : -ENOMEM;
}

/* "4:memory:/a/b", or "0::/a/b" for cgroup2. */
static int read_place(struct places *p, char *line)
{
	char *names = strchr(line, ':'), *path = names ? strchr(names + 1, ':') : NULL;
	int rc = 0;

	if (!path)
		return 0;
	*path++ = '\0';
	names++;
	path[strcspn(path, "\n")] = '\0';
	if (!*names)
		return keep_copy(&p->v2, path);
	for (int c = 0; c < CG_CONTROLLERS && rc == 0; c++)
		if (has_word(names, ',', v1_names[c]))
			rc = keep_copy(&p->v1[c], path);
	return rc;
}

static int read_places(struct places *p, struct fault *f)
{
	cleanup_file FILE *file = fopen("/proc/self/cgroup", "re");
	cleanup_free char *line = NULL;
	size_t size = 0;

	if (!file)
		return fault_set(f, errno, "open", "/proc/self/cgroup");
	while ((errno = 0, getline(&line, &size, file)) > 0)
		if (read_place(p, line) < 0)
			return fault_set(f, ENOMEM, "read", "/proc/self/cgroup");
	return errno ? fault_set(f, errno, "read", "/proc/self/cgroup") : 0;
}

/* ---- from a place to a directory ---- */

static int is_me(pid_t pid, void *data)
{
	(void)data;
	return pid == getpid();
}

/* 1, 0 or -errno. */
static int is_own(const char *dir, const char *place)
{
	cleanup_free char *path = NULL;
	cleanup_fd int fd = -1;

	if (asprintf(&path, "%s%s", dir, place) < 0)
		return -ENOMEM;
	fd = retry_eintr(open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC));
	if (fd < 0)
		return errno == ENOENT || errno == EACCES ? 0 : -errno;
	return cg_each_process(fd, is_me, NULL);
}

static void close_dirp(DIR **dir)
{
	if (*dir)
		closedir(*dir);
}

static int find_root(const char *top, int depth, const char *place, char **found);

static int find_below(const char *top, const char *name, int depth, const char *place, char **found)
{
	cleanup_free char *path = NULL;

	return asprintf(&path, "%s/%s", top, name) < 0 ? -ENOMEM : find_root(path, depth, place, found);
}

/* The directory 'depth' levels below 'top' from which 'place' leads to the caller:
 * in a cgroup namespace the names between the mount's root and the namespace's are
 * hidden, only their number shows ("/../.."). Null if there is none; malloc'ed. */
static int find_root(const char *top, int depth, const char *place, char **found)
{
	__attribute__((cleanup(close_dirp))) DIR *dir = NULL;
	const struct dirent *e;
	int rc;

	if (depth == 0) {
		rc = is_own(top, place);
		return rc <= 0 ? rc : keep_copy(found, top);
	}
	dir = opendir(top);
	if (!dir)
		return errno == ENOENT || errno == EACCES ? 0 : -errno;
	while (!*found && (errno = 0, e = readdir(dir))) {
		if (e->d_type != DT_DIR || e->d_name[0] == '.')
			continue;
		rc = find_below(top, e->d_name, depth - 1, place, found);
		if (rc < 0)
			return rc;
	}
	return *found ? 0 : -errno;
}

static int count_ups(const char *root)
{
	int n = 0;

	for (; !strncmp(root, "/..", 3) && (root[3] == '/' || !root[3]); root += 3)
		n++;
	return n;
}

/* "/" adds nothing to a path that is not to end in one. */
static int join(const char *dir, const char *place, char **path)
{
	return asprintf(path, "%s%s", dir, strcmp(place, "/") ? place : "") < 0 ? -ENOMEM : 0;
}

/* The path of 'place' (null: 'own') in a hierarchy mounted at 'mount' with the directory 'root' on top, and
 * in '*top' the highest directory there that is the caller's; malloc'ed, or null if the mount does not show
 * it. */
static int visible(const char *mount, const char *root, const char *own, const char *place, char **top,
		   char **path)
{
	size_t length = strcmp(root, "/") ? strlen(root) : 0;
	int rc;

	place = place ? place : own;
	if (count_ups(place))
		return 0;
	if (count_ups(root)) {
		rc = find_root(mount, count_ups(root), own, top);
		return *top ? join(*top, place, path) : rc;
	}
	if (strncmp(place, root, length) || (length && place[length] != '/' && place[length]))
		return 0;
	rc = keep_copy(top, mount);
	return rc < 0 ? rc : join(*top, place + length, path);
}

/* ---- mountinfo ---- */

static int take_v1(const struct mnt_info *m, const char *own, const char *parent, char **path)
{
	cleanup_free char *top = NULL;

	return visible(m->target, m->root, own, parent, &top, path);
}

static int take_mount(struct cg_layout *l, const struct places *p, const struct mnt_info *m,
		      const char *parent)
{
	int version = strncmp(m->type, "cgroup", 6) ? 0 : cg_version_at(m->target), rc = 0;

	if (version < 0)
		return version == -ENOENT || version == -EACCES ? 0 : version;
	if (!version || version != (strcmp(m->type, "cgroup2") ? 1 : 2))
		return 0; /* of another type, or hidden: something is mounted over it */
	if (version == 2)
		return !l->v2 && p->v2 ? visible(m->target, m->root, p->v2, parent, &l->v2_top, &l->v2) : 0;
	for (int c = 0; c < CG_CONTROLLERS && rc == 0; c++)
		if (!l->v1[c] && p->v1[c] && has_word(m->options, ',', v1_names[c]))
			rc = take_v1(m, p->v1[c], parent, &l->v1[c]);
	return rc;
}

static int read_mounts(struct cg_layout *l, const struct places *p, const char *parent, struct fault *f)
{
	cleanup_file FILE *file = fopen("/proc/self/mountinfo", "re");
	cleanup_free char *line = NULL;
	size_t size = 0;
	struct mnt_info m;

	if (!file)
		return fault_set(f, errno, "open", "/proc/self/mountinfo");
	while ((errno = 0, getline(&line, &size, file)) > 0) {
		int rc = 0;

		line[strcspn(line, "\n")] = '\0';
		if (mnt_parse_line(line, &m) == 0)
			rc = take_mount(l, p, &m, parent);
		if (rc < 0)
			return fault_set(f, -rc, "look for cgroups", "%s", m.target);
	}
	return errno ? fault_set(f, errno, "read", "/proc/self/mountinfo") : 0;
}

static int read_controllers(struct cg_layout *l, struct fault *f)
{
	char text[512];
	cleanup_fd int dir = l->v2 ? retry_eintr(open(l->v2_top, O_RDONLY | O_DIRECTORY | O_CLOEXEC)) : -1;
	ssize_t n = !l->v2    ? -ENOENT
		    : dir < 0 ? -errno
			      : util_read_file(dir, "cgroup.controllers", text, sizeof text);

	if (n < 0)
		return n == -ENOENT ? 0 : fault_set(f, (int)-n, "read", "%s/cgroup.controllers", l->v2_top);
	l->v2_controllers = cg_controllers_of(text);
	return 0;
}

int cg_layout_read(struct cg_layout *l, const char *parent, struct fault *f)
{
	__attribute__((cleanup(places_release))) struct places p = { 0 };
	int rc;

	memset(l, 0, sizeof *l);
	rc = read_places(&p, f);
	rc = rc < 0 ? rc : read_mounts(l, &p, parent, f);
	return rc < 0 ? rc : read_controllers(l, f);
}

void cg_layout_release(struct cg_layout *l)
{
	free(l->v2);
	free(l->v2_top);
	for (int c = 0; c < CG_CONTROLLERS; c++)
		free(l->v1[c]);
	memset(l, 0, sizeof *l);
}
