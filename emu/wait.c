/* SPDX-License-Identifier: MIT */
/*
 * epoll_wait(2), epoll_pwait(2), epoll_pwait2(2): ep_poll() of
 * fs/eventpoll.c (6.18).
 *
 * Events go out in two halves. The engine harvests them, they are written
 * into the target's buffer, the call is answered; only when the answer was
 * taken are they gone from the ready list. So neither an unmapped buffer nor
 * a signal nor kill -9 can lose one.
 */
#include <errno.h>
#include <stdlib.h>

#include "arch.h"
#include "notifier.h"
#include "observe.h"
#include "supervisor.h"
#include "taken.h"
#include "wait_args.h"

bool emu_wait_make_room(struct emu_intercept *intercept, int room)
{
	struct emu_event *events;
	char *out;

	if (room <= intercept->events_room)
		return true;
	events = realloc(
		intercept->events, (size_t)room * sizeof(struct emu_event));
	if (events)
		intercept->events = events;
	out = realloc(
		intercept->events_out, (size_t)room * emu_arch_event_size);
	if (out)
		intercept->events_out = out;
	if (!events || !out)
		return false;
	intercept->events_room = room;
	return true;
}

/*
 * The buffer grows with what there is, not with what a program has room for.
 * Each file is polled once: that may take away what it reports.
 */
static int take(
	struct emu_intercept *intercept, struct emu_object *object, int max)
{
	int queued = emu_epoll_queued(object->epoll);
	int room = max < queued ? max : queued;

	/* Without memory for all, the others are there at the next wait. */
	if (!emu_wait_make_room(intercept, room))
		room = intercept->events_room;
	return emu_epoll_harvest(object->epoll, intercept->events, room);
}

/*
 * Is anything on the ready list, with all that came before this call? The files
 * are not polled: some forget what they had to report when they are, so that is
 * done once, for who gets the events.
 */
static bool has_some(struct emu_intercept *intercept, struct emu_object *object)
{
	emu_intercept_drain(intercept, object);
	return emu_epoll_available(object->epoll);
}

/* The same for a call that has slept: signals may have come since. */
static bool has_some_now(struct emu_parked *parked)
{
	if (!emu_list_empty(&parked->intercept->signalfds))
		emu_signalfd_look(parked->intercept, parked->object->epoll);
	return has_some(parked->intercept, parked->object);
}

/* After that: harvests up to `max` events into intercept->events. */
static int harvest(
	struct emu_intercept *intercept, struct emu_object *object, int max)
{
	int n;

	if (!emu_epoll_available(object->epoll))
		return 0;
	if (intercept->nested)
		emu_sweep_nested(intercept);
	emu_placeholder_look(object, &intercept->watches, max);
	n = take(intercept, object, max);
	emu_placeholder_looked(&intercept->watches);
	/* A poll of the epoll right after the call sees what this one saw. */
	if (!emu_list_empty(&intercept->signalfds))
		emu_placeholder_settle(&intercept->unsettled);
	return n;
}

/*
 * Writes `n` harvested events to the target. Returns how many are whole
 * there, or -EFAULT if not even one, as ep_send_events() does; -EPERM when the
 * target may not be reached any more.
 */
static int store(
	struct emu_intercept *intercept, const struct emu_call *call, int n)
{
	size_t size = emu_arch_event_size;
	ssize_t written;

	for (int i = 0; i < n; i++)
		emu_arch_event_store(intercept->events_out + (size_t)i * size,
			&intercept->events[i]);
	written = emu_target_write(call->thread, call->args[1],
		intercept->events_out, (size_t)n * size);
	if (written == -EPERM)
		emu_answer_tell_denied(intercept, call);
	if (written < (ssize_t)size)
		return written == -EPERM ? -EPERM : -EFAULT;
	return (int)((size_t)written / size);
}

/*
 * What polls have taken away for all but the first `delivered` of `n` harvested
 * events is still to be reported.
 */
static void restore(struct emu_intercept *intercept, struct emu_object *object,
	int n, int delivered)
{
	const struct emu_item *item = NULL;
	struct emu_item_info info;

	for (int i = 0; i < n && delivered < n; i++) {
		item = emu_epoll_harvested(object->epoll, item);
		emu_item_info(item, &info);
		if (i >= delivered && emu_file_is_watch(info.file))
			emu_taken_restore(emu_watch_of_file(info.file),
				intercept->events[i].events);
	}
}

/* Of `n` harvested events so many reached the program. */
static void commit(struct emu_intercept *intercept, struct emu_object *object,
	int n, int delivered)
{
	restore(intercept, object, n, delivered);
	object->deliveries += delivered > 0;
	emu_epoll_commit(object->epoll, delivered);
	emu_placeholder_taken(object);
}

/* Answers with `n` harvested events, and settles what became of them. */
static int deliver(struct emu_intercept *intercept, const struct emu_call *call,
	struct emu_object *object, int n)
{
	int result = store(intercept, call, n);
	int rc = emu_answer(intercept, call, result);

	commit(intercept, object, n, rc == 0 && result > 0 ? result : 0);
	return rc;
}

static void woken(struct emu_waiter *waiter)
{
	emu_parked_woken(emu_container_of(waiter, struct emu_parked, waiter));
}

/* Among those that wait, where it may be already, and until its deadline. */
static void queue_up(struct emu_parked *parked)
{
	if (emu_list_empty(&parked->waiter.wait.link)) {
		parked->shared = 0;
		emu_epoll_wait_begin(
			parked->object->epoll, &parked->waiter, woken);
	}
	if (!parked->deadline.armed)
		emu_deadline_arm(emu_loop_deadlines(parked->intercept->loop),
			&parked->deadline, parked->at_ns);
}

static void sleep_on(struct emu_parked *parked)
{
	queue_up(parked);
	emu_observe_parked(parked, parked->at_ns);
}

/* Notes whether more than one process waits on the epoll. */
static void note_process(struct emu_object *object, struct emu_thread *thread)
{
	pid_t process = thread->tgid;

	if (!object->process)
		object->process = process;
	object->many = object->many || object->process != process;
}

/*
 * A thread that was killed still counts as waiting until it runs again to
 * die. What it was given then would be lost to the other processes.
 */
static bool still_waits(const struct emu_parked *parked)
{
	return emu_parked_valid(parked) &&
	       !(parked->object->many &&
		       emu_target_killed(parked->call.thread));
}

static void park(struct emu_intercept *intercept, struct emu_call *call,
	struct emu_object *object, const struct emu_wait_args *wait)
{
	struct emu_parked *parked;
	int rc;

	if (call->stopped) { /* made again, it sleeps */
		emu_voided_add(intercept, call, EMU_VOID_HELD, 0);
		return;
	}
	parked = emu_parked_create(intercept, call, object);
	if (!parked) {
		emu_answer_plain(intercept, call, -ENOMEM);
		return;
	}
	parked->at_ns = wait->at_ns;
	note_process(object, call->thread);
	/* Whoever sees it asleep may go by that: first it has its place. */
	sleep_on(parked);
	rc = emu_pwait_lend(parked, wait->has_mask ? &wait->mask : NULL);
	if (rc == 0)
		return;
	emu_parked_destroy(parked);
	emu_answer_plain(intercept, call, rc);
}

/*
 * Is there an event on the ready list, and not only an item whose event has
 * gone by, or is for others? Such an item leaves the list now: by the time the
 * thread has stopped, the next call would have found it.
 */
static bool has_ready(
	struct emu_intercept *intercept, struct emu_object *object)
{
	int n = harvest(intercept, object, 1);

	if (n > 0) {
		restore(intercept, object, n, 0);
		emu_epoll_put_back(object->epoll);
		emu_placeholder_taken(object);
	}
	return n > 0;
}

/* It is stopped first: for who looks on, or so that no events are lost. */
static bool is_held(struct emu_intercept *intercept, struct emu_call *call,
	struct emu_object *object, const struct emu_wait_args *wait)
{
	bool some = has_some(intercept, object);
	bool due;

	if (some && emu_touch_first(intercept, call, object))
		return true;
	due = some && emu_exact_is_due(intercept, call);
	/* A signal that comes from here on is no reason for it to fail. */
	call->had_events = (due || (some && emu_observed(intercept))) &&
			   has_ready(intercept, object);
	if ((some || !wait->block) && emu_look(intercept, call))
		return true;
	return due && call->had_events && emu_exact_stop(intercept, call);
}

void emu_call_epoll_wait(struct emu_intercept *intercept, struct emu_call *call)
{
	struct emu_object *object = emu_dispatch_epoll(intercept, call);
	struct emu_wait_args wait;
	bool held;
	int n;
	int rc;

	if (!object)
		return;
	rc = emu_wait_args_read(&wait, call);
	if (rc < 0) {
		if (!emu_look(intercept, call))
			emu_answer_plain(intercept, call, rc);
		return;
	}
	object->pins++; /* another thread may close it just now */
	held = is_held(intercept, call, object, &wait);
	n = held ? 0 : harvest(intercept, object, wait.maxevents);
	emu_placeholder_taken(object);
	object->pins--;
	if (held)
		return;
	if (n > 0) {
		if (deliver(intercept, call, object, n) < 0)
			emu_voided_add(intercept, call, EMU_VOID_AGAIN, 0);
	} else if (!wait.block) {
		emu_answer_plain(intercept, call, 0);
	} else {
		park(intercept, call, object, &wait);
	}
}

bool emu_wait_would_sleep(
	struct emu_intercept *intercept, const struct emu_call *call)
{
	struct emu_object *object;

	if (call->kind != EMU_CALL_EPOLL_PWAIT2 && emu_call_int(call, 3) == 0)
		return false;
	return emu_fdtable_find(intercept->fdtable, call->thread,
		       emu_call_int(call, 0), EMU_KIND_EPOLL, &object) == 1 &&
	       !has_some(intercept, object);
}

bool emu_wait_has_events(
	struct emu_intercept *intercept, const struct emu_call *call)
{
	struct emu_object *object;
	bool has;

	if (emu_fdtable_find(intercept->fdtable, call->thread,
		    emu_call_int(call, 0), EMU_KIND_EPOLL, &object) != 1)
		return false;
	object->pins++; /* another thread may close it just now */
	has = has_some(intercept, object) && has_ready(intercept, object);
	object->pins--;
	return has;
}

/*
 * What a wake or the deadline brought. The answer may find that the call went
 * void: then it is remembered as a call that was cut off, if it was not made
 * again by the time the thread is heard of.
 */
static void conclude(struct emu_parked *parked, int n)
{
	struct emu_intercept *intercept = parked->intercept;
	int rc = n > 0 ? deliver(intercept, &parked->call, parked->object, n)
		       : emu_answer(intercept, &parked->call, 0);

	if (rc == 0)
		emu_parked_destroy(parked);
	else
		emu_parked_kill(parked, true);
}

/* The thread left the call. */
static void left(struct emu_parked *parked)
{
	if (!parked->call.thread->pwait)
		emu_parked_kill(parked, true);
	else if (parked->waiter.epoll) /* its stop is yet to come */
		emu_parked_pass_on(parked);
}

/* Events for it, if there are any; they are not taken yet. */
static int look(struct emu_parked *parked)
{
	int n = harvest(parked->intercept, parked->object,
		emu_call_int(&parked->call, 2));

	emu_placeholder_taken(parked->object);
	return n;
}

/* It was woken in vain. */
static void slept_on(struct emu_parked *parked)
{
	queue_up(parked);
	emu_observe_slept_on(parked);
}

void emu_wait_serve(struct emu_parked *parked, bool expired)
{
	struct emu_intercept *intercept = parked->intercept;
	bool some;
	int n;

	emu_list_remove(&parked->woken_link);
	parked->expired = parked->expired || expired;
	/* Its thread is being stopped, will make it again, or is left alone. */
	if (parked->call.thread->hold || parked->resumes ||
		emu_exec_keeps_parked(parked))
		return;
	if (!still_waits(parked)) {
		left(parked);
		return;
	}
	some = has_some_now(parked);
	parked->delayed = some && emu_touch_first(intercept, &parked->call,
					  parked->object);
	if (parked->delayed)
		return;
	if (parked->call.thread->pwait) {
		if (parked->expired ||
			(some && has_ready(intercept, parked->object)))
			emu_pwait_serve(parked);
		else
			slept_on(parked);
		return;
	}
	if (some && emu_exact_is_due(intercept, &parked->call) &&
		has_ready(intercept, parked->object) &&
		emu_exact_stop(intercept, &parked->call))
		return;
	n = look(parked);
	if (n == 0 && !parked->expired)
		slept_on(parked);
	else
		conclude(parked, n);
}

bool emu_wait_serve_stopped(struct emu_parked *parked)
{
	int n;

	has_some_now(parked);
	n = look(parked);
	if (n == 0 && !parked->expired)
		return false;
	parked->call.stopped = true;
	conclude(parked, n);
	return true;
}

void emu_wait_resume(struct emu_parked *parked, const struct emu_call *call)
{
	parked->call.id = call->id;
	parked->call.stopped = false;
	parked->resumes = false;
	if (parked->expired || has_some_now(parked))
		emu_wait_serve(parked, false);
	else
		sleep_on(parked); /* in its place, if it has kept it */
}
