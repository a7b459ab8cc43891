/* SPDX-License-Identifier: MIT
 * The beginning of a program, which is an untrusted root's: "#!" or an ELF header.
 */
#include "fuzz.h"

#include <string.h>
#include <unistd.h>

#include "kernel/exec.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	int fd = fuzz_file(data + (size > 0), size - (size > 0));
	size_t room = size ? 1 + data[0] : 256;
	char *buf = malloc(room);
	ssize_t n = proc_interpreter(fd, buf, room);

	fuzz_require(n < 0 || ((size_t)n < room && strlen(buf) == (size_t)n));
	free(buf);
	close(fd);
	return 0;
}
