/* SPDX-License-Identifier: MIT */
#include "kernel/netlink_check.h"

#include <errno.h>
#include <linux/netlink.h>
#include <string.h>

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
