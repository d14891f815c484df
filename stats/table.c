/* SPDX-License-Identifier: MIT */
/*
 * A chained hash table. It grows to as many buckets as it has entries and
 * does not shrink; an entry is embedded in what it stands for, so only growing
 * needs memory, and growing that fails leaves longer chains.
 */
#include "stats/table.h"

#include <errno.h>
#include <stdlib.h>

enum { FIRST_ROOM = 64 };

static size_t bucket_of(const struct stats_table *table, uint64_t key)
{
	return (size_t)((key * 0x9e3779b97f4a7c15u) >> 20) & (table->room - 1);
}

static void chain(struct stats_table *table, struct stats_link *link)
{
	struct stats_link **bucket =
		&table->buckets[bucket_of(table, link->key)];

	link->next = *bucket;
	*bucket = link;
}

static void grow(struct stats_table *table)
{
	size_t room = table->room ? 2 * table->room : FIRST_ROOM;
	struct stats_table larger = {
		.buckets = calloc(room, sizeof(struct stats_link *)),
		.room = room,
		.count = table->count,
	};

	if (!larger.buckets)
		return;
	for (size_t i = 0; i < table->room; i++) {
		struct stats_link *link = table->buckets[i];

		while (link) {
			struct stats_link *next = link->next;

			chain(&larger, link);
			link = next;
		}
	}
	free(table->buckets);
	*table = larger;
}

int stats_table_put(
	struct stats_table *table, struct stats_link *link, uint64_t key)
{
	if (table->count >= table->room)
		grow(table);
	if (!table->room)
		return -ENOMEM;
	link->key = key;
	chain(table, link);
	table->count++;
	return 0;
}

static struct stats_link **place_of(
	const struct stats_table *table, uint64_t key)
{
	struct stats_link **at = &table->buckets[bucket_of(table, key)];

	while (*at && (*at)->key != key)
		at = &(*at)->next;
	return at;
}

struct stats_link *stats_table_find(
	const struct stats_table *table, uint64_t key)
{
	return table->room ? *place_of(table, key) : NULL;
}

struct stats_link *stats_table_take(struct stats_table *table, uint64_t key)
{
	struct stats_link **at, *link;

	if (!table->room)
		return NULL;
	at = place_of(table, key);
	link = *at;
	if (!link)
		return NULL;
	*at = link->next;
	table->count--;
	return link;
}

struct stats_link *stats_table_next(
	const struct stats_table *table, const struct stats_link *previous)
{
	size_t bucket = 0;

	if (previous) {
		if (previous->next)
			return previous->next;
		bucket = bucket_of(table, previous->key) + 1;
	}
	while (bucket < table->room && !table->buckets[bucket])
		bucket++;
	return bucket < table->room ? table->buckets[bucket] : NULL;
}

void stats_table_finish(struct stats_table *table)
{
	free(table->buckets);
	*table = (struct stats_table){0};
}
