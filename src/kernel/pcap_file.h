/* SPDX-License-Identifier: MIT
 * Files of packets as they are written: whole records only, whatever ends the writing. pcap-savefile(5)
 */
#ifndef LUABOX_PCAP_FILE_H
#define LUABOX_PCAP_FILE_H

#include <sys/types.h>

#include "kernel/pcap.h"

struct pcap_file {
	int fd; /* -1: none */
	size_t used;
	off_t size;   /* of what is in the file */
	char *buffer; /* what is not */
};

/* Makes the file, mode 600, or empties the one that is there, and writes the head. */
int pcap_file_create(struct pcap_file *file, const char *path, const char head[PCAP_HEAD], struct fault *f);

/* Adds a packet, and writes out the buffer when it is full. */
int pcap_file_add(struct pcap_file *file, const struct pcap_packet *p, struct fault *f);

/* Writes out what is in the buffer. What was written in part is taken back. */
int pcap_file_flush(struct pcap_file *file, struct fault *f);

/* What is in the buffer is lost. */
void pcap_file_close(struct pcap_file *file);

#endif
