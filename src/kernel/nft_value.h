/* SPDX-License-Identifier: MIT
 * Values of nf_tables' sets and matches: addresses, ports, protocols, marks and
 * interface names, in nft's spelling and in the bytes that the kernel compares.
 */
#ifndef LUABOX_NFT_VALUE_H
#define LUABOX_NFT_VALUE_H

#include <stddef.h>
#include <stdint.h>

#define NFT_TYPE_FIELDS 5 /* as many as fit the number that nft has for a type */
#define NFT_KEY_SIZE 64   /* sixteen registers of four bytes */
#define NFT_VALUE_TEXT 96

enum nft_field {
	NFT_FIELD_NONE,
	NFT_FIELD_IPV4,
	NFT_FIELD_IPV6,
	NFT_FIELD_PROTO,
	NFT_FIELD_SERVICE,
	NFT_FIELD_MARK,
	NFT_FIELD_IFNAME,
	NFT_FIELD_COUNT
};

/* The type of a set's key or of a map's data: one field, or the concatenation of several. */
struct nft_type {
	uint8_t count;
	uint8_t field[NFT_TYPE_FIELDS]; /* enum nft_field */
};

enum nft_value_kind {
	NFT_SINGLE, /* low */
	NFT_PREFIX, /* low to high, equally low under mask */
	NFT_RANGE,  /* low to high */
	NFT_MASKED, /* low under mask; no interval (marks) */
	NFT_STEM,   /* the first 'length' bytes of an interface's name */
};

struct nft_value {
	uint8_t kind, length;
	uint8_t low[16], high[16], mask[16];
};

/* "ipv4_addr" and so on; null for NONE. */
const char *nft_field_name(enum nft_field field);
enum nft_field nft_field_by_name(const char *name, size_t length);
uint8_t nft_field_length(enum nft_field field);

/* A value as nft writes it: "10.0.0.0/24", "a-b", "80-90", "tcp", "0x1/0xff",
 * "br*". Bits under a prefix are cleared. Returns 0 or -EINVAL. */
int nft_value_parse(enum nft_field field, const char *text, struct nft_value *v);

/* A port, protocol or mark. Returns 0, -ERANGE, or -EINVAL if the field has no numbers. */
int nft_value_number(enum nft_field field, int64_t number, struct nft_value *v);

/* Writes "low", "low/prefix" or "low-high" to a buffer of NFT_VALUE_TEXT bytes. */
void nft_value_format(enum nft_field field, const uint8_t *low, const uint8_t *high, char *text);

/* The number behind a port or mark. */
int64_t nft_value_to_number(enum nft_field field, const uint8_t *bytes);

/* "tcp" for 6; null if it has no name here. */
const char *nft_protocol_name(uint8_t protocol);

/* nft's number for a type, by which it lists a set; and back: 0 or -EINVAL for a
 * type that is not among ours. */
uint32_t nft_type_id(const struct nft_type *t);
int nft_type_from_id(uint32_t id, struct nft_type *t);

/* Bytes of a key: fields of a concatenation are padded to whole registers. */
uint32_t nft_type_length(const struct nft_type *t);

/* The length that a field takes within type 't'. */
uint32_t nft_type_step(const struct nft_type *t, unsigned int i);

#endif
