/* SPDX-License-Identifier: MIT */
#include "kernel/keep_net.h"

#include <arpa/inet.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "kernel/util.h"

#define REPLY 8192

static int open_socket(int protocol)
{
	struct timeval patience = { .tv_sec = 5 };
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, protocol);

	if (fd >= 0)
		setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
	return fd < 0 ? -errno : fd;
}

/* Sends and waits for the one answer: 0 or the kernel's -errno. */
static int transact(int protocol, const void *message, size_t length)
{
	cleanup_fd int fd = open_socket(protocol);
	char reply[REPLY] __attribute__((aligned(NLMSG_ALIGNTO)));
	const struct nlmsghdr *h = (void *)reply;
	ssize_t n;

	if (fd < 0)
		return fd;
	if (retry_eintr(send(fd, message, length, 0)) < 0)
		return -errno;
	n = retry_eintr(recv(fd, reply, sizeof reply, 0));
	if (n < 0)
		return -errno;
	if (!NLMSG_OK(h, (unsigned int)n) || h->nlmsg_type != NLMSG_ERROR)
		return -EPROTO;
	return ((const struct nlmsgerr *)NLMSG_DATA(h))->error;
}

/* ---- links ---- */

static int parse(const char *arg, unsigned int *number, const char **name, size_t longest)
{
	int n = 0;

	if (sscanf(arg, "%u %n", number, &n) != 1 || !n || !arg[n] || strlen(arg + n) >= longest)
		return -EINVAL;
	*name = arg + n;
	return 0;
}

int keep_link_check(const char *arg)
{
	unsigned int index;
	const char *name;

	if (parse(arg, &index, &name, IFNAMSIZ) < 0)
		return -EINVAL;
	if (if_nametoindex(name))
		return -EEXIST;
	return errno == ENODEV ? 0 : -errno;
}

int keep_link_delete(const char *arg)
{
	struct {
		struct nlmsghdr h;
		struct ifinfomsg i;
	} m = { { sizeof m, RTM_DELLINK, NLM_F_REQUEST | NLM_F_ACK, 1, 0 }, { 0 } };
	unsigned int index, now;
	const char *name;
	int rc;

	if (parse(arg, &index, &name, IFNAMSIZ) < 0)
		return -EINVAL;
	now = if_nametoindex(name);
	if (!now)
		return errno == ENODEV ? 0 : -errno;
	if (index && index != now)
		return 0;
	m.i.ifi_index = (int)now;
	rc = transact(NETLINK_ROUTE, &m, sizeof m);
	return rc == -ENODEV ? 0 : rc;
}

/* ---- tables ---- */

struct nft_message {
	struct nlmsghdr h;
	struct nfgenmsg g;
};

static size_t add_message(char *buf, size_t at, int type, int flags, unsigned int family,
			  unsigned int resource)
{
	struct nft_message m = { { sizeof m, (unsigned short)type, (unsigned short)(NLM_F_REQUEST | flags), 1,
				   0 },
				 { (unsigned char)family, NFNETLINK_V0, htons((unsigned short)resource) } };

	memcpy(buf + at, &m, sizeof m);
	return at + sizeof m;
}

static size_t add_name(char *buf, size_t at, size_t message, const char *name)
{
	struct nlattr a = { (unsigned short)(NLA_HDRLEN + strlen(name) + 1), NFTA_TABLE_NAME };
	struct nlmsghdr *h = (void *)(buf + message);

	memcpy(buf + at, &a, sizeof a);
	memcpy(buf + at + sizeof a, name, strlen(name) + 1);
	h->nlmsg_len += NLA_ALIGN(a.nla_len);
	return at + NLA_ALIGN(a.nla_len);
}

int keep_table_check(const char *arg)
{
	unsigned int family;
	const char *name;

	return parse(arg, &family, &name, NFT_TABLE_MAXNAMELEN);
}

/* One transaction of one message. The kernel answers it alone, not its begin and end. */
int keep_table_delete(const char *arg)
{
	char buf[512] __attribute__((aligned(NLMSG_ALIGNTO))) = { 0 };
	unsigned int family;
	const char *name;
	size_t at, begin;
	int rc;

	if (parse(arg, &family, &name, NFT_TABLE_MAXNAMELEN) < 0)
		return -EINVAL;
	begin = at = add_message(buf, 0, NFNL_MSG_BATCH_BEGIN, 0, 0, NFNL_SUBSYS_NFTABLES);
	at = add_message(buf, at, NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_DELTABLE, NLM_F_ACK, family, 0);
	at = add_name(buf, at, begin, name);
	at = add_message(buf, at, NFNL_MSG_BATCH_END, 0, 0, NFNL_SUBSYS_NFTABLES);
	rc = transact(NETLINK_NETFILTER, buf, at);
	return rc == -ENOENT ? 0 : rc;
}
