/* Runs a command as on a kernel that lacks system calls: they answer ENOSYS to it and to all that it starts.
 * Usage: lacking CALL[,CALL...] COMMAND [ARG...]; "all" stands for every call that luabox can do without. */
#include <errno.h>
#include <seccomp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char *const all[] = {
	"clone3",      "openat2",     "fsopen",        "fsconfig",   "fsmount",
	"open_tree",   "move_mount",  "mount_setattr", "pidfd_open", "pidfd_send_signal",
	"pidfd_getfd", "close_range", "memfd_create",
};

static int add(scmp_filter_ctx filter, const char *name)
{
	int call = seccomp_syscall_resolve_name(name);

	if (call == __NR_SCMP_ERROR) {
		fprintf(stderr, "lacking: no system call '%s'\n", name);
		return -EINVAL;
	}
	return seccomp_rule_add(filter, SCMP_ACT_ERRNO(ENOSYS), call, 0);
}

static int add_all(scmp_filter_ctx filter)
{
	int rc = 0;

	for (size_t i = 0; i < sizeof all / sizeof *all && rc == 0; i++)
		rc = add(filter, all[i]);
	return rc;
}

int main(int argc, char **argv)
{
	scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ALLOW);
	int rc = 0;

	if (argc < 3) {
		fprintf(stderr, "usage: lacking CALL[,CALL...]|all COMMAND [ARG...]\n");
		return 2;
	}
	for (char *name = strtok(argv[1], ","); name && rc == 0; name = strtok(NULL, ","))
		rc = strcmp(name, "all") != 0 ? add(filter, name) : add_all(filter);
	/* no_new_privs would change what is tested; only root can do without */
	seccomp_attr_set(filter, SCMP_FLTATR_CTL_NNP, geteuid() != 0);
	rc = rc < 0 ? rc : seccomp_load(filter);
	seccomp_release(filter);
	if (rc < 0) {
		fprintf(stderr, "lacking: %s\n", strerror(-rc));
		return 2;
	}
	execvp(argv[2], argv + 2);
	perror(argv[2]);
	return 127;
}
