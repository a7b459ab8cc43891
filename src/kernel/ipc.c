/* SPDX-License-Identifier: MIT */
#include "kernel/ipc.h"

#include <errno.h>
#include <stddef.h>
#include <sys/ipc.h>
#include <sys/msg.h>
#include <sys/sem.h>
#include <sys/shm.h>

/* semctl(2): the caller is to define it. */
union semun {
	int value;
	struct semid_ds *set;
	struct seminfo *info;
};

static const struct {
	const char *call, *what, *limit;
} kinds[] = {
	[IPC_QUEUE] = { "msgget", "message queue", "kernel.msgmni" },
	[IPC_MEMORY] = { "shmget", "shared memory", "kernel.shmmni (segments) or kernel.shmall (pages)" },
	[IPC_SEMAPHORES] = { "semget", "semaphores", "kernel.sem (the second and fourth number)" },
};

static int get(enum ipc_kind kind, size_t size, int flags)
{
	switch (kind) {
	case IPC_QUEUE:
		return msgget(IPC_PRIVATE, flags);
	case IPC_MEMORY:
		return shmget(IPC_PRIVATE, size, flags);
	case IPC_SEMAPHORES:
		break;
	}
	return semget(IPC_PRIVATE, (int)size, flags);
}

int ipc_create(enum ipc_kind kind, size_t size, mode_t mode, struct fault *f)
{
	int id = get(kind, size, IPC_CREAT | IPC_EXCL | (int)mode);

	if (id >= 0)
		return id;
	fault_set(f, errno, kinds[kind].call, "%s", kinds[kind].what);
	if (f->error == ENOSPC)
		return fault_hint(f, "this ipc namespace has as many as %s lets it", kinds[kind].limit);
	if (f->error == EINVAL && kind == IPC_MEMORY)
		return fault_hint(f, "the size is more than kernel.shmmax");
	if (f->error == EINVAL)
		return fault_hint(f, "a set has at most as many as the first number of kernel.sem says");
	return -f->error;
}

int ipc_remove(enum ipc_kind kind, int id, struct fault *f)
{
	int rc = kind == IPC_QUEUE    ? msgctl(id, IPC_RMID, NULL)
		 : kind == IPC_MEMORY ? shmctl(id, IPC_RMID, NULL)
				      : semctl(id, 0, IPC_RMID);

	if (rc == 0)
		return 0;
	fault_set(f, errno, "remove", "%s %d", kinds[kind].what, id);
	if (f->error == EINVAL || f->error == EIDRM)
		return fault_hint(f, "nothing with this id is in this ipc namespace");
	return -f->error;
}

static void add_owner(struct ipc_object *o, const struct ipc_perm *p)
{
	o->key = (uint32_t)p->__key;
	o->uid = p->uid;
	o->gid = p->gid;
	o->mode = p->mode & 0777;
}

/* The highest place that is taken. */
static int last_place(enum ipc_kind kind)
{
	struct msginfo messages;
	struct shm_info memory;
	struct seminfo semaphores;

	switch (kind) {
	case IPC_QUEUE:
		return msgctl(0, MSG_INFO, (struct msqid_ds *)&messages);
	case IPC_MEMORY:
		return shmctl(0, SHM_INFO, (struct shmid_ds *)&memory);
	case IPC_SEMAPHORES:
		break;
	}
	return semctl(0, 0, SEM_INFO, (union semun){ .info = &semaphores });
}

static int look_queue(int place, struct ipc_object *o)
{
	struct msqid_ds d = { 0 };

	o->id = msgctl(place, MSG_STAT_ANY, &d);
	o->size = d.__msg_cbytes;
	o->count = d.msg_qnum;
	add_owner(o, &d.msg_perm);
	return o->id;
}

static int look_memory(int place, struct ipc_object *o)
{
	struct shmid_ds d = { 0 };

	o->id = shmctl(place, SHM_STAT_ANY, &d);
	o->size = d.shm_segsz;
	o->count = d.shm_nattch;
	add_owner(o, &d.shm_perm);
	return o->id;
}

static int look_semaphores(int place, struct ipc_object *o)
{
	struct semid_ds d = { 0 };

	o->id = semctl(place, 0, SEM_STAT_ANY, (union semun){ .set = &d });
	o->size = d.sem_nsems;
	add_owner(o, &d.sem_perm);
	return o->id;
}

int ipc_next(enum ipc_kind kind, int *place, struct ipc_object *o, struct fault *f)
{
	static int (*const look[])(int place, struct ipc_object *o) = { look_queue, look_memory,
									look_semaphores };
	int last = last_place(kind);

	if (last < 0)
		return fault_set(f, errno, "list", "%s", kinds[kind].what);
	while (*place <= last) {
		*o = (struct ipc_object){ 0 };
		if (look[kind]((*place)++, o) >= 0)
			return 1;
		if (errno != EINVAL && errno != EIDRM) /* nothing is there */
			return fault_set(f, errno, "list", "%s", kinds[kind].what);
	}
	return 0;
}
