/* SPDX-License-Identifier: MIT */
/*
 * The supervisor's side: takes calls from the listener, and between them sees
 * to what the calls and the wake-ups left to do.
 *
 * One thread, no locks. A turn of the loop: wake-ups of watched files go to
 * the engine, which queues items and picks waiters; settle() serves the
 * waiters that were picked and the deadlines that came; then one call is
 * received and dispatched; settle() again. So a call always finds the engine
 * in a settled state, with everything known that happened before the call.
 */
#include "intercept.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/wait.h>
#include <unistd.h>

#include "arch.h"
#include "guard.h"
#include "notifier.h"
#include "observe.h"
#include "pages.h"
#include "slot.h"
#include "stop.h"
#include "supervisor.h"

/*
 * One of the deadlines that had expired when the first was looked for, which is
 * noted in *now_ns. What is done about them arms others, and may take longer
 * than until those expire: they wait for the next turn, lest this never ends.
 */
static bool serve_expired(struct emu_intercept *intercept, uint64_t *now_ns)
{
	struct emu_deadlines *deadlines = emu_loop_deadlines(intercept->loop);
	struct emu_deadline *deadline;

	if (emu_deadlines_next(deadlines) == EMU_DEADLINE_NEVER)
		return false;
	if (!*now_ns)
		*now_ns = emu_loop_now_ns();
	deadline = emu_deadlines_expired(deadlines, *now_ns);
	if (!deadline)
		return false;
	if (deadline == &intercept->housekeeping)
		emu_sweep_due(intercept);
	else if (deadline == &intercept->signalfd_tick)
		emu_signalfd_tick(intercept);
	else if (deadline == &intercept->exec_tick)
		emu_exec_tick(intercept);
	else if (deadline == &intercept->postponed_tick)
		emu_mend_tick(intercept);
	else
		emu_parked_serve(
			emu_container_of(deadline, struct emu_parked, deadline),
			true);
	return true;
}

/*
 * Epolls in epolls, and epolls whose placeholder needs the doorbell, show
 * wake-ups to whoever polls, at any time, and the order of events matters
 * across epolls.
 */
static void need_edges(struct emu_intercept *intercept)
{
	bool all = intercept->nested || intercept->coarse || intercept->mixed;

	if (!intercept->merged && (all || emu_edges_crowded(intercept->loop)))
		emu_intercept_merge_all(intercept);
	emu_edges_need_all(intercept->loop, all);
}

static void settle(struct emu_settle *settle)
{
	struct emu_intercept *intercept =
		emu_container_of(settle, struct emu_intercept, settle);
	uint64_t now_ns = 0;

	do {
		while (!emu_list_empty(&intercept->woken))
			emu_parked_serve(emu_container_of(intercept->woken.next,
						 struct emu_parked, woken_link),
				false);
	} while (serve_expired(intercept, &now_ns));
	emu_signalfd_arm(intercept);
	emu_sweep_settle(intercept);
	emu_placeholder_settle(&intercept->unsettled);
	need_edges(intercept);
}

static void foreign_arch(struct emu_intercept *intercept, struct emu_call *call)
{
	if (!intercept->warned_32bit) {
		intercept->warned_32bit = true;
		emu_logf(intercept->log,
			"thread %d runs 32-bit code: its epoll and eventfd "
			"calls go to the kernel, not to the emulation",
			(int)call->thread->tid);
	}
	emu_answer_continue(intercept, call);
}

void emu_intercept_call(struct emu_intercept *intercept, struct emu_call *call)
{
	if (emu_exec_arrival(intercept, call))
		return;
	if (call->kind == EMU_CALL_USERFAULTFD) {
		emu_faults_begin(&intercept->faults, call->thread);
		emu_notifier_continue(intercept->listener, call->id);
	} else if (call->kind == EMU_CALL_OTHER) {
		foreign_arch(intercept, call);
	} else {
		emu_dispatch(intercept, call);
	}
}

/* Which call it is, as far as anybody here is concerned. */
static enum emu_call_kind kind_of(const struct emu_notification *call)
{
	enum emu_call_kind kind = call->arch == emu_arch_audit
					  ? emu_arch_call(call->nr)
					  : EMU_CALL_OTHER;

	if (kind != EMU_CALL_OTHER)
		return kind;
	if (emu_arch_is_exec(call->arch, call->nr))
		return EMU_CALL_EXEC;
	return emu_arch_is_userfaultfd(call->arch, call->nr, call->args)
		       ? EMU_CALL_USERFAULTFD
		       : EMU_CALL_OTHER;
}

/*
 * No record of the thread can be had: it is gone, and the answer does nothing,
 * or there is no memory or no descriptor to look at it with.
 */
static void no_thread(struct emu_intercept *intercept,
	const struct emu_notification *notification)
{
	enum emu_call_kind kind = kind_of(notification);

	/* An execve() that is not known of is no better, see exec.c. */
	if (emu_call_is_epoll(kind) || kind == EMU_CALL_EXEC)
		emu_notifier_answer(
			intercept->listener, notification->id, -ENOMEM);
	else /* the kernel's own eventfds will do, and the rest is its own */
		emu_notifier_continue(intercept->listener, notification->id);
}

/*
 * Signals that came before a wait are for those who wait already, on the same
 * epoll perhaps. False as for catch_up().
 */
static bool serve_signals(
	struct emu_intercept *intercept, const struct emu_call *call)
{
	bool stops = call->thread->pwait || call->thread->hold;

	if (emu_list_empty(&intercept->signalfds) ||
		!emu_call_is_wait(call->kind))
		return true;
	emu_signalfd_caller(call->thread);
	emu_signalfd_look(intercept, NULL);
	if (emu_list_empty(&intercept->woken))
		return true;
	settle(&intercept->settle);
	return !stops || emu_notifier_valid(intercept->listener, call->id);
}

static void received(struct emu_intercept *intercept,
	const struct emu_notification *notification)
{
	struct emu_call call = {
		.id = notification->id,
		.nr = notification->nr,
		.ip = notification->ip,
	};

	call.thread = emu_threads_get(intercept->threads, notification->tid);
	if (!call.thread) {
		no_thread(intercept, notification);
		return;
	}
	if (!intercept->faults.program) /* its execve() is the first call */
		intercept->faults.program = call.thread->tgid;
	if (!call.thread->confirmed) {
		/* The id may have gone to another before we opened it. */
		if (!emu_notifier_valid(intercept->listener, call.id))
			return;
		call.thread->confirmed = true;
		emu_observe_thread_seen(intercept, call.thread);
		emu_sweep_note(intercept);
	}
	for (int i = 0; i < 6; i++)
		call.args[i] = notification->args[i];
	call.kind = kind_of(notification);
	if (serve_signals(intercept, &call))
		emu_intercept_call(intercept, &call);
	emu_observe_cause(intercept, EMU_CAUSE_UNKNOWN);
}

static bool may_be_stopped(struct emu_intercept *intercept, pid_t tid)
{
	struct emu_thread *thread = emu_threads_find(intercept->threads, tid);

	return thread && (thread->pwait || thread->hold);
}

/*
 * Brings everything up to date that happened before a call that was received.
 * False if that settled the call itself: a thread that sleeps under a lent
 * mask gets its result, or a signal, by way of a stop, which voids the call.
 */
static bool catch_up(struct emu_intercept *intercept,
	const struct emu_notification *notification)
{
	bool stops = may_be_stopped(intercept, notification->tid);

	emu_loop_drain(intercept->loop);
	settle(&intercept->settle);
	return !stops ||
	       emu_notifier_valid(intercept->listener, notification->id);
}

static void listener_ready(struct emu_source *source, uint32_t events)
{
	struct emu_intercept *intercept =
		emu_container_of(source, struct emu_intercept, source);
	struct emu_notification notification;
	bool expected;

	if (events & EPOLLHUP) {
		/* The last process under the filter has gone. */
		emu_loop_remove(intercept->loop, intercept->listener, source);
		intercept->finished(intercept->ctx);
		return;
	}
	/*
	 * EPOLLERR alone says nothing about the listener: the kernel gives it
	 * when a signal cut off its look at the filter's lock
	 * (seccomp_notify_poll()). The next sleep looks again.
	 */
	if (!(events & EPOLLIN))
		return;
	emu_exec_next_call(intercept);
	if (emu_notifier_receive(intercept->listener, &notification) < 0)
		return;
	expected = notification.id == intercept->next_id || !intercept->begun;
	intercept->next_id = notification.id + 1;
	intercept->begun = true;
	if (!expected) {
		/*
		 * A call went void before it was received, so this one may be
		 * younger than the wake-ups that were fetched: look again.
		 */
		intercept->unseen++;
		emu_exact_signal(intercept);
		if (!catch_up(intercept, &notification))
			return;
	}
	received(intercept, &notification);
}

void emu_intercept_reset_thread(
	struct emu_intercept *intercept, struct emu_thread *thread)
{
	emu_observe_cause(intercept, EMU_CAUSE_END);
	if (thread->parked) {
		emu_observe_finished(
			intercept, &thread->parked->call, EMU_END_GONE, 0);
		emu_parked_kill(thread->parked, true);
		emu_parked_destroy(thread->parked);
	}
	emu_deferred_drop(&intercept->postponed, thread);
	emu_voided_clear(thread);
	emu_pwait_forget(thread);
	emu_hold_forget(thread);
	emu_touch_forget(thread);
	emu_pages_forget(thread);
}

static void thread_gone(void *ctx, struct emu_thread *thread)
{
	struct emu_intercept *intercept = ctx;

	emu_intercept_reset_thread(intercept, thread);
	emu_exec_thread_gone(intercept, thread);
	emu_signalfd_caller(NULL);
	emu_signalfd_thread_gone(intercept, thread);
	emu_sweep_note(intercept);
	emu_observe_thread_gone(intercept, thread);
}

static long read_max_user_watches(void)
{
	FILE *file = fopen("/proc/sys/fs/epoll/max_user_watches", "re");
	long max = 0;

	if (file) {
		if (fscanf(file, "%ld", &max) != 1)
			max = 0;
		fclose(file);
	}
	return max > 0 ? max : 1000000;
}

static int start(struct emu_intercept *intercept)
{
	int rc = emu_guard_init();

	if (rc < 0)
		return rc;
	intercept->threads =
		emu_threads_create(intercept->loop, thread_gone, intercept);
	intercept->fdtable = emu_fdtable_create();
	if (!intercept->threads || !intercept->fdtable ||
		!emu_wait_make_room(intercept, EMU_EVENTS))
		return -ENOMEM;
	rc = emu_edges_open(&intercept->watches.edges, intercept->loop);
	if (rc < 0)
		return rc;
	intercept->source.ready = listener_ready;
	intercept->source.last = true;
	rc = emu_slot_reserve();
	if (rc < 0)
		return rc;
	emu_notifier_tune(intercept->listener);
	return emu_loop_add(intercept->loop, intercept->listener, EPOLLIN,
		&intercept->source);
}

struct emu_intercept *emu_intercept_create(struct emu_loop *loop, int listener,
	const struct emu_log *log, void (*finished)(void *ctx), void *ctx)
{
	struct emu_intercept *intercept = calloc(1, sizeof(*intercept));
	int rc;

	if (!intercept) {
		close(listener);
		return NULL;
	}
	intercept->loop = loop;
	intercept->listener = listener;
	intercept->log = log;
	intercept->finished = finished;
	intercept->ctx = ctx;
	intercept->settle.settle = settle;
	intercept->max_user_watches = read_max_user_watches();
	emu_list_init(&intercept->observers);
	emu_list_init(&intercept->parked);
	emu_list_init(&intercept->signalfds);
	emu_list_init(&intercept->woken);
	emu_list_init(&intercept->unsettled);
	emu_list_init(&intercept->execs);
	emu_list_init(&intercept->exec_ended);
	emu_list_init(&intercept->postponed);
	emu_deadline_init(&intercept->exec_tick);
	emu_deadline_init(&intercept->postponed_tick);
	emu_deadline_init(&intercept->housekeeping);
	emu_deadline_init(&intercept->signalfd_tick);
	emu_watches_init(&intercept->watches, loop);
	intercept->watches.poll_signalfd = emu_signalfd_poll;
	intercept->watches.free_signalfd = emu_signalfd_free;
	rc = start(intercept);
	if (rc < 0) {
		emu_logf(log,
			"cannot start the emulation: %s; check the limits of "
			"memory and open files",
			strerror(-rc));
		emu_intercept_destroy(intercept);
		return NULL;
	}
	emu_loop_set_settle(loop, &intercept->settle);
	return intercept;
}

static void retire_all(struct emu_intercept *intercept)
{
	for (int kind = 0; kind < EMU_KINDS; kind++) {
		while (emu_fdtable_count(
			intercept->fdtable, (enum emu_kind)kind))
			emu_object_retire(
				intercept, emu_fdtable_at(intercept->fdtable,
						   (enum emu_kind)kind, 0));
	}
}

void emu_intercept_destroy(struct emu_intercept *intercept)
{
	struct emu_user *user;

	if (!intercept)
		return;
	emu_loop_set_settle(intercept->loop, NULL);
	emu_threads_destroy(intercept->threads);
	emu_exec_finish(intercept);
	emu_touch_finish(intercept);
	emu_faults_finish(&intercept->faults);
	if (intercept->fdtable)
		retire_all(intercept);
	emu_fdtable_destroy(intercept->fdtable);
	emu_watches_finish(&intercept->watches);
	emu_loop_remove(
		intercept->loop, intercept->listener, &intercept->source);
	close(intercept->listener);
	emu_deadline_disarm(
		emu_loop_deadlines(intercept->loop), &intercept->housekeeping);
	emu_deadline_disarm(
		emu_loop_deadlines(intercept->loop), &intercept->signalfd_tick);
	emu_deadline_disarm(
		emu_loop_deadlines(intercept->loop), &intercept->exec_tick);
	emu_deadline_disarm(emu_loop_deadlines(intercept->loop),
		&intercept->postponed_tick);
	while ((user = intercept->users)) {
		intercept->users = user->next;
		free(user);
	}
	free(intercept->events);
	free(intercept->events_out);
	free(intercept);
}

bool emu_intercept_wait_status(
	struct emu_intercept *intercept, pid_t pid, int status)
{
	struct emu_thread *thread = emu_threads_find(intercept->threads, pid);

	if (thread && (emu_hold_status(intercept, thread, status) ||
			      emu_pwait_status(intercept, thread, status)))
		return true;
	/* One that was told to stop for what has come to nothing since. */
	return WIFSTOPPED(status) &&
	       emu_stop_let_go(pid, emu_stop_signal(status)) == 0;
}

static void kill_thread(void *ctx, struct emu_thread *thread)
{
	(void)ctx;
	emu_threads_kill(thread);
}

void emu_intercept_kill_all(struct emu_intercept *intercept)
{
	emu_threads_each(intercept->threads, kill_thread, NULL);
}

int emu_intercept_counts(const struct emu_intercept *intercept,
	struct emu_call_count *counts, int max)
{
	int n = 0;

	for (int kind = 0; kind < EMU_CALLS && n < max; kind++) {
		if (intercept->counts[kind].calls)
			counts[n++] = intercept->counts[kind];
	}
	return n;
}
