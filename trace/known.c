/* SPDX-License-Identifier: MIT */
/*
 * What the trace remembers, for names and causes: the threads; of each epoll
 * the names that its items had when they were added; and of each eventfd the
 * last write, which is what woke whoever is woken by it next. Each entry goes
 * when the thread or the object goes.
 *
 * A counter is what trapped calls make of it. Reads and writes that go round
 * the filter are not seen; the next trapped read of it all sets it right.
 */
#include "trace/known.h"

#include <stdlib.h>
#include <string.h>

#include "trace/names.h"

/* An emulated epoll. */
struct epoll {
	uint64_t number;
	struct emu_table items; /* struct trace_fd by descriptor */
};

/* An emulated eventfd. */
struct eventfd {
	bool semaphore;
	uint64_t count;
	struct trace_cause write; /* the last */
	bool written; /* and no read since */
};

struct trace_thread *trace_known_thread(
	struct trace_known *known, struct emu_thread *of)
{
	struct trace_thread *thread =
		emu_table_get(&known->threads, (uint64_t)of->tid);

	if (thread)
		return thread;
	thread = calloc(1, sizeof(*thread));
	if (!thread)
		return NULL;
	thread->tid = of->tid;
	thread->pid = of->tgid;
	emu_list_init(&thread->open);
	if (emu_table_set(&known->threads, (uint64_t)of->tid, thread) < 0) {
		free(thread);
		return NULL;
	}
	trace_name_thread(thread->name, thread->tid);
	return thread;
}

struct trace_thread *trace_known_take_thread(
	struct trace_known *known, const struct emu_thread *of)
{
	return emu_table_take(&known->threads, (uint64_t)of->tid);
}

void trace_known_free_thread(struct trace_thread *thread)
{
	trace_stack_put(thread->stack);
	free(thread);
}

static struct epoll *epoll_of(
	const struct trace_known *known, const struct emu_epoll *epoll)
{
	return emu_table_get(&known->epolls, (uint64_t)(uintptr_t)epoll);
}

static struct eventfd *eventfd_of(
	const struct trace_known *known, uint64_t number)
{
	return number ? emu_table_get(&known->eventfds, number) : NULL;
}

static void made_eventfd(struct trace_known *known,
	const struct emu_object *object, const struct emu_call *call)
{
	struct eventfd *eventfd = calloc(1, sizeof(*eventfd));

	if (!eventfd)
		return;
	eventfd->count = (uint32_t)call->args[0];
	eventfd->semaphore = emu_eventfd_is_semaphore(object->eventfd);
	if (emu_table_set(&known->eventfds, object->number, eventfd) < 0)
		free(eventfd);
}

void trace_known_made(struct trace_known *known,
	const struct emu_object *object, const struct emu_call *call)
{
	struct epoll *epoll;

	if (object->kind == EMU_KIND_EVENTFD) {
		made_eventfd(known, object, call);
		return;
	}
	epoll = calloc(1, sizeof(*epoll));
	if (!epoll)
		return;
	epoll->number = object->number;
	if (emu_table_set(&known->epolls, (uint64_t)(uintptr_t)object->epoll,
		    epoll) < 0)
		free(epoll);
}

static void free_epoll(void *ctx, void *value)
{
	struct epoll *epoll = value;

	(void)ctx;
	emu_table_free(&epoll->items);
	free(epoll);
}

void trace_known_gone(
	struct trace_known *known, const struct emu_object *object)
{
	void *value;

	if (object->kind == EMU_KIND_EVENTFD) {
		free(emu_table_take(&known->eventfds, object->number));
		return;
	}
	value = emu_table_take(
		&known->epolls, (uint64_t)(uintptr_t)object->epoll);
	if (value)
		free_epoll(NULL, value);
}

uint64_t trace_known_number(
	const struct trace_known *known, const struct emu_epoll *epoll)
{
	const struct epoll *found = epoll_of(known, epoll);

	return found ? found->number : 0;
}

const struct trace_fd *trace_known_item(
	const struct trace_known *known, const struct emu_epoll *epoll, int fd)
{
	const struct epoll *found = epoll_of(known, epoll);

	return found ? emu_table_get(&found->items, (uint64_t)fd) : NULL;
}

void trace_known_set_item(struct trace_known *known,
	const struct emu_epoll *epoll, const struct trace_fd *item, bool gone)
{
	struct epoll *found = epoll_of(known, epoll);
	uint64_t key = (uint64_t)item->number;
	struct trace_fd *copy;

	if (!found)
		return;
	free(emu_table_take(&found->items, key));
	copy = gone ? NULL : malloc(sizeof(*copy));
	if (!copy)
		return;
	trace_fd_copy(copy, item);
	if (emu_table_set(&found->items, key, copy) < 0)
		free(copy);
}

static void set_waker(struct trace_known *known, struct trace_cause *cause,
	const struct emu_call *by)
{
	struct trace_thread *thread = trace_known_thread(known, by->thread);

	cause->has_waker = thread;
	if (!thread)
		return;
	cause->call = by->kind;
	cause->pid = thread->pid;
	cause->tid = thread->tid;
	memcpy(cause->thread, thread->name, sizeof(cause->thread));
}

uint64_t trace_known_transfer(struct trace_known *known,
	const struct emu_object *object, const struct emu_call *call, bool back,
	uint64_t at_ns)
{
	struct eventfd *eventfd = eventfd_of(known, object->number);

	if (!eventfd)
		return 0;
	if (back) {
		eventfd->written = false; /* the cause of no wake-up */
		eventfd->count += call->kind == EMU_CALL_WRITE ? -call->value
							       : call->value;
		return eventfd->count;
	}
	if (call->kind == EMU_CALL_WRITE) {
		eventfd->count += call->value;
		eventfd->write = (struct trace_cause){.at_ns = at_ns};
		set_waker(known, &eventfd->write, call);
		eventfd->written = true;
		return eventfd->count;
	}
	eventfd->written = false;
	if (!eventfd->semaphore)
		eventfd->count = 0;
	else if (eventfd->count)
		eventfd->count--;
	return eventfd->count;
}

uint64_t trace_known_count(const struct trace_known *known, uint64_t number)
{
	const struct eventfd *eventfd = eventfd_of(known, number);

	return eventfd ? eventfd->count : 0;
}

/* A wake-up of a watched file: which item, and who wrote to it. */
static void file_cause(struct trace_known *known, struct trace_cause *to,
	const struct emu_cause *cause)
{
	const struct eventfd *eventfd = eventfd_of(known, cause->eventfd);
	const struct trace_fd *item =
		trace_known_item(known, cause->epoll, cause->fd);

	if (eventfd && eventfd->written)
		*to = eventfd->write;
	to->kind = cause->kind == EMU_CAUSE_SIGNALFD ? TRACE_WAKE_SIGNALFD
						     : TRACE_WAKE_FILE;
	if (cause->eventfd)
		trace_name_object(&to->source, EMU_KIND_EVENTFD, cause->eventfd,
			cause->fd);
	else if (item)
		trace_fd_copy(&to->source, item);
	else
		to->source.number = cause->fd;
}

void trace_known_cause(struct trace_known *known, struct trace_cause *to,
	const struct emu_cause *cause, uint64_t at_ns)
{
	*to = (struct trace_cause){.at_ns = at_ns};
	switch (cause->kind) {
	case EMU_CAUSE_FILE:
	case EMU_CAUSE_SIGNALFD:
		file_cause(known, to, cause);
		break;
	case EMU_CAUSE_CALL:
		to->kind = TRACE_WAKE_CALL;
		set_waker(known, to, cause->call);
		break;
	case EMU_CAUSE_DEADLINE:
		to->kind = TRACE_WAKE_TIMEOUT;
		break;
	case EMU_CAUSE_END:
	case EMU_CAUSE_UNKNOWN:
	default:
		to->kind = TRACE_WAKE_UNKNOWN;
		break;
	}
}

static void free_thread(void *ctx, void *value)
{
	(void)ctx;
	trace_known_free_thread(value);
}

void trace_known_clear(struct trace_known *known)
{
	emu_table_clear(&known->threads, free_thread, NULL);
	emu_table_clear(&known->epolls, free_epoll, NULL);
	emu_table_free(&known->eventfds);
}
