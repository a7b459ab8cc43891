/* SPDX-License-Identifier: MIT
 * What the files of luabox.sys.nft share.
 */
#ifndef LUABOX_BINDING_NFT_H
#define LUABOX_BINDING_NFT_H

#include "binding/binding.h"
#include "kernel/nft_list.h"

#define NFT_HANDLE "luabox.nft"

/* A list of operations on its way into a transaction. */
struct nft_apply {
	int fd, arg;             /* the socket; the argument that errors name */
	struct nft_batch *batch; /* owned by a userdata on the stack */
	int sets;                /* stack index of a table: a set's name -> stack copy of its operation */
	int index;               /* stack index of the operation at hand */
	enum nft_verb verb;
	char where[32]; /* "operations[3]" */
};

extern const struct box_name nft_families[];
extern const struct box_name nft_ct_states[];
extern const struct box_name nft_ct_statuses[];
extern const struct box_name nft_address_types[];
extern const struct box_name nft_nat_flags[];
extern const struct box_name nft_log_levels[];
extern const struct box_name nft_set_flag_names[];
extern const struct box_name nft_hooks[];
extern const struct box_name nft_arp_hooks[];
extern const struct box_name nft_policies[];
extern const struct box_name nft_nfprotos[];

/* bits: type of the rejection << 16 | code << 8 | NFPROTO_* that it asks for. */
extern const struct box_name nft_rejects[];

/* Pushes the name of 'bits', or the number itself if it has none. */
void nft_push_name(lua_State *L, uint64_t bits, const struct box_name *names);

/* Options by name: of a match and of a map's key. */
extern const char *const nft_selector_names[];

/* Reads the value at the top of the stack (which stays there) as a 'field'. */
void nft_read_value(lua_State *L, int arg, const char *where, const char *name, enum nft_field field,
		    struct nft_value *v);

/* The string at the top of the stack; an argument error if it contains a zero byte. */
const char *nft_text(lua_State *L, int arg, const char *where, const char *name);

/* Reads the string at the top (which stays) as "accept", "drop", "return", "jump CHAIN" or "goto CHAIN"; the
 * chain's name points into it. */
void nft_read_verdict(lua_State *L, int arg, const char *where, const char *name, struct nft_verdict *v);
void nft_push_verdict(lua_State *L, const struct nft_verdict *v);

/* Pushes the comma list that the string or list of strings at the top (which stays) says. */
const char *nft_push_words(lua_State *L, int arg, const char *where, const char *name);

/* Finds the types of a set that an operation names: made earlier in the same list, or
 * there already. Leaves what 'set' points to on the stack. */
void nft_find_set(lua_State *L, struct nft_apply *a, uint8_t family, const char *table, const char *name,
		  struct nft_set *set);

/* Operations, each on the options table at a->index. */
void nft_apply_element(lua_State *L, struct nft_apply *a);
void nft_apply_rule(lua_State *L, struct nft_apply *a);

/* Pushes what an element's 'fields' hold: one value, or appends them to the list at the top. */
void nft_push_field(lua_State *L, enum nft_field field, const uint8_t *low, const uint8_t *high);

/* Methods of listing (nft_list.c). */
int nft_tables(lua_State *L);
int nft_chains(lua_State *L);
int nft_sets(lua_State *L);
int nft_elements(lua_State *L);
int nft_rules(lua_State *L);

#endif
