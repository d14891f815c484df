/* SPDX-License-Identifier: MIT */
/*
 * The threads of the traced programs that made a trapped call.
 */
#ifndef EMU_THREADS_H
#define EMU_THREADS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "list.h"
#include "loop.h"

struct emu_parked;
struct emu_voided;
struct emu_answers;
struct emu_pwait;
struct emu_hold;
struct emu_touch;

/* So many pages are known of a thread. */
#define EMU_PAGES 16

/* It goes when the kernel says that the thread ended. */
struct emu_thread {
	struct emu_list link; /* in its hash bucket */
	struct emu_list
		untold; /* on threads->untold, if nobody tells its end */
	struct emu_source source; /* readable when the thread ended */
	struct emu_threads *threads;
	pid_t tid;
	pid_t tgid; /* its process */
	int syscall_fd; /* /proc/TID/syscall, or -1 until it is needed */
	int stat_fd; /* /proc/TID/task/TID/stat, the same */
	/* Of the thread; of its process before 6.9; -1 if there is no room. */
	int pidfd;
	uint64_t started; /* while there is none: ticks, see proc_pid_stat(5) */
	uint64_t pages[EMU_PAGES]; /* see pages.c */
	unsigned int next_page; /* the oldest of them */
	bool confirmed; /* a call of it stood after the record was made */

	/* The floor above keeps its own business of a thread here. */
	struct emu_parked *parked; /* the call that waits for its answer */
	struct emu_voided
		*voided; /* calls that signals cut off, newest first */
	struct emu_voided *voided_spare; /* room for one more, taken before */
	struct emu_answers *answers; /* the latest, which may be lost */
	struct emu_pwait *pwait; /* a signal mask that is lent to it */
	struct emu_hold *hold; /* a call that is to be served in a stop */
	struct emu_touch *touch; /* a call that waits for its memory */
	bool lent; /* one of its waits had a mask that was not its own */
	uint64_t faults_seen; /* see faults.c: changes that it knows of */
	bool faults; /* its pages may have to be brought by somebody */
	uint64_t signals; /* pending for it alone, as signalfd.c last saw */
};

struct emu_threads;

/* `gone` is called before a thread that ended is freed. NULL: no memory. */
struct emu_threads *emu_threads_create(struct emu_loop *loop,
	void (*gone)(void *ctx, struct emu_thread *thread), void *ctx);
void emu_threads_destroy(struct emu_threads *threads);

/*
 * The thread with this id, which must be stopped in a call that was just
 * received. NULL when it is gone, or there is no memory or no descriptor to
 * look at it with.
 */
struct emu_thread *emu_threads_get(struct emu_threads *threads, pid_t tid);

/* The thread if it is known, else NULL. */
struct emu_thread *emu_threads_find(struct emu_threads *threads, pid_t tid);

/* Ends the record, as if the thread had ended. */
void emu_threads_drop(struct emu_thread *thread);

/* Calls `visit` for each known thread. */
void emu_threads_each(struct emu_threads *threads,
	void (*visit)(void *ctx, struct emu_thread *thread), void *ctx);

/*
 * Drops those that ended without a word, among `budget` of them (0: all). True
 * if there are any whose end nobody tells.
 */
bool emu_threads_sweep(struct emu_threads *threads, size_t budget);

/* Do pidfds name processes only, as before Linux 6.9? */
bool emu_threads_of_processes(const struct emu_threads *threads);

/* Sends SIGKILL to its process. */
void emu_threads_kill(struct emu_thread *thread);

/*
 * A descriptor of the thread for one use, if `thread->pidfd` is none; the
 * caller closes it. Errors: -ESRCH; those of pidfd_open(2).
 */
int emu_threads_open(const struct emu_thread *thread);

#endif
