/* SPDX-License-Identifier: MIT
 * The keeper: one small process a run, which undoes what the run told it when the
 * run is over, however that came; and the journal, from which `luabox gc` does the
 * same when the keeper was killed too.
 *
 * A record is one line, the same on the socket and in the journal:
 *
 *	cgroup PATH		kill all in it, remove it
 *	controllers PATH	undo what made groups possible in this cgroup, see cgroup_parent.c
 *	process PID START	kill it (START: field 22 of proc_pid_stat(5))
 *	sysctl FILE		let go of it, see keep_sysctl.c
 *	pin PATH		unmount a namespace's bind mount, unlink the file under it
 *	file PATH		unlink
 *	directory PATH		remove it if it is empty
 *	contents DEVICE INODE PATH	remove all that is in that directory, which was empty
 *	link INDEX NAME		delete the network link; INDEX 0: whichever has that name
 *	table FAMILY NAME	delete the nftables table; FAMILY as a number
 *
 * It is told before the thing is made, so nothing of that name may be there yet: the
 * keeper answers EEXIST, and never touches what the run did not make.
 */
#ifndef LUABOX_KEEPER_H
#define LUABOX_KEEPER_H

#include <limits.h>
#include <stdint.h>
#include <sys/types.h>

#include "kernel/fault.h"

#define KEEP_LINE (PATH_MAX + 64) /* the longest record */
#define KEEP_LINES 16384          /* the most that is told at once */
#define KEEP_SYSCTL_NAME 181      /* with the zero */
#define KEEP_SYSCTL_VALUE 248
#define KEEP_NAME 64 /* the longest name of a journal */
#define KEEP_SUFFIX ".journal"
#define KEEP_CLAIM "sysctl-"

/* ---- the state directory and journals (journal.c) ---- */

/* The directory of journals: /run/luabox for root, else $XDG_RUNTIME_DIR/luabox.
 * Made if need be and 'create'. Refused if it is open to others. Returns a descriptor. */
int keep_dir(int create, struct fault *f);

/* Removes the directory if nothing is in it. One who has it open makes it anew. */
void keep_dir_leave(int dir);

/* Takes, or waits for, the lock under which journals are made and shared sysctls change. */
int keep_lock_dir(int dir, struct fault *f);
void keep_unlock_dir(int dir);

/* Opens the journal of a dead run and locks it against other collectors; -EBUSY if the
 * run or its keeper lives. */
int keep_journal_open(int dir, const char *name, struct fault *f);

struct keep_header {
	char boot[40];
	pid_t pid;
	uint64_t start, pid_ns, mnt_ns, net_ns, net_cookie;
};

/* What the header of this process's journal would say. Returns 0 or -errno. */
int keep_header_here(struct keep_header *h, struct fault *f);

/* The n-th name that a run's journal may have: another pid namespace may have a run with the
 * same pid and start time. */
void keep_journal_name(const struct keep_header *h, int n, char name[KEEP_NAME]);

/* Makes a run's journal, locked and with its header.
 * The lock (fcntl, F_RDLCK) is not inherited: children that live on do not keep a dead
 * run alive. The run and the keeper hold one each. */
int keep_journal_create(int dir, const struct keep_header *h, const char *name, struct fault *f);
int keep_journal_lock(int journal);

/* The bytes of a journal, or -errno; -EFBIG if it cannot be one. */
ssize_t keep_journal_size(int journal);

/* Reads the journal into 'text', of 'size' bytes and one more, and its header into 'h'.
 * Returns the length; -EBADMSG if it is no journal. */
ssize_t keep_journal_load(int journal, char *text, size_t size, struct keep_header *h);

/* The next record in force from *at on, in no order, its line in 'text' and its offset;
 * null at the end. Lines that are cut or make no sense are passed over. */
const char *keep_journal_next(char *text, size_t length, size_t *at, uint32_t *id, size_t *offset);

/* Strikes out the record at 'offset'. */
int keep_journal_strike(int journal, off_t offset);

/* A process in the namespace with that inode ('type' as in /proc/PID/ns), or 0. */
pid_t keep_find_process(const char *type, uint64_t inode);

/* The records of a live run, as its keeper has them. */
struct keep_slot {
	uint32_t id; /* in the order told; 0: free */
	int fd;      /* of the process or sysctl, or -1 */
	off_t offset;
	size_t size; /* bytes in the journal, and of 'line' */
	char *line;
};

struct keep_list {
	int journal;
	off_t header, end;
	struct keep_slot *slots;
	size_t count, size;
};

/* Adds a record to the list and the journal; takes 'fd'. All memory that undoing it
 * will need is allocated here. */
int keep_list_add(struct keep_list *l, uint32_t id, const char *line, size_t length, int fd);

/* The record told last, or null; the one with an id, or null. */
struct keep_slot *keep_list_last(struct keep_list *l);
struct keep_slot *keep_list_find(struct keep_list *l, uint32_t id);
void keep_list_drop(struct keep_list *l, struct keep_slot *s);

/* ---- undoing (keep_undo.c) ---- */

/* -EINVAL if 'line' is no record, -EEXIST if the thing is there already. */
int keep_check(const char *line);

/* Undoes a record; 'fd' may be -1, 'dir' is keep_dir's. 0: it is gone. */
int keep_undo(int dir, const char *line, int fd);

/* Field 22 of /proc/PID/stat. Returns 0; -ENOENT or -ESRCH if there is no such process; -errno. */
int keep_start_time(pid_t pid, uint64_t *start);

/* ---- sysctls that runs share (keep_sysctl.c) ---- */

/* The name of the file of a claim on sysctl 'name' in this network namespace. */
int keep_sysctl_file(const char *name, char file[NAME_MAX + 1]);

/* Says that this run needs sysctl 'name' ("net.ipv4.ip_forward") at 'value', and notes
 * the value that is there if no other run has. Tell the keeper of the file before, since
 * it is made here. On success *fd holds the claim, and 'dir' stays locked (if *fd >= 0):
 * tell the keeper again, with the descriptor, then keep_sysctl_set. *fd is -1 and nothing
 * is to be done if the value is there and nobody's. EBUSY if another run holds it at a
 * different value. */
int keep_sysctl_claim(int dir, const char *name, const char *value, int *fd, char file[NAME_MAX + 1],
		      struct fault *f);

/* Writes the value and lets go of the lock on 'dir'. */
int keep_sysctl_set(int dir, const char *name, const char *value, struct fault *f);

/* Drops the claim: the last run to leave puts back what was there, if the value is
 * still luabox's. 'fd' stays open; -1 for a run that is dead. 0, or -EBUSY if others
 * need it, or -errno. */
int keep_sysctl_drop(int dir, const char *file, int fd);

/* Removes a claim's file that no live run holds, without putting anything back: for a
 * namespace that is gone. */
int keep_sysctl_discard(int dir, const char *file);

/* The cookie of the current network namespace: never used twice while the machine is up. Returns 0 or -errno.
 */
int keep_net_cookie(uint64_t *cookie);

/* ---- the process (keeper.c) ---- */

struct keeper {
	int socket, run_journal;
	pid_t pid;
	uint32_t next;
	char journal[KEEP_NAME];
};

/* Starts the keeper of this process and waits until it is ready. */
int keep_start(struct keeper *k, struct fault *f);

/* Tells 'lines' (parted by newlines, 'count' of them), all or none; 'fd' (or -1) goes
 * with the first. Returns the first's id, the others follow. */
int64_t keep_tell(struct keeper *k, const char *lines, unsigned int count, int fd, struct fault *f);
int keep_forget(struct keeper *k, uint32_t id, unsigned int count, struct fault *f);

/* Ends the keeper and waits until it has undone what is on its list. 0; 1 if something
 * could not be undone and is still in the journal; -EOWNERDEAD if it had been killed. */
int keep_stop(struct keeper *k);

#endif
