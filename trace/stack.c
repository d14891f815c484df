/* SPDX-License-Identifier: MIT */
/*
 * Stacks as the trace's outputs see them. Whoever finds them keeps them for
 * the next call from the same place, and a call keeps its own until it was
 * written; so they are counted. One piece of memory holds a stack: the frames
 * and, behind them, their text.
 */
#include "trace/stack.h"

#include <stdlib.h>
#include <string.h>

#include "trace/decode.h"
#include "trace/utf8.h"

/* Of each name so many bytes are kept: TRACE_TEXT_FRAME has room for three. */
#define NAME_MAX_BYTES 1200

static size_t size_of(const struct trace_frame *frame)
{
	return strnlen(frame->module, NAME_MAX_BYTES) +
	       strnlen(frame->function, NAME_MAX_BYTES) +
	       strnlen(frame->file, NAME_MAX_BYTES) + 3;
}

/*
 * Moves a text to *to, which goes on behind it. Names are the program's own
 * choice: what a terminal would obey, or is no UTF-8, becomes a question mark.
 */
static const char *keep(char **to, const char *text)
{
	size_t left = strnlen(text, NAME_MAX_BYTES);
	char *kept = *to;

	while (left) {
		size_t length = trace_utf8_length(text);
		size_t taken = length ? length : 1;

		if (taken > left)
			break;
		memcpy(*to, length ? text : "?", taken);
		*to += taken;
		text += taken;
		left -= taken;
	}
	*(*to)++ = '\0';
	return kept;
}

struct trace_stack *trace_stack_create(
	const struct trace_frame *frames, unsigned int count, bool cut)
{
	size_t size = sizeof(struct trace_stack) + count * sizeof(*frames);
	struct trace_stack *stack;
	char *text;

	for (unsigned int i = 0; i < count; i++)
		size += size_of(&frames[i]);
	stack = malloc(size);
	if (!stack)
		return NULL;
	stack->users = 1;
	stack->count = count;
	stack->cut = cut;
	text = (char *)&stack->frames[count];
	for (unsigned int i = 0; i < count; i++) {
		stack->frames[i] = frames[i];
		stack->frames[i].module = keep(&text, frames[i].module);
		stack->frames[i].function = keep(&text, frames[i].function);
		stack->frames[i].file = keep(&text, frames[i].file);
	}
	return stack;
}

struct trace_stack *trace_stack_get(struct trace_stack *stack)
{
	if (stack)
		stack->users++;
	return stack;
}

void trace_stack_put(struct trace_stack *stack)
{
	if (stack && --stack->users == 0)
		free(stack);
}

void trace_stack_replace(struct trace_stack **stack, struct trace_stack *by)
{
	if (!by)
		return;
	trace_stack_get(by);
	trace_stack_put(*stack);
	*stack = by;
}

void trace_stack_add_frame(
	struct trace_text *text, const struct trace_frame *frame)
{
	trace_add(text, "%s(", frame->module[0] ? frame->module : "?");
	if (frame->function[0])
		trace_add(text, "%s+0x%llx", frame->function,
			(unsigned long long)frame->offset);
	trace_add(text, ") [0x%llx]",
		(unsigned long long)(frame->module[0] ? frame->module_address
						      : frame->address));
	if (frame->file[0])
		trace_add(text, " %s:%u", frame->file, frame->line);
}
