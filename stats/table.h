/* SPDX-License-Identifier: MIT */
/* A hash table from a number to what embeds its link. */
#ifndef STATS_TABLE_H
#define STATS_TABLE_H

#include <stddef.h>
#include <stdint.h>

struct stats_link {
	struct stats_link *next;
	uint64_t key;
};

struct stats_table {
	struct stats_link **buckets;
	size_t room; /* a power of two, or 0 */
	size_t count;
};

/* Puts `link` in under `key`, which must be free. Errors: -ENOMEM. */
int stats_table_put(
	struct stats_table *table, struct stats_link *link, uint64_t key);

/* NULL when there is none. */
struct stats_link *stats_table_find(
	const struct stats_table *table, uint64_t key);

/* Takes out and returns what is there under `key`, or NULL. */
struct stats_link *stats_table_take(struct stats_table *table, uint64_t key);

/* Walks over all, in no particular order: NULL first, NULL at the end. */
struct stats_link *stats_table_next(
	const struct stats_table *table, const struct stats_link *previous);

/* Frees the table; what was in it is the caller's. */
void stats_table_finish(struct stats_table *table);

#endif
