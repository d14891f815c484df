/* SPDX-License-Identifier: MIT */
/* Finds threads that seem to have been left asleep. */
#ifndef STATS_STALL_H
#define STATS_STALL_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>

#include "emu/intercept.h"

struct stats_stall;

/*
 * Sleeps shorter than `limit_ns` are no stall. `program` is the program's
 * process, which has not run yet. NULL: there is no memory, or no /proc.
 */
struct stats_stall *stats_stall_create(
	struct emu_intercept *intercept, uint64_t limit_ns, pid_t program);
void stats_stall_destroy(struct stats_stall *stall);

/*
 * Looks at all that sleep, and writes a line for each stall that was not told
 * of before. To be called every quarter of the limit. Returns whether there was
 * one.
 */
bool stats_stall_look(struct stats_stall *stall, FILE *out);

#endif
