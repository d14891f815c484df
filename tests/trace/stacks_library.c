/* SPDX-License-Identifier: MIT */
/*
 * A library for tests/trace/stacks.c to load; built twice, with another NAME.
 * The name is that of the function on the stack.
 */

static volatile int sink;

__attribute__((noinline)) static void NAME(void (*then)(void))
{
	then();
	sink++;
}

void call(void (*then)(void));

void call(void (*then)(void))
{
	NAME(then);
	sink++;
}
