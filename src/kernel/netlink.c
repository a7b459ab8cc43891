/* SPDX-License-Identifier: MIT */
#include "kernel/netlink.h"

#include <arpa/inet.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "kernel/netlink_check.h"
#include "kernel/netns_socket.h"
#include "kernel/util.h"

/* Answers to one part of a queue must fit into the default receive buffer (208 KiB,
 * about 1 KiB each), and a part into the default send buffer. */
#define PART_MESSAGES 128
#define PART_BYTES 65536
#define READ_AGAIN 16

/* ---- messages ---- */

static int grow(void **data, size_t *capacity, size_t needed, size_t size)
{
	size_t more = *capacity ? *capacity : 16;
	void *moved;

	if (needed <= *capacity)
		return 0;
	while (more < needed)
		more *= 2;
	moved = realloc(*data, more * size);
	if (!moved)
		return -ENOMEM;
	*data = moved;
	*capacity = more;
	return 0;
}

static int reserve(struct net_buffer *b, size_t more)
{
	return grow((void **)&b->data, &b->capacity, b->length + more, 1);
}

void net_queue_reset(struct net_queue *q)
{
	q->data.length = 0;
	q->count = 0;
	q->failed = 0;
}

void net_queue_cut(struct net_queue *q, size_t count)
{
	if (count >= q->count)
		return;
	q->data.length = q->ops[count].offset;
	q->count = count;
}

void net_queue_free(struct net_queue *q)
{
	if (q->message)
		nlmsg_free(q->message);
	free(q->data.data);
	free(q->ops);
	memset(q, 0, sizeof *q);
}

void net_begin(struct net_queue *q, int type, int flags, const void *header, size_t size)
{
	struct nlmsghdr *h;

	q->failed = 0;
	if (!q->message)
		q->message = nlmsg_alloc();
	if (!q->message) {
		q->failed = ENOMEM;
		return;
	}
	h = nlmsg_hdr(q->message);
	*h = (struct nlmsghdr){ .nlmsg_len = NLMSG_HDRLEN,
				.nlmsg_type = (uint16_t)type,
				.nlmsg_flags = (uint16_t)(NLM_F_REQUEST | flags) };
	net_append(q, header, size);
}

void *net_append(struct net_queue *q, const void *data, size_t size)
{
	void *room = q->failed ? NULL : nlmsg_reserve(q->message, size, NLMSG_ALIGNTO);

	if (room)
		memcpy(room, data, size);
	else if (!q->failed)
		q->failed = EMSGSIZE;
	return room;
}

void net_put(struct net_queue *q, int attribute, const void *data, size_t size)
{
	if (q->failed)
		return;
	if (size > UINT16_MAX - NLA_HDRLEN || nla_put(q->message, attribute, (int)size, data) < 0)
		q->failed = EMSGSIZE;
}

void net_put_u8(struct net_queue *q, int attribute, uint8_t value)
{
	net_put(q, attribute, &value, sizeof value);
}

static void put_u16(struct net_queue *q, int attribute, uint16_t value)
{
	net_put(q, attribute, &value, sizeof value);
}

void net_put_u32(struct net_queue *q, int attribute, uint32_t value)
{
	net_put(q, attribute, &value, sizeof value);
}

void net_put_string(struct net_queue *q, int attribute, const char *value)
{
	net_put(q, attribute, value, strlen(value) + 1);
}

struct nlattr *net_nest(struct net_queue *q, int attribute)
{
	struct nlattr *nest = q->failed ? NULL : nla_nest_start(q->message, attribute);

	if (!nest && !q->failed)
		q->failed = EMSGSIZE;
	return nest;
}

/* libnl drops an empty nest, which the kernel would not need either. */
void net_nest_end(struct net_queue *q, struct nlattr *nest)
{
	if (!q->failed && nla_nest_end(q->message, nest) < 0)
		q->failed = EMSGSIZE;
}

static void put_number(struct net_queue *q, const struct net_row *row, int64_t value)
{
	switch (row->type) {
	case NET_U8:
	case NET_BOOL:
		net_put_u8(q, row->attribute, (uint8_t)value);
		break;
	case NET_U16:
		put_u16(q, row->attribute, (uint16_t)value);
		break;
	case NET_BE16:
		put_u16(q, row->attribute, htons((uint16_t)value));
		break;
	default:
		net_put_u32(q, row->attribute, (uint32_t)value);
	}
}

/* The number in a field; negative if it is absent. */
static int64_t number_in(const struct net_row *row, const void *field)
{
	double seconds;

	if (row->type == NET_BOOL || row->type == NET_INT)
		return *(const int *)field;
	if (row->type != NET_CLOCK)
		return *(const int64_t *)field;
	seconds = *(const double *)field;
	return isnan(seconds) ? NET_ABSENT : llround(seconds * 100);
}

void net_put_rows(struct net_queue *q, const struct net_row *rows, const void *description)
{
	for (; rows->attribute; rows++) {
		const void *field = (const char *)description + rows->offset;

		if (rows->type == NET_TEXT && *(const char *const *)field)
			net_put_string(q, rows->attribute, *(const char *const *)field);
		else if (rows->type != NET_TEXT && number_in(rows, field) >= 0)
			put_number(q, rows, number_in(rows, field));
	}
}

int net_rows_given(const struct net_row *rows, const void *description)
{
	for (; rows->attribute; rows++) {
		const void *field = (const char *)description + rows->offset;

		if (rows->type == NET_TEXT ? *(const char *const *)field != NULL
					   : number_in(rows, field) >= 0)
			return 1;
	}
	return 0;
}

/* Copies the finished message behind the others. */
static int enqueue(struct net_queue *q)
{
	const struct nlmsghdr *h;
	size_t size;

	if (q->failed)
		return -q->failed;
	h = nlmsg_hdr(q->message);
	size = NLMSG_ALIGN(h->nlmsg_len);
	if (grow((void **)&q->ops, &q->room, q->count + 1, sizeof *q->ops) < 0 || reserve(&q->data, size) < 0)
		return -ENOMEM;
	q->ops[q->count++].offset = q->data.length;
	memset(q->data.data + q->data.length, 0, size);
	memcpy(q->data.data + q->data.length, h, h->nlmsg_len);
	q->data.length += size;
	return 0;
}

int net_end(struct net_queue *q, const struct net_verb *verb, struct fault *f, const char *subject, ...)
{
	char text[sizeof q->ops->subject];
	struct net_op *op;
	va_list ap;
	int rc;

	va_start(ap, subject);
	vsnprintf(text, sizeof text, subject, ap);
	va_end(ap);
	rc = enqueue(q);
	if (rc < 0) {
		fault_set(f, -rc, verb->name, "%s", text);
		return rc == -EMSGSIZE ? fault_hint(f, "too much for one netlink message") : rc;
	}
	op = &q->ops[q->count - 1];
	op->verb = verb;
	op->module = NULL;
	memcpy(op->subject, text, sizeof text);
	return 0;
}

/* ---- the socket ---- */

static int set_option(int fd, int option, const char *name, struct fault *f)
{
	int on = 1;

	if (setsockopt(fd, SOL_NETLINK, option, &on, sizeof on) == 0)
		return 0;
	return fault_set(f, errno, "setsockopt", "%s", name);
}

int net_open(struct net_socket *s, int netns, struct fault *f)
{
	cleanup_fd int fd = net_socket_in(netns, AF_NETLINK, SOCK_RAW, NETLINK_ROUTE, f);
	int rc;

	if (fd < 0)
		return fd;
	if ((rc = set_option(fd, NETLINK_EXT_ACK, "NETLINK_EXT_ACK", f)) < 0 ||
	    (rc = set_option(fd, NETLINK_CAP_ACK, "NETLINK_CAP_ACK", f)) < 0 ||
	    (rc = set_option(fd, NETLINK_GET_STRICT_CHK, "NETLINK_GET_STRICT_CHK", f)) < 0)
		return rc;
	s->fd = take_fd(&fd);
	return 0;
}

void net_release(struct net_socket *s)
{
	net_queue_free(&s->request);
	free(s->reply.data);
	memset(&s->reply, 0, sizeof s->reply);
	s->fd = -1;
}

/* The kernel answers within sendmsg, so an answer is there or never comes: reading
 * never blocks. Returns the bytes appended to s->reply. */
static ssize_t receive(struct net_socket *s)
{
	struct sockaddr_nl from = { 0 };
	socklen_t size = sizeof from;
	ssize_t n = retry_eintr(recv(s->fd, NULL, 0, MSG_PEEK | MSG_TRUNC | MSG_DONTWAIT));

	if (n < 0)
		return -errno;
	/* 32 KiB at least: the kernel makes the parts of a dump as large as the reader's buffer */
	if (reserve(&s->reply, n > 32768 ? (size_t)n : 32768) < 0)
		return -ENOMEM;
	n = retry_eintr(recvfrom(s->fd, s->reply.data + s->reply.length, s->reply.capacity - s->reply.length,
				 MSG_DONTWAIT, (struct sockaddr *)&from, &size));
	if (n < 0)
		return -errno;
	if (from.nl_pid == 0) /* from the kernel */
		s->reply.length += (size_t)n;
	return n;
}

static const struct nlmsghdr *next_message(const struct net_socket *s, size_t *offset)
{
	const struct nlmsghdr *m;

	if (*offset >= s->reply.length)
		return NULL;
	m = (const struct nlmsghdr *)(s->reply.data + *offset);
	if (!nlmsg_ok(m, (int)(s->reply.length - *offset)))
		return NULL;
	*offset += NLMSG_ALIGN(m->nlmsg_len);
	return m;
}

const struct nlmsghdr *net_next(const struct net_socket *s, size_t *offset, int type, size_t size)
{
	const struct nlmsghdr *m;

	while ((m = next_message(s, offset)))
		if (m->nlmsg_type == type && m->nlmsg_seq == s->sequence && (size_t)nlmsg_datalen(m) >= size)
			return m;
	return NULL;
}

const struct nlmsghdr *net_only(const struct net_socket *s, int type, size_t size, struct fault *f)
{
	size_t offset = 0;
	const struct nlmsghdr *m = net_next(s, &offset, type, size);

	if (!m)
		fault_set(f, EBADMSG, "recv", "netlink");
	return m;
}

/* The errno of an NLMSG_ERROR or NLMSG_DONE (0: none), and where the kernel's words about it begin. */
static int error_of(const struct nlmsghdr *m, size_t *words)
{
	int error = 0;

	*words = m->nlmsg_type == NLMSG_ERROR ? sizeof(struct nlmsgerr) : sizeof error;
	if ((size_t)nlmsg_datalen(m) < *words)
		return m->nlmsg_type == NLMSG_ERROR ? EBADMSG : 0;
	memcpy(&error, NLMSG_DATA(m), sizeof error);
	if (m->nlmsg_type == NLMSG_ERROR && error && !(m->nlmsg_flags & NLM_F_CAPPED)) {
		const struct nlmsgerr *e = NLMSG_DATA(m);

		*words += e->msg.nlmsg_len - NLMSG_HDRLEN;
	}
	return error ? net_errno(error) : 0;
}

/* Puts the extended ack's sentence into the fault. */
static void add_words(struct fault *f, const struct nlmsghdr *m, size_t words)
{
	const struct nlattr *a[NLMSGERR_ATTR_MAX + 1];

	if (!f || !(m->nlmsg_flags & NLM_F_ACK_TLVS) || (size_t)nlmsg_datalen(m) < words)
		return;
	net_attributes(m, words, a, NLMSGERR_ATTR_MAX);
	if (a[NLMSGERR_ATTR_MSG])
		snprintf(f->detail, sizeof f->detail, "%.*s", nla_len(a[NLMSGERR_ATTR_MSG]),
			 (const char *)nla_data(a[NLMSGERR_ATTR_MSG]));
}

static int fault_of_op(const struct net_op *op, int error, struct fault *f)
{
	return fault_set(f, error, op->verb->name, "%s", op->subject);
}

/* The fault of 'op' from the message that refused it. */
static int refused(const struct net_socket *s, const struct net_queue *q, const struct net_op *op,
		   const struct nlmsghdr *m, struct fault *f)
{
	const struct nlmsghdr *asked = (const struct nlmsghdr *)(q->data.data + op->offset);
	size_t words;
	int error = error_of(m, &words);

	fault_of_op(op, error, f);
	add_words(f, m, words);
	if (error == EPERM)
		fault_hint(f, "it takes CAP_NET_ADMIN in the user namespace that owns the network namespace");
	else if (f && op->verb->explain)
		op->verb->explain(op, f);
	if (f && error != EPERM && op->verb->detect)
		op->verb->detect(s, asked, f);
	return -error;
}

/* Numbers the messages first to last and asks for the acknowledgement of the last. */
static void give_numbers(struct net_socket *s, struct net_queue *q, size_t first, size_t last)
{
	for (size_t i = first; i <= last; i++) {
		struct nlmsghdr *h = (struct nlmsghdr *)(q->data.data + q->ops[i].offset);

		h->nlmsg_seq = s->sequence + 1 + (uint32_t)(i - first);
		if (i == last)
			h->nlmsg_flags |= NLM_F_ACK;
	}
}

static size_t end_of(const struct net_queue *q, size_t i)
{
	return i + 1 < q->count ? q->ops[i + 1].offset : q->data.length;
}

static int transmit(struct net_socket *s, const struct net_queue *q, size_t first, size_t last)
{
	size_t begin = q->ops[first].offset;
	/* a netlink socket that is not connected sends to the kernel */
	ssize_t n = retry_eintr(send(s->fd, q->data.data + begin, end_of(q, last) - begin, 0));

	return n < 0 ? -errno : 0;
}

/* Why there is no further answer. */
static int no_answer(const struct net_op *op, int error, int lost, struct fault *f)
{
	if (error != EAGAIN || !lost)
		return fault_of_op(op, error, f);
	fault_of_op(op, ENOBUFS, f);
	return fault_hint(
		f, "the socket's receive buffer had no room for the kernel's answer, so that it is not "
		   "known whether this was done");
}

/* Reads until the last message's acknowledgement; the first refusal is the result. After an overrun
 * (ENOBUFS) the first answers are still there. */
static int collect(struct net_socket *s, const struct net_queue *q, size_t first, size_t last,
		   struct fault *f)
{
	size_t offset = s->reply.length = 0;
	int result = 0, lost = 0;

	for (;;) {
		const struct nlmsghdr *m = next_message(s, &offset);
		size_t words, i;
		ssize_t n;
		int error;

		if (!m) {
			offset = s->reply.length = 0;
			n = receive(s);
			lost |= n == -ENOBUFS;
			if (n < 0 && n != -ENOBUFS)
				return result ? result : no_answer(&q->ops[last], (int)-n, lost, f);
			continue;
		}
		i = m->nlmsg_seq - s->sequence - 1;
		if (m->nlmsg_type != NLMSG_ERROR || i > last - first)
			continue; /* late answers to an earlier part */
		error = error_of(m, &words);
		if (error && !result)
			result = refused(s, q, &q->ops[first + i], m, f);
		if (i == last - first)
			return result;
	}
}

static int send_part(struct net_socket *s, struct net_queue *q, size_t first, size_t last, struct fault *f)
{
	int rc;

	give_numbers(s, q, first, last);
	rc = transmit(s, q, first, last);
	if (rc < 0)
		return fault_of_op(&q->ops[first], -rc, f);
	rc = collect(s, q, first, last, f);
	s->sequence += (uint32_t)(last - first + 1);
	return rc;
}

int net_send(struct net_socket *s, struct net_queue *q, struct fault *f)
{
	int rc = 0;

	for (size_t first = 0, last; first < q->count && rc >= 0; first = last + 1) {
		for (last = first; last + 1 < q->count && last + 1 - first < PART_MESSAGES; last++)
			if (end_of(q, last + 1) - q->ops[first].offset > PART_BYTES)
				break;
		rc = send_part(s, q, first, last, f);
	}
	net_queue_reset(q);
	return rc;
}

/* Reads one whole answer. Returns 1 if the table changed meanwhile, or a part of the answer was lost. */
static int gather(struct net_socket *s, const struct net_op *op, struct fault *f)
{
	size_t offset = s->reply.length = 0, words;
	int changed = 0, lost = 0, error;

	for (;;) {
		const struct nlmsghdr *m = next_message(s, &offset);
		ssize_t n;

		if (!m) {
			n = receive(s);
			changed |= lost |= n == -ENOBUFS;
			if (n == -EAGAIN && lost)
				return 1;
			if (n < 0 && n != -ENOBUFS)
				return fault_of_op(op, (int)-n, f);
			continue;
		}
		if (m->nlmsg_seq != s->sequence)
			continue;
		changed |= !!(m->nlmsg_flags & NLM_F_DUMP_INTR);
		if (m->nlmsg_type == NLMSG_ERROR || m->nlmsg_type == NLMSG_DONE) {
			error = error_of(m, &words);
			return error ? refused(s, &s->request, op, m, f) : changed;
		}
		if (!(m->nlmsg_flags & NLM_F_MULTI))
			return 0;
	}
}

/* What is left of an answer that was not read to its end: with it the kernel refuses the next question. */
static void drop_answers(struct net_socket *s)
{
	ssize_t n;

	do {
		s->reply.length = 0;
		n = receive(s);
	} while (n >= 0 || n == -ENOBUFS);
}

int net_query(struct net_socket *s, struct fault *f)
{
	const struct net_op *op = &s->request.ops[0];
	int rc = 1;

	for (int i = 0; i < READ_AGAIN && rc == 1; i++) {
		((struct nlmsghdr *)s->request.data.data)->nlmsg_seq = ++s->sequence;
		rc = transmit(s, &s->request, 0, 0);
		rc = rc < 0 ? fault_of_op(op, -rc, f) : gather(s, op, f);
	}
	if (rc == 1) {
		rc = fault_of_op(op, EAGAIN, f);
		fault_hint(f, "the table changed %d times while it was being read", READ_AGAIN);
	}
	if (rc < 0)
		drop_answers(s);
	net_queue_reset(&s->request);
	return rc;
}

/* ---- attributes ---- */

void net_scan(const void *data, int size, const struct nlattr **attributes, int highest)
{
	const struct nlattr *a = data;

	for (int i = 0; i <= highest; i++)
		attributes[i] = NULL;
	for (; nla_ok(a, size); a = nla_next(a, &size))
		if (nla_type(a) <= highest)
			attributes[nla_type(a)] = a;
}

void net_attributes(const struct nlmsghdr *m, size_t size, const struct nlattr **attributes, int highest)
{
	int left = nlmsg_datalen(m) - (int)NLMSG_ALIGN(size);

	net_scan(nlmsg_attrdata(m, (int)size), left, attributes, highest);
}

void net_nested(const struct nlattr *nest, const struct nlattr **attributes, int highest)
{
	net_scan(nest ? nla_data(nest) : NULL, nest ? nla_len(nest) : 0, attributes, highest);
}

uint32_t net_get_u32(const struct nlattr *a, uint32_t fallback)
{
	uint32_t value;

	if (!a || nla_len(a) < (int)sizeof value)
		return fallback;
	memcpy(&value, nla_data(a), sizeof value);
	return value;
}
