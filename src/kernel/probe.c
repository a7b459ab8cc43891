/* SPDX-License-Identifier: MIT */
#include "kernel/probe.h"

#include <arpa/inet.h>
#include <linux/errqueue.h>
#include <linux/icmp.h>
#include <linux/icmpv6.h>
#include <netinet/in.h>
#include <netinet/ip.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <time.h>

#include "kernel/netns_socket.h"
#include "kernel/probe_parts.h"
#include "kernel/util.h"

/* ---- addresses ---- */

socklen_t probe_make_place(const struct net_address *a, uint16_t port, union probe_place *p)
{
	*p = (union probe_place){ 0 };
	if (a->family == AF_INET) {
		p->in = (struct sockaddr_in){ .sin_family = AF_INET, .sin_port = htons(port) };
		memcpy(&p->in.sin_addr, a->bytes, 4);
		return sizeof p->in;
	}
	p->in6 = (struct sockaddr_in6){ .sin6_family = AF_INET6, .sin6_port = htons(port) };
	memcpy(&p->in6.sin6_addr, a->bytes, 16);
	return sizeof p->in6;
}

static struct net_address read_place(const union probe_place *p)
{
	struct net_address a = { .family = p->any.sa_family, .prefix = -1 };

	if (a.family == AF_INET)
		memcpy(a.bytes, &p->in.sin_addr, 4);
	else if (a.family == AF_INET6)
		memcpy(a.bytes, &p->in6.sin6_addr, 16);
	else
		a.family = 0;
	return a;
}

/* ---- sockets ---- */

static int set(int fd, int level, int name, int value)
{
	return setsockopt(fd, level, name, &value, sizeof value) < 0 ? -errno : 0;
}

/* What the errors and the answers are told with. A raw socket is spared all but echo replies. */
static int listen_to_errors(const struct probe *p)
{
	uint32_t all_but_reply = ~(1U << ICMP_ECHOREPLY), filter[8];
	int rc = set(p->fd, SOL_SOCKET, SO_TIMESTAMPNS, 1);

	if (p->family == AF_INET) {
		rc = rc ? rc : set(p->fd, IPPROTO_IP, IP_RECVERR, 1);
		rc = rc ? rc : set(p->fd, IPPROTO_IP, IP_RECVTTL, 1);
		if (rc || !p->raw)
			return rc;
		return setsockopt(p->fd, SOL_RAW, ICMP_FILTER, &all_but_reply, sizeof all_but_reply) ? -errno
												     : 0;
	}
	rc = rc ? rc : set(p->fd, IPPROTO_IPV6, IPV6_RECVERR, 1);
	rc = rc ? rc : set(p->fd, IPPROTO_IPV6, IPV6_RECVHOPLIMIT, 1);
	if (rc || !p->raw)
		return rc;
	memset(filter, 0xff, sizeof filter);
	filter[ICMPV6_ECHO_REPLY / 32] &= ~(1U << ICMPV6_ECHO_REPLY % 32);
	return setsockopt(p->fd, IPPROTO_ICMPV6, ICMPV6_FILTER, filter, sizeof filter) ? -errno : 0;
}

/* Packets that may be cut on their way, unless they are not to be. */
static int set_fragments(const struct probe *p, int dont)
{
	if (p->family == AF_INET)
		return set(p->fd, IPPROTO_IP, IP_MTU_DISCOVER, dont ? IP_PMTUDISC_DO : IP_PMTUDISC_DONT);
	if (!dont)
		return 0;
	if (set(p->fd, IPPROTO_IPV6, IPV6_MTU_DISCOVER, IPV6_PMTUDISC_DO) < 0)
		return -errno;
	return set(p->fd, IPPROTO_IPV6, IPV6_DONTFRAG, 1);
}

static int set_ttl(const struct probe *p, int ttl)
{
	if (ttl == 0)
		return 0;
	if (p->family == AF_INET)
		return set(p->fd, IPPROTO_IP, IP_TTL, ttl);
	return set(p->fd, IPPROTO_IPV6, IPV6_UNICAST_HOPS, ttl);
}

static int bind_source(const struct probe *p, const struct net_address *source, struct fault *f)
{
	char text[NET_ADDRESS_TEXT];
	union probe_place place;
	socklen_t size = probe_make_place(source, 0, &place);

	if (bind(p->fd, &place.any, size) == 0)
		return 0;
	net_address_format(source->family, source->bytes, -1, text);
	fault_set(f, errno, "bind", "%s", text);
	if (f->error == EADDRNOTAVAIL)
		fault_hint(f, "it is no address of that network namespace");
	return -f->error;
}

static int prepare(const struct probe *p, const struct probe_options *o, struct fault *f)
{
	int rc = listen_to_errors(p);

	rc = rc || o->kind != PROBE_ICMP ? rc : set_fragments(p, o->dont_fragment);
	rc = rc ? rc : set_ttl(p, (int)o->ttl);
	if (rc)
		return fault_set(f, -rc, "setsockopt", "%s", "");
	if (o->interface &&
	    setsockopt(p->fd, SOL_SOCKET, SO_BINDTODEVICE, o->interface, (socklen_t)strlen(o->interface)) < 0)
		return fault_set(f, errno, "bind to link", "%s", o->interface);
	return net_address_given(&o->source) ? bind_source(p, &o->source, f) : 0;
}

/* The kernel's own sockets for ping need no right, where the namespace lets the caller's group have them. */
static int open_icmp(int netns, struct probe *p, struct fault *f)
{
	int protocol = p->family == AF_INET ? IPPROTO_ICMP : IPPROTO_ICMPV6;
	int fd = net_socket_in(netns, p->family, SOCK_DGRAM | SOCK_NONBLOCK, protocol, f);

	if (fd != -EACCES)
		return fd;
	p->raw = 1;
	if (retry_eintr(getrandom(&p->id, sizeof p->id, 0)) != sizeof p->id)
		return fault_set(f, errno, "getrandom", "%s", "");
	fd = net_socket_in(netns, p->family, SOCK_RAW | SOCK_NONBLOCK, protocol, f);
	if (fd == -EPERM)
		fault_hint(f,
			   "it takes CAP_NET_RAW, or a group in net.ipv4.ping_group_range of that namespace");
	return fd;
}

static int open_socket(int netns, struct probe *p, struct fault *f)
{
	if (p->kind == PROBE_ICMP)
		return open_icmp(netns, p, f);
	return net_socket_in(netns, p->family,
			     (p->kind == PROBE_TCP ? SOCK_STREAM : SOCK_DGRAM) | SOCK_NONBLOCK, 0, f);
}

int probe_open(int netns, const struct probe_options *o, struct probe *p, struct fault *f)
{
	cleanup_fd int fd = -1;
	union probe_place place;
	socklen_t size;
	int rc;

	*p = (struct probe){ .kind = (int)o->kind, .family = o->address.family };
	p->fd = fd = open_socket(netns, p, f);
	if (fd < 0)
		return fd;
	rc = prepare(p, o, f);
	if (rc < 0)
		return rc;
	size = probe_make_place(&o->address, (uint16_t)o->port, &place);
	if (p->kind != PROBE_ICMP && connect(fd, &place.any, size) < 0 && errno != EINPROGRESS)
		p->error = errno;
	return take_fd(&fd);
}

/* ---- what comes back ---- */

double probe_clock(clockid_t clock)
{
	struct timespec t;

	clock_gettime(clock, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* The kernel's stamps are of the clock that people set: only how long ago that was is of use. */
static double arrival(const struct timespec *stamp)
{
	double age = probe_clock(CLOCK_REALTIME) - (double)stamp->tv_sec - (double)stamp->tv_nsec / 1e9;

	return probe_clock(CLOCK_MONOTONIC) - (age > 0 ? age : 0);
}

static void read_extended(const struct sock_extended_err *e, struct probe_answer *a)
{
	union probe_place offender = { 0 };

	a->error = (int)e->ee_errno;
	if (a->error == EMSGSIZE)
		a->mtu = e->ee_info;
	if (e->ee_origin != SO_EE_ORIGIN_ICMP && e->ee_origin != SO_EE_ORIGIN_ICMP6)
		return;
	a->type = e->ee_type;
	a->code = e->ee_code;
	memcpy(&offender, SO_EE_OFFENDER(e), sizeof(struct sockaddr_in));
	if (offender.any.sa_family == AF_INET6)
		memcpy(&offender, SO_EE_OFFENDER(e), sizeof offender.in6);
	a->from = read_place(&offender);
}

static void read_control(struct msghdr *m, struct probe_answer *a)
{
	struct timespec t;

	for (struct cmsghdr *c = CMSG_FIRSTHDR(m); c; c = CMSG_NXTHDR(m, c)) {
		int is_in6 = c->cmsg_level == IPPROTO_IPV6;

		if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_TIMESTAMPNS) {
			memcpy(&t, CMSG_DATA(c), sizeof t);
			a->time = arrival(&t);
		} else if (is_in6 ? c->cmsg_type == IPV6_HOPLIMIT
				  : c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_TTL) {
			memcpy(&a->ttl, CMSG_DATA(c), sizeof a->ttl);
		} else if (is_in6 ? c->cmsg_type == IPV6_RECVERR
				  : c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_RECVERR) {
			read_extended((const void *)CMSG_DATA(c), a);
		}
	}
}

ssize_t probe_take(const struct probe *p, int flags, void *data, size_t size, struct probe_answer *a)
{
	_Alignas(struct cmsghdr) char control[512];
	union probe_place from = { 0 };
	struct iovec iov = { data, size };
	struct msghdr m = { .msg_name = &from,
			    .msg_namelen = sizeof from,
			    .msg_iov = &iov,
			    .msg_iovlen = 1,
			    .msg_control = control,
			    .msg_controllen = sizeof control };
	ssize_t n = retry_eintr(recvmsg(p->fd, &m, flags | MSG_DONTWAIT));

	*a = (struct probe_answer){ .seq = -1, .ttl = -1, .type = -1, .code = -1 };
	if (n < 0)
		return -errno;
	a->time = probe_clock(CLOCK_MONOTONIC);
	if (!(flags & MSG_ERRQUEUE))
		a->from = read_place(&from);
	read_control(&m, a);
	return n;
}

/* ---- connections ---- */

int probe_failure(struct probe *p, struct probe_answer *a)
{
	int error = p->error;
	socklen_t size = sizeof error;
	char data[1];

	p->error = 0;
	if (!error && getsockopt(p->fd, SOL_SOCKET, SO_ERROR, &error, &size) < 0)
		error = errno;
	while (probe_take(p, MSG_ERRQUEUE, data, sizeof data, a) >= 0 && a->type < 0)
		;
	if (error)
		a->error = error;
	return a->error != 0;
}

ssize_t probe_send(const struct probe *p, const void *data, size_t size)
{
	ssize_t n = retry_eintr(send(p->fd, data, size, MSG_DONTWAIT | MSG_NOSIGNAL));

	return n < 0 ? -errno : n;
}

ssize_t probe_receive(const struct probe *p, void *data, size_t size)
{
	ssize_t n = retry_eintr(recv(p->fd, data, size, MSG_DONTWAIT));

	return n < 0 ? -errno : n;
}

int probe_local(const struct probe *p, struct net_address *address, int *port)
{
	union probe_place place = { 0 };
	socklen_t size = sizeof place;

	if (getsockname(p->fd, &place.any, &size) < 0)
		return -errno;
	*address = read_place(&place);
	*port = ntohs(address->family == AF_INET ? place.in.sin_port : place.in6.sin6_port);
	return 0;
}
