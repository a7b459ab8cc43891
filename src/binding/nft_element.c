/* SPDX-License-Identifier: MIT
 * Elements of sets and maps, from Lua's flat lists to keys and data.
 */
#include "binding/nft.h"

#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <string.h>

#define TEN_YEARS 315360000 /* seconds */

struct element_options {
	double timeout;
	const char *comment;
};

static const struct box_opt entry_options[] = {
	{ "timeout", BOX_NUMBER, offsetof(struct element_options, timeout), .max = TEN_YEARS },
	{ "comment", BOX_STRING, offsetof(struct element_options, comment), 0, 1, NFT_COMMENT_MAX },
	{ 0 }
};

struct list_options {
	int64_t family;
	const char *table, *set;
};

static const struct box_opt options[] = {
	{ "family", BOX_ENUM, offsetof(struct list_options, family), .names = nft_families },
	{ "table", BOX_STRING, offsetof(struct list_options, table), 1, 1, NFT_NAME_MAX },
	{ "set", BOX_STRING, offsetof(struct list_options, set), 1, 1, NFT_NAME_MAX },
	{ "elements", BOX_TABLE, 0, 1 },
	{ 0 }
};

/* Where errors about the i-th element point; pushed only when needed. */
static const char *element_name(lua_State *L, lua_Integer i)
{
	return lua_pushfstring(L, "elements[%I]", (LUAI_UACINT)i);
}

static int element_error(lua_State *L, const struct nft_apply *a, lua_Integer i, const char *message)
{
	return box_option_error(L, a->arg, a->where, element_name(L, i), "%s", message);
}

static void check_kind(lua_State *L, const struct nft_apply *a, lua_Integer i, const struct nft_value *v,
		       int is_interval)
{
	if (v->kind == NFT_MASKED || v->kind == NFT_STEM)
		element_error(L, a, i, "a mask or '*' has no place in a set");
	if (v->kind != NFT_SINGLE && !is_interval)
		element_error(L, a, i,
			      "a prefix or range needs a set with flags = 'interval', and is no data");
}

/* Reads the value at the top as the type's next field into low (and high); pops it. */
static void read_field(lua_State *L, const struct nft_apply *a, lua_Integer i, enum nft_field field,
		       uint8_t *low, uint8_t *high)
{
	struct nft_value v;
	int type = lua_type(L, -1);

	if (type != LUA_TSTRING && type != LUA_TNUMBER)
		element_error(L, a, i, "a field is neither string nor integer");
	/* the name costs: it is only made when the value is wrong */
	if (type == LUA_TNUMBER ? !lua_isinteger(L, -1) || nft_value_number(field, lua_tointeger(L, -1), &v)
				: nft_value_parse(field, lua_tostring(L, -1), &v)) {
		const char *name = element_name(L, i);

		lua_insert(L, -2);
		nft_read_value(L, a->arg, a->where, name, field, &v);
	}
	if (v.kind != NFT_SINGLE)
		check_kind(L, a, i, &v, high != NULL);
	memcpy(low, v.low, v.length);
	if (high)
		memcpy(high, v.high, v.length);
	lua_pop(L, 1);
}

static void read_verdict(lua_State *L, const struct nft_apply *a, lua_Integer i, struct nft_verdict *v)
{
	if (lua_type(L, -1) != LUA_TSTRING)
		element_error(L, a, i, "a verdict is a string");
	nft_read_verdict(L, a->arg, a->where, "elements", lua_tostring(L, -1), v);
	lua_pop(L, 1); /* the element still holds the string */
}

/* Named fields are rare: they are only looked for when there is one. */
static void read_extras(lua_State *L, const struct nft_apply *a, lua_Integer i, int entry, int positional,
			struct nft_element *e)
{
	struct element_options o = { 0 };
	int any = 0;

	for (lua_pushnil(L); lua_next(L, entry); lua_pop(L, 1))
		any |= !lua_isinteger(L, -2);
	if (!any)
		return;
	lua_pushfstring(L, "%s.%s", a->where, element_name(L, i));
	box_options_at(L, a->arg, entry, lua_tostring(L, -1), positional, entry_options, &o);
	if (a->verb == NFT_DELETE)
		element_error(L, a, i, "only a new element has a timeout or comment");
	e->timeout = (uint64_t)(o.timeout * 1000);
	e->comment = o.comment;
	lua_pop(L, 2);
}

/* A deleted element may be written with its data or without. */
static void check_count(lua_State *L, const struct nft_apply *a, lua_Integer i, const struct nft_set *set,
			unsigned int count)
{
	unsigned int key = set->key.count,
		     data = set->is_map ? (set->is_verdict_map ? 1 : set->data.count) : 0;

	if (count == key + data || (a->verb == NFT_DELETE && count == key))
		return;
	box_option_error(L, a->arg, a->where, element_name(L, i),
			 "has %u fields; '%.80s' takes %u for the key and %u for the data", count, set->name,
			 key, data);
}

static void read_key(lua_State *L, const struct nft_apply *a, lua_Integer i, int entry,
		     const struct nft_set *set, struct nft_element *e)
{
	uint8_t *high = set->flags & NFT_SET_INTERVAL ? e->key_end : NULL;
	uint32_t at = 0;

	for (unsigned int k = 0; k < set->key.count; k++) {
		lua_rawgeti(L, entry, k + 1);
		read_field(L, a, i, (enum nft_field)set->key.field[k], e->key + at, high ? high + at : NULL);
		at += nft_type_step(&set->key, k);
	}
}

static void read_data(lua_State *L, const struct nft_apply *a, lua_Integer i, int entry,
		      const struct nft_set *set, struct nft_element *e)
{
	uint32_t at = 0;

	if (set->is_verdict_map) {
		lua_rawgeti(L, entry, set->key.count + 1);
		read_verdict(L, a, i, &e->verdict);
		return;
	}
	for (unsigned int k = 0; k < set->data.count; k++) {
		lua_rawgeti(L, entry, set->key.count + k + 1);
		read_field(L, a, i, (enum nft_field)set->data.field[k], e->data + at, NULL);
		at += nft_type_step(&set->data, k);
	}
}

/* Reads the element at the top of the stack, which it pops, and puts it into the list. */
static void put_element(lua_State *L, const struct nft_apply *a, lua_Integer i, struct nft_element_list *list)
{
	const struct nft_set *set = list->set;
	struct nft_element e = { 0 };
	int entry = lua_gettop(L);
	unsigned int count;

	if (lua_type(L, entry) != LUA_TTABLE) {
		check_count(L, a, i, set, 1);
		read_field(L, a, i, (enum nft_field)set->key.field[0], e.key,
			   set->flags & NFT_SET_INTERVAL ? e.key_end : NULL);
		nft_element_put(list, &e);
		return;
	}
	count = (unsigned int)lua_rawlen(L, entry);
	check_count(L, a, i, set, count);
	read_extras(L, a, i, entry, (int)count, &e);
	read_key(L, a, i, entry, set, &e);
	if (set->is_map && count > set->key.count)
		read_data(L, a, i, entry, set, &e);
	nft_element_put(list, &e);
	lua_pop(L, 1);
}

void nft_apply_element(lua_State *L, struct nft_apply *a)
{
	struct list_options o = { .family = NFPROTO_INET };
	struct nft_element_list list;
	struct nft_set set;
	lua_Integer n;
	int elements;

	box_options_at(L, a->arg, a->index, a->where, 2, options, &o);
	nft_find_set(L, a, (uint8_t)o.family, o.table, o.set, &set);
	set.table = o.table;
	set.name = o.set;
	lua_getfield(L, a->index, "elements");
	elements = lua_gettop(L);
	n = (lua_Integer)lua_rawlen(L, elements);
	if (!n)
		return;
	nft_elements_begin(&list, a->batch, a->verb, &set);
	for (lua_Integer i = 1; i <= n; i++) {
		lua_rawgeti(L, elements, i);
		put_element(L, a, i, &list);
	}
	nft_elements_end(&list);
}
