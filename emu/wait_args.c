/* SPDX-License-Identifier: MIT */
/*
 * The arguments of epoll_wait(2), epoll_pwait(2) and epoll_pwait2(2), checked
 * in the order of the kernel: fs/eventpoll.c (6.18).
 */
#include "wait_args.h"

#include <errno.h>
#include <limits.h>

#include "arch.h"
#include "loop.h"
#include "target.h"

#define NSEC_PER_SEC 1000000000u
#define NSEC_PER_MSEC 1000000u

static uint64_t from_now(uint64_t ns)
{
	uint64_t now_ns = emu_loop_now_ns();

	return now_ns + ns < now_ns ? EMU_DEADLINE_NEVER : now_ns + ns;
}

static void timeout_ms(struct emu_wait_args *wait, int ms)
{
	wait->block = ms != 0;
	wait->at_ns =
		ms < 0 ? EMU_DEADLINE_NEVER
		: ms == 0
			? 0
			: from_now((uint64_t)(unsigned int)ms * NSEC_PER_MSEC);
}

static int timeout_spec(
	struct emu_wait_args *wait, struct emu_thread *thread, uint64_t addr)
{
	int64_t spec[2];
	int rc;

	wait->block = true;
	wait->at_ns = EMU_DEADLINE_NEVER;
	if (!addr)
		return 0;
	rc = emu_target_read(thread, addr, spec, sizeof(spec));
	if (rc < 0)
		return rc;
	if (spec[0] < 0 || spec[1] < 0 || spec[1] >= (int64_t)NSEC_PER_SEC)
		return -EINVAL;
	if (spec[0] == 0 && spec[1] == 0)
		wait->block = false;
	else if ((uint64_t)spec[0] < INT64_MAX / NSEC_PER_SEC)
		wait->at_ns = from_now(
			(uint64_t)spec[0] * NSEC_PER_SEC + (uint64_t)spec[1]);
	return 0;
}

static int read_mask(struct emu_wait_args *wait, struct emu_thread *thread,
	const uint64_t *args)
{
	if (!args[4])
		return 0;
	if (args[5] != sizeof(wait->mask))
		return -EINVAL;
	wait->has_mask = true;
	return emu_target_read(
		thread, args[4], &wait->mask, sizeof(wait->mask));
}

/* In the order of the kernel: timeout, mask, then what the events need. */
int emu_wait_args_read(struct emu_wait_args *wait, const struct emu_call *call)
{
	uint64_t addr = call->args[1];
	int rc = 0;

	wait->maxevents = emu_call_int(call, 2);
	wait->has_mask = false;
	if (call->kind == EMU_CALL_EPOLL_PWAIT2)
		rc = timeout_spec(wait, call->thread, call->args[3]);
	else
		timeout_ms(wait, emu_call_int(call, 3));
	if (rc == 0 && call->kind != EMU_CALL_EPOLL_WAIT)
		rc = read_mask(wait, call->thread, call->args);
	if (rc < 0)
		return rc;
	if (wait->maxevents <= 0 ||
		(size_t)wait->maxevents > INT_MAX / emu_arch_event_size)
		return -EINVAL;
	if (addr > emu_arch_task_size ||
		(size_t)wait->maxevents * emu_arch_event_size >
			emu_arch_task_size - addr)
		return -EFAULT;
	return 0;
}
