/* SPDX-License-Identifier: MIT */
/***
Sockets that ask whether somebody answers: ICMP echo, TCP and UDP, in any network namespace. None of them
waits: `wait` does, for as many as are given. `luabox.probe` asks with them.

What an error says is a table: `error` ("EHOSTUNREACH"), and, where an ICMP message told it, `from` (who sent
that), `icmp` ("host-unreachable", in nft's words) and `mtu` where a packet was too big.
@module luabox.sys.probe
@see icmp(7)
*/
#include "kernel/probe.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include "binding/net.h"

#define PROBE_TYPE "luabox.sys.probe"
#define RECEIVE_MAX 65536

struct probe_handle {
	struct box_fd h;
	struct probe probe;
};

static const struct box_name kinds[] = {
	{ "icmp", PROBE_ICMP }, { "tcp", PROBE_TCP }, { "udp", PROBE_UDP }, { NULL }
};

struct options {
	struct probe_options probe;
	int netns;
};

#define AT(field) offsetof(struct options, field)

static const struct box_opt open_options[] = {
	{ "kind", BOX_ENUM, AT(probe.kind), .required = 1, .names = kinds },
	{ "address", BOX_CUSTOM, AT(probe.address), .required = 1, .read = net_read_host },
	{ "port", BOX_INT, AT(probe.port), .min = 1, .max = UINT16_MAX },
	{ "netns", BOX_FD, AT(netns) },
	{ "source", BOX_CUSTOM, AT(probe.source), .read = net_read_host },
	{ "interface", BOX_CUSTOM, AT(probe.interface), .read = net_read_name },
	{ "ttl", BOX_INT, AT(probe.ttl), .min = 1, .max = 255 },
	{ "dont_fragment", BOX_BOOL, AT(probe.dont_fragment) },
	{ 0 }
};

static void check_options(lua_State *L, const struct probe_options *o)
{
	if (o->kind == PROBE_ICMP && o->port)
		box_option_error(L, 1, NULL, "port", "ICMP has no ports");
	if (o->kind != PROBE_ICMP && !o->port)
		box_option_error(L, 1, NULL, "port", "is missing");
	if (o->kind != PROBE_ICMP && o->dont_fragment)
		box_option_error(L, 1, NULL, "dont_fragment", "is of ICMP");
	if (net_address_given(&o->source) && o->source.family != o->address.family)
		box_option_error(L, 1, NULL, "source", "is not of the family of 'address'");
}

/***
Opens a socket; one of TCP or UDP begins to connect. That nobody is there is no error of this: `failure` tells
it.
@function open
@tparam table o
@string o.kind "icmp", "tcp" or "udp"
@string o.address of IPv4 or IPv6; of ICMP it says which of them, and `echo` whom to ask
@int[opt] o.port TCP and UDP: required
@tparam[opt] handle|integer o.netns a network namespace; default the current one
@string[opt] o.source an own address; the kernel's choice by default
@string[opt] o.interface an own link: the only one that packets leave and come by
@int[opt] o.ttl of the packets, 1 to 255; the kernel's default (64)
@bool[opt=false] o.dont_fragment ICMP: packets are not cut on the way
@treturn luabox.sys.probe
@raise luabox.error: EPERM without CAP_SYS_ADMIN over the namespace, or CAP_NET_RAW for ICMP where
`net.ipv4.ping_group_range` does not let the caller; EADDRNOTAVAIL for a source that is not there; ENODEV
@see socket(2)
@usage local p <close> = luabox.sys.probe.open { kind = "icmp", address = "127.0.0.1" }
*/
static int open_probe(lua_State *L)
{
	struct options o = { .netns = -1 };
	struct probe_handle *p;
	struct fault f;
	int fd;

	box_options(L, 1, open_options, &o);
	check_options(L, &o.probe);
	p = box_handle_new(L, PROBE_TYPE, sizeof *p);
	fd = probe_open(o.netns, &o.probe, &p->probe, &f);
	if (fd < 0)
		return box_raise(L, &f);
	p->h.fd = fd;
	return 1;
}

/* ---- what came back ---- */

static void push_answer(lua_State *L, const struct probe_answer *a)
{
	char text[NET_ADDRESS_TEXT];

	lua_createtable(L, 0, 6);
	if (a->seq >= 0)
		box_set_integer(L, "seq", a->seq);
	if (net_address_given(&a->from)) {
		net_address_format(a->from.family, a->from.bytes, -1, text);
		box_set_text(L, "from", text);
	}
	if (!a->error)
		return;
	box_set_text(L, "error", strerrorname_np(a->error));
	if (a->type >= 0)
		box_set_text(L, "icmp", net_icmp_word(a->from.family, a->type, a->code));
	if (a->error == EMSGSIZE && a->mtu)
		box_set_integer(L, "mtu", a->mtu);
}

static struct probe *check_probe(lua_State *L, int icmp)
{
	struct probe_handle *p = box_handle_check(L, 1, PROBE_TYPE);

	if (icmp >= 0)
		luaL_argcheck(L, (p->probe.kind == PROBE_ICMP) == icmp, 1,
			      icmp ? "is not of ICMP" : "is of ICMP");
	return &p->probe;
}

/***
@type luabox.sys.probe
*/

/***
ICMP: sends an echo request.
@function echo
@string address
@int seq 0 to 65535: the answer has it, too
@int[opt=56] size bytes of data, at most 65507
@treturn ?number when, by `luabox.sys.system.clock`; nil if it was not sent
@treturn[2] table what the error says, for example `error = "ENETUNREACH"` without a route
@see send(2)
@usage local p <close> = luabox.sys.probe.open { kind = "icmp", address = "127.0.0.1" }
local sent = p:echo("127.0.0.1", 1)
luabox.sys.probe.wait({ p }, {}, 1)
assert(sent and p:answer().time >= sent)
*/
static int echo(lua_State *L)
{
	struct probe *p = check_probe(L, 1);
	const char *text = luaL_checkstring(L, 2);
	lua_Integer seq = luaL_checkinteger(L, 3), size = luaL_optinteger(L, 4, 56);
	struct probe_answer a;
	struct net_address to;

	luaL_argcheck(L, !net_address_parse(text, &to) && to.prefix < 0, 2, "is no IPv4 or IPv6 address");
	luaL_argcheck(L, to.family == p->family, 2, "is not of the family of the socket");
	luaL_argcheck(L, seq >= 0 && seq <= UINT16_MAX, 3, "out of range (0 to 65535)");
	luaL_argcheck(L, size >= 0 && size <= PROBE_SIZE_MAX, 4, "out of range (0 to 65507)");
	if (probe_echo(p, &to, (uint16_t)seq, (size_t)size, &a) == 0) {
		lua_pushnumber(L, a.time);
		return 1;
	}
	lua_pushnil(L);
	push_answer(L, &a);
	return 2;
}

/***
ICMP: takes the next answer.
@function answer
@treturn ?table `seq`, `from`, `time` (when it came, by `luabox.sys.system.clock`), `ttl`; of an error also
what that says; nil if there is none yet
@usage local p <close> = luabox.sys.probe.open { kind = "icmp", address = "127.0.0.1" }
assert(p:answer() == nil)
*/
static int answer(lua_State *L)
{
	struct probe *p = check_probe(L, 1);
	struct probe_answer a;

	if (probe_answer(p, &a) == 0)
		return 0;
	push_answer(L, &a);
	lua_pushnumber(L, a.time);
	lua_setfield(L, -2, "time");
	if (a.ttl >= 0)
		box_set_integer(L, "ttl", a.ttl);
	return 1;
}

/***
TCP and UDP: what has failed. A TCP socket is connected when it can be written to and nothing has.
@function failure
@treturn ?table what the error says; nil if nothing has failed
@usage local p <close> = luabox.sys.probe.open { kind = "tcp", address = "127.0.0.1", port = 1 }
luabox.sys.probe.wait({}, { p }, 1)
assert(p:failure().error == "ECONNREFUSED")
*/
static int failure(lua_State *L)
{
	struct probe_answer a;

	if (!probe_failure(check_probe(L, 0), &a))
		return 0;
	push_answer(L, &a);
	return 1;
}

/* nil, and nothing if it only has to wait; else what has failed. */
static int push_failure(lua_State *L, struct probe *p, int error)
{
	struct probe_answer a;

	lua_pushnil(L);
	if (error == EAGAIN)
		return 1;
	probe_failure(p, &a);
	a.error = error;
	push_answer(L, &a);
	return 2;
}

/***
TCP and UDP: sends bytes.
@function send
@string data
@int[opt=1] from the first byte that is sent
@treturn ?integer how many were taken; nil if none can be now
@treturn[2] ?table what the error says, if it is one
@see send(2)
@usage local p <close> = luabox.sys.probe.open { kind = "udp", address = "127.0.0.1", port = 9 }
assert(p:send "hello" == 5)
*/
static int send_data(lua_State *L)
{
	struct probe *p = check_probe(L, 0);
	size_t size;
	const char *data = luaL_checklstring(L, 2, &size);
	lua_Integer from = luaL_optinteger(L, 3, 1);
	ssize_t n;

	luaL_argcheck(L, from >= 1 && (size_t)from <= size + 1, 3, "is not within the data");
	n = probe_send(p, data + from - 1, size - (size_t)(from - 1));
	if (n < 0)
		return push_failure(L, p, (int)-n);
	lua_pushinteger(L, n);
	return 1;
}

/***
TCP and UDP: takes bytes that have come, of UDP one packet's.
@function receive
@int[opt=65536] size at most so many, 1 to 65536
@treturn ?string "" at the end of a TCP stream; nil if there are none yet
@treturn[2] ?table what the error says, if it is one
@see recv(2)
@usage local p <close> = luabox.sys.probe.open { kind = "udp", address = "127.0.0.1", port = 9 }
assert(p:receive() == nil)
*/
static int receive(lua_State *L)
{
	struct probe *p = check_probe(L, 0);
	lua_Integer size = luaL_optinteger(L, 2, RECEIVE_MAX);
	luaL_Buffer b;
	ssize_t n;

	luaL_argcheck(L, size >= 1 && size <= RECEIVE_MAX, 2, "out of range (1 to 65536)");
	n = probe_receive(p, luaL_buffinitsize(L, &b, (size_t)size), (size_t)size);
	if (n < 0) {
		lua_settop(L, 1);
		return push_failure(L, p, (int)-n);
	}
	luaL_pushresultsize(&b, (size_t)n);
	return 1;
}

/***
The own end.
@function address
@treturn string the address
@treturn integer the port; of ICMP the identifier, or 0
@see getsockname(2)
@usage local p <close> = luabox.sys.probe.open { kind = "udp", address = "127.0.0.1", port = 9 }
assert(p:address() == "127.0.0.1")
*/
static int address(lua_State *L)
{
	struct net_address a;
	char text[NET_ADDRESS_TEXT];
	int port, rc = probe_local(check_probe(L, -1), &a, &port);

	if (rc < 0)
		return box_fail(L, rc, "getsockname", NULL);
	net_address_format(a.family, a.bytes, -1, text);
	lua_pushstring(L, text);
	lua_pushinteger(L, port);
	return 2;
}

/***
@section end
*/

/* ---- waiting ---- */

/* Fills in the handles of the list at stack index 'list'. */
static nfds_t add_polls(lua_State *L, int list, short events, struct pollfd *polls)
{
	lua_Integer count = (lua_Integer)lua_rawlen(L, list);

	for (lua_Integer i = 1; i <= count; i++) {
		lua_rawgeti(L, list, i);
		luaL_argcheck(L, luaL_testudata(L, -1, PROBE_TYPE) && box_tofd(L, -1) >= 0, list,
			      "a list of open " PROBE_TYPE " expected");
		polls[i - 1] = (struct pollfd){ .fd = box_tofd(L, -1), .events = events };
		lua_pop(L, 1);
	}
	return (nfds_t)count;
}

/* Sets the ready handles of the list as keys of the table at the top. */
static void add_ready(lua_State *L, int list, const struct pollfd *polls, nfds_t count)
{
	for (nfds_t i = 0; i < count; i++)
		if (polls[i].revents) {
			lua_rawgeti(L, list, (lua_Integer)i + 1);
			lua_pushboolean(L, 1);
			lua_rawset(L, -3);
		}
}

/***
Waits until something has come for one of some sockets, or one of some can send. Ctrl-C interrupts it.
@function wait
@tparam {luabox.sys.probe,...} reads
@tparam {luabox.sys.probe,...} writes
@number[opt] seconds as long as it takes by default
@treturn {[luabox.sys.probe]=boolean} those that are ready, also because something has failed; empty after the
time
@see poll(2)
@usage assert(next(luabox.sys.probe.wait({}, {}, 0)) == nil)
*/
static int wait_for(lua_State *L)
{
	int64_t deadline = box_check_deadline(L, 3);
	struct pollfd *polls;
	nfds_t reads, all;

	luaL_checktype(L, 1, LUA_TTABLE);
	luaL_checktype(L, 2, LUA_TTABLE);
	lua_settop(L, 2);
	polls = lua_newuserdatauv(L, (lua_rawlen(L, 1) + lua_rawlen(L, 2)) * sizeof *polls + 1, 0);
	reads = add_polls(L, 1, POLLIN, polls);
	all = reads + add_polls(L, 2, POLLOUT, polls + reads);
	box_poll(L, polls, all, deadline);
	lua_newtable(L);
	add_ready(L, 1, polls, reads);
	add_ready(L, 2, polls + reads, all - reads);
	return 1;
}

static const luaL_Reg functions[] = { { "open", open_probe }, { "wait", wait_for }, { NULL, NULL } };

static const luaL_Reg methods[] = { { "address", address }, { "answer", answer },   { "echo", echo },
				    { "failure", failure }, { "receive", receive }, { "send", send_data },
				    { NULL, NULL } };

BOX_MODULE(probe)
{
	box_handle_type(L, PROBE_TYPE, methods, NULL);
	luaL_newlib(L, functions);
	return 1;
}
