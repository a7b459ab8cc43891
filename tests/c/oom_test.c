/* SPDX-License-Identifier: MIT
 * Out of memory at each allocation: every body of tests/c/oom.lua runs with the first, the second, the
 * third … allocation failing until it gets through. Each time it must end, with an error or without, leave
 * no descriptor, process or namespace behind, and work when memory is back, in the same state.
 *
 * Lua's allocations go through the state's allocator, the core's and the libraries' through --wrap, which
 * the Makefile sets for this program.
 */
#include <dirent.h>
#include <errno.h>
#include <glob.h>
#include <lauxlib.h>
#include <lua.h>
#include <lualib.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "binding/binding.h"
#include "tap.h"

#define SCENARIOS "tests/c/oom.lua"
#define MOST_ALLOCATIONS 100000

/* ---- allocators that fail ---- */

/* One of the two ways to memory. In shared memory: what a child meets counts, too. */
struct supply {
	long count, fails_at; /* fails_at 0: never */
	int goes_on;          /* what follows the failing one fails, too */
	int failed;
};

static struct supply *lua_supply, *c_supply;

static int fails(struct supply *s)
{
	if (s->fails_at == 0 || ++s->count < s->fails_at || (s->count > s->fails_at && !s->goes_on))
		return 0;
	s->failed = 1;
	return 1;
}

static void set_supply(struct supply *s, long fails_at, int goes_on)
{
	*s = (struct supply){ .fails_at = fails_at, .goes_on = goes_on };
}

#define C_FAILS (fails(c_supply) && (errno = ENOMEM))

void *__real_malloc(size_t size);
void *__real_calloc(size_t count, size_t size);
void *__real_realloc(void *p, size_t size);
char *__real_strdup(const char *s);
char *__real_strndup(const char *s, size_t n);
char *__real_realpath(const char *path, char *resolved);
FILE *__real_fopen(const char *path, const char *mode);
FILE *__real_fdopen(int fd, const char *mode);
DIR *__real_opendir(const char *path);
DIR *__real_fdopendir(int fd);
ssize_t __real___getdelim(char **line, size_t *size, int end, FILE *f);
int __real_vasprintf(char **out, const char *format, va_list ap);

void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_realloc(void *p, size_t size);
char *__wrap_strdup(const char *s);
char *__wrap_strndup(const char *s, size_t n);
char *__wrap_realpath(const char *path, char *resolved);
FILE *__wrap_fopen(const char *path, const char *mode);
FILE *__wrap_fdopen(int fd, const char *mode);
DIR *__wrap_opendir(const char *path);
DIR *__wrap_fdopendir(int fd);
ssize_t __wrap___getdelim(char **line, size_t *size, int end, FILE *f);
int __wrap_vasprintf(char **out, const char *format, va_list ap) __attribute__((format(printf, 2, 0)));
int __wrap_asprintf(char **out, const char *format, ...) __attribute__((format(printf, 2, 3)));

void *__wrap_malloc(size_t size)
{
	return C_FAILS ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t count, size_t size)
{
	return C_FAILS ? NULL : __real_calloc(count, size);
}

void *__wrap_realloc(void *p, size_t size)
{
	return C_FAILS ? NULL : __real_realloc(p, size);
}

char *__wrap_strdup(const char *s)
{
	return C_FAILS ? NULL : __real_strdup(s);
}

char *__wrap_strndup(const char *s, size_t n)
{
	return C_FAILS ? NULL : __real_strndup(s, n);
}

char *__wrap_realpath(const char *path, char *resolved)
{
	return C_FAILS ? NULL : __real_realpath(path, resolved);
}

FILE *__wrap_fopen(const char *path, const char *mode)
{
	return C_FAILS ? NULL : __real_fopen(path, mode);
}

FILE *__wrap_fdopen(int fd, const char *mode)
{
	return C_FAILS ? NULL : __real_fdopen(fd, mode);
}

DIR *__wrap_opendir(const char *path)
{
	return C_FAILS ? NULL : __real_opendir(path);
}

DIR *__wrap_fdopendir(int fd)
{
	return C_FAILS ? NULL : __real_fdopendir(fd);
}

/* what getline(3) becomes when it is compiled */
ssize_t __wrap___getdelim(char **line, size_t *size, int end, FILE *f)
{
	return C_FAILS ? -1 : __real___getdelim(line, size, end, f);
}

int __wrap_vasprintf(char **out, const char *format, va_list ap)
{
	return C_FAILS ? -1 : __real_vasprintf(out, format, ap);
}

int __wrap_asprintf(char **out, const char *format, ...)
{
	va_list ap;
	int rc;

	va_start(ap, format);
	rc = __wrap_vasprintf(out, format, ap);
	va_end(ap);
	return rc;
}

/* Lua collects all garbage and asks again, so that one failure alone would never be seen. */
static void *lua_allocate(void *context, void *p, size_t old, size_t size)
{
	(void)context;
	if (size == 0) {
		free(p);
		return NULL;
	}
	if (p && size <= old) { /* Lua counts on this */
		void *smaller = __real_realloc(p, size);

		return smaller ? smaller : p;
	}
	return fails(lua_supply) ? NULL : __real_realloc(p, size);
}

/* ---- what must be as it was ---- */

struct snapshot {
	size_t length;
	char text[32768];
};

__attribute__((format(printf, 2, 3))) static void add(struct snapshot *s, const char *format, ...)
{
	va_list ap;
	int n;

	va_start(ap, format);
	n = vsnprintf(s->text + s->length, sizeof s->text - s->length, format, ap);
	va_end(ap);
	s->length += n > 0 ? (size_t)n : 0;
	if (s->length >= sizeof s->text)
		s->length = sizeof s->text - 1;
}

static void add_links(struct snapshot *s, const char *directory)
{
	DIR *d = opendir(directory);
	struct dirent *e;
	char path[512], target[512];

	while (d && (e = readdir(d))) {
		ssize_t n;

		snprintf(path, sizeof path, "%s/%s", directory, e->d_name);
		n = readlink(path, target, sizeof target - 1);
		if (n < 0 || atoi(e->d_name) == dirfd(d))
			continue;
		target[n] = 0;
		add(s, "%s -> %s\n", path, target);
	}
	if (d)
		closedir(d);
}

static void add_file(struct snapshot *s, const char *path)
{
	char line[1024];
	FILE *f = fopen(path, "re");

	while (f && fgets(line, sizeof line, f))
		add(s, "%s: %s", path, line);
	if (f)
		fclose(f);
}

static void add_paths(struct snapshot *s, const char *pattern)
{
	glob_t found = { 0 };

	glob(pattern, 0, NULL, &found);
	for (size_t i = 0; i < found.gl_pathc; i++)
		add(s, "%s\n", found.gl_pathv[i]);
	globfree(&found);
}

static void take_snapshot(struct snapshot *s)
{
	s->length = 0;
	s->text[0] = 0;
	add_links(s, "/proc/self/fd");
	add_links(s, "/proc/self/ns");
	add_file(s, "/proc/thread-self/children");
	add_file(s, "/proc/self/mountinfo");
	add_file(s, "/proc/sys/net/ipv4/ip_forward");
	add_file(s, "/proc/sys/net/ipv6/conf/all/forwarding");
	add_paths(s, "/sys/class/net/*");
	add_paths(s, "/run/*");
	add_paths(s, "/sys/fs/cgroup/luabox-*");
	add_paths(s, "/sys/fs/cgroup/*/luabox-*");
}

/* Prints the first line that differs; true if none does. What the kernel frees by and by gets its time. */
static int is_unchanged(const struct snapshot *before)
{
	static struct snapshot after;
	const char *a = before->text, *b = after.text;
	size_t i = 0;

	for (int tries = 0; tries < 3000; tries++) {
		take_snapshot(&after);
		if (!strcmp(a, b))
			return 1;
		usleep(10000);
	}
	while (a[i] == b[i])
		i++;
	while (i > 0 && a[i - 1] != '\n')
		i--;
	printf("# before: %.*s\n# after:  %.*s\n", (int)strcspn(a + i, "\n"), a + i,
	       (int)strcspn(b + i, "\n"), b + i);
	return 0;
}

/* ---- the sweep ---- */

static const luaL_Reg sys_modules[] = {
#define ROW(name) { "luabox.sys." #name, luaopen_luabox_sys_##name },
	BOX_MODULES(ROW)
#undef ROW
		{ NULL, NULL }
};

/* A state with the list of scenarios at 1. */
static lua_State *new_state(void)
{
	lua_State *L = lua_newstate(lua_allocate, NULL);

	luaL_openlibs(L);
	luaL_getsubtable(L, LUA_REGISTRYINDEX, LUA_PRELOAD_TABLE);
	luaL_setfuncs(L, sys_modules, 0);
	lua_settop(L, 0);
	if (luaL_dofile(L, SCENARIOS)) {
		printf("Bail out! %s\n", lua_tostring(L, -1));
		exit(1);
	}
	return L;
}

/* Calls a function of a scenario, if it has it. */
static int run(lua_State *L, int scenario, const char *function)
{
	int status = LUA_OK;

	lua_settop(L, 1);
	lua_geti(L, 1, scenario);
	if (lua_getfield(L, 2, function) == LUA_TFUNCTION)
		status = lua_pcall(L, 0, 0, 0);
	return status;
}

static void print_error(lua_State *L, const char *what)
{
	const char *text = luaL_tolstring(L, -1, NULL);

	printf("# %s: %.*s\n", what, (int)strcspn(text, "\n"), text);
}

enum sweep { LUA_ONWARDS, C_ONCE, C_ONWARDS };

static const char *const sweep_names[] = { "Lua has no more memory", "one allocation in C fails",
					   "C has no more memory" };

/* Runs the body with the n-th allocation failing. True if there was no n-th. */
static int run_failing(lua_State *L, int scenario, enum sweep sweep, long n, int *status)
{
	struct supply *s = sweep == LUA_ONWARDS ? lua_supply : c_supply;

	set_supply(s, n, sweep != C_ONCE);
	*status = run(L, scenario, "body");
	s->fails_at = 0;
	return !s->failed;
}

/* One allocation of one scenario. 0: go on; 1: nothing failed, the sweep is over; -1: a failure. */
static int step(int scenario, enum sweep sweep, long n)
{
	static struct snapshot before;
	lua_State *L;
	int status, done, clean;

	take_snapshot(&before);
	L = new_state();
	if (run(L, scenario, "setup") != LUA_OK)
		print_error(L, "setup");
	done = run_failing(L, scenario, sweep, n, &status);
	if (done && status != LUA_OK)
		print_error(L, "nothing failed, and yet");
	if (run(L, scenario, "cleanup") != LUA_OK)
		print_error(L, "cleanup");
	lua_gc(L, LUA_GCCOLLECT);
	lua_gc(L, LUA_GCCOLLECT);
	clean = is_unchanged(&before);
	if (run(L, scenario, "setup") != LUA_OK || run(L, scenario, "body") != LUA_OK) {
		print_error(L, "with memory again");
		clean = 0;
	}
	run(L, scenario, "cleanup");
	lua_close(L);
	if (!is_unchanged(&before) || !clean || (done && status != LUA_OK))
		return -1;
	return done;
}

/* Each stride-th allocation fails, from the first to the end. */
static void sweep_scenario(int scenario, const char *name, enum sweep sweep, long stride)
{
	long n = 1;
	int result;

	while ((result = step(scenario, sweep, n)) == 0 && n < MOST_ALLOCATIONS)
		n += stride;
	ok(result == 1, "%s: %s, %s of %ld", name, sweep_names[sweep], stride == 1 ? "at each" : "at some",
	   n);
	if (result < 0)
		printf("# failed at allocation %ld\n", n);
}

/* A sanitizer's fork takes so many times as long. */
#ifdef __SANITIZE_ADDRESS__
#define SLOWNESS 5
#else
#define SLOWNESS 1
#endif

/* Where there are too many allocations, in Lua or in C, the scenario has strides, which the soak does
 * without. */
static long stride_of(lua_State *L, int scenario, enum sweep sweep)
{
	const char *field = sweep == LUA_ONWARDS ? "lua_stride" : "c_stride";
	long stride = 1;

	lua_geti(L, 1, scenario);
	if (!getenv("LUABOX_SOAK") && lua_getfield(L, -1, field) != LUA_TNIL)
		stride = SLOWNESS * (long)luaL_checkinteger(L, -1);
	lua_settop(L, 1);
	return stride;
}

/* What the kernel does not have fails with memory, too. */
static int is_lacking(int scenario)
{
	lua_State *L = new_state();
	int lacks = 0;

	if (run(L, scenario, "setup") != LUA_OK || run(L, scenario, "body") != LUA_OK) {
		lacks = lua_getfield(L, -1, "code") == LUA_TSTRING && !strcmp(lua_tostring(L, -1), "ENOSYS");
		lua_pop(L, 1);
		if (lacks)
			skip(luaL_tolstring(L, -1, NULL));
	}
	run(L, scenario, "cleanup");
	lua_close(L);
	return lacks;
}

static void make_supplies(void)
{
	struct supply *both =
		mmap(NULL, 2 * sizeof *both, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (both == MAP_FAILED) {
		printf("Bail out! mmap: %s\n", strerror(errno));
		exit(1);
	}
	lua_supply = both;
	c_supply = both + 1;
}

int main(int argc, char **argv)
{
	lua_State *L;
	int count;

	make_supplies();
	L = new_state();
	count = (int)luaL_len(L, 1);

	for (int i = 1; i <= count; i++) {
		const char *name;

		lua_settop(L, 1);
		lua_geti(L, 1, i);
		lua_getfield(L, -1, "name");
		name = lua_tostring(L, -1);
		if ((argc > 1 && !strstr(name, argv[1])) || is_lacking(i))
			continue;
		for (int sweep = LUA_ONWARDS; sweep <= C_ONWARDS; sweep++)
			sweep_scenario(i, name, (enum sweep)sweep, stride_of(L, i, (enum sweep)sweep));
	}
	lua_close(L);
	return done_testing();
}
