/* SPDX-License-Identifier: MIT
 * The prompt's history file.
 */
#include "prompt_history.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "kernel/util.h"

#define LINES 1000

/* The file's path, or 0: no home, or somebody else's (sudo keeps HOME), where a file of ours
 * would lock its owner out, and a link of theirs lead us astray. */
static int find_path(char *path, size_t size)
{
	const char *home = getenv("XDG_STATE_HOME"), *file = "luabox_history";
	struct stat st;
	int length;

	if (!home || !*home) {
		home = getenv("HOME");
		file = ".luabox_history";
	}
	if (!home || stat(home, &st) < 0 || st.st_uid != geteuid())
		return 0;
	length = snprintf(path, size, "%s/%s", home, file);
	return length > 0 && (size_t)length < size;
}

History *prompt_history_open(void)
{
	History *lines = history_init();
	char path[PATH_MAX];
	HistEvent event;

	if (!lines)
		return NULL;
	history(lines, &event, H_SETSIZE, LINES);
	history(lines, &event, H_SETUNIQUE, 1);
	if (find_path(path, sizeof path))
		history(lines, &event, H_LOAD, path);
	return lines;
}

void prompt_history_close(History *lines)
{
	char path[PATH_MAX];
	HistEvent event;
	int fd;

	if (!lines)
		return;
	if (find_path(path, sizeof path)) {
		fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
		if (fd >= 0 && fchmod(fd, 0600) == 0)
			history(lines, &event, H_SAVE, path);
		util_close(fd);
	}
	history_end(lines);
}
