/* SPDX-License-Identifier: MIT
 * Namespaces as descriptors: open, make, enter, ask, pin to a path.
 * A type is its CLONE_NEW* flag throughout.
 */
#ifndef LUABOX_NAMESPACE_H
#define LUABOX_NAMESPACE_H

#include <sys/types.h>

#include "kernel/fault.h"

#define NS_TYPES 8

struct ns_type {
	const char *name; /* as in /proc/PID/ns: "mnt" */
	int flag;         /* CLONE_NEWNS */
};

extern const struct ns_type ns_types[NS_TYPES];

/* The name of a type, "mnt" for CLONE_NEWNS; "?" for anything else. Child-safe. */
const char *ns_type_name(int flag);

/* Opens the namespace of a process; pid 0 means the calling one. Returns the descriptor. */
int ns_open(int type, pid_t pid, struct fault *f);

/* Opens a namespace by a path (a pin, /proc/PID/ns/x); one of another type is
 * refused. Returns the descriptor. */
int ns_open_path(int type, const char *path, struct fault *f);

/* setns(2): by a namespace's descriptor, or by a pidfd into several types at once.
 * Child-safe. */
int ns_enter(int fd, int types, struct fault *f);

/* Enters a namespace that was just left. The process is aborted if it cannot, even at the third try: it
 * would go on in the wrong place. */
void ns_come_back(int home, int type);

/* unshare(2). Child-safe. */
int ns_unshare(int types, struct fault *f);

/* Makes a new namespace that nobody is in and returns its descriptor; the caller
 * stays where it is. net, uts, ipc and cgroup only: made by unshare and ns_come_back. The
 * other types come from a child that ends at once; a pid namespace made so could never be entered,
 * so it is refused. */
int ns_create(int type, struct fault *f);

/* Calls 'child', which must not return, in a process that is born into new namespaces of these types and
 * shares memory and descriptors, and waits for its end. Returns 0, or -errno of clone(2). Child-safe. */
int ns_do_in_new(int types, int (*child)(void *argument), void *argument);

/* The type of an open namespace; whether its errno says that the descriptor is of something else. */
int ns_type_of(int fd, struct fault *f);
int ns_is_none(int error);

/* The user namespace that owns this one, and the parent of a pid or user namespace, as descriptors. */
int ns_owner(int fd, struct fault *f);
int ns_parent(int fd, struct fault *f);

/* The user who made a user namespace. */
int ns_owner_uid(int fd, uid_t *uid, struct fault *f);

/* Whether the process is in another user namespace than the first: 1, 0 or -errno. Child-safe. */
int ns_in_user_namespace(void);

/* Keeps a namespace alive by a bind mount on 'path', a file made for it (an empty
 * one that is there is taken). */
int ns_pin(int fd, const char *path, struct fault *f);

/* Takes a pin away, and its file. What is no pin is refused. */
int ns_unpin(const char *path, struct fault *f);

#endif
