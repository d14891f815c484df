/* SPDX-License-Identifier: MIT */
/*
 * The walk over the living state.
 *
 * The engine's own polls have effects (a stale item leaves the ready list, a
 * watch is armed), so here the files are asked through their weak handles. A
 * file that forgets a change once it is polled is not asked, nor is a
 * signalfd, which is ready for one thread and not for another.
 *
 * A descriptor number means something in the table of the process that added
 * the item, which nobody has noted. So one thread of each process is asked
 * whether it has the very file at that number, those that wait first.
 */
#include "inspect.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "poll_bits.h"
#include "proc.h"
#include "supervisor.h"

/* So many processes are asked for an item's name. */
#define MOST_PROCESSES 32

struct walk {
	struct emu_intercept *intercept;
	struct emu_visitor *visitor;
	size_t items_left;
	/* One thread of each process. */
	struct emu_thread *threads[MOST_PROCESSES];
	size_t thread_count;
};

/* Names are the program's choice, and may be read on a terminal. */
static void make_printable(char *text)
{
	for (; *text; text++) {
		if (*text < ' ' || *text > '~')
			*text = '?';
	}
}

static void take_thread(void *ctx, struct emu_thread *thread)
{
	struct walk *walk = ctx;
	pid_t process = thread->tgid;

	for (size_t i = 0; i < walk->thread_count; i++) {
		if (walk->threads[i]->tgid == process)
			return;
	}
	if (process && walk->thread_count < MOST_PROCESSES)
		walk->threads[walk->thread_count++] = thread;
}

static void name_eventfd(struct walk *walk, struct emu_thread *thread,
	struct emu_view_item *view)
{
	struct emu_object *object;

	view->file = EMU_VIEW_OTHER;
	if (emu_fdtable_find(walk->intercept->fdtable, thread, view->fd,
		    EMU_KIND_EVENTFD, &object) != 1)
		return;
	view->file = EMU_VIEW_EVENTFD;
	view->number = object->number;
	snprintf(view->name, sizeof(view->name), "eventfd#%llu",
		(unsigned long long)object->number);
}

static void name_file(struct walk *walk, struct emu_thread *thread,
	struct emu_view_item *view)
{
	char path[48];
	ssize_t length;

	view->file = EMU_VIEW_OTHER;
	view->process = thread->tgid;
	snprintf(path, sizeof(path), "/proc/%d/fd/%d", (int)thread->tid,
		view->fd);
	length = readlink(path, view->name, sizeof(view->name) - 1);
	view->name[length > 0 ? length : 0] = '\0';
	make_printable(view->name);
	if (strcmp(view->name, "anon_inode:[eventfd]") == 0)
		name_eventfd(walk, thread, view);
}

static void look_at_watch(
	struct walk *walk, struct emu_watch *watch, struct emu_view_item *view)
{
	for (size_t i = 0; i < walk->thread_count; i++) {
		if (emu_weak_is(&watch->weak, walk->threads[i], view->fd) ==
			1) {
			name_file(walk, walk->threads[i], view);
			break;
		}
	}
	if (watch->source.forgets)
		view->ready = watch->remembered & view->events;
	else if (!watch->signalfd)
		view->ready = emu_weak_poll(&watch->weak) & view->events;
}

/* A process that has the file at that number, or 0. */
static pid_t process_with(
	const struct walk *walk, const struct emu_weak *weak, int fd)
{
	for (size_t i = 0; i < walk->thread_count; i++) {
		if (emu_weak_is(weak, walk->threads[i], fd) == 1)
			return walk->threads[i]->tgid;
	}
	return 0;
}

static void look_at_epoll(struct walk *walk, const struct emu_file *file,
	struct emu_view_item *view)
{
	const struct emu_fdtable *table = walk->intercept->fdtable;
	size_t count = emu_fdtable_count(table, EMU_KIND_EPOLL);

	view->file = EMU_VIEW_EPOLL;
	for (size_t i = 0; i < count; i++) {
		const struct emu_object *object =
			emu_fdtable_at(table, EMU_KIND_EPOLL, i);

		if (emu_epoll_file(object->epoll) != file)
			continue;
		view->number = object->number;
		snprintf(view->name, sizeof(view->name), "epoll#%llu",
			(unsigned long long)object->number);
		view->process = process_with(walk, &object->weak, view->fd);
		if (emu_epoll_available(object->epoll))
			view->ready = EMU_EPOLLIN & view->events;
	}
}

static void show_item(struct walk *walk, const struct emu_item *item)
{
	struct emu_view_item view = {.file = EMU_VIEW_UNKNOWN};
	struct emu_item_info info;

	emu_item_info(item, &info);
	view.fd = info.fd;
	view.events = info.events;
	view.data = info.data;
	view.queued = info.queued;
	view.disabled = !(info.events & ~EMU_EPOLL_PRIVATE_BITS);
	if (emu_file_is_watch(info.file))
		look_at_watch(walk, emu_watch_of_file(info.file), &view);
	else
		look_at_epoll(walk, info.file, &view);
	walk->visitor->item(walk->visitor, &view);
}

static void show_items(struct walk *walk, struct emu_epoll *epoll)
{
	struct emu_item *item = NULL;
	size_t omitted = 0;

	while ((item = emu_epoll_next(epoll, item))) {
		if (walk->items_left == 0) {
			omitted++;
			continue;
		}
		walk->items_left--;
		show_item(walk, item);
	}
	if (omitted && walk->visitor->omitted)
		walk->visitor->omitted(walk->visitor, omitted);
}

static void show_queue(struct walk *walk, struct emu_epoll *epoll)
{
	struct emu_item *item = NULL;
	struct emu_item_info info;

	while ((item = emu_epoll_next_ready(epoll, item))) {
		emu_item_info(item, &info);
		walk->visitor->queued(walk->visitor, info.fd);
	}
}

static void show_waiter(struct walk *walk, const struct emu_parked *parked,
	void (*show)(struct emu_visitor *, const struct emu_view_waiter *))
{
	struct emu_view_waiter view = {
		.tid = parked->call.thread->tid,
		.process = parked->call.thread->tgid,
		.call = emu_call_name(parked->call.kind),
		.fd = emu_call_int(&parked->call, 0),
		.since_ns = parked->since_ns,
		.at_ns = parked->at_ns,
	};
	char path[48], comm[EMU_VIEW_COMM + 1] = "";
	ssize_t length;

	snprintf(path, sizeof(path), "/proc/%d/comm", (int)view.tid);
	length = emu_proc_read(path, comm, sizeof(comm));
	if (length > 0)
		comm[length - 1] = '\0'; /* a line feed */
	memcpy(view.comm, comm, sizeof(view.comm));
	make_printable(view.comm);
	show(walk->visitor, &view);
}

/* Shows (unless `show` is NULL) the calls that sleep on it, and counts them. */
static size_t walk_waiters(struct walk *walk, const struct emu_object *object,
	void (*show)(struct emu_visitor *, const struct emu_view_waiter *))
{
	struct emu_list *pos;
	size_t count = 0;

	emu_list_for_each (pos, &walk->intercept->parked) {
		struct emu_parked *parked =
			emu_container_of(pos, struct emu_parked, link);

		if (parked->object != object || parked->dead ||
			!emu_parked_valid(parked))
			continue;
		count++;
		if (show)
			show_waiter(walk, parked, show);
	}
	return count;
}

static void show_epoll(struct walk *walk, const struct emu_object *object)
{
	struct emu_view_epoll view = {
		.number = object->number,
		.items = (size_t)emu_epoll_items(object->epoll),
		.queued = (size_t)emu_epoll_queued(object->epoll),
		.deliveries = object->deliveries,
	};

	view.waiters = walk_waiters(walk, object, NULL);
	if (walk->visitor->epoll)
		walk->visitor->epoll(walk->visitor, &view);
	if (walk->visitor->item)
		show_items(walk, object->epoll);
	if (walk->visitor->queued)
		show_queue(walk, object->epoll);
	if (walk->visitor->epoll_waiter)
		walk_waiters(walk, object, walk->visitor->epoll_waiter);
}

static void show_eventfd(struct walk *walk, const struct emu_object *object)
{
	uint32_t ready = emu_weak_poll(&object->weak);
	struct emu_view_eventfd view = {
		.number = object->number,
		.semaphore = emu_eventfd_is_semaphore(object->eventfd),
		.above_zero = ready & EMU_EPOLLIN,
		.full = !(ready & EMU_EPOLLOUT),
		.waiters = walk_waiters(walk, object, NULL),
	};

	if (walk->visitor->eventfd)
		walk->visitor->eventfd(walk->visitor, &view);
	if (walk->visitor->eventfd_waiter)
		walk_waiters(walk, object, walk->visitor->eventfd_waiter);
}

static int by_number(const void *left, const void *right)
{
	uint64_t a = (*(struct emu_object *const *)left)->number;
	uint64_t b = (*(struct emu_object *const *)right)->number;

	return a < b ? -1 : a > b;
}

static int walk_kind(struct walk *walk, enum emu_kind kind,
	void (*show)(struct walk *, const struct emu_object *))
{
	const struct emu_fdtable *table = walk->intercept->fdtable;
	size_t count = emu_fdtable_count(table, kind);
	struct emu_object **objects =
		calloc(count ? count : 1, sizeof(struct emu_object *));

	if (!objects)
		return -ENOMEM;
	for (size_t i = 0; i < count; i++)
		objects[i] = emu_fdtable_at(table, kind, i);
	qsort(objects, count, sizeof(struct emu_object *), by_number);
	for (size_t i = 0; i < count; i++) {
		/* The sweep has not come by yet. */
		if (objects[i]->pins == 0 && emu_weak_gone(&objects[i]->weak))
			continue;
		show(walk, objects[i]);
	}
	free(objects);
	return 0;
}

int emu_inspect(struct emu_intercept *intercept, struct emu_visitor *visitor,
	size_t most_items)
{
	struct walk walk = {
		.intercept = intercept,
		.visitor = visitor,
		.items_left = most_items,
	};
	struct emu_list *pos;
	int rc;

	emu_list_for_each (pos, &intercept->parked)
		take_thread(
			&walk, emu_container_of(pos, struct emu_parked, link)
				       ->call.thread);
	emu_threads_each(intercept->threads, take_thread, &walk);
	rc = walk_kind(&walk, EMU_KIND_EPOLL, show_epoll);
	if (rc == 0)
		rc = walk_kind(&walk, EMU_KIND_EVENTFD, show_eventfd);
	return rc;
}
