/* SPDX-License-Identifier: MIT */
/*
 * Signal frames set right when their handler returns: rt_sigreturn(2).
 *
 * The frame on the stack holds the registers that the thread will go on with.
 * If they are those of a call that is remembered (voided.c), its instruction
 * pointer and result are changed to what ought to become of the call.
 *
 * A signal can also come before the supervisor saw the call at all. Then
 * nothing happened yet. If the frame says EINTR and the code before it shows
 * that the call was one that cannot fail so, it is run again: the signal came
 * just before the call. That includes rt_sigreturn() itself, which would
 * otherwise fail into the code behind it. And if the frame is about to make a
 * wait again, it fails.
 *
 * Both are said of calls that would sleep. A wait that finds events does not,
 * and no signal keeps it from returning them.
 */
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "arch.h"
#include "notifier.h"
#include "observe.h"
#include "voided.h"

/* A thread that has no stack to show is looked at again after this time. */
#define TICK_NS 1000000u

/* Is it the frame of this call, whichever way the kernel went about it? */
static bool frame_matches(
	const struct emu_sigframe *frame, const struct emu_call *call)
{
	bool failed = frame->ip == call->ip && (int64_t)frame->result == -EINTR;
	/* Where the result took the first argument's register. */
	int first = frame->nr >= 0 && failed ? 1 : 0;

	if (!failed && !emu_arch_frame_restarts(frame, call->ip, call->nr))
		return false;
	return memcmp(&frame->args[first], &call->args[first],
		       sizeof(call->args[0]) * (size_t)(6 - first)) == 0;
}

/* Sets the frame right for a remembered call. False: leave it as it is. */
static bool mend(struct emu_sigframe *frame, const struct emu_voided *voided)
{
	const struct emu_call *call = &voided->call;

	switch (voided->why) {
	case EMU_VOID_WAIT:
		emu_arch_frame_return(frame, call->ip, -EINTR);
		return true;
	case EMU_VOID_DONE:
		emu_arch_frame_return(frame, call->ip, voided->result);
		return true;
	case EMU_VOID_AGAIN:
		emu_arch_frame_restart(
			frame, call->ip, call->nr, call->args[0]);
		return true;
	case EMU_VOID_SLEPT: /* so says decide(), too */
	default:
		return false;
	}
}

/* Would a read or write of the thread's descriptor not have slept? */
static bool never_blocks(
	struct emu_thread *thread, enum emu_call_kind kind, int fd)
{
	int copy = emu_target_fetch(thread, fd);
	bool never;

	if (copy < 0)
		return false; /* closed by now: it may well have slept */
	never = emu_rw_never_blocks(kind, copy);
	close(copy);
	return never;
}

/* The timeout of a wait is 0. `args` as the thread has them. */
static bool no_timeout(const struct emu_thread *thread, enum emu_call_kind kind,
	const uint64_t *args)
{
	int64_t spec[2];

	if (kind != EMU_CALL_EPOLL_PWAIT2)
		return (uint32_t)args[3] == 0;
	return args[3] &&
	       emu_target_read(thread, args[3], spec, sizeof(spec)) == 0 &&
	       spec[0] == 0 && spec[1] == 0;
}

/* Is this a call that would not have slept, and so cannot fail with EINTR? */
static bool never_sleeps(struct emu_thread *thread, enum emu_call_kind kind,
	const uint64_t *args)
{
	switch (kind) {
	case EMU_CALL_EPOLL_CREATE:
	case EMU_CALL_EPOLL_CREATE1:
	case EMU_CALL_EPOLL_CTL:
	case EMU_CALL_EVENTFD:
	case EMU_CALL_EVENTFD2:
	case EMU_CALL_RT_SIGRETURN:
		return true;
	case EMU_CALL_EPOLL_WAIT:
	case EMU_CALL_EPOLL_PWAIT:
	case EMU_CALL_EPOLL_PWAIT2:
		return no_timeout(thread, kind, args);
	case EMU_CALL_READ:
	case EMU_CALL_WRITE:
		return args[2] == 8 &&
		       never_blocks(thread, kind, (int)(uint32_t)args[0]);
	default:
		return false;
	}
}

/*
 * Is it a wait whose own mask blocks the signal that the handler ran for? The
 * kernel would have kept that signal until the wait was over, or it came
 * before the wait: it is no reason for the wait to fail.
 */
static bool masks_signal(const struct emu_thread *thread,
	enum emu_call_kind kind, const uint64_t *args, const void *bytes)
{
	uint64_t signals;
	uint64_t mask;

	if ((kind != EMU_CALL_EPOLL_PWAIT && kind != EMU_CALL_EPOLL_PWAIT2) ||
		!args[4] || args[5] != sizeof(mask) ||
		emu_target_read(thread, args[4], &mask, sizeof(mask)) < 0)
		return false;
	signals = emu_voided_handled(thread, bytes);
	return signals && !(signals & ~mask);
}

/* Would the call, which the supervisor never saw, not have slept? */
static bool is_no_sleeper(struct emu_intercept *intercept,
	struct emu_thread *thread, enum emu_call_kind kind,
	const struct emu_sigframe *frame, const void *bytes)
{
	struct emu_call call = {.thread = thread, .kind = kind};

	memcpy(call.args, frame->args, sizeof(call.args));
	if (never_sleeps(thread, kind, frame->args) ||
		masks_signal(thread, kind, frame->args, bytes))
		return true;
	/* A signal that only the wait's mask lets in has found it asleep. */
	if (!emu_call_is_wait(kind) ||
		(kind != EMU_CALL_EPOLL_WAIT && call.args[4] && thread->lent))
		return false;
	return emu_wait_has_events(intercept, &call);
}

/* A call that went void before it was ever received, and failed. */
static bool mend_failed(struct emu_intercept *intercept,
	struct emu_thread *thread, struct emu_sigframe *frame,
	const void *bytes)
{
	enum emu_call_kind kind;
	char code[16];
	int nr;

	if (emu_target_read(thread, frame->ip - emu_arch_code_size, code,
		    emu_arch_code_size) < 0)
		return false;
	nr = emu_arch_frame_call(frame, code);
	kind = nr < 0 ? EMU_CALL_OTHER : emu_arch_call(nr);
	/* The first argument is lost where the result took its place; only
	 * rt_sigreturn(), which has none, can be run again there. */
	if (frame->nr >= 0 && kind != EMU_CALL_RT_SIGRETURN)
		return false;
	if (kind == EMU_CALL_OTHER ||
		!is_no_sleeper(intercept, thread, kind, frame, bytes))
		return false;
	emu_arch_frame_restart(frame, frame->ip, nr, frame->result);
	return true;
}

/*
 * One that will be made again. A wait may have been seen asleep when the
 * signal came, and then it has to fail; that a handler ran is reason enough.
 */
static bool mend_restarting(struct emu_intercept *intercept,
	struct emu_thread *thread, struct emu_sigframe *frame,
	const void *bytes)
{
	char code[16];
	enum emu_call_kind kind;
	int nr;

	if (emu_target_read(thread, frame->ip, code, emu_arch_insn_size) < 0)
		return false;
	nr = emu_arch_frame_next_call(frame, code);
	kind = nr < 0 ? EMU_CALL_OTHER : emu_arch_call(nr);
	if (!emu_call_is_wait(kind) ||
		is_no_sleeper(intercept, thread, kind, frame, bytes))
		return false;
	emu_arch_frame_return(frame, frame->ip + emu_arch_insn_size, -EINTR);
	return true;
}

/*
 * A call whose answer was lost gets it now. That it is this call and not a
 * later one of the same kind is certain only if no call went void unseen
 * since.
 */
static bool mend_answered(struct emu_intercept *intercept,
	struct emu_thread *thread, struct emu_sigframe *frame, bool *kernels)
{
	struct emu_answers *answers = thread->answers;

	for (unsigned int i = 1; answers && i <= ANSWERS; i++) {
		unsigned int at = (answers->next + ANSWERS - i) % ANSWERS;

		if (!answers->answers[at].given ||
			answers->answers[at].unseen != intercept->unseen ||
			!frame_matches(frame, &answers->answers[at].call))
			continue;
		answers->answers[at].given = false;
		*kernels = answers->answers[at].kernels;
		if (*kernels) /* as the kernel has it is right */
			return false;
		emu_arch_frame_return(frame, answers->answers[at].call.ip,
			answers->answers[at].result);
		return true;
	}
	return false;
}

static bool mend_unseen(struct emu_intercept *intercept,
	struct emu_thread *thread, struct emu_sigframe *frame,
	const void *bytes)
{
	bool kernels = false;

	if (mend_answered(intercept, thread, frame, &kernels) || kernels)
		return !kernels;
	if ((int64_t)frame->result == -EINTR)
		return mend_failed(intercept, thread, frame, bytes);
	return mend_restarting(intercept, thread, frame, bytes);
}

/*
 * A signal came in a stop of ours, or before an answer, and nothing was done. A
 * call that cannot fail with EINTR runs again; a wait may have been seen
 * asleep, and fails.
 */
static void decide(struct emu_intercept *intercept, struct emu_voided *voided,
	const void *bytes)
{
	const struct emu_call *call = &voided->call;

	if (!emu_voided_is_undecided(voided->why))
		return;
	if (call->had_events ||
		never_sleeps(call->thread, call->kind, call->args) ||
		masks_signal(call->thread, call->kind, call->args, bytes))
		voided->why = EMU_VOID_AGAIN;
	else if (emu_call_is_wait(call->kind))
		voided->why = EMU_VOID_WAIT;
	else
		voided->why = EMU_VOID_SLEPT;
	emu_voided_observe(intercept, call, voided->why, 0);
}

/*
 * Did the handler run for what the thread did itself: a call that a filter of
 * its own or PR_SET_SYSCALL_USER_DISPATCH turned away, or a fault? Then none of
 * its calls was cut off, and the result in the frame is the handler's.
 */
static bool is_synchronous(const struct emu_thread *thread, const void *bytes)
{
	uint64_t handled;
	int sig, code;

	emu_arch_frame_signal(bytes, &sig, &code);
	if (code <= 0 ||
		(sig != SIGSYS && sig != SIGSEGV && sig != SIGBUS &&
			sig != SIGILL && sig != SIGFPE && sig != SIGTRAP))
		return false;
	/* Or is that left from another, by a handler without SA_SIGINFO? */
	handled = emu_voided_handled(thread, bytes);
	return !handled || handled >> (sig - 1) & 1;
}

static bool mend_frame(struct emu_intercept *intercept,
	struct emu_thread *thread, struct emu_sigframe *frame,
	const void *bytes)
{
	struct emu_voided *voided = thread->voided;
	bool changed;

	if (is_synchronous(thread, bytes))
		return false;
	emu_exact_signal(intercept);

	while (voided && !frame_matches(frame, &voided->call))
		voided = voided->next;
	if (!voided)
		return mend_unseen(intercept, thread, frame, bytes);
	while (thread->voided != voided)
		emu_voided_pop(thread);
	decide(intercept, voided, bytes);
	changed = mend(frame, voided);
	emu_voided_pop(thread);
	return changed;
}

/*
 * A thread that a signal has woken, and that waits for a processor since, has
 * no stack to show until it ran. Either it leaves the call then, or it sleeps
 * again; let go as it is, it would return through a frame that is not mended.
 * Nobody else waits for it meanwhile. Nor is a frame touched while an execve()
 * of its process is under way.
 */
static bool postpone(
	struct emu_intercept *intercept, const struct emu_call *call)
{
	if (!emu_deferred_add(&intercept->postponed, call))
		return false;
	emu_deadline_arm(emu_loop_deadlines(intercept->loop),
		&intercept->postponed_tick, emu_loop_now_ns() + TICK_NS);
	return true;
}

void emu_mend_tick(struct emu_intercept *intercept)
{
	struct emu_list *pos;
	struct emu_call call;
	size_t count = 0;

	/* Those that are postponed once more come behind these. */
	emu_list_for_each (pos, &intercept->postponed)
		count++;
	while (count-- > 0 && emu_deferred_take(&intercept->postponed, &call)) {
		emu_observe_cause_call(intercept, &call);
		if (emu_notifier_valid(intercept->listener, call.id))
			emu_call_rt_sigreturn(intercept, &call);
		else
			emu_voided_add(intercept, &call, EMU_VOID_AGAIN, 0);
		emu_observe_cause(intercept, EMU_CAUSE_UNKNOWN);
	}
}

void emu_call_rt_sigreturn(
	struct emu_intercept *intercept, struct emu_call *call)
{
	char bytes[1024];
	struct emu_sigframe frame;
	uint64_t sp;
	int rc = emu_target_stack(call->thread, &sp);

	if ((rc == -EAGAIN || emu_exec_under_way(intercept, call->thread)) &&
		postpone(intercept, call))
		return;
	if (rc == 0 && emu_target_read(call->thread, sp, bytes,
			       emu_arch_frame_size) == 0) {
		emu_arch_frame_load(&frame, bytes);
		if (mend_frame(intercept, call->thread, &frame, bytes)) {
			emu_arch_frame_store(bytes, &frame);
			emu_target_write(
				call->thread, sp, bytes, emu_arch_frame_size);
		}
	} else {
		emu_exact_signal(intercept);
	}
	emu_answer_continue(intercept, call);
}
