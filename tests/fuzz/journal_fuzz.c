/* SPDX-License-Identifier: MIT
 * What `luabox gc` finds in the state directory: a journal, or the file of a sysctl that runs shared. Of the
 * records only those of links and tables are undone, with a kernel that is played: the others would act.
 */
#include "fuzz.h"

#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "kernel/keeper.h"

#define DIRECTORY "/tmp/fuzz-state"

static void undo(const char *line)
{
	static const uint8_t none[1];

	fuzz_answers(none, 0);
	if (!strncmp(line, "link ", 5) || !strncmp(line, "table ", 6))
		keep_undo(-1, line, -1);
	fuzz_answers(NULL, 0);
}

static void read_journal(const uint8_t *data, size_t size)
{
	int fd = fuzz_file(data, size);
	ssize_t n = keep_journal_size(fd);
	char *text = malloc((size_t)n + 1);
	size_t at = 0, offset;
	struct keep_header h;
	const char *line;
	uint32_t id;

	n = keep_journal_load(fd, text, (size_t)n, &h);
	while (n > 0 && (line = keep_journal_next(text, (size_t)n, &at, &id, &offset))) {
		fuzz_require(id && text[offset] == '+');
		keep_check(line);
		undo(line);
	}
	free(text);
	close(fd);
}

/* Nothing is written below /proc/sys meanwhile (see files.c), and what it holds is played, too. */
static void read_claim(const uint8_t *data, size_t size)
{
	static int dir = -1;
	const uint8_t *played = memchr(data, '\0', size);
	char name[NAME_MAX + 1];
	struct fault f;
	int fd;

	if (dir < 0) {
		mkdir(DIRECTORY, 0700);
		dir = open(DIRECTORY, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	}
	if (!played || keep_sysctl_file("net.ipv4.ip_forward", name) < 0)
		return;
	fd = openat(dir, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	fuzz_require(fd >= 0 && write(fd, data, (size_t)(played - data)) == played - data);
	close(fd);
	fuzz_files(played + 1, (size_t)(data + size - played - 1));
	if (keep_sysctl_claim(dir, "net.ipv4.ip_forward", "1", &fd, name, &f) == 0 && fd >= 0) {
		keep_unlock_dir(dir);
		close(fd);
	}
	fuzz_require(!fuzz_wrote_outside());
	fuzz_files(NULL, 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size < 1)
		return 0;
	if (data[0] % 2)
		read_claim(data + 1, size - 1);
	else
		read_journal(data + 1, size - 1);
	return 0;
}
