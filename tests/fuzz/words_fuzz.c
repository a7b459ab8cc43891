/* SPDX-License-Identifier: MIT
 * What users write where the core wants an address, a port, a name or a value of nf_tables. What was read is
 * written and read again: it must be the same. The first byte is which.
 */
#include "fuzz.h"

#include <limits.h>
#include <string.h>

#include "kernel/keeper.h"
#include "kernel/netaddr.h"
#include "kernel/nft_value.h"
#include "kernel/port.h"

static void read_address(const char *text)
{
	struct net_address a = { 0 }, b = { 0 };
	char again[NET_ADDRESS_TEXT];

	if (net_address_parse(text, &a))
		return;
	net_address_format(a.family, a.bytes, a.prefix, again);
	fuzz_require(!net_address_parse(again, &b) && a.family == b.family && a.prefix == b.prefix &&
		     !memcmp(a.bytes, b.bytes, net_address_size(&a)));
}

static void read_mac(const char *text)
{
	struct net_mac a = { 0 }, b = { 0 };
	char again[NET_MAC_TEXT];

	if (net_mac_parse(text, &a))
		return;
	net_mac_format(a.bytes, (size_t)a.length, again);
	fuzz_require(!net_mac_parse(again, &b) && a.length == b.length && !memcmp(a.bytes, b.bytes, 6));
}

static void read_name(const char *text)
{
	net_name_fault(text);
}

static void read_port(const char *text)
{
	struct port_place p = { 0 };

	port_address(text, &p);
}

static void read_field(const char *text)
{
	nft_field_by_name(text, strlen(text));
}

static void read_sysctl(const char *text)
{
	char file[NAME_MAX + 1];

	if (keep_sysctl_file(text, file) == 0)
		fuzz_require(strlen(file) <= NAME_MAX && !strchr(file, '/'));
}

static void read_record(const char *text)
{
	keep_check(text);
}

static void read_value(enum nft_field field, const char *text)
{
	struct nft_value a = { 0 }, b = { 0 };
	char again[NFT_VALUE_TEXT];

	if (nft_value_parse(field, text, &a) || a.kind == NFT_MASKED || a.kind == NFT_STEM)
		return;
	nft_value_format(field, a.low, a.high, again);
	fuzz_require(nft_value_parse(field, again, &b) == 0 && !memcmp(a.low, b.low, a.length) &&
		     !memcmp(a.high, b.high, a.length));
}

static void (*const readers[])(const char *text) = { read_address, read_mac,    read_name,  read_port,
						     read_field,   read_sysctl, read_record };

#define READERS (sizeof readers / sizeof *readers)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = size ? fuzz_text(data + 1, size - 1) : NULL;
	size_t which = size ? data[0] % (READERS + NFT_FIELD_COUNT) : 0;

	if (text && which < READERS)
		readers[which](text);
	else if (text && which > READERS)
		read_value((enum nft_field)(which - READERS), text);
	free(text);
	return 0;
}
