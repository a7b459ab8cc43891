/* SPDX-License-Identifier: MIT
 * ICMP's echo requests, and the answers to them.
 */
#include "kernel/probe_parts.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/icmp.h>
#include <linux/icmpv6.h>
#include <string.h>
#include <sys/uio.h>

#define IPV6_HEADER 40

/* Of an echo request and its reply, in both versions. */
struct echo {
	uint8_t type, code;
	uint16_t checksum, id, seq;
};

/* ---- answers ---- */

/* Where the echo begins, past the headers that raw sockets give; null if there is no whole one. */
static const struct echo *find_echo(const struct probe *p, const uint8_t *data, size_t size, int is_error)
{
	size_t skip = 0;

	if (p->raw && p->family == AF_INET && !is_error && size > 0)
		skip = (size_t)(data[0] & 15) * 4;
	if (p->raw && p->family == AF_INET6 && is_error && size > 0 && data[0] >> 4 == 6)
		skip = IPV6_HEADER;
	return size >= skip + sizeof(struct echo) ? (const void *)(data + skip) : NULL;
}

/* Whether a message is about an echo request of ours; fills in which. */
static int is_ours(const struct probe *p, const uint8_t *data, size_t size, struct probe_answer *a)
{
	const struct echo *found = find_echo(p, data, size, a->error != 0);
	struct echo e;
	int type;

	if (!found)
		return 0;
	memcpy(&e, found, sizeof e);
	if (a->error)
		type = p->family == AF_INET ? ICMP_ECHO : ICMPV6_ECHO_REQUEST;
	else
		type = p->family == AF_INET ? ICMP_ECHOREPLY : ICMPV6_ECHO_REPLY;
	if (e.type != type || (p->raw && e.id != p->id))
		return 0;
	a->seq = ntohs(e.seq);
	return 1;
}

/* An error that is on the queue makes the next read fail once, with nothing to take. Where packets of others
 * pour in, the caller gets its turn. */
int probe_answer(const struct probe *p, struct probe_answer *a)
{
	uint8_t data[128];

	for (int i = 0; i < 64; i++) {
		ssize_t n = probe_take(p, MSG_ERRQUEUE, data, sizeof data, a);

		if (n == -EAGAIN)
			n = probe_take(p, 0, data, sizeof data, a);
		if (n == -EAGAIN)
			return 0;
		if (n >= 0 && is_ours(p, data, (size_t)n, a))
			return 1;
	}
	return 0;
}

/* ---- requests ---- */

static uint16_t checksum(const void *data, size_t size)
{
	const uint8_t *bytes = data;
	uint32_t sum = 0;

	for (size_t i = 0; i + 1 < size; i += 2)
		sum += (uint32_t)(bytes[i] << 8 | bytes[i + 1]);
	sum = (sum & 0xffff) + (sum >> 16);
	return htons((uint16_t) ~((sum & 0xffff) + (sum >> 16)));
}

/* The path's MTU, of the error that the kernel left beside EMSGSIZE. */
static void find_mtu(const struct probe *p, struct probe_answer *a)
{
	struct probe_answer queued;
	char data[1];

	while (probe_take(p, MSG_ERRQUEUE, data, sizeof data, &queued) >= 0)
		if (queued.type < 0 && queued.error == EMSGSIZE)
			a->mtu = queued.mtu;
}

int probe_echo(const struct probe *p, const struct net_address *to, uint16_t seq, size_t size,
	       struct probe_answer *a)
{
	static uint8_t zeros[PROBE_SIZE_MAX]; /* they add nothing to the checksum */
	struct echo e = { .type = p->family == AF_INET ? ICMP_ECHO : ICMPV6_ECHO_REQUEST,
			  .id = p->id,
			  .seq = htons(seq) };
	struct iovec iov[] = { { &e, sizeof e }, { zeros, size } };
	union probe_place place;
	struct msghdr m = { .msg_name = &place,
			    .msg_namelen = probe_make_place(to, 0, &place),
			    .msg_iov = iov,
			    .msg_iovlen = 2 };

	*a = (struct probe_answer){ .seq = seq, .ttl = -1, .type = -1, .code = -1 };
	a->time = probe_clock(CLOCK_MONOTONIC);
	e.checksum = checksum(&e, sizeof e);
	for (int i = 0; i < 2; i++) /* the first time it may be an earlier one's error that is told */
		if (sendmsg(p->fd, &m, MSG_DONTWAIT) >= 0)
			return 0;
	a->error = errno;
	if (a->error == EMSGSIZE)
		find_mtu(p, a);
	return -a->error;
}
