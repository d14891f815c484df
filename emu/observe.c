/* SPDX-License-Identifier: MIT */
/*
 * Tells the observers what happens in the interception.
 *
 * The cause of a wake is not passed down through the engine, which knows
 * nothing of calls and descriptors. Everything runs on one thread, so there
 * is one thing under way at a time: it is noted here before it is carried
 * out, and whatever is queued or woken meanwhile was caused by it.
 */
#include "observe.h"

/* Calls `member` of each observer that has it. */
#define TELL(intercept, member, ...)                                       \
	do {                                                               \
		struct emu_list *pos_;                                     \
		emu_list_for_each (pos_, &(intercept)->observers) {        \
			struct emu_observer *observer_ = emu_container_of( \
				pos_, struct emu_observer, link);          \
			if (observer_->member)                             \
				observer_->member(                         \
					observer_->ctx, __VA_ARGS__);      \
		}                                                          \
	} while (0)

void emu_observer_add(
	struct emu_intercept *intercept, struct emu_observer *observer)
{
	emu_list_add_tail(&observer->link, &intercept->observers);
	emu_observe_watches(intercept);
}

void emu_observer_remove(struct emu_observer *observer)
{
	emu_list_remove(&observer->link);
}

void emu_observe_cause(
	struct emu_intercept *intercept, enum emu_cause_kind kind)
{
	intercept->cause = (struct emu_cause){.kind = kind, .fd = -1};
}

void emu_observe_cause_call(
	struct emu_intercept *intercept, const struct emu_call *call)
{
	intercept->cause = (struct emu_cause){
		.kind = EMU_CAUSE_CALL,
		.fd = -1,
		.call = call,
	};
}

void emu_observe_received(
	struct emu_intercept *intercept, const struct emu_call *call)
{
	if (emu_observed(intercept))
		TELL(intercept, received, call, emu_loop_now_ns());
}

void emu_observe_again(struct emu_intercept *intercept,
	const struct emu_call *call, uint64_t earlier, bool ended)
{
	if (emu_observed(intercept))
		TELL(intercept, again, call, earlier, ended);
}

void emu_observe_file(
	struct emu_intercept *intercept, const struct emu_call *call, int fd)
{
	if (emu_observed(intercept))
		TELL(intercept, file, call, fd);
}

bool emu_observe_wants_registers(
	struct emu_intercept *intercept, const struct emu_call *call)
{
	bool wanted = false;
	struct emu_list *pos;

	emu_list_for_each (pos, &intercept->observers) {
		struct emu_observer *observer =
			emu_container_of(pos, struct emu_observer, link);

		if (observer->wants_registers)
			wanted |=
				observer->wants_registers(observer->ctx, call);
	}
	return wanted;
}

void emu_observe_registers(struct emu_intercept *intercept,
	const struct emu_call *call, const uint64_t *registers)
{
	TELL(intercept, registers, call, registers);
}

/* A wait is told of while its events are harvested and not yet committed. */
static void add_events(
	struct emu_intercept *intercept, struct emu_finish *finish)
{
	const struct emu_call *call = finish->call;
	bool delivered = finish->how == EMU_END_ANSWERED && finish->result > 0;

	if (!emu_call_is_wait(call->kind) || !call->object)
		return;
	if (delivered)
		finish->events = intercept->events;
	finish->left = emu_epoll_queued(call->object->epoll) -
		       (delivered ? (int)finish->result : 0);
}

static void tell_finished(
	struct emu_intercept *intercept, struct emu_finish *finish)
{
	/* A call that is none of ours was not told of as received, either. */
	if (!emu_observed(intercept) || finish->call->kind >= EMU_CALLS)
		return;
	finish->at_ns = emu_loop_now_ns();
	add_events(intercept, finish);
	TELL(intercept, finished, finish);
}

void emu_observe_finished(struct emu_intercept *intercept,
	const struct emu_call *call, enum emu_end how, int64_t result)
{
	struct emu_finish finish = {
		.call = call,
		.how = how,
		.result = result,
	};

	tell_finished(intercept, &finish);
}

void emu_observe_interrupted(struct emu_intercept *intercept,
	const struct emu_call *call, int64_t result, int sig)
{
	struct emu_finish finish = {
		.call = call,
		.how = EMU_END_INTERRUPTED,
		.result = result,
		.signal = sig,
	};

	tell_finished(intercept, &finish);
}

void emu_observe_parked(const struct emu_parked *parked, uint64_t until_ns)
{
	if (emu_observed(parked->intercept))
		TELL(parked->intercept, parked, &parked->call, until_ns,
			emu_loop_now_ns());
}

void emu_observe_woken(const struct emu_parked *parked)
{
	/* A read of its own moves the counter, too; nothing woke it there. */
	if (emu_observed(parked->intercept) &&
		parked->intercept->cause.call != &parked->call)
		TELL(parked->intercept, woken, &parked->call,
			&parked->intercept->cause, emu_loop_now_ns());
}

void emu_observe_put_off(
	struct emu_intercept *intercept, const struct emu_call *call)
{
	if (emu_observed(intercept))
		TELL(intercept, put_off, call);
}

void emu_observe_slept_on(const struct emu_parked *parked)
{
	if (emu_observed(parked->intercept))
		TELL(parked->intercept, slept_on, &parked->call,
			emu_loop_now_ns());
}

void emu_observe_counter(struct emu_intercept *intercept,
	const struct emu_object *eventfd, const struct emu_call *call,
	bool back)
{
	if (emu_observed(intercept))
		TELL(intercept, counter, eventfd, call, back,
			emu_loop_now_ns());
}

static void item_queued(void *ctx, const struct emu_item *item)
{
	struct emu_intercept *intercept = ctx;

	TELL(intercept, queued, emu_item_epoll(item), item, &intercept->cause,
		emu_loop_now_ns());
}

void emu_observe_made(struct emu_intercept *intercept,
	struct emu_object *object, const struct emu_call *call)
{
	if (!emu_observed(intercept))
		return;
	if (object->epoll)
		emu_epoll_observe(object->epoll, item_queued, intercept);
	TELL(intercept, object_made, object, call);
}

void emu_observe_object_gone(
	struct emu_intercept *intercept, const struct emu_object *object)
{
	if (emu_observed(intercept))
		TELL(intercept, object_gone, object);
}

void emu_observe_thread_seen(
	struct emu_intercept *intercept, struct emu_thread *thread)
{
	if (emu_observed(intercept))
		TELL(intercept, thread_seen, thread);
}

void emu_observe_thread_gone(
	struct emu_intercept *intercept, struct emu_thread *thread)
{
	if (emu_observed(intercept))
		TELL(intercept, thread_gone, thread);
}

/* A wake-up of a watched file is about to be served. */
static void stirred(struct emu_watches *set, const struct emu_watch *watch)
{
	struct emu_intercept *intercept =
		emu_container_of(set, struct emu_intercept, watches);
	struct emu_item_info info;

	emu_observe_cause(intercept,
		watch->signalfd ? EMU_CAUSE_SIGNALFD : EMU_CAUSE_FILE);
	intercept->cause.eventfd = watch->eventfd;
	if (watch->item) {
		emu_item_info(watch->item, &info);
		intercept->cause.fd = info.fd;
		intercept->cause.epoll = emu_item_epoll(watch->item);
	}
	if (emu_observed(intercept))
		TELL(intercept, stirred, &intercept->cause, emu_loop_now_ns());
}

void emu_observe_watches(struct emu_intercept *intercept)
{
	intercept->watches.stirred = stirred;
}
