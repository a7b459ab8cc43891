/* SPDX-License-Identifier: MIT */
#include "kernel/mountinfo.h"

#include <stdlib.h>
#include <string.h>

#include "kernel/util.h"

static int octal(const char *s)
{
	for (int i = 0; i < 3; i++)
		if (s[i] < '0' || s[i] > '7')
			return -1;
	return (s[0] - '0') * 64 + (s[1] - '0') * 8 + (s[2] - '0');
}

/* "\040" is a space; the kernel escapes space, tab, newline, backslash and '#'. */
static char *decode(char *s)
{
	char *out = s;

	if (!s)
		return NULL;
	for (const char *in = s; *in; out++) {
		int c = *in == '\\' ? octal(in + 1) : -1;

		*out = c > 0 ? (char)c : *in;
		in += c > 0 ? 4 : 1;
	}
	*out = '\0';
	return s;
}

/* Cuts off and returns the next field; null at the end of the line. */
static char *field(char **rest)
{
	return *rest ? strsep(rest, " ") : NULL;
}

static int number(const char *s, int *out)
{
	char *end;

	if (!s)
		return 0;
	*out = (int)strtol(s, &end, 10);
	return end != s && *end == '\0';
}

static int device(const char *s, struct mnt_info *info)
{
	char *end;

	if (!s)
		return 0;
	info->major = (unsigned)strtoul(s, &end, 10);
	if (end == s || *end != ':')
		return 0;
	s = end + 1;
	info->minor = (unsigned)strtoul(s, &end, 10);
	return end != s && *end == '\0';
}

static void tag(const char *word, struct mnt_info *info)
{
	if (!strncmp(word, "shared:", 7))
		info->shared = (unsigned)strtoul(word + 7, NULL, 10);
	else if (!strncmp(word, "master:", 7))
		info->master = (unsigned)strtoul(word + 7, NULL, 10);
	else if (!strncmp(word, "propagate_from:", 15))
		info->propagate_from = (unsigned)strtoul(word + 15, NULL, 10);
	else if (!strcmp(word, "unbindable"))
		info->unbindable = 1;
}

int mnt_parse_line(char *line, struct mnt_info *info)
{
	char *word;

	*info = (struct mnt_info){ 0 };
	if (!number(field(&line), &info->id) || !number(field(&line), &info->parent) ||
	    !device(field(&line), info))
		return -EINVAL;
	info->root = decode(field(&line));
	info->target = decode(field(&line));
	info->flags = field(&line);
	while ((word = field(&line)) && strcmp(word, "-") != 0)
		tag(word, info);
	info->type = field(&line);
	info->source = decode(field(&line));
	info->options = field(&line);
	return info->options ? 0 : -EINVAL;
}

void mnt_table_init(struct mnt_table *t, int fd, char *buf, size_t size)
{
	*t = (struct mnt_table){ .fd = fd, .buf = buf, .size = size };
}

/* Makes room and reads more. Returns read's count or -errno. */
static ssize_t fill(struct mnt_table *t)
{
	ssize_t n;

	memmove(t->buf, t->buf + t->start, t->end - t->start);
	t->end -= t->start;
	t->start = 0;
	if (t->end == t->size)
		return -ENOBUFS;
	n = retry_eintr(read(t->fd, t->buf + t->end, t->size - t->end));
	if (n < 0)
		return -errno;
	t->end += (size_t)n;
	return n;
}

int mnt_table_next(struct mnt_table *t, struct mnt_info *info)
{
	char *line, *newline;
	ssize_t n;

	while (!(newline = memchr(t->buf + t->start, '\n', t->end - t->start))) {
		n = fill(t);
		if (n < 0)
			return (int)n;
		if (n == 0)
			return t->end > t->start ? -EINVAL : 0;
	}
	line = t->buf + t->start;
	*newline = '\0';
	t->start = (size_t)(newline + 1 - t->buf);
	return mnt_parse_line(line, info) < 0 ? -EINVAL : 1;
}
