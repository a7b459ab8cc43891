/* SPDX-License-Identifier: MIT */
#include "kernel/keep_message.h"

#include <string.h>
#include <sys/socket.h>

#include "kernel/util.h"

union control {
	struct cmsghdr h;
	char space[CMSG_SPACE(sizeof(int))];
};

ssize_t keep_send(int socket, struct iovec *v, size_t parts, int fd)
{
	union control control = { .h = { CMSG_LEN(sizeof fd), SOL_SOCKET, SCM_RIGHTS } };
	struct msghdr h = { .msg_iov = v, .msg_iovlen = parts };

	if (fd >= 0) {
		memcpy(CMSG_DATA(&control.h), &fd, sizeof fd);
		h.msg_control = &control;
		h.msg_controllen = sizeof control;
	}
	return retry_eintr(sendmsg(socket, &h, MSG_NOSIGNAL));
}

ssize_t keep_receive(int socket, void *data, size_t size, int flags, int *fd)
{
	union control control;
	struct iovec v = { data, size };
	struct msghdr h = {
		.msg_iov = &v, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control
	};
	ssize_t n = retry_eintr(recvmsg(socket, &h, MSG_CMSG_CLOEXEC | flags));
	struct cmsghdr *c = n > 0 ? CMSG_FIRSTHDR(&h) : NULL;

	*fd = -1;
	if (c && c->cmsg_type == SCM_RIGHTS)
		memcpy(fd, CMSG_DATA(c), sizeof *fd);
	return n;
}
