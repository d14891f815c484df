/* SPDX-License-Identifier: MIT */
/*
 * The arguments of epoll_wait(2), epoll_pwait(2) and epoll_pwait2(2), decoded.
 */
#ifndef EMU_WAIT_ARGS_H
#define EMU_WAIT_ARGS_H

#include <stdbool.h>
#include <stdint.h>

#include "calls.h"

struct emu_wait_args {
	int maxevents;
	bool block; /* the timeout is not 0 */
	uint64_t at_ns; /* deadline on CLOCK_MONOTONIC, EMU_DEADLINE_NEVER */
	bool has_mask;
	uint64_t mask; /* of signals that are blocked meanwhile */
};

/*
 * Reads the arguments of a call, and what they point to. Errors: -EINVAL,
 * -EFAULT as the kernel has them; those of emu_target_read().
 */
int emu_wait_args_read(struct emu_wait_args *wait, const struct emu_call *call);

#endif
