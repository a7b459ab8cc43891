/* SPDX-License-Identifier: MIT
 * Sockets that ask whether somebody answers: ICMP echo, TCP and UDP, in any network namespace, none of which
 * blocks; and who said what when nobody did (icmp(7), ip(7) IP_RECVERR).
 */
#ifndef LUABOX_PROBE_H
#define LUABOX_PROBE_H

#include <sys/types.h>

#include "kernel/fault.h"
#include "kernel/netaddr.h"

#define PROBE_SIZE_MAX 65507 /* of an echo request's data: an IPv4 packet less its headers */

enum probe_kind { PROBE_ICMP, PROBE_TCP, PROBE_UDP };

struct probe_options {
	int64_t kind;
	struct net_address address, source; /* of ICMP the address gives the family only */
	int64_t port, ttl;                  /* ttl 0: the kernel's */
	const char *interface;
	int dont_fragment;
};

struct probe {
	int fd, kind, family;
	int raw;     /* ICMP: others' packets come in, too */
	uint16_t id; /* ICMP: of what is ours, if raw */
	int error;   /* what connect(2) refused with at once, or 0 */
};

/* What came back. */
struct probe_answer {
	int error;      /* 0: the echo itself; else the errno of what an ICMP message or this kernel said */
	int seq;        /* -1: none */
	int ttl;        /* of the packet that brought it; -1: unknown */
	int type, code; /* of the ICMP message; -1: this kernel said so itself */
	uint32_t mtu;   /* with EMSGSIZE, if told */
	double time;    /* when it came in (of a request: went out), in seconds of CLOCK_MONOTONIC */
	struct net_address from; /* family 0: unknown */
};

/* Opens a socket in the network namespace of a descriptor (-1: the own one); of TCP and UDP connects it. That
 * a connection is refused is no failure of this. Returns the descriptor, which is the caller's, or -errno. */
int probe_open(int netns, const struct probe_options *o, struct probe *p, struct fault *f);

/* Sends an echo request. Returns 0 with its time in 'a', or -errno with what is known there. */
int probe_echo(const struct probe *p, const struct net_address *to, uint16_t seq, size_t size,
	       struct probe_answer *a);

/* Takes the next answer to an echo request. Returns 1, or 0 if there is none. */
int probe_answer(const struct probe *p, struct probe_answer *a);

/* Takes what became of a connection. Returns 1 and why it failed, or 0 if nothing did. */
int probe_failure(struct probe *p, struct probe_answer *a);

/* send(2) and recv(2). Return the number of bytes or -errno. */
ssize_t probe_send(const struct probe *p, const void *data, size_t size);
ssize_t probe_receive(const struct probe *p, void *data, size_t size);

/* The own address and port. Returns 0 or -errno. */
int probe_local(const struct probe *p, struct net_address *address, int *port);

#endif
