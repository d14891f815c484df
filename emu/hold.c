/* SPDX-License-Identifier: MIT */
/*
 * Calls that are served while their thread is in a ptrace stop.
 *
 * An answer can be lost: the kernel takes it also when a signal has just ended
 * the thread's sleep, and drops it then (voided.c). A result that is put into
 * the registers of a stopped thread cannot. So where signals are about
 * (exact.c), a call that is about to take effect is held: its thread is seized
 * and told to stop, which voids the call. In the stop the thread stands on its
 * way out of the call, or a signal's handler came first and it stands
 * elsewhere. In the one case the call is carried out there and then, and
 * returns. In the other it took no effect, as if the signal had come before
 * it.
 *
 * Nobody waits for the stop. A thread that does not get a processor, or that
 * sleeps where it cannot be woken, keeps nobody else from an answer; the stop
 * is told by wait4(-1) when it comes. While an execve() of its process is
 * under way a thread is never served, for it may have been killed by it and
 * another have taken its id (exec.c): it is let go and makes the call again.
 * A wait that turns out to sleep on stays traced (pwait.c).
 */
#include <errno.h>
#include <stdlib.h>
#include <sys/ptrace.h>
#include <sys/wait.h>

#include "arch.h"
#include "observe.h"
#include "stop.h"
#include "supervisor.h"

struct emu_hold {
	enum emu_hold_use use;
	struct emu_call call;
};

int emu_hold_begin(struct emu_intercept *intercept, const struct emu_call *call,
	enum emu_hold_use use)
{
	struct emu_thread *thread = call->thread;
	struct emu_hold *hold;
	int status;
	int rc;

	if (thread->pwait || thread->hold)
		return -EBUSY;
	hold = calloc(1, sizeof(*hold));
	if (!hold)
		return -ENOMEM;
	rc = emu_stop_seize(thread);
	if (rc < 0) {
		free(hold);
		return rc;
	}
	hold->use = use;
	hold->call = emu_call_keep(call);
	emu_observe_put_off(intercept, call);
	thread->hold = hold;
	emu_stop_request(PTRACE_INTERRUPT, thread->tid, 0, NULL);
	if (emu_stop_soon(thread->tid, &status))
		emu_hold_status(intercept, thread, status);
	return 0;
}

void emu_hold_forget(struct emu_thread *thread)
{
	free(thread->hold);
	thread->hold = NULL;
}

/* The thread left the call before it stopped: by a handler, or a stop. */
static void left(struct emu_intercept *intercept, const struct emu_hold *hold)
{
	struct emu_parked *parked = hold->call.thread->parked;

	if (hold->use == EMU_HOLD_NOTHING)
		return;
	if (parked)
		emu_parked_interrupted(parked);
	else
		emu_voided_add(intercept, &hold->call, EMU_VOID_UNDECIDED, 0);
}

void emu_hold_left(struct emu_intercept *intercept, struct emu_thread *thread)
{
	struct emu_hold *hold = thread->hold;

	left(intercept, hold);
	hold->use = EMU_HOLD_NOTHING; /* the stop is still to come */
}

/* In the stop, on the way out of the call. */
static void serve(struct emu_intercept *intercept, struct emu_hold *hold)
{
	struct emu_call *call = &hold->call;
	struct emu_parked *parked = call->thread->parked;

	emu_observe_cause_call(intercept, call);
	emu_signalfd_caller(call->thread);
	call->stopped = true;
	if (!parked) {
		emu_dispatch_again(intercept, call);
	} else {
		parked->call.stopped = true;
		if (!emu_parked_is_wait(parked))
			emu_rw_serve(parked);
		else if (!emu_wait_serve_stopped(parked))
			parked->resumes = true;
	}
	emu_observe_cause(intercept, EMU_CAUSE_UNKNOWN);
}

/* Nothing was done in the stop: let go, the thread makes the call again. */
static void comes_again(
	struct emu_intercept *intercept, const struct emu_hold *hold)
{
	struct emu_parked *parked = hold->call.thread->parked;

	if (parked)
		parked->resumes = true;
	else
		emu_voided_add(intercept, &hold->call, EMU_VOID_UNDECIDED, 0);
}

static void look(struct emu_intercept *intercept, const struct emu_hold *hold)
{
	comes_again(intercept, hold);
	emu_look_registers(intercept, &hold->call);
}

static void stopped(
	struct emu_intercept *intercept, struct emu_hold *hold, int status)
{
	struct emu_thread *thread = hold->call.thread;
	struct emu_parked *parked;

	if (hold->use == EMU_HOLD_NOTHING ||
		!emu_arch_is_cut_off(thread->tid, &hold->call))
		left(intercept, hold);
	else if (emu_exec_under_way(intercept, thread))
		comes_again(intercept, hold);
	else if (hold->use == EMU_HOLD_LOOK)
		look(intercept, hold);
	else
		serve(intercept, hold);
	parked = thread->parked;
	if (!parked || !parked->resumes || !emu_parked_is_wait(parked) ||
		!emu_pwait_keep(parked, status))
		emu_stop_let_go(thread->tid, emu_stop_signal(status));
}

bool emu_hold_status(
	struct emu_intercept *intercept, struct emu_thread *thread, int status)
{
	struct emu_hold *hold = thread->hold;

	if (!hold)
		return false;
	thread->hold = NULL;
	if (WIFSTOPPED(status))
		stopped(intercept, hold, status);
	free(hold);
	return WIFSTOPPED(status);
}
