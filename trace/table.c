/* SPDX-License-Identifier: MIT */
/*
 * A hash table with open addressing: what the trace knows of each thread and
 * each object, found once or twice a call. It doubles when two thirds full.
 * A slot that is taken out is closed by moving up what follows, so that there
 * are no marks of deleted ones to step over.
 */
#include "trace/table.h"

#include <errno.h>
#include <stdlib.h>

#define FIRST_ROOM 64

static size_t home(const struct trace_table *table, uint64_t key)
{
	return (size_t)((key * 0x9e3779b97f4a7c15ull) >> 20) &
	       (table->room - 1);
}

/* The slot of the key, or the free one where it would go. */
static struct trace_slot *find(const struct trace_table *table, uint64_t key)
{
	size_t at = home(table, key);

	while (table->slots[at].value && table->slots[at].key != key)
		at = (at + 1) & (table->room - 1);
	return &table->slots[at];
}

void *trace_table_get(const struct trace_table *table, uint64_t key)
{
	return table->room ? find(table, key)->value : NULL;
}

static int grow(struct trace_table *table)
{
	struct trace_table bigger = {
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

int trace_table_set(struct trace_table *table, uint64_t key, void *value)
{
	struct trace_slot *slot;

	if (table->count * 3 >= table->room * 2 && grow(table) < 0)
		return -ENOMEM;
	slot = find(table, key);
	if (!slot->value)
		table->count++;
	*slot = (struct trace_slot){key, value};
	return 0;
}

void *trace_table_take(struct trace_table *table, uint64_t key)
{
	struct trace_slot *slot;
	struct trace_slot moved;
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

void trace_table_each(const struct trace_table *table,
	void (*visit)(void *ctx, void *value), void *ctx)
{
	for (size_t i = 0; i < table->room; i++) {
		if (table->slots[i].value)
			visit(ctx, table->slots[i].value);
	}
}

void trace_table_clear(struct trace_table *table,
	void (*visit)(void *ctx, void *value), void *ctx)
{
	trace_table_each(table, visit, ctx);
	free(table->slots);
	*table = (struct trace_table){NULL, 0, 0};
}
