/* SPDX-License-Identifier: MIT
 * rtnetlink(7): messages are written into a queue, sent together and answered
 * together; what the kernel says about one of them becomes that one's fault.
 */
#ifndef LUABOX_NETLINK_H
#define LUABOX_NETLINK_H

#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <netlink/attr.h>
#include <netlink/msg.h>
#include <stddef.h>
#include <stdint.h>

#include "kernel/fault.h"

/* Integers (int64_t) and booleans (int) of the descriptions that were not given. */
#define NET_ABSENT (-1)

struct net_op;
struct net_socket;

/* What a message does, for its error; 'explain' (may be null) adds the hint, after
 * the failure, to a fault that has error, subject and the kernel's sentence; 'detect' (may be null) does so
 * by a look at what there is, with the message. */
struct net_verb {
	const char *name;
	void (*explain)(const struct net_op *op, struct fault *f);
	void (*detect)(const struct net_socket *s, const struct nlmsghdr *asked, struct fault *f);
};

struct net_op {
	const struct net_verb *verb;
	char subject[96];   /* "eth0", "10.0.0.0/8 dev eth0" */
	const char *module; /* that makes links of this kind; or null; static */
	size_t offset;      /* of the message in the queue's data */
};

struct net_buffer {
	char *data; /* owned */
	size_t length, capacity;
};

/* Messages not yet sent. All zero is an empty queue. */
struct net_queue {
	struct nl_msg *message; /* owned: the one being written */
	struct net_buffer data;
	struct net_op *ops; /* owned */
	size_t count, room;
	int failed; /* an errno: the message being written is no good */
};

void net_queue_reset(struct net_queue *q);

/* Takes back the messages behind the first 'count'. */
void net_queue_cut(struct net_queue *q, size_t count);
void net_queue_free(struct net_queue *q);

/* Begins a message with its family's header. Errors (no memory, too long a message)
 * are kept until net_end, so that the calls between need no checks. */
void net_begin(struct net_queue *q, int type, int flags, const void *header, size_t size);

/* Attributes of the message being written. net_put refuses what a length of 16 bits
 * cannot say. */
void net_put(struct net_queue *q, int attribute, const void *data, size_t size);
void net_put_u8(struct net_queue *q, int attribute, uint8_t value);
void net_put_u32(struct net_queue *q, int attribute, uint32_t value);
void net_put_string(struct net_queue *q, int attribute, const char *value);
struct nlattr *net_nest(struct net_queue *q, int attribute);
void net_nest_end(struct net_queue *q, struct nlattr *nest);

/* Room for a structure that is no attribute of its own (rtnexthop, the peer's header); null if there is none.
 */
void *net_append(struct net_queue *q, const void *data, size_t size);

enum net_type {
	NET_U8,    /* from int64_t */
	NET_U16,   /* from int64_t */
	NET_U32,   /* from int64_t */
	NET_BE16,  /* from int64_t */
	NET_BOOL,  /* u8 from int */
	NET_INT,   /* u32 from int: a boolean, a descriptor */
	NET_TEXT,  /* from const char * */
	NET_CLOCK, /* u32, hundredths of a second, from double; NaN is absent */
};

/* One attribute and the field of a description that it is made of. A field that is
 * absent (negative, null, NaN) makes none. */
struct net_row {
	uint16_t attribute;
	uint16_t type;
	uint16_t offset;
};

/* Writes the attributes of 'rows', ended by attribute 0. */
void net_put_rows(struct net_queue *q, const struct net_row *rows, const void *description);

/* True if a field of one of the rows was given. */
int net_rows_given(const struct net_row *rows, const void *description);

/* Ends the message and puts it into the queue. */
int net_end(struct net_queue *q, const struct net_verb *verb, struct fault *f, const char *subject, ...)
	__attribute__((format(printf, 4, 5)));

struct net_socket {
	int fd; /* owned by the handle it is in */
	uint32_t sequence;
	struct net_queue request; /* of net_query */
	struct net_buffer reply;
};

/* Opens the socket in the namespace of the descriptor 'netns', or in the current
 * one if that is negative. */
int net_open(struct net_socket *s, int netns, struct fault *f);

/* Frees memory; the descriptor is the caller's. */
void net_release(struct net_socket *s);

/* Sends all of a queue and empties it. Only the last message of a part asks for an
 * acknowledgement. The kernel goes on after a message that fails; the fault is that
 * of the first one. */
int net_send(struct net_socket *s, struct net_queue *q, struct fault *f);

/* Sends the one message of s->request, with NLM_F_DUMP or for one object, and
 * gathers the answer in s->reply. A table that changed while it was read is read
 * again. */
int net_query(struct net_socket *s, struct fault *f);

/* The answer's messages of that type one by one, those at least with a header of 'size' bytes: null at the
 * end. Begins with *offset = 0. */
const struct nlmsghdr *net_next(const struct net_socket *s, size_t *offset, int type, size_t size);

/* The message where there is to be one; null with the fault EBADMSG if there is none. */
const struct nlmsghdr *net_only(const struct net_socket *s, int type, size_t size, struct fault *f);

/* Fills 'attributes' (highest + 1 of them, null where there is none) with those
 * behind a header of 'size' bytes, in 'size' bytes of data, in a nest (or null). */
void net_attributes(const struct nlmsghdr *m, size_t size, const struct nlattr **attributes, int highest);
void net_scan(const void *data, int size, const struct nlattr **attributes, int highest);
void net_nested(const struct nlattr *nest, const struct nlattr **attributes, int highest);

/* Numbers from attributes that may be missing or too short: then 'fallback'. */
uint32_t net_get_u32(const struct nlattr *a, uint32_t fallback);

#endif
