/* SPDX-License-Identifier: MIT
 * nft's words and how values are read from Lua and given back.
 */
#include "binding/nft.h"

#include <errno.h>
#include <linux/netfilter.h>
#include <linux/netfilter_arp.h>
#include <linux/netfilter/nf_conntrack_common.h>
#include <linux/netfilter/nf_nat.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <string.h>
#include <syslog.h>

#define REJECT(type, code, nfproto) ((uint64_t)(type) << 16 | (code) << 8 | (nfproto))

const struct box_name nft_families[] = { { "inet", NFPROTO_INET }, { "ip", NFPROTO_IPV4 },
					 { "ip6", NFPROTO_IPV6 },  { "bridge", NFPROTO_BRIDGE },
					 { "arp", NFPROTO_ARP },   { NULL } };

const struct box_name nft_nfprotos[] = { { "ipv4", NFPROTO_IPV4 }, { "ipv6", NFPROTO_IPV6 }, { NULL } };

const struct box_name nft_ct_states[] = { { "invalid", 1 }, { "established", 2 }, { "related", 4 },
					  { "new", 8 },     { "untracked", 64 },  { NULL } };

const struct box_name nft_ct_statuses[] = { { "expected", IPS_EXPECTED }, { "seen-reply", IPS_SEEN_REPLY },
					    { "assured", IPS_ASSURED },   { "confirmed", IPS_CONFIRMED },
					    { "snat", IPS_SRC_NAT },      { "dnat", IPS_DST_NAT },
					    { "dying", IPS_DYING },       { NULL } };

const struct box_name nft_address_types[] = {
	{ "unspec", RTN_UNSPEC },       { "unicast", RTN_UNICAST },
	{ "local", RTN_LOCAL },         { "broadcast", RTN_BROADCAST },
	{ "anycast", RTN_ANYCAST },     { "multicast", RTN_MULTICAST },
	{ "blackhole", RTN_BLACKHOLE }, { "unreachable", RTN_UNREACHABLE },
	{ "prohibit", RTN_PROHIBIT },   { NULL }
};

const struct box_name nft_nat_flags[] = { { "random", NF_NAT_RANGE_PROTO_RANDOM },
					  { "fully-random", NF_NAT_RANGE_PROTO_RANDOM_FULLY },
					  { "persistent", NF_NAT_RANGE_PERSISTENT },
					  { NULL } };

const struct box_name nft_log_levels[] = {
	{ "emerg", LOG_EMERG }, { "alert", LOG_ALERT },  { "crit", LOG_CRIT },
	{ "err", LOG_ERR },     { "warn", LOG_WARNING }, { "notice", LOG_NOTICE },
	{ "info", LOG_INFO },   { "debug", LOG_DEBUG },  { NULL }
};

const struct box_name nft_set_flag_names[] = { { "constant", NFT_SET_CONSTANT },
					       { "interval", NFT_SET_INTERVAL },
					       { "timeout", NFT_SET_TIMEOUT },
					       { NULL } };

const struct box_name nft_hooks[] = {
	{ "prerouting", NF_INET_PRE_ROUTING },   { "input", NF_INET_LOCAL_IN },
	{ "forward", NF_INET_FORWARD },          { "output", NF_INET_LOCAL_OUT },
	{ "postrouting", NF_INET_POST_ROUTING }, { NULL }
};

const struct box_name nft_arp_hooks[] = { { "input", NF_ARP_IN }, { "output", NF_ARP_OUT }, { NULL } };

const struct box_name nft_policies[] = { { "accept", NF_ACCEPT }, { "drop", NF_DROP }, { NULL } };

const struct box_name nft_rejects[] = {
	{ "tcp reset", REJECT(NFT_REJECT_TCP_RST, 0, 0) },
	{ "icmp net-unreachable", REJECT(NFT_REJECT_ICMP_UNREACH, 0, NFPROTO_IPV4) },
	{ "icmp host-unreachable", REJECT(NFT_REJECT_ICMP_UNREACH, 1, NFPROTO_IPV4) },
	{ "icmp prot-unreachable", REJECT(NFT_REJECT_ICMP_UNREACH, 2, NFPROTO_IPV4) },
	{ "icmp port-unreachable", REJECT(NFT_REJECT_ICMP_UNREACH, 3, NFPROTO_IPV4) },
	{ "icmp net-prohibited", REJECT(NFT_REJECT_ICMP_UNREACH, 9, NFPROTO_IPV4) },
	{ "icmp host-prohibited", REJECT(NFT_REJECT_ICMP_UNREACH, 10, NFPROTO_IPV4) },
	{ "icmp admin-prohibited", REJECT(NFT_REJECT_ICMP_UNREACH, 13, NFPROTO_IPV4) },
	{ "icmpv6 no-route", REJECT(NFT_REJECT_ICMP_UNREACH, 0, NFPROTO_IPV6) },
	{ "icmpv6 admin-prohibited", REJECT(NFT_REJECT_ICMP_UNREACH, 1, NFPROTO_IPV6) },
	{ "icmpv6 addr-unreachable", REJECT(NFT_REJECT_ICMP_UNREACH, 3, NFPROTO_IPV6) },
	{ "icmpv6 port-unreachable", REJECT(NFT_REJECT_ICMP_UNREACH, 4, NFPROTO_IPV6) },
	{ "icmpx no-route", REJECT(NFT_REJECT_ICMPX_UNREACH, NFT_REJECT_ICMPX_NO_ROUTE, 0) },
	{ "icmpx port-unreachable", REJECT(NFT_REJECT_ICMPX_UNREACH, NFT_REJECT_ICMPX_PORT_UNREACH, 0) },
	{ "icmpx host-unreachable", REJECT(NFT_REJECT_ICMPX_UNREACH, NFT_REJECT_ICMPX_HOST_UNREACH, 0) },
	{ "icmpx admin-prohibited", REJECT(NFT_REJECT_ICMPX_UNREACH, NFT_REJECT_ICMPX_ADMIN_PROHIBITED, 0) },
	{ NULL }
};

const char *const nft_selector_names[] = {
	[NFT_SEL_IIFNAME] = "iifname",       [NFT_SEL_OIFNAME] = "oifname",
	[NFT_SEL_SADDR] = "saddr",           [NFT_SEL_DADDR] = "daddr",
	[NFT_SEL_SADDR_TYPE] = "saddr_type", [NFT_SEL_DADDR_TYPE] = "daddr_type",
	[NFT_SEL_PROTOCOL] = "protocol",     [NFT_SEL_SPORT] = "sport",
	[NFT_SEL_DPORT] = "dport",           [NFT_SEL_CT_STATE] = "ct_state",
	[NFT_SEL_CT_STATUS] = "ct_status",   [NFT_SEL_MARK] = "mark",
};

void nft_push_name(lua_State *L, uint64_t bits, const struct box_name *names)
{
	for (; names->name; names++)
		if (names->bits == bits) {
			lua_pushstring(L, names->name);
			return;
		}
	lua_pushinteger(L, (lua_Integer)bits);
}

/* ---- values ---- */

const char *nft_text(lua_State *L, int arg, const char *where, const char *name)
{
	size_t length;
	const char *text = lua_tolstring(L, -1, &length);

	if (strlen(text) != length)
		box_option_error(L, arg, where, name, "contains a zero byte");
	return text;
}

static const char *const field_words[NFT_FIELD_COUNT] = {
	[NFT_FIELD_IPV4] = "an IPv4 address, prefix or range",
	[NFT_FIELD_IPV6] = "an IPv6 address, prefix or range",
	[NFT_FIELD_PROTO] = "a protocol (tcp, udp, icmp, icmpv6, … or 0 to 255)",
	[NFT_FIELD_SERVICE] = "a port (0 to 65535) or a range of ports",
	[NFT_FIELD_MARK] = "a mark (0 to 4294967295), or mark/mask",
	[NFT_FIELD_IFNAME] =
		"an interface's name (at most 15 bytes, no blank, no '/'; 'br*' for all that begin so)",
};

void nft_read_value(lua_State *L, int arg, const char *where, const char *name, enum nft_field field,
		    struct nft_value *v)
{
	int type = lua_type(L, -1), rc = -EINVAL;
	const char *text = NULL;

	if (type == LUA_TNUMBER && lua_isinteger(L, -1)) {
		rc = nft_value_number(field, lua_tointeger(L, -1), v);
	} else if (type == LUA_TSTRING) {
		text = nft_text(L, arg, where, name);
		rc = nft_value_parse(field, text, v);
	}
	if (rc == 0)
		return;
	if (type != LUA_TSTRING && type != LUA_TNUMBER)
		box_option_error(L, arg, where, name, "%s expected, got %s", field_words[field],
				 luaL_typename(L, -1));
	if (field == NFT_FIELD_IFNAME && text && strlen(text) >= IFNAMSIZ)
		box_option_error(L, arg, where, name, "'%.80s' is %zu bytes long; at most %d are allowed",
				 text, strlen(text), IFNAMSIZ - 1);
	box_option_error(L, arg, where, name, "'%.80s' is not %s", luaL_tolstring(L, -1, NULL),
			 field_words[field]);
}

void nft_push_field(lua_State *L, enum nft_field field, const uint8_t *low, const uint8_t *high)
{
	char text[NFT_VALUE_TEXT];

	if ((field == NFT_FIELD_SERVICE || field == NFT_FIELD_MARK) &&
	    !memcmp(low, high, nft_field_length(field))) {
		lua_pushinteger(L, nft_value_to_number(field, low));
		return;
	}
	nft_value_format(field, low, high, text);
	lua_pushstring(L, text);
}

static const struct box_name verdicts[] = {
	{ "accept", NF_ACCEPT }, { "drop", NF_DROP }, { "return", (uint32_t)NFT_RETURN }, { NULL }
};

static int read_jump(const char *text, struct nft_verdict *v)
{
	if (!strncmp(text, "jump ", 5))
		v->code = NFT_JUMP;
	else if (!strncmp(text, "goto ", 5))
		v->code = NFT_GOTO;
	else
		return 0;
	v->chain = text + 5;
	return *v->chain && strlen(v->chain) <= NFT_NAME_MAX;
}

void nft_read_verdict(lua_State *L, int arg, const char *where, const char *name, struct nft_verdict *v)
{
	const char *text = nft_text(L, arg, where, name);

	v->chain = NULL;
	if (read_jump(text, v))
		return;
	for (const struct box_name *n = verdicts; n->name; n++)
		if (!strcmp(n->name, text)) {
			v->code = (int32_t)n->bits;
			return;
		}
	box_option_error(L, arg, where, name,
			 "'%.80s' is no verdict; expected 'accept', 'drop', 'return', 'jump CHAIN' or "
			 "'goto CHAIN'",
			 text);
}

void nft_push_verdict(lua_State *L, const struct nft_verdict *v)
{
	if (v->code == NFT_JUMP || v->code == NFT_GOTO)
		lua_pushfstring(L, "%s %s", v->code == NFT_JUMP ? "jump" : "goto", v->chain);
	else
		nft_push_name(L, (uint32_t)v->code, verdicts);
}

/* ---- lists of words ---- */

const char *nft_push_words(lua_State *L, int arg, const char *where, const char *name)
{
	int list = lua_gettop(L);
	luaL_Buffer b;
	lua_Integer n;

	if (lua_type(L, list) == LUA_TSTRING) {
		lua_pushvalue(L, list);
		return nft_text(L, arg, where, name);
	}
	if (lua_type(L, list) != LUA_TTABLE)
		box_option_error(L, arg, where, name, "string or list of strings expected, got %s",
				 luaL_typename(L, list));
	n = (lua_Integer)lua_rawlen(L, list);
	luaL_buffinit(L, &b);
	for (lua_Integer i = 1; i <= n; i++) {
		if (i > 1)
			luaL_addchar(&b, ',');
		if (lua_rawgeti(L, list, i) != LUA_TSTRING)
			box_option_error(L, arg, where, name, "[%d]: string expected, got %s", (int)i,
					 luaL_typename(L, -1));
		luaL_addvalue(&b);
	}
	luaL_pushresult(&b);
	return nft_text(L, arg, where, name);
}
