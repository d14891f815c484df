/* SPDX-License-Identifier: MIT */
/*
 * The one place where a call ends. Every answer passes here, so this is where
 * an observer sees the finished call.
 *
 * An answer is a transaction: the kernel may have voided the call meanwhile,
 * for a signal or because the thread died, and says so only when the answer
 * is sent. Nothing reached the program then. What that means depends on the
 * call; see enum emu_void. A call that is served in a stop of its thread is
 * answered by the thread's registers.
 */
#include <errno.h>

#include "arch.h"
#include "notifier.h"
#include "observe.h"
#include "supervisor.h"

void emu_answer_tally(struct emu_intercept *intercept,
	const struct emu_call *call, int64_t result)
{
	struct emu_call_count *counts = &intercept->counts[call->kind];

	counts->name = emu_call_name(call->kind);
	counts->calls++;
	if (result < 0)
		counts->errors++;
}

static int answer(struct emu_intercept *intercept, const struct emu_call *call,
	enum emu_end how, int64_t result)
{
	int rc;

	if (call->stopped)
		rc = emu_arch_set_result(call->thread->tid, call->ip, result);
	else
		rc = emu_notifier_answer(intercept->listener, call->id, result);
	if (rc < 0)
		return -ENOENT;
	if (!call->stopped)
		emu_voided_note_answer(intercept, call, result, false);
	emu_answer_tally(intercept, call, result);
	emu_observe_finished(intercept, call, how, result);
	return 0;
}

int emu_answer(struct emu_intercept *intercept, const struct emu_call *call,
	int64_t result)
{
	return answer(intercept, call, EMU_END_ANSWERED, result);
}

void emu_answer_plain(struct emu_intercept *intercept,
	const struct emu_call *call, int64_t result)
{
	if (emu_answer(intercept, call, result) < 0)
		emu_voided_add(intercept, call, EMU_VOID_AGAIN, 0);
}

void emu_answer_done(struct emu_intercept *intercept,
	const struct emu_call *call, int64_t result)
{
	if (emu_answer(intercept, call, result) < 0)
		emu_voided_add(intercept, call, EMU_VOID_DONE, result);
}

void emu_answer_given(struct emu_intercept *intercept,
	const struct emu_call *call, int number, bool sent)
{
	if (sent) {
		emu_answer_tally(intercept, call, number);
		emu_observe_finished(intercept, call, EMU_END_GIVEN, number);
	} else if (answer(intercept, call, EMU_END_GIVEN, number) < 0) {
		emu_voided_add(intercept, call, EMU_VOID_DONE, number);
	}
}

void emu_answer_continue(
	struct emu_intercept *intercept, const struct emu_call *call)
{
	if (call->stopped) /* the thread makes it again */
		emu_voided_add(intercept, call, EMU_VOID_HELD, 0);
	else if (emu_notifier_continue(intercept->listener, call->id) < 0)
		emu_voided_add(intercept, call, EMU_VOID_AGAIN, 0);
	else
		emu_observe_finished(intercept, call, EMU_END_CONTINUED, 0);
}

void emu_answer_full(struct emu_intercept *intercept)
{
	if (intercept->warned_full)
		return;
	intercept->warned_full = true;
	emu_logf(intercept->log,
		"the supervisor is out of descriptors: raise the hard limit "
		"(ulimit -Hn) before starting epemu");
}

void emu_answer_tell_denied(
	struct emu_intercept *intercept, const struct emu_call *call)
{
	if (intercept->warned_denied)
		return;
	intercept->warned_denied = true;
	emu_logf(intercept->log,
		"thread %d may not be traced (another user, or not "
		"dumpable): its epoll calls fail with EPERM; run "
		"epemu as root to allow it",
		(int)call->thread->tid);
}

void emu_answer_denied(
	struct emu_intercept *intercept, const struct emu_call *call)
{
	emu_answer_tell_denied(intercept, call);
	emu_answer_plain(intercept, call, -EPERM);
}
