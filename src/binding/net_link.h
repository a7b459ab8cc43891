/* SPDX-License-Identifier: MIT
 * The kernel's words about links, for both directions (net_link_words.c).
 */
#ifndef LUABOX_BINDING_NET_LINK_H
#define LUABOX_BINDING_NET_LINK_H

#include "binding/binding.h"

extern const struct box_name net_kinds[];          /* enum net_kind */
extern const struct box_name net_addrgenmodes[];   /* IN6_ADDR_GEN_MODE_* */
extern const struct box_name net_macvlan_modes[];  /* MACVLAN_MODE_* */
extern const struct box_name net_ipvlan_modes[];   /* IPVLAN_MODE_* */
extern const struct box_name net_vlan_protocols[]; /* ETH_P_* */
extern const struct box_name net_ipv4_names[];     /* IPV4_DEVCONF_*, as in /proc/sys/net/ipv4/conf */
extern const struct box_name net_operstates[];     /* IF_OPER_* */
extern const struct box_name net_port_states[];    /* BR_STATE_* */
extern const struct box_name net_link_types[];     /* ARPHRD_* */
extern const struct box_name net_link_flags[];     /* IFF_* */

#endif
