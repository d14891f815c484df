/* SPDX-License-Identifier: MIT */
/*
 * Stacks for the trace's calls.
 *
 * A stack is taken when its call is received, while the thread stands still.
 * Where that takes registers, the thread is stopped for them.
 * The stop voids the call: the stack that the registers gave is kept for the
 * thread, which makes the call again. What comes instead is another call (the
 * end of a signal handler at least), and then the stack is of no use any more.
 */
#include "trace/looker.h"

static void forget(struct trace_thread *thread)
{
	trace_stack_put(thread->stack);
	thread->stack = NULL;
	thread->was_stopped = false;
}

void trace_looker_arrival(
	struct trace_thread *thread, const struct emu_call *call)
{
	if (thread->was_stopped && !emu_call_repeats(call, &thread->stopped_in))
		forget(thread);
}

struct trace_stack *trace_looker_take(struct trace_looker *looker,
	struct trace_thread *thread, const struct emu_call *call)
{
	struct trace_stack *stack;
	bool more = false;

	if (!looker->stacks)
		return NULL;
	if (thread->was_stopped) {
		stack = trace_stack_get(thread->stack);
		forget(thread);
		return stack;
	}
	stack = looker->stacks->take(looker->stacks->ctx, call, &more);
	if (more)
		looker->wanting = call->id;
	return stack;
}

bool trace_looker_wants(
	struct trace_looker *looker, const struct emu_call *call)
{
	bool wanted = looker->wanting && looker->wanting == call->id;

	looker->wanting = 0;
	return wanted;
}

void trace_looker_registers(struct trace_looker *looker,
	struct trace_thread *thread, const struct emu_call *call,
	const uint64_t *registers)
{
	if (!looker->stacks)
		return;
	forget(thread);
	thread->stack =
		looker->stacks->take_more(looker->stacks->ctx, call, registers);
	thread->stopped_in = *call;
	thread->was_stopped = true;
}

struct trace_stack *trace_looker_make_do(
	struct trace_looker *looker, const struct emu_call *call)
{
	return looker->stacks ? looker->stacks->take_more(
					looker->stacks->ctx, call, NULL)
			      : NULL;
}

void trace_looker_finish(struct trace_looker *looker)
{
	if (looker->stacks)
		looker->stacks->destroy(looker->stacks->ctx);
	looker->stacks = NULL;
}
