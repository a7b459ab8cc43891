/* SPDX-License-Identifier: MIT
 * The least that a container costs: clone into new namespaces, make a directory the root,
 * mount proc, run a program, wait. No option, no check that a runtime would make.
 *
 * floor_container ROOT PROGRAM         one, for hyperfine
 * floor_container ROOT PROGRAM COUNT   COUNT one after the other; prints how many a second
 */
#include <err.h>
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define TARGET "/mnt" /* must not be in use */
#define NAMESPACES (CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWNET | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWCGROUP)

static void enter(const char *root)
{
	if (mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) ||
	    mount(root, TARGET, NULL, MS_BIND | MS_REC, NULL) || chdir(TARGET) ||
	    syscall(SYS_pivot_root, ".", ".") || umount2(".", MNT_DETACH) ||
	    mount("proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL))
		err(126, "%s", root);
}

static void run(const char *root, char *program)
{
	struct clone_args args = { .flags = NAMESPACES | CLONE_VFORK, .exit_signal = SIGCHLD };
	pid_t pid = (pid_t)syscall(SYS_clone3, &args, sizeof args);
	int status;

	if (pid < 0)
		err(1, "clone3");
	if (!pid) {
		enter(root);
		execv(program, (char *[]){ program, NULL });
		err(127, "%s", program);
	}
	if (waitpid(pid, &status, 0) != pid || status)
		errx(1, "%s ended with status %#x", program, (unsigned)status);
}

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

int main(int argc, char **argv)
{
	int count = argc > 3 ? atoi(argv[3]) : 1;
	double start = now();

	if (argc < 3)
		errx(2, "usage: floor_container ROOT PROGRAM [COUNT]");
	for (int i = 0; i < count; i++)
		run(argv[1], argv[2]);
	if (argc > 3)
		printf("%.1f\n", count / (now() - start));
	return 0;
}
