/* SPDX-License-Identifier: MIT */
/*
 * Waits that sleep while their threads are traced: the signal mask of
 * epoll_pwait(2).
 *
 * The kernel puts the mask in force together with the sleep, and takes it
 * back before a signal can be delivered, unless the signal is what ended the
 * sleep. No system call of ours can do that to another thread, but a tracer
 * can. A thread whose call has to sleep under a mask other than its own is
 * traced for the time of that sleep:
 *
 *   lend      PTRACE_SEIZE, PTRACE_INTERRUPT; in the stop the mask is
 *             replaced; the thread goes on, and makes the call again, since
 *             the stop voided it. Now it sleeps, with the mask in force
 *   result    PTRACE_INTERRUPT; in the stop, which comes before any signal
 *             is taken off the queue, the events are written, the result is
 *             set, the old mask is put back, and the thread is let go
 *   signal    the kernel stops the thread before delivery. A caught signal
 *             is let through for one step, so that the thread stops at the
 *             first instruction of the handler with the frame on its stack;
 *             there the old mask and EINTR are written into the frame, and
 *             the thread is let go. The handler runs under the lent mask
 *             plus its own, as it would natively. An ignored signal is let
 *             pass: the call comes again and sleeps on. A stop ends the call
 *             with EINTR; the thread is let go as it stands.
 *
 * A mask that is the thread's own already needs none of this. But a wait is
 * also traced, under its own mask, when its registers are looked at (look.c),
 * and when it was stopped to be served and sleeps on (hold.c): it makes the
 * call again then, and a signal in that time must end it as if it slept.
 *
 * The supervisor waits for none of these stops: each goes on where wait4(-1)
 * reports it. As in hold.c, nothing is written while an execve() of the process
 * is under way.
 */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/ptrace.h>
#include <sys/wait.h>

#include "arch.h"
#include "observe.h"
#include "proc.h"
#include "stop.h"
#include "supervisor.h"

/* Where the thread is on its way through all that. */
enum step {
	STEP_LENDING, /* it was told to stop, to get the mask */
	STEP_LENT, /* it has the mask, and sleeps or is about to */
	STEP_SERVING, /* it was told to stop, to get its result */
	STEP_DELIVERING, /* it makes one step, into a signal's handler */
};

struct emu_pwait {
	enum step step;
	uint64_t mask;
	uint64_t old_mask;
	uint64_t pending; /* that the lent mask lets through from the start */
	bool keeps_mask; /* it is the thread's own */
	bool looks; /* an observer wants the registers */
	int sig; /* that is being delivered */
};

/* set_user_sigmask() leaves these out. */
#define UNBLOCKABLE ((1ull << (SIGKILL - 1)) | (1ull << (SIGSTOP - 1)))

static int get_mask(pid_t tid, uint64_t *mask)
{
	return emu_stop_request(PTRACE_GETSIGMASK, tid, sizeof(*mask), mask);
}

static int set_mask(pid_t tid, uint64_t mask)
{
	return emu_stop_request(PTRACE_SETSIGMASK, tid, sizeof(mask), &mask);
}

void emu_pwait_forget(struct emu_thread *thread)
{
	free(thread->pwait);
	thread->pwait = NULL;
}

/* The mask is back and the thread goes on with `result` from its call. */
static void finish(const struct emu_parked *parked, int64_t result)
{
	struct emu_thread *thread = parked->call.thread;

	emu_arch_set_result(thread->tid, parked->call.ip, result);
	set_mask(thread->tid, thread->pwait->old_mask);
	emu_stop_let_go(thread->tid, 0);
	emu_pwait_forget(thread);
}

/*
 * A signal came before the mask could be lent. One that the mask blocks came
 * before the call. Of another, its handler's frame tells what becomes of the
 * wait: it ended a sleep, as far as anybody could tell. Without a handler the
 * call comes again and sleeps on (a thread that was traced already is also
 * woken by what it ignores), unless it was a stop.
 */
static void before_mask(struct emu_parked *parked, enum emu_void why)
{
	emu_pwait_forget(parked->call.thread);
	emu_parked_kill(parked, true);
	emu_voided_add(parked->intercept, &parked->call, why, 0);
	emu_parked_destroy(parked);
}

/*
 * Does the mask let in the signal that ended the call? If a handler runs, it
 * is among those that are blocked now and were not. If none does, the thread
 * is about to stop for the signal, which its own mask let in.
 */
static bool lets_in(
	const struct emu_thread *thread, uint64_t mask, uint64_t own)
{
	uint64_t blocked = own;

	emu_target_status(thread, "SigBlk", &blocked);
	return blocked & ~own ? blocked & ~own & ~mask : !(mask & ~own);
}

/* Looks whether the stop is there already. */
static void look_soon(
	struct emu_intercept *intercept, struct emu_thread *thread)
{
	int status;

	if (emu_stop_soon(thread->tid, &status))
		emu_pwait_status(intercept, thread, status);
}

static bool is_caught(const struct emu_thread *thread, int sig)
{
	return emu_target_disposition(thread, sig) == EMU_SIGNAL_CAUGHT;
}

static bool is_ignored(const struct emu_thread *thread, int sig)
{
	return emu_target_disposition(thread, sig) == EMU_SIGNAL_IGNORED;
}

/* Its thread cannot be seized: 0, or how the call fails. */
static int not_traced(struct emu_parked *parked, bool lends, bool looks, int rc)
{
	struct emu_intercept *intercept = parked->intercept;
	const struct emu_call *call = &parked->call;
	bool *warned = rc == -EBUSY ? &intercept->warned_debugger
				    : &intercept->warned_untraced;

	if (looks)
		emu_observe_registers(intercept, call, NULL);
	if (rc == -ESRCH || !lends) /* the first needs no answer */
		return 0;
	if (rc == -ENOMEM)
		return rc;
	if (*warned)
		return -EPERM;
	*warned = true;
	emu_logf(intercept->log,
		rc == -EBUSY ? "thread %d is traced by a debugger, so the "
			       "signal mask of %s cannot be put in force: the "
			       "call fails with EPERM"
			     : "thread %d may not be traced, so the signal "
			       "mask of %s cannot be put in force: the call "
			       "fails with EPERM",
		(int)call->thread->tid, emu_call_name(call->kind));
	return -EPERM;
}

/* The thread is told to stop; before that its call may have gone void. */
static void start_lending(
	struct emu_parked *parked, struct emu_pwait *pwait, uint64_t own)
{
	struct emu_thread *thread = parked->call.thread;
	bool valid;

	pwait->step = STEP_LENDING;
	thread->pwait = pwait;
	parked->resumes = true;
	/*
	 * From here on a signal stops it before a handler runs. One that came
	 * earlier has it in its handler by now, or anywhere: hands off.
	 */
	valid = emu_parked_valid(parked);
	emu_stop_request(PTRACE_INTERRUPT, thread->tid, 0, NULL);
	if (!valid)
		before_mask(parked, lets_in(thread, pwait->mask, own)
					    ? EMU_VOID_UNDECIDED
					    : EMU_VOID_AGAIN);
	else
		look_soon(parked->intercept, thread);
}

int emu_pwait_lend(struct emu_parked *parked, const uint64_t *mask)
{
	struct emu_thread *thread = parked->call.thread;
	bool looks = emu_look_is_due(parked->intercept, &parked->call);
	struct emu_pwait *pwait;
	uint64_t own = 0;
	int rc;

	if (!mask && !looks)
		return 0;
	rc = emu_target_status(thread, "SigBlk", &own);
	if (mask && emu_proc_no_room(rc))
		return -ENOMEM;
	if (mask && rc == 0 && own == (*mask & ~UNBLOCKABLE) && !looks) {
		/* Or is that the mask of a handler, which will tell more? */
		if (!emu_parked_valid(parked))
			before_mask(parked, EMU_VOID_UNDECIDED);
		return 0;
	}
	pwait = calloc(1, sizeof(*pwait));
	if (!pwait)
		return mask ? -ENOMEM : 0;
	pwait->mask = mask ? *mask & ~UNBLOCKABLE : own;
	/* Before it is traced: what is ignored is not kept then. */
	pwait->pending = emu_target_pending(thread) & ~pwait->mask;
	pwait->keeps_mask = !mask;
	thread->lent = thread->lent || mask;
	pwait->looks = looks;
	rc = emu_stop_seize(thread);
	if (rc == 0) {
		start_lending(parked, pwait, own);
		return 0;
	}
	free(pwait);
	return not_traced(parked, mask, looks, rc);
}

static void go_on(struct emu_thread *thread, int sig)
{
	emu_stop_request(PTRACE_CONT, thread->tid, 0, (void *)(intptr_t)sig);
}

/* The stop in which the thread gets the mask, or another that came first. */
static void lend(struct emu_thread *thread, int status)
{
	struct emu_parked *parked = thread->parked;
	struct emu_pwait *pwait = thread->pwait;
	int sig = emu_stop_signal(status);

	if (sig ? !is_ignored(thread, sig) : WSTOPSIG(status) != SIGTRAP) {
		enum emu_void why = EMU_VOID_WAIT;

		if (pwait->mask >> (WSTOPSIG(status) - 1) & 1)
			why = EMU_VOID_AGAIN;
		else if (is_caught(thread, WSTOPSIG(status)))
			why = EMU_VOID_UNDECIDED;
		emu_stop_let_go(thread->tid, sig);
		before_mask(parked, why);
		return;
	}
	if (get_mask(thread->tid, &pwait->old_mask) == 0 && !pwait->keeps_mask)
		set_mask(thread->tid, pwait->mask);
	if (pwait->looks)
		emu_look_registers(parked->intercept, &parked->call);
	pwait->step = STEP_LENT;
	go_on(thread, sig);
}

/* At the first instruction of the handler: the frame gets its last words. */
static void mend_frame(struct emu_thread *thread, const struct emu_call *call)
{
	char bytes[1024];
	struct emu_sigframe frame;
	uint64_t at;

	if (emu_arch_get_stack(thread->tid, &at) < 0)
		return;
	at += emu_arch_frame_at_handler;
	if (emu_target_read(thread, at, bytes, emu_arch_frame_size) < 0)
		return;
	emu_arch_frame_load(&frame, bytes);
	emu_arch_frame_return(&frame, call->ip, -EINTR);
	emu_arch_frame_store(bytes, &frame);
	emu_arch_frame_set_mask(bytes, thread->pwait->old_mask);
	emu_target_write(thread, at, bytes, emu_arch_frame_size);
}

/* The call failed with EINTR; a wake that had chosen it goes to the next. */
static void interrupted(struct emu_parked *parked, int sig)
{
	emu_answer_tally(parked->intercept, &parked->call, -EINTR);
	emu_observe_interrupted(parked->intercept, &parked->call, -EINTR, sig);
	emu_parked_kill(parked, true);
	emu_parked_destroy(parked);
}

/* The thread is about to take `sig`, with the lent mask in force. */
static void on_signal(struct emu_thread *thread, int sig)
{
	struct emu_parked *parked = thread->parked;

	if (parked && !is_caught(thread, sig) &&
		(thread->pwait->pending >> (sig - 1) & 1) &&
		is_ignored(thread, sig)) {
		/* Blocked till now, so it was kept: it does end the sleep. */
		finish(parked, -EINTR);
		interrupted(parked, sig);
		return;
	}
	if (!parked || !is_caught(thread, sig)) {
		go_on(thread, sig);
		return;
	}
	thread->pwait->step = STEP_DELIVERING;
	thread->pwait->sig = sig;
	emu_stop_request(
		PTRACE_SINGLESTEP, thread->tid, 0, (void *)(intptr_t)sig);
	look_soon(parked->intercept, thread);
}

/* After that step: mostly it stands at the handler's first instruction. */
static void delivered(
	struct emu_intercept *intercept, struct emu_thread *thread, int status)
{
	struct emu_parked *parked = thread->parked;
	int sig = thread->pwait->sig;

	if (WSTOPSIG(status) == SIGTRAP && !emu_stop_is_event(status) &&
		!emu_exec_under_way(intercept, thread)) {
		mend_frame(thread, &parked->call);
		/* So that it is left as it is when the handler returns. */
		emu_voided_remember(&parked->call, EMU_VOID_WAIT, 0);
		emu_stop_let_go(thread->tid, 0);
	} else {
		set_mask(thread->tid, thread->pwait->old_mask);
		emu_stop_let_go(thread->tid, emu_stop_signal(status));
	}
	emu_pwait_forget(thread);
	interrupted(parked, sig);
}

/*
 * A stop by job control ends the call with EINTR; let go in this stop, the
 * thread stays stopped until it is continued.
 */
static void on_event_stop(struct emu_thread *thread, int sig)
{
	struct emu_parked *parked = thread->parked;

	if (sig == SIGTRAP || !parked) {
		go_on(thread, 0);
		return;
	}
	finish(parked, -EINTR);
	interrupted(parked, sig);
}

/* The stop in which the thread gets its result, if there still is one. */
static void serve(struct emu_intercept *intercept, struct emu_thread *thread)
{
	struct emu_parked *parked = thread->parked;

	thread->pwait->step = STEP_LENT;
	parked->resumes = true;
	if (!emu_exec_under_way(intercept, thread) &&
		emu_wait_serve_stopped(parked)) {
		set_mask(thread->tid, thread->pwait->old_mask);
		emu_stop_let_go(thread->tid, 0);
		emu_pwait_forget(thread);
	} else {
		go_on(thread, 0);
	}
}

/* The stop of a thread to which a mask is lent, or is about to be. */
static void stopped(
	struct emu_intercept *intercept, struct emu_thread *thread, int status)
{
	bool event = emu_stop_is_event(status);

	if (thread->pwait->step == STEP_LENDING)
		lend(thread, status);
	else if (thread->pwait->step == STEP_DELIVERING)
		delivered(intercept, thread, status);
	else if (thread->pwait->step == STEP_SERVING && event &&
		 WSTOPSIG(status) == SIGTRAP)
		serve(intercept, thread);
	else if (event)
		on_event_stop(thread, WSTOPSIG(status));
	else
		on_signal(thread, WSTOPSIG(status));
}

bool emu_pwait_status(
	struct emu_intercept *intercept, struct emu_thread *thread, int status)
{
	if (!thread->pwait)
		return false;
	if (!WIFSTOPPED(status)) {
		emu_pwait_forget(thread);
		return false;
	}
	emu_observe_cause(intercept, EMU_CAUSE_UNKNOWN);
	emu_signalfd_caller(thread);
	stopped(intercept, thread, status);
	return true;
}

bool emu_pwait_keep(struct emu_parked *parked, int status)
{
	struct emu_thread *thread = parked->call.thread;
	struct emu_pwait *pwait = calloc(1, sizeof(*pwait));

	if (!pwait)
		return false;
	get_mask(thread->tid, &pwait->old_mask);
	pwait->mask = pwait->old_mask;
	pwait->keeps_mask = true;
	pwait->step = STEP_LENT;
	thread->pwait = pwait;
	stopped(parked->intercept, thread, status);
	return true;
}

void emu_pwait_serve(struct emu_parked *parked)
{
	struct emu_thread *thread = parked->call.thread;

	if (thread->pwait->step != STEP_LENT)
		return; /* another stop comes first */
	thread->pwait->step = STEP_SERVING;
	emu_stop_request(PTRACE_INTERRUPT, thread->tid, 0, NULL);
	look_soon(parked->intercept, thread);
}
