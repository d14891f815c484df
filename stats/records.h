/* SPDX-License-Identifier: MIT */
/* The records of objects: made, found, remembered, added up. */
#ifndef STATS_RECORDS_H
#define STATS_RECORDS_H

#include "stats/tally.h"

/* The record of a living object, or NULL. */
struct stats_epoll *stats_epoll_numbered(
	const struct stats_tally *tally, uint64_t number);
struct stats_eventfd *stats_eventfd_numbered(
	const struct stats_tally *tally, uint64_t number);

/* For the observer, whose `ctx` is the tally. */
void stats_records_made(void *ctx, const struct emu_object *object,
	const struct emu_call *call);
void stats_records_gone(void *ctx, const struct emu_object *object);

/*
 * The records of a kind, the living and the remembered: at most
 * STATS_MOST_SHOWN, the busiest, by number, `shown` of them; then the rest.
 * NULL when there is no memory. The caller frees the array, and not what it
 * points to.
 */
struct stats_object **stats_records_sorted(
	const struct stats_objects *objects, size_t *count, size_t *shown);

/* Adds up. */
void stats_epoll_merge(
	struct stats_epoll *sum, const struct stats_epoll *epoll);
void stats_eventfd_merge(
	struct stats_eventfd *sum, const struct stats_eventfd *eventfd);

#endif
