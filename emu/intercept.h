/* SPDX-License-Identifier: MIT */
/*
 * The interception as the launcher sees it: a filter for the program, and the
 * supervisor's side that answers what the filter traps.
 */
#ifndef EMU_INTERCEPT_H
#define EMU_INTERCEPT_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "log.h"
#include "loop.h"

struct emu_options {
	bool io_uring_allow; /* else io_uring_setup() answers ENOSYS */
	bool eventfd_host; /* leave eventfds to the kernel, only watch them */
};

struct emu_intercept;

/* How often a call was answered by the emulation. */
struct emu_call_count {
	const char *name;
	uint64_t calls;
	uint64_t errors; /* of them, with a negative errno */
};

/*
 * In the program, just before exec: installs the filter and returns the
 * listener, close-on-exec. NO_NEW_PRIVS is set only where CAP_SYS_ADMIN is
 * lacking. On failure a negative errno, and *why names the step:
 * -EBUSY a notifier is in force already, -EPERM, -EINVAL (kernel too old).
 */
int emu_filter_install(const struct emu_options *options, const char **why);

/*
 * In the supervisor: answers what comes from `listener`, which it takes over.
 * `finished` is called when the last process under the filter has gone.
 * `log` and `loop` must outlive it. NULL when something is
 * lacking; it was logged then.
 */
struct emu_intercept *emu_intercept_create(struct emu_loop *loop, int listener,
	const struct emu_log *log, void (*finished)(void *ctx), void *ctx);
void emu_intercept_destroy(struct emu_intercept *intercept);

/*
 * A status that wait4(-1, __WALL) reported. True if it was about a thread
 * that the interception traces for a moment; false if it is for the caller.
 */
bool emu_intercept_wait_status(
	struct emu_intercept *intercept, pid_t pid, int status);

/* SIGKILL for every process that is known to use the emulation. */
void emu_intercept_kill_all(struct emu_intercept *intercept);

/* Fills at most `max` counts, those that are not 0; returns how many. */
int emu_intercept_counts(const struct emu_intercept *intercept,
	struct emu_call_count *counts, int max);

#endif
