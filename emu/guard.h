/* SPDX-License-Identifier: MIT */
/*
 * A write that does not sleep for long, whatever its file does: a timer's
 * signal ends it within half a second. The signal is blocked at all other
 * times, so that it cuts off no other call of the supervisor.
 */
#ifndef EMU_GUARD_H
#define EMU_GUARD_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/* Installs the signal's handler and blocks the signal (SIGALRM). */
int emu_guard_init(void);

/*
 * write(2), for a file that may make the caller sleep: -EINTR then. Returns
 * the bytes written or a negative errno. The timer runs on after it, since
 * one call for a burst of writes is cheaper than two for each.
 */
ssize_t emu_guard_write(int fd, const void *bytes, size_t size);

bool emu_guard_is_armed(void);

/* Nothing was written for a while: the timer stops, the processor sleeps. */
void emu_guard_disarm(void);

#endif
