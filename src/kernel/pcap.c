/* SPDX-License-Identifier: MIT */
#include "kernel/pcap.h"

#include <fcntl.h>
#include <net/if.h>
#include <pcap/pcap.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "kernel/file.h"
#include "kernel/library.h"
#include "kernel/netns_socket.h"
#include "kernel/util.h"

#define NANO 1000000000LL

/* ---- the library ---- */

#define FUNCTIONS(X)                                                                                         \
	X(activate)                                                                                          \
	X(close)                                                                                             \
	X(compile)                                                                                           \
	X(create)                                                                                            \
	X(datalink)                                                                                          \
	X(datalink_val_to_name)                                                                              \
	X(dump_close)                                                                                        \
	X(dump_fopen)                                                                                        \
	X(fopen_offline_with_tstamp_precision)                                                               \
	X(freecode)                                                                                          \
	X(get_selectable_fd)                                                                                 \
	X(geterr)                                                                                            \
	X(next_ex)                                                                                           \
	X(open_dead)                                                                                         \
	X(set_buffer_size)                                                                                   \
	X(set_datalink)                                                                                      \
	X(set_immediate_mode)                                                                                \
	X(set_promisc)                                                                                       \
	X(set_snaplen)                                                                                       \
	X(set_tstamp_precision)                                                                              \
	X(setfilter)                                                                                         \
	X(setnonblock)                                                                                       \
	X(stats)                                                                                             \
	X(statustostr)

#define MEMBER(name) __typeof__(&pcap_##name) name;
#define NAME(name) "pcap_" #name,

static struct {
	FUNCTIONS(MEMBER)
} lib;

static const char *const names[] = { FUNCTIONS(NAME) NULL };
static struct library library = { "libpcap.so.0.8", "libpcap0.8", names, &lib };

/* A fault with libpcap's own sentence. */
static int fail(int error, const char *op, const char *subject, const char *reason, struct fault *f)
{
	fault_set(f, error, op, "%s", subject);
	return fault_detail(f, reason);
}

/* ---- filters ---- */

static int compile(pcap_t *p, const char *filter, struct bpf_program *program)
{
	return lib.compile(p, program, filter, 1, PCAP_NETMASK_UNKNOWN);
}

static int filter_fault(pcap_t *p, const char *filter, struct fault *f)
{
	fault_set(f, EINVAL, "pcap_compile", "'%s'", filter);
	fault_detail(f, lib.geterr(p));
	return fault_hint(f, "filters are described in pcap-filter(7)");
}

/* Whether a filter can be meant for links of this type. */
static int check_for(int link_type, const char *filter, struct fault *f)
{
	pcap_t *p = lib.open_dead(link_type, PCAP_LARGEST);
	struct bpf_program program;
	int rc = 0;

	if (!p)
		return fault_set(f, ENOMEM, "pcap_open_dead", "");
	if (compile(p, filter, &program) < 0)
		rc = filter_fault(p, filter, f);
	else
		lib.freecode(&program);
	lib.close(p);
	return rc;
}

/* What is wrong for each kind of link is wrong in itself. Ethernet's reason is the most usual one. */
static int check_filter(const char *filter, struct fault *f)
{
	if (!filter || check_for(DLT_LINUX_SLL2, filter, f) == 0 || check_for(DLT_RAW, filter, f) == 0)
		return 0;
	return check_for(DLT_EN10MB, filter, f);
}

static int set_filter(pcap_t *p, const char *filter, struct fault *f)
{
	struct bpf_program program;
	int rc = 0;

	if (!filter)
		return 0;
	if (compile(p, filter, &program) < 0)
		return filter_fault(p, filter, f);
	if (lib.setfilter(p, &program) < 0)
		rc = filter_fault(p, filter, f);
	lib.freecode(&program);
	return rc;
}

/* ---- a link ---- */

static int is_any(const char *link)
{
	return !strcmp(link, "any");
}

static void hint_links(struct fault *f)
{
	struct if_nameindex *all = if_nameindex();
	char list[300] = "";

	for (struct if_nameindex *i = all; i && i->if_index; i++) {
		size_t used = strlen(list);

		snprintf(list + used, sizeof list - used, "%s, ", i->if_name);
	}
	if_freenameindex(all);
	fault_hint(f, "in this network namespace there are %sand \"any\" for all of them", list);
}

static int activate_fault(pcap_t *p, int status, const char *link, struct fault *f)
{
	const char *reason = *lib.geterr(p) ? lib.geterr(p) : lib.statustostr(status);

	if (status == PCAP_ERROR_PERM_DENIED || status == PCAP_ERROR_PROMISC_PERM_DENIED) {
		fault_set(f, EPERM, "pcap_activate", "%s", link);
		return fault_hint(
			f, "it takes CAP_NET_RAW in the user namespace that owns the network namespace");
	}
	if (status == PCAP_ERROR_IFACE_NOT_UP) {
		fault_set(f, ENETDOWN, "pcap_activate", "%s", link);
		return fault_hint(f, "set the link up first");
	}
	return fail(status == PCAP_ERROR_NO_SUCH_DEVICE ? ENODEV : EIO, "pcap_activate", link, reason, f);
}

/* A slot of the ring for each packet, which is seen as soon as it is there. */
static int activate(pcap_t *p, const struct pcap_place *place, struct fault *f)
{
	int rc;

	lib.set_snaplen(p, place->snaplen);
	lib.set_buffer_size(p, place->buffer);
	lib.set_promisc(p, place->promiscuous);
	lib.set_immediate_mode(p, 1);
	lib.set_tstamp_precision(p, PCAP_TSTAMP_PRECISION_NANO);
	rc = lib.activate(p);
	if (rc < 0)
		return activate_fault(p, rc, place->link, f);
	/* The newer form says which link a packet was on. */
	if (is_any(place->link))
		lib.set_datalink(p, DLT_LINUX_SLL2);
	return 0;
}

struct visit {
	struct pcap_capture *capture;
	const struct pcap_place *place;
};

static int open_there(void *argument, struct fault *f)
{
	const struct visit *v = argument;
	const char *link = v->place->link;
	char reason[PCAP_ERRBUF_SIZE] = "";

	if (!is_any(link) && !if_nametoindex(link)) {
		fault_set(f, ENODEV, "pcap_create", "%s", link);
		hint_links(f);
		return -ENODEV;
	}
	v->capture->pcap = lib.create(link, reason);
	if (!v->capture->pcap)
		return fail(ENOMEM, "pcap_create", link, reason, f);
	return activate(v->capture->pcap, v->place, f);
}

/* libpcap's descriptors are inherited, and its wait is not for us. */
static int set_descriptor(pcap_t *p, struct fault *f)
{
	char reason[PCAP_ERRBUF_SIZE] = "";

	if (lib.setnonblock(p, 1, reason) < 0)
		return fail(EIO, "pcap_setnonblock", "", reason, f);
	if (fcntl(lib.get_selectable_fd(p), F_SETFD, FD_CLOEXEC) < 0)
		return fault_set(f, errno, "fcntl", "");
	return 0;
}

int pcap_capture_open(struct pcap_capture *c, const struct pcap_place *place, struct fault *f)
{
	struct visit visit = { c, place };
	int rc = library_load(&library, f);

	if (rc == 0)
		rc = check_filter(place->filter, f);
	if (rc == 0)
		rc = net_visit(place->netns, open_there, &visit, f);
	if (rc == 0)
		rc = set_descriptor(c->pcap, f);
	if (rc == 0)
		rc = set_filter(c->pcap, place->filter, f);
	if (rc < 0)
		pcap_capture_close(c);
	return rc;
}

/* ---- a file ---- */

/* Reading from anything else could take for ever. */
static int check_regular(int fd, const char *path, struct fault *f)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return fault_set(f, errno, "fstat", "%s", path);
	return S_ISREG(st.st_mode) ? 0 : fail(EINVAL, "open", path, "it is not a regular file", f);
}

int pcap_capture_read(struct pcap_capture *c, const char *path, const char *filter, struct fault *f)
{
	int rc = library_load(&library, f);
	cleanup_fd int fd = rc < 0 ? rc : file_open(-1, path, O_RDONLY | O_NOCTTY | O_NONBLOCK, 0, f);
	char reason[PCAP_ERRBUF_SIZE] = "";
	FILE *file;

	rc = fd < 0 ? fd : check_regular(fd, path, f);
	if (rc < 0)
		return rc;
	file = fdopen(fd, "rb");
	if (!file)
		return fault_set(f, errno, "fdopen", "%s", path);
	take_fd(&fd);
	c->is_file = 1;
	c->pcap = lib.fopen_offline_with_tstamp_precision(file, PCAP_TSTAMP_PRECISION_NANO, reason);
	if (!c->pcap) {
		fclose(file);
		fail(EINVAL, "pcap_fopen_offline", path, reason, f);
		return fault_hint(f,
				  "a pcap or pcapng file is expected, as tcpdump and Wireshark write them");
	}
	rc = set_filter(c->pcap, filter, f);
	if (rc < 0)
		pcap_capture_close(c);
	return rc;
}

/* ---- both ---- */

void pcap_capture_close(struct pcap_capture *c)
{
	if (c->pcap)
		lib.close(c->pcap);
	c->pcap = NULL;
}

int pcap_capture_fd(const struct pcap_capture *c)
{
	return lib.get_selectable_fd(c->pcap);
}

/* libpcap has but a sentence for each failure. */
static int next_fault(struct pcap_capture *c, struct fault *f)
{
	const char *reason = lib.geterr(c->pcap);

	return fail(strstr(reason, "disappeared") ? ENODEV
		    : c->is_file                  ? EINVAL
						  : EIO,
		    "pcap_next_ex", "", reason, f);
}

int pcap_capture_next(struct pcap_capture *c, struct pcap_packet *p, struct fault *f)
{
	struct pcap_pkthdr *header;
	const unsigned char *data;
	int rc = lib.next_ex(c->pcap, &header, &data);

	if (rc == 0 || rc == PCAP_ERROR_BREAK)
		return 0;
	if (rc < 0)
		return next_fault(c, f);
	*p = (struct pcap_packet){ header->ts.tv_sec * NANO + header->ts.tv_usec, header->caplen, header->len,
				   data };
	return 1;
}

/* By the socket itself: libpcap's own function would filter what is in the ring, too. */
int pcap_capture_stop(struct pcap_capture *c, struct fault *f)
{
	struct bpf_insn nothing = BPF_STMT(BPF_RET | BPF_K, 0);
	struct { /* the kernel's struct sock_fprog */
		unsigned short length;
		struct bpf_insn *filter;
	} program = { 1, &nothing };

	if (!c->is_file &&
	    setsockopt(pcap_capture_fd(c), SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof program) < 0)
		return fault_set(f, errno, "setsockopt", "SO_ATTACH_FILTER");
	c->is_stopped = 1;
	return 0;
}

int pcap_capture_stats(struct pcap_capture *c, uint32_t *received, uint32_t *dropped, struct fault *f)
{
	struct pcap_stat s = { 0 };

	if (!c->is_file && lib.stats(c->pcap, &s) < 0)
		return fail(EIO, "pcap_stats", "", lib.geterr(c->pcap), f);
	*received = s.ps_recv;
	*dropped = s.ps_drop;
	return 0;
}

void pcap_capture_link_type(const struct pcap_capture *c, char text[PCAP_LINK_TYPE_TEXT])
{
	int number = lib.datalink(c->pcap);
	const char *name = lib.datalink_val_to_name(number);

	if (name)
		snprintf(text, PCAP_LINK_TYPE_TEXT, "%s", name);
	else
		snprintf(text, PCAP_LINK_TYPE_TEXT, "%d", number);
}

/* Written by libpcap, to memory: files number some link types otherwise than captures do. */
int pcap_capture_head(struct pcap_capture *c, char *head, struct fault *f)
{
	char *data = NULL;
	size_t size = 0;
	FILE *memory = open_memstream(&data, &size);
	pcap_dumper_t *dumper = memory ? lib.dump_fopen(c->pcap, memory) : NULL;
	int rc = 0;

	if (dumper)
		lib.dump_close(dumper);
	else if (memory)
		fclose(memory);
	if (!dumper || size != PCAP_HEAD)
		rc = fail(EIO, "pcap_dump_fopen", "", memory ? lib.geterr(c->pcap) : NULL, f);
	else
		memcpy(head, data, PCAP_HEAD);
	free(data);
	return rc;
}
