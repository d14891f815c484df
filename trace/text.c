/* SPDX-License-Identifier: MIT */
/*
 * The trace as text:
 *
 *     0.012345 1234/1240 worker  epoll_wait(3<epoll#1>, [{EPOLLIN, data=0x1,
 *     4<eventfd#1>}], 16, -1) = 1 <12 us> woken by ...
 *
 * all in one line: when the call ended, in seconds since epemu started; the
 * process, and the thread if it is another; the thread's name; the call with
 * its arguments, its result, how long it took from trap to answer, and why it
 * ended when it did. Lines are in the order of the calls' ends, so whoever
 * woke somebody mostly stands above. Where stacks are asked for, the frames
 * follow, innermost first, each in a line of its own:
 *
 *  > /lib/libc.so.6(epoll_wait+0x12) [0x10a2d6] epoll_wait.c:30
 */
#include "trace/text.h"

#include <stdlib.h>
#include <string.h>

struct text_sink {
	struct trace_sink sink;
	struct emu_outlet *out;
	uint64_t start_ns;
	char line[TRACE_TEXT_LINE];
};

void trace_add_fd(struct trace_text *text, const struct trace_fd *fd)
{
	trace_put_number(text, fd->number);
	if (!fd->counted && !fd->name[0])
		return;
	trace_put(text, "<");
	trace_put(text, fd->name);
	if (fd->counted) {
		trace_put(text, " count=");
		trace_put_wide(text, fd->count, 0, ' ');
	}
	trace_put(text, ">");
}

static void add_ctl(struct trace_text *text, const struct trace_call *call)
{
	int op = (int)(uint32_t)call->args[1];
	const char *name = trace_op_name(op);

	trace_add_fd(text, &call->fd);
	trace_put(text, ", ");
	if (name)
		trace_put(text, name);
	else
		trace_put_number(text, op);
	trace_put(text, ", ");
	trace_add_fd(text, &call->item);
	trace_put(text, ", ");
	if (!call->has_event) {
		trace_put_hex(text, call->args[3]);
		return;
	}
	trace_put(text, "{");
	trace_add_events(text, call->event.events);
	trace_put(text, ", data=");
	trace_put_hex(text, call->event.data);
	trace_put(text, "}");
}

static void add_event_list(
	struct trace_text *text, const struct trace_call *call)
{
	if (call->how != EMU_END_ANSWERED || call->result < 0) {
		trace_put_hex(text, call->args[1]);
		return;
	}
	trace_put(text, "[");
	for (int i = 0; i < call->shown; i++) {
		trace_put(text, i ? ", {" : "{");
		trace_add_events(text, call->events[i].events);
		trace_put(text, ", data=");
		trace_put_hex(text, call->events[i].data);
		trace_put(text, ", ");
		trace_add_fd(text, &call->events[i].fd);
		trace_put(text, "}");
	}
	trace_put(text, call->result > call->shown ? ", ...]" : "]");
}

static void add_wait(struct trace_text *text, const struct trace_call *call)
{
	int64_t timeout_ns = trace_timeout_ns(call);

	trace_add_fd(text, &call->fd);
	trace_put(text, ", ");
	add_event_list(text, call);
	trace_put(text, ", ");
	trace_put_number(text, (int)(uint32_t)call->args[2]);
	trace_put(text, ", ");
	if (call->bad_timeout)
		trace_put_hex(text, call->args[3]);
	else if (timeout_ns < 0)
		trace_put(text, "-1");
	else if (call->kind == EMU_CALL_EPOLL_PWAIT2)
		trace_add(text, "%lld ns", (long long)timeout_ns);
	else
		trace_add(text, "%lld ms", (long long)timeout_ns / 1000000);
	if (call->kind != EMU_CALL_EPOLL_WAIT)
		trace_add(text, call->args[4] ? ", 0x%llx" : ", NULL",
			(unsigned long long)call->args[4]);
}

static void add_transfer(struct trace_text *text, const struct trace_call *call)
{
	bool known = call->kind == EMU_CALL_WRITE || call->result == 8;

	trace_add_fd(text, &call->fd);
	if (known && call->how != EMU_END_GONE) {
		trace_add(text, ", {%llu}, 8", (unsigned long long)call->value);
	} else {
		trace_put(text, ", ");
		trace_put_hex(text, call->args[1]);
		trace_put(text, ", 8");
	}
}

static void add_arguments(
	struct trace_text *text, const struct trace_call *call)
{
	switch (call->kind) {
	case EMU_CALL_EPOLL_CTL:
		add_ctl(text, call);
		break;
	case EMU_CALL_EPOLL_WAIT:
	case EMU_CALL_EPOLL_PWAIT:
	case EMU_CALL_EPOLL_PWAIT2:
		add_wait(text, call);
		break;
	case EMU_CALL_READ:
	case EMU_CALL_WRITE:
		add_transfer(text, call);
		break;
	default:
		trace_add_creation(text, call->kind, call->args);
	}
}

static void add_result(struct trace_text *text, const struct trace_call *call)
{
	trace_put(text, " = ");
	if (call->how == EMU_END_CONTINUED)
		trace_put(text, "? (the kernel's)");
	else if (call->how == EMU_END_GONE)
		trace_put(text, "? (ended in it)");
	else if (trace_call_made_fd(call))
		trace_add_fd(text, &call->fd);
	else if (call->how == EMU_END_INTERRUPTED &&
		 !emu_call_is_wait(call->kind))
		trace_put(text, "? ERESTARTSYS");
	else if (call->result < 0)
		trace_add(text, "-1 %s", trace_error_name((int)-call->result));
	else
		trace_put_number(text, call->result);
}

static void add_waker(struct trace_text *text, const struct trace_call *call)
{
	const struct trace_cause *cause = &call->cause;

	trace_put(text, emu_call_name(cause->call));
	trace_put(text, " in thread ");
	trace_put_number(text, cause->tid);
	trace_put(text, " \"");
	trace_put(text, cause->thread);
	trace_put(text, "\"");
}

static void add_ago(struct trace_text *text, const struct trace_call *call)
{
	trace_put(text, ", ");
	trace_add_time(text, call->end_ns - call->cause.at_ns);
	trace_put(text, " ago");
}

static void add_source(struct trace_text *text, const struct trace_call *call)
{
	const struct trace_cause *cause = &call->cause;

	if (cause->has_waker) {
		trace_put(text, cause->source.name);
		trace_put(text, " ");
		add_waker(text, call);
	} else if (cause->source.number < 0) {
		trace_put(text, "a shared file's edge");
	} else {
		trace_add_fd(text, &cause->source);
		trace_put(text, " edge");
	}
}

static void add_cause(struct trace_text *text, const struct trace_call *call)
{
	const struct trace_cause *cause = &call->cause;

	if (cause->kind == TRACE_WAKE_NONE)
		return;
	trace_put(text, " woken by ");
	switch (cause->kind) {
	case TRACE_WAKE_FILE:
	case TRACE_WAKE_SIGNALFD:
		add_source(text, call);
		add_ago(text, call);
		break;
	case TRACE_WAKE_CALL:
		add_waker(text, call);
		add_ago(text, call);
		break;
	case TRACE_WAKE_TIMEOUT:
		trace_put(text, "timeout");
		break;
	case TRACE_WAKE_SIGNAL:
		trace_put(text, trace_signal_name(cause->signal));
		break;
	default:
		trace_put(text, "something unknown");
	}
}

static void add_notes(struct trace_text *text, const struct trace_call *call)
{
	if (call->spurious)
		trace_add(text, "; spurious wakes before: %u", call->spurious);
	if (call->left > 0 && call->how == EMU_END_ANSWERED)
		trace_add(text, "; %d left ready", call->left);
	if (call->how == EMU_END_LATE)
		trace_put(text, "; a signal came with the answer");
}

void trace_text_add_call(struct trace_text *text, const struct trace_call *call)
{
	trace_put(text, emu_call_name(call->kind));
	trace_put(text, "(");
	add_arguments(text, call);
	trace_put(text, ")");
	add_result(text, call);
	trace_put(text, " <");
	trace_add_time(text, call->end_ns - call->start_ns);
	trace_put(text, ">");
	add_cause(text, call);
	add_notes(text, call);
}

/* In as few writes as the line's room allows. */
static void write_stack(struct text_sink *sink, const struct trace_stack *stack)
{
	struct trace_text text = {
		.bytes = sink->line, .room = TRACE_TEXT_LINE - 1};

	for (unsigned int i = 0; i < stack->count; i++) {
		if (text.room - text.size < TRACE_TEXT_FRAME) {
			emu_outlet_add(sink->out, sink->line, text.size);
			text.size = 0;
		}
		trace_add(&text, stack->frames[i].unsure ? " ? " : " > ");
		trace_stack_add_frame(&text, &stack->frames[i]);
		sink->line[text.size++] = '\n';
	}
	if (stack->cut)
		trace_add(&text, " > ...\n");
	emu_outlet_add(sink->out, sink->line, text.size);
}

static void write_call(void *ctx, const struct trace_call *call)
{
	struct text_sink *sink = ctx;
	struct trace_text text = {
		.bytes = sink->line, .room = TRACE_TEXT_LINE - 1};
	uint64_t at_us = (call->end_ns - sink->start_ns) / 1000;

	trace_put_wide(&text, at_us / 1000000, 6, ' ');
	trace_put(&text, ".");
	trace_put_wide(&text, at_us % 1000000, 6, '0');
	trace_put(&text, " ");
	trace_put_number(&text, call->pid);
	if (call->tid != call->pid) {
		trace_put(&text, "/");
		trace_put_number(&text, call->tid);
	}
	trace_put(&text, " ");
	trace_put(&text, call->thread);
	trace_put(&text, "  ");
	trace_text_add_call(&text, call);
	sink->line[text.size] = '\n';
	emu_outlet_put(sink->out, sink->line, text.size + 1);
	if (call->stack)
		write_stack(sink, call->stack);
}

static void finish(void *ctx)
{
	struct text_sink *sink = ctx;

	emu_outlet_put_lost(sink->out);
	free(sink);
}

struct trace_sink *trace_text_create(struct emu_outlet *out, uint64_t start_ns)
{
	struct text_sink *sink = calloc(1, sizeof(*sink));

	if (!sink)
		return NULL;
	sink->sink = (struct trace_sink){
		.ctx = sink,
		.call = write_call,
		.finish = finish,
	};
	sink->out = out;
	sink->start_ns = start_ns;
	return &sink->sink;
}
