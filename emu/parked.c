/* SPDX-License-Identifier: MIT */
/*
 * Parked calls: those that sleep until something happens.
 *
 * A thread has at most one. It is born when a call has to sleep, and ends
 * when it is answered, or when it turns out that its thread is no longer in
 * it: the kernel does not tell when a signal takes a thread out of a trapped
 * call, so this is found out when a wake chooses the call, when the thread
 * makes another call, or when it ends. Until then the dead one may sit on a
 * queue; it does no harm there, because whoever chooses it looks first.
 */
#include <stdlib.h>
#include <unistd.h>

#include "notifier.h"
#include "observe.h"
#include "supervisor.h"

/* More, or fewer, waits are parked. */
static void count_sleepers(struct emu_parked *parked, int change)
{
	struct emu_intercept *intercept = parked->intercept;

	if (!emu_parked_is_wait(parked))
		return;
	intercept->sleepers += (size_t)change;
	emu_edges_wait(parked->object->edges, change);
}

void emu_intercept_drain(
	struct emu_intercept *intercept, struct emu_object *object)
{
	if (intercept->mixed)
		emu_edges_drain_all(intercept->loop);
	else
		emu_edges_drain(object->edges);
}

int emu_intercept_merge(
	struct emu_intercept *intercept, struct emu_object *object)
{
	struct emu_edges *together = &intercept->watches.edges;
	int waiting = (int)object->own.waiting;
	int rc = 0;

	if (object->edges == together)
		return 0;
	if (object->own.loop)
		rc = emu_watches_move(
			&intercept->watches, &object->own, together);
	if (rc < 0) {
		intercept->mixed = true;
		return rc;
	}
	object->edges = together;
	emu_edges_wait(together, waiting);
	emu_edges_wait(&object->own, -waiting);
	emu_edges_close(&object->own);
	return 0;
}

void emu_intercept_merge_all(struct emu_intercept *intercept)
{
	const struct emu_fdtable *table = intercept->fdtable;
	size_t count = emu_fdtable_count(table, EMU_KIND_EPOLL);

	intercept->merged = true;
	for (size_t i = 0; i < count; i++)
		emu_intercept_merge(
			intercept, emu_fdtable_at(table, EMU_KIND_EPOLL, i));
	emu_edges_uncrowd(intercept->loop);
}

struct emu_parked *emu_parked_create(struct emu_intercept *intercept,
	const struct emu_call *call, struct emu_object *object)
{
	struct emu_parked *parked = calloc(1, sizeof(*parked));

	if (!parked)
		return NULL;
	parked->intercept = intercept;
	parked->call = *call;
	parked->object = object;
	parked->since_ns = emu_loop_now_ns();
	parked->counter_fd = -1;
	parked->at_ns = EMU_DEADLINE_NEVER;
	emu_list_init(&parked->woken_link);
	emu_deadline_init(&parked->deadline);
	emu_wait_init(&parked->waiter.wait, NULL);
	emu_wait_init(&parked->wait, NULL);
	emu_list_add_tail(&parked->link, &intercept->parked);
	object->pins++;
	count_sleepers(parked, 1);
	call->thread->parked = parked;
	return parked;
}

bool emu_parked_is_wait(const struct emu_parked *parked)
{
	return emu_call_is_wait(parked->call.kind);
}

void emu_parked_woken(struct emu_parked *parked)
{
	const struct emu_watch *watch = parked->intercept->watches.waking;

	parked->shared = watch ? emu_watch_tag(watch) : 0;
	emu_observe_woken(parked);
	emu_list_remove(&parked->woken_link);
	emu_list_add_tail(&parked->woken_link, &parked->intercept->woken);
}

bool emu_parked_valid(const struct emu_parked *parked)
{
	return emu_notifier_valid(parked->intercept->listener, parked->call.id);
}

void emu_parked_pass_on(struct emu_parked *parked)
{
	struct emu_watch *watch;

	if (emu_epoll_wait_end(&parked->waiter, true) || !parked->shared)
		return;
	watch = emu_watches_find(&parked->intercept->watches, parked->shared);
	parked->shared = 0;
	if (watch)
		emu_watch_pass_on(watch, parked->object->epoll);
}

void emu_parked_kill(struct emu_parked *parked, bool pass_on)
{
	if (parked->dead)
		return;
	parked->dead = true;
	emu_deadline_disarm(
		emu_loop_deadlines(parked->intercept->loop), &parked->deadline);
	emu_list_remove(&parked->woken_link);
	if (parked->waiter.epoll && pass_on)
		emu_parked_pass_on(parked);
	else if (parked->waiter.epoll)
		emu_epoll_wait_end(&parked->waiter, false);
	emu_waitq_remove(&parked->wait);
	if (parked->counter_fd >= 0)
		close(parked->counter_fd);
	parked->counter_fd = -1;
	count_sleepers(parked, -1);
	parked->object->pins--;
	parked->object = NULL;
	parked->call.object = NULL;
}

void emu_parked_interrupted(struct emu_parked *parked)
{
	emu_parked_kill(parked, true);
	emu_voided_add(parked->intercept, &parked->call,
		emu_parked_is_wait(parked) ? EMU_VOID_WAIT : EMU_VOID_SLEPT, 0);
	emu_parked_destroy(parked);
}

void emu_parked_destroy(struct emu_parked *parked)
{
	emu_parked_kill(parked, false);
	if (parked->call.thread->parked == parked)
		parked->call.thread->parked = NULL;
	emu_list_remove(&parked->link);
	free(parked);
}

void emu_parked_serve(struct emu_parked *parked, bool expired)
{
	struct emu_intercept *intercept = parked->intercept;

	if (expired) {
		emu_observe_cause(intercept, EMU_CAUSE_DEADLINE);
		emu_observe_woken(parked);
	}
	emu_observe_cause_call(intercept, &parked->call);
	emu_signalfd_caller(parked->call.thread);
	if (emu_parked_is_wait(parked))
		emu_wait_serve(parked, expired);
	else
		emu_rw_serve(parked);
	emu_observe_cause(intercept, EMU_CAUSE_UNKNOWN);
}
