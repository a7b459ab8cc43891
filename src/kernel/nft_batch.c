/* SPDX-License-Identifier: MIT */
#include "kernel/nft_batch.h"

#include <libmnl/libmnl.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <string.h>
#include <sys/socket.h>

#include "kernel/netlink_check.h"
#include "kernel/netns_socket.h"
#include "kernel/nft_hint.h"
#include "kernel/util.h"

#define HEADER (MNL_ALIGN(sizeof(struct nlmsghdr)) + MNL_ALIGN(sizeof(struct nfgenmsg)))

int nft_open(int netns, struct fault *f)
{
	cleanup_fd int fd = net_socket_in(netns, AF_NETLINK, SOCK_RAW, NETLINK_NETFILTER, f);
	int on = 1;

	if (fd < 0)
		return fd;
	/* both since Linux 4.12; an older kernel answers without them */
	setsockopt(fd, SOL_NETLINK, NETLINK_EXT_ACK, &on, sizeof on);
	setsockopt(fd, SOL_NETLINK, NETLINK_CAP_ACK, &on, sizeof on);
	return take_fd(&fd);
}

/* ---- collecting ---- */

/* Makes '*p' hold 'need' items of 'each' bytes, the new ones zero: nobody writes the padding
 * between attributes. At least doubles. */
static int grow(struct nft_batch *b, void *p, size_t *size, size_t need, size_t each)
{
	size_t wanted = need > 2 * *size ? need : 2 * *size;
	void *bigger;

	if (need <= *size)
		return 0;
	bigger = realloc(*(void **)p, wanted * each);
	if (!bigger)
		return b->error = -ENOMEM;
	memset((char *)bigger + *size * each, 0, (wanted - *size) * each);
	*(void **)p = bigger;
	*size = wanted;
	return 0;
}

static struct nlmsghdr *put_header(struct nft_batch *b, int type, uint8_t family, int flags, int resource)
{
	struct nlmsghdr *message = mnl_nlmsg_put_header(b->data + b->length);
	struct nfgenmsg *nfg = mnl_nlmsg_put_extra_header(message, sizeof *nfg);

	message->nlmsg_type = (uint16_t)type;
	message->nlmsg_flags = (uint16_t)(NLM_F_REQUEST | flags);
	message->nlmsg_seq = (uint32_t)b->count;
	nfg->nfgen_family = family;
	nfg->version = NFNETLINK_V0;
	nfg->res_id = htobe16((uint16_t)resource);
	return message;
}

/* The marks of the batch carry the numbers 0 and UINT32_MAX; a message's number is its place + 1. */
static int put_mark(struct nft_batch *b, int type)
{
	struct nlmsghdr *message;

	if (b->error || grow(b, &b->data, &b->size, b->length + HEADER, 1))
		return b->error;
	message = put_header(b, type, AF_UNSPEC, 0, NFNL_SUBSYS_NFTABLES);
	message->nlmsg_seq = type == NFNL_MSG_BATCH_BEGIN ? 0 : UINT32_MAX;
	b->length += message->nlmsg_len;
	return 0;
}

struct nlmsghdr *nft_batch_begin(struct nft_batch *b, int type, uint8_t family, int flags, size_t room)
{
	if (!b->length && put_mark(b, NFNL_MSG_BATCH_BEGIN))
		return NULL;
	if (b->error || grow(b, &b->messages, &b->room, b->count + 1, sizeof *b->messages) ||
	    grow(b, &b->data, &b->size, b->length + HEADER + room, 1))
		return NULL;
	b->messages[b->count++] = (struct nft_message){ b->length, b->operation, 0 };
	return put_header(b, NFNL_SUBSYS_NFTABLES << 8 | type, family, flags, 0);
}

void nft_batch_end(struct nft_batch *b, const struct nlmsghdr *message)
{
	b->length += MNL_ALIGN(message->nlmsg_len);
}

void nft_batch_free(struct nft_batch *b)
{
	free(b->data);
	free(b->messages);
	memset(b, 0, sizeof *b);
}

/* ---- sending ---- */

/* The kernel copies a transaction into one buffer, which must fit the socket's. */
static void make_room(int fd, size_t length)
{
	int size = 0, wanted = (int)(length + 4096);
	socklen_t n = sizeof size;

	if (getsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, &n) == 0 && size >= wanted)
		return;
	if (setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &wanted, sizeof wanted) < 0)
		setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &wanted, sizeof wanted);
}

static int send_batch(int fd, const struct nft_batch *b, struct fault *f)
{
	struct sockaddr_nl kernel = { .nl_family = AF_NETLINK };
	int error;

	make_room(fd, b->length);
	if (retry_eintr(sendto(fd, b->data, b->length, 0, (struct sockaddr *)&kernel, sizeof kernel)) >= 0)
		return 0;
	error = errno;
	fault_set(f, error, "nft", "a transaction of %zu bytes", b->length);
	if (error == EMSGSIZE)
		fault_hint(f, "it does not fit the socket's send buffer (net.core.wmem_max), which only root "
			      "of the first user namespace may exceed; apply it in parts");
	return -error;
}

int nft_receive(int fd, void *buf, size_t size, int flags)
{
	struct sockaddr_nl from = { 0 };
	struct iovec iov = { buf, size - 1 };
	struct msghdr m = { .msg_name = &from, .msg_namelen = sizeof from, .msg_iov = &iov, .msg_iovlen = 1 };
	ssize_t n;

	do {
		n = retry_eintr(recvmsg(fd, &m, flags));
		if (n < 0)
			return -errno;
	} while (from.nl_pid != 0);
	((char *)buf)[n] = '\0';
	if (m.msg_flags & MSG_TRUNC)
		return -EMSGSIZE;
	return net_is_whole(buf, (size_t)n) ? (int)n : -EBADMSG;
}

/* The first error among the answers in 'buf', or null. */
static const struct nlmsghdr *find_error(const void *buf, int length)
{
	const struct nlmsghdr *reply = buf;

	for (; mnl_nlmsg_ok(reply, length); reply = mnl_nlmsg_next(reply, &length)) {
		const struct nlmsgerr *e = mnl_nlmsg_get_payload(reply);

		if (reply->nlmsg_type == NLMSG_ERROR && mnl_nlmsg_get_payload_len(reply) >= sizeof *e &&
		    e->error)
			return reply;
	}
	return NULL;
}

/* Tells which operation an error answers, and what it was about. */
static int report(const struct nft_batch *b, const struct nlmsghdr *reply, int64_t *operation,
		  struct fault *f)
{
	const struct nlmsgerr *e = mnl_nlmsg_get_payload(reply);
	uint32_t number = e->msg.nlmsg_seq;
	const struct nft_message *m;

	*operation = -1;
	if (number < 1 || number > b->count) {
		nft_hint_batch(f, net_errno(e->error));
		return -f->error;
	}
	m = &b->messages[number - 1];
	*operation = m->operation;
	nft_hint_message(f, (const struct nlmsghdr *)(b->data + m->offset), m->element, reply);
	return -f->error;
}

/* The kernel has answered by the time that the send returns: the acknowledgement of
 * the last message, or one error for each that failed, first things first. */
static int read_answers(int fd, const struct nft_batch *b, int64_t *operation, struct fault *f)
{
	char buf[8192] __attribute__((aligned(NLMSG_ALIGNTO)));
	const struct nlmsghdr *error;
	int n, rc = 0, answered = 0;

	*operation = -1;
	while ((n = nft_receive(fd, buf, sizeof buf, MSG_DONTWAIT)) != -EAGAIN) {
		if (n < 0 && n != -ENOBUFS)
			return fault_set(f, -n, "recvmsg", "nft");
		if (n < 0)
			continue;
		answered = 1;
		error = rc ? NULL : find_error(buf, n);
		if (error)
			rc = report(b, error, operation, f);
	}
	return rc || answered ? rc : fault_set(f, EPROTO, "nft", "a transaction without an answer");
}

int nft_batch_commit(int fd, struct nft_batch *b, int64_t *operation, struct fault *f)
{
	struct nlmsghdr *last;
	int rc;

	*operation = -1;
	if (!b->count && !b->error)
		return 0;
	if (put_mark(b, NFNL_MSG_BATCH_END))
		return fault_set(f, ENOMEM, "nft", "a transaction");
	last = (struct nlmsghdr *)(b->data + b->messages[b->count - 1].offset);
	last->nlmsg_flags |= NLM_F_ACK;
	rc = send_batch(fd, b, f);
	return rc < 0 ? rc : read_answers(fd, b, operation, f);
}
