/* SPDX-License-Identifier: MIT
 * An archive, which may be anybody's: unpacked with no, some or all owners mapped, it changes nothing
 * outside.
 */
#include "fuzz.h"

#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "kernel/tar.h"
#include "kernel/util.h"

#define PLACE "/tmp/fuzz-tar"
#define ROOT PLACE "/root"
#define CANARY PLACE "/canary"

#define BLOCK 512
#define SUM_AT 148
#define SUM_SIZE 8
#define MAGIC_AT 257

static struct tar tar;

/* Mutated headers would all be refused for their sums. */
static void mend_sum(uint8_t *block)
{
	unsigned sum = 0;

	if (memcmp(block + MAGIC_AT, "ustar", 5) != 0)
		return;
	memset(block + SUM_AT, ' ', SUM_SIZE);
	for (size_t i = 0; i < BLOCK; i++)
		sum += block[i];
	snprintf((char *)block + SUM_AT, SUM_SIZE, "%06o", sum);
}

static int archive(const uint8_t *data, size_t size)
{
	uint8_t *copy = malloc(size + 1);
	int fd;

	memcpy(copy, data, size);
	for (size_t at = 0; at + BLOCK <= size; at += BLOCK)
		mend_sum(copy + at);
	fd = fuzz_file(copy, size);
	free(copy);
	return fd;
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st, (void)type, (void)ftw;
	return remove(path);
}

static void make_place(void)
{
	int fd;

	mkdir(PLACE, 0700);
	fd = open(CANARY, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	fuzz_require(fd >= 0 && write(fd, "good", 4) == 4);
	close(fd);
}

static int is_known(int dir, const char *name, unsigned char type, void *data)
{
	(void)dir, (void)type, (void)data;
	return strcmp(name, ".") != 0 && strcmp(name, "..") != 0 && strcmp(name, "canary") != 0 &&
	       strcmp(name, "root") != 0;
}

static void look_outside(void)
{
	int fd = open(PLACE, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct stat st;

	fuzz_require(util_each_entry(fd, is_known, NULL) == 0);
	close(fd);
	fuzz_require(stat(CANARY, &st) == 0 && st.st_size == 4 && st.st_nlink == 1 && st.st_uid == 0 &&
		     (st.st_mode & 07777) == 0600);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct idmap_range ranges[] = { { 0, 100000, 1000 }, { 1000, 5, 1 } };
	struct tar_options o = { .max_size = 1 << 20 };
	struct fault f;
	int fd, root, rc;

	if (size < 1)
		return 0;
	o.owners = data[0] & 1;
	o.uid.ranges = o.gid.ranges = ranges;
	o.uid.count = o.gid.count = data[0] & 2 ? 2 : 0;
	make_place();
	fuzz_require(mkdir(ROOT, 0700) == 0);
	root = open(ROOT, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	fd = archive(data + 1, size - 1);
	rc = tar_open(&tar, fd, "archive", root, &o, &f) < 0 ? -1 : 1;
	while (rc > 0)
		rc = tar_step(&tar, &f);
	fuzz_require(rc == 0 || f.error > 0);
	tar_close(&tar);
	close(fd);
	close(root);
	look_outside();
	fuzz_require(nftw(ROOT, remove_one, 16, FTW_DEPTH | FTW_PHYS) == 0);
	return 0;
}
