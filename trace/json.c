/* SPDX-License-Identifier: MIT */
/*
 * The trace as JSON lines: a line that says which version of the schema it
 * follows, one line a call when the call has ended, and a last line that says
 * that nothing is missing. Times are nanoseconds since epemu started.
 *
 * An event's data is text: as a number it would lose digits in most readers.
 */
#include "trace/json.h"

#include <json-c/json.h>
#include <stdlib.h>
#include <string.h>

#include "trace/decode.h"

struct json_sink {
	struct trace_sink sink;
	struct emu_outlet *out;
	uint64_t start_ns;
	uint64_t calls;
};

static void put(struct json_object *to, const char *key, struct json_object *it)
{
	json_object_object_add(to, key, it);
}

static void put_text(struct json_object *to, const char *key, const char *text)
{
	put(to, key, json_object_new_string(text));
}

static void put_number(struct json_object *to, const char *key, int64_t number)
{
	put(to, key, json_object_new_int64(number));
}

static void put_hex(struct json_object *to, const char *key, uint64_t number)
{
	char text[24];

	snprintf(text, sizeof(text), "0x%llx", (unsigned long long)number);
	put_text(to, key, text);
}

static void put_unsigned(
	struct json_object *to, const char *key, uint64_t number)
{
	put(to, key, json_object_new_uint64(number));
}

static void put_events(struct json_object *to, uint32_t events)
{
	char bytes[256];
	struct trace_text text = {.bytes = bytes, .room = sizeof(bytes)};

	bytes[0] = '\0';
	trace_add_events(&text, events);
	put_text(to, "events", bytes);
}

static struct json_object *fd_object(const struct trace_fd *fd)
{
	static const char *const kinds[] = {
		[TRACE_FD_UNKNOWN] = "unknown",
		[TRACE_FD_EPOLL] = "epoll",
		[TRACE_FD_EVENTFD] = "eventfd",
		[TRACE_FD_OTHER] = "other",
	};
	struct json_object *object = json_object_new_object();

	put_number(object, "fd", fd->number);
	put_text(object, "kind", kinds[fd->kind]);
	if (fd->name[0])
		put_text(object, "name", fd->name);
	if (fd->counted)
		put_unsigned(object, "count", fd->count);
	return object;
}

static void put_flags(
	struct json_object *to, const struct trace_call *call, int flags)
{
	char bytes[256];
	struct trace_text text = {.bytes = bytes, .room = sizeof(bytes)};

	bytes[0] = '\0';
	trace_add_flags(&text, call->kind, flags);
	put_text(to, "flags", bytes);
}

static void put_ctl(struct json_object *args, const struct trace_call *call)
{
	int op = (int)(uint32_t)call->args[1];
	const char *name = trace_op_name(op);

	put(args, "epoll", fd_object(&call->fd));
	if (name)
		put_text(args, "op", name);
	else
		put_number(args, "op", op);
	put(args, "item", fd_object(&call->item));
	if (!call->has_event)
		return;
	put_events(args, call->event.events);
	put_hex(args, "data", call->event.data);
}

static void put_wait(struct json_object *args, const struct trace_call *call)
{
	put(args, "epoll", fd_object(&call->fd));
	put_number(args, "maxevents", (int)(uint32_t)call->args[2]);
	if (!call->bad_timeout)
		put_number(args, "timeout_ns", trace_timeout_ns(call));
	if (call->kind != EMU_CALL_EPOLL_WAIT)
		put(args, "has_mask", json_object_new_boolean(call->args[4]));
}

static void put_arguments(
	struct json_object *args, const struct trace_call *call)
{
	switch (call->kind) {
	case EMU_CALL_EPOLL_CREATE:
		put_number(args, "size", (int)(uint32_t)call->args[0]);
		break;
	case EMU_CALL_EPOLL_CREATE1:
		put_flags(args, call, (int)(uint32_t)call->args[0]);
		break;
	case EMU_CALL_EVENTFD2:
		put_flags(args, call, (int)(uint32_t)call->args[1]);
		put_number(args, "initval", (uint32_t)call->args[0]);
		break;
	case EMU_CALL_EVENTFD:
		put_number(args, "initval", (uint32_t)call->args[0]);
		break;
	case EMU_CALL_EPOLL_CTL:
		put_ctl(args, call);
		break;
	case EMU_CALL_READ:
	case EMU_CALL_WRITE:
		put(args, "eventfd", fd_object(&call->fd));
		if (call->kind == EMU_CALL_WRITE || call->result == 8)
			put_unsigned(args, "value", call->value);
		break;
	default:
		put_wait(args, call);
	}
}

static void put_result(struct json_object *line, const struct trace_call *call)
{
	static const char *const ends[] = {
		[EMU_END_ANSWERED] = "answered",
		[EMU_END_GIVEN] = "given",
		[EMU_END_CONTINUED] = "continued",
		[EMU_END_INTERRUPTED] = "interrupted",
		[EMU_END_VOIDED] = "voided",
		[EMU_END_LATE] = "late",
		[EMU_END_GONE] = "gone",
	};

	put_text(line, "ended", ends[call->how]);
	if (call->how == EMU_END_CONTINUED || call->how == EMU_END_GONE)
		return;
	put_number(line, "result", call->result);
	if (call->result < 0)
		put_text(line, "error", trace_error_name((int)-call->result));
	if (trace_call_made_fd(call))
		put(line, "made", fd_object(&call->fd));
}

static void put_delivered(
	struct json_object *line, const struct trace_call *call)
{
	struct json_object *list = json_object_new_array();

	for (int i = 0; i < call->shown; i++) {
		struct json_object *event = json_object_new_object();

		put_events(event, call->events[i].events);
		put_hex(event, "data", call->events[i].data);
		put(event, "item", fd_object(&call->events[i].fd));
		json_object_array_add(list, event);
	}
	put(line, "delivered", list);
	put_number(line, "left", call->left);
}

static void put_waker(struct json_object *to, const struct trace_cause *cause,
	uint64_t start_ns)
{
	put_text(to, "call", emu_call_name(cause->call));
	put_number(to, "pid", cause->pid);
	put_number(to, "tid", cause->tid);
	put_text(to, "thread", cause->thread);
	put_unsigned(to, "at_ns", cause->at_ns - start_ns);
}

static void put_cause(struct json_object *line, const struct trace_call *call,
	uint64_t start_ns)
{
	static const char *const kinds[] = {
		[TRACE_WAKE_FILE] = "file",
		[TRACE_WAKE_CALL] = "call",
		[TRACE_WAKE_TIMEOUT] = "timeout",
		[TRACE_WAKE_SIGNAL] = "signal",
		[TRACE_WAKE_SIGNALFD] = "signalfd",
		[TRACE_WAKE_UNKNOWN] = "unknown",
	};
	const struct trace_cause *cause = &call->cause;
	struct json_object *object;
	struct json_object *waker;

	if (cause->kind == TRACE_WAKE_NONE)
		return;
	object = json_object_new_object();
	put_text(object, "by", kinds[cause->kind]);
	if (cause->kind == TRACE_WAKE_FILE ||
		cause->kind == TRACE_WAKE_SIGNALFD)
		put(object, "source", fd_object(&cause->source));
	if (cause->kind == TRACE_WAKE_SIGNAL && cause->signal)
		put_text(object, "signal", trace_signal_name(cause->signal));
	if (cause->has_waker) {
		waker = json_object_new_object();
		put_waker(waker, cause, start_ns);
		put(object, "waker", waker);
	}
	put(line, "woken", object);
}

static struct json_object *frame_object(const struct trace_frame *frame)
{
	struct json_object *object = json_object_new_object();

	put_hex(object, "address", frame->address);
	if (frame->module[0]) {
		put_text(object, "module", frame->module);
		put_hex(object, "module_address", frame->module_address);
	}
	if (frame->function[0]) {
		put_text(object, "function", frame->function);
		put_unsigned(object, "offset", frame->offset);
	}
	if (frame->file[0]) {
		put_text(object, "file", frame->file);
		put_unsigned(object, "line", frame->line);
	}
	if (frame->unsure)
		put(object, "unsure", json_object_new_boolean(true));
	return object;
}

static void put_stack(struct json_object *line, const struct trace_stack *stack)
{
	struct json_object *frames = json_object_new_array();

	for (unsigned int i = 0; i < stack->count; i++)
		json_object_array_add(frames, frame_object(&stack->frames[i]));
	put(line, "stack", frames);
	put(line, "stack_cut", json_object_new_boolean(stack->cut));
}

static void write_line(
	struct json_sink *sink, struct json_object *line, bool last)
{
	static const char end[] = "\n";
	size_t length = 0;
	const char *text = json_object_to_json_string_length(line,
		JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE,
		&length);
	char *whole = malloc(length + sizeof(end));

	if (whole) {
		memcpy(whole, text, length);
		memcpy(whole + length, end, sizeof(end));
		if (last)
			emu_outlet_put_last(sink->out, whole, length + 1);
		else
			emu_outlet_put(sink->out, whole, length + 1);
	}
	free(whole);
	json_object_put(line);
}

static void write_call(void *ctx, const struct trace_call *call)
{
	struct json_sink *sink = ctx;
	struct json_object *line = json_object_new_object();
	struct json_object *args = json_object_new_object();

	put_text(line, "type", "call");
	put_unsigned(line, "start_ns", call->start_ns - sink->start_ns);
	put_unsigned(line, "end_ns", call->end_ns - sink->start_ns);
	put_number(line, "pid", call->pid);
	put_number(line, "tid", call->tid);
	put_text(line, "thread", call->thread);
	put_text(line, "call", emu_call_name(call->kind));
	put_arguments(args, call);
	put(line, "args", args);
	put_result(line, call);
	if (emu_call_is_wait(call->kind))
		put_delivered(line, call);
	put_unsigned(line, "slept_ns", call->slept_ns);
	put_number(line, "spurious_wakes", call->spurious);
	put_cause(line, call, sink->start_ns);
	if (call->stack)
		put_stack(line, call->stack);
	sink->calls++;
	write_line(sink, line, false);
}

static void finish(void *ctx)
{
	struct json_sink *sink = ctx;
	struct json_object *line = json_object_new_object();

	put_text(line, "type", "end");
	put_unsigned(line, "calls", sink->calls);
	put_unsigned(line, "lost", sink->out->lost);
	write_line(sink, line, true);
	free(sink);
}

struct trace_sink *trace_json_create(struct emu_outlet *out, uint64_t start_ns)
{
	struct json_sink *sink = calloc(1, sizeof(*sink));
	struct json_object *line;

	if (!sink)
		return NULL;
	sink->sink = (struct trace_sink){
		.ctx = sink,
		.call = write_call,
		.finish = finish,
	};
	sink->out = out;
	sink->start_ns = start_ns;
	line = json_object_new_object();
	put_text(line, "type", "start");
	put_text(line, "schema", "epemu-trace");
	put_number(line, "version", TRACE_JSON_VERSION);
	write_line(sink, line, false);
	return &sink->sink;
}
