/* Messages as the kernel gets them, byte by byte, and answers as it might send them. */
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "kernel/address.h"
#include "kernel/link.h"
#include "kernel/route.h"
#include "tap.h"

static int same_bytes(const void *got, size_t size, const uint8_t *expected, size_t length, const char *name)
{
	const uint8_t *g = got;
	size_t at = 0;
	int passed;

	while (at < size && at < length && g[at] == expected[at])
		at++;
	passed = ok(size == length && at == length, "%s", name);
	if (!passed)
		printf("# %zu bytes, expected %zu; they differ at %zu (0x%02x)\n", size, length, at,
		       at < size ? g[at] : 0);
	return passed;
}

#define is_message(q, name, ...)                                                                             \
	({                                                                                                   \
		static const uint8_t expected_[] = { __VA_ARGS__ };                                          \
		same_bytes((q)->data.data, (q)->data.length, expected_, sizeof expected_, name);             \
		net_queue_reset(q);                                                                          \
	})

/* RTM_NEWLINK, NLM_F_REQUEST | NLM_F_EXCL | NLM_F_CREATE; no sequence yet. */
#define NEWLINK(length) length, 0, 0, 0, 16, 0, 0x01, 0x06, 0, 0, 0, 0, 0, 0, 0, 0
#define NESTED 0x80
#define U32(value) value, 0, 0, 0

static struct net_socket no_socket = { .fd = -1 };

static struct net_link link_of(const char *name, enum net_kind kind)
{
	struct net_link l;

	net_link_init(&l);
	l.name = name;
	l.kind = kind;
	return l;
}

static void test_veth(struct net_queue *q)
{
	struct net_link l = link_of("v1", NET_VETH);

	l.index = 5;
	l.master.index = 2;
	l.up = 1;
	l.tx_queues = l.rx_queues = l.peer.tx_queues = l.peer.rx_queues = 1;
	l.peer.name = "eth0";
	l.peer.index = 6;
	l.peer.netns = 9;
	l.peer.address = (struct net_mac){ 6, { 2, 0, 0, 0, 0, 1 } };
	is_integer(net_link_add(&no_socket, q, &l, NULL), 0, "a veth is written");
	is_message(q, "a veth's message", NEWLINK(152), 0, 0, 0, 0, U32(5), U32(IFF_UP), U32(IFF_UP),
		   /* IFLA_IFNAME */ 7, 0, 3, 0, 'v', '1', 0, 0,
		   /* IFLA_NUM_TX_QUEUES, IFLA_NUM_RX_QUEUES */ 8, 0, 31, 0, U32(1), 8, 0, 32, 0, U32(1),
		   /* IFLA_MASTER */ 8, 0, 10, 0, U32(2),
		   /* IFLA_LINKINFO */ 88, 0, 18, NESTED, /* IFLA_INFO_KIND */ 9, 0, 1, 0, 'v', 'e', 't', 'h',
		   0, 0, 0, 0,
		   /* IFLA_INFO_DATA, VETH_INFO_PEER */ 72, 0, 2, NESTED, 68, 0, 1, NESTED,
		   /* ifinfomsg */ 0, 0, 0, 0, U32(6), U32(0), U32(0),
		   /* IFLA_IFNAME */ 9, 0, 3, 0, 'e', 't', 'h', '0', 0, 0, 0, 0,
		   /* IFLA_NET_NS_FD */ 8, 0, 28, 0, U32(9),
		   /* IFLA_NUM_TX_QUEUES, IFLA_NUM_RX_QUEUES */ 8, 0, 31, 0, U32(1), 8, 0, 32, 0, U32(1),
		   /* IFLA_ADDRESS */ 10, 0, 1, 0, 2, 0, 0, 0, 0, 1, 0, 0);
}

/* Kinds that the machine's kernel may lack. */
static void test_other_kinds(struct net_queue *q)
{
	struct net_link dummy = link_of("d0", NET_DUMMY), vlan = link_of("v.7", NET_VLAN), ipvlan;

	net_link_add(&no_socket, q, &dummy, NULL);
	is_message(q, "a dummy's message", NEWLINK(56), 0, 0, 0, 0, U32(0), U32(0), U32(0), 7, 0, 3, 0, 'd',
		   '0', 0, 0, /* IFLA_LINKINFO */ 16, 0, 18, NESTED, 10, 0, 1, 0, 'd', 'u', 'm', 'm', 'y', 0,
		   0, 0);
	vlan.link.index = 4;
	vlan.id = 7;
	vlan.vlan.protocol = 0x88a8;
	net_link_add(&no_socket, q, &vlan, NULL);
	is_message(q, "a vlan's message", NEWLINK(84), 0, 0, 0, 0, U32(0), U32(0), U32(0), 8, 0, 3, 0, 'v',
		   '.', '7', 0, /* IFLA_LINK */ 8, 0, 5, 0, U32(4), /* IFLA_LINKINFO */ 36, 0, 18, NESTED, 9,
		   0, 1, 0, 'v', 'l', 'a', 'n', 0, 0, 0, 0, /* IFLA_INFO_DATA */ 20, 0, 2, NESTED,
		   /* IFLA_VLAN_ID */ 6, 0, 1, 0, 7, 0, 0, 0, /* IFLA_VLAN_PROTOCOL */ 6, 0, 5, 0, 0x88, 0xa8,
		   0, 0);
	ipvlan = link_of("i0", NET_IPVLAN);
	ipvlan.link.index = 4;
	ipvlan.mode = IPVLAN_MODE_L3S;
	net_link_add(&no_socket, q, &ipvlan, NULL);
	is_message(q, "an ipvlan's message", NEWLINK(76), 0, 0, 0, 0, U32(0), U32(0), U32(0), 7, 0, 3, 0, 'i',
		   '0', 0, 0, 8, 0, 5, 0, U32(4), /* IFLA_LINKINFO */ 28, 0, 18, NESTED, 11, 0, 1, 0, 'i',
		   'p', 'v', 'l', 'a', 'n', 0, 0, /* IFLA_INFO_DATA */ 12, 0, 2, NESTED,
		   /* IFLA_IPVLAN_MODE */ 6, 0, 1, 0, 2, 0, 0, 0);
}

static void test_too_long(struct net_queue *q)
{
	struct net_link l = link_of("d0", NET_DUMMY);
	static char text[70000];
	struct fault f;

	memset(text, 'x', sizeof text - 1);
	l.alias = text;
	is_integer(net_link_set(&no_socket, q, &l, &f), -EMSGSIZE, "an attribute of 70000 bytes is refused");
	is_string(f.op, "link_set", "its operation");
	is_string(f.subject, "d0", "its subject");
	text[5000] = '\0';
	is_integer(net_link_set(&no_socket, q, &l, &f), -EMSGSIZE, "a message of 5000 bytes is refused");
	is_integer((long long)q->count, 0, "nothing was put into the queue");
}

/* ---- a kernel that answers what it is told to ---- */

struct script {
	struct net_socket socket;
	int kernel;
};

static struct script begin_script(void)
{
	struct script s = { .socket.fd = -1 };
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, pair) < 0)
		exit(1);
	s.socket.fd = pair[0];
	s.kernel = pair[1];
	return s;
}

static void end_script(struct script *s)
{
	close(s->socket.fd);
	close(s->kernel);
	net_release(&s->socket);
}

static void answer_error(struct script *s, uint32_t sequence, int error, const char *words)
{
	struct {
		struct nlmsghdr h;
		struct nlmsgerr e;
		struct nlattr a;
		char words[64];
	} m = { .h = { .nlmsg_len = sizeof m.h + sizeof m.e,
		       .nlmsg_type = NLMSG_ERROR,
		       .nlmsg_seq = sequence,
		       .nlmsg_flags = NLM_F_CAPPED },
		.e.error = -error };

	if (words) {
		m.h.nlmsg_flags |= NLM_F_ACK_TLVS;
		m.a = (struct nlattr){ (uint16_t)(NLA_HDRLEN + strlen(words) + 1), NLMSGERR_ATTR_MSG };
		snprintf(m.words, sizeof m.words, "%s", words);
		m.h.nlmsg_len += NLA_ALIGN(m.a.nla_len);
	}
	if (write(s->kernel, &m, m.h.nlmsg_len) < 0)
		exit(1);
}

static void answer(struct script *s, int type, int flags, uint32_t sequence, int value)
{
	struct {
		struct nlmsghdr h;
		struct ifinfomsg i;
	} m = { { sizeof m, (uint16_t)type, (uint16_t)flags, sequence, 0 }, { .ifi_index = value } };

	if (type == NLMSG_DONE)
		memset(&m.i, 0, sizeof m.i);
	if (write(s->kernel, &m, sizeof m) < 0)
		exit(1);
}

static void fill_batch(struct script *s, struct net_queue *q)
{
	struct net_link l = link_of("v1", NET_DUMMY);
	struct net_ifaddr a = { .link.index = 5,
				.scope = NET_ABSENT,
				.address = { AF_INET, 24, { 10, 0, 0, 2 } } };
	struct net_route r = { .family = AF_INET,
			       .hop = { .gateway = { AF_INET, -1, { 10, 0, 0, 1 } }, .link.index = 5 },
			       .table = NET_ABSENT,
			       .metric = NET_ABSENT,
			       .mtu = NET_ABSENT,
			       .scope = NET_ABSENT,
			       .type = NET_ABSENT,
			       .protocol = NET_ABSENT };

	net_link_add(&s->socket, q, &l, NULL);
	net_address_add(&s->socket, q, &a, NULL);
	net_route_add(&s->socket, q, &r, NULL);
}

static void test_batch(struct net_queue *q)
{
	struct script s = begin_script();
	static const uint8_t address_and_route[] = { /* RTM_NEWADDR, no NLM_F_ACK, second */ 40,
						     0,
						     0,
						     0,
						     20,
						     0,
						     0x01,
						     0x06,
						     U32(2),
						     U32(0),
						     /* ifaddrmsg */ AF_INET,
						     24,
						     0,
						     0,
						     U32(5),
						     /* IFA_LOCAL, IFA_ADDRESS */ 8,
						     0,
						     2,
						     0,
						     10,
						     0,
						     0,
						     2,
						     8,
						     0,
						     1,
						     0,
						     10,
						     0,
						     0,
						     2,
						     /* RTM_NEWROUTE, NLM_F_ACK, third */ 52,
						     0,
						     0,
						     0,
						     24,
						     0,
						     0x05,
						     0x06,
						     U32(3),
						     U32(0),
						     /* rtmsg */ AF_INET,
						     0,
						     0,
						     0,
						     254,
						     3,
						     0,
						     1,
						     U32(0),
						     /* RTA_GATEWAY */ 8,
						     0,
						     5,
						     0,
						     10,
						     0,
						     0,
						     1,
						     /* RTA_OIF */ 8,
						     0,
						     4,
						     0,
						     U32(5),
						     /* RTA_TABLE */ 8,
						     0,
						     15,
						     0,
						     U32(254) };
	uint8_t sent[1024];
	ssize_t n;

	fill_batch(&s, q);
	answer_error(&s, 3, 0, NULL);
	is_integer(net_send(&s.socket, q, NULL), 0, "a batch is acknowledged");
	n = read(s.kernel, sent, sizeof sent);
	is_integer(n, 56 + (long)sizeof address_and_route, "all of a batch comes in one piece");
	is_integer(sent[6], 0x01, "its first message asks for no acknowledgement");
	same_bytes(sent + 56, (size_t)n - 56, address_and_route, sizeof address_and_route,
		   "the rest of the batch");
	is_integer((long long)q->count, 0, "the queue is empty afterwards");
	end_script(&s);
}

static void test_batch_faults(struct net_queue *q)
{
	struct script s = begin_script();
	struct fault f;

	fill_batch(&s, q);
	answer_error(&s, 2, ENODEV, "no device");
	answer_error(&s, 3, ENETUNREACH, "no gateway");
	is_integer(net_send(&s.socket, q, &f), -ENODEV, "the first error of a batch is its error");
	is_string(f.op, "address_add", "with the operation");
	is_string(f.subject, "10.0.0.2/24 dev 5", "with the subject");
	is_string(f.detail, "no device", "with the kernel's words");
	fill_batch(&s, q);
	answer_error(&s, 3, EPERM, NULL);
	is_integer(net_send(&s.socket, q, &f), -EAGAIN, "answers to what was sent before are passed over");
	end_script(&s);
}

/* 300 messages are three parts; the third is not sent when the second fails. */
static void test_parts(struct net_queue *q)
{
	struct script s = begin_script();
	char sent[65536];
	int parts = 0;

	for (int i = 0; i < 300; i++)
		net_link_delete(q, &(struct net_ref){ .index = i + 1 }, NET_ABSENT, NULL);
	answer_error(&s, 128, 0, NULL);
	answer_error(&s, 256, ENODEV, NULL);
	is_integer(net_send(&s.socket, q, NULL), -ENODEV, "an error in the second part");
	while (recv(s.kernel, sent, sizeof sent, MSG_DONTWAIT) > 0)
		parts++;
	is_integer(parts, 2, "the parts behind it are not sent");
	end_script(&s);
}

/* The kernel's answers to a batch that fails do not fit the smallest buffer; the first one does. */
static void test_overrun(struct net_queue *q)
{
	struct net_socket s = { .fd = -1 };
	struct fault f;
	int one = 1;

	if (net_open(&s, -1, &f) < 0 || setsockopt(s.fd, SOL_SOCKET, SO_RCVBUF, &one, sizeof one) < 0)
		exit(1);
	for (int i = 0; i < 100; i++)
		net_link_delete(q, &(struct net_ref){ .index = 1000 + i }, NET_ABSENT, NULL);
	is_integer(net_send(&s, q, &f), -ENODEV, "the first error is there after an overrun");
	is_string(f.subject, "index 1000", "with the subject");
	net_link_delete(q, &(struct net_ref){ .index = 1000 }, NET_ABSENT, NULL);
	is_integer(net_send(&s, q, &f), -ENODEV, "and the socket works on");
	close(s.fd);
	net_release(&s);
}

static void test_dump(void)
{
	struct script s = begin_script();
	struct net_link_filter all = {
		.link.index = NET_ABSENT, .master.index = NET_ABSENT, .kind = NET_ABSENT, .nsid = NET_ABSENT
	};
	const struct nlmsghdr *m;
	size_t offset = 0;

	answer(&s, RTM_NEWLINK, NLM_F_MULTI | NLM_F_DUMP_INTR, 1, 7);
	answer(&s, NLMSG_DONE, NLM_F_MULTI | NLM_F_DUMP_INTR, 1, 0);
	answer(&s, RTM_NEWLINK, NLM_F_MULTI, 2, 8);
	answer(&s, NLMSG_DONE, NLM_F_MULTI, 2, 0);
	is_integer(net_link_query(&s.socket, &all, NULL), 0, "a table that changed is read again");
	m = net_next(&s.socket, &offset, RTM_NEWLINK, sizeof(struct ifinfomsg));
	is_integer(((const struct ifinfomsg *)NLMSG_DATA(m))->ifi_index, 8,
		   "and what was read before forgotten");
	for (uint32_t i = 3; i < 3 + 16; i++)
		answer(&s, NLMSG_DONE, NLM_F_MULTI | NLM_F_DUMP_INTR, i, 0);
	is_integer(net_link_query(&s.socket, &all, NULL), -EAGAIN, "but not without end");
	end_script(&s);
}

/* Whatever comes, reading it ends, within its bounds. */
static void test_garbage(void)
{
	struct net_link_filter all = {
		.link.index = NET_ABSENT, .master.index = NET_ABSENT, .kind = NET_ABSENT, .nsid = NET_ABSENT
	};
	unsigned int seed = 1;
	int ended = 0;

	for (int i = 0; i < 2000; i++) {
		struct script s = begin_script();
		const struct nlattr *a[IFLA_MAX + 1];
		const struct nlmsghdr *m;
		uint8_t bytes[128] = { 128, 0, 0, 0, RTM_NEWLINK, 0, NLM_F_MULTI, 0, 1 };
		size_t offset = 0;

		for (int k = 0; k < 4; k++)
			bytes[rand_r(&seed) % (i % 2 ? 128 : 36)] = (uint8_t)rand_r(&seed);
		if (write(s.kernel, bytes, 1 + (size_t)rand_r(&seed) % sizeof bytes) < 0)
			exit(1);
		answer(&s, NLMSG_DONE, NLM_F_MULTI, 1, 0);
		net_link_query(&s.socket, &all, NULL);
		while ((m = net_next(&s.socket, &offset, RTM_NEWLINK, sizeof(struct ifinfomsg))))
			net_attributes(m, sizeof(struct ifinfomsg), a, IFLA_MAX);
		ended++;
		end_script(&s);
	}
	is_integer(ended, 2000, "garbage is read to its end");
}

/* ---- addresses ---- */

static void test_addresses(void)
{
	struct net_address a;
	struct net_mac mac;
	char text[NET_ADDRESS_TEXT];

	ok(!net_address_parse("10.0.0.2/24", &a) && a.family == AF_INET && a.prefix == 24, "10.0.0.2/24");
	ok(!net_address_parse("fd00::2", &a) && a.family == AF_INET6 && a.prefix == -1, "fd00::2");
	net_address_format(a.family, a.bytes, 64, text);
	is_string(text, "fd00::2/64", "and back");
	ok(!net_address_parse("0.0.0.0/0", &a) && a.prefix == 0, "0.0.0.0/0");
	for (const char **bad = (const char *[]){ "", "/", "10.0.0", "10.0.0.256", "10.0.0.1/", "10.0.0.1/33",
						  "10.0.0.1/x", "10.0.0.1/-1", "10.0.0.1/ 8", "10.0.0.1/0008",
						  "::1/129", ":::", "fe80::1%eth0", "10.0.0.1 ", NULL };
	     *bad; bad++)
		ok(net_address_parse(*bad, &a), "'%s' is refused", *bad);
	ok(!net_mac_parse("02:00:00:00:aB:01", &mac) && mac.bytes[4] == 0xab, "a MAC address");
	for (const char **bad =
		     (const char *[]){ "", "02:00:00:00:00", "02:00:00:00:00:1",
				       "02:00:00:00:00:01:", "0g:00:00:00:00:01", "02-00-00-00-00-01", NULL };
	     *bad; bad++)
		ok(net_mac_parse(*bad, &mac), "'%s' is refused", *bad);
	ok(!net_name_fault("eth0.7") && net_name_fault("") && net_name_fault("a b") &&
		   net_name_fault("a/b") && net_name_fault("a:b") && net_name_fault("v%d") &&
		   net_name_fault(".."),
	   "names of links");
}

int main(void)
{
	struct net_queue q = { 0 };

	test_veth(&q);
	test_other_kinds(&q);
	test_too_long(&q);
	test_batch(&q);
	test_batch_faults(&q);
	test_parts(&q);
	test_overrun(&q);
	test_dump();
	test_garbage();
	test_addresses();
	net_queue_free(&q);
	return done_testing();
}
