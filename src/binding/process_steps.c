/* SPDX-License-Identifier: MIT
 * The steps of a child, from Lua tables to the kernel side's list: checked whole, one
 * row a step. The option names are the fields of luabox.sys.mount and its like.
 */
#include <limits.h>
#include <string.h>
#include <sys/stat.h>

#include "binding/capability.h"
#include "binding/mount.h"
#include "binding/namespace.h"
#include "binding/process.h"
#include "binding/seccomp.h"
#include "binding/system.h"

#define MAX_ID 4294967294 /* the last one means "unchanged" */

struct reader {
	lua_State *L;
	const char *where; /* "steps[3]" */
	int table;         /* its index */
	int anchor;        /* a table for what must live until the child has started */
	int roots;
};

struct step_type {
	const char *name;
	const struct box_opt *options;
	struct step init;
	void (*finish)(struct reader *, struct step *); /* what a row of options cannot say */
};

#define FIELD(field) offsetof(struct step, field)
#define PATH_OPTION(name, field)                                                                             \
	{                                                                                                    \
		name, BOX_STRING, FIELD(field), .required = 1, .min = 1, .max = PATH_MAX - 1                 \
	}
#define MODE_OPTION                                                                                          \
	{                                                                                                    \
		"mode", BOX_INT, FIELD(file.mode), .min = 0, .max = 07777                                    \
	}

static int get(struct reader *r, const char *name)
{
	lua_pushstring(r->L, name);
	return lua_rawget(r->L, r->table) != LUA_TNIL;
}

/* Pops the value at the top into the anchor. */
static void keep(struct reader *r)
{
	lua_rawseti(r->L, r->anchor, (lua_Integer)lua_rawlen(r->L, r->anchor) + 1);
}

static const struct box_opt no_options[] = { { 0 } };

/* ---- namespaces and cgroups ---- */

static const struct box_opt setns_options[] = {
	{ "fd", BOX_FD, FIELD(namespaces.fd), .required = 1 },
	{ "types", BOX_FLAGS, FIELD(namespaces.types), .names = box_namespace_types },
	{ 0 },
};

static const struct box_opt unshare_options[] = {
	{ "namespaces", BOX_FLAGS, FIELD(namespaces.types), .required = 1, .names = box_namespace_types },
	{ 0 },
};

static const struct box_opt cgroup_options[] = { { "fds", BOX_TABLE, .required = 1 }, { 0 } };

static void finish_cgroup(struct reader *r, struct step *st)
{
	lua_State *L = r->L;
	size_t n;
	int *fds;

	get(r, "fds");
	n = lua_rawlen(L, -1);
	fds = lua_newuserdatauv(L, (n + 1) * sizeof *fds, 0);
	for (size_t i = 0; i < n; i++) {
		lua_rawgeti(L, -2, (lua_Integer)i + 1);
		fds[i] = box_tofd(L, -1);
		if (fds[i] < 0)
			box_option_error(
				L, 1, r->where, lua_pushfstring(L, "fds[%d]", (int)i + 1),
				"an open descriptor of a 'tasks' or 'cgroup.procs' file is expected");
		lua_pop(L, 1);
	}
	st->cgroup.fds = fds;
	st->cgroup.count = n;
	keep(r);
	lua_pop(L, 1);
}

/* ---- places ---- */

static const struct box_opt place_options[] = {
	{ "path", BOX_STRING, FIELD(place.path), .min = 1, .max = PATH_MAX - 1 },
	{ "fd", BOX_FD, FIELD(place.fd) },
	{ 0 },
};

static void finish_place(struct reader *r, struct step *st)
{
	if (!st->place.path && st->place.fd < 0)
		box_option_error(r->L, 1, r->where, "path", "is missing: a path or an 'fd' is needed");
	if (st->place.path && st->place.fd >= 0)
		box_option_error(r->L, 1, r->where, "fd", "is one place, and 'path' another");
}

/* ---- mounts ---- */

static const struct box_opt propagation_options[] = {
	PATH_OPTION("path", propagation.path),
	{ "flags", BOX_FLAGS, FIELD(propagation.flags), .required = 1, .names = box_mount_propagation },
	{ 0 },
};

static const struct box_opt root_options[] = {
	{ "path", BOX_STRING, FIELD(root.path), .min = 1, .max = PATH_MAX - 1 },
	{ "tree", BOX_FD, FIELD(root.fd) },
	{ "below", BOX_TABLE },
	{ "readonly", BOX_BOOL, FIELD(root.readonly) },
	{ "nosuid", BOX_BOOL, FIELD(root.nosuid) },
	{ "nodev", BOX_BOOL, FIELD(root.nodev) },
	{ "overlay", BOX_BOOL, FIELD(root.overlay) },
	{ "upper", BOX_STRING, FIELD(root.upper), .min = 1, .max = PATH_MAX - 1 },
	{ "work", BOX_STRING, FIELD(root.work), .min = 1, .max = PATH_MAX - 1 },
	{ "size", BOX_INT, FIELD(root.size), .min = 1, .max = INT64_MAX },
	{ 0 },
};

/* One of the lower layers, at the top of the stack. */
static struct mnt_layer read_layer(struct reader *r, int number)
{
	const char *name = lua_pushfstring(r->L, "below[%d]", number);
	struct mnt_layer layer = { .fd = -1 };
	size_t length;

	if (lua_type(r->L, -2) == LUA_TSTRING) {
		layer.path = lua_tolstring(r->L, -2, &length);
		if (length == 0 || length >= PATH_MAX || strlen(layer.path) != length)
			box_option_error(r->L, 1, r->where, name, "is no path");
	} else {
		layer.fd = box_tofd(r->L, -2);
		if (layer.fd < 0)
			box_option_error(r->L, 1, r->where, name,
					 "a path or the handle of a mount is expected, got %s",
					 luaL_typename(r->L, -2));
	}
	lua_pop(r->L, 1);
	return layer;
}

static void read_below(struct reader *r, struct step *st)
{
	lua_State *L = r->L;
	size_t n = lua_rawlen(L, -1);

	if (n > MNT_LAYERS)
		box_option_error(L, 1, r->where, "below", "has %d layers; at most %d are allowed", (int)n,
				 MNT_LAYERS);
	st->root.below = lua_newuserdatauv(L, (n + 1) * sizeof *st->root.below, 0);
	for (size_t i = 0; i < n; i++) {
		lua_rawgeti(L, -2, (lua_Integer)i + 1);
		st->root.below[i] = read_layer(r, (int)i + 1);
		lua_pop(L, 1);
	}
	st->root.below_count = n;
	keep(r);
}

static void finish_root(struct reader *r, struct step *st)
{
	if (get(r, "below"))
		read_below(r, st);
	lua_pop(r->L, 1);
	if (st->root.below_count && !st->root.overlay)
		box_option_error(r->L, 1, r->where, "below", "is for overlay = true");
	if (r->roots++)
		box_option_error(r->L, 1, NULL, r->where, "a second 'root'");
	if (st->root.path && st->root.fd >= 0)
		box_option_error(r->L, 1, r->where, "tree", "is one root, and 'path' another");
	if (!st->root.upper != !st->root.work)
		box_option_error(r->L, 1, r->where, st->root.upper ? "work" : "upper", "both go together");
	if (st->root.upper && !st->root.overlay)
		box_option_error(r->L, 1, r->where, "upper", "is for overlay = true");
}

static void finish_detach_root(struct reader *r, struct step *st)
{
	(void)st;
	if (!r->roots)
		box_option_error(r->L, 1, NULL, r->where, "there is no 'root' before it");
}

static const struct box_name create_words[] = { { "dir", STEP_CREATE_DIRECTORY },
						{ "file", STEP_CREATE_FILE },
						{ 0 } };

static const struct box_opt mount_options[] = {
	{ "type", BOX_STRING, FIELD(mount.type), .min = 1, .max = 255 },
	{ "source", BOX_STRING, FIELD(mount.source), .min = 1, .max = PATH_MAX - 1 },
	PATH_OPTION("target", mount.target),
	{ "flags", BOX_FLAGS, FIELD(mount.flags), .names = box_mount_flags },
	{ "data", BOX_ANY },
	{ "create", BOX_ENUM, FIELD(mount.create), .names = create_words },
	{ "nofollow", BOX_BOOL, FIELD(mount.nofollow) },
	{ 0 },
};

static void finish_mount(struct reader *r, struct step *st)
{
	if (!st->mount.type && !(st->mount.flags & MS_REMOUNT))
		luaL_argerror(r->L, 1, lua_pushfstring(r->L, "option '%s.type' is missing", r->where));
	if (get(r, "data")) {
		st->mount.data = box_mount_data(r->L, 1, r->where, "data");
		keep(r);
	} else {
		lua_pop(r->L, 1);
	}
}

static const struct box_opt bind_options[] = {
	{ "source", BOX_ANY, .required = 1 },
	PATH_OPTION("target", bind.target),
	{ "flags", BOX_FLAGS, FIELD(bind.attributes), .names = box_mount_bind_flags },
	{ "create", BOX_ENUM, FIELD(bind.create), .names = create_words },
	{ "inside", BOX_BOOL, FIELD(bind.inside) },
	{ "optional", BOX_BOOL, FIELD(bind.optional) },
	{ 0 },
};

static void finish_bind(struct reader *r, struct step *st)
{
	lua_State *L = r->L;
	size_t length;

	st->bind.recursive = !!(st->bind.attributes & BOX_MOUNT_RECURSIVE);
	st->bind.attributes &= ~BOX_MOUNT_RECURSIVE;
	get(r, "source");
	if (lua_type(L, -1) == LUA_TSTRING) {
		st->bind.source = lua_tolstring(L, -1, &length);
		if (length == 0 || length >= PATH_MAX || strlen(st->bind.source) != length)
			box_option_error(L, 1, r->where, "source", "is no path");
	} else {
		st->bind.tree = box_tofd(L, -1);
		if (st->bind.tree < 0)
			box_option_error(L, 1, r->where, "source",
					 "a path or the handle of a mount is expected, got %s",
					 luaL_typename(L, -1));
	}
	lua_pop(L, 1);
}

/* ---- files ---- */

static const struct box_opt path_options[] = { PATH_OPTION("path", file.path), { 0 } };

static const struct box_opt mkdir_options[] = {
	PATH_OPTION("path", file.path),
	MODE_OPTION,
	{ "parents", BOX_BOOL, FIELD(file.parents) },
	{ 0 },
};

static const struct box_opt symlink_options[] = { PATH_OPTION("target", file.target),
						  PATH_OPTION("path", file.path),
						  { 0 } };

static const struct box_name node_types[] = { { "c", S_IFCHR }, { "b", S_IFBLK }, { "p", S_IFIFO }, { 0 } };

static const struct box_opt mknod_options[] = {
	PATH_OPTION("path", file.path),
	{ "type", BOX_ENUM, FIELD(file.type), .required = 1, .names = node_types },
	{ "major", BOX_INT, FIELD(file.major), .min = 0, .max = 4095 },
	{ "minor", BOX_INT, FIELD(file.minor), .min = 0, .max = 1048575 },
	MODE_OPTION,
	{ 0 },
};

static const struct box_opt write_options[] = {
	PATH_OPTION("path", file.path),
	{ "data", BOX_STRING, FIELD(file.data), .required = 1 },
	MODE_OPTION,
	{ "append", BOX_BOOL, FIELD(file.append) },
	{ "parents", BOX_BOOL, FIELD(file.parents) },
	{ 0 },
};

static const struct box_opt chmod_options[] = {
	PATH_OPTION("path", file.path),
	{ "mode", BOX_INT, FIELD(file.mode), .required = 1, .min = 0, .max = 07777 },
	{ 0 },
};

static const struct box_opt chown_options[] = {
	PATH_OPTION("path", file.path),
	{ "uid", BOX_INT, FIELD(file.uid), .min = 0, .max = MAX_ID },
	{ "gid", BOX_INT, FIELD(file.gid), .min = 0, .max = MAX_ID },
	{ 0 },
};

/* ---- the process ---- */

static const struct box_opt hostname_options[] = {
	{ "name", BOX_STRING, FIELD(text.name), .required = 1, .max = BOX_HOSTNAME_MAX },
	{ 0 },
};

static const struct box_opt sysctl_options[] = {
	{ "name", BOX_STRING, FIELD(text.name), .required = 1 },
	{ "value", BOX_STRING, FIELD(text.value), .required = 1 },
	{ 0 },
};

static void finish_sysctl(struct reader *r, struct step *st)
{
	box_check_sysctl_name(r->L, 1, r->where, "name", st->text.name);
	box_check_sysctl_value(r->L, 1, r->where, "value", st->text.value);
}

static const struct box_opt rlimit_options[] = {
	{ "name", BOX_ENUM, FIELD(rlimit.resource), .required = 1, .names = box_rlimit_names },
	{ "soft", BOX_ANY, .required = 1 },
	{ "hard", BOX_ANY },
	{ 0 },
};

static void finish_rlimit(struct reader *r, struct step *st)
{
	st->rlimit.name = box_rlimit_name((int)st->rlimit.resource);
	get(r, "soft");
	st->rlimit.soft = box_checklimit(r->L, 1, -1, r->where, "soft");
	st->rlimit.hard = st->rlimit.soft;
	if (get(r, "hard"))
		st->rlimit.hard = box_checklimit(r->L, 1, -1, r->where, "hard");
	lua_pop(r->L, 2);
	if (st->rlimit.soft > st->rlimit.hard)
		box_option_error(r->L, 1, r->where, "soft", "is above 'hard'");
}

static const struct box_opt umask_options[] = {
	{ "mask", BOX_INT, FIELD(number), .required = 1, .min = 0, .max = 0777 },
	{ 0 },
};

#define SET_OPTION(set)                                                                                      \
	{                                                                                                    \
#set, BOX_FLAGS, FIELD(capabilities.set), .names = box_capability_names                      \
	}

static const struct box_opt capability_options[] = {
	SET_OPTION(effective),
	SET_OPTION(permitted),
	SET_OPTION(inheritable),
	SET_OPTION(bounding),
	SET_OPTION(ambient),
	{ "keep", BOX_BOOL, FIELD(capabilities.keep) },
	{ 0 },
};

static void finish_capabilities(struct reader *r, struct step *st)
{
	static const struct {
		const char *name;
		unsigned bit;
	} sets[] = { { "effective", STEP_CAP_EFFECTIVE },
		     { "permitted", STEP_CAP_PERMITTED },
		     { "inheritable", STEP_CAP_INHERITABLE },
		     { "bounding", STEP_CAP_BOUNDING },
		     { "ambient", STEP_CAP_AMBIENT } };

	for (size_t i = 0; i < sizeof sets / sizeof sets[0]; i++) {
		if (get(r, sets[i].name))
			st->capabilities.given |= sets[i].bit;
		lua_pop(r->L, 1);
	}
}

static const struct box_opt seccomp_options[] = { { "filter", BOX_ANY, .required = 1 }, { 0 } };

static void finish_seccomp(struct reader *r, struct step *st)
{
	get(r, "filter");
	st->filter = box_seccomp_program(r->L, -1);
	if (!st->filter)
		box_option_error(r->L, 1, r->where, "filter", "an open luabox.seccomp is expected, got %s",
				 luaL_typename(r->L, -1));
	lua_pop(r->L, 1);
}

static const struct box_opt user_options[] = {
	{ "uid", BOX_INT, FIELD(user.uid), .min = 0, .max = MAX_ID },
	{ "gid", BOX_INT, FIELD(user.gid), .min = 0, .max = MAX_ID },
	{ "groups", BOX_TABLE },
	{ 0 },
};

static void finish_user(struct reader *r, struct step *st)
{
	if (get(r, "groups")) {
		process_read_groups(r->L, r->where, &st->user);
		keep(r);
	}
	lua_pop(r->L, 1);
}

static const struct box_opt oom_options[] = {
	{ "value", BOX_INT, FIELD(number), .required = 1, .min = -1000, .max = 1000 },
	{ 0 },
};

static const struct box_opt call_options[] = { { "function", BOX_FUNCTION, .required = 1 }, { 0 } };

/* The function is found again by its place in the anchor, without allocation. */
static void finish_call(struct reader *r, struct step *st)
{
	get(r, "function");
	keep(r);
	st->function = (int)lua_rawlen(r->L, r->anchor);
}

static const struct step_type types[] = {
	{ "bind", bind_options, { step_bind, .bind.tree = -1 }, finish_bind },
	{ "call", call_options, { step_call }, finish_call },
	{ "capabilities", capability_options, { step_capabilities }, finish_capabilities },
	{ "cgroup", cgroup_options, { step_cgroup }, finish_cgroup },
	{ "chdir", place_options, { step_chdir, .place.fd = -1 }, finish_place },
	{ "chmod", chmod_options, { step_chmod } },
	{ "chown", chown_options, { step_chown, .file = { .uid = -1, .gid = -1 } } },
	{ "chroot", place_options, { step_chroot, .place.fd = -1 }, finish_place },
	{ "detach_root", no_options, { step_detach_root }, finish_detach_root },
	{ "domainname", hostname_options, { step_domainname } },
	{ "hostname", hostname_options, { step_hostname } },
	{ "mask", path_options, { step_mask } },
	{ "mkdir", mkdir_options, { step_mkdir, .file.mode = -1 } },
	{ "mknod", mknod_options, { step_mknod, .file.mode = -1 } },
	{ "mount", mount_options, { step_mount }, finish_mount },
	{ "no_new_privs", no_options, { step_no_new_privs } },
	{ "oom_score_adj", oom_options, { step_oom_score_adj } },
	{ "propagation", propagation_options, { step_propagation } },
	{ "readonly", path_options, { step_readonly } },
	{ "rlimit", rlimit_options, { step_rlimit }, finish_rlimit },
	{ "root", root_options, { step_root, .root.fd = -1 }, finish_root },
	{ "seccomp", seccomp_options, { step_seccomp }, finish_seccomp },
	{ "session_keyring", no_options, { step_session_keyring } },
	{ "setns", setns_options, { step_setns } },
	{ "setsid", no_options, { step_setsid } },
	{ "symlink", symlink_options, { step_symlink } },
	{ "sysctl", sysctl_options, { step_sysctl }, finish_sysctl },
	{ "umask", umask_options, { step_umask } },
	{ "unlink", path_options, { step_unlink } },
	{ "unshare", unshare_options, { step_unshare } },
	{ "user", user_options, { step_user, .user = { .uid = -1, .gid = -1 } }, finish_user },
	{ "write", write_options, { step_write, .file.mode = -1 } },
};

#define TYPE_COUNT (sizeof types / sizeof types[0])

/* The names as box_checkenum's kin wants them, for its suggestions. */
static const struct step_type *find_type(struct reader *r)
{
	struct box_name names[TYPE_COUNT + 1] = { { 0 } };
	lua_State *L = r->L;

	if (lua_rawgeti(L, r->table, 1) != LUA_TSTRING)
		box_option_error(L, 1, NULL, r->where, "a name is expected as its first value, got %s",
				 luaL_typename(L, -1));
	for (size_t i = 0; i < TYPE_COUNT; i++)
		names[i] = (struct box_name){ types[i].name, i, 0 };
	for (size_t i = 0; i < TYPE_COUNT; i++)
		if (!strcmp(lua_tostring(L, -1), types[i].name)) {
			lua_pop(L, 1);
			return &types[i];
		}
	box_flags(L, 1, NULL, r->where, lua_tostring(L, -1), names); /* raises */
	return NULL;
}

static void read_step(struct reader *r, struct step *st)
{
	const struct step_type *type;

	if (!lua_istable(r->L, r->table))
		box_option_error(r->L, 1, NULL, r->where, "table expected, got %s",
				 luaL_typename(r->L, r->table));
	type = find_type(r);
	*st = type->init;
	box_options_at(r->L, 1, r->table, r->where, 1, type->options, st);
	if (type->finish)
		type->finish(r, st);
}

int process_read_steps(lua_State *L, struct steps *s)
{
	int list = lua_gettop(L);
	size_t n = lua_rawlen(L, list);
	struct reader r = { .L = L, .anchor = list + 1, .table = list + 4 };

	lua_newtable(L);
	s->list = lua_newuserdatauv(L, (n + 1) * sizeof *s->list, 0);
	for (size_t i = 0; i < n; i++) {
		r.where = lua_pushfstring(L, "steps[%d]", (int)i + 1);
		lua_rawgeti(L, list, (lua_Integer)i + 1);
		read_step(&r, &s->list[i]);
		s->calls |= s->list[i].run == step_call;
		lua_settop(L, list + 2);
	}
	s->count = n;
	return r.anchor;
}

const char *process_step_name(lua_State *L, int index, int step)
{
	if (lua_getfield(L, index, "steps") != LUA_TTABLE || lua_rawgeti(L, -1, step) != LUA_TTABLE)
		return "?";
	lua_rawgeti(L, -1, 1);
	return lua_tostring(L, -1);
}
