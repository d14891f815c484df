/* SPDX-License-Identifier: MIT */
/*
 * Answers that cannot be lost.
 *
 * The kernel takes an answer also when a signal has just ended the thread's
 * sleep, and drops it then (see voided.c). Whether it was dropped cannot be
 * asked afterwards: a thread that lost its answer, and one that got it, made
 * the same call again and was cut off there before the supervisor received
 * it, look the same. For a result that took effect that is once too often or
 * not at all.
 *
 * So a thread that has just run a signal handler, and is likely to run more,
 * gets such results another way: it is seized, stopped in the call (which is
 * void then), the result is put into its registers, and it is let go. That
 * takes several times as long as an answer. All threads get theirs so for a
 * while after a call went void before it was received, which may have been
 * anybody's, and after a thread was stopped and continued, where no handler
 * tells.
 *
 * A signal that nobody handles can do the same, without a handler to tell: it
 * is pending only if a thread has it blocked as it comes, and then any other
 * thread is woken to drop it. SIGCHLD is that signal, in programs of several
 * threads: posix_spawn(3) blocks all signals, and children end meanwhile. So
 * while a pidfd is watched an answer goes out only to a thread that is seen
 * asleep right before; one that is not gets it in a stop, too.
 */
#include <errno.h>
#include <sys/ptrace.h>

#include "arch.h"
#include "notifier.h"
#include "stop.h"
#include "supervisor.h"

/* How long after a handler, and after a stop. */
#define HANDLER_NS 20000000u
#define STOP_NS 100000000u

/* So often in a row a thread that is about to sleep is not seen asleep. */
#define LOOKS 4

void emu_exact_handler(struct emu_thread *thread)
{
	thread->exact_until_ns = emu_loop_now_ns() + HANDLER_NS;
}

void emu_exact_stopped(struct emu_intercept *intercept)
{
	intercept->exact_until_ns = emu_loop_now_ns() + STOP_NS;
}

void emu_exact_unseen(struct emu_intercept *intercept)
{
	uint64_t until_ns = emu_loop_now_ns() + HANDLER_NS;

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
	struct emu_intercept *intercept, struct emu_thread *thread)
{
	uint64_t now_ns;

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

int emu_exact_answer(struct emu_intercept *intercept,
	const struct emu_call *call, int64_t result)
{
	pid_t tid = call->thread->tid;
	bool valid;
	int status;
	int rc;

	if (call->thread->pwait || emu_stop_seize(call->thread) < 0)
		return -EPERM;
	/*
	 * From here on a signal stops it before a handler runs, and one that
	 * is ignored, which would have been thrown away, stops it as well. It
	 * can have a result in that stop. But where a handler ran before, the
	 * thread may be anywhere.
	 */
	valid = emu_notifier_valid(intercept->listener, call->id);
	emu_stop_request(PTRACE_INTERRUPT, tid, 0, NULL);
	if (!(valid ? emu_stop_wait(tid, &status)
		    : emu_stop_wait_running(call->thread, &status)))
		return -ENOENT;
	rc = -ENOENT;
	if (valid || emu_arch_is_cut_off(tid, call))
		rc = emu_arch_set_result(tid, call->ip, result);
	emu_stop_let_go(tid, emu_stop_signal(status));
	return rc < 0 ? -ENOENT : 0;
}
