/* SPDX-License-Identifier: MIT */
/*
 * The traced side: threads, their memory, their descriptors. Together with
 * weak.c, watch.c, placeholder.c and stop.c the only files that touch a
 * target.
 *
 * Results are 0 or more, or a negative errno. -ESRCH: the thread is gone.
 */
#ifndef EMU_TARGET_H
#define EMU_TARGET_H

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

/*
 * A thread that made at least one trapped call. It goes when the kernel says
 * that the thread ended.
 */
struct emu_thread {
	struct emu_list link; /* in its hash bucket */
	struct emu_source source; /* readable when the thread ended */
	struct emu_threads *threads;
	pid_t tid;
	pid_t tgid; /* its process, or 0 until somebody asked */
	int syscall_fd; /* /proc/TID/syscall, or -1 until it is needed */
	int pidfd; /* of the thread; of its process on kernels before 6.9 */

	/* The floor above keeps its own business of a thread here. */
	struct emu_parked *parked; /* the call that waits for its answer */
	struct emu_voided
		*voided; /* calls that signals cut off, newest first */
	struct emu_voided *voided_spare; /* room for one more, taken before */
	struct emu_answers *answers; /* the latest, which may be lost */
	struct emu_pwait *pwait; /* a signal mask that is lent to it */
	struct emu_hold *hold; /* a call that is to be served in a stop */
	uint64_t signals; /* pending for it alone, as signalfd.c last saw */
	uint64_t exact_until_ns; /* it ran a signal handler, see exact.c */
};

struct emu_threads;

/* `gone` is called before a thread that ended is freed. */
struct emu_threads *emu_threads_create(struct emu_loop *loop,
	void (*gone)(void *ctx, struct emu_thread *thread), void *ctx);
void emu_threads_destroy(struct emu_threads *threads);

/*
 * The thread with this id, which must be stopped in a call that was just
 * received. NULL when it is gone, or when there is no memory or descriptor
 * for it (errno says which).
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
 * process_vm_readv(2): all of `size` bytes, or -EFAULT; -EPERM when the host
 * does not let us.
 */
int emu_target_read(const struct emu_thread *thread, uint64_t addr,
	void *buffer, size_t size);

/*
 * Reads `count` words of 8 bytes from as many addresses. Returns how many,
 * from the first on, could be read; a negative errno for none.
 */
ssize_t emu_target_gather(const struct emu_thread *thread,
	const uint64_t *addrs, uint64_t *words, size_t count);

/*
 * process_vm_writev(2). Returns how many bytes were written, which may be
 * fewer than `size` when a page is missing, or -EFAULT for none.
 */
ssize_t emu_target_write(const struct emu_thread *thread, uint64_t addr,
	const void *buffer, size_t size);

/*
 * pidfd_getfd(2): our own copy of the thread's descriptor, close-on-exec.
 * -EBADF when it is not open. The caller closes it soon: while we hold it, a
 * peer cannot see its end of file.
 */
int emu_target_fetch(struct emu_thread *thread, int fd);

/*
 * The user stack pointer of a thread that is blocked in a system call
 * (/proc/TID/syscall). -EAGAIN when it did not come to rest.
 */
int emu_target_stack(struct emu_thread *thread, uint64_t *sp);

/* The thread's process; 0 when it is gone. */
pid_t emu_target_process(struct emu_thread *thread);

/* Is the thread, which is in a call, asleep at this moment? */
bool emu_target_asleep(struct emu_thread *thread);

/* The signals that are pending for the thread, its own and its process's. */
uint64_t emu_target_pending(const struct emu_thread *thread);

/*
 * The same, apart: its own ones and its process's. All are none, and a negative
 * errno is returned, when there is no thread of that id.
 */
int emu_target_signals(pid_t tid, uint64_t *own, uint64_t *shared);

/* How often the threads of a process have called read(2); 0: unknown. */
uint64_t emu_target_reads(pid_t pid);

/* Has the thread ended, or a SIGKILL that it has not died of yet? */
bool emu_target_killed(const struct emu_thread *thread);

/* The same for a line with a decimal number, such as "TracerPid". */
int emu_target_number(
	const struct emu_thread *thread, const char *name, uint64_t *value);

/* A line `Name:\thex` of /proc/TID/status, such as "SigBlk". */
int emu_target_status(
	const struct emu_thread *thread, const char *name, uint64_t *value);

#endif
