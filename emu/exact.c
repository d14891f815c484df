/* SPDX-License-Identifier: MIT */
/*
 * Which calls are held, so that their results cannot be lost (hold.c).
 *
 * The kernel takes an answer also when a signal has just ended the thread's
 * sleep: the thread runs, and waits for the listener's lock to take its call
 * back, and SEND has the lock before it. Whether an answer was dropped so
 * cannot be asked afterwards: a thread that lost its answer, and one that got
 * it, made the same call again and was cut off there before the supervisor
 * received it, look the same. For a result that took effect that is once too
 * often or not at all.
 *
 * To hold a call takes several times as long as to answer it. It is done for
 * all threads a while after any of them ran a signal handler; after a call
 * went void before it was received; and after a thread was stopped and
 * continued, where no handler tells. To hold only the thread that the signal
 * was for, or only for some times as long as lies between two signals, is not
 * enough: the next may come to any thread, at any time.
 *
 * A signal that nobody handles can do the same, without a handler to tell: it
 * is pending only if a thread has it blocked as it comes, and then any other
 * thread is woken to drop it. SIGCHLD is that signal, in programs of several
 * threads: posix_spawn(3) blocks all signals, and children end meanwhile. So
 * while a pidfd is watched a call is carried out at once only for a thread
 * that sleeps, as ps(1) shows it, right before. One that a signal has woken
 * does not: it is ready to run, or in an uninterruptible sleep for the lock.
 */
#include <errno.h>

#include "supervisor.h"

/* So long after the last sign of a signal. */
#define HOLD_NS 2000000000u

/* A thread that is about to sleep is looked at so often. */
#define LOOKS 4

void emu_exact_signal(struct emu_intercept *intercept)
{
	intercept->exact_until_ns = emu_loop_now_ns() + HOLD_NS;
}

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
	if (call->stopped || call->again)
		return false;
	if (intercept->exact_until_ns &&
		emu_loop_now_ns() >= intercept->exact_until_ns)
		intercept->exact_until_ns = 0;
	return intercept->exact_until_ns ||
	       (intercept->watches.pidfds && is_awake(call->thread));
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
