/* SPDX-License-Identifier: MIT */
/*
 * From a received call to the function that answers it. The place where a
 * policy (refuse, delay, reorder) would sit: before the table.
 */
#include <errno.h>

#include "observe.h"
#include "proc.h"
#include "supervisor.h"

struct emu_object *emu_dispatch_epoll(
	struct emu_intercept *intercept, struct emu_call *call)
{
	struct emu_object *object;
	int rc = emu_fdtable_find(intercept->fdtable, call->thread,
		emu_call_int(call, 0), EMU_KIND_EPOLL, &object);

	if (rc == 1) {
		call->object = object;
		return object;
	}
	if (rc == -EPERM)
		emu_answer_denied(intercept, call);
	else if (emu_proc_no_room(rc)) /* to look at it */
		emu_answer_plain(intercept, call, -ENOMEM);
	else /* not ours: the kernel knows what to say */
		emu_answer_continue(intercept, call);
	return NULL;
}

typedef void call_function(struct emu_intercept *, struct emu_call *);

void emu_dispatch_again(struct emu_intercept *intercept, struct emu_call *call)
{
	static call_function *const functions[EMU_CALLS] = {
		[EMU_CALL_EPOLL_CREATE] = emu_call_epoll_create,
		[EMU_CALL_EPOLL_CREATE1] = emu_call_epoll_create,
		[EMU_CALL_EPOLL_CTL] = emu_call_epoll_ctl,
		[EMU_CALL_EPOLL_WAIT] = emu_call_epoll_wait,
		[EMU_CALL_EPOLL_PWAIT] = emu_call_epoll_wait,
		[EMU_CALL_EPOLL_PWAIT2] = emu_call_epoll_wait,
		[EMU_CALL_EVENTFD] = emu_call_eventfd,
		[EMU_CALL_EVENTFD2] = emu_call_eventfd,
		[EMU_CALL_READ] = emu_call_read_write,
		[EMU_CALL_WRITE] = emu_call_read_write,
		[EMU_CALL_RT_SIGRETURN] = emu_call_rt_sigreturn,
	};

	functions[call->kind](intercept, call);
}

void emu_dispatch_ready(struct emu_intercept *intercept, struct emu_call *call)
{
	/* Which reads and writes are ours is for rw.c to say. */
	if (!emu_call_is_epoll(call->kind) ||
		!emu_touch_first(intercept, call, NULL))
		emu_dispatch_again(intercept, call);
}

void emu_dispatch_no_memory(
	struct emu_intercept *intercept, const struct emu_call *call)
{
	if (call->kind < EMU_CALL_READ)
		emu_answer_plain(intercept, call, -ENOMEM);
	else
		emu_answer_continue(intercept, call);
}

void emu_dispatch(struct emu_intercept *intercept, struct emu_call *call)
{
	bool reserved;

	if (call->thread->touch)
		emu_touch_left(intercept, call->thread);
	reserved = emu_voided_reserve(call->thread);
	emu_observe_cause_call(intercept, call);
	emu_observe_received(intercept, call);
	emu_signalfd_caller(call->thread);
	if (call->thread->hold) {
		/* It was told to stop, which ends this call. It comes again. */
		emu_hold_left(intercept, call->thread);
		call->had_events = emu_call_is_wait(call->kind) &&
				   emu_wait_has_events(intercept, call);
		emu_voided_add(intercept, call, EMU_VOID_UNDECIDED, 0);
		return;
	}
	/* A wait that sleeps has to be on its queue first, see wait.c. */
	if (emu_voided_arrival(intercept, call) ||
		(!emu_call_is_wait(call->kind) && emu_look(intercept, call)))
		return;
	/* What takes effect must not happen twice. */
	if (!reserved && call->kind != EMU_CALL_RT_SIGRETURN)
		emu_dispatch_no_memory(intercept, call);
	else
		emu_dispatch_ready(intercept, call);
}
