/* SPDX-License-Identifier: MIT */
/*
 * --trace and its like. The launcher process opens the files, where a mistake
 * can still be answered and standard error is at hand; the supervisor, which
 * inherits them, writes.
 */
#include "launcher/tracing.h"

#include <string.h>
#include <unistd.h>

#include "emu/safe_open.h"
#include "launcher/stacks.h"
#include "trace/json.h"
#include "trace/perfetto.h"
#include "trace/record.h"
#include "trace/text.h"

/* `path` NULL: it stays standard error. */
static int open_file(struct emu_outlet *outlet, const char *what,
	const char *path, const sigset_t *mask, const struct emu_log *log)
{
	int rc;

	if (!path)
		return 0;
	rc = emu_outlet_open(outlet, what, path, mask);
	if (rc == EMU_SAFE_OPEN_FOREIGN)
		emu_logf(log,
			"cannot write '%.200s': another user has put it there, "
			"or may have, in a folder that all may write to; "
			"choose another FILE",
			path);
	else if (rc < 0)
		emu_logf(log, "cannot write '%.200s': %s; choose another FILE",
			path, strerror(-rc));
	return rc;
}

static int open_output(struct emu_output *output, const char *what,
	const sigset_t *mask, const struct emu_log *log)
{
	emu_outlet_init(&output->outlet);
	if (!output->wanted)
		return 0;
	if (output->path)
		return open_file(
			&output->outlet, what, output->path, mask, log);
	if (emu_outlet_share(&output->outlet, what, STDERR_FILENO) == 0)
		return 0;
	emu_logf(log, "cannot write the %s to standard error: it is closed",
		what);
	return -1;
}

int emu_tracing_open(struct emu_launch *launch, const sigset_t *mask,
	const struct emu_log *log)
{
	struct emu_outlet *messages = &launch->messages.outlet;

	/* The one for the others' failures first. */
	emu_outlet_init(messages);
	emu_outlet_share(messages, "messages", STDERR_FILENO);
	if (open_output(&launch->tracing.trace, "trace", mask, log) < 0 ||
		open_output(&launch->tracing.record, "sequence", mask, log) < 0)
		return -1;
	return open_file(
		messages, "messages", launch->messages.path, mask, log);
}

static void add_sink(struct trace_sink **sinks, struct trace_sink *sink)
{
	if (!sink)
		return;
	sink->next = *sinks;
	*sinks = sink;
}

static struct trace_sink *sinks_of(struct emu_tracing *tracing)
{
	struct emu_outlet *out = &tracing->trace.outlet;
	uint64_t now_ns = emu_loop_now_ns();
	struct trace_sink *sinks = NULL;

	if (tracing->trace.wanted && tracing->format == EMU_FORMAT_JSON)
		add_sink(&sinks, trace_json_create(out, now_ns));
	else if (tracing->trace.wanted &&
		 tracing->format == EMU_FORMAT_PERFETTO)
		add_sink(&sinks, trace_perfetto_create(out, now_ns));
	else if (tracing->trace.wanted)
		add_sink(&sinks, trace_text_create(out, now_ns));
	if (tracing->record.wanted)
		add_sink(&sinks, trace_record_create(&tracing->record.outlet));
	return sinks;
}

struct trace *emu_tracing_start(struct emu_tracing *tracing,
	struct emu_loop *loop, struct emu_intercept *intercept,
	const struct emu_log *log)
{
	struct trace_sink *sinks;
	const struct trace_stacks *stacks = NULL;
	struct trace *trace;

	emu_outlet_attach(&tracing->trace.outlet, loop, log);
	emu_outlet_attach(&tracing->record.outlet, loop, log);
	sinks = sinks_of(tracing);
	if (sinks && tracing->stacks)
		stacks = emu_stacks_create(log);
	trace = sinks ? trace_create(sinks, &tracing->filter, stacks) : NULL;
	if (trace)
		emu_observer_add(intercept, trace_observer(trace));
	return trace;
}

void emu_tracing_finish(
	struct emu_tracing *tracing, struct trace *trace, struct emu_loop *loop)
{
	if (!trace)
		return;
	/* Threads that have ended are told of. */
	emu_loop_drain(loop);
	trace_finish(trace);
	emu_tracing_close(tracing);
}

void emu_tracing_close(struct emu_tracing *tracing)
{
	emu_outlet_finish(&tracing->trace.outlet);
	emu_outlet_finish(&tracing->record.outlet);
}
