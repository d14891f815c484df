/* SPDX-License-Identifier: MIT */
/*
 * The traced side: a thread's memory, descriptors and state. Together with
 * threads.c, weak.c, watch.c, placeholder.c and stop.c the only files that
 * touch a target.
 *
 * Results are 0 or more, or a negative errno. -ESRCH: the thread is gone.
 */
#ifndef EMU_TARGET_H
#define EMU_TARGET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "threads.h"

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
 * -EBADF when it is not open. Before Linux 6.9 -ESRCH as well: the thread's
 * leader has exited, or the thread has a table of its own. The caller closes
 * it soon: while we hold it, a peer cannot see its end of file.
 */
int emu_target_fetch(struct emu_thread *thread, int fd);

/*
 * The user stack pointer of a thread that is blocked in a system call
 * (/proc/TID/syscall). -EAGAIN when it did not come to rest.
 */
int emu_target_stack(struct emu_thread *thread, uint64_t *sp);

/* What proc_pid_stat(5) says of a thread. */
struct emu_stat {
	char state; /* as ps(1) shows it */
	unsigned int flags; /* PF_... of include/linux/sched.h */
	unsigned long user_ticks; /* of 10 ms, that it ran in user mode */
	unsigned long long started; /* ticks after the machine's start */
};

/* -ESRCH: there is no such thread. Any other error tells nothing of it. */
int emu_target_stat(pid_t tid, struct emu_stat *stat);

/* Opens /proc/TID/mem, to read; negative, and errno says why not. */
int emu_target_open_memory(pid_t tid);

/* A thread's process. -ESRCH: it is gone. */
pid_t emu_target_process_of(pid_t tid);
/* The parent of a process, 0 when it is gone. */
pid_t emu_target_parent_of(pid_t process);

/*
 * Opens /proc/TID/syscall for good, which says later whether this thread, not
 * another with its id, has ended. False: there is no room.
 */
bool emu_target_keep(struct emu_thread *thread);
bool emu_target_has_ended(struct emu_thread *thread);

/*
 * Is the thread at this moment in a sleep that a signal would end? Not while it
 * waits for a lock of the kernel.
 */
bool emu_target_asleep(struct emu_thread *thread);

/* The signals that are pending for the thread, its own and its process's. */
uint64_t emu_target_pending(const struct emu_thread *thread);

/*
 * The same, apart: its own ones and its process's. All are none, and a negative
 * errno is returned, when there is no thread of that id.
 */
int emu_target_signals(pid_t tid, uint64_t *own, uint64_t *shared);

/* What a signal does that the thread does not block. */
enum emu_disposition {
	EMU_SIGNAL_CAUGHT, /* a handler runs */
	EMU_SIGNAL_IGNORED,
	EMU_SIGNAL_STOPS, /* the process, by default */
	EMU_SIGNAL_ENDS, /* the process, by default */
};

enum emu_disposition emu_target_disposition(
	const struct emu_thread *thread, int sig);

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
