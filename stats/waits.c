/* SPDX-License-Identifier: MIT */
/*
 * What could wake a thread is what it waits for: an eventfd, or an epoll with
 * its items, and so on through epolls in epolls. Judged are eventfds, pipes
 * and connected unix sockets, which only somebody who has them can make ready,
 * as long as the program made them itself. Anything else (a network socket, a
 * timer, a terminal, a signalfd) may become ready by itself.
 *
 * An epoll counts as a file, too, since whoever has it can add a file to it.
 */
#include "stats/waits.h"

#include <stdlib.h>

#include "emu/deadline.h"
#include "stats/holders.h"
#include "stats/peer.h"

enum { MOST_NESTED = 32 }; /* epolls that one process waits for */

struct item {
	uint64_t epoll; /* that it is in */
	bool outside; /* others may make it ready */
	uint64_t nested; /* the number of an epoll, or 0 */
	struct stats_source source;
};

struct stats_waits {
	uint64_t limit_ns;
	uint64_t now_ns;
	struct stats_files given;
	uint64_t epoll; /* that the look is at */
	struct stats_array items, waiters;
	bool failed; /* memory was short */
};

/* The epolls that a process waits for, and what all of it adds up to. */
struct walk {
	struct stats_waits *waits;
	struct stats_array *sources;
	uint64_t epolls[MOST_NESTED];
	size_t count;
};

struct stats_waits *stats_waits_create(uint64_t limit_ns, pid_t program)
{
	struct stats_waits *waits = calloc(1, sizeof(*waits));

	if (!waits)
		return NULL;
	waits->limit_ns = limit_ns;
	if (stats_holders_list(program, &waits->given) == 0)
		return waits;
	stats_waits_destroy(waits);
	return NULL;
}

void stats_waits_destroy(struct stats_waits *waits)
{
	if (!waits)
		return;
	free(waits->given.all);
	free(waits->items.all);
	free(waits->waiters.all);
	free(waits);
}

void stats_waits_begin(struct stats_waits *waits, uint64_t now_ns)
{
	waits->now_ns = now_ns;
	waits->failed = false;
	waits->items.count = waits->waiters.count = 0;
}

void stats_waits_epoll(struct stats_waits *waits, uint64_t number)
{
	waits->epoll = number;
}

/* What may make an item ready. */
static void classify(const struct stats_waits *waits,
	const struct emu_view_item *view, struct item *item)
{
	item->source.process = view->process;
	item->source.fd = view->fd;
	if (view->fd < 0 || view->process == 0) {
		item->outside = true;
	} else if (view->file == EMU_VIEW_EPOLL) {
		item->source.kind = STATS_SOURCE_EPOLL;
		item->nested = view->number;
	} else if (view->file == EMU_VIEW_EVENTFD) {
		item->source.kind = STATS_SOURCE_EVENTFD;
	} else {
		item->outside =
			!stats_holders_parse(view->name, &item->source) ||
			stats_holders_listed(&waits->given, &item->source);
	}
}

void stats_waits_item(
	struct stats_waits *waits, const struct emu_view_item *view)
{
	struct item *item;

	if (view->disabled)
		return; /* whoever arms it again runs */
	item = stats_array_append(&waits->items, sizeof(*item));
	if (!item) {
		waits->failed = true;
		return;
	}
	*item = (struct item){.epoll = waits->epoll};
	classify(waits, view, item);
}

void stats_waits_waiter(struct stats_waits *waits,
	const struct emu_view_waiter *view, bool told)
{
	struct stats_waiter *waiter =
		stats_array_append(&waits->waiters, sizeof(*waiter));

	if (!waiter) {
		waits->failed = true;
		return;
	}
	*waiter = (struct stats_waiter){
		.view = *view,
		.epoll = waits->epoll,
		.told = told,
	};
}

bool stats_waits_whole(const struct stats_waits *waits)
{
	return !waits->failed;
}

const struct stats_waiter *stats_waits_all(
	const struct stats_waits *waits, size_t *count)
{
	*count = waits->waiters.count;
	return waits->waiters.all;
}

static bool sleeps_long(
	const struct stats_waits *waits, const struct stats_waiter *waiter)
{
	return waiter->view.at_ns == EMU_DEADLINE_NEVER &&
	       waits->now_ns - waiter->view.since_ns >= waits->limit_ns;
}

enum stats_sleep stats_waits_sleep(const struct stats_waits *waits, pid_t tid)
{
	const struct stats_waiter *waiters = waits->waiters.all;

	for (size_t i = 0; i < waits->waiters.count; i++) {
		if (waiters[i].view.tid == tid)
			return sleeps_long(waits, &waiters[i])
				       ? STATS_SLEEP_FOREVER
				       : STATS_SLEEP_TIMED;
	}
	return STATS_SLEEP_UNKNOWN;
}

bool stats_waits_forever(const struct stats_waits *waits, pid_t process)
{
	const struct stats_waiter *waiters = waits->waiters.all;

	for (size_t i = 0; i < waits->waiters.count; i++) {
		if (waiters[i].view.process == process &&
			!sleeps_long(waits, &waiters[i]))
			return false;
	}
	return true;
}

static bool add(struct walk *walk, const struct stats_source *source)
{
	struct stats_source *new =
		stats_array_append(walk->sources, sizeof(*new));

	if (!new)
		return false;
	*new = *source;
	return true;
}

/* Both ends of a socket. */
static bool add_socket(struct walk *walk, const struct stats_source *source)
{
	struct stats_source peer = *source;

	return stats_peer_find(source->id, &peer.id) == 0 &&
	       !stats_holders_listed(&walk->waits->given, &peer) &&
	       add(walk, source) && add(walk, &peer);
}

/* The items of this one are to be gone through. */
static bool add_epoll(struct walk *walk, uint64_t number)
{
	for (size_t i = 0; i < walk->count; i++) {
		if (walk->epolls[i] == number)
			return true;
	}
	if (number == 0 || walk->count == MOST_NESTED)
		return false;
	walk->epolls[walk->count++] = number;
	return true;
}

static bool add_eventfd(struct walk *walk, pid_t process, int fd)
{
	struct stats_source source;

	return stats_holders_eventfd(process, fd, &source) == 0 &&
	       add(walk, &source);
}

static bool add_item(struct walk *walk, const struct item *item)
{
	const struct stats_source *source = &item->source;

	if (item->outside)
		return false;
	switch (source->kind) {
	case STATS_SOURCE_EVENTFD:
		return add_eventfd(walk, source->process, source->fd);
	case STATS_SOURCE_SOCKET:
		return add_socket(walk, source);
	case STATS_SOURCE_EPOLL:
		return add_epoll(walk, item->nested) && add(walk, source);
	default:
		return add(walk, source);
	}
}

static bool add_items(struct walk *walk, uint64_t epoll)
{
	const struct item *items = walk->waits->items.all;

	for (size_t i = 0; i < walk->waits->items.count; i++) {
		if (items[i].epoll == epoll && !add_item(walk, &items[i]))
			return false;
	}
	return true;
}

static bool add_waited(struct walk *walk, const struct stats_waiter *waiter)
{
	struct stats_source source = {
		.kind = STATS_SOURCE_EPOLL,
		.process = waiter->view.process,
		.fd = waiter->view.fd,
	};

	if (waiter->epoll)
		return add_epoll(walk, waiter->epoll) && add(walk, &source);
	return add_eventfd(walk, source.process, source.fd);
}

bool stats_waits_sources(
	struct stats_waits *waits, pid_t process, struct stats_array *sources)
{
	const struct stats_waiter *waiters = waits->waiters.all;
	struct walk walk = {.waits = waits, .sources = sources};
	struct stats_source memory = {
		.kind = STATS_SOURCE_MEMORY,
		.process = process,
	};

	for (size_t i = 0; i < waits->waiters.count; i++) {
		if (waiters[i].view.process == process &&
			!add_waited(&walk, &waiters[i]))
			return false;
	}
	/* That of nested ones is added meanwhile. */
	for (size_t i = 0; i < walk.count; i++) {
		if (!add_items(&walk, walk.epolls[i]))
			return false;
	}
	return add(&walk, &memory);
}
