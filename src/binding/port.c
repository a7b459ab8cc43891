/* SPDX-License-Identifier: MIT */
/***
Ports of this host: keeping one that is published elsewhere, and who holds one.
@module luabox.sys.port
@see ip(7)
*/
#include "kernel/port.h"

#include <stdlib.h>
#include <string.h>

#include "binding/binding.h"
#include "kernel/util.h"

#define CLAIM_TYPE "luabox.port"

/* A claim's first descriptor is the handle's, the others are here. */
struct claim {
	struct box_fd first;
	int *others; /* owned */
	int count;
};

struct options {
	int64_t port, count, protocol;
	const char *address;
};

static const struct box_name protocols[] = { { "tcp", PORT_TCP }, { "udp", PORT_UDP }, { NULL } };

static const struct box_opt claim_options[] = {
	{ "port", BOX_INT, offsetof(struct options, port), 1, 1, UINT16_MAX },
	{ "count", BOX_INT, offsetof(struct options, count), 0, 1, UINT16_MAX },
	{ "address", BOX_STRING, offsetof(struct options, address) },
	{ "protocol", BOX_ENUM, offsetof(struct options, protocol), .names = protocols },
	{ 0 }
};

static const struct box_opt holder_options[] = {
	{ "port", BOX_INT, offsetof(struct options, port), 1, 1, UINT16_MAX },
	{ "address", BOX_STRING, offsetof(struct options, address) },
	{ "protocol", BOX_ENUM, offsetof(struct options, protocol), .names = protocols },
	{ 0 }
};

static struct port_place read_place(lua_State *L, const struct box_opt *opts, struct options *o)
{
	struct port_place place = { 0 };

	o->count = 1;
	o->protocol = PORT_TCP;
	box_options(L, 1, opts, o);
	place.port = (uint16_t)o->port;
	place.protocol = (enum port_protocol)o->protocol;
	if (port_address(o->address, &place) < 0)
		box_option_error(L, 1, NULL, "address", "'%.80s' is not an address", o->address);
	if (o->port + o->count - 1 > UINT16_MAX)
		box_option_error(L, 1, NULL, "count", "%d ports from %d on go beyond %d", (int)o->count,
				 (int)o->port, UINT16_MAX);
	return place;
}

/* Closes all but the first, which the handle closes itself. */
static int close_others(lua_State *L)
{
	struct claim *c = lua_touserdata(L, 1);

	for (int i = 0; i < c->count; i++)
		util_close(c->others[i]);
	free(c->others);
	c->others = NULL;
	c->count = 0;
	return 0;
}

static int claim_others(struct claim *c, struct port_place place, int count, struct fault *f)
{
	c->others = malloc((size_t)count * sizeof *c->others);
	if (!c->others)
		return fault_set(f, ENOMEM, "claim", "%d ports", count);
	while (c->count < count) {
		int fd;

		place.port++;
		fd = port_claim(&place, f);
		if (fd < 0)
			return fd;
		c->others[c->count++] = fd;
	}
	return 0;
}

/* A claim that failed is closed at once: the ports must be free again. */
static int raise_closed(lua_State *L, struct claim *c, const struct fault *f)
{
	close_others(L);
	util_close(c->first.fd);
	c->first.fd = -1;
	return box_raise(L, f);
}

/***
Keeps ports: nobody else on this host can bind them as long as the handle is open. The
sockets are bound and do not listen, so that a packet for a published port that was not
rewritten is refused, not swallowed. Of several ports all are claimed or none.
@function claim
@tparam table options
@tparam integer options.port 1 to 65535; the first of several
@tparam[opt=1] integer options.count as many ports from there on; each takes a descriptor
@tparam[opt] string options.address default: every address, of IPv4 and IPv6; `"0.0.0.0"` is every one of
IPv4 and `"::"` every one of IPv6
@tparam[opt="tcp"] string options.protocol `tcp` or `udp`
@treturn luabox.port
@raise luabox.error: EADDRINUSE, whose hint names the process that holds the port; EADDRNOTAVAIL, whose
hint lists the host's addresses; EACCES for a port that only root may bind; EMFILE
@see bind(2)
@usage local claim <close> = luabox.sys.port.claim { port = 8080 }
local ok, e = pcall(luabox.sys.port.claim, { port = 8080, address = "127.0.0.1" })
assert(e.code == "EADDRINUSE")
*/
static int port_claim_lua(lua_State *L)
{
	struct options o = { 0 };
	struct port_place place = read_place(L, claim_options, &o);
	struct claim *c;
	struct fault f;

	lua_settop(L, 1);
	box_handle_type(L, CLAIM_TYPE, NULL, close_others);
	c = box_handle_new(L, CLAIM_TYPE, sizeof *c);
	lua_replace(L, 1);
	c->first.fd = port_claim(&place, &f);
	if (c->first.fd < 0 || (o.count > 1 && claim_others(c, place, (int)o.count - 1, &f) < 0))
		return raise_closed(L, c, &f);
	return 1;
}

/***
Who holds a port, that is who would make `claim` fail with the same options.
@function holder
@tparam table options
@tparam integer options.port
@tparam[opt] string options.address default: every address
@tparam[opt="tcp"] string options.protocol `tcp` or `udp`
@treturn ?table nil if the port is free; else `uid`; `state`: listening, bound, connected or time-wait (then
there is no process any more); `pid` and `command`, where the process can be seen from here. Before Linux
6.8 a TCP socket that is bound and does not listen is not found.
@raise luabox.error
@see sock_diag(7)
@usage local claim <close> = luabox.sys.port.claim { port = 8080 }
assert(luabox.sys.port.holder { port = 8081 } == nil)
*/
static int port_holder_lua(lua_State *L)
{
	static const char *const states[] = { [PORT_LISTENING] = "listening",
					      [PORT_BOUND] = "bound",
					      [PORT_CONNECTED] = "connected",
					      [PORT_TIME_WAIT] = "time-wait" };
	struct options o = { 0 };
	struct port_place place = read_place(L, holder_options, &o);
	struct port_holder h;
	int rc = port_find_holder(&place, &h);

	if (rc <= 0)
		return rc < 0 ? box_fail(L, rc, "sock_diag", NULL) : 0;
	lua_createtable(L, 0, 4);
	lua_pushinteger(L, h.uid);
	lua_setfield(L, -2, "uid");
	lua_pushstring(L, states[h.state]);
	lua_setfield(L, -2, "state");
	if (h.pid) {
		lua_pushinteger(L, h.pid);
		lua_setfield(L, -2, "pid");
		lua_pushstring(L, h.command);
		lua_setfield(L, -2, "command");
	}
	return 1;
}

static const luaL_Reg functions[] = { { "claim", port_claim_lua },
				      { "holder", port_holder_lua },
				      { NULL, NULL } };

BOX_MODULE(port)
{
	luaL_newlib(L, functions);
	return 1;
}
