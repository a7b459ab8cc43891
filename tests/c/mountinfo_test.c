/* Lines of mountinfo as kernels have written them, whole and in pieces. */
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "kernel/mountinfo.h"
#include "tap.h"

static int parse(const char *text, struct mnt_info *m)
{
	static char line[1024];

	snprintf(line, sizeof line, "%s", text);
	return mnt_parse_line(line, m);
}

static void test_line(void)
{
	struct mnt_info m;

	is_integer(
		parse("36 35 98:0 /mnt1 /mnt2 rw,noatime master:1 - ext3 /dev/root rw,errors=continue", &m),
		0, "the line of proc(5)");
	is_integer(m.id, 36, "id");
	is_integer(m.parent, 35, "parent");
	is_integer(m.major, 98, "major");
	is_integer(m.minor, 0, "minor");
	is_string(m.root, "/mnt1", "root");
	is_string(m.target, "/mnt2", "target");
	is_string(m.flags, "rw,noatime", "flags");
	is_integer(m.master, 1, "master");
	is_integer(m.shared, 0, "not shared");
	is_string(m.type, "ext3", "type");
	is_string(m.source, "/dev/root", "source");
	is_string(m.options, "rw,errors=continue", "options");
}

static void test_tags(void)
{
	struct mnt_info m;

	parse("1 0 0:1 / / rw - rootfs rootfs rw", &m);
	ok(!m.shared && !m.master && !m.propagate_from && !m.unbindable, "no tag");
	parse("1 0 0:1 / / rw shared:2 master:3 propagate_from:4 new:5 unbindable - tmpfs t rw", &m);
	is_integer(m.shared, 2, "shared");
	is_integer(m.master, 3, "master");
	is_integer(m.propagate_from, 4, "propagate_from");
	is_integer(m.unbindable, 1, "unbindable");
}

static void test_escapes(void)
{
	struct mnt_info m;

	parse("1 0 0:1 /a\\040b /\\011\\012\\134x rw - fuse.x src\\040y rw", &m);
	is_string(m.root, "/a b", "a space");
	is_string(m.target, "/\t\n\\x", "a tab, a newline, a backslash");
	is_string(m.source, "src y", "in the source");
	parse("1 0 0:1 / /x\\04 rw - t \\043s rw", &m);
	is_string(m.target, "/x\\04", "no escape is left as it is");
	is_string(m.source, "#s", "the first letter");
	parse("1 0 0:1 / /x rw - tmpfs  rw", &m);
	is_string(m.source, "", "an empty source");
}

static void test_refused(void)
{
	static const char *const lines[] = { "",
					     "1",
					     "x 0 0:1 / / rw - t s rw",
					     "1 0 01 / / rw - t s rw",
					     "1 0 0:x / / rw - t s rw",
					     "1 0 0:1 / / rw t s rw",
					     "1 0 0:1 / / rw - t s" };
	struct mnt_info m;

	for (size_t i = 0; i < sizeof lines / sizeof *lines; i++)
		is_integer(parse(lines[i], &m), -EINVAL, "refuses '%s'", lines[i]);
}

/* A pipe that holds the text. */
static int pipe_of(const char *text)
{
	int ends[2];

	if (pipe(ends) < 0 || write(ends[1], text, strlen(text)) < 0)
		abort();
	close(ends[1]);
	return ends[0];
}

static int count_lines(const char *text, size_t size, int *last)
{
	int fd = pipe_of(text), n = 0;
	struct mnt_table t;
	struct mnt_info m;
	char buf[256];

	mnt_table_init(&t, fd, buf, size);
	while ((*last = mnt_table_next(&t, &m)) > 0)
		n++;
	close(fd);
	return n;
}

static void test_table(void)
{
	const char *text = "1 0 0:1 / / rw - t s rw\n2 1 0:2 / /a rw - t s rw\n3 1 0:2 / /b rw - t s rw\n";
	int last;

	for (size_t size = 26; size <= 256; size += 23) {
		is_integer(count_lines(text, size, &last), 3, "three lines through %zu bytes", size);
		is_integer(last, 0, "then the end");
	}
	is_integer(count_lines(text, 20, &last), 0, "no line through 20 bytes");
	is_integer(last, -ENOBUFS, "a line longer than the buffer");
	is_integer(count_lines("1 0 0:1 / / rw - t s rw", 256, &last), 0, "a line without its end");
	is_integer(last, -EINVAL, "is an error");
	is_integer(count_lines("", 256, &last), 0, "an empty table");
	is_integer(last, 0, "is none");
}

int main(void)
{
	test_line();
	test_tags();
	test_escapes();
	test_refused();
	test_table();
	return done_testing();
}
