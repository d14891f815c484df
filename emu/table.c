/* SPDX-License-Identifier: MIT */
/*
 * A hash table with open addressing: what the trace and the statistics know of
 * each thread and each object, found once or twice a call. It doubles when two
 * thirds full, and does not shrink.
 * A slot that is taken out is closed by moving up what follows, so that there
 * are no marks of deleted ones to step over.
 */
#include "table.h"

#include <errno.h>
#include <stdlib.h>

#define FIRST_ROOM 64

static size_t home(const struct emu_table *table, uint64_t key)
{
	return (size_t)((key * 0x9e3779b97f4a7c15ull) >> 20) &
	       (table->room - 1);
}

/* The slot of the key, or the free one where it would go. */
static struct emu_slot *find(const struct emu_table *table, uint64_t key)
{
	size_t at = home(table, key);

	while (table->slots[at].value && table->slots[at].key != key)
		at = (at + 1) & (table->room - 1);
	return &table->slots[at];
}

void *emu_table_get(const struct emu_table *table, uint64_t key)
{
	return table->room ? find(table, key)->value : NULL;
}

static int grow(struct emu_table *table)
{
	struct emu_table bigger = {
		.room = table->room ? table->room * 2 : FIRST_ROOM,
		.count = table->count,
	};

	bigger.slots = calloc(bigger.room, sizeof(*bigger.slots));
	if (!bigger.slots)
		return -ENOMEM;
	for (size_t i = 0; i < table->room; i++) {
		if (table->slots[i].value)
			*find(&bigger, table->slots[i].key) = table->slots[i];
	}
	free(table->slots);
	*table = bigger;
	return 0;
}

int emu_table_set(struct emu_table *table, uint64_t key, void *value)
{
	struct emu_slot *slot;

	if (table->count * 3 >= table->room * 2 && grow(table) < 0)
		return -ENOMEM;
	slot = find(table, key);
	if (!slot->value)
		table->count++;
	*slot = (struct emu_slot){key, value};
	return 0;
}

void *emu_table_take(struct emu_table *table, uint64_t key)
{
	struct emu_slot *slot;
	struct emu_slot moved;
	void *value;
	size_t at;

	if (!table->room)
		return NULL;
	slot = find(table, key);
	value = slot->value;
	if (!value)
		return NULL;
	slot->value = NULL;
	table->count--;
	at = (size_t)(slot - table->slots);
	for (at = (at + 1) & (table->room - 1); table->slots[at].value;
		at = (at + 1) & (table->room - 1)) {
		moved = table->slots[at];
		table->slots[at].value = NULL;
		*find(table, moved.key) = moved;
	}
	return value;
}

void emu_table_each(const struct emu_table *table,
	void (*visit)(void *ctx, void *value), void *ctx)
{
	for (size_t i = 0; i < table->room; i++) {
		if (table->slots[i].value)
			visit(ctx, table->slots[i].value);
	}
}

void emu_table_clear(struct emu_table *table,
	void (*visit)(void *ctx, void *value), void *ctx)
{
	if (visit)
		emu_table_each(table, visit, ctx);
	free(table->slots);
	*table = (struct emu_table){NULL, 0, 0};
}

static void free_value(void *ctx, void *value)
{
	(void)ctx;
	free(value);
}

void emu_table_free(struct emu_table *table)
{
	emu_table_clear(table, free_value, NULL);
}
