/* SPDX-License-Identifier: MIT */
/*
 * What a program hands over, decoded: the arguments of the waits against the
 * kernel's own order of checks, written once more and in wide arithmetic; and
 * events and signal frames, whose bytes have to come out as they went in.
 *
 * The clock and the program's memory are those of this file, and take the
 * place of the library's.
 */
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "arch.h"
#include "check.h"
#include "loop.h"
#include "target.h"
#include "wait_args.h"

#define MEMORY 0x10000u
#define NOW_NS 5000000000u

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The program's memory, which begins at MEMORY. */
static const uint8_t *memory;
static size_t memory_size;

uint64_t emu_loop_now_ns(void)
{
	return NOW_NS;
}

int emu_target_read(const struct emu_thread *thread, uint64_t addr,
	void *buffer, size_t size)
{
	(void)thread;
	if (addr < MEMORY || addr - MEMORY > memory_size ||
		size > memory_size - (addr - MEMORY))
		return -EFAULT;
	memcpy(buffer, memory + (addr - MEMORY), size);
	return 0;
}

static uint64_t deadline(__int128 after_ns)
{
	__int128 at_ns = after_ns + NOW_NS;

	return at_ns > (__int128)UINT64_MAX ? EMU_DEADLINE_NEVER
					    : (uint64_t)at_ns;
}

/* do_sys_epoll_pwait2() up to do_epoll_wait() */
static int timeout_of(const struct emu_call *call, struct emu_wait_args *wait)
{
	int64_t spec[2];
	int ms = (int)call->args[3];

	wait->at_ns = EMU_DEADLINE_NEVER;
	wait->block = true;
	if (call->kind != EMU_CALL_EPOLL_PWAIT2) {
		wait->block = ms != 0;
		if (ms > 0)
			wait->at_ns = deadline((__int128)ms * 1000000);
		return 0;
	}
	if (!call->args[3])
		return 0;
	if (emu_target_read(NULL, call->args[3], spec, sizeof(spec)) < 0)
		return -EFAULT;
	if (spec[0] < 0 || spec[1] < 0 || spec[1] > 999999999)
		return -EINVAL;
	wait->block = spec[0] || spec[1];
	if (spec[0] < 9223372036) /* KTIME_SEC_MAX */
		wait->at_ns =
			deadline((__int128)spec[0] * 1000000000 + spec[1]);
	return 0;
}

static int expected(const struct emu_call *call, struct emu_wait_args *wait)
{
	int count = (int)call->args[2];
	__int128 end = (__int128)call->args[1] + (__int128)count * 12;
	int rc = timeout_of(call, wait);

	if (rc < 0)
		return rc;
	wait->has_mask =
		call->kind != EMU_CALL_EPOLL_WAIT && call->args[4] != 0;
	if (wait->has_mask && call->args[5] != 8)
		return -EINVAL;
	if (wait->has_mask &&
		emu_target_read(NULL, call->args[4], &wait->mask, 8) < 0)
		return -EFAULT;
	if (count <= 0 || count > INT_MAX / 12)
		return -EINVAL;
	return end > (__int128)emu_arch_task_size ? -EFAULT : 0;
}

/* Where the checks have their borders. */
static uint64_t border(unsigned int which)
{
	const uint64_t borders[] = {0, 1, 8, 12, 999999, 1000000, 999999999,
		1000000000, 9223372035, 9223372036, INT32_MAX, UINT32_MAX,
		INT64_MAX, UINT64_MAX, INT_MAX / 12, emu_arch_task_size, MEMORY,
		MEMORY + 8, MEMORY + 16};

	return borders[which % (sizeof(borders) / sizeof(borders[0]))];
}

/* From 9 bytes: any number, or one at or beside a border. */
static uint64_t number(const uint8_t *data)
{
	uint64_t any;

	memcpy(&any, data + 1, sizeof(any));
	if (*data < 32)
		return any;
	return border(*data) + (data[1] % 4 == 1) - (data[1] % 4 == 2);
}

static void check_wait(const uint8_t *data)
{
	static const enum emu_call_kind kinds[] = {EMU_CALL_EPOLL_WAIT,
		EMU_CALL_EPOLL_PWAIT, EMU_CALL_EPOLL_PWAIT2};
	struct emu_call call = {.kind = kinds[*data % 3]};
	struct emu_wait_args ours, theirs = {0};
	uint64_t spec[2];
	int rc;

	for (int i = 0; i < 6; i++)
		call.args[i] = number(data + 1 + 9 * i);
	for (int i = 0; i < 2; i++)
		spec[i] = number(data + 55 + 9 * i);
	memory = (const uint8_t *)spec;
	memory_size = sizeof(spec);
	rc = expected(&call, &theirs);
	ck_assert_int_eq(emu_wait_args_read(&ours, &call), rc);
	if (rc < 0)
		return;
	ck_assert_int_eq(ours.maxevents, (int)call.args[2]);
	ck_assert_int_eq(ours.block, theirs.block);
	ck_assert(!ours.block || ours.at_ns == theirs.at_ns);
	ck_assert_int_eq(ours.has_mask, theirs.has_mask);
	ck_assert(!ours.has_mask || ours.mask == theirs.mask);
}

static void check_event(const uint8_t *data)
{
	struct emu_event event;
	char *bytes = malloc(emu_arch_event_size);

	ck_assert_ptr_nonnull(bytes);
	emu_arch_event_load(&event, data);
	emu_arch_event_store(bytes, &event);
	ck_assert_int_eq(memcmp(bytes, data, emu_arch_event_size), 0);
	free(bytes);
}

/* In a block of its own, whose bounds the sanitizer watches. */
static char *copy_of(const uint8_t *data, size_t size)
{
	char *copy = malloc(size);

	ck_assert_ptr_nonnull(copy);
	return memcpy(copy, data, size);
}

static void check_frame(const uint8_t *data)
{
	char *bytes = copy_of(data, emu_arch_frame_size);
	char *code = copy_of(data, emu_arch_code_size);
	struct emu_sigframe frame, again;
	int nr;

	emu_arch_frame_load(&frame, bytes);
	emu_arch_frame_store(bytes, &frame);
	ck_assert_int_eq(memcmp(bytes, data, emu_arch_frame_size), 0);
	nr = emu_arch_frame_call(&frame, code);
	emu_arch_frame_next_call(&frame, code);
	if (nr >= 0) {
		emu_arch_frame_restart(&frame, frame.ip, nr, frame.args[0]);
		emu_arch_frame_store(bytes, &frame);
		emu_arch_frame_load(&again, bytes);
		ck_assert(emu_arch_frame_restarts(
			&again, frame.ip + emu_arch_insn_size, nr));
	}
	emu_arch_frame_return(&frame, 0x1234, -EINTR);
	emu_arch_frame_store(bytes, &frame);
	emu_arch_frame_load(&again, bytes);
	ck_assert(again.ip == 0x1234 && (int64_t)again.result == -EINTR);
	free(code);
	free(bytes);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size >= 1 + 8 * 9)
		check_wait(data);
	if (size >= emu_arch_event_size)
		check_event(data);
	if (size >= emu_arch_frame_size)
		check_frame(data);
	return 0;
}
