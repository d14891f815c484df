/* SPDX-License-Identifier: MIT */
/*
 * Registers for those who look on.
 *
 * A thread in a trapped call shows its instruction and stack pointer in /proc,
 * and its memory; nothing shows its other registers but a ptrace stop. So the
 * call is held (hold.c), and made again when the registers were read; it took
 * no effect yet, since it was only just received. It is remembered so that it
 * is recognised then (voided.c). Unlike another stop this one is no reason for
 * exact answers: no answer was under way.
 *
 * If a signal comes in that time its handler runs first. That is as if it had
 * come before the call, so the frame has the call run again.
 *
 * A wait that sleeps may have been seen asleep by whoever sent the signal. It
 * is looked at by another way, with which it stays traced (pwait.c).
 */
#include "arch.h"
#include "observe.h"
#include "supervisor.h"

bool emu_look_is_due(
	struct emu_intercept *intercept, const struct emu_call *call)
{
	return emu_observed(intercept) &&
	       emu_observe_wants_registers(intercept, call);
}

bool emu_look(struct emu_intercept *intercept, const struct emu_call *call)
{
	if (!emu_look_is_due(intercept, call))
		return false;
	/* Under a lent mask a stop has a meaning of its own. */
	if (emu_hold_begin(intercept, call, EMU_HOLD_LOOK) == 0)
		return true;
	emu_observe_registers(intercept, call, NULL);
	return false;
}

void emu_look_registers(
	struct emu_intercept *intercept, const struct emu_call *call)
{
	uint64_t registers[EMU_ARCH_REGISTERS_MAX];

	if (emu_arch_get_registers(call->thread->tid, registers) < 0)
		return;
	/* It may point at the call by now, to run it again. */
	registers[emu_arch_registers - 1] = call->ip;
	emu_observe_registers(intercept, call, registers);
}
