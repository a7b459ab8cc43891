/* SPDX-License-Identifier: MIT */
#include "kernel/exec.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "kernel/util.h"

#define MAX_HEADERS 128

/* pread of exactly 'size' bytes; less of a file is not a program. */
static int read_at(int fd, void *buf, size_t size, uint64_t offset)
{
	ssize_t n = retry_eintr(pread(fd, buf, size, (off_t)offset));

	if (n < 0)
		return -errno;
	return (size_t)n == size ? 0 : -ENOEXEC;
}

static ssize_t read_path(int fd, char *buf, size_t size, uint64_t offset, uint64_t length)
{
	int rc;

	if (length == 0 || length > size)
		return -ENOEXEC;
	rc = read_at(fd, buf, length, offset);
	if (rc < 0)
		return rc;
	buf[length - 1] = '\0';
	return (ssize_t)strlen(buf);
}

/* The two classes of ELF differ only in the layout of the same fields. */
#define ELF_INTERPRETER(bits)                                                                                \
	static ssize_t elf##bits##_interpreter(int fd, char *buf, size_t size)                               \
	{                                                                                                    \
		Elf##bits##_Ehdr e;                                                                          \
		Elf##bits##_Phdr p;                                                                          \
		int rc = read_at(fd, &e, sizeof e, 0);                                                       \
                                                                                                             \
		for (int i = 0; rc == 0 && i < e.e_phnum && i < MAX_HEADERS; i++) {                          \
			rc = read_at(fd, &p, sizeof p, e.e_phoff + (uint64_t)i * sizeof p);                  \
			if (rc == 0 && p.p_type == PT_INTERP)                                                \
				return read_path(fd, buf, size, p.p_offset, p.p_filesz);                     \
		}                                                                                            \
		return rc;                                                                                   \
	}

ELF_INTERPRETER(32)
ELF_INTERPRETER(64)

/* "#! /bin/sh -e" is /bin/sh: blanks around, then at most one argument. */
static ssize_t script_interpreter(int fd, char *buf, size_t size)
{
	char line[256];
	ssize_t n = retry_eintr(pread(fd, line, sizeof line - 1, 2));
	size_t length;
	char *s = line;

	if (n < 0)
		return -errno;
	line[n] = '\0';
	s += strspn(s, " \t");
	length = strcspn(s, " \t\n");
	if (length == 0 || length >= size)
		return -ENOEXEC;
	memcpy(buf, s, length);
	buf[length] = '\0';
	return (ssize_t)length;
}

ssize_t proc_interpreter(int fd, char *buf, size_t size)
{
	unsigned char ident[EI_NIDENT] = { 0 };
	ssize_t n = retry_eintr(pread(fd, ident, sizeof ident, 0));

	buf[0] = '\0';
	if (n < 0)
		return -errno;
	if (ident[0] == '#' && ident[1] == '!')
		return script_interpreter(fd, buf, size);
	if (n < EI_NIDENT || memcmp(ident, ELFMAG, SELFMAG) != 0)
		return -ENOEXEC;
	return ident[EI_CLASS] == ELFCLASS32 ? elf32_interpreter(fd, buf, size)
					     : elf64_interpreter(fd, buf, size);
}

/* The file is there, and yet ENOENT: what it needs is not. */
static int missing_interpreter(const char *path, struct fault *f)
{
	cleanup_fd int fd = retry_eintr(open(path, O_RDONLY | O_CLOEXEC));
	char interpreter[256];

	if (fd < 0 || proc_interpreter(fd, interpreter, sizeof interpreter) <= 0)
		return fault_hint(f, "the file is there, but something that it needs to run is not");
	return fault_hint(f, "the file is there; its interpreter '%s' is missing in this root", interpreter);
}

static int not_found(const char *file, const char *path, struct fault *f)
{
	if (path)
		return fault_hint(f, "not found in PATH '%.300s'", path);
	return fault_hint(f, "there is no such file in the child's %s",
			  file[0] == '/' ? "root" : "working directory");
}

static int not_permitted(const char *path, struct fault *f)
{
	struct statvfs v;
	struct stat st;

	if (stat(path, &st) < 0)
		return fault_hint(f, "a directory on the way may not be searched by this user");
	if (S_ISDIR(st.st_mode))
		return fault_hint(f, "it is a directory");
	if (!S_ISREG(st.st_mode))
		return fault_hint(f, "it is not a regular file");
	if (!(st.st_mode & 0111))
		return fault_hint(f, "it is not executable: its mode is %04o", st.st_mode & 07777);
	if (statvfs(path, &v) == 0 && (v.f_flag & ST_NOEXEC))
		return fault_hint(f, "it is on a mount with 'noexec'");
	return fault_hint(
		f,
		"its mode is %04o and its owner %u:%u, this is user %u; or its interpreter is not executable",
		st.st_mode & 07777, st.st_uid, st.st_gid, geteuid());
}

static const char *machine_name(unsigned machine)
{
	switch (machine) {
	case EM_386:
		return "32-bit x86";
	case EM_X86_64:
		return "x86-64";
	case EM_ARM:
		return "32-bit ARM";
	case EM_AARCH64:
		return "AArch64";
	case EM_RISCV:
		return "RISC-V";
	default:
		return NULL;
	}
}

static int wrong_format(const char *path, struct fault *f)
{
	cleanup_fd int fd = retry_eintr(open(path, O_RDONLY | O_CLOEXEC));
	Elf32_Ehdr e; /* e_machine is at the same place in both classes */

	if (fd < 0 || read_at(fd, &e, sizeof e, 0) < 0 || memcmp(e.e_ident, ELFMAG, SELFMAG) != 0)
		return fault_hint(f, "it is neither a program nor a script with a '#!' line");
	if (machine_name(e.e_machine))
		return fault_hint(f, "it is a program for %s, or damaged", machine_name(e.e_machine));
	return fault_hint(f, "it is a program for another architecture (ELF machine %d), or damaged",
			  e.e_machine);
}

/* Fills 'f' for execve's 'error' on 'path', the file that 'file' was found to be. */
static int explain(const char *file, const char *path, int error, struct fault *f)
{
	fault_set(f, error, "exec", "%s", path);
	if (error == ENOENT && access(path, F_OK) == 0)
		return missing_interpreter(path, f);
	if (error == ENOENT || error == ENOTDIR)
		return not_found(file, NULL, f);
	if (error == EACCES)
		return not_permitted(path, f);
	if (error == ENOEXEC)
		return wrong_format(path, f);
	if (error == E2BIG)
		return fault_hint(f, "arguments and environment together are too long");
	if (error == ETXTBSY)
		return fault_hint(f, "the file is open for writing");
	return -error;
}

static const char *path_of(char *const env[])
{
	for (; *env; env++)
		if (!strncmp(*env, "PATH=", 5))
			return *env + 5;
	return PROC_DEFAULT_PATH;
}

/* Tries the next directory of 'path' and moves on; returns execve's errno. An empty
 * one is the working directory. */
static int try_next(const char **path, char *const argv[], char *const env[], char *buf, size_t size)
{
	size_t dir = strcspn(*path, ":"), file = strlen(argv[0]);
	const char *start = *path;

	*path += dir + ((*path)[dir] == ':');
	if (dir + 1 + file >= size)
		return ENAMETOOLONG;
	memcpy(buf, start, dir);
	if (dir > 0)
		buf[dir++] = '/';
	memcpy(buf + dir, argv[0], file + 1);
	execve(buf, argv, env);
	return errno;
}

/* As a shell: what may not be run is passed over, and named if nothing better comes. */
static int search(char *const argv[], char *const env[], struct fault *f)
{
	const char *path = path_of(env), *rest = path;
	char file[PATH_MAX], denied[PATH_MAX] = "";

	while (*rest) {
		int error = try_next(&rest, argv, env, file, sizeof file);

		if (error == EACCES && access(file, F_OK) == 0)
			memcpy(denied, file, strlen(file) + 1);
		else if (error != EACCES && error != ENOTDIR && error != ENAMETOOLONG &&
			 (error != ENOENT || access(file, F_OK) == 0))
			return explain(argv[0], file, error, f);
	}
	if (denied[0])
		return explain(argv[0], denied, EACCES, f);
	fault_set(f, ENOENT, "exec", "%s", argv[0]);
	return not_found(argv[0], path, f);
}

int proc_exec(char *const argv[], char *const env[], struct fault *f)
{
	if (!strchr(argv[0], '/') && argv[0][0])
		return search(argv, env, f);
	execve(argv[0], argv, env);
	return explain(argv[0], argv[0], errno, f);
}
