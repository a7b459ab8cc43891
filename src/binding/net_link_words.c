/* SPDX-License-Identifier: MIT */
#include "binding/net_link.h"

#include "kernel/link.h"

#include <linux/if.h>
#include <linux/if_arp.h>
#include <linux/if_bridge.h>
#include <linux/if_ether.h>
#include <linux/ip.h>

const struct box_name net_kinds[] = { { "bridge", NET_BRIDGE }, { "dummy", NET_DUMMY },
				      { "ipvlan", NET_IPVLAN }, { "macvlan", NET_MACVLAN },
				      { "veth", NET_VETH },     { "vlan", NET_VLAN },
				      { "vxlan", NET_VXLAN },   { 0 } };

const struct box_name net_addrgenmodes[] = { { "eui64", IN6_ADDR_GEN_MODE_EUI64 },
					     { "none", IN6_ADDR_GEN_MODE_NONE },
					     { "stable_secret", IN6_ADDR_GEN_MODE_STABLE_PRIVACY },
					     { "random", IN6_ADDR_GEN_MODE_RANDOM },
					     { 0 } };

const struct box_name net_macvlan_modes[] = {
	{ "private", MACVLAN_MODE_PRIVATE }, { "vepa", MACVLAN_MODE_VEPA },
	{ "bridge", MACVLAN_MODE_BRIDGE },   { "passthru", MACVLAN_MODE_PASSTHRU },
	{ "source", MACVLAN_MODE_SOURCE },   { 0 }
};

const struct box_name net_ipvlan_modes[] = {
	{ "l2", IPVLAN_MODE_L2 }, { "l3", IPVLAN_MODE_L3 }, { "l3s", IPVLAN_MODE_L3S }, { 0 }
};

const struct box_name net_vlan_protocols[] = { { "802.1Q", ETH_P_8021Q },
					       { "802.1ad", ETH_P_8021AD },
					       { 0 } };

const struct box_name net_ipv4_names[] = {
	{ "forwarding", IPV4_DEVCONF_FORWARDING },
	{ "proxy_arp", IPV4_DEVCONF_PROXY_ARP },
	{ "accept_redirects", IPV4_DEVCONF_ACCEPT_REDIRECTS },
	{ "secure_redirects", IPV4_DEVCONF_SECURE_REDIRECTS },
	{ "send_redirects", IPV4_DEVCONF_SEND_REDIRECTS },
	{ "shared_media", IPV4_DEVCONF_SHARED_MEDIA },
	{ "rp_filter", IPV4_DEVCONF_RP_FILTER },
	{ "accept_source_route", IPV4_DEVCONF_ACCEPT_SOURCE_ROUTE },
	{ "bootp_relay", IPV4_DEVCONF_BOOTP_RELAY },
	{ "log_martians", IPV4_DEVCONF_LOG_MARTIANS },
	{ "tag", IPV4_DEVCONF_TAG },
	{ "arp_filter", IPV4_DEVCONF_ARPFILTER },
	{ "medium_id", IPV4_DEVCONF_MEDIUM_ID },
	{ "disable_xfrm", IPV4_DEVCONF_NOXFRM },
	{ "disable_policy", IPV4_DEVCONF_NOPOLICY },
	{ "force_igmp_version", IPV4_DEVCONF_FORCE_IGMP_VERSION },
	{ "arp_announce", IPV4_DEVCONF_ARP_ANNOUNCE },
	{ "arp_ignore", IPV4_DEVCONF_ARP_IGNORE },
	{ "promote_secondaries", IPV4_DEVCONF_PROMOTE_SECONDARIES },
	{ "arp_accept", IPV4_DEVCONF_ARP_ACCEPT },
	{ "arp_notify", IPV4_DEVCONF_ARP_NOTIFY },
	{ "accept_local", IPV4_DEVCONF_ACCEPT_LOCAL },
	{ "src_valid_mark", IPV4_DEVCONF_SRC_VMARK },
	{ "proxy_arp_pvlan", IPV4_DEVCONF_PROXY_ARP_PVLAN },
	{ "route_localnet", IPV4_DEVCONF_ROUTE_LOCALNET },
	{ "ignore_routes_with_linkdown", IPV4_DEVCONF_IGNORE_ROUTES_WITH_LINKDOWN },
	{ "drop_unicast_in_l2_multicast", IPV4_DEVCONF_DROP_UNICAST_IN_L2_MULTICAST },
	{ "drop_gratuitous_arp", IPV4_DEVCONF_DROP_GRATUITOUS_ARP },
	{ "bc_forwarding", IPV4_DEVCONF_BC_FORWARDING },
	{ "arp_evict_nocarrier", IPV4_DEVCONF_ARP_EVICT_NOCARRIER },
	{ 0 }
};

const struct box_name net_operstates[] = {
	{ "unknown", IF_OPER_UNKNOWN }, { "notpresent", IF_OPER_NOTPRESENT },
	{ "down", IF_OPER_DOWN },       { "lowerlayerdown", IF_OPER_LOWERLAYERDOWN },
	{ "testing", IF_OPER_TESTING }, { "dormant", IF_OPER_DORMANT },
	{ "up", IF_OPER_UP },           { 0 }
};

const struct box_name net_port_states[] = {
	{ "disabled", BR_STATE_DISABLED }, { "listening", BR_STATE_LISTENING },
	{ "learning", BR_STATE_LEARNING }, { "forwarding", BR_STATE_FORWARDING },
	{ "blocking", BR_STATE_BLOCKING }, { 0 }
};

const struct box_name net_link_types[] = { { "ether", ARPHRD_ETHER }, { "loopback", ARPHRD_LOOPBACK },
					   { "none", ARPHRD_NONE },   { "ppp", ARPHRD_PPP },
					   { "sit", ARPHRD_SIT },     { "ipip", ARPHRD_TUNNEL },
					   { "gre", ARPHRD_IPGRE },   { 0 } };

const struct box_name net_link_flags[] = { { "up", IFF_UP },
					   { "broadcast", IFF_BROADCAST },
					   { "debug", IFF_DEBUG },
					   { "loopback", IFF_LOOPBACK },
					   { "pointopoint", IFF_POINTOPOINT },
					   { "running", IFF_RUNNING },
					   { "noarp", IFF_NOARP },
					   { "promisc", IFF_PROMISC },
					   { "allmulti", IFF_ALLMULTI },
					   { "master", IFF_MASTER },
					   { "slave", IFF_SLAVE },
					   { "multicast", IFF_MULTICAST },
					   { "dynamic", IFF_DYNAMIC },
					   { "lower_up", IFF_LOWER_UP },
					   { "dormant", IFF_DORMANT },
					   { "echo", IFF_ECHO },
					   { 0 } };
