/* SPDX-License-Identifier: MIT */
/*
 * The stall detector. Two things are told of:
 *
 * A thread sleeps in epoll_wait() while a file in its epoll has been ready
 * all the time. With a level-triggered item that is a fault of the emulation;
 * with an edge-triggered one the program did not read the file to its end.
 * "All the time" means at two looks that are the limit apart or more,
 * with no event taken from the epoll between them. An edge-triggered eventfd
 * does not count, since many programs never read theirs, nor does being
 * writable, which an edge-triggered socket nearly always is.
 *
 * A process hangs as a whole: see hang.c, which is told of all that this walk
 * over the state comes by.
 */
#include "stats/stall.h"

#include <inttypes.h>
#include <stdlib.h>

#include "emu/inspect.h"
#include "emu/poll_bits.h"
#include "stats/hang.h"
#include "stats/text.h"
#include "stats/waits.h"

/* A thread that was asleep at the last look. */
struct sleeper {
	struct emu_view_waiter view;
	uint64_t epoll; /* 0: it waits on an eventfd */
	bool seen; /* in the look under way */
	bool told;
	bool suspicious; /* an item is ready, `suspect` */
	struct emu_view_item suspect;
	uint64_t deliveries;
	uint64_t suspect_since_ns;
};

struct stats_stall {
	struct emu_visitor visitor;
	struct emu_intercept *intercept;
	struct stats_waits *waits;
	struct stats_hang *hang;
	uint64_t limit_ns;
	uint64_t now_ns;
	FILE *out;
	bool found;
	struct sleeper *sleepers;
	size_t count, room;

	/* The object that the walk is at. */
	struct emu_view_epoll epoll;
	bool suspicious;
	struct emu_view_item suspect;
};

static struct stats_stall *stall_of(struct emu_visitor *visitor)
{
	return emu_container_of(visitor, struct stats_stall, visitor);
}

static void at_epoll(
	struct emu_visitor *visitor, const struct emu_view_epoll *epoll)
{
	struct stats_stall *stall = stall_of(visitor);

	stall->epoll = *epoll;
	stall->suspicious = false;
	stats_waits_epoll(stall->waits, epoll->number);
}

static bool is_suspicious(const struct emu_view_item *item)
{
	if (!item->ready || item->disabled)
		return false;
	if (!(item->events & EMU_EPOLLET) || item->queued)
		return true;
	return item->file != EMU_VIEW_EVENTFD && (item->ready & EMU_EPOLLIN);
}

static void at_item(
	struct emu_visitor *visitor, const struct emu_view_item *item)
{
	struct stats_stall *stall = stall_of(visitor);

	if (!stall->suspicious && is_suspicious(item)) {
		stall->suspicious = true;
		stall->suspect = *item;
	}
	stats_waits_item(stall->waits, item);
}

static void at_omitted(struct emu_visitor *visitor, size_t items)
{
	(void)items;
	stats_waits_item(
		stall_of(visitor)->waits, &(struct emu_view_item){.fd = -1});
}

static void at_eventfd(
	struct emu_visitor *visitor, const struct emu_view_eventfd *eventfd)
{
	struct stats_stall *stall = stall_of(visitor);

	(void)eventfd;
	stall->epoll = (struct emu_view_epoll){0};
	stall->suspicious = false;
	stats_waits_epoll(stall->waits, 0);
}

static struct sleeper *find(const struct stats_stall *stall, pid_t tid)
{
	for (size_t i = 0; i < stall->count; i++) {
		if (stall->sleepers[i].view.tid == tid)
			return &stall->sleepers[i];
	}
	return NULL;
}

static struct sleeper *new_sleeper(struct stats_stall *stall)
{
	size_t room = stall->room ? 2 * stall->room : 16;
	struct sleeper *sleepers;

	if (stall->count == stall->room) {
		sleepers =
			realloc(stall->sleepers, room * sizeof(struct sleeper));
		if (!sleepers)
			return NULL;
		stall->sleepers = sleepers;
		stall->room = room;
	}
	return &stall->sleepers[stall->count++];
}

/* The record of this very sleep. */
static struct sleeper *sleeper_of(
	struct stats_stall *stall, const struct emu_view_waiter *waiter)
{
	struct sleeper *sleeper = find(stall, waiter->tid);

	if (sleeper && sleeper->view.since_ns == waiter->since_ns)
		return sleeper;
	if (!sleeper)
		sleeper = new_sleeper(stall);
	if (sleeper)
		*sleeper = (struct sleeper){.view = *waiter};
	return sleeper;
}

static bool same_suspect(
	const struct stats_stall *stall, const struct sleeper *sleeper)
{
	return sleeper->suspicious && stall->suspicious &&
	       sleeper->deliveries == stall->epoll.deliveries &&
	       sleeper->suspect.fd == stall->suspect.fd &&
	       sleeper->suspect.data == stall->suspect.data;
}

static void tell_ready(struct stats_stall *stall, struct sleeper *sleeper)
{
	const struct emu_view_item *item = &sleeper->suspect;
	char mask[STATS_MASK_TEXT];

	sleeper->told = true;
	stall->found = true;
	fprintf(stall->out,
		"stall: thread %d \"%s\" of process %d sleeps in %s on "
		"epoll#%" PRIu64 " for %.3f s, though %d<%s> is ready for "
		"%s: %s\n",
		(int)sleeper->view.tid, sleeper->view.comm,
		(int)sleeper->view.process, sleeper->view.call, sleeper->epoll,
		(double)(stall->now_ns - sleeper->view.since_ns) / 1e9,
		item->fd, *item->name ? item->name : "?",
		stats_mask_text(mask, item->ready),
		item->events & EMU_EPOLLET && !item->queued
			? "it is edge-triggered and was not read to its end"
			: "a wake-up was lost; please report it");
}

static void at_waiter(
	struct emu_visitor *visitor, const struct emu_view_waiter *waiter)
{
	struct stats_stall *stall = stall_of(visitor);
	struct sleeper *sleeper = sleeper_of(stall, waiter);

	if (!sleeper)
		return;
	sleeper->view = *waiter;
	sleeper->epoll = stall->epoll.number;
	sleeper->seen = true;
	if (!same_suspect(stall, sleeper)) {
		sleeper->suspicious = stall->suspicious;
		sleeper->suspect = stall->suspect;
		sleeper->deliveries = stall->epoll.deliveries;
		sleeper->suspect_since_ns = stall->now_ns;
	} else if (!sleeper->told &&
		   stall->now_ns - sleeper->suspect_since_ns >=
			   stall->limit_ns) {
		tell_ready(stall, sleeper);
	}
	stats_waits_waiter(stall->waits, waiter, sleeper->told);
}

static void drop_unseen(struct stats_stall *stall)
{
	size_t kept = 0;

	for (size_t i = 0; i < stall->count; i++) {
		if (!stall->sleepers[i].seen)
			continue;
		stall->sleepers[kept] = stall->sleepers[i];
		stall->sleepers[kept++].seen = false;
	}
	stall->count = kept;
}

struct stats_stall *stats_stall_create(
	struct emu_intercept *intercept, uint64_t limit_ns, pid_t program)
{
	struct stats_stall *stall = calloc(1, sizeof(*stall));

	if (!stall)
		return NULL;
	stall->waits = stats_waits_create(limit_ns, program);
	if (stall->waits)
		stall->hang = stats_hang_create(stall->waits, limit_ns);
	if (!stall->hang) {
		stats_stall_destroy(stall);
		return NULL;
	}
	stall->visitor = (struct emu_visitor){
		.epoll = at_epoll,
		.item = at_item,
		.omitted = at_omitted,
		.epoll_waiter = at_waiter,
		.eventfd = at_eventfd,
		.eventfd_waiter = at_waiter,
	};
	stall->intercept = intercept;
	stall->limit_ns = limit_ns;
	return stall;
}

void stats_stall_destroy(struct stats_stall *stall)
{
	if (!stall)
		return;
	stats_hang_destroy(stall->hang);
	stats_waits_destroy(stall->waits);
	free(stall->sleepers);
	free(stall);
}

bool stats_stall_look(struct stats_stall *stall, FILE *out)
{
	stall->out = out;
	stall->found = false;
	stall->now_ns = emu_loop_now_ns();
	stats_waits_begin(stall->waits, stall->now_ns);
	emu_inspect(stall->intercept, &stall->visitor, STATS_MOST_ITEMS);
	drop_unseen(stall);
	return stats_hang_judge(stall->hang, stall->now_ns, out) ||
	       stall->found;
}
