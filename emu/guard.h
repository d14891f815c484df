/* SPDX-License-Identifier: MIT */
/*
 * The guard timer: while it is armed, a call of the supervisor that sleeps
 * against all expectation ends with EINTR within a quarter of a second.
 */
#ifndef EMU_GUARD_H
#define EMU_GUARD_H

#include <stdbool.h>

/* Installs the signal handler (SIGALRM, without SA_RESTART), unblocked. */
int emu_guard_init(void);

/* Armed from now on, if it is not already. Costs a call only the first time. */
void emu_guard_arm(void);

bool emu_guard_is_armed(void);

/* Nothing that needs it happened for a while: lets the processor sleep. */
void emu_guard_disarm(void);

#endif
