/* SPDX-License-Identifier: MIT */
#include "kernel/capability.h"

#include <linux/capability.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#include "kernel/util.h"

#define WORDS _LINUX_CAPABILITY_U32S_3

static const char *const names[] = {
#define NAME(name) #name,
	CAP_LIST(NAME)
#undef NAME
};

static struct __user_cap_header_struct header(void)
{
	return (struct __user_cap_header_struct){ .version = _LINUX_CAPABILITY_VERSION_3 };
}

static int capget_self(struct cap_sets *s)
{
	struct __user_cap_header_struct h = header();
	struct __user_cap_data_struct d[WORDS] = { 0 };

	if (syscall(SYS_capget, &h, d))
		return -errno;
	s->effective = d[0].effective | (uint64_t)d[1].effective << 32;
	s->permitted = d[0].permitted | (uint64_t)d[1].permitted << 32;
	s->inheritable = d[0].inheritable | (uint64_t)d[1].inheritable << 32;
	return 0;
}

static int capset_self(const struct cap_sets *s)
{
	struct __user_cap_header_struct h = header();
	struct __user_cap_data_struct d[WORDS];

	for (int i = 0; i < WORDS; i++)
		d[i] = (struct __user_cap_data_struct){
			.effective = (uint32_t)(s->effective >> 32 * i),
			.permitted = (uint32_t)(s->permitted >> 32 * i),
			.inheritable = (uint32_t)(s->inheritable >> 32 * i),
		};
	return syscall(SYS_capset, &h, d) ? -errno : 0;
}

/* -EINVAL is a capability that this kernel does not have yet. */
static int in_bounding(int cap)
{
	int rc = prctl(PR_CAPBSET_READ, cap, 0, 0, 0);

	return rc < 0 && errno != EINVAL ? -errno : rc == 1;
}

/* Returns 0 or -errno; -EINVAL for one that this kernel does not have. */
static int drop_bounding(int cap)
{
	int bounding;

	if (prctl(PR_CAPBSET_DROP, cap, 0, 0, 0) == 0)
		return 0;
	if (errno != EPERM)
		return -errno;
	bounding = in_bounding(cap); /* gone already, which without CAP_SETPCAP is EPERM too? */
	return bounding > 0 ? -EPERM : bounding;
}

static int in_ambient(int cap)
{
	int rc = prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_IS_SET, cap, 0, 0);

	return rc < 0 && errno != EINVAL ? -errno : rc == 1;
}

static int get_self(struct cap_sets *s, struct fault *f)
{
	int rc = capget_self(s);

	if (rc)
		return fault_set(f, -rc, "capget", "");
	s->bounding = s->ambient = 0;
	for (int cap = 0; cap < CAP_COUNT; cap++) {
		int bounding = in_bounding(cap), ambient = s->inheritable >> cap & 1 ? in_ambient(cap) : 0;

		if (bounding < 0 || ambient < 0)
			return fault_set(f, -(bounding < 0 ? bounding : ambient), "prctl", "%s", names[cap]);
		s->bounding |= (uint64_t)bounding << cap;
		s->ambient |= (uint64_t)ambient << cap;
	}
	rc = prctl(PR_GET_KEEPCAPS, 0, 0, 0, 0);
	s->keep = rc == 1;
	rc = rc < 0 ? rc : prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0);
	s->no_new_privs = rc == 1;
	return rc < 0 ? fault_set(f, errno, "prctl", "") : 0;
}

/* The hexadecimal number after "CapEff:" and the like in a status file. */
static uint64_t status_mask(const char *status, const char *field)
{
	const char *line = strstr(status, field);

	return line ? strtoull(line + strlen(field), NULL, 16) : 0;
}

int cap_get(pid_t pid, struct cap_sets *s, struct fault *f)
{
	char path[40], status[8192];
	ssize_t n;

	if (!pid)
		return get_self(s, f);
	snprintf(path, sizeof path, "/proc/%d/status", (int)pid);
	n = util_read_file(-1, path, status, sizeof status);
	if (n < 0) {
		fault_set(f, (int)-n, "open", "%s", path);
		return n == -ENOENT ? fault_hint(f, "no process %d is seen in this /proc", (int)pid) : (int)n;
	}
	*s = (struct cap_sets){
		.effective = status_mask(status, "\nCapEff:"),
		.permitted = status_mask(status, "\nCapPrm:"),
		.inheritable = status_mask(status, "\nCapInh:"),
		.bounding = status_mask(status, "\nCapBnd:"),
		.ambient = status_mask(status, "\nCapAmb:"),
		.no_new_privs = status_mask(status, "\nNoNewPrivs:") == 1,
	};
	return 0;
}

int cap_limit(uint64_t bounding, int keep, struct fault *f)
{
	for (int cap = 0; cap < CAP_COUNT; cap++) {
		int rc = bounding >> cap & 1 ? 0 : drop_bounding(cap);

		if (rc == -EINVAL)
			break; /* the kernel's last capability is behind us */
		if (rc == 0)
			continue;
		fault_set(f, -rc, "prctl PR_CAPBSET_DROP", "%s", names[cap]);
		if (rc == -EPERM)
			fault_hint(f, "dropping from the bounding set takes setpcap in the effective set");
		return rc;
	}
	if (prctl(PR_SET_KEEPCAPS, keep, 0, 0, 0))
		return fault_set(f, errno, "prctl PR_SET_KEEPCAPS", "");
	return 0;
}

/* The first capability of 'mask', for a message. */
static const char *first_name(uint64_t mask)
{
	for (int cap = 0; cap < CAP_COUNT; cap++)
		if (mask >> cap & 1)
			return names[cap];
	return "";
}

/* Finds what the kernel's EPERM did not say. */
static int explain_capset(const struct cap_sets *s, int error, struct fault *f)
{
	struct cap_sets now;
	uint64_t odd;

	fault_set(f, error, "capset", "");
	if (error != EPERM || capget_self(&now))
		return -error;
	odd = s->permitted & ~now.permitted;
	if (odd)
		return fault_hint(f, "%s is not in the permitted set of this process, and none can be added",
				  first_name(odd));
	odd = s->effective & ~s->permitted;
	if (odd)
		return fault_hint(f, "%s is asked for in effective but not in permitted", first_name(odd));
	return fault_hint(f, "%s cannot be added to inheritable: it is not in permitted or not in bounding",
			  first_name(s->inheritable & ~now.inheritable));
}

static int set_ambient(const struct cap_sets *s, struct fault *f)
{
	if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0))
		return fault_set(f, errno, "prctl PR_CAP_AMBIENT", "clear all");
	for (int cap = 0; cap < CAP_COUNT; cap++) {
		if (!(s->ambient >> cap & 1) || !prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, cap, 0, 0))
			continue;
		fault_set(f, errno, "prctl PR_CAP_AMBIENT", "%s", names[cap]);
		return fault_hint(f, "an ambient capability must be permitted and inheritable too");
	}
	return 0;
}

int cap_apply(const struct cap_sets *s, struct fault *f)
{
	int rc = cap_limit(s->bounding, s->keep, f);

	if (rc)
		return rc;
	rc = capset_self(s);
	if (rc)
		return explain_capset(s, -rc, f);
	return set_ambient(s, f);
}

int cap_no_new_privs(struct fault *f)
{
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
		return fault_set(f, errno, "prctl PR_SET_NO_NEW_PRIVS", "");
	return 0;
}
