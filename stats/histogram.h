/* SPDX-License-Identifier: MIT */
/*
 * How often values of which size came, in bounded memory: a log-linear
 * histogram. Each power of two is cut into eight parts, so what is read from
 * it is off by an eighth at most.
 */
#ifndef STATS_HISTOGRAM_H
#define STATS_HISTOGRAM_H

#include <stdint.h>

enum {
	STATS_HISTOGRAM_PARTS = 8,
	STATS_HISTOGRAM_POWERS = 41, /* up to 2^43: two hours in nanoseconds */
	STATS_HISTOGRAM_CELLS = STATS_HISTOGRAM_PARTS * STATS_HISTOGRAM_POWERS,
};

struct stats_histogram {
	uint64_t count;
	uint32_t cells[STATS_HISTOGRAM_CELLS];
};

void stats_histogram_add(struct stats_histogram *histogram, uint64_t value);

/* Adds all that is in `more`. */
void stats_histogram_merge(
	struct stats_histogram *histogram, const struct stats_histogram *more);

/*
 * A value that `percent` of all are not above, to an eighth; 0 when there is
 * none.
 */
uint64_t stats_histogram_percentile(
	const struct stats_histogram *histogram, unsigned int percent);

#endif
