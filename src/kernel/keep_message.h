/* SPDX-License-Identifier: MIT
 * What the run and its keeper say to each other.
 */
#ifndef LUABOX_KEEP_MESSAGE_H
#define LUABOX_KEEP_MESSAGE_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <sys/uio.h>

#include "kernel/fault.h"
#include "kernel/keeper.h"

/* The run's. */
struct keep_message {
	uint32_t first, count; /* ids */
	char kind;             /* '+': lines follow; '-': forget */
	char lines[KEEP_LINES];
};

#define KEEP_HEAD offsetof(struct keep_message, lines)

/* The keeper's. */
struct keep_reply {
	uint32_t first; /* the message's */
	int error;      /* 0 or -errno */
};

/* Its first word; the journal's descriptor comes with it. */
struct keep_greeting {
	int error; /* 0 or -errno */
	struct fault fault;
};

/* As sendmsg and recvmsg, with a descriptor or -1. */
ssize_t keep_send(int socket, struct iovec *v, size_t parts, int fd);
ssize_t keep_receive(int socket, void *data, size_t size, int flags, int *fd);

/* Does what the message says to the list: all of it, or nothing. 'length' is that of its lines; 'fd' (or -1)
 * came with it and goes with its first line. Returns 0 or -errno. */
int keep_handle(struct keep_list *l, struct keep_message *m, size_t length, int fd);

/* The keeper's life, in a process of its own, all signals blocked. 'run' is the pidfd of the run, or -1. */
_Noreturn void keep_serve(int socket, int run, const struct keep_header *h, const char *name);

#endif
