/* SPDX-License-Identifier: MIT
 * libarchive, which is loaded when a tar is first read: who unpacks none needs none.
 */
#ifndef LUABOX_ARCHIVE_H
#define LUABOX_ARCHIVE_H

#include <archive.h>
#include <archive_entry.h>

#include "kernel/fault.h"

#define ARCHIVE_FUNCTIONS(X)                                                                                 \
	X(archive_entry_acl_next)                                                                            \
	X(archive_entry_acl_reset)                                                                           \
	X(archive_entry_filetype)                                                                            \
	X(archive_entry_gid)                                                                                 \
	X(archive_entry_hardlink)                                                                            \
	X(archive_entry_mtime)                                                                               \
	X(archive_entry_mtime_is_set)                                                                        \
	X(archive_entry_mtime_nsec)                                                                          \
	X(archive_entry_pathname)                                                                            \
	X(archive_entry_perm)                                                                                \
	X(archive_entry_rdevmajor)                                                                           \
	X(archive_entry_rdevminor)                                                                           \
	X(archive_entry_size)                                                                                \
	X(archive_entry_symlink)                                                                             \
	X(archive_entry_uid)                                                                                 \
	X(archive_entry_xattr_next)                                                                          \
	X(archive_entry_xattr_reset)                                                                         \
	X(archive_errno)                                                                                     \
	X(archive_error_string)                                                                              \
	X(archive_filter_bytes)                                                                              \
	X(archive_read_data_block)                                                                           \
	X(archive_read_free)                                                                                 \
	X(archive_read_header_position)                                                                      \
	X(archive_read_new)                                                                                  \
	X(archive_read_next_header)                                                                          \
	X(archive_read_open)                                                                                 \
	X(archive_read_set_options)                                                                          \
	X(archive_read_support_filter_bzip2)                                                                 \
	X(archive_read_support_filter_gzip)                                                                  \
	X(archive_read_support_filter_xz)                                                                    \
	X(archive_read_support_filter_zstd)                                                                  \
	X(archive_read_support_format_tar)

struct archive_functions {
#define ARCHIVE_DECLARE(name) __typeof__(&name) name;
	ARCHIVE_FUNCTIONS(ARCHIVE_DECLARE)
#undef ARCHIVE_DECLARE
};

/* Null, with a fault, where the library is not there. */
const struct archive_functions *archive_load(struct fault *f);

#endif
