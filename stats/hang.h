/* SPDX-License-Identifier: MIT */
/* Finds processes that nothing can wake any more. */
#ifndef STATS_HANG_H
#define STATS_HANG_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "stats/waits.h"

struct stats_hang;

/*
 * Judges what is in `waits`. A process that was cleared rests for a multiple
 * of `limit_ns`. NULL: there is no memory.
 */
struct stats_hang *stats_hang_create(
	struct stats_waits *waits, uint64_t limit_ns);
void stats_hang_destroy(struct stats_hang *hang);

/*
 * A look is complete: writes a line for each process that hangs and was not
 * told of before. Returns whether there was one.
 */
bool stats_hang_judge(struct stats_hang *hang, uint64_t now_ns, FILE *out);

#endif
