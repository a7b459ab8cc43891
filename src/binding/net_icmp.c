/* SPDX-License-Identifier: MIT
 * ICMP's errors by name.
 */
#include "binding/net.h"

#include <linux/icmp.h>
#include <linux/icmpv6.h>
#include <sys/socket.h>

/* nft's words; a code of -1 is any that has no word of its own. */
struct word {
	int type, code;
	const char *text;
};

static const struct word words4[] = {
	{ ICMP_DEST_UNREACH, ICMP_NET_UNREACH, "net-unreachable" },
	{ ICMP_DEST_UNREACH, ICMP_HOST_UNREACH, "host-unreachable" },
	{ ICMP_DEST_UNREACH, ICMP_PROT_UNREACH, "prot-unreachable" },
	{ ICMP_DEST_UNREACH, ICMP_PORT_UNREACH, "port-unreachable" },
	{ ICMP_DEST_UNREACH, ICMP_FRAG_NEEDED, "frag-needed" },
	{ ICMP_DEST_UNREACH, ICMP_NET_ANO, "net-prohibited" },
	{ ICMP_DEST_UNREACH, ICMP_HOST_ANO, "host-prohibited" },
	{ ICMP_DEST_UNREACH, ICMP_PKT_FILTERED, "admin-prohibited" },
	{ ICMP_DEST_UNREACH, -1, "destination-unreachable" },
	{ ICMP_TIME_EXCEEDED, -1, "time-exceeded" },
	{ ICMP_PARAMETERPROB, -1, "parameter-problem" },
	{ 0 },
};

static const struct word words6[] = {
	{ ICMPV6_DEST_UNREACH, ICMPV6_NOROUTE, "no-route" },
	{ ICMPV6_DEST_UNREACH, ICMPV6_ADM_PROHIBITED, "admin-prohibited" },
	{ ICMPV6_DEST_UNREACH, ICMPV6_ADDR_UNREACH, "addr-unreachable" },
	{ ICMPV6_DEST_UNREACH, ICMPV6_PORT_UNREACH, "port-unreachable" },
	{ ICMPV6_DEST_UNREACH, ICMPV6_POLICY_FAIL, "policy-fail" },
	{ ICMPV6_DEST_UNREACH, ICMPV6_REJECT_ROUTE, "reject-route" },
	{ ICMPV6_DEST_UNREACH, -1, "destination-unreachable" },
	{ ICMPV6_PKT_TOOBIG, -1, "packet-too-big" },
	{ ICMPV6_TIME_EXCEED, -1, "time-exceeded" },
	{ ICMPV6_PARAMPROB, -1, "parameter-problem" },
	{ 0 },
};

const char *net_icmp_word(int family, int type, int code)
{
	const struct word *w = family == AF_INET ? words4 : words6;

	while (w->text && (w->type != type || (w->code >= 0 && w->code != code)))
		w++;
	return w->text;
}
