/* SPDX-License-Identifier: MIT */
/*
 * The log-linear histogram.
 *
 * The first eight cells hold the values 0 to 7 each by itself. From there on
 * the three bits below the leading one choose the cell within its power of
 * two. What is beyond the last cell is counted in it.
 */
#include "stats/histogram.h"

enum { PART_BITS = 3 };

static unsigned int cell_of(uint64_t value)
{
	unsigned int power, cell;

	if (value < STATS_HISTOGRAM_PARTS)
		return (unsigned int)value;
	power = 63 - (unsigned int)__builtin_clzll(value);
	cell = (power - PART_BITS + 1) * STATS_HISTOGRAM_PARTS +
	       (unsigned int)(value >> (power - PART_BITS)) %
		       STATS_HISTOGRAM_PARTS;
	return cell < STATS_HISTOGRAM_CELLS ? cell : STATS_HISTOGRAM_CELLS - 1;
}

/* The greatest value that belongs to a cell. */
static uint64_t top_of(unsigned int cell)
{
	unsigned int shift;

	if (cell < STATS_HISTOGRAM_PARTS)
		return cell;
	shift = cell / STATS_HISTOGRAM_PARTS - 1;
	return ((uint64_t)(STATS_HISTOGRAM_PARTS +
			   cell % STATS_HISTOGRAM_PARTS + 1)
		       << shift) -
	       1;
}

void stats_histogram_add(struct stats_histogram *histogram, uint64_t value)
{
	histogram->count++;
	histogram->cells[cell_of(value)]++;
}

void stats_histogram_merge(
	struct stats_histogram *histogram, const struct stats_histogram *more)
{
	histogram->count += more->count;
	for (unsigned int i = 0; i < STATS_HISTOGRAM_CELLS; i++)
		histogram->cells[i] += more->cells[i];
}

uint64_t stats_histogram_percentile(
	const struct stats_histogram *histogram, unsigned int percent)
{
	uint64_t wanted = (histogram->count * percent + 99) / 100, seen = 0;

	if (!histogram->count)
		return 0;
	for (unsigned int i = 0; i < STATS_HISTOGRAM_CELLS; i++) {
		seen += histogram->cells[i];
		if (seen >= wanted && seen)
			return top_of(i);
	}
	return top_of(STATS_HISTOGRAM_CELLS - 1);
}
