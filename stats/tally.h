/* SPDX-License-Identifier: MIT */
/*
 * The statistics: an observer of the interception that counts. It keeps a
 * record for each living object, and for those that are gone the busiest ones
 * and a sum of the others.
 */
#ifndef STATS_TALLY_H
#define STATS_TALLY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "emu/calls.h"
#include "emu/list.h"
#include "emu/observer.h"
#include "emu/table.h"
#include "stats/histogram.h"

enum {
	/* So many objects of a kind that are gone are remembered one by one. */
	STATS_MOST_GONE = 64,
	/* So many are shown one by one. */
	STATS_MOST_SHOWN = 100,
};

struct stats_call {
	uint64_t calls; /* answered */
	uint64_t errors; /* of them, with a negative errno */
	uint64_t passed; /* left to the kernel: not on an emulated object */
	uint64_t busy_ns; /* from trap to answer, without sleep */
	uint64_t asleep_ns;
};

/* What every object's record begins with. */
struct stats_object {
	struct emu_list gone_link; /* once it is gone */
	uint64_t number; /* 0: the sum of several */
	bool gone;
	uint64_t uses; /* the calls on it: how busy it is */
};

struct stats_epoll {
	struct stats_object object;
	uint64_t items_most; /* at once */
	uint64_t added, modified, deleted;
	uint64_t waits; /* that ended, and not by an error */
	uint64_t slept; /* of them, not answered at once */
	uint64_t events; /* delivered */
	uint64_t delivering; /* waits that returned any */
	uint64_t timeouts; /* slept until the deadline */
	uint64_t empty; /* did not sleep and found nothing */
	uint64_t interrupted;
	uint64_t wakes; /* that chose a waiter */
	uint64_t spurious; /* of them, that brought it nothing */
	uint64_t longest_ready;
	struct stats_histogram latency; /* from wake to return, ns */
};

struct stats_eventfd {
	struct stats_object object;
	uint64_t writes, reads;
	/*
	 * Writes that changed nothing but the count: an earlier one was still
	 * unread, and nobody was woken or found it anew.
	 */
	uint64_t coalesced;
	bool unread; /* written since the last read */
	bool open; /* the last write may turn out coalesced */
};

/* The objects of one kind. */
struct stats_objects {
	struct emu_table living; /* by number */
	struct emu_list gone; /* at most STATS_MOST_GONE */
	size_t gone_count;
	uint64_t made;
	uint64_t merged; /* of them, only in the sum */
};

struct stats_tally {
	struct emu_observer observer;
	uint64_t since_ns;
	struct stats_call calls[EMU_CALLS];
	struct stats_objects epolls, eventfds;
	struct stats_epoll other_epolls; /* the sum of those merged */
	struct stats_eventfd other_eventfds;
	struct emu_table by_engine;
	struct emu_table threads;
	bool incomplete; /* there was no memory for a record */
};

/* NULL when there is no memory. It must outlive the interception. */
struct stats_tally *stats_tally_create(struct emu_intercept *intercept);
void stats_tally_destroy(struct stats_tally *tally);

#endif
