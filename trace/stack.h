/* SPDX-License-Identifier: MIT */
/*
 * Where in the program a call was made: the frames of its thread's stack, and
 * who finds them for the trace.
 */
#ifndef TRACE_STACK_H
#define TRACE_STACK_H

#include <stdbool.h>
#include <stdint.h>

#include "emu/calls.h"

struct trace_text;

/* Text is "" where it is not known. */
struct trace_frame {
	uint64_t address; /* in the process: where the frame goes on */
	uint64_t module_address; /* the same, as the module's symbols count */
	uint64_t offset; /* from the beginning of the function */
	unsigned int line; /* 0: not known */
	bool unsure; /* by the chain of frame pointers, not by the book */
	const char *module; /* a path, or "[vdso]" */
	const char *function; /* demangled */
	const char *file; /* of the source */
};

/* Innermost frame first. Shared: see trace_stack_get(). */
struct trace_stack {
	unsigned int users;
	unsigned int count;
	bool cut; /* there are more frames, which could not be found */
	struct trace_frame frames[];
};

/* Who finds stacks. */
struct trace_stacks {
	void *ctx;
	/*
	 * The stack of the thread in a call that was just received; the
	 * caller puts it. NULL: there is none, or *more is set: it takes the
	 * thread's registers.
	 */
	struct trace_stack *(*take)(
		void *ctx, const struct emu_call *call, bool *more);
	/* The same in emu_observer's callback, with them or with NULL. */
	struct trace_stack *(*take_more)(void *ctx, const struct emu_call *call,
		const uint64_t *registers);
	void (*destroy)(void *ctx);
};

/*
 * A stack with one user, which has the text of the frames as a copy of its
 * own. NULL without memory.
 */
struct trace_stack *trace_stack_create(
	const struct trace_frame *frames, unsigned int count, bool cut);

/* One more user, and one less. NULL is nothing. */
struct trace_stack *trace_stack_get(struct trace_stack *stack);
void trace_stack_put(struct trace_stack *stack);

/* Makes a user of one stack a user of another; not if that is NULL. */
void trace_stack_replace(struct trace_stack **stack, struct trace_stack *by);

/*
 * One frame in words, without a line feed:
 * "/lib/libc.so.6(epoll_wait+0x12) [0x10a2d6] epoll_wait.c:30".
 */
void trace_stack_add_frame(
	struct trace_text *text, const struct trace_frame *frame);

#endif
