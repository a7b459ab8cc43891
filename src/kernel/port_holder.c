/* SPDX-License-Identifier: MIT
 * Who holds a port: sock_diag(7) knows the socket's inode, /proc/PID/fd whose it is.
 */
#include <dirent.h>
#include <fcntl.h>
#include <libmnl/libmnl.h>
#include <linux/inet_diag.h>
#include <linux/sock_diag.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "kernel/netlink_check.h"
#include "kernel/netns_socket.h"
#include "kernel/port.h"
#include "kernel/procfs.h"
#include "kernel/util.h"

/* Of enum tcp_state; the last since Linux 6.8, which older kernels pass over. */
enum { STATE_TIME_WAIT = 6, STATE_CLOSE = 7, STATE_LISTEN = 10, STATE_BOUND_INACTIVE = 13 };

struct search {
	const struct port_place *place;
	struct port_holder *holder;
	uint32_t inode;
	int found;
};

struct request {
	struct nlmsghdr header;
	struct inet_diag_req_v2 diag;
};

/* ---- the socket ---- */

static enum port_state state_of(const struct inet_diag_msg *m)
{
	switch (m->idiag_state) {
	case STATE_LISTEN:
		return PORT_LISTENING;
	case STATE_CLOSE:
	case STATE_BOUND_INACTIVE:
		return PORT_BOUND;
	case STATE_TIME_WAIT:
		return PORT_TIME_WAIT;
	default:
		return PORT_CONNECTED;
	}
}

static int is_v6_only(const struct nlmsghdr *reply)
{
	const struct nlattr *a;

	mnl_attr_for_each(a, reply,
			  sizeof(struct inet_diag_msg)) if (mnl_attr_get_type(a) ==
							    INET_DIAG_SKV6ONLY) return mnl_attr_get_u8(a);
	return 0;
}

/* The local address of a socket, one of IPv4 mapped into IPv6. */
static struct in6_addr local_address(const struct inet_diag_msg *m)
{
	struct in6_addr a = { .s6_addr = { [10] = 0xff, [11] = 0xff } };

	if (m->idiag_family == AF_INET)
		memcpy(&a.s6_addr[12], m->id.idiag_src, 4);
	else
		memcpy(&a, m->id.idiag_src, sizeof a);
	return a;
}

static int is_any(const struct in6_addr *a)
{
	static const struct in6_addr any_v4 = { .s6_addr = { [10] = 0xff, [11] = 0xff } };

	return IN6_IS_ADDR_UNSPECIFIED(a) || !memcmp(a, &any_v4, sizeof any_v4);
}

/* Whether a socket is in the way: of a kind that the place is of, and at its address or at all. */
static int conflicts(const struct port_place *p, const struct nlmsghdr *reply, const struct inet_diag_msg *m)
{
	struct in6_addr a = local_address(m);
	int is_v4 = IN6_IS_ADDR_V4MAPPED(&a), is_both = IN6_IS_ADDR_UNSPECIFIED(&a) && !is_v6_only(reply);

	if (p->family == AF_UNSPEC || (p->family == AF_INET && is_both))
		return 1;
	if (is_v4 != (p->family == AF_INET))
		return 0;
	return is_any(&a) || is_any(&p->address) || !memcmp(&a, &p->address, sizeof a);
}

/* Keeps the one that most likely is what the user knows: a listener before its connections. */
static int consider(const struct nlmsghdr *reply, void *data)
{
	const struct inet_diag_msg *m = mnl_nlmsg_get_payload(reply);
	struct search *s = data;

	if (mnl_nlmsg_get_payload_len(reply) < sizeof *m || m->id.idiag_sport != htons(s->place->port) ||
	    !conflicts(s->place, reply, m) || (s->found && state_of(m) >= s->holder->state))
		return MNL_CB_OK;
	s->found = 1;
	s->inode = m->idiag_inode;
	s->holder->state = state_of(m);
	s->holder->uid = m->idiag_uid;
	return MNL_CB_OK;
}

static int search_family(int fd, uint8_t family, struct search *s)
{
	char buf[8192] __attribute__((aligned(NLMSG_ALIGNTO)));
	struct request r = { .header = { .nlmsg_len = sizeof r,
					 .nlmsg_type = SOCK_DIAG_BY_FAMILY,
					 .nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP,
					 .nlmsg_seq = family },
			     .diag = { .sdiag_family = family,
				       .sdiag_protocol =
					       s->place->protocol == PORT_TCP ? IPPROTO_TCP : IPPROTO_UDP,
				       .idiag_states = UINT32_MAX,
				       .id.idiag_sport = htons(s->place->port) } };
	ssize_t n;

	if (retry_eintr(send(fd, &r, sizeof r, 0)) < 0)
		return -errno;
	do {
		n = retry_eintr(recv(fd, buf, sizeof buf, 0));
		if (n < 0)
			return -errno;
		if (!net_is_whole(buf, (size_t)n))
			return -EBADMSG;
		n = mnl_cb_run(buf, (size_t)n, family, 0, consider, s);
	} while (n > MNL_CB_STOP);
	return n < 0 ? -errno : 0;
}

/* ---- its process ---- */

/* Whether one of the process's descriptors is the socket. */
static int owns(const char *pid, uint32_t inode)
{
	char path[64], wanted[32], link[32];
	struct dirent *entry;
	ssize_t n = 0;
	DIR *dir;
	int found = 0;

	snprintf(wanted, sizeof wanted, "socket:[%u]", inode);
	snprintf(path, sizeof path, "/proc/%.20s/fd", pid);
	dir = opendir(path);
	if (!dir)
		return 0;
	while (!found && (entry = readdir(dir))) {
		n = readlinkat(dirfd(dir), entry->d_name, link, sizeof link - 1);
		link[n < 0 ? 0 : n] = '\0';
		found = !strcmp(link, wanted);
	}
	closedir(dir);
	return found;
}

static void name_process(const char *pid, struct port_holder *h)
{
	h->pid = (pid_t)strtol(pid, NULL, 10);
	proc_name(h->pid, h->command, sizeof h->command);
}

static void find_process(uint32_t inode, struct port_holder *h)
{
	DIR *proc = opendir("/proc");
	struct dirent *entry;

	if (!proc)
		return;
	while (!h->pid && (entry = readdir(proc)))
		if (*entry->d_name >= '1' && *entry->d_name <= '9' && owns(entry->d_name, inode))
			name_process(entry->d_name, h);
	closedir(proc);
}

int port_find_holder(const struct port_place *place, struct port_holder *out)
{
	struct search s = { .place = place, .holder = out };
	cleanup_fd int fd = net_socket_in(-1, AF_NETLINK, SOCK_RAW, NETLINK_SOCK_DIAG, NULL);
	int rc;

	memset(out, 0, sizeof *out);
	if (fd < 0)
		return -errno;
	rc = search_family(fd, AF_INET, &s);
	if (!rc)
		rc = search_family(fd, AF_INET6, &s);
	if (rc < 0 || !s.found)
		return rc;
	if (s.inode)
		find_process(s.inode, out);
	return 1;
}
