/* SPDX-License-Identifier: MIT
 * EEXIST of a link: the kernel says neither whether it is the name or the index, nor of which end, nor where.
 */
#include <errno.h>
#include <linux/ethtool.h>
#include <linux/if.h>
#include <linux/if_link.h>
#include <linux/sockios.h>
#include <linux/veth.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "kernel/detective.h"
#include "kernel/netlink.h"
#include "kernel/netns_socket.h"
#include "kernel/util.h"

/* One link that a message asks for. */
struct wish {
	const char *name; /* or null */
	int index;        /* or 0 */
	int netns;        /* a descriptor; negative: the socket's own namespace */
	int is_peer;
};

static const char *text_of(const struct nlattr *a)
{
	return a && nla_len(a) > 0 && nla_len(a) <= IFNAMSIZ ? nla_data(a) : NULL;
}

static void read_wish(struct wish *w, const struct ifinfomsg *h, const struct nlattr *const *a)
{
	w->name = text_of(a[IFLA_IFNAME]);
	w->index = h->ifi_index;
	w->netns = (int)net_get_u32(a[IFLA_NET_NS_FD], UINT32_MAX);
}

/* The peer's header and attributes are in the data of the kind. */
static int read_peer(struct wish *w, const struct nlattr *const *of_link)
{
	const struct nlattr *info[IFLA_INFO_MAX + 1], *data[VETH_INFO_MAX + 1], *a[IFLA_MAX + 1];
	const struct nlattr *peer;
	size_t header = NLMSG_ALIGN(sizeof(struct ifinfomsg));
	const char *kind;

	net_nested(of_link[IFLA_LINKINFO], info, IFLA_INFO_MAX);
	kind = text_of(info[IFLA_INFO_KIND]);
	if (!kind || strcmp(kind, "veth") != 0)
		return 0;
	net_nested(info[IFLA_INFO_DATA], data, VETH_INFO_MAX);
	peer = data[VETH_INFO_PEER];
	if (!peer || (size_t)nla_len(peer) < header)
		return 0;
	net_scan((const char *)nla_data(peer) + header, nla_len(peer) - (int)header, a, IFLA_MAX);
	read_wish(w, nla_data(peer), a);
	w->is_peer = 1;
	return 1;
}

/* "veth", by the driver; "link" of what has none. */
static void read_kind(int fd, const char *name, char *kind, size_t size)
{
	struct ethtool_drvinfo driver = { .cmd = ETHTOOL_GDRVINFO };
	struct ifreq r = { .ifr_data = (void *)&driver };

	memcpy(r.ifr_name, name, strnlen(name, IFNAMSIZ - 1));
	snprintf(kind, size, "%s",
		 ioctl(fd, SIOCETHTOOL, &r) == 0 && *driver.driver ? driver.driver : "link");
}

/* What has the name or, if that is free, the index. */
static int look_up(int fd, const struct wish *w, char name[IFNAMSIZ], int *index)
{
	struct ifreq r = { .ifr_ifindex = 0 };

	if (w->name)
		memcpy(r.ifr_name, w->name, strnlen(w->name, IFNAMSIZ - 1));
	if (!w->name || ioctl(fd, SIOCGIFINDEX, &r) < 0)
		r.ifr_ifindex = w->index;
	*index = r.ifr_ifindex;
	if (!*index || ioctl(fd, SIOCGIFNAME, &r) < 0)
		return 0;
	memcpy(name, r.ifr_name, IFNAMSIZ);
	return 1;
}

static void describe_place(const struct wish *w, char *place, size_t size)
{
	struct stat st;

	if (w->netns >= 0 && fstat(w->netns, &st) == 0)
		snprintf(place, size, "the %snetwork namespace that it is for, net:[%lu]",
			 w->is_peer ? "peer's " : "", (unsigned long)st.st_ino);
	else
		snprintf(place, size, "this network namespace");
}

/* Returns 1 if the wish is what cannot be. */
static int explain(const struct net_socket *s, const struct wish *w, struct fault *f)
{
	cleanup_fd int there = w->netns < 0 ? -1 : net_socket_in(w->netns, AF_UNIX, SOCK_DGRAM, 0, NULL);
	int fd = w->netns < 0 ? s->fd : there, index;
	char name[IFNAMSIZ], kind[32], place[96];
	const char *what = "name";

	if (fd < 0 || !look_up(fd, w, name, &index))
		return 0;
	if (!w->name || (strcmp(w->name, name) != 0 && index == w->index))
		what = "index";
	read_kind(fd, name, kind, sizeof kind);
	describe_place(w, place, sizeof place);
	fault_hint(f,
		   "a link with this %s%s is there already: %s (%s, index %d), in %s; delete it, or take "
		   "another %s",
		   w->is_peer ? "peer's " : "", what, name, kind, index, place, what);
	return 1;
}

void detect_link(const struct net_socket *s, const struct nlmsghdr *asked, struct fault *f)
{
	const struct nlattr *a[IFLA_MAX + 1];
	const struct ifinfomsg *h = nlmsg_data(asked);
	struct wish link = { .is_peer = 0 }, peer = { .is_peer = 0 };
	int makes = asked->nlmsg_flags & NLM_F_CREATE;

	/* EBUSY of an index that is taken is older kernels' word. */
	if (!f || (f->error != EEXIST && (f->error != EBUSY || !makes)))
		return;
	net_attributes(asked, sizeof *h, a, IFLA_MAX);
	read_wish(&link, h, a);
	/* What is renamed has the index, what is not is said by its name. */
	if (!makes && !link.index)
		return;
	if (!makes)
		link.index = 0;
	if (!explain(s, &link, f) && read_peer(&peer, a))
		explain(s, &peer, f);
}
