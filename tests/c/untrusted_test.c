/* What others wrote that is not as it should be: each was found by a fuzz target (tests/fuzz). */
#include <errno.h>
#include <fcntl.h>
#include <lauxlib.h>
#include <limits.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "binding/value.h"
#include "kernel/cgroup.h"
#include "kernel/keep_message.h"
#include "kernel/netlink.h"
#include "kernel/netlink_check.h"
#include "kernel/spawn.h"
#include "tap.h"

/* ---- a child's report ---- */

/* What proc_started makes of these bytes. */
static int started(const void *data, size_t size, struct proc_report *r)
{
	int ends[2], rc;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0 ||
	    send(ends[0], data, size, 0) != (ssize_t)size)
		abort();
	close(ends[0]);
	rc = proc_started(ends[1], 0, r);
	close(ends[1]);
	return rc;
}

static void test_report(void)
{
	static const int wrong[] = { INT_MIN, -EPERM, 0, FAULT_ERRNO_MAX + 1 };
	struct proc_report sent, r;

	memset(&sent, 'x', sizeof sent);
	sent.fault.error = EPERM;
	is_integer(started(&sent, sizeof sent, &r), -EPERM, "a report whose texts have no end");
	is_integer((long long)strnlen(r.fault.subject, sizeof r.fault.subject), sizeof r.fault.subject - 1,
		   "has texts that end");
	is_integer((long long)strnlen(r.fault.hint, sizeof r.fault.hint), sizeof r.fault.hint - 1,
		   "all of them");
	is_integer(started(&sent, 1, &r), -EBADMSG, "a report of one byte is none");
	for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
		sent.fault.error = wrong[i];
		is_integer(started(&sent, sizeof sent, &r), -EBADMSG, "nor is one with the errno %d",
			   wrong[i]);
		is_integer(r.step, 0, "of no step");
	}
}

/* ---- values ---- */

/* Whether the bytes are a value; nothing may be left on the stack if not. */
static int decodes(lua_State *L, const char *data, size_t size)
{
	int top = lua_gettop(L), is_value = value_decode(L, data, data + size) != NULL;

	is_integer(lua_gettop(L), top + is_value, "the stack has the value, and no more");
	lua_settop(L, top);
	return is_value;
}

static void test_value(void)
{
	static const char nan_key[] = { '{', 'd', 0, 0, 0, 0, 0, 0, (char)0xf8, 0x7f, 't', '}' };
	lua_State *L = luaL_newstate();

	ok(decodes(L, "{tt}", 4), "a table");
	ok(!decodes(L, "{nt}", 4), "a key that is nil");
	ok(!decodes(L, "Ent}", 4), "the same in an error");
	ok(!decodes(L, nan_key, sizeof nan_key), "a key that is not a number");
	ok(!decodes(L, "{t}", 3), "a key without a value");
	ok(!decodes(L, "{tt", 3), "a table without an end");
	lua_pushinteger(L, 1);
	ok(!lua_getmetatable(L, -1), "numbers have no metatable");
	lua_close(L);
}

/* ---- the kernel's answers ---- */

struct answer {
	struct nlmsghdr h;
	struct ifinfomsg i;
};

static void test_messages(void)
{
	struct answer a[] = {
		{ { NLMSG_LENGTH(4), RTM_NEWLINK, 0, 7, 0 }, { 0 } }, /* too short: the next is within */
		{ { sizeof a[0], RTM_NEWLINK, 0, 6, 0 }, { .ifi_index = 2 } }, /* of an earlier question */
		{ { sizeof a[0], RTM_NEWADDR, 0, 7, 0 }, { .ifi_index = 3 } },
		{ { sizeof a[0], RTM_NEWLINK, 0, 7, 0 }, { .ifi_index = 4 } },
	};
	struct net_socket s = { .fd = -1, .sequence = 7 };
	const struct nlmsghdr *m;
	struct fault f;
	size_t offset = 0;

	s.reply.data = malloc(sizeof a);
	memcpy(s.reply.data, a, sizeof a);
	memmove(s.reply.data + NLMSG_LENGTH(4), a + 1, sizeof a - sizeof *a);
	s.reply.length = NLMSG_LENGTH(4) + sizeof a - sizeof *a;
	m = net_next(&s, &offset, RTM_NEWLINK, sizeof a[0].i);
	is_integer(m ? ((const struct ifinfomsg *)NLMSG_DATA(m))->ifi_index : 0, 4, "the one whole answer");
	ok(!net_next(&s, &offset, RTM_NEWLINK, sizeof a[0].i), "is the last");
	s.reply.length = NLMSG_LENGTH(4);
	ok(!net_only(&s, RTM_NEWLINK, sizeof a[0].i, &f) && f.error == EBADMSG, "no answer is a fault");
	free(s.reply.data);
}

static void test_lengths(void)
{
	struct nlmsghdr h[2] = { { sizeof h[0] }, { sizeof h[0] } };

	ok(net_is_whole(h, sizeof h), "two messages");
	ok(!net_is_whole(h, sizeof h - 1), "one and a part");
	ok(!net_is_whole(h, sizeof h[0] + 4), "one and less than a header");
	h[1].nlmsg_len = UINT32_MAX;
	ok(!net_is_whole(h, sizeof h), "a length that is negative to libmnl");
	h[1].nlmsg_len = 0;
	ok(!net_is_whole(h, sizeof h), "a length of nothing");
	is_integer(net_errno(-EPERM), EPERM, "an errno");
	is_integer(net_errno(EPERM), EBADMSG, "a positive one is none");
	is_integer(net_errno(INT_MIN), EBADMSG, "nor is one that has no opposite");
}

/* ---- cgroupfs ---- */

static int count(pid_t pid, void *data)
{
	*(int *)data += pid > 0;
	return 0;
}

static int processes(int dir, const char *text, int *n)
{
	int fd = openat(dir, "cgroup.procs", O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	if (fd < 0 || write(fd, text, strlen(text)) != (ssize_t)strlen(text))
		abort();
	close(fd);
	*n = 0;
	return cg_each_process(dir, count, n);
}

static void test_processes(void)
{
	char path[] = "/tmp/untrusted-XXXXXX";
	int dir = mkdtemp(path) ? open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1, n;

	is_integer(processes(dir, "1\n20\n", &n), 0, "a list of processes");
	is_integer(n, 2, "two");
	is_integer(processes(dir, "1\n2x\n", &n), -EBADMSG, "no number");
	is_integer(processes(dir, "1\n99999999999\n", &n), -EBADMSG, "a number that is no process's");
	unlinkat(dir, "cgroup.procs", 0);
	close(dir);
	rmdir(path);
}

/* ---- the keeper's socket ---- */

static void test_keeper(void)
{
	struct keep_message m = { .first = 1, .count = UINT32_MAX, .kind = '-' };
	struct keep_list l = { .journal = -1 };

	is_integer(keep_handle(&l, &m, 0, -1), -EINVAL, "four billion records to forget");
	m = (struct keep_message){ .count = 1, .kind = '+', .lines = "file /nowhere/x\n" };
	is_integer(keep_handle(&l, &m, 16, -1), -EINVAL, "a record without a number");
	m = (struct keep_message){ .first = UINT32_MAX, .count = 1, .kind = '-' };
	is_integer(keep_handle(&l, &m, 0, -1), -EINVAL, "numbers that wrap around");
	m = (struct keep_message){ .first = 1, .count = 2, .kind = '+', .lines = "file /nowhere/x\n" };
	is_integer(keep_handle(&l, &m, 16, -1), -EINVAL, "fewer lines than it says");
	is_integer((long long)l.count, 0, "and nothing is on the list");
}

int main(void)
{
	test_keeper();
	test_report();
	test_value();
	test_messages();
	test_lengths();
	test_processes();
	return done_testing();
}
