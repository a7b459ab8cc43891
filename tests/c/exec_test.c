/* SPDX-License-Identifier: MIT
 * What a program needs to run, read from its first bytes.
 */
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "kernel/exec.h"
#include "tap.h"

static char found[64];

/* The interpreter of a file with these bytes, in 'found'. */
static int of_bytes(const void *bytes, size_t size)
{
	int fd = open("/tmp", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600), rc;

	if (fd < 0 || write(fd, bytes, size) != (ssize_t)size)
		return -EIO;
	rc = (int)proc_interpreter(fd, found, sizeof found);
	close(fd);
	return rc;
}

static int of_text(const char *text)
{
	return of_bytes(text, strlen(text));
}

static void scripts(void)
{
	is_integer(of_text("#!/bin/sh\n"), 7, "a script");
	is_string(found, "/bin/sh", "its interpreter");
	is_integer(of_text("#! \t/bin/sh -e x\necho"), 7, "blanks and arguments are no part of it");
	is_string(found, "/bin/sh", "its interpreter");
	is_integer(of_text("#!/bin/sh"), 7, "a script without a newline");
	is_integer(of_text("#!\n"), -ENOEXEC, "a script without an interpreter");
	is_integer(of_text("#!"), -ENOEXEC, "nothing after the mark");
	is_integer(of_text("#!/a/path/that/is/longer/than/the/buffer/that/is/there/to/hold/it/in/the/test\n"),
		   -ENOEXEC, "one that does not fit");
	is_integer(of_text("echo hello\n"), -ENOEXEC, "a text");
	is_integer(of_text(""), -ENOEXEC, "an empty file");
}

struct image {
	Elf64_Ehdr header;
	Elf64_Phdr load, interpreter;
	char path[16];
};

static struct image make_image(void)
{
	struct image i = { .header = { .e_phoff = sizeof(Elf64_Ehdr), .e_phnum = 2 },
			   .load = { .p_type = PT_LOAD },
			   .interpreter = { .p_type = PT_INTERP,
					    .p_offset = offsetof(struct image, path),
					    .p_filesz = 10 },
			   .path = "/lib/ld.so" };

	memcpy(i.header.e_ident, ELFMAG, SELFMAG);
	i.header.e_ident[EI_CLASS] = ELFCLASS64;
	return i;
}

static void programs(void)
{
	struct image i = make_image();

	i.interpreter.p_filesz = 11;
	is_integer(of_bytes(&i, sizeof i), 10, "a program with a loader");
	is_string(found, "/lib/ld.so", "its loader");
	i.header.e_phnum = 1;
	is_integer(of_bytes(&i, sizeof i), 0, "a static program");
	i.header.e_phnum = 2;
	is_integer(of_bytes(&i, sizeof i.header), -ENOEXEC, "one that is cut off");
	is_integer(of_bytes(&i, 10), -ENOEXEC, "one that is cut off in its first bytes");
	i.interpreter.p_filesz = 1U << 31;
	is_integer(of_bytes(&i, sizeof i), -ENOEXEC, "a path that is too long");
	i.interpreter.p_filesz = 0;
	is_integer(of_bytes(&i, sizeof i), -ENOEXEC, "a path without bytes");
	i.interpreter.p_filesz = 11;
	i.interpreter.p_offset = UINT64_MAX;
	ok(of_bytes(&i, sizeof i) < 0, "a path beyond the file");
	i.header.e_phoff = UINT64_MAX - 10;
	ok(of_bytes(&i, sizeof i) < 0, "headers beyond the file");
}

int main(void)
{
	scripts();
	programs();
	return done_testing();
}
