/* SPDX-License-Identifier: MIT */
#include "kernel/nft_value.h"

#include <arpa/inet.h>
#include <endian.h>
#include <errno.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* nft's numbers of data types (its datatype.h); a concatenation is its fields' numbers, six bits each. */
#define TYPE_BITS 6

struct field {
	const char *name;
	uint8_t id, length;
};

static const struct field fields[NFT_FIELD_COUNT] = {
	[NFT_FIELD_IPV4] = { "ipv4_addr", 7, 4 },    [NFT_FIELD_IPV6] = { "ipv6_addr", 8, 16 },
	[NFT_FIELD_PROTO] = { "inet_proto", 12, 1 }, [NFT_FIELD_SERVICE] = { "inet_service", 13, 2 },
	[NFT_FIELD_MARK] = { "mark", 19, 4 },        [NFT_FIELD_IFNAME] = { "ifname", 41, IFNAMSIZ },
};

static const struct {
	const char *name;
	uint8_t number;
} protocols[] = {
	{ "icmp", 1 },    { "igmp", 2 },       { "tcp", 6 },    { "udp", 17 },
	{ "dccp", 33 },   { "gre", 47 },       { "esp", 50 },   { "ah", 51 },
	{ "icmpv6", 58 }, { "ipv6-icmp", 58 }, { "sctp", 132 }, { "udplite", 136 },
};

const char *nft_field_name(enum nft_field field)
{
	return fields[field].name;
}

enum nft_field nft_field_by_name(const char *name, size_t length)
{
	for (int i = NFT_FIELD_NONE + 1; i < NFT_FIELD_COUNT; i++)
		if (strlen(fields[i].name) == length && !memcmp(fields[i].name, name, length))
			return (enum nft_field)i;
	return NFT_FIELD_NONE;
}

uint8_t nft_field_length(enum nft_field field)
{
	return fields[field].length;
}

const char *nft_protocol_name(uint8_t protocol)
{
	for (size_t i = 0; i < sizeof protocols / sizeof *protocols; i++)
		if (protocols[i].number == protocol)
			return protocols[i].name;
	return NULL;
}

/* ---- reading ---- */

/* A decimal or 0x number that is the whole of 'text'. */
static int to_number(const char *text, uint64_t max, uint64_t *out)
{
	char *end;

	if (*text < '0' || *text > '9')
		return -EINVAL;
	errno = 0;
	*out = strtoull(text, &end, strncmp(text, "0x", 2) == 0 ? 16 : 10);
	return *end || errno || *out > max ? -EINVAL : 0;
}

static void put_number(enum nft_field field, uint64_t number, uint8_t *out)
{
	uint16_t port = htobe16((uint16_t)number);
	uint32_t mark = (uint32_t)number; /* in the machine's own order */

	if (field == NFT_FIELD_PROTO)
		*out = (uint8_t)number;
	else if (field == NFT_FIELD_SERVICE)
		memcpy(out, &port, sizeof port);
	else
		memcpy(out, &mark, sizeof mark);
}

static uint64_t largest(enum nft_field field)
{
	return (1ULL << (8 * fields[field].length)) - 1;
}

int64_t nft_value_to_number(enum nft_field field, const uint8_t *bytes)
{
	uint16_t port;
	uint32_t mark;

	if (field == NFT_FIELD_PROTO)
		return *bytes;
	if (field == NFT_FIELD_SERVICE) {
		memcpy(&port, bytes, sizeof port);
		return be16toh(port);
	}
	memcpy(&mark, bytes, sizeof mark);
	return mark;
}

static int parse_protocol(const char *text, uint8_t *out)
{
	uint64_t number;

	for (size_t i = 0; i < sizeof protocols / sizeof *protocols; i++)
		if (!strcmp(protocols[i].name, text)) {
			*out = protocols[i].number;
			return 0;
		}
	if (to_number(text, 255, &number))
		return -EINVAL;
	*out = (uint8_t)number;
	return 0;
}

/* One value without prefix, range or mask. */
static int parse_plain(enum nft_field field, const char *text, uint8_t *out)
{
	uint64_t number;

	if (field == NFT_FIELD_IPV4 || field == NFT_FIELD_IPV6)
		return inet_pton(field == NFT_FIELD_IPV4 ? AF_INET : AF_INET6, text, out) == 1 ? 0 : -EINVAL;
	if (field == NFT_FIELD_PROTO)
		return parse_protocol(text, out);
	if (to_number(text, largest(field), &number))
		return -EINVAL;
	put_number(field, number, out);
	return 0;
}

static int parse_ifname(const char *text, struct nft_value *v)
{
	size_t length = strlen(text);

	if (!length || length >= IFNAMSIZ || !strcmp(text, "*") || strpbrk(text, "/ \t"))
		return -EINVAL;
	v->length = IFNAMSIZ;
	v->kind = NFT_SINGLE;
	if (text[length - 1] == '*') {
		v->kind = NFT_STEM;
		v->length = (uint8_t)--length;
	}
	memcpy(v->low, text, length);
	memcpy(v->high, v->low, sizeof v->high);
	return 0;
}

static int parse_prefix(const char *text, struct nft_value *v)
{
	uint64_t bits;

	if (to_number(text, 8U * v->length, &bits))
		return -EINVAL;
	for (unsigned int i = 0; i < v->length; i++) {
		int in_byte = (int)bits - 8 * (int)i;

		v->mask[i] = in_byte >= 8 ? 0xff : in_byte <= 0 ? 0 : (uint8_t)(0xff << (8 - in_byte));
		v->low[i] &= v->mask[i];
		v->high[i] = (uint8_t)(v->low[i] | ~v->mask[i]);
	}
	v->kind = bits == 8U * v->length ? NFT_SINGLE : NFT_PREFIX;
	return 0;
}

static int parse_mask(const char *text, struct nft_value *v)
{
	v->kind = NFT_MASKED;
	return parse_plain(NFT_FIELD_MARK, text, v->mask);
}

static int parse_high(enum nft_field field, const char *text, struct nft_value *v)
{
	if (field == NFT_FIELD_MARK || parse_plain(field, text, v->high) ||
	    memcmp(v->low, v->high, v->length) > 0)
		return -EINVAL;
	v->kind = memcmp(v->low, v->high, v->length) ? NFT_RANGE : NFT_SINGLE;
	return 0;
}

int nft_value_parse(enum nft_field field, const char *text, struct nft_value *v)
{
	char first[INET6_ADDRSTRLEN];
	const char *end = text + strcspn(text, "/-");
	int rc;

	memset(v, 0, sizeof *v);
	if (field == NFT_FIELD_IFNAME)
		return parse_ifname(text, v);
	if (field == NFT_FIELD_PROTO) /* "ipv6-icmp" is no range */
		end = text + strlen(text);
	if ((size_t)(end - text) >= sizeof first)
		return -EINVAL;
	memcpy(first, text, (size_t)(end - text));
	first[end - text] = '\0';
	v->length = fields[field].length;
	rc = parse_plain(field, first, v->low);
	memcpy(v->high, v->low, sizeof v->high);
	if (rc || !*end)
		return rc;
	if (*end == '-')
		return parse_high(field, end + 1, v);
	if (field == NFT_FIELD_MARK)
		return parse_mask(end + 1, v);
	return field == NFT_FIELD_SERVICE ? -EINVAL : parse_prefix(end + 1, v);
}

int nft_value_number(enum nft_field field, int64_t number, struct nft_value *v)
{
	if (field != NFT_FIELD_PROTO && field != NFT_FIELD_SERVICE && field != NFT_FIELD_MARK)
		return -EINVAL;
	if (number < 0 || (uint64_t)number > largest(field))
		return -ERANGE;
	memset(v, 0, sizeof *v);
	v->length = fields[field].length;
	put_number(field, (uint64_t)number, v->low);
	memcpy(v->high, v->low, sizeof v->high);
	return 0;
}

/* ---- writing ---- */

static void format_plain(enum nft_field field, const uint8_t *bytes, char *text)
{
	const char *name;

	switch (field) {
	case NFT_FIELD_IPV4:
		inet_ntop(AF_INET, bytes, text, INET6_ADDRSTRLEN);
		break;
	case NFT_FIELD_IPV6:
		inet_ntop(AF_INET6, bytes, text, INET6_ADDRSTRLEN);
		break;
	case NFT_FIELD_IFNAME:
		snprintf(text, IFNAMSIZ, "%.*s", IFNAMSIZ - 1, (const char *)bytes);
		break;
	case NFT_FIELD_PROTO:
		name = nft_protocol_name(*bytes);
		if (name)
			snprintf(text, INET6_ADDRSTRLEN, "%s", name);
		else
			snprintf(text, INET6_ADDRSTRLEN, "%d", *bytes);
		break;
	default:
		snprintf(text, INET6_ADDRSTRLEN, "%lld", (long long)nft_value_to_number(field, bytes));
	}
}

/* The prefix length if low to high is a prefix, else -1. */
static int prefix_of(const uint8_t *low, const uint8_t *high, unsigned int length)
{
	unsigned int bits = 0;

	while (bits < 8 * length && !(((low[bits / 8] ^ high[bits / 8]) << (bits % 8)) & 0x80))
		bits++;
	for (unsigned int i = bits; i < 8 * length; i++)
		if ((low[i / 8] << (i % 8) & 0x80) || !(high[i / 8] << (i % 8) & 0x80))
			return -1;
	return (int)bits;
}

void nft_value_format(enum nft_field field, const uint8_t *low, const uint8_t *high, char *text)
{
	int is_address = field == NFT_FIELD_IPV4 || field == NFT_FIELD_IPV6, prefix = -1;
	unsigned int length = fields[field].length;

	format_plain(field, low, text);
	if (!memcmp(low, high, length))
		return;
	if (is_address)
		prefix = prefix_of(low, high, length);
	text += strlen(text);
	if (prefix >= 0) {
		snprintf(text, 6, "/%u", (unsigned int)prefix & 0xff);
		return;
	}
	*text++ = '-';
	format_plain(field, high, text);
}

/* ---- types ---- */

uint32_t nft_type_id(const struct nft_type *t)
{
	uint32_t id = 0;

	for (unsigned int i = 0; i < t->count; i++)
		id = id << TYPE_BITS | fields[t->field[i]].id;
	return id;
}

static enum nft_field field_by_id(uint32_t id)
{
	for (int i = NFT_FIELD_NONE + 1; i < NFT_FIELD_COUNT; i++)
		if (fields[i].id == id)
			return (enum nft_field)i;
	return NFT_FIELD_NONE;
}

int nft_type_from_id(uint32_t id, struct nft_type *t)
{
	uint8_t reversed[NFT_TYPE_FIELDS];

	t->count = 0;
	for (; id; id >>= TYPE_BITS) {
		enum nft_field field = field_by_id(id & ((1 << TYPE_BITS) - 1));

		if (field == NFT_FIELD_NONE)
			return -EINVAL;
		reversed[t->count++] = (uint8_t)field; /* five at most: the sixth has two bits left */
	}
	for (unsigned int i = 0; i < t->count; i++)
		t->field[i] = reversed[t->count - 1 - i];
	return t->count ? 0 : -EINVAL;
}

uint32_t nft_type_step(const struct nft_type *t, unsigned int i)
{
	uint32_t length = fields[t->field[i]].length;

	return t->count == 1 ? length : (length + 3) / 4 * 4;
}

uint32_t nft_type_length(const struct nft_type *t)
{
	uint32_t length = 0;

	for (unsigned int i = 0; i < t->count; i++)
		length += nft_type_step(t, i);
	return length;
}
