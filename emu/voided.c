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
 *
 * A signal can also come before the supervisor saw the call at all. Then
 * nothing happened yet. If the frame says EINTR and the code before it shows
 * that the call was one that cannot fail so, it is run again: the signal came
 * just before the call. That includes rt_sigreturn() itself, which would
 * otherwise fail into the code behind it. And if the frame is about to make a
 * wait again, it fails.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "arch.h"
#include "notifier.h"
#include "observe.h"
#include "supervisor.h"

/* More than this many deep, the oldest are forgotten. */
#define MAX_VOIDED 16

/* A thread that has no stack to show is looked at again after this time. */
#define TICK_NS 1000000u

struct emu_voided {
	struct emu_voided *next;
	struct emu_call call;
	enum emu_void why;
	int64_t result;
	bool fresh; /* its thread made no call since */
};

/*
 * The latest answers to a thread. The kernel takes an answer also when a
 * signal has ended the thread's sleep already but the thread has not run yet
 * (seccomp_do_user_notification() goes by what ended the sleep): then the
 * call fails or is made again, although it was answered.
 */
#define ANSWERS 4

struct emu_answers {
	unsigned int next;
	struct {
		struct emu_call call;
		int64_t result;
		uint64_t unseen; /* intercept->unseen at that time */
		bool given;
		bool kernels; /* the kernel carried it out */
	} answers[ANSWERS];
};

void emu_voided_note_answer(struct emu_intercept *intercept,
	const struct emu_call *call, int64_t result, bool kernels)
{
	struct emu_answers *answers = call->thread->answers;

	if (!answers) {
		answers = calloc(1, sizeof(*answers));
		call->thread->answers = answers;
	}
	if (!answers)
		return;
	answers->answers[answers->next].call = *call;
	answers->answers[answers->next].result = result;
	answers->answers[answers->next].unseen = intercept->unseen;
	answers->answers[answers->next].given = true;
	answers->answers[answers->next].kernels = kernels;
	answers->next = (answers->next + 1) % ANSWERS;
}

/*
 * For those who look on: the signal whose handler is about to return, which
 * is what is blocked now and will not be after it. 0 when that is not one
 * signal, or nothing can be said.
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
			0 ||
		emu_target_status(now->thread, "SigBlk", &blocked) < 0)
		return 0;
	blocked &= ~emu_arch_frame_mask(bytes);
	return blocked && !(blocked & (blocked - 1))
		       ? 1 + __builtin_ctzll(blocked)
		       : 0;
}

/* To those who look on it is over, unless it will be made again. */
static void observe(struct emu_intercept *intercept,
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

/* Stopped by us: what became of it shows when the thread is heard of. */
static bool is_undecided(enum emu_void why)
{
	return why == EMU_VOID_UNDECIDED || why == EMU_VOID_HELD;
}

void emu_voided_remember(
	const struct emu_call *call, enum emu_void why, int64_t result)
{
	struct emu_voided *voided = calloc(1, sizeof(*voided));
	struct emu_thread *thread = call->thread;
	struct emu_voided **tail = &thread->voided;

	if (!voided)
		return;
	voided->call = *call;
	voided->why = why;
	voided->result = result;
	voided->fresh = true;
	voided->next = thread->voided;
	thread->voided = voided;
	for (int i = 0; i < MAX_VOIDED && *tail; i++)
		tail = &(*tail)->next;
	free(*tail);
	*tail = NULL;
}

void emu_voided_add(struct emu_intercept *intercept,
	const struct emu_call *call, enum emu_void why, int64_t result)
{
	if (!is_undecided(why))
		observe(intercept, call, why, result);
	emu_voided_remember(call, why, result);
}

static void pop(struct emu_thread *thread)
{
	struct emu_voided *voided = thread->voided;

	thread->voided = voided->next;
	free(voided);
}

void emu_voided_clear(struct emu_thread *thread)
{
	while (thread->voided)
		pop(thread);
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
		emu_exact_stopped(intercept);
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
	if (!is_undecided(why))
		emu_exact_stopped(intercept);
	emu_observe_again(intercept, call, voided->call.id,
		why == EMU_VOID_DONE || why == EMU_VOID_WAIT);
	pop(call->thread);
	if (why == EMU_VOID_DONE)
		emu_answer_done(intercept, call, result);
	else if (why == EMU_VOID_WAIT)
		emu_answer_plain(intercept, call, -EINTR);
	return why == EMU_VOID_DONE || why == EMU_VOID_WAIT;
}

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
	struct pollfd pollfd = {
		.events = kind == EMU_CALL_READ ? POLLIN : POLLOUT,
	};
	struct stat st;
	bool never;
	int flags;

	pollfd.fd = emu_target_fetch(thread, fd);
	if (pollfd.fd < 0)
		return false; /* closed by now: it may well have slept */
	flags = fcntl(pollfd.fd, F_GETFL);
	never = (flags >= 0 && (flags & O_NONBLOCK)) ||
		(fstat(pollfd.fd, &st) == 0 && S_ISREG(st.st_mode)) ||
		poll(&pollfd, 1, 0) > 0;
	close(pollfd.fd);
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
 * The signals that are blocked while the handler runs and will not be after
 * it: the one that it was called for, unless SA_NODEFER is set, and those of
 * its sa_mask. 0: nothing can be said.
 */
static uint64_t handled(const struct emu_thread *thread, const void *bytes)
{
	uint64_t blocked;

	if (emu_target_status(thread, "SigBlk", &blocked) < 0)
		return 0;
	return blocked & ~emu_arch_frame_mask(bytes);
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
	signals = handled(thread, bytes);
	return signals && !(signals & ~mask);
}

/* A call that went void before it was ever received, and failed. */
static bool mend_failed(struct emu_thread *thread, struct emu_sigframe *frame,
	const void *bytes)
{
	char code[16];
	int nr;

	if (emu_target_read(thread, frame->ip - emu_arch_code_size, code,
		    emu_arch_code_size) < 0)
		return false;
	nr = emu_arch_frame_call(frame, code);
	if (nr < 0 || !(never_sleeps(thread, emu_arch_call(nr), frame->args) ||
			      masks_signal(thread, emu_arch_call(nr),
				      frame->args, bytes)))
		return false;
	/* The first argument is lost where the result took its place; only
	 * rt_sigreturn(), which has none, can be run again there. */
	if (frame->nr >= 0 && emu_arch_call(nr) != EMU_CALL_RT_SIGRETURN)
		return false;
	emu_arch_frame_restart(frame, frame->ip, nr, frame->result);
	return true;
}

/*
 * One that will be made again. A wait may have been seen asleep when the
 * signal came, and then it has to fail; that a handler ran is reason enough.
 */
static bool mend_restarting(struct emu_thread *thread,
	struct emu_sigframe *frame, const void *bytes)
{
	char code[16];
	enum emu_call_kind kind;
	int nr;

	if (emu_target_read(thread, frame->ip, code, emu_arch_insn_size) < 0)
		return false;
	nr = emu_arch_frame_next_call(frame, code);
	kind = nr < 0 ? EMU_CALL_OTHER : emu_arch_call(nr);
	if (!emu_call_is_wait(kind) || no_timeout(thread, kind, frame->args) ||
		masks_signal(thread, kind, frame->args, bytes))
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
		return mend_failed(thread, frame, bytes);
	return mend_restarting(thread, frame, bytes);
}

/*
 * A signal came in a stop of ours. A call that cannot fail with EINTR runs
 * again; a wait may have been seen asleep, and fails.
 */
static void decide(struct emu_intercept *intercept, struct emu_voided *voided,
	const void *bytes)
{
	const struct emu_call *call = &voided->call;

	if (!is_undecided(voided->why))
		return;
	if (never_sleeps(call->thread, call->kind, call->args) ||
		masks_signal(call->thread, call->kind, call->args, bytes))
		voided->why = EMU_VOID_AGAIN;
	else if (emu_call_is_wait(call->kind))
		voided->why = EMU_VOID_WAIT;
	else
		voided->why = EMU_VOID_SLEPT;
	observe(intercept, call, voided->why, 0);
}

static bool mend_frame(struct emu_intercept *intercept,
	struct emu_thread *thread, struct emu_sigframe *frame,
	const void *bytes)
{
	struct emu_voided *voided = thread->voided;
	bool changed;

	while (voided && !frame_matches(frame, &voided->call))
		voided = voided->next;
	if (!voided)
		return mend_unseen(intercept, thread, frame, bytes);
	while (thread->voided != voided)
		pop(thread);
	decide(intercept, voided, bytes);
	changed = mend(frame, voided);
	pop(thread);
	return changed;
}

/* A call whose thread has no stack to show yet. */
struct postponed {
	struct emu_list link; /* on intercept->postponed */
	struct emu_call call;
};

static void arm(struct emu_intercept *intercept)
{
	emu_deadline_arm(emu_loop_deadlines(intercept->loop),
		&intercept->postponed_tick, emu_loop_now_ns() + TICK_NS);
}

/*
 * A thread that a signal has woken, and that waits for a processor since, has
 * no stack to show until it ran. Either it leaves the call then, or it sleeps
 * again; let go as it is, it would return through a frame that is not mended.
 * Nobody else waits for it meanwhile.
 */
static bool postpone(
	struct emu_intercept *intercept, const struct emu_call *call)
{
	struct postponed *postponed = calloc(1, sizeof(*postponed));

	if (!postponed)
		return false;
	postponed->call = *call;
	emu_list_add_tail(&postponed->link, &intercept->postponed);
	arm(intercept);
	return true;
}

void emu_voided_tick(struct emu_intercept *intercept)
{
	struct emu_list *last = intercept->postponed.prev;
	bool more = !emu_list_empty(&intercept->postponed);

	while (more) {
		struct postponed *postponed = emu_container_of(
			intercept->postponed.next, struct postponed, link);
		struct emu_call call = postponed->call;

		more = &postponed->link != last;
		emu_list_remove(&postponed->link);
		free(postponed);
		emu_observe_cause_call(intercept, &call);
		if (emu_notifier_valid(intercept->listener, call.id))
			emu_call_rt_sigreturn(intercept, &call);
		else
			emu_voided_add(intercept, &call, EMU_VOID_AGAIN, 0);
		emu_observe_cause(intercept, EMU_CAUSE_UNKNOWN);
	}
}

void emu_voided_thread_gone(
	struct emu_intercept *intercept, const struct emu_thread *thread)
{
	struct emu_list *pos;
	struct emu_list *following;

	emu_list_for_each_safe (pos, following, &intercept->postponed) {
		struct postponed *postponed =
			emu_container_of(pos, struct postponed, link);

		if (postponed->call.thread != thread)
			continue;
		emu_list_remove(&postponed->link);
		free(postponed);
	}
}

void emu_call_rt_sigreturn(
	struct emu_intercept *intercept, struct emu_call *call)
{
	char bytes[1024];
	struct emu_sigframe frame;
	uint64_t sp;
	int rc = emu_target_stack(call->thread, &sp);

	emu_exact_handler(call->thread);
	if (rc == -EAGAIN && postpone(intercept, call))
		return;
	if (rc == 0 && emu_target_read(call->thread, sp, bytes,
			       emu_arch_frame_size) == 0) {
		emu_arch_frame_load(&frame, bytes);
		if (mend_frame(intercept, call->thread, &frame, bytes)) {
			emu_arch_frame_store(bytes, &frame);
			emu_target_write(
				call->thread, sp, bytes, emu_arch_frame_size);
		}
	}
	emu_answer_continue(intercept, call);
}
