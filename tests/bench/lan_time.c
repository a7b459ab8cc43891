/* SPDX-License-Identifier: MIT
 * Times a LAN from outside of the program that makes it.
 *
 * lan_time COMMAND...: runs the command, which prints a line when its LAN is up, waits for the end of its
 * stdin and takes it down. Prints milliseconds from the start to that line, and from the end of stdin until
 * no link is left in this network namespace that was not there before.
 */
#include <err.h>
#include <stdio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define PATIENCE 60.0

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e3 + (double)t.tv_nsec / 1e6;
}

static int count_lines(const char *path)
{
	FILE *f = fopen(path, "re");
	int c, n = 0;

	if (!f)
		err(1, "%s", path);
	while ((c = getc(f)) != EOF)
		n += c == '\n';
	fclose(f);
	return n;
}

static pid_t start(char **command, int *in, int *out)
{
	int to[2], from[2];
	pid_t pid;

	if (pipe(to) || pipe(from))
		err(1, "pipe");
	pid = fork();
	if (pid < 0)
		err(1, "fork");
	if (!pid) {
		dup2(to[0], STDIN_FILENO);
		dup2(from[1], STDOUT_FILENO);
		close(to[0]), close(to[1]), close(from[0]), close(from[1]);
		execvp(command[0], command);
		err(127, "%s", command[0]);
	}
	close(to[0]), close(from[1]);
	*in = to[1], *out = from[0];
	return pid;
}

static void wait_for_line(int fd)
{
	char c = 0;

	while (c != '\n')
		if (read(fd, &c, 1) != 1)
			errx(1, "the command ended before its LAN was up");
}

static void wait_until_gone(int links)
{
	double deadline = now() + PATIENCE * 1e3;

	while (count_lines("/proc/net/dev") > links) {
		if (now() > deadline)
			errx(1, "links are left after %.0f s", PATIENCE);
		usleep(1000);
	}
}

int main(int argc, char **argv)
{
	int links = count_lines("/proc/net/dev"), in, out, status;
	double begin = now(), up;
	pid_t pid;

	if (argc < 2)
		errx(2, "usage: lan_time COMMAND...");
	pid = start(argv + 1, &in, &out);
	wait_for_line(out);
	up = now() - begin;
	begin = now();
	close(in);
	wait_until_gone(links);
	printf("%.3f %.3f\n", up, now() - begin);
	if (waitpid(pid, &status, 0) != pid || status)
		errx(1, "%s ended with status %#x", argv[1], (unsigned)status);
	return 0;
}
