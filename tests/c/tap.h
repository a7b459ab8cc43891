/* SPDX-License-Identifier: MIT
 * A test that counts: TAP on stdout, one line a check, the plan at the end.
 *
 *	ok(fd >= 0, "opens %s", path);
 *	is_string(f.op, "mount", "the operation");
 *	return done_testing();
 */
#ifndef LUABOX_TAP_H
#define LUABOX_TAP_H

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static int tap_count, tap_failed;

__attribute__((format(printf, 4, 5))) static inline int tap_ok(int passed, const char *file, int line,
							       const char *name, ...)
{
	va_list ap;

	tap_failed += !passed;
	printf("%sok %d - ", passed ? "" : "not ", ++tap_count);
	va_start(ap, name);
	vprintf(name, ap);
	va_end(ap);
	printf("\n");
	if (!passed)
		printf("# at %s:%d\n", file, line);
	fflush(stdout);
	return passed;
}

/* A check with a name; true if it passed. */
#define ok(condition, ...) tap_ok(!!(condition), __FILE__, __LINE__, __VA_ARGS__)

#define is_integer(got, expected, ...)                                                                       \
	({                                                                                                   \
		long long got_ = (got), expected_ = (expected);                                              \
		int passed_ = ok(got_ == expected_, __VA_ARGS__);                                            \
		if (!passed_)                                                                                \
			printf("# got %lld, expected %lld\n", got_, expected_);                              \
		passed_;                                                                                     \
	})

#define is_string(got, expected, ...)                                                                        \
	({                                                                                                   \
		const char *got_ = (got), *expected_ = (expected);                                           \
		int passed_ = ok(got_ && !strcmp(got_, expected_), __VA_ARGS__);                             \
		if (!passed_)                                                                                \
			printf("# got      %s\n# expected %s\n", got_ ? got_ : "(null)", expected_);         \
		passed_;                                                                                     \
	})

/* Counts as passed; tests/run shows the reason. */
__attribute__((unused)) static inline void skip(const char *reason)
{
	printf("ok %d # SKIP %s\n", ++tap_count, reason);
}

/* Prints the plan; the exit status. */
static inline int done_testing(void)
{
	printf("1..%d\n", tap_count);
	return tap_failed > 0;
}

#endif
