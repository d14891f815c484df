/* SPDX-License-Identifier: MIT */
/*
 * The ready list and those who wait for it: wakes, harvests, waiters.
 *
 * The ready list holds the items that may have something to report, in the
 * order of their first wake since they were last reported. Being on it proves
 * nothing: whoever takes from it polls the item again and drops a stale one.
 * A harvest leaves what it found in place, as the first `harvested` items,
 * and only the commit moves them, so that events that do not reach the
 * program are still there, in order. No call comes between the two.
 *
 * Every wake that an item accepts wakes one waiter and everybody who polls
 * the epoll, also when the item is on the list already: an outer
 * edge-triggered epoll has to see each of them.
 */
#include <errno.h>

#include "epoll_internal.h"

/* What a wake may be about, as far as EPOLLEXCLUSIVE looks at it. */
#define IN_OUT (EMU_EPOLLIN | EMU_EPOLLOUT)

static bool item_queued(const struct emu_item *item)
{
	return !emu_list_empty(&item->ready);
}

/* Where a queued item is counted: what a poll of its file cannot tell. */
static int *counter_of(const struct emu_item *item)
{
	if ((item->events & (EMU_EPOLLONESHOT | EMU_EPOLLEXCLUSIVE)) ||
		item->file->hidden)
		return &item->epoll->hidden_queued;
	if (item->events & EMU_EPOLLET)
		return &item->epoll->edges_queued;
	return NULL;
}

static void count(struct emu_item *item)
{
	item->epoll->queued++;
	item->counted = counter_of(item);
	if (item->counted)
		++*item->counted;
}

static void uncount(struct emu_item *item)
{
	item->epoll->queued--;
	if (item->counted)
		--*item->counted;
	item->counted = NULL;
}

void emu_item_enqueue(struct emu_item *item)
{
	if (item_queued(item))
		return;
	emu_list_add_tail(&item->ready, &item->epoll->ready);
	count(item);
}

/* The item came onto the list; one that stays or comes back does not. */
static void tell_observer(const struct emu_item *item)
{
	const struct emu_epoll *epoll = item->epoll;

	if (epoll->observer)
		epoll->observer(epoll->observer_ctx, item);
}

void emu_item_dequeue(struct emu_item *item)
{
	if (!item_queued(item))
		return;
	emu_list_remove(&item->ready);
	uncount(item);
}

void emu_item_recount(struct emu_item *item)
{
	if (!item_queued(item))
		return;
	uncount(item);
	count(item);
}

static struct emu_item *first_ready(struct emu_epoll *epoll)
{
	return emu_container_of(epoll->ready.next, struct emu_item, ready);
}

static bool wake_waiter(struct emu_epoll *epoll)
{
	return emu_waitq_wake(&epoll->waiters, 0, 1) > 0;
}

uint32_t emu_item_poll(const struct emu_item *item)
{
	uint32_t mask = item->events & ~EMU_EPOLL_PRIVATE_BITS;

	return item->file->ops->poll(item->file, mask) & mask;
}

void emu_item_queue_ready(struct emu_item *item)
{
	struct emu_epoll *epoll = item->epoll;

	if (item_queued(item))
		return;
	emu_item_enqueue(item);
	tell_observer(item);
	wake_waiter(epoll);
	emu_file_wake(&epoll->file, EMU_EPOLLIN);
}

/*
 * Does an exclusive item take the wake, so that no other need be told? A wake
 * about both directions concerns a reader and a writer, who may be two.
 */
static bool wake_taken(const struct emu_item *item, uint32_t key)
{
	key &= IN_OUT;
	return key == 0 || (key != IN_OUT && (key & item->events));
}

int emu_item_woken(struct emu_wait *wait, uint32_t key)
{
	struct emu_item *item = emu_container_of(wait, struct emu_item, wait);
	struct emu_epoll *epoll = item->epoll;
	bool woken, news;

	if (!(item->events & ~EMU_EPOLL_PRIVATE_BITS))
		return 0; /* one-shot, and reported */
	if (key && !(key & item->events))
		return 0;

	news = !item_queued(item);
	emu_item_enqueue(item);
	if (news)
		tell_observer(item);
	woken = wake_waiter(epoll);
	if (emu_file_wake(&epoll->file, EMU_EPOLLIN) > 0)
		news = true;

	if (!(item->events & EMU_EPOLLEXCLUSIVE))
		return woken || news;
	if (woken && wake_taken(item, key))
		return 1;
	return woken || news ? EMU_WAKE_PASSED : 0;
}

/*
 * __ep_eventpoll_poll(). What it finds ready stays on the list. Like
 * ep_done_scan() it then wakes a waiter, who may find that another was
 * quicker.
 */
static uint32_t epoll_poll(struct emu_file *file, uint32_t mask)
{
	struct emu_epoll *epoll = emu_epoll_of_file(file);

	while (!emu_list_empty(&epoll->ready)) {
		struct emu_item *item = first_ready(epoll);

		if (emu_item_poll(item)) {
			wake_waiter(epoll);
			return mask & (EMU_EPOLLIN | EMU_EPOLLRDNORM);
		}
		emu_item_dequeue(item);
	}
	return 0;
}

const struct emu_file_ops emu_epoll_file_ops = {
	.poll = epoll_poll,
};

struct emu_item *emu_epoll_next_ready(
	struct emu_epoll *epoll, struct emu_item *previous)
{
	struct emu_list *next =
		previous ? previous->ready.next : epoll->ready.next;

	return next == &epoll->ready
		       ? NULL
		       : emu_container_of(next, struct emu_item, ready);
}

bool emu_epoll_available(const struct emu_epoll *epoll)
{
	return !emu_list_empty(&epoll->ready);
}

int emu_epoll_queued(const struct emu_epoll *epoll)
{
	return epoll->queued;
}

void emu_epoll_observe(struct emu_epoll *epoll,
	void (*queued)(void *ctx, const struct emu_item *item), void *ctx)
{
	epoll->observer = queued;
	epoll->observer_ctx = ctx;
}

const struct emu_item *emu_epoll_harvested(
	const struct emu_epoll *epoll, const struct emu_item *before)
{
	const struct emu_list *link =
		before ? before->ready.next : epoll->ready.next;

	return link == &epoll->ready
		       ? NULL
		       : emu_container_of(link, struct emu_item, ready);
}

bool emu_epoll_edge_available(const struct emu_epoll *epoll)
{
	return epoll->edges_queued > 0;
}

bool emu_epoll_hidden_available(const struct emu_epoll *epoll)
{
	return epoll->hidden_queued > 0;
}

int emu_epoll_harvest(
	struct emu_epoll *epoll, struct emu_event *events, int max)
{
	struct emu_list *link, *following;
	int stored = 0;

	emu_list_for_each_safe (link, following, &epoll->ready) {
		struct emu_item *item =
			emu_container_of(link, struct emu_item, ready);
		uint32_t revents;

		if (stored >= max)
			break;
		revents = emu_item_poll(item);
		if (!revents) {
			emu_item_dequeue(item);
			continue;
		}
		events[stored].events = revents;
		events[stored].data = item->data;
		stored++;
	}
	epoll->harvested = stored;
	return stored;
}

/* The program has seen the item's event. */
static void item_delivered(struct emu_item *item)
{
	emu_item_dequeue(item);
	if (item->events & EMU_EPOLLONESHOT)
		item->events &= EMU_EPOLL_PRIVATE_BITS;
	else if (!(item->events & EMU_EPOLLET))
		emu_item_enqueue(item);
}

void emu_epoll_commit(struct emu_epoll *epoll, int delivered)
{
	if (delivered > epoll->harvested)
		delivered = epoll->harvested;
	epoll->harvested = 0;
	while (delivered-- > 0)
		item_delivered(first_ready(epoll));
	if (emu_epoll_available(epoll))
		wake_waiter(epoll);
}

void emu_epoll_put_back(struct emu_epoll *epoll)
{
	epoll->harvested = 0;
}

static int waiter_woken(struct emu_wait *wait, uint32_t key)
{
	struct emu_waiter *waiter =
		emu_container_of(wait, struct emu_waiter, wait);

	(void)key;
	emu_waitq_remove(wait);
	waiter->woken(waiter);
	return 1;
}

void emu_epoll_wait_begin(struct emu_epoll *epoll, struct emu_waiter *waiter,
	void (*woken)(struct emu_waiter *waiter))
{
	emu_wait_init(&waiter->wait, waiter_woken);
	waiter->epoll = epoll;
	waiter->woken = woken;
	emu_waitq_add_exclusive_head(&epoll->waiters, &waiter->wait);
}

bool emu_epoll_wait_end(struct emu_waiter *waiter, bool pass_on)
{
	bool was_woken = emu_list_empty(&waiter->wait.link);

	emu_waitq_remove(&waiter->wait);
	return pass_on && was_woken && emu_epoll_available(waiter->epoll) &&
	       wake_waiter(waiter->epoll);
}

bool emu_epoll_has_waiters(const struct emu_epoll *epoll)
{
	return emu_waitq_active(&epoll->waiters);
}
