/* SPDX-License-Identifier: MIT */
/*
 * The trace for viewers of the Trace Event Format: an array of events, one a
 * line. The format lets the closing bracket be missing, so what was written
 * when epemu is killed can still be opened.
 *
 * A call is one complete slice ("X") on its thread's track. An arrow from the
 * call that woke it ("s", in the waker's slice) to its end ("f") is written
 * as a pair when the woken call has ended. Lengths of ready lists and counts
 * of eventfds are counters ("C") of a process of their own, 0.
 */
#include "trace/perfetto.h"

#include <json-c/json.h>
#include <stdlib.h>
#include <string.h>

#include "emu/table.h"
#include "trace/decode.h"
#include "trace/text.h"

struct perfetto_sink {
	struct trace_sink sink;
	struct emu_outlet *out;
	uint64_t start_ns;
	uint64_t flows;
	bool begun; /* an event was written */
	struct emu_table threads; /* names by thread id */
};

static void put(struct json_object *to, const char *key, struct json_object *it)
{
	json_object_object_add(to, key, it);
}

static void put_text(struct json_object *to, const char *key, const char *text)
{
	put(to, key, json_object_new_string(text));
}

static struct json_object *event_new(
	const char *phase, const char *name, pid_t pid, pid_t tid)
{
	struct json_object *event = json_object_new_object();

	put_text(event, "ph", phase);
	put_text(event, "name", name);
	put(event, "pid", json_object_new_int(pid));
	put(event, "tid", json_object_new_int(tid));
	return event;
}

/* Microseconds, with three more digits. */
static void put_time(struct json_object *to, const char *key, uint64_t ns)
{
	char text[32];

	snprintf(text, sizeof(text), "%llu.%03llu",
		(unsigned long long)ns / 1000, (unsigned long long)ns % 1000);
	put(to, key, json_object_new_double_s((double)ns / 1000, text));
}

/* Returns whether it will be in the trace. */
static bool write_event(struct perfetto_sink *sink, struct json_object *event)
{
	const char *before = sink->begun ? ",\n" : "[\n";
	const char *text = json_object_to_json_string_ext(
		event, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE);
	size_t size = strlen(text);
	char *whole = malloc(size + 2);
	bool taken = false;

	if (whole) {
		memcpy(whole, before, 2);
		memcpy(whole + 2, text, size);
		taken = emu_outlet_put(sink->out, whole, size + 2);
	}
	sink->begun |= taken;
	free(whole);
	json_object_put(event);
	return taken;
}

static bool write_name(struct perfetto_sink *sink, const char *what, pid_t pid,
	pid_t tid, const char *name)
{
	struct json_object *event = event_new("M", what, pid, tid);
	struct json_object *args = json_object_new_object();

	put_text(args, "name", name);
	put(event, "args", args);
	return write_event(sink, event);
}

/* Names the tracks of a thread that is new, or is called another now. */
static void name_track(
	struct perfetto_sink *sink, pid_t pid, pid_t tid, const char *name)
{
	char *known = emu_table_get(&sink->threads, (uint64_t)tid);

	if (known && strcmp(known, name) == 0)
		return;
	free(emu_table_take(&sink->threads, (uint64_t)tid));
	if ((pid == tid && !write_name(sink, "process_name", pid, tid, name)) ||
		!write_name(sink, "thread_name", pid, tid, name))
		return;
	known = strdup(name);
	if (!known || emu_table_set(&sink->threads, (uint64_t)tid, known) < 0)
		free(known);
}

static void write_flow(
	struct perfetto_sink *sink, const struct trace_call *call)
{
	const struct trace_cause *cause = &call->cause;
	struct json_object *from;
	struct json_object *to;

	name_track(sink, cause->pid, cause->tid, cause->thread);
	sink->flows++;
	from = event_new("s", "wakes", cause->pid, cause->tid);
	put_text(from, "cat", "wake");
	put(from, "id", json_object_new_uint64(sink->flows));
	put_time(from, "ts", cause->at_ns - sink->start_ns);
	write_event(sink, from);
	to = event_new("f", "wakes", call->pid, call->tid);
	put_text(to, "cat", "wake");
	put(to, "id", json_object_new_uint64(sink->flows));
	put_text(to, "bp", "e");
	put_time(to, "ts", call->end_ns - sink->start_ns);
	write_event(sink, to);
}

/* The call as the text trace has it, from the name to the notes. */
static struct json_object *words_of(const struct trace_call *call)
{
	static char bytes[TRACE_TEXT_LINE];
	struct trace_text text = {.bytes = bytes, .room = sizeof(bytes)};

	trace_text_add_call(&text, call);
	return json_object_new_string(bytes);
}

/* Each frame as the text trace has it. */
static struct json_object *frames_of(const struct trace_stack *stack)
{
	static char bytes[TRACE_TEXT_FRAME];
	struct json_object *frames = json_object_new_array();

	for (unsigned int i = 0; i < stack->count; i++) {
		struct trace_text text = {
			.bytes = bytes, .room = sizeof(bytes)};

		if (stack->frames[i].unsure)
			trace_add(&text, "? ");
		trace_stack_add_frame(&text, &stack->frames[i]);
		json_object_array_add(frames, json_object_new_string(bytes));
	}
	if (stack->cut)
		json_object_array_add(frames, json_object_new_string("..."));
	return frames;
}

static void write_call(void *ctx, const struct trace_call *call)
{
	struct perfetto_sink *sink = ctx;
	struct json_object *event;
	struct json_object *args = json_object_new_object();

	name_track(sink, call->pid, call->tid, call->thread);
	event = event_new("X", emu_call_name(call->kind), call->pid, call->tid);
	put_text(event, "cat", "call");
	put_time(event, "ts", call->start_ns - sink->start_ns);
	put_time(event, "dur", call->end_ns - call->start_ns);
	put(args, "call", words_of(call));
	if (call->stack)
		put(args, "stack", frames_of(call->stack));
	put(event, "args", args);
	write_event(sink, event);
	if (call->cause.has_waker)
		write_flow(sink, call);
}

static void write_value(void *ctx, const struct trace_value *value)
{
	struct perfetto_sink *sink = ctx;
	struct json_object *args = json_object_new_object();
	struct json_object *event;
	char name[64];

	snprintf(name, sizeof(name),
		value->kind == EMU_KIND_EPOLL ? "epoll#%llu ready"
					      : "eventfd#%llu count",
		(unsigned long long)value->object);
	event = event_new("C", name, 0, 0);
	put_time(event, "ts", value->at_ns - sink->start_ns);
	put(args, "value", json_object_new_uint64(value->value));
	put(event, "args", args);
	write_event(sink, event);
}

/* Viewers ignore names that they do not know. */
static void write_lost(struct perfetto_sink *sink)
{
	char text[128];
	int size = snprintf(text, sizeof(text),
		",\n{\"ph\":\"M\",\"name\":\"epemu_lost\",\"pid\":0,\"tid\":0,"
		"\"args\":{\"events\":%llu}}",
		(unsigned long long)sink->out->lost);

	emu_outlet_put_last(sink->out, text, (size_t)size);
}

static void finish(void *ctx)
{
	struct perfetto_sink *sink = ctx;

	if (sink->out->lost)
		write_lost(sink);
	emu_outlet_put_last(sink->out, "\n]\n", 3);
	emu_table_free(&sink->threads);
	free(sink);
}

struct trace_sink *trace_perfetto_create(
	struct emu_outlet *out, uint64_t start_ns)
{
	struct perfetto_sink *sink = calloc(1, sizeof(*sink));

	if (!sink)
		return NULL;
	sink->sink = (struct trace_sink){
		.ctx = sink,
		.call = write_call,
		.value = write_value,
		.finish = finish,
	};
	sink->out = out;
	sink->start_ns = start_ns;
	write_name(sink, "process_name", 0, 0, "epolls and eventfds");
	return &sink->sink;
}
