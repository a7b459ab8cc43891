/* SPDX-License-Identifier: MIT
 * The statements of a rule that rewrite addresses or look something up in a map.
 */
#include "binding/nft_rule.h"

#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <string.h>

/* ---- lookups in maps ---- */

static enum nft_selector selector_by_name(const struct nft_reading *x, const char *option, const char *word,
					  size_t length)
{
	for (int i = 0; i < NFT_SEL_COUNT; i++)
		if (!strncmp(nft_selector_names[i], word, length) && !nft_selector_names[i][length] &&
		    nft_selector_field((enum nft_selector)i, 0) != NFT_FIELD_NONE)
			return (enum nft_selector)i;
	nft_rule_fail(
		x, option,
		"unknown key '%.*s'; expected iifname, oifname, saddr, daddr, protocol, sport, dport or mark",
		(int)length, word);
	return NFT_SEL_COUNT;
}

static void read_key(const struct nft_reading *x, const char *option, const char *words, struct nft_lookup *l)
{
	int ports = 0, protocol = 0;
	size_t length;

	do {
		length = strcspn(words, ",");
		if (l->count == NFT_TYPE_FIELDS)
			nft_rule_fail(x, option, "more than %d names", NFT_TYPE_FIELDS);
		l->key[l->count] = (uint8_t)selector_by_name(x, option, words, length);
		ports |= l->key[l->count] == NFT_SEL_SPORT || l->key[l->count] == NFT_SEL_DPORT;
		protocol |= l->key[l->count] == NFT_SEL_PROTOCOL;
		l->count++;
		words += length;
	} while (*words++);
	if (ports && !protocol)
		nft_rule_need_ports(x, option);
}

/* The map's key decides between IPv4 and IPv6, and must be what is looked up. */
static void check_key(const struct nft_reading *x, const char *option, const struct nft_lookup *l,
		      const struct nft_set *map)
{
	int same = l->count == map->key.count;

	for (unsigned int i = 0; i < map->key.count; i++)
		if (map->key.field[i] == NFT_FIELD_IPV4 || map->key.field[i] == NFT_FIELD_IPV6)
			nft_rule_nfproto(x, option,
					 map->key.field[i] == NFT_FIELD_IPV6 ? NFPROTO_IPV6 : NFPROTO_IPV4);
	for (unsigned int i = 0; same && i < l->count; i++)
		same = nft_selector_field((enum nft_selector)l->key[i], x->r->nfproto) == map->key.field[i];
	if (!same)
		nft_rule_fail(x, option, "is not what the key of map '%.80s' is made of", l->map);
}

struct lookup_options {
	const char *to, *map;
	uint64_t flags;
};

/* Reads key = … of the table at 'index', for the map that 'l' names. */
static void read_lookup(const struct nft_reading *x, const char *option, int index, struct nft_lookup *l,
			struct nft_set *map)
{
	if (lua_getfield(x->L, index, "key") == LUA_TNIL)
		nft_rule_fail(x, option, "is missing");
	read_key(x, option, nft_push_words(x->L, x->a->arg, x->a->where, option), l);
	nft_find_set(x->L, x->a, x->r->family, x->r->table, l->map, map);
	if (!map->is_map)
		nft_rule_fail(x, option, "'%.80s' is a set, not a map", l->map);
	check_key(x, option, l, map);
}

static const struct box_opt verdict_options[] = { { "map", BOX_STRING, offsetof(struct lookup_options, map),
						    1, 1, NFT_NAME_MAX },
						  { "key", BOX_ANY },
						  { 0 } };

void nft_rule_verdict(const struct nft_reading *x)
{
	int type = lua_getfield(x->L, x->a->index, "verdict"), index = lua_gettop(x->L);
	struct lookup_options o = { 0 };
	struct nft_set map;

	if (type == LUA_TNIL)
		return;
	x->r->verdict = 1;
	if (type == LUA_TSTRING) {
		nft_read_verdict(x->L, x->a->arg, x->a->where, "verdict", &x->r->to);
		return;
	}
	if (type != LUA_TTABLE)
		nft_rule_fail(x, "verdict", "string or table expected, got %s", luaL_typename(x->L, -1));
	nft_rule_options(x, "verdict", verdict_options, &o);
	x->r->verdict_lookup.map = o.map;
	read_lookup(x, "verdict.key", index, &x->r->verdict_lookup, &map);
	if (!map.is_verdict_map)
		nft_rule_fail(x, "verdict.map", "the data of map '%.80s' is no verdict", o.map);
}

/* ---- NAT ---- */

static const struct box_opt masquerade_options[] = {
	{ "ports", BOX_ANY },
	{ "flags", BOX_FLAGS, offsetof(struct lookup_options, flags), .names = nft_nat_flags },
	{ 0 }
};

static const struct box_opt redirect_options[] = {
	{ "to", BOX_ANY },
	{ "flags", BOX_FLAGS, offsetof(struct lookup_options, flags), .names = nft_nat_flags },
	{ 0 }
};

static const struct box_opt snat_options[] = {
	{ "to", BOX_STRING, offsetof(struct lookup_options, to), 1, 1, NFT_VALUE_TEXT },
	{ "flags", BOX_FLAGS, offsetof(struct lookup_options, flags), .names = nft_nat_flags },
	{ 0 }
};

static const struct box_opt dnat_options[] = {
	{ "to", BOX_STRING, offsetof(struct lookup_options, to), 0, 1, NFT_VALUE_TEXT },
	{ "map", BOX_STRING, offsetof(struct lookup_options, map), 0, 1, NFT_NAME_MAX },
	{ "key", BOX_ANY },
	{ "flags", BOX_FLAGS, offsetof(struct lookup_options, flags), .names = nft_nat_flags },
	{ 0 }
};

/* Reads the value at the top, which it pops, as an address (range) or port (range). */
static void read_bound(const struct nft_reading *x, const char *name, enum nft_field field,
		       struct nft_value *v)
{
	nft_read_value(x->L, x->a->arg, x->a->where, name, field, v);
	if (v->kind == NFT_PREFIX)
		nft_rule_fail(x, name, "a prefix is no address to rewrite to; write the range");
	lua_pop(x->L, 1);
}

static void read_port(const struct nft_reading *x, const char *name, struct nft_value *v)
{
	read_bound(x, name, NFT_FIELD_SERVICE, v);
	nft_rule_need_ports(x, name);
}

/* Splits "10.0.0.2:80", "[fd00::2]:80" or a bare address; the port's text or null. */
static const char *split_address(const char *to, const char **begin, size_t *length)
{
	const char *end = strchr(to, ']'), *colon = strchr(to, ':');

	*begin = to;
	if (*to == '[' && end && (!end[1] || end[1] == ':')) {
		*begin = to + 1;
		*length = (size_t)(end - to) - 1;
		return end[1] ? end + 2 : NULL;
	}
	if (colon && strchr(colon + 1, ':'))
		colon = NULL; /* IPv6 without brackets */
	*length = colon ? (size_t)(colon - to) : strlen(to);
	return colon ? colon + 1 : NULL;
}

static void read_to(const struct nft_reading *x, const char *name, const char *to)
{
	const char *address, *port;
	enum nft_field field;
	size_t length;

	port = split_address(to, &address, &length);
	field = memchr(address, ':', length) ? NFT_FIELD_IPV6 : NFT_FIELD_IPV4;
	lua_pushlstring(x->L, address, length);
	read_bound(x, name, field, &x->r->nat.address);
	nft_rule_nfproto(x, name, field == NFT_FIELD_IPV6 ? NFPROTO_IPV6 : NFPROTO_IPV4);
	if (!port)
		return;
	lua_pushstring(x->L, port);
	read_port(x, name, &x->r->nat.port);
}

/* The map's data must be an address, or an address and a port. */
static void read_nat_map(const struct nft_reading *x, int index, const char *map_name)
{
	struct nft_lookup *l = &x->r->nat.lookup;
	struct nft_set map;
	uint8_t first;

	l->map = map_name;
	read_lookup(x, "dnat.key", index, l, &map);
	l->data = map.data;
	first = map.data.field[0];
	if (map.is_verdict_map || map.data.count > 2 ||
	    (first != NFT_FIELD_IPV4 && first != NFT_FIELD_IPV6) ||
	    (map.data.count == 2 && map.data.field[1] != NFT_FIELD_SERVICE))
		nft_rule_fail(x, "dnat.map",
			      "the data of map '%.80s' is not an address, or an address and a port",
			      map_name);
	nft_rule_nfproto(x, "dnat.map", first == NFT_FIELD_IPV6 ? NFPROTO_IPV6 : NFPROTO_IPV4);
}

static void read_dnat(const struct nft_reading *x)
{
	struct lookup_options o = { 0 };
	int index;

	if (lua_getfield(x->L, x->a->index, "dnat") == LUA_TNIL)
		return;
	index = lua_gettop(x->L);
	nft_rule_options(x, "dnat", dnat_options, &o);
	x->r->nat.kind = NFT_NAT_DESTINATION;
	x->r->nat.flags = (uint32_t)o.flags;
	if (!o.to == !o.map)
		nft_rule_fail(x, "dnat", "takes either 'to' or 'map'");
	if (o.map) {
		read_nat_map(x, index, o.map);
		return;
	}
	if (lua_getfield(x->L, index, "key") != LUA_TNIL)
		nft_rule_fail(x, "dnat.key", "goes with 'map' only");
	read_to(x, "dnat.to", o.to);
}

static void read_snat(const struct nft_reading *x)
{
	struct lookup_options o = { 0 };

	if (lua_getfield(x->L, x->a->index, "snat") == LUA_TNIL)
		return;
	nft_rule_options(x, "snat", snat_options, &o);
	x->r->nat.kind = NFT_NAT_SOURCE;
	x->r->nat.flags = (uint32_t)o.flags;
	read_to(x, "snat.to", o.to);
}

/* Masquerade and redirect have nothing but ports to choose. */
static void read_port_nat(const struct nft_reading *x, const char *name, const char *option,
			  const struct box_opt *opts, enum nft_nat_kind kind)
{
	struct lookup_options o = { 0 };
	int form = nft_rule_statement(x, name), index = lua_gettop(x->L);

	if (!form)
		return;
	x->r->nat.kind = kind;
	if (form != 1)
		return;
	nft_rule_options(x, name, opts, &o);
	x->r->nat.flags = (uint32_t)o.flags;
	if (lua_getfield(x->L, index, option) == LUA_TNIL)
		return;
	lua_pushfstring(x->L, "%s.%s", name, option);
	lua_insert(x->L, -2);
	read_port(x, lua_tostring(x->L, -2), &x->r->nat.port);
}

void nft_rule_nat(const struct nft_reading *x)
{
	read_port_nat(x, "masquerade", "ports", masquerade_options, NFT_NAT_MASQUERADE);
	read_snat(x);
	read_dnat(x);
	read_port_nat(x, "redirect", "to", redirect_options, NFT_NAT_REDIRECT);
}
