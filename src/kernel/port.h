/* SPDX-License-Identifier: MIT
 * Ports of this host: keeping one by a bound socket, and who holds one
 * (bind(2), sock_diag(7)).
 */
#ifndef LUABOX_PORT_H
#define LUABOX_PORT_H

#include <netinet/in.h>
#include <stdint.h>
#include <sys/types.h>

#include "kernel/fault.h"

enum port_protocol { PORT_TCP, PORT_UDP };

/* Where a port is. AF_UNSPEC stands for every address, of IPv4 and IPv6. */
struct port_place {
	enum port_protocol protocol;
	sa_family_t family;      /* AF_UNSPEC, AF_INET or AF_INET6 */
	struct in6_addr address; /* of AF_INET: mapped into IPv6 */
	uint16_t port;
};

enum port_state { PORT_LISTENING, PORT_BOUND, PORT_CONNECTED, PORT_TIME_WAIT };

struct port_holder {
	enum port_state state;
	pid_t pid; /* 0: not to be found (another user's, another pid namespace's, or gone) */
	uid_t uid;
	char command[32];
};

/* Reads an address; null is every address. Returns 0 or -EINVAL. */
int port_address(const char *text, struct port_place *place);

/* Binds a socket, which does not listen, to the place: as long as it is open nobody
 * else can. No address is reused, so it also fails while connections of the port's
 * former holder linger. EADDRINUSE names the holder. Returns a descriptor or -errno. */
int port_claim(const struct port_place *place, struct fault *f);

/* Who is in the way of claiming 'place'. Returns 1, 0 if nobody is, or -errno. */
int port_find_holder(const struct port_place *place, struct port_holder *out);

#endif
