/* SPDX-License-Identifier: MIT */
#include "kernel/netaddr.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <stdio.h>
#include <string.h>

size_t net_address_size(const struct net_address *a)
{
	return a->family == AF_INET ? 4 : 16;
}

int net_address_bits(const struct net_address *a)
{
	return (int)net_address_size(a) * 8;
}

int net_address_given(const struct net_address *a)
{
	return a->family == AF_INET || a->family == AF_INET6;
}

/* Decimal digits to the end of the text, or -1. */
static int parse_prefix(const char *digits, int highest)
{
	int value = 0;

	if (!*digits || strlen(digits) > 3)
		return -1;
	for (; *digits; digits++) {
		if (*digits < '0' || *digits > '9')
			return -1;
		value = value * 10 + (*digits - '0');
	}
	return value <= highest ? value : -1;
}

const char *net_address_parse(const char *text, struct net_address *a)
{
	struct net_address result = { .prefix = -1 };
	const char *slash = strchr(text, '/');
	char host[INET6_ADDRSTRLEN];
	size_t length = slash ? (size_t)(slash - text) : strlen(text);

	if (length >= sizeof host)
		return "is no IPv4 or IPv6 address";
	memcpy(host, text, length);
	host[length] = '\0';
	result.family = strchr(host, ':') ? AF_INET6 : AF_INET;
	if (inet_pton(result.family, host, result.bytes) != 1)
		return "is no IPv4 or IPv6 address";
	if (slash) {
		result.prefix = parse_prefix(slash + 1, net_address_bits(&result));
		if (result.prefix < 0)
			return result.family == AF_INET ? "has no prefix length from 0 to 32 after its '/'"
							: "has no prefix length from 0 to 128 after its '/'";
	}
	*a = result;
	return NULL;
}

void net_address_format(int family, const void *bytes, int prefix, char *text)
{
	size_t length;

	if (!inet_ntop(family, bytes, text, NET_ADDRESS_TEXT))
		text[0] = '\0';
	length = strlen(text);
	if (prefix >= 0)
		snprintf(text + length, NET_ADDRESS_TEXT - length, "/%d", prefix);
}

static int hex(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c = (char)(c | 0x20);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

const char *net_mac_parse(const char *text, struct net_mac *mac)
{
	struct net_mac result = { .length = 6 };

	for (int i = 0; i < 6; i++, text += 3) {
		int high = hex(text[0]), low = high < 0 ? -1 : hex(text[1]);

		if (low < 0 || text[2] != (i < 5 ? ':' : '\0'))
			return "is no MAC address (six bytes in hexadecimal, 02:00:00:00:00:01)";
		result.bytes[i] = (uint8_t)(high << 4 | low);
	}
	*mac = result;
	return NULL;
}

void net_mac_format(const uint8_t *bytes, size_t length, char *text)
{
	static const char digits[] = "0123456789abcdef";

	if (length > NET_MAC_MAX)
		length = NET_MAC_MAX;
	for (size_t i = 0; i < length; i++) {
		*text++ = digits[bytes[i] >> 4];
		*text++ = digits[bytes[i] & 15];
		if (i + 1 < length)
			*text++ = ':';
	}
	*text = '\0';
}

/* The kernel's dev_valid_name, and '%', of which it would make a number. */
const char *net_name_fault(const char *name)
{
	if (!*name)
		return "is empty";
	if (!strcmp(name, ".") || !strcmp(name, ".."))
		return "is a directory's name";
	for (; *name; name++) {
		if (isspace((unsigned char)*name))
			return "contains white space";
		if (strchr("/:%", *name))
			return *name == '/' ? "contains '/'" : *name == ':' ? "contains ':'" : "contains '%'";
	}
	return NULL;
}
