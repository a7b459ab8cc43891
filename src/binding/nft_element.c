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

/* Where each value of a flat list belongs: to the key, or to the data after it. */
struct slot {
	enum nft_field field;
	uint8_t at;
	uint8_t is_data;
	/* The text last read and what it meant: the same protocol and address fill whole
	 * columns, and Lua keeps one copy of a short string. */
	const char *text;
	struct nft_value value;
};

struct layout {
	const struct nft_set *set;
	unsigned int key, count; /* values of the key; of key and data */
	struct slot slots[2 * NFT_TYPE_FIELDS];
};

/* The element that is being read. */
struct entry {
	lua_State *L;
	const struct nft_apply *a;
	struct layout *layout;
	lua_Integer i;
	struct nft_element e;
};

static void add_slots(struct layout *l, const struct nft_type *t, int is_data)
{
	uint32_t at = 0;

	for (unsigned int i = 0; i < t->count; i++) {
		l->slots[l->count++] = (struct slot){ .field = (enum nft_field)t->field[i],
						      .at = (uint8_t)at,
						      .is_data = (uint8_t)is_data };
		at += nft_type_step(t, i);
	}
}

static void make_layout(struct layout *l, const struct nft_set *set)
{
	*l = (struct layout){ .set = set };
	add_slots(l, &set->key, 0);
	l->key = l->count;
	if (set->is_verdict_map)
		l->slots[l->count++] = (struct slot){ .is_data = 1 };
	else if (set->is_map)
		add_slots(l, &set->data, 1);
}

/* ---- errors ---- */

/* Where errors about the element point: made only when there is one. */
static const char *entry_name(const struct entry *x)
{
	return lua_pushfstring(x->L, "elements[%I]", (LUAI_UACINT)x->i);
}

static int entry_error(const struct entry *x, const char *message)
{
	return box_option_error(x->L, x->a->arg, x->a->where, entry_name(x), "%s", message);
}

static int count_error(const struct entry *x, unsigned int count)
{
	return box_option_error(x->L, x->a->arg, x->a->where, entry_name(x),
				"has %u values; '%.80s' takes %u for the key and %u for the data", count,
				x->layout->set->name, x->layout->key, x->layout->count - x->layout->key);
}

/* ---- values ---- */

static void check_kind(const struct entry *x, const struct nft_value *v, int may_be_interval)
{
	if (v->kind == NFT_MASKED || v->kind == NFT_STEM)
		entry_error(x, "a mask or '*' has no place in a set");
	if (!may_be_interval)
		entry_error(x, "a prefix or range needs a set with flags = 'interval', and is no data");
}

/* What is wrong with the value at the top; names for errors are not made before one is needed. */
static void value_error(const struct entry *x, enum nft_field field)
{
	struct nft_value v;

	entry_name(x);
	lua_insert(x->L, -2);
	nft_read_value(x->L, x->a->arg, x->a->where, lua_tostring(x->L, -2), field, &v);
}

/* Reads the value at the top into the slot. */
static void read_value(const struct entry *x, struct slot *slot)
{
	lua_State *L = x->L;
	size_t length = 0;
	const char *text = lua_type(L, -1) == LUA_TSTRING ? lua_tolstring(L, -1, &length) : NULL;
	int rc = -1;

	if (text && text == slot->text)
		return;
	if (text && strlen(text) == length)
		rc = nft_value_parse(slot->field, text, &slot->value);
	else if (lua_isinteger(L, -1))
		rc = nft_value_number(slot->field, lua_tointeger(L, -1), &slot->value);
	if (rc < 0)
		value_error(x, slot->field);
	slot->text = text;
}

static void read_verdict(struct entry *x)
{
	if (lua_type(x->L, -1) != LUA_TSTRING)
		entry_error(x, "a verdict is a string");
	nft_read_verdict(x->L, x->a->arg, x->a->where, "elements", &x->e.verdict);
}

/* Reads the value at the top, which the element still holds, into its slot. */
static void read_slot(struct entry *x, struct slot *slot)
{
	int may_be_interval = !slot->is_data && x->layout->set->flags & NFT_SET_INTERVAL;
	const struct nft_value *v = &slot->value;

	if (slot->field == NFT_FIELD_NONE) {
		read_verdict(x);
		return;
	}
	read_value(x, slot);
	if (v->kind != NFT_SINGLE)
		check_kind(x, v, may_be_interval);
	memcpy((slot->is_data ? x->e.data : x->e.key) + slot->at, v->low, v->length);
	if (may_be_interval)
		memcpy(x->e.key_end + slot->at, v->high, v->length);
}

/* ---- elements ---- */

/* Named values are rare: the options are only looked at when there is one. */
static void read_extras(struct entry *x, int index)
{
	struct element_options o = { 0 };

	lua_pushfstring(x->L, "%s.%s", x->a->where, entry_name(x));
	box_options_at(x->L, x->a->arg, index, lua_tostring(x->L, -1), (int)x->layout->count, entry_options,
		       &o);
	if (x->a->verb == NFT_DELETE)
		entry_error(x, "only a new element has a timeout or comment");
	x->e.timeout = (uint64_t)(o.timeout * 1000);
	x->e.comment = o.comment;
	lua_pop(x->L, 2);
}

/* Reads the flat list at 'index' in one pass. A deleted element may come without its data. */
static void read_list(struct entry *x, int index)
{
	struct layout *l = x->layout;
	lua_Integer highest = 0, seen = 0;
	int extras = 0;

	for (lua_pushnil(x->L); lua_next(x->L, index); lua_pop(x->L, 1)) {
		lua_Integer n;

		if (!lua_isinteger(x->L, -2)) {
			extras = 1;
			continue;
		}
		n = lua_tointeger(x->L, -2);
		if (n < 1 || n > l->count)
			count_error(x, (unsigned int)lua_rawlen(x->L, index));
		read_slot(x, &l->slots[n - 1]);
		highest = n > highest ? n : highest;
		seen++;
	}
	if (seen != highest || (highest != l->count && !(x->a->verb == NFT_DELETE && highest == l->key)))
		count_error(x, (unsigned int)seen);
	if (extras)
		read_extras(x, index);
}

/* Reads the element at the top of the stack, which it pops, and puts it into the list. */
static void put_element(lua_State *L, const struct nft_apply *a, lua_Integer i, struct layout *layout,
			struct nft_element_list *list)
{
	struct entry x = { .L = L, .a = a, .layout = layout, .i = i };

	if (lua_type(L, -1) == LUA_TTABLE) {
		read_list(&x, lua_gettop(L));
	} else {
		if (layout->count != 1 && !(a->verb == NFT_DELETE && layout->key == 1))
			count_error(&x, 1);
		read_slot(&x, &layout->slots[0]);
	}
	nft_element_put(list, &x.e);
	lua_pop(L, 1);
}

void nft_apply_element(lua_State *L, struct nft_apply *a)
{
	struct list_options o = { .family = NFPROTO_INET };
	struct nft_element_list list;
	struct layout layout;
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
	make_layout(&layout, &set);
	nft_elements_begin(&list, a->batch, a->verb, &set);
	for (lua_Integer i = 1; i <= n; i++) {
		lua_rawgeti(L, elements, i);
		put_element(L, a, i, &layout, &list);
	}
	nft_elements_end(&list);
}
