/* SPDX-License-Identifier: MIT */
#include "kernel/port.h"

#include <arpa/inet.h>
#include <errno.h>
#include <ifaddrs.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "kernel/util.h"

#define TEXT_SIZE (INET6_ADDRSTRLEN + 20) /* "[address]:port/tcp" */

static const char *const protocol_names[] = { [PORT_TCP] = "tcp", [PORT_UDP] = "udp" };

int port_address(const char *text, struct port_place *place)
{
	struct in_addr v4;

	place->family = AF_UNSPEC;
	if (!text)
		return 0;
	if (inet_pton(AF_INET, text, &v4) == 1) {
		place->family = AF_INET;
		place->address = (struct in6_addr){ .s6_addr = { [10] = 0xff, [11] = 0xff } };
		memcpy(&place->address.s6_addr[12], &v4, sizeof v4);
		return 0;
	}
	place->family = AF_INET6;
	return inet_pton(AF_INET6, text, &place->address) == 1 ? 0 : -EINVAL;
}

/* "8080/tcp", "10.0.0.1:8080/tcp" or "[::1]:8080/tcp". */
static void format_place(const struct port_place *p, char *out)
{
	char address[INET6_ADDRSTRLEN] = "";

	if (p->family == AF_INET)
		inet_ntop(AF_INET, &p->address.s6_addr[12], address, sizeof address);
	else if (p->family == AF_INET6)
		inet_ntop(AF_INET6, &p->address, address, sizeof address);
	snprintf(out, TEXT_SIZE, "%s%s%s%s%u/%s", p->family == AF_INET6 ? "[" : "", address,
		 p->family == AF_INET6 ? "]" : "", *address ? ":" : "", p->port, protocol_names[p->protocol]);
}

/* ---- binding ---- */

/* Each try to make a socket of a family that is not there has the kernel start modprobe: one tells enough. */
static int lacks_ipv6;

/* Every address of both protocols takes one IPv6 socket, or an IPv4 one where there is no IPv6. */
static int make_socket(const struct port_place *p, sa_family_t *family)
{
	int type = (p->protocol == PORT_TCP ? SOCK_STREAM : SOCK_DGRAM) | SOCK_CLOEXEC;
	int only = p->family == AF_INET6, fd;

	if (lacks_ipv6 && p->family == AF_UNSPEC && access("/proc/sys/net/ipv6", F_OK) < 0)
		return socket(*family = AF_INET, type, 0);
	*family = p->family == AF_INET ? AF_INET : AF_INET6;
	fd = socket(*family, type, 0);
	lacks_ipv6 = fd < 0 && errno == EAFNOSUPPORT && *family == AF_INET6;
	if (lacks_ipv6 && p->family == AF_UNSPEC)
		return socket(*family = AF_INET, type, 0);
	if (fd >= 0 && *family == AF_INET6)
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &only, sizeof only);
	return fd;
}

static int bind_socket(int fd, sa_family_t family, const struct port_place *p)
{
	struct sockaddr_in v4 = { .sin_family = AF_INET, .sin_port = htons(p->port) };
	struct sockaddr_in6 v6 = { .sin6_family = AF_INET6, .sin6_port = htons(p->port) };

	if (p->family == AF_INET)
		memcpy(&v4.sin_addr, &p->address.s6_addr[12], sizeof v4.sin_addr);
	if (p->family == AF_INET6)
		v6.sin6_addr = p->address;
	if (family == AF_INET)
		return bind(fd, (struct sockaddr *)&v4, sizeof v4);
	return bind(fd, (struct sockaddr *)&v6, sizeof v6);
}

/* ---- what to do about a failure ---- */

static void hint_holder(const struct port_place *p, struct fault *f)
{
	struct port_holder h;

	if (port_find_holder(p, &h) != 1)
		fault_hint(f,
			   "port %u/%s is held by a socket that this kernel does not tell of: one that is "
			   "bound and does not listen, perhaps another luabox's",
			   p->port, protocol_names[p->protocol]);
	else if (h.state == PORT_TIME_WAIT)
		fault_hint(f,
			   "port %u/%s is kept by a connection that ended less than a minute ago; try again "
			   "then",
			   p->port, protocol_names[p->protocol]);
	else if (h.pid)
		fault_hint(f, "port %u/%s is held by %s (pid %d)", p->port, protocol_names[p->protocol],
			   h.command, (int)h.pid);
	else
		fault_hint(f, "port %u/%s is held by a process of user %u that cannot be seen from here",
			   p->port, protocol_names[p->protocol], (unsigned int)h.uid);
}

static void append_address(char *list, size_t size, const struct sockaddr *a)
{
	char text[INET6_ADDRSTRLEN] = "";
	size_t used = strlen(list);

	if (a && a->sa_family == AF_INET)
		inet_ntop(AF_INET, &((const struct sockaddr_in *)a)->sin_addr, text, sizeof text);
	else if (a && a->sa_family == AF_INET6)
		inet_ntop(AF_INET6, &((const struct sockaddr_in6 *)a)->sin6_addr, text, sizeof text);
	if (*text)
		snprintf(list + used, size - used, "%s%s", used ? ", " : "", text);
}

static void hint_addresses(struct fault *f)
{
	char list[300] = "";
	struct ifaddrs *all;

	if (getifaddrs(&all) < 0)
		return;
	for (const struct ifaddrs *a = all; a; a = a->ifa_next)
		append_address(list, sizeof list, a->ifa_addr);
	freeifaddrs(all);
	if (*list)
		fault_hint(f, "it is not an address of this host, or not ready yet; there are %s", list);
	else
		fault_hint(f, "it is not an address of this host, which has none");
}

static int explain(int error, const char *op, const struct port_place *p, struct fault *f)
{
	char text[TEXT_SIZE];

	format_place(p, text);
	fault_set(f, error, op, "%s", text);
	if (error == EADDRINUSE)
		hint_holder(p, f);
	else if (error == EADDRNOTAVAIL)
		hint_addresses(f);
	else if (error == EACCES)
		fault_hint(f, "ports below net.ipv4.ip_unprivileged_port_start take CAP_NET_BIND_SERVICE");
	else if (error == EMFILE)
		fault_hint(f, "each port takes a descriptor; raise the limit nofile");
	else if (error == EINVAL && p->family == AF_INET6)
		fault_hint(f, "a link-local address is one only together with a link; claim '::' instead");
	return -error;
}

int port_claim(const struct port_place *place, struct fault *f)
{
	sa_family_t family;
	cleanup_fd int fd = make_socket(place, &family);

	if (fd < 0)
		return explain(errno, "socket", place, f);
	if (bind_socket(fd, family, place) < 0)
		return explain(errno, "bind", place, f);
	return take_fd(&fd);
}
