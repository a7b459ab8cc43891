/* SPDX-License-Identifier: MIT
 * Packets of a link, or of a file, through libpcap, which is loaded at the first need. Those of a link wait
 * in a ring that the kernel fills. pcap(3pcap), packet(7)
 */
#ifndef LUABOX_PCAP_H
#define LUABOX_PCAP_H

#include <stdint.h>

#include "kernel/fault.h"

#define PCAP_LINK_TYPE_TEXT 64
#define PCAP_LARGEST 262144 /* bytes that are taken of one packet: libpcap's MAXIMUM_SNAPLEN */

struct pcap_place {
	const char *link;    /* "any": all of the namespace */
	int netns;           /* a descriptor; the current one if it is negative */
	const char *filter;  /* null: every packet */
	int snaplen, buffer; /* bytes */
	int promiscuous;
};

/* Zeroed: closed. */
struct pcap_capture {
	struct pcap *pcap;
	int is_file, is_stopped;
};

struct pcap_packet {
	int64_t nanoseconds; /* since 1970 */
	uint32_t captured, length;
	const unsigned char *data; /* until the next call */
};

/* Opens the packets of a link. The filter is checked first of all, and the namespace visited (net_visit). */
int pcap_capture_open(struct pcap_capture *c, const struct pcap_place *place, struct fault *f);

/* Opens a file of packets. */
int pcap_capture_read(struct pcap_capture *c, const char *path, const char *filter, struct fault *f);

/* Idempotent. The ring of a copy that a fork made stays with the other process. */
void pcap_capture_close(struct pcap_capture *c);

/* What is readable when a packet of a link is there. */
int pcap_capture_fd(const struct pcap_capture *c);

/* Takes the next packet. Returns 1; 0 if there is none at the moment, or the file has ended; -errno. */
int pcap_capture_next(struct pcap_capture *c, struct pcap_packet *p, struct fault *f);

/* From now on no packet comes; those in the ring stay there. */
int pcap_capture_stop(struct pcap_capture *c, struct fault *f);

/* How many passed the filter, and how many of these were lost since the ring was full. */
int pcap_capture_stats(struct pcap_capture *c, uint32_t *received, uint32_t *dropped, struct fault *f);

/* What packets begin with, as libpcap calls it: "EN10MB" for Ethernet. */
void pcap_capture_link_type(const struct pcap_capture *c, char text[PCAP_LINK_TYPE_TEXT]);

/* The head of a file for these packets, PCAP_HEAD bytes. */
#define PCAP_HEAD 24
int pcap_capture_head(struct pcap_capture *c, char *head, struct fault *f);

#endif
