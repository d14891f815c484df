/* SPDX-License-Identifier: MIT */
/*
 * From what an observer is told to finished records.
 *
 * A record lives from the call's receipt to its end, on its thread's list of
 * open calls: mostly one, more while signal handlers that make calls of their
 * own have interrupted others.
 *
 * Descriptors are named when the call is received, while its thread stands
 * still; the kernel's own answers come after that and cannot be seen.
 */
#include "trace/trace.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "trace/item.h"
#include "trace/known.h"
#include "trace/looker.h"
#include "trace/names.h"

struct trace {
	struct emu_observer observer;
	struct trace_sink *sinks;
	const struct trace_filter *filter;
	struct trace_looker looker;
	struct trace_known known;
	bool started; /* the program to wait for was executed */
	struct trace_call *spare; /* one that is not in use, or NULL */
};

static struct trace_call *open_call(
	struct trace *trace, const struct emu_call *call)
{
	struct trace_thread *thread =
		trace_known_thread(&trace->known, call->thread);
	struct emu_list *pos;

	if (!thread)
		return NULL;
	emu_list_for_each (pos, &thread->open) {
		struct trace_call *open =
			emu_container_of(pos, struct trace_call, link);

		if (open->id == call->id)
			return open;
	}
	return NULL;
}

/* All zero, but for the events. */
static struct trace_call *new_record(struct trace *trace)
{
	struct trace_call *record = trace->spare;

	trace->spare = NULL;
	if (!record)
		record = malloc(sizeof(*record));
	if (record)
		memset(record, 0, offsetof(struct trace_call, events));
	return record;
}

static void drop(struct trace *trace, struct trace_call *call)
{
	emu_list_remove(&call->link);
	trace_stack_put(call->stack);
	if (trace->spare)
		free(call);
	else
		trace->spare = call;
}

static bool is_creation(enum emu_call_kind kind)
{
	return kind == EMU_CALL_EPOLL_CREATE ||
	       kind == EMU_CALL_EPOLL_CREATE1 || kind == EMU_CALL_EVENTFD ||
	       kind == EMU_CALL_EVENTFD2;
}

/* What lies in the thread's memory and is not the interception's to keep. */
static void read_timeout(struct trace_call *record, const struct emu_call *call)
{
	int64_t spec[2];

	record->timeout_ns = -1;
	if (call->kind != EMU_CALL_EPOLL_PWAIT2 || !call->args[3])
		return;
	if (emu_target_read(call->thread, call->args[3], spec, sizeof(spec)) <
		0)
		record->bad_timeout = true;
	else if (spec[0] >= 0 && spec[0] < INT64_MAX / 1000000000)
		record->timeout_ns = spec[0] * 1000000000 + spec[1];
}

/* Names and programs change at exec, and who runs anew makes something. */
static bool is_shown(struct trace *trace, struct trace_thread *thread,
	const struct emu_call *call)
{
	if (is_creation(call->kind) || !trace->started)
		trace_name_thread(thread->name, thread->tid);
	if (!trace->started && trace->filter->since_exec)
		trace->started =
			strncmp(thread->name, trace->filter->since_exec,
				TRACE_COMM - 1) == 0;
	else
		trace->started = true;
	return trace->started && call->kind != EMU_CALL_RT_SIGRETURN;
}

static void received(void *ctx, const struct emu_call *call, uint64_t at_ns)
{
	struct trace *trace = ctx;
	struct trace_thread *thread =
		trace_known_thread(&trace->known, call->thread);
	struct trace_call *record;

	if (thread)
		trace_looker_arrival(thread, call);
	if (!thread || !is_shown(trace, thread, call))
		return;
	record = new_record(trace);
	if (!record)
		return;
	record->id = call->id;
	record->kind = call->kind;
	record->pid = thread->pid;
	record->tid = thread->tid;
	memcpy(record->thread, thread->name, sizeof(record->thread));
	memcpy(record->args, call->args, sizeof(record->args));
	record->fd.number = emu_call_int(call, 0);
	record->start_ns = at_ns;
	read_timeout(record, call);
	if (call->kind == EMU_CALL_EPOLL_CTL)
		record->item.number = emu_call_int(call, 2);
	if (trace_filter_may_show(trace->filter, record))
		record->stack = trace_looker_take(&trace->looker, thread, call);
	emu_list_add_tail(&record->link, &thread->open);
}

static void file(void *ctx, const struct emu_call *call, int fd)
{
	struct trace_call *record = open_call(ctx, call);

	if (record)
		trace_item_file(record, call, fd);
}

static bool wants_registers(void *ctx, const struct emu_call *call)
{
	struct trace *trace = ctx;

	return trace_looker_wants(&trace->looker, call);
}

static void registers(
	void *ctx, const struct emu_call *call, const uint64_t *registers)
{
	struct trace *trace = ctx;
	struct trace_thread *thread =
		trace_known_thread(&trace->known, call->thread);
	struct trace_call *record = open_call(trace, call);
	struct trace_stack *stack;

	if (thread && registers) {
		trace_looker_registers(&trace->looker, thread, call, registers);
	} else if (record) {
		stack = trace_looker_make_do(&trace->looker, call);
		/* It may have one from when the call was made before. */
		trace_stack_replace(&record->stack, stack);
		trace_stack_put(stack);
	}
}

static void again(
	void *ctx, const struct emu_call *call, uint64_t earlier, bool ended)
{
	struct trace *trace = ctx;
	struct emu_call before = *call;
	struct trace_call *record = open_call(trace, call);
	struct trace_call *first;

	if (record && ended)
		record->silent = true;
	before.id = earlier;
	first = open_call(trace, &before);
	if (!record || ended || !first || first == record)
		return;
	first->id = call->id;
	trace_stack_replace(&first->stack, record->stack);
	drop(trace, record);
}

static void name_object(struct trace_call *record, const struct emu_call *call)
{
	int number = trace_call_made_fd(record) ? (int)record->result
						: record->fd.number;

	if (call->object)
		trace_name_object(&record->fd, call->object->kind,
			call->object->number, number);
	else if (record->how == EMU_END_CONTINUED)
		trace_name_fd(&record->fd, call->thread, number);
}

static void parked(void *ctx, const struct emu_call *call, uint64_t until_ns,
	uint64_t at_ns)
{
	struct trace_call *record = open_call(ctx, call);

	(void)until_ns;
	if (!record || record->parked_ns)
		return;
	record->parked_ns = at_ns;
	name_object(record, call);
}

static void put_off(void *ctx, const struct emu_call *call)
{
	struct trace_call *record = open_call(ctx, call);

	if (record && call->object)
		name_object(record, call);
}

static void woken(void *ctx, const struct emu_call *call,
	const struct emu_cause *cause, uint64_t at_ns)
{
	struct trace *trace = ctx;
	struct trace_call *record = open_call(trace, call);

	if (record && record->cause.kind == TRACE_WAKE_NONE)
		trace_known_cause(&trace->known, &record->cause, cause, at_ns);
}

static void slept_on(void *ctx, const struct emu_call *call, uint64_t at_ns)
{
	struct trace_call *record = open_call(ctx, call);

	(void)at_ns;
	if (!record || record->cause.kind == TRACE_WAKE_NONE)
		return;
	/* Of what nobody can name, part is of the supervisor's own making. */
	record->spurious += record->cause.kind != TRACE_WAKE_UNKNOWN;
	record->cause = (struct trace_cause){0};
}

static void tell_value(struct trace *trace, const struct trace_value *value)
{
	struct trace_sink *sink;

	if (!trace->started)
		return;
	for (sink = trace->sinks; sink; sink = sink->next) {
		if (sink->value)
			sink->value(sink->ctx, value);
	}
}

static void counter(void *ctx, const struct emu_object *object,
	const struct emu_call *call, bool back, uint64_t at_ns)
{
	struct trace *trace = ctx;
	struct trace_value value = {
		.kind = EMU_KIND_EVENTFD,
		.object = object->number,
		.value = trace_known_transfer(
			&trace->known, object, call, back, at_ns),
		.at_ns = at_ns,
	};

	tell_value(trace, &value);
}

static void tell_queued(struct trace *trace, const struct emu_epoll *epoll,
	int count, uint64_t at_ns)
{
	struct trace_value value = {
		.kind = EMU_KIND_EPOLL,
		.object = trace_known_number(&trace->known, epoll),
		.value = (uint64_t)count,
		.at_ns = at_ns,
	};

	if (value.object)
		tell_value(trace, &value);
}

static void queued(void *ctx, const struct emu_epoll *epoll,
	const struct emu_item *item, const struct emu_cause *cause,
	uint64_t at_ns)
{
	(void)item;
	(void)cause;
	tell_queued(ctx, epoll, emu_epoll_queued(epoll), at_ns);
}

static void object_made(
	void *ctx, const struct emu_object *object, const struct emu_call *call)
{
	struct trace *trace = ctx;

	trace_known_made(&trace->known, object, call);
}

static void object_gone(void *ctx, const struct emu_object *object)
{
	struct trace *trace = ctx;

	trace_known_gone(&trace->known, object);
}

static void end_wait(struct trace *trace, struct trace_call *record,
	const struct emu_finish *finish)
{
	const struct emu_object *object = finish->call->object;
	const struct emu_item *item = NULL;

	record->left = finish->left;
	if (!object)
		return;
	tell_queued(trace, object->epoll, finish->left, finish->at_ns);
	for (int i = 0; finish->events && i < finish->result &&
			record->shown < TRACE_EVENTS;
		i++) {
		item = emu_epoll_harvested(object->epoll, item);
		trace_item_event(&trace->known,
			&record->events[record->shown++], object->epoll,
			&finish->events[i], item);
	}
}

static void emit(struct trace *trace, struct trace_call *record)
{
	struct trace_sink *sink;

	if (!trace_filter_shows(trace->filter, record))
		return;
	for (sink = trace->sinks; sink; sink = sink->next) {
		if (sink->call)
			sink->call(sink->ctx, record);
	}
}

static bool is_silent(const struct trace_call *record)
{
	bool transfer =
		record->kind == EMU_CALL_READ || record->kind == EMU_CALL_WRITE;

	return record->silent || record->how == EMU_END_VOIDED ||
	       (transfer && record->how == EMU_END_CONTINUED);
}

static void end_call(struct trace_call *record, const struct emu_finish *finish)
{
	record->how = finish->how;
	record->result = finish->result;
	record->end_ns = finish->at_ns;
	if (record->parked_ns)
		record->slept_ns = finish->at_ns - record->parked_ns;
	if (finish->how == EMU_END_INTERRUPTED)
		record->cause = (struct trace_cause){
			.kind = TRACE_WAKE_SIGNAL,
			.signal = finish->signal,
			.at_ns = finish->at_ns,
		};
	else if (finish->how == EMU_END_GONE)
		record->cause = (struct trace_cause){0};
}

/* What the interception knows of the call, while it does. */
static void describe(struct trace *trace, struct trace_call *record,
	const struct emu_finish *finish)
{
	const struct emu_call *call = finish->call;

	name_object(record, call);
	record->value = call->value;
	if (call->kind == EMU_CALL_EPOLL_CTL) {
		trace_item_finished(&trace->known, record, call);
	} else if (record->fd.kind == TRACE_FD_EVENTFD) {
		record->fd.counted = true;
		record->fd.count =
			trace_known_count(&trace->known, record->fd.object);
	} else if (emu_call_is_wait(call->kind)) {
		end_wait(trace, record, finish);
	}
}

static void finished(void *ctx, const struct emu_finish *finish)
{
	struct trace *trace = ctx;
	struct trace_call *record = open_call(trace, finish->call);

	if (!record)
		return;
	end_call(record, finish);
	if (!is_silent(record)) {
		describe(trace, record, finish);
		emit(trace, record);
	}
	drop(trace, record);
}

/* Its thread or the trace ends while the call has not. */
static void end_open(struct trace *trace, struct trace_thread *thread)
{
	struct emu_list *following;
	struct emu_list *pos;

	emu_list_for_each_safe (pos, following, &thread->open) {
		struct trace_call *record =
			emu_container_of(pos, struct trace_call, link);

		record->how = EMU_END_GONE;
		record->end_ns = emu_loop_now_ns();
		if (!record->silent)
			emit(trace, record);
		drop(trace, record);
	}
}

static void thread_gone(void *ctx, struct emu_thread *gone)
{
	struct trace *trace = ctx;
	struct trace_thread *thread =
		trace_known_take_thread(&trace->known, gone);

	if (!thread)
		return;
	end_open(trace, thread);
	trace_known_free_thread(thread);
}

struct trace *trace_create(struct trace_sink *sinks,
	const struct trace_filter *filter, const struct trace_stacks *stacks)
{
	struct trace *trace = calloc(1, sizeof(*trace));

	if (!trace)
		return NULL;
	trace->sinks = sinks;
	trace->filter = filter;
	trace->looker.stacks = stacks;
	trace->observer = (struct emu_observer){
		.ctx = trace,
		.received = received,
		.again = again,
		.file = file,
		.finished = finished,
		.wants_registers = wants_registers,
		.registers = registers,
		.parked = parked,
		.put_off = put_off,
		.woken = woken,
		.slept_on = slept_on,
		.queued = queued,
		.counter = counter,
		.object_made = object_made,
		.object_gone = object_gone,
		.thread_gone = thread_gone,
	};
	return trace;
}

struct emu_observer *trace_observer(struct trace *trace)
{
	return &trace->observer;
}

static void end_thread(void *ctx, void *value)
{
	end_open(ctx, value);
}

void trace_finish(struct trace *trace)
{
	struct trace_sink *next;

	emu_table_each(&trace->known.threads, end_thread, trace);
	for (; trace->sinks; trace->sinks = next) {
		next = trace->sinks->next;
		trace->sinks->finish(trace->sinks->ctx);
	}
}

void trace_destroy(struct trace *trace)
{
	if (!trace)
		return;
	trace_finish(trace);
	trace_known_clear(&trace->known);
	free(trace->spare);
	trace_looker_finish(&trace->looker);
	free(trace);
}
