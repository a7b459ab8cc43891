/* SPDX-License-Identifier: MIT */
#include "kernel/calls.h"

#include <errno.h>
#include <sys/syscall.h>
#include <unistd.h>

#define NONE (-1)  /* a descriptor that is none */
#define BAD ~0U    /* flags, or a command, that no kernel knows */
#define NOWHERE 0L /* a null pointer */

/* Each is refused before it does anything. Where the kernel asks for a privilege first, EPERM says nothing of
 * a filter. */
static const struct {
	const char *name;
	long number;
	long arguments[5];
	int privileged;
} calls[] = {
	{ "clone3", SYS_clone3, { NOWHERE, 0 } },
	{ "close_range", SYS_close_range, { 1, 0, 0 } }, /* first behind last */
	{ "fsconfig", SYS_fsconfig, { NONE, BAD, NOWHERE, NOWHERE, 0 } },
	{ "fsmount", SYS_fsmount, { NONE, BAD, BAD }, 1 },
	{ "fsopen", SYS_fsopen, { NOWHERE, BAD }, 1 },
	{ "keyctl", SYS_keyctl, { BAD } },
	{ "memfd_create", SYS_memfd_create, { NOWHERE, BAD } },
	{ "mount_setattr", SYS_mount_setattr, { NONE, NOWHERE, BAD, NOWHERE, 0 }, 1 },
	{ "move_mount", SYS_move_mount, { NONE, NOWHERE, NONE, NOWHERE, BAD }, 1 },
	{ "open_tree", SYS_open_tree, { NONE, NOWHERE, BAD }, 1 },
	{ "openat2", SYS_openat2, { NONE, NOWHERE, NOWHERE, 0 } },
	{ "pidfd_open", SYS_pidfd_open, { NONE, 0 } },
	{ "pidfd_send_signal", SYS_pidfd_send_signal, { NONE, 0, NOWHERE, BAD } },
	{ "seccomp", SYS_seccomp, { BAD, 0, NOWHERE } },
};

#define COUNT (sizeof calls / sizeof *calls)

const char *calls_name(size_t index)
{
	return index < COUNT ? calls[index].name : NULL;
}

int calls_try(size_t index)
{
	const long *a = calls[index].arguments;

	if (syscall(calls[index].number, a[0], a[1], a[2], a[3], a[4]) >= 0)
		return 0;
	if (errno == ENOSYS || (errno == EPERM && !calls[index].privileged))
		return -errno;
	return 0;
}
