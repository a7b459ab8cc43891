/* SPDX-License-Identifier: MIT
 * What an ipc namespace holds of System V: message queues, shared memory, semaphores (sysvipc(7)).
 */
#ifndef LUABOX_IPC_H
#define LUABOX_IPC_H

#include <stdint.h>
#include <sys/types.h>

#include "kernel/fault.h"

enum ipc_kind { IPC_QUEUE, IPC_MEMORY, IPC_SEMAPHORES };

struct ipc_object {
	int id;
	uint32_t key; /* 0: it was made without one */
	uid_t uid;
	gid_t gid;
	mode_t mode;
	uint64_t size;  /* bytes: of the memory, in the queue's messages; how many semaphores */
	uint64_t count; /* messages in the queue, processes that have the memory */
};

/* Makes an object without a key. 'size': bytes of memory, or how many semaphores. Returns its id. */
int ipc_create(enum ipc_kind kind, size_t size, mode_t mode, struct fault *f);

int ipc_remove(enum ipc_kind kind, int id, struct fault *f);

/* The object at 'place' or the next place after it that has one; 'place' is then the one after. Returns 1, 0
 * if there is none, or -errno. */
int ipc_next(enum ipc_kind kind, int *place, struct ipc_object *o, struct fault *f);

#endif
