/***
Descriptors without a better type: a pipe's end, a file, a mount tree.
Each handle has `close()`, `fileno()`, `<close>` and `tostring` too.
@module luabox.sys.fd
@see luabox.sys.process
*/
/***
@type luabox.fd
*/
#include <errno.h>

#include "binding/binding.h"
#include "binding/buffer.h"
#include "kernel/pipe.h"

static void wait_ready(lua_State *L, int fd, short events)
{
	struct pollfd p = { .fd = fd, .events = events };

	box_poll(L, &p, 1, -1);
}

/* One read, when there is something. Returns 0 at the end of the file. */
static size_t read_some(lua_State *L, int fd, struct box_buffer *b, size_t limit)
{
	ssize_t n;

	do {
		wait_ready(L, fd, POLLIN);
		n = box_buffer_read(L, b, fd, limit);
	} while (n == -EAGAIN);
	if (n < 0)
		box_fail(L, (int)n, "read", NULL);
	return (size_t)n;
}

/***
Reads. Ctrl-C interrupts the wait.
@function read
@tparam[opt] integer n at most so many bytes, as soon as some are there; all until the end by default
@treturn ?string nil at the end, if `n` was given
@see read(2)
@usage local p <close> = luabox.sys.process.spawn { program = { "echo", "hello" }, stdout = "pipe" }
assert(p:stdout():read(4) == "hell")
*/
static int fd_read(lua_State *L)
{
	struct box_fd *h = box_handle_check(L, 1, BOX_FD_TYPE);
	lua_Integer limit = luaL_optinteger(L, 2, 0);
	struct box_buffer *b;

	luaL_argcheck(L, lua_isnoneornil(L, 2) || limit > 0, 2, "1 byte or more");
	b = box_buffer_new(L);
	if (limit == 0) {
		while (read_some(L, h->fd, b, SIZE_MAX) > 0)
			;
	} else if (read_some(L, h->fd, b, (size_t)limit) == 0) {
		lua_pushnil(L);
		return 1;
	}
	lua_pushlstring(L, b->data, b->length);
	return 1;
}

/***
Writes all of a string. Ctrl-C interrupts the wait.
@function write
@string data
@raise luabox.error EPIPE if nobody reads any more
@see write(2)
@usage local p <close> = luabox.sys.process.spawn { program = { "cat" }, stdin = "pipe", stdout = "null" }
p:stdin():write("hello")
*/
static int fd_write(lua_State *L)
{
	struct box_fd *h = box_handle_check(L, 1, BOX_FD_TYPE);
	size_t size;
	const char *data = luaL_checklstring(L, 2, &size);

	while (size > 0) {
		ssize_t n;

		wait_ready(L, h->fd, POLLOUT);
		n = proc_write(h->fd, data, size);
		if (n < 0 && n != -EAGAIN)
			return box_fail(L, (int)n, "write", NULL);
		n = n < 0 ? 0 : n;
		data += n;
		size -= (size_t)n;
	}
	return 0;
}

const luaL_Reg box_fd_methods[] = { { "read", fd_read }, { "write", fd_write }, { NULL, NULL } };
