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
	struct trace_out out;
	uint64_t start_ns;
	char line[TRACE_TEXT_LINE];
};

void trace_add_fd(struct trace_text *text, const struct trace_fd *fd)
{
	trace_add(text, "%d", fd->number);
	if (fd->counted)
		trace_add(text, "<%s count=%llu>", fd->name,
			(unsigned long long)fd->count);
	else if (fd->name[0])
		trace_add(text, "<%s>", fd->name);
}

static void add_ctl(struct trace_text *text, const struct trace_call *call)
{
	int op = (int)(uint32_t)call->args[1];
	const char *name = trace_op_name(op);

	trace_add_fd(text, &call->fd);
	if (name)
		trace_add(text, ", %s, ", name);
	else
		trace_add(text, ", %d, ", op);
	trace_add_fd(text, &call->item);
	if (!call->has_event) {
		trace_add(text, ", 0x%llx", (unsigned long long)call->args[3]);
		return;
	}
	trace_add(text, ", {");
	trace_add_events(text, call->event.events);
	trace_add(text, ", data=0x%llx}", (unsigned long long)call->event.data);
}

static void add_event_list(
	struct trace_text *text, const struct trace_call *call)
{
	if (call->how != EMU_END_ANSWERED || call->result < 0) {
		trace_add(text, "0x%llx", (unsigned long long)call->args[1]);
		return;
	}
	trace_add(text, "[");
	for (int i = 0; i < call->shown; i++) {
		trace_add(text, "%s{", i ? ", " : "");
		trace_add_events(text, call->events[i].events);
		trace_add(text, ", data=0x%llx, ",
			(unsigned long long)call->events[i].data);
		trace_add_fd(text, &call->events[i].fd);
		trace_add(text, "}");
	}
	trace_add(text, call->result > call->shown ? ", ...]" : "]");
}

static void add_wait(struct trace_text *text, const struct trace_call *call)
{
	int64_t timeout_ns = trace_timeout_ns(call);

	trace_add_fd(text, &call->fd);
	trace_add(text, ", ");
	add_event_list(text, call);
	trace_add(text, ", %d, ", (int)(uint32_t)call->args[2]);
	if (call->bad_timeout)
		trace_add(text, "0x%llx", (unsigned long long)call->args[3]);
	else if (timeout_ns < 0)
		trace_add(text, "-1");
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
	if (known && call->how != EMU_END_GONE)
		trace_add(text, ", {%llu}, 8", (unsigned long long)call->value);
	else
		trace_add(
			text, ", 0x%llx, 8", (unsigned long long)call->args[1]);
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
	trace_add(text, " = ");
	if (call->how == EMU_END_CONTINUED)
		trace_add(text, "? (the kernel's)");
	else if (call->how == EMU_END_GONE)
		trace_add(text, "? (ended in it)");
	else if (call->how == EMU_END_GIVEN)
		trace_add_fd(text, &call->fd);
	else if (call->how == EMU_END_INTERRUPTED &&
		 !emu_call_is_wait(call->kind))
		trace_add(text, "? ERESTARTSYS");
	else if (call->result < 0)
		trace_add(text, "-1 %s", trace_error_name((int)-call->result));
	else
		trace_add(text, "%lld", (long long)call->result);
}

static void add_waker(struct trace_text *text, const struct trace_call *call)
{
	const struct trace_cause *cause = &call->cause;

	trace_add(text, "%s in thread %d \"%s\"", emu_call_name(cause->call),
		(int)cause->tid, cause->thread);
}

static void add_ago(struct trace_text *text, const struct trace_call *call)
{
	trace_add(text, ", ");
	trace_add_time(text, call->end_ns - call->cause.at_ns);
	trace_add(text, " ago");
}

static void add_source(struct trace_text *text, const struct trace_call *call)
{
	const struct trace_cause *cause = &call->cause;

	if (cause->has_waker) {
		trace_add(text, "%s ", cause->source.name);
		add_waker(text, call);
	} else if (cause->source.number < 0) {
		trace_add(text, "a shared file's edge");
	} else {
		trace_add_fd(text, &cause->source);
		trace_add(text, " edge");
	}
}

static void add_cause(struct trace_text *text, const struct trace_call *call)
{
	const struct trace_cause *cause = &call->cause;

	if (cause->kind == TRACE_WAKE_NONE)
		return;
	trace_add(text, " woken by ");
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
		trace_add(text, "timeout");
		break;
	case TRACE_WAKE_SIGNAL:
		trace_add(text, "%s", trace_signal_name(cause->signal));
		break;
	default:
		trace_add(text, "something unknown");
	}
}

static void add_notes(struct trace_text *text, const struct trace_call *call)
{
	if (call->spurious)
		trace_add(text, "; spurious wakes before: %u", call->spurious);
	if (call->left > 0 && call->how == EMU_END_ANSWERED)
		trace_add(text, "; %d left ready", call->left);
	if (call->how == EMU_END_LATE)
		trace_add(text, "; a signal came with the answer");
}

void trace_text_add_call(struct trace_text *text, const struct trace_call *call)
{
	trace_add(text, "%s(", emu_call_name(call->kind));
	add_arguments(text, call);
	trace_add(text, ")");
	add_result(text, call);
	trace_add(text, " <");
	trace_add_time(text, call->end_ns - call->start_ns);
	trace_add(text, ">");
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
			trace_out_write(&sink->out, sink->line, text.size);
			text.size = 0;
		}
		trace_add(&text, stack->frames[i].unsure ? " ? " : " > ");
		trace_stack_add_frame(&text, &stack->frames[i]);
		sink->line[text.size++] = '\n';
	}
	if (stack->cut)
		trace_add(&text, " > ...\n");
	trace_out_write(&sink->out, sink->line, text.size);
}

static void write_call(void *ctx, const struct trace_call *call)
{
	struct text_sink *sink = ctx;
	struct trace_text text = {
		.bytes = sink->line, .room = TRACE_TEXT_LINE - 1};
	uint64_t at_us = (call->end_ns - sink->start_ns) / 1000;

	trace_add(&text, "%6llu.%06llu %d", (unsigned long long)at_us / 1000000,
		(unsigned long long)at_us % 1000000, (int)call->pid);
	if (call->tid != call->pid)
		trace_add(&text, "/%d", (int)call->tid);
	trace_add(&text, " %s  ", call->thread);
	trace_text_add_call(&text, call);
	sink->line[text.size] = '\n';
	trace_out_write(&sink->out, sink->line, text.size + 1);
	if (call->stack)
		write_stack(sink, call->stack);
}

static void finish(void *ctx)
{
	free(ctx);
}

struct trace_sink *trace_text_create(
	const struct trace_out *out, uint64_t start_ns)
{
	struct text_sink *sink = calloc(1, sizeof(*sink));

	if (!sink)
		return NULL;
	sink->sink = (struct trace_sink){
		.ctx = sink,
		.call = write_call,
		.finish = finish,
	};
	sink->out = *out;
	sink->start_ns = start_ns;
	return &sink->sink;
}
