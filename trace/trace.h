/* SPDX-License-Identifier: MIT */
/*
 * The trace: puts together, from what an observer is told, one record for
 * each call, and hands it to its sinks when the call has ended.
 */
#ifndef TRACE_TRACE_H
#define TRACE_TRACE_H

#include "emu/observer.h"
#include "trace/call.h"
#include "trace/filter.h"

/* A value that changes over time. */
struct trace_value {
	enum emu_kind kind; /* an epoll's ready list, an eventfd's counter */
	uint64_t object;
	uint64_t value;
	uint64_t at_ns;
};

/* One output; each function may be NULL. */
struct trace_sink {
	struct trace_sink *next;
	void *ctx;
	void (*call)(void *ctx, const struct trace_call *call);
	void (*value)(void *ctx, const struct trace_value *value);
	void (*finish)(void *ctx); /* ends the output and frees the sink */
};

struct trace;

/*
 * Takes over the sinks, a list. `filter` must outlive it; so must `stacks`,
 * which is NULL when calls are to be shown without, and is destroyed with it.
 */
struct trace *trace_create(struct trace_sink *sinks,
	const struct trace_filter *filter, const struct trace_stacks *stacks);

/* To be registered with the interception. */
struct emu_observer *trace_observer(struct trace *trace);

/*
 * Calls that have not ended are shown as such, and the outputs are ended.
 * Nothing is traced afterwards.
 */
void trace_finish(struct trace *trace);
void trace_destroy(struct trace *trace);

#endif
