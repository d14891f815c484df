/* SPDX-License-Identifier: MIT */
/* Stacks for the trace's calls, and the stops that some of them take. */
#ifndef TRACE_LOOKER_H
#define TRACE_LOOKER_H

#include "trace/known.h"
#include "trace/stack.h"

/* All zero: no stacks. */
struct trace_looker {
	const struct trace_stacks *stacks; /* NULL: not asked for */
	uint64_t wanting; /* id of the call that is to be stopped, or 0 */
};

/* A call was received: what was kept for another one is dropped. */
void trace_looker_arrival(
	struct trace_thread *thread, const struct emu_call *call);

/* The stack of the thread in that call; NULL when there is none. */
struct trace_stack *trace_looker_take(struct trace_looker *looker,
	struct trace_thread *thread, const struct emu_call *call);

/* See struct emu_observer. */
bool trace_looker_wants(
	struct trace_looker *looker, const struct emu_call *call);
void trace_looker_registers(struct trace_looker *looker,
	struct trace_thread *thread, const struct emu_call *call,
	const uint64_t *registers);

/* The thread cannot be stopped: what of its stack there is without. */
struct trace_stack *trace_looker_make_do(
	struct trace_looker *looker, const struct emu_call *call);

void trace_looker_finish(struct trace_looker *looker);

#endif
