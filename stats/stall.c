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
 * All threads of a process sleep without a timeout, in epoll_wait(), an
 * eventfd or a futex, and nothing outside of the process can wake them: their
 * epolls hold only eventfds that no other process has, and one-shot items
 * that were not armed again; and no signal is caught. Whatever else is in an
 * epoll (a socket, a pipe, a timer) may become ready one day.
 */
#include "stats/stall.h"

#include <inttypes.h>
#include <stdlib.h>

#include "emu/inspect.h"
#include "emu/poll_bits.h"
#include "stats/text.h"
#include "stats/wakers.h"

enum { MOST_EVENTFDS = 16 };

/* What can wake those who wait on one object. */
struct sources {
	bool outside; /* something that others may make ready */
	int eventfds[MOST_EVENTFDS]; /* descriptor numbers */
	size_t count;
};

/* A thread that was asleep at the last look. */
struct sleeper {
	struct emu_view_waiter view;
	uint64_t epoll; /* 0: it waits on an eventfd */
	struct sources sources;
	bool seen; /* in the look under way */
	bool told;
	bool suspicious; /* an item is ready, `suspect` */
	struct emu_view_item suspect;
	uint64_t deliveries;
	uint64_t suspect_since_ns;
	uint64_t rest_until_ns; /* not looked into before */
};

struct stats_stall {
	struct emu_visitor visitor;
	struct emu_intercept *intercept;
	uint64_t limit_ns;
	uint64_t now_ns;
	FILE *out;
	bool found;
	struct sleeper *sleepers;
	size_t count, room;

	/* The object that the walk is at. */
	struct emu_view_epoll epoll;
	struct sources sources;
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
	stall->sources = (struct sources){0};
	stall->suspicious = false;
}

static void add_eventfd(struct sources *sources, int fd)
{
	if (sources->count < MOST_EVENTFDS)
		sources->eventfds[sources->count++] = fd;
	else
		sources->outside = true;
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
	if (item->file == EMU_VIEW_EVENTFD)
		add_eventfd(&stall->sources, item->fd);
	else if (!item->disabled)
		stall->sources.outside = true;
}

static void at_omitted(struct emu_visitor *visitor, size_t items)
{
	(void)items;
	stall_of(visitor)->sources.outside = true;
}

static void at_eventfd(
	struct emu_visitor *visitor, const struct emu_view_eventfd *eventfd)
{
	struct stats_stall *stall = stall_of(visitor);

	(void)eventfd;
	stall->epoll = (struct emu_view_epoll){0};
	stall->sources = (struct sources){0};
	stall->suspicious = false;
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
	sleeper->sources = stall->sources;
	sleeper->seen = true;
	if (!sleeper->epoll)
		add_eventfd(&sleeper->sources, waiter->fd);
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

/* Can nobody but the threads of its own process end this sleep? */
static bool sleeps_for_good(
	const struct stats_stall *stall, const struct sleeper *sleeper)
{
	return sleeper->view.at_ns == EMU_DEADLINE_NEVER &&
	       !sleeper->sources.outside &&
	       stall->now_ns - sleeper->view.since_ns >= stall->limit_ns;
}

static bool thread_sleeps(void *ctx, pid_t tid)
{
	const struct stats_stall *stall = ctx;
	const struct sleeper *sleeper = find(stall, tid);

	return sleeper ? sleeps_for_good(stall, sleeper)
		       : stats_wakers_in_futex(tid);
}

/* Has another process an eventfd that some thread of this one waits for? */
static bool others_can_wake(const struct stats_stall *stall, pid_t process)
{
	bool can = stats_wakers_has_handler(process);

	for (size_t i = 0; i < stall->count && !can; i++) {
		const struct sleeper *sleeper = &stall->sleepers[i];
		uint64_t ids[MOST_EVENTFDS];
		size_t count = sleeper->sources.count;

		if (sleeper->view.process != process)
			continue;
		for (size_t j = 0; j < count; j++)
			can |= stats_wakers_eventfd_id(process,
				       sleeper->sources.eventfds[j],
				       &ids[j]) < 0;
		can = can || stats_wakers_shared(process, ids, count);
	}
	return can;
}

static void tell_all_asleep(
	struct stats_stall *stall, const struct sleeper *first, int threads)
{
	pid_t process = first->view.process;

	stall->found = true;
	fprintf(stall->out,
		"stall: nothing can wake process %d \"%s\" but a signal: all "
		"its threads (%d) sleep without a timeout, and no other "
		"process has what they wait for\n",
		(int)process, first->view.comm, threads);
	for (size_t i = 0; i < stall->count; i++) {
		if (stall->sleepers[i].view.process == process)
			stall->sleepers[i].told = true;
	}
}

static void judge_process(struct stats_stall *stall, struct sleeper *sleeper)
{
	pid_t process = sleeper->view.process;
	int threads = stats_wakers_each_thread(process, thread_sleeps, stall);

	if (threads == 0)
		return;
	if (!others_can_wake(stall, process))
		tell_all_asleep(stall, sleeper, threads);
	else /* that was a look at every process: not so soon again */
		sleeper->rest_until_ns = stall->now_ns + 10 * stall->limit_ns;
}

struct stats_stall *stats_stall_create(
	struct emu_intercept *intercept, uint64_t limit_ns)
{
	struct stats_stall *stall = calloc(1, sizeof(*stall));

	if (!stall)
		return NULL;
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
	free(stall->sleepers);
	free(stall);
}

bool stats_stall_look(struct stats_stall *stall, FILE *out)
{
	stall->out = out;
	stall->found = false;
	stall->now_ns = emu_loop_now_ns();
	emu_inspect(stall->intercept, &stall->visitor, STATS_MOST_ITEMS);
	drop_unseen(stall);
	for (size_t i = 0; i < stall->count; i++) {
		struct sleeper *sleeper = &stall->sleepers[i];

		if (!sleeper->told && sleeps_for_good(stall, sleeper) &&
			sleeper->rest_until_ns <= stall->now_ns)
			judge_process(stall, sleeper);
	}
	return stall->found;
}
