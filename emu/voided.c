/* SPDX-License-Identifier: MIT */
/*
 * Calls that signals cut off.
 *
 * A thread that waits for the supervisor sleeps interruptibly. A signal ends
 * that sleep: the kernel drops the notification and then either has the call
 * fail with EINTR or makes it again (no handler, or one with SA_RESTART).
 * That is right for a read() that slept, and wrong for all else here:
 * epoll_wait() never restarts, epoll_ctl() never fails with EINTR, and what
 * took effect must not happen twice. So each such call is remembered with
 * what ought to become of it, and set right at the first opportunity:
 *
 *   a handler ran    it ends with rt_sigreturn(), which is trapped. The
 *                    frame on the stack holds the registers that the thread
 *                    will go on with; if they are those of the remembered
 *                    call, instruction pointer and result are changed there
 *   no handler ran   (SIGSTOP and SIGCONT, a debugger) the same thread makes
 *                    the same call again with nothing between
 *
 * Handlers nest, and a handler may leave by longjmp(); so the remembered
 * calls form a stack, newest first, and one that is passed over is dropped.
 */
#include <errno.h>
#include <stdlib.h>

#include "arch.h"
#include "observe.h"
#include "voided.h"

/* More than this many deep, the oldest are forgotten. */
#define MAX_VOIDED 16

bool emu_voided_reserve(struct emu_thread *thread)
{
	if (!thread->answers)
		thread->answers = calloc(1, sizeof(*thread->answers));
	if (!thread->voided_spare)
		thread->voided_spare = calloc(1, sizeof(*thread->voided_spare));
	return thread->answers && thread->voided_spare;
}

/* A remembered call is not needed any more: its room is, for the next. */
static void discard(struct emu_thread *thread, struct emu_voided *voided)
{
	if (thread->voided_spare)
		free(voided);
	else
		thread->voided_spare = voided;
}

void emu_voided_note_answer(struct emu_intercept *intercept,
	const struct emu_call *call, int64_t result, bool kernels)
{
	struct emu_answers *answers = call->thread->answers;

	if (!emu_voided_reserve(call->thread) && !answers)
		return;
	answers = call->thread->answers;
	answers->answers[answers->next].call = emu_call_keep(call);
	answers->answers[answers->next].result = result;
	answers->answers[answers->next].unseen = intercept->unseen;
	answers->answers[answers->next].given = true;
	answers->answers[answers->next].kernels = kernels;
	answers->next = (answers->next + 1) % ANSWERS;
}

uint64_t emu_voided_handled(const struct emu_thread *thread, const void *bytes)
{
	uint64_t blocked;

	if (emu_target_status(thread, "SigBlk", &blocked) < 0)
		return 0;
	return blocked & ~emu_arch_frame_mask(bytes);
}

/*
 * For those who look on: the signal whose handler is about to return; 0 when
 * that is not one signal, or nothing can be said.
 */
static int interrupting(
	struct emu_intercept *intercept, const struct emu_call *interrupted)
{
	const struct emu_call *now = intercept->cause.call;
	char bytes[1024];
	uint64_t blocked;
	uint64_t sp;

	if (!emu_observed(intercept) ||
		intercept->cause.kind != EMU_CAUSE_CALL ||
		now->kind != EMU_CALL_RT_SIGRETURN ||
		now->thread != interrupted->thread ||
		emu_target_stack(now->thread, &sp) < 0 ||
		emu_target_read(now->thread, sp, bytes, emu_arch_frame_size) <
			0)
		return 0;
	blocked = emu_voided_handled(now->thread, bytes);
	return blocked && !(blocked & (blocked - 1))
		       ? 1 + __builtin_ctzll(blocked)
		       : 0;
}

void emu_voided_observe(struct emu_intercept *intercept,
	const struct emu_call *call, enum emu_void why, int64_t result)
{
	if (why == EMU_VOID_DONE)
		emu_observe_finished(intercept, call, EMU_END_LATE, result);
	else if (why == EMU_VOID_AGAIN)
		emu_observe_finished(intercept, call, EMU_END_VOIDED, 0);
	else
		emu_observe_interrupted(
			intercept, call, -EINTR, interrupting(intercept, call));
}

void emu_voided_remember(
	const struct emu_call *call, enum emu_void why, int64_t result)
{
	struct emu_thread *thread = call->thread;
	struct emu_voided **tail = &thread->voided;
	struct emu_voided *voided;

	emu_voided_reserve(thread);
	voided = thread->voided_spare;
	if (!voided)
		return;
	thread->voided_spare = NULL;
	voided->call = emu_call_keep(call);
	voided->why = why;
	voided->result = result;
	voided->fresh = true;
	voided->next = thread->voided;
	thread->voided = voided;
	for (int i = 0; i < MAX_VOIDED && *tail; i++)
		tail = &(*tail)->next;
	if (*tail)
		discard(thread, *tail);
	*tail = NULL;
}

void emu_voided_add(struct emu_intercept *intercept,
	const struct emu_call *call, enum emu_void why, int64_t result)
{
	if (!emu_voided_is_undecided(why))
		emu_voided_observe(intercept, call, why, result);
	else
		emu_observe_put_off(intercept, call);
	emu_voided_remember(call, why, result);
}

void emu_voided_pop(struct emu_thread *thread)
{
	struct emu_voided *voided = thread->voided;

	thread->voided = voided->next;
	discard(thread, voided);
}

void emu_voided_clear(struct emu_thread *thread)
{
	while (thread->voided)
		emu_voided_pop(thread);
	free(thread->voided_spare);
	thread->voided_spare = NULL;
	free(thread->answers);
	thread->answers = NULL;
}

/* The thread left the call that it was parked in. */
static bool parked_arrival(
	struct emu_intercept *intercept, struct emu_call *call)
{
	struct emu_parked *parked = call->thread->parked;
	bool is_wait = emu_parked_is_wait(parked);
	bool ours = call->thread->pwait || parked->resumes;

	if (!emu_call_repeats(call, &parked->call)) {
		emu_parked_interrupted(parked);
		return false;
	}
	if (!ours)
		emu_exact_signal(intercept);
	emu_observe_again(intercept, call, parked->call.id, false);
	if (is_wait && ours && !parked->dead) {
		emu_wait_resume(parked, call);
		return true;
	}
	emu_parked_kill(parked, true);
	emu_parked_destroy(parked);
	if (!is_wait)
		return false;
	/* Stopped and continued: no restart for epoll_wait() (signal(7)). */
	if (emu_answer(intercept, call, -EINTR) < 0)
		emu_voided_add(intercept, call, EMU_VOID_WAIT, 0);
	return true;
}

/* The thread makes the same call: it has had the answer to the last one. */
static void forget_answers(const struct emu_call *call)
{
	struct emu_answers *answers = call->thread->answers;

	for (unsigned int i = 0; answers && i < ANSWERS; i++) {
		if (emu_call_repeats(call, &answers->answers[i].call))
			answers->answers[i].given = false;
	}
}

bool emu_voided_arrival(struct emu_intercept *intercept, struct emu_call *call)
{
	struct emu_voided *voided;
	enum emu_void why;
	int64_t result;

	forget_answers(call);
	if (call->thread->parked && parked_arrival(intercept, call))
		return true;
	voided = call->thread->voided;
	if (!voided || !voided->fresh)
		return false;
	voided->fresh = false;
	if (!emu_call_repeats(call, &voided->call))
		return false;
	why = voided->why;
	result = voided->result;
	call->again = why == EMU_VOID_HELD;
	if (!emu_voided_is_undecided(why))
		emu_exact_signal(intercept);
	emu_observe_again(intercept, call, voided->call.id,
		why == EMU_VOID_DONE || why == EMU_VOID_WAIT);
	emu_voided_pop(call->thread);
	if (why == EMU_VOID_DONE)
		emu_answer_done(intercept, call, result);
	else if (why == EMU_VOID_WAIT)
		emu_answer_plain(intercept, call, -EINTR);
	return why == EMU_VOID_DONE || why == EMU_VOID_WAIT;
}
