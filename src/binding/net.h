/* SPDX-License-Identifier: MIT
 * What the files of luabox.sys.net share: the socket, a call on it, readers of
 * options and writers of answers.
 */
#ifndef LUABOX_BINDING_NET_H
#define LUABOX_BINDING_NET_H

#include "binding/binding.h"
#include "kernel/link.h"
#include "kernel/netaddr.h"
#include "kernel/netlink.h"

#define NET_SOCKET_TYPE "luabox.netlink"
#define NET_BATCH_TYPE "luabox.netlink.batch"

struct netlink {
	struct box_fd h;
	struct net_socket socket;
	struct net_queue changes;
};

/* ---- calls (net.c) ---- */

/* One function serves the module (a socket of its own, for this call), the socket
 * and the batch. Arguments are checked between net_argument and net_call_begin;
 * between begin and end nothing but lack of memory may raise. */
struct net_call {
	struct netlink *n;
	struct net_queue *queue; /* the socket's or the batch's */
	size_t before;           /* messages in it when the call began */
	int batch, temporary;
	struct fault fault;
};

/* The index of the first argument behind the socket or batch, if there is one. */
int net_argument(lua_State *L);

void net_call_begin(lua_State *L, struct net_call *c);

/* Closes what begin opened, and raises the fault if 'rc' is negative. */
void net_call_finish(lua_State *L, struct net_call *c, int rc);

/* Ends a change: sends it, unless it is a batch's, and finishes. Pushes the batch or true. */
int net_call_change(lua_State *L, struct net_call *c, int rc);

/* ---- options (net_option.c), as 'read' of a BOX_CUSTOM ---- */

void net_read_name(lua_State *L, int arg, const char *where, const struct box_opt *o,
		   void *out); /* const char * */
void net_read_ref(lua_State *L, int arg, const char *where, const struct box_opt *o,
		  void *out); /* struct net_ref */
void net_read_mac(lua_State *L, int arg, const char *where, const struct box_opt *o,
		  void *out); /* struct net_mac */
void net_read_prefix(lua_State *L, int arg, const char *where, const struct box_opt *o,
		     void *out); /* struct net_address */
void net_read_host(lua_State *L, int arg, const char *where, const struct box_opt *o,
		   void *out); /* without "/prefix" */
void net_read_table(lua_State *L, int arg, const char *where, const struct box_opt *o,
		    void *out); /* int64_t */

/* The link, by name or index, that is argument 'arg'. */
struct net_ref net_check_ref(lua_State *L, int arg);

extern const struct box_name net_families[], net_scopes[], net_tables[], net_protocols[];

/* ---- answers (net_field.c) ---- */

enum net_field_type {
	FIELD_U8,
	FIELD_U16,
	FIELD_U32,
	FIELD_S32,
	FIELD_BE16,
	FIELD_BOOL,   /* u8 */
	FIELD_BOOL32, /* u32 */
	FIELD_TEXT,
	FIELD_MAC,
	FIELD_ADDRESS, /* IPv4 or IPv6 by its size */
	FIELD_CLOCK,   /* seconds, from hundredths in u32 */
};

struct net_field {
	uint16_t attribute;
	uint16_t type;
	const char *name;
	const struct box_name *names; /* of a number: its word, if it has one */
};

/* Sets the fields that are there in the table at the top. */
void net_push_fields(lua_State *L, const struct nlattr **attributes, const struct net_field *fields);

/* The word for a number, or the number. */
void net_push_word(lua_State *L, uint64_t value, const struct box_name *names);
void net_set_word(lua_State *L, const char *field, uint64_t value, const struct box_name *names);

/* Sets 'field' to an address with its prefix length (none if negative). A missing attribute sets nothing. */
void net_set_address(lua_State *L, const char *field, const struct nlattr *a, int prefix);

/* The name of a link, into IFNAMSIZ bytes; false if there is no such link in the namespace of the call. */
int net_find_name(lua_State *L, struct net_call *c, int index, char *name);

/* Sets 'field' to the link's name, and 'field'_index: "link" and "link_index". */
void net_set_link(lua_State *L, struct net_call *c, const char *field, const char *index_field, int index);

/* The word for an error of ICMP's (net_icmp.c), or null for a type that is none. */
const char *net_icmp_word(int family, int type, int code);

/* ---- the functions, by subject ---- */

extern const luaL_Reg net_link_changes[], net_link_lists[];
extern const luaL_Reg net_address_changes[], net_address_lists[];
extern const luaL_Reg net_route_changes[], net_route_lists[];
extern const luaL_Reg net_rule_changes[], net_rule_lists[];
extern const luaL_Reg net_neighbour_changes[], net_neighbour_lists[];

#endif
