/* SPDX-License-Identifier: MIT */
/* A hash table from numbers to pointers. */
#ifndef EMU_TABLE_H
#define EMU_TABLE_H

#include <stddef.h>
#include <stdint.h>

struct emu_slot {
	uint64_t key;
	void *value; /* NULL: free */
};

/* All zero is an empty table. */
struct emu_table {
	struct emu_slot *slots;
	size_t room; /* 0, or a power of 2 */
	size_t count;
};

void *emu_table_get(const struct emu_table *table, uint64_t key);

/* Replaces what was there. Returns 0, or -ENOMEM. */
int emu_table_set(struct emu_table *table, uint64_t key, void *value);

/* Takes the key out and returns its value, NULL if there was none. */
void *emu_table_take(struct emu_table *table, uint64_t key);

/* Empties the table, calling `visit` for each value, unless it is NULL. */
void emu_table_clear(struct emu_table *table,
	void (*visit)(void *ctx, void *value), void *ctx);

/* Empties a table whose values are from malloc(), and frees them. */
void emu_table_free(struct emu_table *table);

/* Calls `visit` for each value, in no particular order; it must not change the
 * table. */
void emu_table_each(const struct emu_table *table,
	void (*visit)(void *ctx, void *value), void *ctx);

#endif
