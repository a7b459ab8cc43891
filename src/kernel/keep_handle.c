/* SPDX-License-Identifier: MIT
 * What the run's messages do to the keeper's list.
 */
#include <string.h>

#include "kernel/keep_message.h"
#include "kernel/util.h"

/* Calls 'each' for the lines of a message, which it ends with zeroes. */
static int each_line(struct keep_message *m, size_t length,
		     int (*each)(struct keep_list *l, uint32_t id, const char *line, int fd),
		     struct keep_list *l, int fd)
{
	char *line = m->lines, *end = m->lines + length;

	for (uint32_t i = 0; i < m->count; i++) {
		char *stop = memchr(line, '\n', (size_t)(end - line));
		int rc;

		if (!stop)
			return -EINVAL;
		*stop = '\0';
		rc = each(l, m->first + i, line, i ? -1 : fd);
		*stop = '\n';
		if (rc < 0)
			return rc;
		line = stop + 1;
	}
	return 0;
}

static int check_line(struct keep_list *l, uint32_t id, const char *line, int fd)
{
	(void)l;
	(void)id;
	(void)fd;
	return keep_check(line);
}

static int add_line(struct keep_list *l, uint32_t id, const char *line, int fd)
{
	return keep_list_add(l, id, line, strlen(line), fd);
}

static void drop(struct keep_list *l, const struct keep_message *m)
{
	for (uint32_t i = 0; i < m->count; i++) {
		struct keep_slot *s = keep_list_find(l, m->first + i);

		if (s)
			keep_list_drop(l, s);
	}
}

/* What no run sends: numbers that are not its own to give. */
static int is_sound(const struct keep_message *m)
{
	return m->first && m->count <= KEEP_LINES && m->count <= UINT32_MAX - m->first;
}

int keep_handle(struct keep_list *l, struct keep_message *m, size_t length, int fd)
{
	int rc;

	if (!is_sound(m)) {
		util_close(fd);
		return -EINVAL;
	}
	if (m->kind == '-') {
		util_close(fd);
		drop(l, m);
		return 0;
	}
	rc = each_line(m, length, check_line, l, -1);
	rc = rc < 0 ? rc : each_line(m, length, add_line, l, fd);
	if (rc < 0) {
		if (!keep_list_find(l, m->first))
			util_close(fd);
		drop(l, m);
	}
	return rc;
}
