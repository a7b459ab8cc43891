/* SPDX-License-Identifier: MIT
 * Faults, small files, ownership of descriptors.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "kernel/fault.h"
#include "kernel/util.h"
#include "tap.h"

static void faults(void)
{
	struct fault f;
	char long_text[1024];

	is_integer(fault_set(&f, ENOENT, "open", "/x/%d", 7), -ENOENT, "a fault returns -errno");
	is_integer(f.error, ENOENT, "the errno");
	is_string(f.op, "open", "the operation");
	is_string(f.subject, "/x/7", "the subject is formatted");
	is_string(f.detail, "", "no detail");
	is_string(f.hint, "", "no hint");
	is_integer(fault_hint(&f, "make %s first", "/x"), -ENOENT, "a hint returns it again");
	is_string(f.hint, "make /x first", "the hint");
	memset(long_text, 'a', sizeof long_text - 1);
	long_text[sizeof long_text - 1] = 0;
	fault_set(&f, EPERM, long_text, "%s", long_text);
	is_integer(strlen(f.op), sizeof f.op - 1, "a long operation is cut");
	is_integer(strlen(f.subject), sizeof f.subject - 1, "a long subject is cut");
	is_integer(fault_set(NULL, EPERM, "open", "/x"), -EPERM, "null for nobody who wants to know");
	is_integer(fault_hint(NULL, "be root"), -EPERM, "whose hint returns the error, too");
}

static void files(void)
{
	char buf[8];
	char path[] = "/tmp/fault_test.XXXXXX";
	int fd = mkstemp(path);

	ok(fd >= 0, "makes a file");
	ok(write(fd, "1234567", 7) == 7, "fills it");
	close(fd);
	is_integer(util_read_file(AT_FDCWD, path, buf, sizeof buf), 7, "reads a file that just fits");
	is_string(buf, "1234567", "what was written");
	is_integer(util_read_file(AT_FDCWD, path, buf, sizeof buf - 1), -EFBIG,
		   "refuses one that does not fit");
	is_integer(util_write_file(AT_FDCWD, path, "ab"), 0, "writes");
	is_integer(util_write_file(AT_FDCWD, "/nowhere/x", "ab"), -ENOENT, "does not make what it writes to");
	is_integer(util_read_file(AT_FDCWD, "/nowhere/x", buf, sizeof buf), -ENOENT,
		   "a file that is not there");
	unlink(path);
}

static int is_open(int fd)
{
	return fcntl(fd, F_GETFD) >= 0;
}

static int kept(void)
{
	cleanup_fd int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);

	return take_fd(&fd);
}

static int dropped(void)
{
	cleanup_fd int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	int number = fd;

	return number;
}

static void ownership(void)
{
	int fd = kept();

	ok(is_open(fd), "a descriptor that was taken stays open");
	errno = EIO;
	util_close(fd);
	is_integer(errno, EIO, "closing keeps errno");
	ok(!is_open(fd), "and closes");
	ok(!is_open(dropped()), "one that was not taken is closed at the end of its scope");
}

int main(void)
{
	faults();
	files();
	ownership();
	return done_testing();
}
