/* SPDX-License-Identifier: MIT
 * /proc/PID/mountinfo, whose paths and options others choose. The first byte is the size of the buffer.
 */
#include "fuzz.h"

#include <string.h>
#include <unistd.h>

#include "kernel/mountinfo.h"

static size_t length_of(const char *s)
{
	return s ? strlen(s) : 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	size_t room = size ? 16U * (1U + data[0]) : 16, n = 0;
	int fd = fuzz_file(data + (size > 0), size - (size > 0)), rc;
	char *buf = malloc(room);
	struct mnt_table t;
	struct mnt_info m;

	mnt_table_init(&t, fd, buf, room);
	while ((rc = mnt_table_next(&t, &m)) > 0) {
		n = length_of(m.root) + length_of(m.target) + length_of(m.flags) + length_of(m.type) +
		    length_of(m.source) + length_of(m.options);
		fuzz_require(m.root && m.target && m.flags && m.type && m.source && m.options && n < room);
	}
	free(buf);
	close(fd);
	return 0;
}
