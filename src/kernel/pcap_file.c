/* SPDX-License-Identifier: MIT */
#include "kernel/pcap_file.h"

#include <fcntl.h>
#include <string.h>

#include "kernel/file.h"
#include "kernel/util.h"

#define NANO 1000000000LL
#define BUFFER_SIZE (2 * PCAP_LARGEST)

struct record {
	uint32_t seconds, nanoseconds, captured, length;
};

int pcap_file_create(struct pcap_file *file, const char *path, const char head[PCAP_HEAD], struct fault *f)
{
	int rc;

	file->buffer = malloc(BUFFER_SIZE);
	if (!file->buffer)
		return fault_set(f, ENOMEM, "malloc", "%d bytes", BUFFER_SIZE);
	file->fd = file_open(-1, path, O_WRONLY | O_CREAT | O_TRUNC | O_NOCTTY, 0600, f);
	if (file->fd < 0) {
		rc = file->fd;
		pcap_file_close(file);
		return rc;
	}
	memcpy(file->buffer, head, PCAP_HEAD);
	file->used = PCAP_HEAD;
	rc = pcap_file_flush(file, f);
	if (rc < 0)
		pcap_file_close(file);
	return rc;
}

int pcap_file_add(struct pcap_file *file, const struct pcap_packet *p, struct fault *f)
{
	uint32_t captured = p->captured < PCAP_LARGEST ? p->captured : PCAP_LARGEST;
	struct record r = { (uint32_t)(p->nanoseconds / NANO), (uint32_t)(p->nanoseconds % NANO), captured,
			    p->length };
	int rc = 0;

	if (file->used + sizeof r + captured > BUFFER_SIZE)
		rc = pcap_file_flush(file, f);
	if (rc < 0)
		return rc;
	memcpy(file->buffer + file->used, &r, sizeof r);
	memcpy(file->buffer + file->used + sizeof r, p->data, captured);
	file->used += sizeof r + captured;
	return 0;
}

int pcap_file_flush(struct pcap_file *file, struct fault *f)
{
	size_t used = file->used;
	int rc = util_write_all(file->fd, file->buffer, used);

	file->used = 0;
	if (rc == 0) {
		file->size += (off_t)used;
		return 0;
	}
	if (ftruncate(file->fd, file->size) == 0)
		lseek(file->fd, file->size, SEEK_SET);
	return fault_set(f, -rc, "write", "packets");
}

void pcap_file_close(struct pcap_file *file)
{
	util_closep(&file->fd);
	free(file->buffer);
	file->buffer = NULL;
}
