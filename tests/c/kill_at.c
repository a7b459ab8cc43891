/* SPDX-License-Identifier: MIT
 * Kills the processes of a run of luabox at a chosen system call. strace's inject= counts for all that
 * it traces at once; here one process is chosen, by the part that it has in the run.
 *
 * Usage: kill_at RULE... -- COMMAND [ARGUMENT...]
 *   RULE   PART[:N=PART[+PART...]]: at the N-th system call of the first part SIGKILL goes to the others,
 *          before the call is made; without N its calls are only counted
 *   PART   run: COMMAND itself; keeper; guard; init1, init2, …: its containers' first processes as they are
 *          made
 *
 * COMMAND's standard output goes to standard error. What is said on standard output, one a line:
 *   killed PART… before N CALL of PART
 *   calls PART N       of those parts that are counted, by their ends
 *   ended CODE|SIGNAL  COMMAND
 */
#include <errno.h>
#include <linux/kcmp.h>
#include <seccomp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

/* The kernel makes the call again by itself: thousands of times if it waits so for the lock of all
 * network namespaces. */
#define ERESTARTNOINTR 513

enum { RUN, GUARD, KEEPER, INIT, PARTS = INIT + 16 };

struct rule {
	int part;
	unsigned long n;  /* 0: count only, or it has fired */
	unsigned victims; /* a bit for each part */
};

/* A process of the run, as far as it has a part. */
struct part {
	pid_t pid; /* 0: not yet made, or gone */
	int counted;
	unsigned long calls;
};

static struct part parts[PARTS];
static struct rule rules[8];
static size_t rule_count, fired;
static int inits;

static const char *part_name(int part)
{
	static const char *const names[] = { "run", "guard", "keeper" };
	static char text[16];

	if (part < INIT)
		return names[part];
	snprintf(text, sizeof text, "init%d", part - INIT + 1);
	return text;
}

static _Noreturn void usage(const char *what)
{
	fprintf(stderr, "kill_at: %s: usage: kill_at PART[:N=PART[+PART...]]... -- COMMAND...\n", what);
	exit(2);
}

static _Noreturn void fail(const char *what)
{
	fprintf(stderr, "kill_at: %s: %s\n", what, strerror(errno));
	exit(2);
}

static int parse_part(const char **text)
{
	for (int part = PARTS - 1; part >= 0; part--) {
		size_t length = strlen(part_name(part));

		if (strncmp(*text, part_name(part), length) == 0) {
			*text += length;
			return part;
		}
	}
	usage(*text);
}

static void parse_rule(const char *text)
{
	struct rule *r = &rules[rule_count++];
	char *end;

	if (rule_count > sizeof rules / sizeof *rules)
		usage("too many rules");
	r->part = parse_part(&text);
	parts[r->part].counted = 1;
	if (!*text)
		return;
	if (*text != ':')
		usage(text);
	r->n = strtoul(text + 1, &end, 10);
	if (*end != '=' || r->n == 0)
		usage(text);
	for (text = end; *text == '=' || *text == '+';) {
		text++;
		r->victims |= 1U << parse_part(&text);
	}
	if (*text)
		usage(text);
}

/* ---- the tracees ---- */

static int part_of(pid_t pid)
{
	for (int i = 0; i < PARTS; i++)
		if (parts[i].pid == pid)
			return i;
	return -1;
}

/* Then the run is left alone, so that what follows is as it would be untraced. */
static int all_fired(void)
{
	return fired == rule_count; /* one that only counts does not fire */
}

/* Further on; the calls of those that are not counted do not stop them. ESRCH: killed meanwhile. */
static void resume(pid_t pid, int signal)
{
	int part = part_of(pid), request = PTRACE_CONT;

	if (part < 0 || all_fired())
		request = PTRACE_DETACH;
	else if (parts[part].counted)
		request = PTRACE_SYSCALL;
	ptrace(request, pid, 0, (long)signal);
}

static void kill_victims(struct rule *r, const char *call)
{
	printf("killed");
	for (int i = PARTS - 1; i >= 0;
	     i--) { /* the keeper before the run, so that it does not see its end */
		if (!(r->victims & 1U << i) || !parts[i].pid)
			continue;
		kill(parts[i].pid, SIGKILL);
		printf(" %s", part_name(i));
	}
	printf(" before %lu %s of %s\n", r->n, call, part_name(r->part));
	fflush(stdout);
	r->n = 0;
	fired++;
	for (int i = 0; all_fired() && i < PARTS; i++)
		if (parts[i].pid)
			ptrace(PTRACE_INTERRUPT, parts[i].pid, 0, 0);
}

static void at_call(pid_t pid)
{
	struct __ptrace_syscall_info info;
	int part = part_of(pid);
	char *call;

	if (ptrace(PTRACE_GET_SYSCALL_INFO, pid, sizeof info, &info) < 0)
		return;
	if (info.op == PTRACE_SYSCALL_INFO_EXIT && info.exit.rval == -ERESTARTNOINTR)
		parts[part].calls--;
	if (info.op != PTRACE_SYSCALL_INFO_ENTRY)
		return;
	parts[part].calls++;
	call = seccomp_syscall_resolve_num_arch(SCMP_ARCH_NATIVE, (int)info.entry.nr);
	for (size_t i = 0; i < rule_count; i++)
		if (rules[i].part == part && rules[i].n == parts[part].calls)
			kill_victims(&rules[i], call ? call : "?");
	free(call);
}

/* Keeper and guard give no signal at their ends; a first process is a plain fork; what runs a command has
 * its parent wait (vfork), and has no part. */
static int part_of_child(pid_t pid, int event)
{
	if (event == PTRACE_EVENT_CLONE)
		return syscall(SYS_kcmp, pid, parts[RUN].pid, KCMP_VM, 0, 0) == 0 ? GUARD : KEEPER;
	return event == PTRACE_EVENT_FORK && inits < PARTS - INIT ? INIT + inits++ : -1;
}

static void at_child(pid_t parent, int event)
{
	unsigned long pid;
	int part;

	if (ptrace(PTRACE_GETEVENTMSG, parent, 0, &pid) < 0)
		return;
	part = parent == parts[RUN].pid ? part_of_child((pid_t)pid, event) : -1;
	if (part >= 0)
		parts[part].pid = (pid_t)pid;
	waitpid((pid_t)pid, NULL, __WALL); /* its first stop */
	resume((pid_t)pid, 0);
}

static void stopped(pid_t pid, int status)
{
	int event = status >> 16, signal = WSTOPSIG(status);

	if (signal == (SIGTRAP | 0x80))
		at_call(pid);
	else if (event == PTRACE_EVENT_CLONE || event == PTRACE_EVENT_FORK || event == PTRACE_EVENT_VFORK)
		at_child(pid, event);
	else if (event == 0) {
		resume(pid, signal);
		return;
	}
	resume(pid, 0);
}

static void ended(pid_t pid, int status)
{
	int part = part_of(pid);

	if (part < 0)
		return;
	if (parts[part].counted)
		printf("calls %s %lu\n", part_name(part), parts[part].calls);
	if (part == RUN && WIFEXITED(status))
		printf("ended %d\n", WEXITSTATUS(status));
	else if (part == RUN)
		printf("ended %s\n", sigabbrev_np(WTERMSIG(status)));
	fflush(stdout);
	parts[part].pid = 0;
}

static void trace(void)
{
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, __WALL)) > 0 || errno == EINTR) {
		if (pid > 0 && WIFSTOPPED(status))
			stopped(pid, status);
		else if (pid > 0)
			ended(pid, status);
	}
}

/* Counting begins with the program's own first call. */
static void start(char **command)
{
	const long options = PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACECLONE | PTRACE_O_TRACEFORK |
			     PTRACE_O_TRACEVFORK | PTRACE_O_TRACEEXEC | PTRACE_O_EXITKILL;
	int status;
	pid_t pid = fork();

	if (pid < 0)
		fail("fork");
	if (pid == 0) {
		dup2(STDERR_FILENO, STDOUT_FILENO);
		raise(SIGSTOP);
		execvp(*command, command);
		fail(*command);
	}
	if (waitpid(pid, &status, WUNTRACED) < 0 || ptrace(PTRACE_SEIZE, pid, 0, options) < 0)
		fail("ptrace");
	kill(pid, SIGCONT);
	do {
		if (waitpid(pid, &status, __WALL) < 0 || !WIFSTOPPED(status))
			exit(2);
		if (status >> 16 != PTRACE_EVENT_EXEC)
			ptrace(PTRACE_CONT, pid, 0, 0);
	} while (status >> 16 != PTRACE_EVENT_EXEC);
	parts[RUN].pid = pid;
	resume(pid, 0);
}

int main(int argc, char **argv)
{
	int i = 1;

	for (; i < argc && strcmp(argv[i], "--") != 0; i++)
		parse_rule(argv[i]);
	if (i + 1 >= argc)
		usage("no command");
	start(argv + i + 1);
	trace();
	return 0;
}
