/* SPDX-License-Identifier: MIT */
/*
 * The loop's clock, CLOCK_MONOTONIC.
 */
#include "loop.h"
#include "loop_internal.h"

uint64_t emu_loop_now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

struct timespec emu_loop_until(uint64_t at_ns)
{
	uint64_t now_ns = emu_loop_now_ns();
	uint64_t rest_ns = at_ns > now_ns ? at_ns - now_ns : 0;

	return (struct timespec){
		.tv_sec = (time_t)(rest_ns / 1000000000u),
		.tv_nsec = (long)(rest_ns % 1000000000u),
	};
}
