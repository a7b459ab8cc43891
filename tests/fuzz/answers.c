/* SPDX-License-Identifier: MIT
 * The program is linked with --wrap for these functions.
 */
#include "fuzz.h"

#include <errno.h>
#include <linux/netlink.h>
#include <sanitizer/asan_interface.h>
#include <string.h>
#include <sys/socket.h>

static const uint8_t *input;
static size_t left;
static uint32_t number; /* of the last request */

ssize_t __real_send(int fd, const void *data, size_t size, int flags);
ssize_t __real_sendto(int fd, const void *data, size_t size, int flags, const struct sockaddr *to,
		      socklen_t length);
ssize_t __real_recv(int fd, void *buf, size_t size, int flags);
ssize_t __real_recvfrom(int fd, void *buf, size_t size, int flags, struct sockaddr *from, socklen_t *length);
ssize_t __real_recvmsg(int fd, struct msghdr *m, int flags);

ssize_t __wrap_send(int fd, const void *data, size_t size, int flags);
ssize_t __wrap_sendto(int fd, const void *data, size_t size, int flags, const struct sockaddr *to,
		      socklen_t length);
ssize_t __wrap_recv(int fd, void *buf, size_t size, int flags);
ssize_t __wrap_recvfrom(int fd, void *buf, size_t size, int flags, struct sockaddr *from, socklen_t *length);
ssize_t __wrap_recvmsg(int fd, struct msghdr *m, int flags);

void fuzz_answers(const uint8_t *data, size_t size)
{
	input = data;
	left = size;
}

/* The length of the next datagram. */
static ssize_t peek(void)
{
	size_t length;

	if (left < 2) {
		errno = EAGAIN;
		return -1;
	}
	length = (size_t)input[0] | (size_t)input[1] << 8;
	return (ssize_t)(length < left - 2 ? length : left - 2);
}

/* The fuzzer cannot know the number that a request has: its own counts from there. */
static void give_numbers(uint8_t *data, size_t size)
{
	struct nlmsghdr h;

	for (size_t at = 0; size - at >= sizeof h; at += NLMSG_ALIGN(h.nlmsg_len)) {
		memcpy(&h, data + at, sizeof h);
		h.nlmsg_seq += number;
		memcpy(data + at, &h, sizeof h);
		if (h.nlmsg_len < sizeof h || h.nlmsg_len > size - at || NLMSG_ALIGN(h.nlmsg_len) > size - at)
			return;
	}
}

static int is_on_stack(const void *p)
{
	char here;
	ptrdiff_t distance = (const char *)p - &here;

	return distance > -(8 << 20) && distance < 8 << 20;
}

/* What is behind the datagram in a buffer on the heap is not to be looked at, but for
 * the byte where its reader may end it. */
static ssize_t take(void *buf, size_t size)
{
	ssize_t n = peek();
	size_t length = (size_t)n < size ? (size_t)n : size;

	if (n < 0)
		return -1;
	ASAN_UNPOISON_MEMORY_REGION(buf, size);
	memcpy(buf, input + 2, length);
	give_numbers(buf, length);
	if (!is_on_stack(buf) && length < size)
		ASAN_POISON_MEMORY_REGION((char *)buf + length + 1, size - length - 1);
	input += 2 + n;
	left -= 2 + (size_t)n;
	return (ssize_t)length;
}

static void from_kernel(void *name, socklen_t *length)
{
	struct sockaddr_nl kernel = { .nl_family = AF_NETLINK };

	if (!name)
		return;
	memcpy(name, &kernel, *length < sizeof kernel ? *length : sizeof kernel);
	*length = sizeof kernel;
}

ssize_t __wrap_send(int fd, const void *data, size_t size, int flags)
{
	if (!input)
		return __real_send(fd, data, size, flags);
	if (size >= sizeof(struct nlmsghdr))
		number = ((const struct nlmsghdr *)data)->nlmsg_seq;
	return (ssize_t)size;
}

ssize_t __wrap_sendto(int fd, const void *data, size_t size, int flags, const struct sockaddr *to,
		      socklen_t length)
{
	return input ? __wrap_send(fd, data, size, flags) : __real_sendto(fd, data, size, flags, to, length);
}

ssize_t __wrap_recv(int fd, void *buf, size_t size, int flags)
{
	if (!input)
		return __real_recv(fd, buf, size, flags);
	return flags & MSG_PEEK ? peek() : take(buf, size);
}

ssize_t __wrap_recvfrom(int fd, void *buf, size_t size, int flags, struct sockaddr *from, socklen_t *length)
{
	if (!input)
		return __real_recvfrom(fd, buf, size, flags, from, length);
	from_kernel(from, length);
	return take(buf, size);
}

ssize_t __wrap_recvmsg(int fd, struct msghdr *m, int flags)
{
	ssize_t whole = input ? peek() : 0, n;

	if (!input)
		return __real_recvmsg(fd, m, flags);
	from_kernel(m->msg_name, &m->msg_namelen);
	n = take(m->msg_iov->iov_base, m->msg_iov->iov_len);
	m->msg_controllen = 0;
	m->msg_flags = whole > n ? MSG_TRUNC : 0;
	return n;
}
