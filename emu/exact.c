/* SPDX-License-Identifier: MIT */
/*
 * Which calls are held, so that their results cannot be lost (hold.c).
 *
 * Whether an answer was dropped cannot be asked afterwards: a thread that lost
 * its answer, and one that got it, made the same call again and was cut off
 * there before the supervisor received it, look the same. For a result that
 * took effect that is once too often or not at all.
 *
 * To hold a call takes several times as long as to answer it. It is done for a
 * thread that has just run a signal handler, and is likely to run more; for
 * all threads a while after a call went void before it was received, which may
 * have been anybody's, and after a thread was stopped and continued, where no
 * handler tells.
 *
 * A signal that nobody handles can do the same, without a handler to tell: it
 * is pending only if a thread has it blocked as it comes, and then any other
 * thread is woken to drop it. SIGCHLD is that signal, in programs of several
 * threads: posix_spawn(3) blocks all signals, and children end meanwhile. So
 * while a pidfd is watched a call is carried out at once only for a thread
 * that is seen asleep right before.
 */
#include <errno.h>

#include "supervisor.h"

/*
 * How long after a handler: so many times as long as after the one before it,
 * within bounds. A timer's signals, or those of a slow machine, may come in
 * any interval.
 */
#define INTERVALS 8
#define LEAST_NS 20000000u
#define MOST_NS 2000000000u
/* After a stop. */
#define STOP_NS 100000000u

/* So often in a row a thread that is about to sleep is not seen asleep. */
#define LOOKS 4

void emu_exact_handler(struct emu_thread *thread)
{
	uint64_t now_ns = emu_loop_now_ns();
	uint64_t for_ns = LEAST_NS;

	if (thread->handler_ns)
		for_ns = INTERVALS * (now_ns - thread->handler_ns);
	if (for_ns < LEAST_NS)
		for_ns = LEAST_NS;
	if (for_ns > MOST_NS)
		for_ns = MOST_NS;
	thread->handler_ns = now_ns;
	thread->exact_until_ns = now_ns + for_ns;
}

void emu_exact_stopped(struct emu_intercept *intercept)
{
	intercept->exact_until_ns = emu_loop_now_ns() + STOP_NS;
}

void emu_exact_unseen(struct emu_intercept *intercept)
{
	uint64_t until_ns = emu_loop_now_ns() + LEAST_NS;

	if (intercept->exact_until_ns < until_ns)
		intercept->exact_until_ns = until_ns;
}

/* It may have been woken by a signal already. */
static bool is_awake(struct emu_thread *thread)
{
	for (int i = 0; i < LOOKS; i++) {
		if (emu_target_asleep(thread))
			return false;
	}
	return true;
}

bool emu_exact_is_due(
	struct emu_intercept *intercept, const struct emu_call *call)
{
	struct emu_thread *thread = call->thread;
	uint64_t now_ns;

	if (call->stopped || call->again)
		return false;

	if (intercept->watches.pidfds && is_awake(thread))
		return true;
	if (!thread->exact_until_ns && !intercept->exact_until_ns)
		return false;
	now_ns = emu_loop_now_ns();
	if (now_ns >= thread->exact_until_ns)
		thread->exact_until_ns = 0;
	if (now_ns >= intercept->exact_until_ns)
		intercept->exact_until_ns = 0;
	return thread->exact_until_ns || intercept->exact_until_ns;
}

bool emu_exact_stop(
	struct emu_intercept *intercept, const struct emu_call *call)
{
	int rc = emu_hold_begin(intercept, call, EMU_HOLD_SERVE);

	if (rc == -ENOMEM && !call->thread->parked) {
		emu_dispatch_no_memory(intercept, call);
		return true;
	}
	/* A thread that cannot be traced has to do without. */
	return rc == 0;
}

bool emu_exact_hold(
	struct emu_intercept *intercept, const struct emu_call *call)
{
	return emu_exact_is_due(intercept, call) &&
	       emu_exact_stop(intercept, call);
}
