/* SPDX-License-Identifier: MIT
 * Option tables against a static description. Nothing is done to the kernel
 * before the whole table has passed.
 */
/***
What option tables are checked with. `luabox.options` checks them in Lua.
@module luabox.sys.options
*/
#include "binding/binding.h"

#include <ctype.h>
#include <limits.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define LONGEST_NAME 63

static int lower(char c)
{
	return tolower((unsigned char)c);
}

/* Levenshtein's distance, whatever the case; names longer than any option's are just far away. */
static size_t distance(const char *a, const char *b)
{
	size_t row[LONGEST_NAME + 1], la = strlen(a), lb = strlen(b);

	if (lb > LONGEST_NAME || la > LONGEST_NAME)
		return LONGEST_NAME;
	for (size_t j = 0; j <= lb; j++)
		row[j] = j;
	for (size_t i = 1; i <= la; i++) {
		size_t diagonal = row[0];

		row[0] = i;
		for (size_t j = 1; j <= lb; j++) {
			size_t up = row[j], best = diagonal + (lower(a[i - 1]) != lower(b[j - 1]));

			best = row[j - 1] + 1 < best ? row[j - 1] + 1 : best;
			best = up + 1 < best ? up + 1 : best;
			row[j] = best;
			diagonal = up;
		}
	}
	return row[lb];
}

/* Past what the kernel's headers put before a name that luabox gives without. */
static const char *bare(const char *word)
{
	return strncasecmp(word, "cap_", 4) ? word : word + 4;
}

void box_keep_nearest(const char *word, const char *name, const char **best, size_t *far)
{
	size_t d = distance(bare(word), name);

	if (d < *far && d < strlen(name)) {
		*far = d;
		*best = name;
	}
}

/* Pushes "; did you mean 'x'?" or "; expected one of 'x', 'y'" onto the message at the top. */
static void add_suggestion(lua_State *L, const char *best)
{
	lua_pushfstring(L, "; did you mean '%s'?", best);
	lua_concat(L, 2);
}

static void add_choice(lua_State *L, const char *name, int first)
{
	lua_pushfstring(L, first ? "; expected one of '%s'" : ", '%s'", name);
	lua_concat(L, 2);
}

static int unknown_name(lua_State *L, int arg, const char *where, const char *word,
			const struct box_opt *opts)
{
	const char *best = NULL;
	size_t far = BOX_FAR;

	lua_pushfstring(L, "unknown option '%s%s%s'", where ? where : "", where ? "." : "", word);
	for (const struct box_opt *o = opts; o->name; o++)
		box_keep_nearest(word, o->name, &best, &far);
	if (best)
		add_suggestion(L, best);
	else
		for (const struct box_opt *o = opts; o->name; o++)
			add_choice(L, o->name, o == opts);
	return luaL_argerror(L, arg, lua_tostring(L, -1));
}

/* "option 'where.name': word", with the nearest of 'names' or all of them. */
static void push_unknown_word(lua_State *L, const char *word, const struct box_name *names)
{
	const char *best = NULL;
	size_t far = BOX_FAR;

	lua_pushfstring(L, "unknown value '%s'", word);
	for (const struct box_name *n = names; n->name; n++)
		box_keep_nearest(word, n->name, &best, &far);
	if (best)
		add_suggestion(L, best);
	else
		for (const struct box_name *n = names; n->name; n++)
			add_choice(L, n->name, n == names);
}

int box_option_error(lua_State *L, int arg, const char *where, const char *name, const char *format, ...)
{
	char text[512];
	va_list ap;

	va_start(ap, format);
	vsnprintf(text, sizeof text, format, ap);
	va_end(ap);
	if (name)
		lua_pushfstring(L, "option '%s%s%s': %s", where ? where : "", where ? "." : "", name, text);
	else
		lua_pushstring(L, text);
	return luaL_argerror(L, arg, lua_tostring(L, -1));
}

static int wrong_type(lua_State *L, int arg, const char *where, const struct box_opt *o, const char *expected)
{
	return box_option_error(L, arg, where, o->name, "%s expected, got %s", expected,
				luaL_typename(L, -1));
}

static const struct box_name *find_name(const char *word, size_t length, const struct box_name *names)
{
	for (; names->name; names++)
		if (strlen(names->name) == length && !memcmp(names->name, word, length))
			return names;
	return NULL;
}

uint64_t box_flags(lua_State *L, int arg, const char *where, const char *name, const char *text,
		   const struct box_name *names)
{
	uint64_t bits = 0;
	size_t length;

	for (const char *s = text; *s; s += length + (s[length] == ',')) {
		const struct box_name *n;

		length = strcspn(s, ",");
		n = find_name(s, length, names);
		if (!n) {
			lua_pushlstring(L, s, length);
			push_unknown_word(L, lua_tostring(L, -1), names);
			box_option_error(L, arg, where, name, "%s", lua_tostring(L, -1));
			return 0;
		}
		bits = n->clear ? bits & ~n->bits : bits | n->bits;
	}
	return bits;
}

void box_push_flags(lua_State *L, uint64_t bits, const struct box_name *names)
{
	luaL_Buffer b;
	int first = 1;

	luaL_buffinit(L, &b);
	for (; names->name; names++) {
		if (names->clear || !names->bits || (bits & names->bits) != names->bits)
			continue;
		if (!first)
			luaL_addchar(&b, ',');
		luaL_addstring(&b, names->name);
		bits &= ~names->bits;
		first = 0;
	}
	luaL_pushresult(&b);
}

uint64_t box_checkenum(lua_State *L, int arg, const char *fallback, const struct box_name *names)
{
	const char *word = fallback ? luaL_optstring(L, arg, fallback) : luaL_checkstring(L, arg);
	const struct box_name *n = find_name(word, strlen(word), names);

	if (n)
		return n->bits;
	push_unknown_word(L, word, names);
	luaL_argerror(L, arg, lua_tostring(L, -1));
	return 0;
}

static void get_string(lua_State *L, int arg, const char *where, const struct box_opt *o, const char **out)
{
	size_t length;
	const char *s;

	if (lua_type(L, -1) != LUA_TSTRING)
		wrong_type(L, arg, where, o, "string");
	s = lua_tolstring(L, -1, &length);
	if (strlen(s) != length)
		box_option_error(L, arg, where, o->name, "contains a zero byte");
	if (o->max && length > (size_t)o->max)
		box_option_error(L, arg, where, o->name, "'%.80s' is %zu bytes long; at most %d are allowed",
				 s, length, (int)o->max);
	if (length < (size_t)o->min)
		box_option_error(L, arg, where, o->name, "is empty");
	*out = s;
}

static void get_integer(lua_State *L, int arg, const char *where, const struct box_opt *o, int64_t *out)
{
	int exact;
	lua_Integer v = lua_tointegerx(L, -1, &exact);

	if (lua_type(L, -1) != LUA_TNUMBER || !exact)
		wrong_type(L, arg, where, o, "integer");
	if ((o->min || o->max) && (v < o->min || v > o->max))
		box_option_error(L, arg, where, o->name, "%lld is out of range (%lld to %lld)", (long long)v,
				 (long long)o->min, (long long)o->max);
	*out = v;
}

static void get_number(lua_State *L, int arg, const char *where, const struct box_opt *o, double *out)
{
	double v = lua_tonumber(L, -1);

	if (lua_type(L, -1) != LUA_TNUMBER)
		wrong_type(L, arg, where, o, "number");
	if (isnan(v) || ((o->min || o->max) && (v < (double)o->min || v > (double)o->max)))
		box_option_error(L, arg, where, o->name, "%g is out of range (%lld to %lld)", v,
				 (long long)o->min, (long long)o->max);
	*out = v;
}

static void get_words(lua_State *L, int arg, const char *where, const struct box_opt *o, void *out)
{
	const struct box_name *n;
	const char *s;

	get_string(L, arg, where, o, &s);
	if (o->type == BOX_FLAGS) {
		*(uint64_t *)out = box_flags(L, arg, where, o->name, s, o->names);
		return;
	}
	n = find_name(s, strlen(s), o->names);
	if (!n) {
		push_unknown_word(L, s, o->names);
		box_option_error(L, arg, where, o->name, "%s", lua_tostring(L, -1));
		return;
	}
	*(int64_t *)out = (int64_t)n->bits;
}

static void get_fd(lua_State *L, int arg, const char *where, const struct box_opt *o, int *out)
{
	int fd = box_tofd(L, -1);

	if (fd < 0 && lua_isuserdata(L, -1))
		box_option_error(L, arg, where, o->name, "attempt to use a closed handle");
	if (fd < 0)
		wrong_type(L, arg, where, o, "handle, io file or descriptor number");
	*out = fd;
}

static void get_typed(lua_State *L, int arg, const char *where, const struct box_opt *o, int type)
{
	if (lua_type(L, -1) != type)
		wrong_type(L, arg, where, o, lua_typename(L, type));
}

/* Reads the value at the top of the stack into 'out' by 'o'. */
static void get_option(lua_State *L, int arg, const char *where, const struct box_opt *o, void *out)
{
	switch (o->type) {
	case BOX_STRING:
		get_string(L, arg, where, o, out);
		break;
	case BOX_INT:
		get_integer(L, arg, where, o, out);
		break;
	case BOX_NUMBER:
		get_number(L, arg, where, o, out);
		break;
	case BOX_BOOL:
		get_typed(L, arg, where, o, LUA_TBOOLEAN);
		*(int *)out = lua_toboolean(L, -1);
		break;
	case BOX_FLAGS:
	case BOX_ENUM:
		get_words(L, arg, where, o, out);
		break;
	case BOX_FD:
		get_fd(L, arg, where, o, out);
		break;
	case BOX_TABLE:
		get_typed(L, arg, where, o, LUA_TTABLE);
		break;
	case BOX_FUNCTION:
		get_typed(L, arg, where, o, LUA_TFUNCTION);
		break;
	case BOX_ANY:
		break;
	case BOX_CUSTOM:
		o->read(L, arg, where, o, out);
		break;
	}
}

/* The place in 'opts' of the key below the top; -1 for a list entry, a key that is an integer up to
 * 'positional'. */
static int find_option(lua_State *L, int arg, const char *where, int positional, const struct box_opt *opts)
{
	const struct box_opt *o = opts;
	const char *key;

	if (lua_isinteger(L, -2) && lua_tointeger(L, -2) >= 1 && lua_tointeger(L, -2) <= positional)
		return -1;
	if (lua_type(L, -2) != LUA_TSTRING)
		return box_option_error(L, arg, NULL, NULL, "%s%soption names are strings, got a %s key",
					where ? where : "", where ? ": " : "", luaL_typename(L, -2));
	key = lua_tostring(L, -2);
	while (o->name && strcmp(o->name, key))
		o++;
	return o->name ? (int)(o - opts) : unknown_name(L, arg, where, key, opts);
}

/* Only options that are there are looked up again: most of a long list is absent.
 * No list has more than the 256 options that the bits are for. */
void box_options_at(lua_State *L, int arg, int index, const char *where, int positional,
		    const struct box_opt *opts, void *out)
{
	uint64_t present[4] = { 0 };
	int i;

	index = lua_absindex(L, index);
	luaL_checkstack(L, 8, "too many nested options");
	for (lua_pushnil(L); lua_next(L, index); lua_pop(L, 1)) {
		i = find_option(L, arg, where, positional, opts);
		if (i >= 0)
			present[i / 64 % 4] |= (uint64_t)1 << i % 64;
	}
	i = 0;
	for (const struct box_opt *o = opts; o->name; o++, i++) {
		if (present[i / 64 % 4] >> i % 64 & 1) {
			lua_pushstring(L, o->name);
			lua_rawget(L, index);
			get_option(L, arg, where, o, (char *)out + o->offset);
			lua_pop(L, 1);
		} else if (o->required) {
			luaL_argerror(L, arg,
				      lua_pushfstring(L, "option '%s%s%s' is missing", where ? where : "",
						      where ? "." : "", o->name));
		}
	}
}

void box_options(lua_State *L, int arg, const struct box_opt *opts, void *out)
{
	luaL_checktype(L, arg, LUA_TTABLE);
	box_options_at(L, arg, arg, NULL, 0, opts, out);
}

const char *box_checkpath(lua_State *L, int arg)
{
	size_t length;
	const char *path = luaL_checklstring(L, arg, &length);

	luaL_argcheck(L, length > 0, arg, "the path is empty");
	luaL_argcheck(L, length < PATH_MAX, arg, "the path is longer than 4095 bytes");
	luaL_argcheck(L, strlen(path) == length, arg, "the path contains a zero byte");
	return path;
}

/***
The name in a list that a misspelt word most likely means.
@function nearest
@string word
@tparam {string,...} names
@treturn ?string nil if none is near (three edits or more)
@usage assert(luabox.sys.options.nearest("adress", { "address", "name" }) == "address")
*/
static int options_nearest(lua_State *L)
{
	const char *word = luaL_checkstring(L, 1), *best = NULL;
	size_t far = BOX_FAR;
	lua_Integer n;

	luaL_checktype(L, 2, LUA_TTABLE);
	n = luaL_len(L, 2);
	luaL_checkstack(L, 4, NULL);
	for (lua_Integer i = 1; i <= n; i++) {
		if (lua_geti(L, 2, i) == LUA_TSTRING)
			box_keep_nearest(word, lua_tostring(L, -1), &best, &far);
		lua_pop(L, 1); /* the list still holds the string */
	}
	lua_pushstring(L, best);
	return 1;
}

static const luaL_Reg functions[] = { { "nearest", options_nearest }, { NULL, NULL } };

BOX_MODULE(options)
{
	luaL_newlib(L, functions);
	return 1;
}
