/* SPDX-License-Identifier: MIT */
/***
Packets of a link or of a file, through libpcap, which is loaded at the first use. `luabox.pcap` decodes them.

A handle takes packets one by one. Those of a link wait for that in a ring that the kernel fills while the
script does other things; when it is full, further ones are dropped and counted.
@module luabox.sys.pcap
@see pcap(3)
*/
#include "binding/binding.h"

#include <errno.h>
#include <net/if.h>
#include <time.h>

#include "kernel/pcap_file.h"

#define PCAP_TYPE "luabox.packets"
#define MOST_BUFFER (1 << 30)
#define LONGEST 1000000000 /* seconds */

/* Ethernet's largest segments, and a slot of the ring is still 64 KiB. */
#define SNAPLEN 65400

struct packets {
	struct box_fd h; /* libpcap's descriptor, which libpcap closes */
	struct pcap_capture capture;
	struct pcap_file file;
	int64_t taken, count; /* as many as are taken at most; 0: all */
	/* None after this one is taken: by the packets' clock, and by box_poll's; -1. */
	int64_t last, deadline;
	int is_over;
};

static void save_rest(struct packets *p);

static int packets_close(lua_State *L)
{
	struct packets *p = lua_touserdata(L, 1);

	if (p->h.owner == box_owner())
		save_rest(p);
	pcap_file_close(&p->file);
	pcap_capture_close(&p->capture);
	p->h.fd = -1;
	return 0;
}

/* A ring that a fork copied is the other process's as well. */
static struct packets *check_self(lua_State *L)
{
	struct packets *p = box_handle_check(L, 1, PCAP_TYPE);

	if (p->h.owner != box_owner())
		luaL_error(L, "%s of another process (%d): open new ones after a fork", PCAP_TYPE,
			   (int)p->h.owner);
	return p;
}

/* ---- taking packets ---- */

/* Takes the next packet, and writes it if a file was named. */
static int take(struct packets *p, struct pcap_packet *packet, struct fault *f)
{
	int rc = p->is_over ? 0 : pcap_capture_next(&p->capture, packet, f);

	if (rc > 0 && p->last >= 0 && packet->nanoseconds > p->last) {
		p->is_over = 1;
		return 0;
	}
	if (rc <= 0)
		return rc;
	p->taken++;
	p->is_over = p->taken == p->count;
	if (p->file.fd >= 0 && pcap_file_add(&p->file, packet, f) < 0)
		return -f->error;
	return 1;
}

/* The end of a handle that writes a file: what is in the ring goes there. */
static void save_rest(struct packets *p)
{
	struct pcap_packet packet;
	struct fault f;

	if (!p->capture.pcap || p->file.fd < 0)
		return;
	if (!p->capture.is_file && pcap_capture_stop(&p->capture, &f) == 0)
		while (take(p, &packet, &f) > 0)
			;
	pcap_file_flush(&p->file, &f);
}

/* What was taken can be read in the file before the next packet is waited for. */
static void flush(lua_State *L, struct packets *p)
{
	struct fault f;

	if (p->file.fd >= 0 && pcap_file_flush(&p->file, &f) < 0)
		box_raise(L, &f);
}

/* Of two deadlines, either of which may be none. */
static int64_t earlier(int64_t a, int64_t b)
{
	return b < 0 || (a >= 0 && a < b) ? a : b;
}

/***
Takes the next packet. Ctrl-C interrupts the wait.
@function next
@tparam[opt] number timeout in seconds; 0 does not wait, and without one it waits as long as it takes
@treturn ?string the packet's bytes, at most `snaplen` of them; nil if none came in time, none is left after
`stop`, or the file has ended
@treturn integer when it passed, in nanoseconds since 1970
@treturn integer how long it was on the link, in bytes
@raise luabox.error: ENODEV if the link is gone; EINVAL for a file that is broken off; ENOSPC
@usage local packets <close> = luabox.sys.pcap.open { link = "any" }
assert(packets:next(0) == nil)
*/
static int packets_next(lua_State *L)
{
	struct packets *p = check_self(L);
	int64_t deadline = earlier(box_check_deadline(L, 2), p->deadline);
	struct pollfd fd = { .fd = p->h.fd, .events = POLLIN };
	struct pcap_packet packet;
	struct fault f;
	int rc;

	while ((rc = take(p, &packet, &f)) == 0) {
		flush(L, p);
		if (p->is_over || p->capture.is_file || p->capture.is_stopped ||
		    box_poll(L, &fd, 1, deadline) == 0)
			return 0;
	}
	if (rc < 0)
		return box_raise(L, &f);
	lua_pushlstring(L, (const char *)packet.data, packet.captured);
	lua_pushinteger(L, packet.nanoseconds);
	lua_pushinteger(L, packet.length);
	return 3;
}

/***
From now on no packet comes. Those that wait can still be taken; a file is at its end.
@function stop
@raise luabox.error
@usage local packets <close> = luabox.sys.pcap.open { link = "any" }
packets:stop()
assert(packets:next() == nil)
*/
static int packets_stop(lua_State *L)
{
	struct packets *p = check_self(L);
	struct fault f;

	if (pcap_capture_stop(&p->capture, &f) < 0)
		return box_raise(L, &f);
	p->is_over |= p->capture.is_file;
	return 0;
}

/***
Writes what is taken from now on to a file, too, which tcpdump and Wireshark read. It always ends with a whole
packet; what was taken is in it at the latest when the next packet is waited for. A handle that is closed
writes what was still waiting.
@function save
@string path a file that is there is emptied; one that is made has the mode 600
@raise luabox.error: ENOENT, EACCES, EISDIR, ENOSPC; EBUSY if a file is being written already
@see pcap-savefile(5)
@usage local packets <close> = luabox.sys.pcap.open { link = "any", filter = "icmp" }
packets:save "/tmp/icmp.pcap"
*/
static int packets_save(lua_State *L)
{
	struct packets *p = check_self(L);
	const char *path = box_checkpath(L, 2);
	char head[PCAP_HEAD];
	struct fault f;

	if (p->file.fd >= 0)
		return box_fail(L, EBUSY, "save", path);
	if (pcap_capture_head(&p->capture, head, &f) < 0 || pcap_file_create(&p->file, path, head, &f) < 0)
		return box_raise(L, &f);
	return 0;
}

/***
Numbers of packets.
@function stats
@treturn table `taken`; of a link also `received` (those that passed the filter) and `dropped` (those of them
for which the ring had no room)
@raise luabox.error
@usage local packets <close> = luabox.sys.pcap.open { link = "any" }
assert(packets:stats().dropped == 0)
*/
static int packets_stats(lua_State *L)
{
	struct packets *p = check_self(L);
	uint32_t received, dropped;
	struct fault f;

	if (pcap_capture_stats(&p->capture, &received, &dropped, &f) < 0)
		return box_raise(L, &f);
	lua_createtable(L, 0, 3);
	box_set_integer(L, "taken", p->taken);
	if (!p->capture.is_file) {
		box_set_integer(L, "received", received);
		box_set_integer(L, "dropped", dropped);
	}
	return 1;
}

/***
What the packets begin with, as libpcap calls it: `EN10MB` is Ethernet, `LINUX_SLL2` what those of the link
"any" have.
@function link_type
@treturn string
@see pcap-linktype(7)
@usage local packets <close> = luabox.sys.pcap.open { link = "lo" }
assert(packets:link_type() == "EN10MB")
*/
static int packets_link_type(lua_State *L)
{
	char text[PCAP_LINK_TYPE_TEXT];

	pcap_capture_link_type(&check_self(L)->capture, text);
	lua_pushstring(L, text);
	return 1;
}

/* ---- opening ---- */

static const luaL_Reg methods[] = { { "link_type", packets_link_type }, { "next", packets_next },
				    { "save", packets_save },           { "stats", packets_stats },
				    { "stop", packets_stop },           { NULL, NULL } };

static struct packets *new_packets(lua_State *L)
{
	struct packets *p;

	box_handle_type(L, PCAP_TYPE, methods, packets_close);
	p = box_handle_new(L, PCAP_TYPE, sizeof *p);
	p->file.fd = -1;
	p->last = p->deadline = -1;
	return p;
}

/* Returns the handle at the top of the stack, or raises. */
static int finish(lua_State *L, struct packets *p, int rc, const struct fault *f)
{
	if (rc < 0)
		return box_raise(L, f);
	p->h.fd = pcap_capture_fd(&p->capture);
	return 1;
}

struct options {
	const char *link, *filter;
	int netns, promiscuous;
	int64_t snaplen, buffer, count;
	double seconds;
};

static const struct box_opt open_options[] = {
	{ "link", BOX_STRING, offsetof(struct options, link), 1, 1, IFNAMSIZ - 1 },
	{ "namespace", BOX_FD, offsetof(struct options, netns) },
	{ "filter", BOX_STRING, offsetof(struct options, filter) },
	{ "snaplen", BOX_INT, offsetof(struct options, snaplen), 0, 1, PCAP_LARGEST },
	{ "promiscuous", BOX_BOOL, offsetof(struct options, promiscuous) },
	{ "buffer", BOX_INT, offsetof(struct options, buffer), 0, 65536, MOST_BUFFER },
	{ "count", BOX_INT, offsetof(struct options, count), 0, 1, INT64_MAX },
	{ "seconds", BOX_NUMBER, offsetof(struct options, seconds), 0, 0, LONGEST },
	{ 0 }
};

/* The end of what is captured for some seconds, on both clocks. */
static void set_end(struct packets *p, double seconds)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	p->last = now.tv_sec * 1000000000LL + now.tv_nsec + (int64_t)(seconds * 1e9);
	p->deadline = box_deadline(seconds);
}

/***
Captures the packets of a link from now on.
@function open
@tparam table options
@string options.link its name, or `"any"` for all links of the namespace
@tparam[opt] luabox.namespace|integer options.namespace a handle or a descriptor of the network namespace;
default the current one. The capture stays there.
@string[opt] options.filter only packets that it describes, such as `"icmp and host 10.0.0.1"`
@int[opt=65400] options.snaplen bytes that are taken of each packet, up to 262144. Of packets that the kernel
joins into one of up to 64 KiB that is what fits in a slot of 64 KiB.
@bool[opt] options.promiscuous those that are not for this host, too; "any" has no such mode
@int[opt=16777216] options.buffer bytes of the ring, from 64 KiB. Each packet takes a slot of `snaplen` and
some hundred bytes, or of the link's MTU where the kernel joins no packets: 256 wait by default.
@int[opt] options.count as many packets are taken at most
@number[opt] options.seconds none that passes later than so long after the start is taken
@treturn luabox.packets
@raise luabox.error: EINVAL for a filter that libpcap does not understand, with its reason, before anything is
done; ENODEV, whose hint has the links that there are; ENETDOWN; EPERM; ELIBACC without the package libpcap0.8
@see pcap-filter(7)
@see packet(7)
@usage local packets <close> = luabox.sys.pcap.open { link = "any", filter = "icmp or icmp6" }
local bytes, nanoseconds, length = packets:next(0.1)
*/
static int pcap_open_lua(lua_State *L)
{
	struct options o = { .netns = -1, .snaplen = SNAPLEN, .buffer = 16 << 20, .seconds = -1 };
	struct pcap_place place;
	struct packets *p;
	struct fault f;

	box_options(L, 1, open_options, &o);
	p = new_packets(L);
	place = (struct pcap_place){
		o.link, o.netns, o.filter, (int)o.snaplen, (int)o.buffer, o.promiscuous
	};
	p->count = o.count;
	finish(L, p, pcap_capture_open(&p->capture, &place, &f), &f);
	if (o.seconds >= 0)
		set_end(p, o.seconds);
	return 1;
}

static const struct box_opt read_options[] = { { "filter", BOX_STRING, offsetof(struct options, filter) },
					       { "count", BOX_INT, offsetof(struct options, count), 0, 1,
						 INT64_MAX },
					       { 0 } };

/***
Opens a file of packets, of tcpdump or Wireshark (pcap or pcapng).
@function read
@string path of a regular file
@tparam[opt] table options
@string[opt] options.filter only packets that it describes
@int[opt] options.count as many packets are taken at most
@treturn luabox.packets
@raise luabox.error: ENOENT, EACCES; EINVAL if it is no such file, with libpcap's reason, or for the filter;
ELIBACC
@see pcap-savefile(5)
@usage local packets <close> = luabox.sys.pcap.open { link = "any" }
packets:save "/tmp/none.pcap"
packets:close()
local saved <close> = luabox.sys.pcap.read "/tmp/none.pcap"
assert(saved:next() == nil)
*/
static int pcap_read_lua(lua_State *L)
{
	const char *path = box_checkpath(L, 1);
	struct options o = { 0 };
	struct packets *p;
	struct fault f;

	if (!lua_isnoneornil(L, 2))
		box_options(L, 2, read_options, &o);
	p = new_packets(L);
	p->count = o.count;
	return finish(L, p, pcap_capture_read(&p->capture, path, o.filter, &f), &f);
}

static const luaL_Reg functions[] = { { "open", pcap_open_lua }, { "read", pcap_read_lua }, { NULL, NULL } };

BOX_MODULE(pcap)
{
	luaL_newlib(L, functions);
	return 1;
}
