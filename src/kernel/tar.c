/* SPDX-License-Identifier: MIT */
#include "kernel/tar.h"

#include <errno.h>
#include <locale.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "kernel/tar_parts.h"
#include "kernel/util.h"

#define PART (8 << 20) /* of a file, in one step */

/* ---- faults ---- */

void tar_skip(struct tar *t, enum tar_skip what, int error)
{
	struct tar_skipped *s = &t->counts.skipped[what];

	if (s->count++)
		return;
	s->error = error;
	snprintf(s->path, sizeof s->path, "%.255s", t->path);
}

int tar_failed(struct tar *t, int error, const char *op, struct fault *f)
{
	fault_set(f, error, op, "%s of %s", *t->path ? t->path : "the root", t->name);
	if (error == ENOSPC)
		fault_hint(f, "there is no room for what %s holds", t->name);
	return -error;
}

int tar_refuse(const char *path, struct fault *f, const char *sentence)
{
	fault_set(f, EXDEV, "unpack", "%s", path);
	fault_detail(f, sentence);
	return fault_hint(f, "no entry may leave the root");
}

static int damaged(struct tar *t, const char *sentence, struct fault *f)
{
	fault_set(f, EBADMSG, "unpack", "%s", t->name);
	fault_detail(f, sentence ? sentence : "it is damaged or cut short");
	return fault_hint(f, "expected is a whole tar, as it is or compressed by gzip, bzip2, xz or zstd");
}

/* What libarchive says; its own numbers are no errors of the system. */
static int broken(struct tar *t, struct fault *f)
{
	if (t->read_error)
		return fault_set(f, t->read_error, "read", "%s", t->name);
	if (t->lib->archive_errno(t->archive) == ENOMEM)
		return fault_set(f, ENOMEM, "unpack", "%s", t->name);
	return damaged(t, t->lib->archive_error_string(t->archive), f);
}

/* ---- begin and end ---- */

static la_ssize_t read_block(struct archive *a, void *data, const void **block)
{
	struct tar *t = data;
	ssize_t n = read(t->fd, t->block, sizeof t->block);

	(void)a;
	*block = t->block;
	t->read_error = n < 0 ? errno : 0;
	return n;
}

static int support(struct tar *t, struct fault *f)
{
	const struct archive_functions *lib = t->lib;
	struct archive *a = t->archive;

	if (lib->archive_read_support_format_tar(a) == ARCHIVE_OK &&
	    lib->archive_read_support_filter_bzip2(a) == ARCHIVE_OK &&
	    lib->archive_read_support_filter_gzip(a) == ARCHIVE_OK &&
	    lib->archive_read_support_filter_xz(a) == ARCHIVE_OK &&
	    lib->archive_read_support_filter_zstd(a) == ARCHIVE_OK)
		return 0;
	/* ARCHIVE_WARN: it would run a program for it. */
	fault_set(f, ELIBACC, "unpack", "%s", t->name);
	return fault_hint(
		f, "this libarchive is built without gzip, bzip2, xz or zstd; Debian's libarchive13 has all");
}

/* Only its owner goes in before all is done: a setuid program, say, may not have its owner yet. */
static int shut_root(struct tar *t, struct fault *f)
{
	struct stat st;

	if (fstat(t->root, &st) < 0)
		return tar_failed(t, errno, "stat", f);
	t->root_mode = st.st_mode & 07777;
	t->is_root_shut = fchmod(t->root, 0700) == 0;
	return 0;
}

static int begin(struct tar *t, struct fault *f)
{
	int rc;

	t->lib = archive_load(f);
	if (!t->lib)
		return -ELIBACC;
	t->archive = t->lib->archive_read_new();
	if (!t->archive)
		return fault_set(f, ENOMEM, "unpack", "%s", t->name);
	rc = support(t, f);
	if (rc < 0)
		return rc;
	/* To the end of the file, where what is compressed shows that it is whole. */
	t->lib->archive_read_set_options(t->archive, "read_concatenated_archives");
	if (t->lib->archive_read_open(t->archive, t, NULL, read_block, NULL) != ARCHIVE_OK)
		return broken(t, f);
	return shut_root(t, f);
}

/* Names are bytes: in another locale libarchive would convert them. */
static locale_t plain_locale(void)
{
	static locale_t plain;

	if (!plain)
		plain = newlocale(LC_ALL_MASK, "C", NULL);
	return plain ? uselocale(plain) : NULL;
}

int tar_open(struct tar *t, int fd, const char *name, int root, const struct tar_options *options,
	     struct fault *f)
{
	locale_t before;
	int rc;

	memset(t, 0, offsetof(struct tar, block));
	t->name = name;
	t->fd = fd;
	t->root = root;
	t->options = *options;
	t->parent.fd = t->file = -1;
	before = plain_locale();
	rc = begin(t, f);
	uselocale(before);
	if (rc < 0)
		tar_close(t);
	return rc;
}

void tar_close(struct tar *t)
{
	if (!t->archive)
		return;
	t->lib->archive_read_free(t->archive);
	t->archive = NULL;
	util_close(t->file);
	util_close(t->parent.fd);
	if (t->is_root_shut)
		fchmod(t->root, t->root_mode);
}

/* ---- the root ---- */

static int note_root(struct tar *t, struct archive_entry *e, struct fault *f)
{
	int rc;

	if (t->lib->archive_entry_filetype(e) != S_IFDIR)
		return tar_refuse(".", f, "the root is not a directory");
	rc = tar_read_meta(t, e, &t->root_meta, f);
	t->has_root = rc == 0;
	return rc < 0 ? rc : tar_set_attributes(t, t->root, e, f);
}

/* Without an entry of its own it has the mode that it had. */
static int finish(struct tar *t, struct fault *f)
{
	int rc = tar_leave(t, f);

	*t->path = '\0';
	if (rc < 0)
		return rc;
	if (!t->has_root) {
		tar_default_meta(t, &t->root_meta);
		t->root_meta.mode = t->root_mode;
	}
	rc = t->is_root_shut ? tar_set_owner(t, t->root, "", &t->root_meta, f) : 0;
	if (rc < 0)
		return rc;
	if (t->is_root_shut)
		rc = tar_set_mode_and_time(t, t->root, &t->root_meta, f);
	t->is_root_shut = 0;
	return rc;
}

/* ---- entries ---- */

static int is_hash(const char *name)
{
	return strspn(name, "0123456789abcdef") == 64;
}

/* What `docker save` and its like write. */
static int is_of_image(const char *path)
{
	static const char blobs[] = "blobs/sha256/";

	if (!strcmp(path, "oci-layout"))
		return 1;
	if (!strncmp(path, blobs, strlen(blobs)))
		return is_hash(path + strlen(blobs));
	return is_hash(path) && !strcmp(path + 64, "/layer.tar");
}

static int refuse_image(struct tar *t, struct fault *f)
{
	fault_set(f, EINVAL, "unpack", "%s", t->name);
	fault_detail(f, "it is an image in layers (`docker save`, an OCI layout), not one tree of files");
	return fault_hint(f, "export a container of it: docker export $(docker create IMAGE) >root.tar");
}

static int make_entry(struct tar *t, struct archive_entry *e, struct fault *f)
{
	const char *path = t->lib->archive_entry_pathname(e);
	int rc;

	if (!path)
		return broken(t, f);
	rc = tar_clean_path(path, t->path, f);
	if (rc < 0)
		return rc;
	if (is_of_image(t->path))
		return refuse_image(t, f);
	t->counts.entries++;
	return *t->path ? tar_make(t, e, f) : note_root(t, e, f);
}

static int next_entry(struct tar *t, struct fault *f)
{
	struct archive_entry *e;
	int rc = t->lib->archive_read_next_header(t->archive, &e);

	if (rc == ARCHIVE_EOF) {
		/* The blocks of zeros at its end were read, or there were none. */
		if (t->lib->archive_filter_bytes(t->archive, 0) ==
		    t->lib->archive_read_header_position(t->archive))
			return damaged(t, "it ends without a tar's end: it was cut short", f);
		return finish(t, f);
	}
	if (rc != ARCHIVE_OK && rc != ARCHIVE_WARN) /* a name that is no UTF-8, for example */
		return broken(t, f);
	rc = make_entry(t, e, f);
	return rc < 0 ? rc : 1;
}

static int write_at(struct tar *t, const char *data, size_t size, int64_t offset, struct fault *f)
{
	while (size) {
		ssize_t n = retry_eintr(pwrite(t->file, data, size, offset));

		if (n < 0)
			return tar_failed(t, errno, "write", f);
		data += n;
		size -= (size_t)n;
		offset += n;
	}
	t->file_end = offset;
	return 0;
}

static int count_bytes(struct tar *t, size_t size, struct fault *f)
{
	t->counts.bytes += size;
	if (!t->options.max_size || t->counts.bytes <= (uint64_t)t->options.max_size)
		return 0;
	fault_set(f, EFBIG, "unpack", "%s", t->name);
	return fault_hint(f, "its files are larger than max_size, %lld bytes",
			  (long long)t->options.max_size);
}

static int fill_file(struct tar *t, struct fault *f)
{
	size_t done = 0;

	while (done < PART) {
		const void *data;
		la_int64_t offset;
		size_t size;
		int rc = t->lib->archive_read_data_block(t->archive, &data, &size, &offset);

		if (rc == ARCHIVE_EOF)
			rc = tar_finish_file(t, f);
		else if (rc != ARCHIVE_OK)
			return broken(t, f);
		else
			rc = count_bytes(t, size, f);
		if (rc < 0 || t->file < 0)
			return rc < 0 ? rc : 1;
		rc = write_at(t, data, size, offset, f);
		if (rc < 0)
			return rc;
		done += size;
	}
	return 1;
}

int tar_step(struct tar *t, struct fault *f)
{
	locale_t before = plain_locale();
	int rc = t->file >= 0 ? fill_file(t, f) : next_entry(t, f);

	uselocale(before);
	return rc;
}
