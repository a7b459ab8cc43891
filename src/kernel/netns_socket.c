/* SPDX-License-Identifier: MIT */
#include "kernel/netns_socket.h"

#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <sys/socket.h>

#include "kernel/namespace.h"
#include "kernel/util.h"

static int enter(int netns, struct fault *f)
{
	int error = setns(netns, CLONE_NEWNET) < 0 ? errno : 0;

	if (!error)
		return 0;
	fault_set(f, error, "setns", "net (%d)", netns);
	if (error == EINVAL)
		fault_hint(f, "the descriptor is not of a network namespace");
	if (error == EPERM)
		fault_hint(f, ns_in_user_namespace() > 0
				      ? "it belongs to another user namespace than this process is root in: "
					"make one here, too (unshare -Urn), or be root of the host"
				      : "entering it takes CAP_SYS_ADMIN in the user namespace that owns it");
	return -error;
}

int net_visit(int netns, int (*work)(void *argument, struct fault *f), void *argument, struct fault *f)
{
	cleanup_fd int home = -1;
	int rc;

	if (netns < 0)
		return work(argument, f);
	home = retry_eintr(open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC));
	if (home < 0)
		return fault_set(f, errno, "open", "/proc/thread-self/ns/net");
	rc = enter(home, f); /* whether there is a way back: a user namespace may not have one */
	if (rc == 0)
		rc = enter(netns, f);
	if (rc < 0)
		return rc;
	rc = work(argument, f);
	ns_come_back(home, CLONE_NEWNET);
	return rc;
}

struct socket_kind {
	int domain, type, protocol;
};

static int make_socket(void *argument, struct fault *f)
{
	const struct socket_kind *k = argument;
	int fd = socket(k->domain, k->type | SOCK_CLOEXEC, k->protocol);

	return fd >= 0 ? fd : fault_set(f, errno, "socket", "domain %d, protocol %d", k->domain, k->protocol);
}

int net_socket_in(int netns, int domain, int type, int protocol, struct fault *f)
{
	struct socket_kind kind = { domain, type, protocol };

	return net_visit(netns, make_socket, &kind, f);
}
