/* SPDX-License-Identifier: MIT */
/***
Links, addresses, routes, rules and neighbours, through rtnetlink.

Every change and every list is there three times: as a method of a socket, which
is bound to one network namespace; as a function of the module, on the current
network namespace; and, the changes, as a method of a batch, which sends
many of them at once. A link is given by its name or its index, an address as
"10.0.0.2/24" or "fd00::2/64". Errors carry the kernel's own sentence.
@module luabox.sys.net
@see rtnetlink(7)
*/
#include "binding/net.h"

#include <unistd.h>

struct batch {
	struct net_queue queue;
};

/* ---- calls ---- */

int net_argument(lua_State *L)
{
	return luaL_testudata(L, 1, NET_SOCKET_TYPE) || luaL_testudata(L, 1, NET_BATCH_TYPE) ? 2 : 1;
}

/* A socket that a fork copied would get the other process's answers. */
static struct netlink *check_socket(lua_State *L, int index)
{
	struct netlink *n = box_handle_check(L, index, NET_SOCKET_TYPE);

	if (n->h.owner != box_owner())
		luaL_error(L, "%s of another process (%d): open a new one after a fork", NET_SOCKET_TYPE,
			   (int)n->h.owner);
	return n;
}

static void open_socket(lua_State *L, struct netlink *n, int netns)
{
	struct fault f;

	if (net_open(&n->socket, netns, &f) < 0)
		box_raise(L, &f);
	n->h.fd = n->socket.fd;
}

static void close_socket(struct netlink *n)
{
	net_queue_free(&n->changes);
	net_release(&n->socket);
	n->socket.fd = -1;
}

void net_call_begin(lua_State *L, struct net_call *c)
{
	struct batch *b = luaL_testudata(L, 1, NET_BATCH_TYPE);

	c->batch = b != NULL;
	c->temporary = 0;
	if (b) {
		lua_getiuservalue(L, 1, 1);
		if (((struct box_fd *)lua_touserdata(L, -1))->fd < 0)
			luaL_error(L, "the %s of this batch is closed", NET_SOCKET_TYPE);
		c->n = check_socket(L, -1);
	} else if (luaL_testudata(L, 1, NET_SOCKET_TYPE)) {
		c->n = check_socket(L, 1);
	} else {
		c->n = box_handle_new(L, NET_SOCKET_TYPE, sizeof *c->n);
		c->temporary = 1;
		open_socket(L, c->n, -1);
	}
	c->queue = b ? &b->queue : &c->n->changes;
	c->before = c->queue->count;
}

void net_call_finish(lua_State *L, struct net_call *c, int rc)
{
	if (c->temporary) {
		close_socket(c->n);
		close(c->n->h.fd);
		c->n->h.fd = -1;
	}
	if (rc < 0)
		box_raise(L, &c->fault);
}

int net_call_change(lua_State *L, struct net_call *c, int rc)
{
	if (rc < 0)
		net_queue_cut(c->queue, c->before);
	else if (!c->batch)
		rc = net_send(&c->n->socket, c->queue, &c->fault);
	net_call_finish(L, c, rc);
	if (c->batch)
		lua_pushvalue(L, 1);
	else
		lua_pushboolean(L, 1);
	return 1;
}

/* ---- sockets ---- */

/***
Opens a socket bound to a network namespace, for as long as it lives.
It owns a descriptor only: nothing is undone when it closes. After a fork the
child must open its own.
@function socket
@tparam[opt] luabox.namespace|integer namespace a handle or a descriptor; default the current one
@treturn luabox.netlink
@raise luabox.error: EPERM without CAP_SYS_ADMIN over the namespace
@see setns(2)
@usage local s <close> = luabox.sys.net.socket()
s:link_set { name = "lo", up = true }
*/
static int net_socket(lua_State *L)
{
	int netns = lua_isnoneornil(L, 1) ? -1 : box_checkfd(L, 1);
	struct netlink *n = box_handle_new(L, NET_SOCKET_TYPE, sizeof *n);

	open_socket(L, n, netns);
	return 1;
}

static int socket_close(lua_State *L)
{
	close_socket(lua_touserdata(L, 1));
	return 0;
}

/* ---- numbers of namespaces ---- */

/***
The number by which this network namespace knows another one.
It is what `nsid` says of a link whose peer lives there.
@function nsid
@tparam luabox.namespace|integer namespace
@treturn ?integer nil if it has none
@see network_namespaces(7)
@usage local n = luabox.sys.net.nsid(assert(io.open("/proc/self/ns/net")))
assert(n == nil or n >= 0)
*/
static int net_get_nsid(lua_State *L)
{
	int netns = box_checkfd(L, net_argument(L));
	struct net_call c;
	int64_t nsid = -1;

	net_call_begin(L, &c);
	net_call_finish(L, &c, net_nsid(&c.n->socket, netns, &nsid, &c.fault));
	if (nsid < 0)
		return 0;
	lua_pushinteger(L, nsid);
	return 1;
}

/***
Gives another network namespace a number in this one.
@function nsid_set
@tparam luabox.namespace|integer namespace
@int[opt] nsid default: the kernel chooses one that is free
@treturn integer the number
@raise luabox.error: EEXIST if it has a number, or the number is taken
@usage local other <close> = luabox.sys.namespace.create("net")
assert(luabox.sys.net.nsid_set(other, 7) == 7)
*/
static int net_set_nsid(lua_State *L)
{
	int arg = net_argument(L), netns = box_checkfd(L, arg), rc;
	int64_t nsid = luaL_optinteger(L, arg + 1, NET_ABSENT);
	struct net_call c;

	luaL_argcheck(L, nsid >= NET_ABSENT && nsid <= INT32_MAX, arg + 1, "out of range (0 to 2147483647)");
	net_call_begin(L, &c);
	rc = net_nsid_set(&c.n->socket, netns, nsid, &c.fault);
	rc = rc < 0 ? rc : net_nsid(&c.n->socket, netns, &nsid, &c.fault);
	net_call_finish(L, &c, rc);
	lua_pushinteger(L, nsid);
	return 1;
}

/* ---- batches ---- */

/***
Begins a batch: an object with the methods that change (link_add, link_set,
link_delete, address_add, …), which collect, and `send()`.

Names are looked up when they are collected; a link that the batch itself makes is given
by the index it was made with. The kernel goes on after a message that fails.
@function luabox.netlink:batch
@treturn luabox.netlink.batch
@usage local s <close> = luabox.sys.net.socket()
s:batch()
  :link_add { kind = "bridge", name = "br0", index = 100, up = true }
  :address_add { link = 100, address = "10.0.0.1/24" }
  :send()
s:link_delete("br0")
*/
static int socket_batch(lua_State *L)
{
	struct batch *b;

	check_socket(L, 1);
	b = lua_newuserdatauv(L, sizeof *b, 1);
	*b = (struct batch){ 0 };
	luaL_setmetatable(L, NET_BATCH_TYPE);
	lua_pushvalue(L, 1);
	lua_setiuservalue(L, -2, 1);
	return 1;
}

/***
Sends what was collected, in one system call where it fits, and waits for one
acknowledgement. The batch is empty afterwards, also after an error.
@function luabox.netlink.batch:send
@treturn boolean true
@raise luabox.error of the first message that failed: its `op` and `subject` say which.
The messages behind it were carried out or failed on their own.
@usage local s <close> = luabox.sys.net.socket()
s:batch():link_set { name = "lo", up = true }:send()
*/
static int batch_send(lua_State *L)
{
	struct batch *b = luaL_checkudata(L, 1, NET_BATCH_TYPE);
	struct net_call c;

	net_call_begin(L, &c);
	net_call_finish(L, &c, net_send(&c.n->socket, &b->queue, &c.fault));
	lua_pushboolean(L, 1);
	return 1;
}

static int batch_len(lua_State *L)
{
	struct batch *b = luaL_checkudata(L, 1, NET_BATCH_TYPE);

	lua_pushinteger(L, (lua_Integer)b->queue.count);
	return 1;
}

static int batch_tostring(lua_State *L)
{
	struct batch *b = luaL_checkudata(L, 1, NET_BATCH_TYPE);

	lua_pushfstring(L, "%s (%d messages)", NET_BATCH_TYPE, (int)b->queue.count);
	return 1;
}

static int batch_free(lua_State *L)
{
	struct batch *b = luaL_checkudata(L, 1, NET_BATCH_TYPE);

	net_queue_free(&b->queue);
	return 0;
}

/* ---- the module ---- */

static const luaL_Reg module_only[] = { { "socket", net_socket }, { NULL, NULL } };
static const luaL_Reg nsid_functions[] = { { "nsid", net_get_nsid },
					   { "nsid_set", net_set_nsid },
					   { NULL, NULL } };
static const luaL_Reg socket_only[] = { { "batch", socket_batch }, { NULL, NULL } };
static const luaL_Reg batch_only[] = { { "send", batch_send }, { NULL, NULL } };
static const luaL_Reg batch_metamethods[] = {
	{ "__gc", batch_free }, { "__len", batch_len }, { "__tostring", batch_tostring }, { NULL, NULL }
};

static void add_changes(lua_State *L)
{
	luaL_setfuncs(L, net_link_changes, 0);
	luaL_setfuncs(L, net_address_changes, 0);
	luaL_setfuncs(L, net_route_changes, 0);
	luaL_setfuncs(L, net_rule_changes, 0);
	luaL_setfuncs(L, net_neighbour_changes, 0);
}

static void add_lists(lua_State *L)
{
	luaL_setfuncs(L, net_link_lists, 0);
	luaL_setfuncs(L, net_address_lists, 0);
	luaL_setfuncs(L, net_route_lists, 0);
	luaL_setfuncs(L, net_rule_lists, 0);
	luaL_setfuncs(L, net_neighbour_lists, 0);
	luaL_setfuncs(L, nsid_functions, 0);
}

static void make_socket_type(lua_State *L)
{
	box_handle_type(L, NET_SOCKET_TYPE, socket_only, socket_close);
	luaL_getmetatable(L, NET_SOCKET_TYPE);
	lua_getfield(L, -1, "__index");
	add_changes(L);
	add_lists(L);
	lua_pop(L, 2);
}

static void make_batch_type(lua_State *L)
{
	box_metatable(L, NET_BATCH_TYPE, batch_metamethods, batch_only);
	lua_getfield(L, -1, "__index");
	add_changes(L);
	lua_pop(L, 2);
}

BOX_MODULE(net)
{
	make_socket_type(L);
	make_batch_type(L);
	luaL_newlib(L, module_only);
	add_changes(L);
	add_lists(L);
	return 1;
}
