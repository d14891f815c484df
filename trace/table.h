/* SPDX-License-Identifier: MIT */
/* A hash table from numbers to pointers. */
#ifndef TRACE_TABLE_H
#define TRACE_TABLE_H

#include <stddef.h>
#include <stdint.h>

struct trace_slot {
	uint64_t key;
	void *value; /* NULL: free */
};

/* All zero is an empty table. */
struct trace_table {
	struct trace_slot *slots;
	size_t room; /* 0, or a power of 2 */
	size_t count;
};

void *trace_table_get(const struct trace_table *table, uint64_t key);

/* Replaces what was there. Returns 0, or -ENOMEM. */
int trace_table_set(struct trace_table *table, uint64_t key, void *value);

/* Takes the key out and returns its value, NULL if there was none. */
void *trace_table_take(struct trace_table *table, uint64_t key);

/* Empties the table, calling `visit` for each value. */
void trace_table_clear(struct trace_table *table,
	void (*visit)(void *ctx, void *value), void *ctx);

/* Calls `visit` for each value; it must not change the table. */
void trace_table_each(const struct trace_table *table,
	void (*visit)(void *ctx, void *value), void *ctx);

#endif
