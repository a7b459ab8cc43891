/* SPDX-License-Identifier: MIT */
#include "kernel/rule.h"

#include <errno.h>
#include <linux/fib_rules.h>
#include <stdio.h>
#include <sys/socket.h>

#include "kernel/netlink_check.h"

static void explain(const struct net_op *op, struct fault *f)
{
	(void)op;
	if (f->error == EEXIST)
		fault_hint(f, "the same rule is there already");
	if (f->error == ENOENT)
		fault_hint(f, "there is no rule that has all of this");
	net_explain_family(f);
}

static const struct net_verb add_verb = { "rule_add", explain };
static const struct net_verb delete_verb = { "rule_delete", explain };
static const struct net_verb list_verb = { "rules", NULL };

static const struct net_row rows[] = { { FRA_PRIORITY, NET_U32, offsetof(struct net_rule, priority) },
				       { FRA_FWMARK, NET_U32, offsetof(struct net_rule, fwmark) },
				       { FRA_FWMASK, NET_U32, offsetof(struct net_rule, fwmask) },
				       { FRA_TABLE, NET_U32, offsetof(struct net_rule, table) },
				       { FRA_IIFNAME, NET_TEXT, offsetof(struct net_rule, iif) },
				       { FRA_OIFNAME, NET_TEXT, offsetof(struct net_rule, oif) },
				       { 0 } };

static uint8_t bits_of(const struct net_address *a)
{
	if (!net_address_given(a))
		return 0;
	return (uint8_t)(a->prefix < 0 ? net_address_bits(a) : a->prefix);
}

static int put_rule(struct net_queue *q, int type, int flags, uint8_t action, const struct net_rule *r,
		    const struct net_verb *verb, struct fault *f)
{
	struct fib_rule_hdr h = { .family = (uint8_t)r->family,
				  .src_len = bits_of(&r->from),
				  .dst_len = bits_of(&r->to),
				  .table = (uint8_t)(r->table > 0 && r->table < 256 ? r->table
										    : RT_TABLE_UNSPEC),
				  .action = action,
				  .flags = r->invert > 0 ? FIB_RULE_INVERT : 0 };

	net_begin(q, type, flags, &h, sizeof h);
	if (h.src_len)
		net_put(q, FRA_SRC, r->from.bytes, net_address_size(&r->from));
	if (h.dst_len)
		net_put(q, FRA_DST, r->to.bytes, net_address_size(&r->to));
	net_put_rows(q, rows, r);
	return r->priority < 0 ? net_end(q, verb, f, "%s", r->family == AF_INET ? "inet" : "inet6")
			       : net_end(q, verb, f, "%lld", (long long)r->priority);
}

int net_rule_add(struct net_queue *q, const struct net_rule *r, struct fault *f)
{
	uint8_t action = (uint8_t)(r->action < 0 ? FR_ACT_TO_TBL : r->action);

	return put_rule(q, RTM_NEWRULE, NLM_F_CREATE | NLM_F_EXCL, action, r, &add_verb, f);
}

int net_rule_delete(struct net_queue *q, const struct net_rule *r, struct fault *f)
{
	uint8_t action = (uint8_t)(r->action < 0 ? FR_ACT_UNSPEC : r->action);

	return put_rule(q, RTM_DELRULE, 0, action, r, &delete_verb, f);
}

int net_rule_query(struct net_socket *s, int family, struct fault *f)
{
	struct fib_rule_hdr h = { .family = (uint8_t)family };
	int rc;

	net_queue_reset(&s->request);
	net_begin(&s->request, RTM_GETRULE, NLM_F_DUMP, &h, sizeof h);
	rc = net_end(&s->request, &list_verb, f, "%s", "");
	return rc < 0 ? rc : net_query(s, f);
}
