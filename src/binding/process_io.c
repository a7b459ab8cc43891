/* SPDX-License-Identifier: MIT
 * Talking to a running program over its three pipes at once, so that neither
 * side waits for the other for ever.
 */
/***
@submodule luabox.sys.process
*/
#include <errno.h>
#include <sys/ioctl.h>

#include "binding/process.h"
#include "kernel/pipe.h"
#include "kernel/util.h"

struct talk {
	int pidfd;
	struct box_fd *streams[3];
	const char *input;
	size_t left;
	struct box_buffer *output[3]; /* of 1 and 2; null: no pipe */
	size_t limit;
	const char *why; /* why it stopped before the end */
};

/* Writes the next piece; closes the pipe after the last, or when nobody reads any more. */
static void feed(lua_State *L, struct talk *t)
{
	ssize_t n = proc_write(t->streams[0]->fd, t->input, t->left);

	if (n < 0 && n != -EAGAIN && n != -EPIPE)
		box_fail(L, (int)n, "write", "standard input of the child");
	if (n > 0) {
		t->input += n;
		t->left -= (size_t)n;
	}
	if (n == -EPIPE || t->left == 0)
		util_closep(&t->streams[0]->fd);
}

static int in_pipe(lua_State *L, int fd)
{
	int n = 0;

	if (fd >= 0 && ioctl(fd, FIONREAD, &n) < 0)
		return box_fail(L, errno, "FIONREAD", "output of the child");
	return n;
}

/* At the limit it is either one byte too much or the end. */
static void refuse_more(lua_State *L, struct talk *t, int i)
{
	if (in_pipe(L, t->streams[i]->fd) > 0)
		t->why = "limit";
	else
		util_closep(&t->streams[i]->fd);
}

/* Returns how many bytes came, 0 for none. */
static int drain(lua_State *L, struct talk *t, int i)
{
	struct box_buffer *b = t->output[i];
	ssize_t n;

	if (b->length == t->limit) {
		refuse_more(L, t, i);
		return 0;
	}
	n = box_buffer_read(L, b, t->streams[i]->fd, t->limit - b->length);
	if (n < 0 && n != -EAGAIN)
		box_fail(L, (int)n, "read", "output of the child");
	if (n == 0)
		util_closep(&t->streams[i]->fd);
	return n < 0 ? 0 : (int)n;
}

/* What the process left running may hold its pipes for ever, or fill them for ever: after its end only
 * what is in them already is read. */
static void drain_rest(lua_State *L, struct talk *t, int i)
{
	int left = in_pipe(L, t->streams[i]->fd);

	while (left > 0 && !t->why && in_pipe(L, t->streams[i]->fd) > 0)
		left -= drain(L, t, i);
}

/* One round; 0 when all pipes are closed, the process has ended or there is a reason to stop. */
static int talk_once(lua_State *L, struct talk *t, int64_t deadline)
{
	struct pollfd polls[4] = { [3] = { t->pidfd, POLLIN, 0 } };
	int open = 0;

	for (int i = 0; i < 3; i++) {
		polls[i] = (struct pollfd){ t->streams[i]->fd, i == 0 ? POLLOUT : POLLIN, 0 };
		open += polls[i].fd >= 0;
	}
	if (!open)
		return 0;
	if (box_poll(L, polls, 4, deadline) == 0) {
		t->why = "timeout";
		return 0;
	}
	if (polls[0].revents && !polls[3].revents)
		feed(L, t);
	for (int i = 1; i < 3; i++)
		if (polls[3].revents)
			drain_rest(L, t, i);
		else if (polls[i].revents)
			drain(L, t, i);
	return !polls[3].revents && !t->why;
}

struct communicate_options {
	double timeout;
	int64_t limit;
};

static const struct box_opt communicate_options[] = {
	{ "input", BOX_ANY },
	{ "timeout", BOX_NUMBER, offsetof(struct communicate_options, timeout), .min = 0, .max = 1000000000 },
	{ "limit", BOX_INT, offsetof(struct communicate_options, limit), .min = 1, .max = INT64_MAX },
	{ 0 },
};

/* Leaves the input at stack index 3. */
static void read_input(lua_State *L, struct talk *t)
{
	lua_settop(L, 2);
	if (lua_isnil(L, 2)) {
		lua_pushnil(L);
		return;
	}
	if (lua_getfield(L, 2, "input") == LUA_TSTRING)
		t->input = lua_tolstring(L, 3, &t->left);
	else if (!lua_isnil(L, 3))
		box_option_error(L, 2, NULL, "input", "string expected, got %s", luaL_typename(L, 3));
}

static void open_talk(lua_State *L, struct talk *t, const struct process *p)
{
	t->pidfd = p->fd.fd;
	for (int i = 0; i < 3; i++) {
		t->streams[i] = p->streams[i];
		lua_pushnil(L);
		if (i == 0 || t->streams[i]->fd < 0)
			continue;
		t->output[i] = box_buffer_new(L);
		lua_replace(L, -2);
	}
	if (t->left > 0 && t->streams[0]->fd < 0)
		box_option_error(L, 2, NULL, "input", "the process was not spawned with stdin = \"pipe\"");
	if (t->left == 0)
		util_closep(&t->streams[0]->fd);
}

static void push_output(lua_State *L, const struct box_buffer *b)
{
	if (b)
		lua_pushlstring(L, b->data, b->length);
	else
		lua_pushnil(L);
}

/***
Feeds a process its input and collects its output, until it has closed its pipes or ended. Its
standard input is closed after the input. Ctrl-C interrupts it.
@function communicate
@tparam luabox.process process
@tparam[opt] table o
@tparam[opt=""] string o.input needs `stdin = "pipe"`
@tparam[opt] number o.timeout in seconds
@tparam[opt] integer o.limit stop when either output has more bytes
@treturn ?string what it wrote to `stdout = "pipe"`; nil if that is no pipe
@treturn ?string the same of `stderr`
@treturn ?string "timeout" or "limit" if there may be more; it can be called again for the rest
@usage local process = luabox.sys.process
local p <close> = process.spawn { program = { "tr", "a-z", "A-Z" }, stdin = "pipe", stdout = "pipe" }
assert(process.communicate(p, { input = "hello" }) == "HELLO")
*/
int process_communicate(lua_State *L)
{
	struct communicate_options o = { .timeout = -1, .limit = INT64_MAX };
	struct talk t = { 0 };
	struct process *p;
	int64_t deadline;

	p = process_check(L, 1);
	if (!lua_isnoneornil(L, 2))
		box_options(L, 2, communicate_options, &o);
	read_input(L, &t);
	t.limit = (size_t)o.limit;
	open_talk(L, &t, p);
	deadline = box_deadline(o.timeout);
	while (talk_once(L, &t, deadline))
		;
	push_output(L, t.output[1]);
	push_output(L, t.output[2]);
	lua_pushstring(L, t.why);
	return 3;
}
