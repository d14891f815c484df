/* SPDX-License-Identifier: MIT */
/*
 * An open file description as the engine sees it, the like of the kernel's
 * struct file with its f_op->poll and wait_queue_head: something that can be
 * asked what it is ready for, and that says when that may have changed.
 *
 * Epoll instances and eventfds embed one; the host embeds one in each watch
 * on a file of the traced program.
 */
#ifndef EMU_FILE_H
#define EMU_FILE_H

#include <stdbool.h>
#include <stdint.h>

#include "waitq.h"

struct emu_file;
struct emu_epoll;

struct emu_file_ops {
	/*
	 * file->f_op->poll(): the poll bits of `mask` for which the file is
	 * ready now (EMU_EPOLLERR and EMU_EPOLLHUP are always in `mask`). It
	 * must not call back into the engine.
	 */
	uint32_t (*poll)(struct emu_file *file, uint32_t mask);
};

struct emu_file {
	const struct emu_file_ops *ops;
	struct emu_waitq waitq; /* items, and readers/writers that block */
	struct emu_list items; /* epoll items that watch this file */
	/*
	 * Only the engine may poll it, since a poll takes away what it reports:
	 * its items count as hidden (emu_epoll_hidden_available()).
	 */
	bool hidden;
};

void emu_file_init(struct emu_file *file, const struct emu_file_ops *ops);

/*
 * The file's readiness may have changed: tells everybody on the wait queue,
 * stopping at the first exclusive entry that takes the wake, as
 * wake_up_poll() does. `key`: the poll bits it is about, 0 for "anything".
 * Returns how many entries the wake was news for; 0 means that nobody would
 * have missed it (no item wanted it, or each was queued already and nobody
 * polls its epoll).
 */
int emu_file_wake(struct emu_file *file, uint32_t key);

/*
 * An item of the epoll took an exclusive wake, and nobody there had it: it goes
 * to the entries behind the item, as if that had had no waiter.
 */
int emu_file_wake_behind(
	struct emu_file *file, const struct emu_epoll *epoll, uint32_t key);

/*
 * The last reference to the open file description is gone: every epoll item
 * on it goes silently, also from ready lists, as eventpoll_release_file()
 * does. The caller then frees what embeds the file. Entries of blocked
 * readers or writers must have left before.
 */
void emu_file_release(struct emu_file *file);

#endif
