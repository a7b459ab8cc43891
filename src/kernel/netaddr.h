/* SPDX-License-Identifier: MIT
 * Network and link-layer addresses as text and as bytes.
 */
#ifndef LUABOX_NETADDR_H
#define LUABOX_NETADDR_H

#include <net/if.h>
#include <stddef.h>
#include <stdint.h>

/* Longest text: "ffff:…:255.255.255.255/128" and its zero. */
#define NET_ADDRESS_TEXT 56
#define NET_MAC_TEXT 96
#define NET_MAC_MAX 32

struct net_address {
	int family; /* AF_INET, AF_INET6; anything else: not given */
	int prefix; /* bits; -1: the text had none */
	uint8_t bytes[16];
};

struct net_mac {
	int length; /* <= 0: not given */
	uint8_t bytes[NET_MAC_MAX];
};

/* 4 or 16. */
size_t net_address_size(const struct net_address *a);

/* 32 or 128. */
int net_address_bits(const struct net_address *a);

/* True if an address was given. */
int net_address_given(const struct net_address *a);

/* Reads "10.0.0.2", "10.0.0.2/24", "fd00::2/64". Returns null, or why it is none. */
const char *net_address_parse(const char *text, struct net_address *a);

/* Writes the address, and "/prefix" if 'prefix' >= 0, into 'text' of NET_ADDRESS_TEXT bytes. */
void net_address_format(int family, const void *bytes, int prefix, char *text);

/* Reads "02:00:00:00:00:01": six bytes. Returns null, or why it is none. */
const char *net_mac_parse(const char *text, struct net_mac *mac);

/* Writes into 'text' of NET_MAC_TEXT bytes; a MAC of more than NET_MAC_MAX bytes is cut. */
void net_mac_format(const uint8_t *bytes, size_t length, char *text);

/* Null if 'name' can be the name of a link, else why not. */
const char *net_name_fault(const char *name);

#endif
