/* SPDX-License-Identifier: MIT */
/*
 * Counting what the interception tells its observers.
 *
 * A thread is in one call at a time, so what has to be known of a call until
 * it ends is kept with its thread. The time of a call is cut into what it
 * slept and what it did not: `mark_ns` is where the running part began.
 *
 * A call is counted once, when it ends. One that a signal cut off before it
 * took effect is not counted, since its thread makes it again; one that was
 * counted and comes again only to fetch its result is not counted twice. A
 * read or write that was cut off while it slept fails with EINTR or is made
 * again, as SA_RESTART has it: it is counted in the second case, then.
 */
#include "stats/tally.h"

#include <errno.h>
#include <stdlib.h>

#include "emu/loop.h"
#include "emu/poll_bits.h"
#include "stats/records.h"

struct thread {
	uint64_t mark_ns;
	uint64_t busy_ns, asleep_ns;
	uint64_t woken_ns; /* 0: by nobody since it last fell asleep */
	uint64_t epoll; /* number of the one that it waits on */
	bool asleep;
	bool slept;
	bool counted; /* the call came again only for its result */
	bool cut_off; /* the last call was, and was not counted */
};

static struct thread *thread_of(
	struct stats_tally *tally, const struct emu_call *call)
{
	uint64_t tid = (uint64_t)call->thread->tid;
	struct thread *thread = emu_table_get(&tally->threads, tid);

	if (thread)
		return thread;
	thread = calloc(1, sizeof(*thread));
	if (thread && emu_table_set(&tally->threads, tid, thread) < 0) {
		free(thread);
		thread = NULL;
	}
	tally->incomplete |= !thread;
	return thread;
}

/* The time since the mark goes to what the thread did meanwhile. */
static void pass_time(struct thread *thread, uint64_t at_ns)
{
	uint64_t passed = at_ns - thread->mark_ns;

	if (thread->asleep)
		thread->asleep_ns += passed;
	else
		thread->busy_ns += passed;
	thread->mark_ns = at_ns;
}

static void received(void *ctx, const struct emu_call *call, uint64_t at_ns)
{
	struct thread *thread = thread_of(ctx, call);

	if (!thread)
		return;
	*thread = (struct thread){
		.mark_ns = at_ns,
		.cut_off = thread->cut_off,
	};
}

static void again(
	void *ctx, const struct emu_call *call, uint64_t earlier, bool ended)
{
	struct thread *thread = thread_of(ctx, call);

	(void)earlier;
	if (!thread)
		return;
	thread->counted = ended && !thread->cut_off;
}

static void parked(void *ctx, const struct emu_call *call, uint64_t until_ns,
	uint64_t at_ns)
{
	struct thread *thread = thread_of(ctx, call);

	(void)until_ns;
	if (!thread)
		return;
	pass_time(thread, at_ns);
	thread->asleep = true;
	thread->slept = true;
	thread->woken_ns = 0;
	if (call->object && call->object->kind == EMU_KIND_EPOLL)
		thread->epoll = call->object->number;
}

/* Somebody was told of the eventfd's last write. */
static void was_news(const struct stats_tally *tally, uint64_t number)
{
	struct stats_eventfd *eventfd = stats_eventfd_numbered(tally, number);

	if (eventfd)
		eventfd->open = false;
}

static void woken(void *ctx, const struct emu_call *call,
	const struct emu_cause *cause, uint64_t at_ns)
{
	struct stats_tally *tally = ctx;
	struct thread *thread = thread_of(tally, call);
	struct stats_epoll *epoll;

	if (cause->eventfd)
		was_news(tally, cause->eventfd);
	if (call->object && call->object->kind == EMU_KIND_EVENTFD)
		was_news(tally, call->object->number);
	if (!thread || cause->kind == EMU_CAUSE_DEADLINE)
		return;
	pass_time(thread, at_ns);
	thread->asleep = false;
	thread->woken_ns = at_ns;
	epoll = stats_epoll_numbered(tally, thread->epoll);
	if (epoll)
		epoll->wakes++;
}

static void slept_on(void *ctx, const struct emu_call *call, uint64_t at_ns)
{
	struct stats_tally *tally = ctx;
	struct thread *thread = thread_of(tally, call);
	struct stats_epoll *epoll;
	bool was_woken;

	if (!thread)
		return;
	was_woken = thread->woken_ns != 0;
	pass_time(thread, at_ns);
	thread->asleep = true;
	thread->woken_ns = 0;
	if (!was_woken)
		return; /* it was only looked at */
	epoll = stats_epoll_numbered(tally, thread->epoll);
	if (epoll)
		epoll->spurious++;
}

static void count_wait(struct stats_epoll *epoll, const struct thread *thread,
	const struct emu_finish *finish)
{
	if (finish->result < 0 && finish->result != -EINTR)
		return;
	epoll->waits++;
	epoll->slept += thread->slept;
	if (finish->result > 0) {
		epoll->events += (uint64_t)finish->result;
		epoll->delivering++;
		if (thread->woken_ns)
			stats_histogram_add(&epoll->latency,
				finish->at_ns - thread->woken_ns);
	} else if (finish->result < 0) {
		epoll->interrupted++;
	} else if (thread->slept) {
		epoll->timeouts++;
	} else {
		epoll->empty++;
	}
}

static void count_ctl(struct stats_epoll *epoll, const struct emu_call *call)
{
	uint64_t items = emu_epoll_items(call->object->epoll);

	switch (emu_call_int(call, 1)) {
	case EMU_EPOLL_CTL_ADD:
		epoll->added++;
		if (items > epoll->items_most)
			epoll->items_most = items;
		break;
	case EMU_EPOLL_CTL_MOD:
		epoll->modified++;
		break;
	case EMU_EPOLL_CTL_DEL:
		epoll->deleted++;
		break;
	default:
		break;
	}
}

static void count_object(struct stats_tally *tally, const struct thread *thread,
	const struct emu_finish *finish)
{
	const struct emu_call *call = finish->call;
	struct stats_epoll *epoll;

	if (emu_call_is_wait(call->kind)) {
		epoll = stats_epoll_numbered(tally,
			call->object ? call->object->number : thread->epoll);
		if (epoll) {
			epoll->object.uses++;
			count_wait(epoll, thread, finish);
		}
	} else if (call->kind == EMU_CALL_EPOLL_CTL && call->object) {
		epoll = stats_epoll_numbered(tally, call->object->number);
		if (epoll) {
			epoll->object.uses++;
			if (finish->result == 0)
				count_ctl(epoll, call);
		}
	}
}

static void finished(void *ctx, const struct emu_finish *finish)
{
	struct stats_tally *tally = ctx;
	struct thread *thread = thread_of(tally, finish->call);
	struct stats_call *call = &tally->calls[finish->call->kind];

	if (!thread || thread->counted || finish->how == EMU_END_VOIDED ||
		finish->how == EMU_END_GONE)
		return;
	thread->cut_off = false;
	pass_time(thread, finish->at_ns);
	call->busy_ns += thread->busy_ns;
	call->asleep_ns += thread->asleep_ns;
	if (finish->how == EMU_END_CONTINUED) {
		call->passed++;
		return;
	}
	if (finish->how == EMU_END_INTERRUPTED &&
		!emu_call_is_wait(finish->call->kind)) {
		thread->cut_off = true;
		return;
	}
	call->calls++;
	call->errors += finish->result < 0;
	count_object(tally, thread, finish);
}

static void queued(void *ctx, const struct emu_epoll *engine,
	const struct emu_item *item, const struct emu_cause *cause,
	uint64_t at_ns)
{
	struct stats_tally *tally = ctx;
	struct stats_epoll *epoll =
		emu_table_get(&tally->by_engine, (uintptr_t)engine);
	uint64_t length = (uint64_t)emu_epoll_queued(engine);

	(void)item;
	(void)at_ns;
	if (cause->eventfd)
		was_news(tally, cause->eventfd);
	if (epoll && length > epoll->longest_ready)
		epoll->longest_ready = length;
}

static void counter(void *ctx, const struct emu_object *object,
	const struct emu_call *call, bool back, uint64_t at_ns)
{
	struct stats_eventfd *eventfd =
		stats_eventfd_numbered(ctx, object->number);

	(void)at_ns;
	if (!eventfd)
		return;
	if (back) {
		eventfd->object.uses--;
		if (call->kind == EMU_CALL_WRITE)
			eventfd->writes--;
		else
			eventfd->reads--;
		eventfd->open = false;
		eventfd->unread = call->kind == EMU_CALL_READ;
		return;
	}
	eventfd->object.uses++;
	eventfd->coalesced += eventfd->open;
	if (call->kind == EMU_CALL_WRITE) {
		eventfd->writes++;
		/* Each unit of a semaphore is read by itself. */
		eventfd->open = eventfd->unread &&
				!emu_eventfd_is_semaphore(object->eventfd);
		eventfd->unread = true;
	} else {
		eventfd->reads++;
		eventfd->open = false;
		eventfd->unread = false;
	}
}

static void thread_gone(void *ctx, struct emu_thread *thread)
{
	struct stats_tally *tally = ctx;

	free(emu_table_take(&tally->threads, (uint64_t)thread->tid));
}

struct stats_tally *stats_tally_create(struct emu_intercept *intercept)
{
	struct stats_tally *tally = calloc(1, sizeof(*tally));

	if (!tally)
		return NULL;
	tally->since_ns = emu_loop_now_ns();
	emu_list_init(&tally->epolls.gone);
	emu_list_init(&tally->eventfds.gone);
	tally->observer = (struct emu_observer){
		.ctx = tally,
		.received = received,
		.again = again,
		.finished = finished,
		.parked = parked,
		.woken = woken,
		.slept_on = slept_on,
		.queued = queued,
		.counter = counter,
		.object_made = stats_records_made,
		.object_gone = stats_records_gone,
		.thread_gone = thread_gone,
	};
	emu_observer_add(intercept, &tally->observer);
	return tally;
}

static void free_objects(struct stats_tally *tally)
{
	struct stats_object **sorted;
	size_t count, shown;

	sorted = stats_records_sorted(&tally->epolls, &count, &shown);
	while (sorted && count > 0)
		free(emu_container_of(
			sorted[--count], struct stats_epoll, object));
	free(sorted);
	sorted = stats_records_sorted(&tally->eventfds, &count, &shown);
	while (sorted && count > 0)
		free(emu_container_of(
			sorted[--count], struct stats_eventfd, object));
	free(sorted);
}

void stats_tally_destroy(struct stats_tally *tally)
{
	if (!tally)
		return;
	free_objects(tally);
	emu_table_free(&tally->threads);
	emu_table_clear(&tally->by_engine, NULL, NULL);
	emu_table_clear(&tally->epolls.living, NULL, NULL);
	emu_table_clear(&tally->eventfds.living, NULL, NULL);
	free(tally);
}
