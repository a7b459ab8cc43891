/* SPDX-License-Identifier: MIT */
#include "kernel/netlink_check.h"

#include <errno.h>
#include <linux/netlink.h>
#include <string.h>
#include <unistd.h>

#include "kernel/fault.h"

int net_is_whole(const void *data, size_t length)
{
	const char *bytes = data;
	struct nlmsghdr h;

	for (size_t at = 0; at < length; at += NLMSG_ALIGN(h.nlmsg_len)) {
		if (length - at < sizeof h)
			return 0;
		memcpy(&h, bytes + at, sizeof h);
		if (h.nlmsg_len < sizeof h || h.nlmsg_len > length - at)
			return 0;
	}
	return 1;
}

int net_errno(int error)
{
	return error < 0 && error >= -FAULT_ERRNO_MAX ? -error : EBADMSG;
}

int net_explain_family(struct fault *f)
{
	if ((f->error != EOPNOTSUPP && f->error != EAFNOSUPPORT) || access("/proc/sys/net/ipv6", F_OK) == 0)
		return -f->error;
	return fault_hint(f,
			  "this kernel has no IPv6, or it is off: ipv6.disable of the kernel's command line");
}
