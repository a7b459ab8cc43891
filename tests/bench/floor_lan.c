/* SPDX-License-Identifier: MIT
 * The least that a LAN costs: raw netlink, no library. A bridge here, N network namespaces
 * held by descriptor, a veth pair each with its end on the bridge; lo and eth0 up, an address, a route.
 *
 * floor_lan N: prints "up", waits for the end of stdin, takes all down.
 */
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <linux/veth.h>
#include <net/if.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define BRIDGE_INDEX 1000000
#define GROUP 7
#define NETWORK 0x0a400000u /* 10.64.0.0/16, the bridge is 10.64.0.1 */

struct message {
	_Alignas(struct nlmsghdr) char bytes[2048];
	size_t length;
	struct nlmsghdr *last;
};

static void *append(struct message *m, const void *data, size_t size)
{
	void *at = m->bytes + m->length;

	if (data)
		memcpy(at, data, size);
	else
		memset(at, 0, size);
	m->length += NLMSG_ALIGN(size);
	m->last->nlmsg_len = (uint32_t)(m->bytes + m->length - (char *)m->last);
	return at;
}

static void begin(struct message *m, uint16_t type, uint16_t flags, const void *body, size_t size)
{
	m->last = (struct nlmsghdr *)(m->bytes + m->length);
	append(m, NULL, sizeof *m->last);
	m->last->nlmsg_type = type;
	m->last->nlmsg_flags = NLM_F_REQUEST | flags;
	append(m, body, size);
}

static struct rtattr *attribute(struct message *m, uint16_t type, const void *data, size_t size)
{
	struct rtattr *a = append(m, NULL, sizeof *a);

	a->rta_type = type;
	a->rta_len = (unsigned short)RTA_LENGTH(size);
	if (size)
		append(m, data, size);
	return a;
}

static void number(struct message *m, uint16_t type, uint32_t value)
{
	attribute(m, type, &value, sizeof value);
}

static void text(struct message *m, uint16_t type, const char *value)
{
	attribute(m, type, value, strlen(value) + 1);
}

static void end(struct message *m, struct rtattr *nest)
{
	nest->rta_len = (unsigned short)(m->bytes + m->length - (char *)nest);
}

static int open_socket(void)
{
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE), size = 1 << 20;

	if (fd < 0)
		err(1, "socket");
	setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof size);
	return fd;
}

/* Sends all and waits for the one acknowledgement, which the last message asks for. */
static void send_all(int fd, struct message *m)
{
	struct {
		struct nlmsghdr header;
		struct nlmsgerr error;
		char rest[4096];
	} reply;

	m->last->nlmsg_flags |= NLM_F_ACK;
	if (send(fd, m->bytes, m->length, 0) < 0 || recv(fd, &reply, sizeof reply, 0) < 0)
		err(1, "netlink");
	if (reply.header.nlmsg_type != NLMSG_ERROR || reply.error.error) {
		errno = -reply.error.error;
		err(1, "netlink: message of type %d", reply.error.msg.nlmsg_type);
	}
	*m = (struct message){ .length = 0 };
}

static void set_up(struct message *m, int index)
{
	struct ifinfomsg i = { .ifi_index = index, .ifi_flags = IFF_UP, .ifi_change = IFF_UP };

	begin(m, RTM_NEWLINK, 0, &i, sizeof i);
}

/* No IPv6 address of its own: the search for duplicates of it would flood every port. In a
 * message of its own before the link is up, since one message sets up first. */
static void no_ipv6(struct message *m, int index)
{
	struct ifinfomsg i = { .ifi_index = index };
	uint8_t none = IN6_ADDR_GEN_MODE_NONE;
	struct rtattr *spec, *inet6;

	begin(m, RTM_NEWLINK, 0, &i, sizeof i);
	spec = attribute(m, IFLA_AF_SPEC, NULL, 0);
	inet6 = attribute(m, AF_INET6, NULL, 0);
	attribute(m, IFLA_INET6_ADDR_GEN_MODE, &none, sizeof none);
	end(m, inet6);
	end(m, spec);
}

static void add_bridge(int fd)
{
	struct message m = { .length = 0 };
	struct ifinfomsg i = { .ifi_index = BRIDGE_INDEX };
	struct ifaddrmsg a = { AF_INET, 16, 0, 0, BRIDGE_INDEX };
	uint32_t address = htobe32(NETWORK + 1);
	struct rtattr *nest;

	begin(&m, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, &i, sizeof i);
	text(&m, IFLA_IFNAME, "lan");
	number(&m, IFLA_GROUP, GROUP);
	nest = attribute(&m, IFLA_LINKINFO, NULL, 0);
	text(&m, IFLA_INFO_KIND, "bridge");
	end(&m, nest);
	no_ipv6(&m, BRIDGE_INDEX);
	set_up(&m, BRIDGE_INDEX);
	begin(&m, RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL, &a, sizeof a);
	number(&m, IFA_LOCAL, address);
	number(&m, IFA_ADDRESS, address);
	send_all(fd, &m);
}

static void one_queue(struct message *m)
{
	number(m, IFLA_NUM_TX_QUEUES, 1);
	number(m, IFLA_NUM_RX_QUEUES, 1);
}

/* The end on the bridge is born here and up, the other as eth0 in the namespace, index 2. */
static void add_pair(int fd, int node, int netns)
{
	struct message m = { .length = 0 };
	struct ifinfomsg i = { .ifi_index = BRIDGE_INDEX + 1 + node,
			       .ifi_flags = IFF_UP,
			       .ifi_change = IFF_UP };
	struct ifinfomsg peer = { .ifi_index = 2 };
	struct rtattr *info, *data, *veth;
	char name[IFNAMSIZ];

	snprintf(name, sizeof name, "node%d", node);
	begin(&m, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, &i, sizeof i);
	text(&m, IFLA_IFNAME, name);
	number(&m, IFLA_MASTER, BRIDGE_INDEX);
	number(&m, IFLA_GROUP, GROUP);
	one_queue(&m);
	info = attribute(&m, IFLA_LINKINFO, NULL, 0);
	text(&m, IFLA_INFO_KIND, "veth");
	data = attribute(&m, IFLA_INFO_DATA, NULL, 0);
	veth = attribute(&m, VETH_INFO_PEER, NULL, 0);
	append(&m, &peer, sizeof peer);
	text(&m, IFLA_IFNAME, "eth0");
	number(&m, IFLA_NET_NS_FD, (uint32_t)netns);
	one_queue(&m);
	end(&m, veth);
	end(&m, data);
	end(&m, info);
	no_ipv6(&m, BRIDGE_INDEX + 1 + node);
	send_all(fd, &m);
}

static void configure(int fd, int node)
{
	struct message m = { .length = 0 };
	struct ifaddrmsg a = { AF_INET, 16, 0, 0, 2 };
	struct rtmsg r = { .rtm_family = AF_INET,
			   .rtm_table = RT_TABLE_MAIN,
			   .rtm_protocol = RTPROT_STATIC,
			   .rtm_type = RTN_UNICAST };
	uint32_t address = htobe32(NETWORK + 2 + (uint32_t)node);

	set_up(&m, 1);
	no_ipv6(&m, 2);
	set_up(&m, 2);
	begin(&m, RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL, &a, sizeof a);
	number(&m, IFA_LOCAL, address);
	number(&m, IFA_ADDRESS, address);
	begin(&m, RTM_NEWROUTE, NLM_F_CREATE | NLM_F_EXCL, &r, sizeof r);
	number(&m, RTA_GATEWAY, htobe32(NETWORK + 1));
	send_all(fd, &m);
}

static int add_node(int host, int node)
{
	int netns, fd;

	if (unshare(CLONE_NEWNET))
		err(1, "unshare");
	netns = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
	if (netns < 0)
		err(1, "open");
	fd = open_socket();
	add_pair(host, node, netns);
	configure(fd, node);
	close(fd);
	return netns;
}

/* One request for the whole group: one by one each link waits for a grace period. */
static void delete_group(int fd)
{
	struct message m = { .length = 0 };
	struct ifinfomsg i = { 0 };

	begin(&m, RTM_DELLINK, 0, &i, sizeof i);
	number(&m, IFLA_GROUP, GROUP);
	send_all(fd, &m);
}

int main(int argc, char **argv)
{
	int count = argc == 2 ? atoi(argv[1]) : 0, fd = open_socket();
	char c;

	if (count < 1)
		errx(2, "usage: floor_lan N");
	add_bridge(fd);
	for (int i = 0; i < count; i++)
		add_node(fd, i);
	if (write(STDOUT_FILENO, "up\n", 3) != 3)
		err(1, "write");
	while (read(STDIN_FILENO, &c, 1) > 0)
		;
	delete_group(fd);
	return 0;
}
