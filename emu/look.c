/* SPDX-License-Identifier: MIT */
/*
 * Registers for those who look on.
 *
 * A thread in a trapped call shows its instruction and stack pointer in /proc,
 * and its memory; nothing shows its other registers but a ptrace stop. The
 * stop voids the call. It took no effect yet, since it was only just received,
 * and the thread makes it again when it is let go, with nothing between; the
 * call is remembered so that it is recognised then (voided.c). Unlike another
 * stop this one is no reason for exact answers: no answer was under way.
 *
 * If a signal comes in that time its handler runs first. That is as if it had
 * come before the call, so the frame has the call run again. But a wait may
 * have been seen asleep by whoever sent the signal: it fails with EINTR.
 *
 * The observer is told when the thread was let go. To unwind takes long; a
 * thread that takes signals more often than that must still get on.
 */
#include <sys/ptrace.h>

#include "arch.h"
#include "notifier.h"
#include "observe.h"
#include "stop.h"

/* Its thread does not stand in the call any more, or will not presently. */
static void stop_and_read(
	struct emu_intercept *intercept, const struct emu_call *call)
{
	uint64_t registers[EMU_ARCH_REGISTERS_MAX];
	pid_t tid = call->thread->tid;
	bool valid = emu_notifier_valid(intercept->listener, call->id);
	int status;
	int rc;

	emu_stop_request(PTRACE_INTERRUPT, tid, 0, NULL);
	if (!valid) /* where it is now it may not stop soon: do not wait */
		return;
	if (!emu_stop_wait(tid, &status))
		return;
	rc = emu_arch_get_registers(tid, registers);
	emu_stop_let_go(tid, emu_stop_signal(status));
	if (rc < 0)
		return;
	/* It may point at the call by now, to run it again. */
	registers[emu_arch_registers - 1] = call->ip;
	emu_observe_registers(intercept, call, registers);
}

bool emu_look(struct emu_intercept *intercept, const struct emu_call *call)
{
	if (!emu_observed(intercept) ||
		!emu_observe_wants_registers(intercept, call))
		return false;
	/* Under a lent mask a stop has a meaning of its own. */
	if (call->thread->pwait || emu_stop_seize(call->thread) < 0) {
		emu_observe_registers(intercept, call, NULL);
		return false;
	}
	stop_and_read(intercept, call);
	emu_voided_add(intercept, call, EMU_VOID_UNDECIDED, 0);
	return true;
}
