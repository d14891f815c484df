/* SPDX-License-Identifier: MIT */
/*
 * Wait queues: who is told when a file's readiness may have changed.
 *
 * The rules are those of the kernel's kernel/sched/wait.c (read in 6.18):
 * a non-exclusive entry goes to the head (so the newest is told first), an
 * exclusive one to the tail, except an epoll_wait() sleeper, which is
 * exclusive and goes to the head (so the newest sleeper is woken first). A
 * wake walks from the head, calls every entry, and stops after the given
 * number of exclusive entries whose callback returned > 0.
 */
#ifndef EMU_WAITQ_H
#define EMU_WAITQ_H

#include <stdbool.h>
#include <stdint.h>

#include "list.h"

/* News for an exclusive entry that does not stop the walk. */
#define EMU_WAKE_PASSED (-1)

struct emu_wait {
	struct emu_list link; /* on emu_waitq.entries */
	bool exclusive;
	/*
	 * Called for each wake that reaches the entry. `key` holds the poll
	 * bits that the wake is about; 0 stands for "anything". Returns > 0
	 * when the wake did something for this entry, else 0; only for an
	 * exclusive entry does > 0 count towards stopping the walk. An
	 * exclusive entry for which it did something but which leaves the
	 * wake to others as well returns EMU_WAKE_PASSED. It may remove its
	 * own entry from the queue, and no other.
	 */
	int (*wake)(struct emu_wait *wait, uint32_t key);
};

struct emu_waitq {
	struct emu_list entries;
};

void emu_waitq_init(struct emu_waitq *queue);

/* Readies an entry for use; it is on no queue afterwards. */
void emu_wait_init(struct emu_wait *wait,
	int (*wake)(struct emu_wait *wait, uint32_t key));

/* add_wait_queue(): not exclusive, at the head. */
void emu_waitq_add(struct emu_waitq *queue, struct emu_wait *wait);

/*
 * __add_wait_queue_entry_tail(): not exclusive, at the tail, behind the items
 * that watch the file. This is where a blocked reader or writer of an eventfd
 * sits, so that the first to block is the first to try again.
 */
void emu_waitq_add_tail(struct emu_waitq *queue, struct emu_wait *wait);

/* add_wait_queue_exclusive(): exclusive, at the tail. */
void emu_waitq_add_exclusive(struct emu_waitq *queue, struct emu_wait *wait);

/* __add_wait_queue_exclusive(), as ep_poll() does: exclusive, at the head. */
void emu_waitq_add_exclusive_head(
	struct emu_waitq *queue, struct emu_wait *wait);

/* Leaves the queue; harmless for an entry that is on none. */
void emu_waitq_remove(struct emu_wait *wait);

/* waitqueue_active(): is anybody on the queue? */
bool emu_waitq_active(const struct emu_waitq *queue);

/*
 * __wake_up(): tells the entries about `key`. The walk ends after
 * `nr_exclusive` exclusive entries took the wake (0: no limit). Returns how
 * many entries, of both kinds, it was news for (did not return 0).
 */
int emu_waitq_wake(struct emu_waitq *queue, uint32_t key, int nr_exclusive);

/* The same from the entry behind `wait`, which is on the queue. */
int emu_waitq_wake_behind(struct emu_waitq *queue, struct emu_wait *wait,
	uint32_t key, int nr_exclusive);

#endif
