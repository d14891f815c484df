/* SPDX-License-Identifier: MIT */
/*
 * --trace and its like. The launcher process opens the files, where a mistake
 * can still be answered and standard error is at hand; the supervisor, which
 * inherits them, writes.
 */
#include "launcher/tracing.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "launcher/fds.h"
#include "launcher/message.h"
#include "launcher/stacks.h"
#include "trace/json.h"
#include "trace/perfetto.h"
#include "trace/record.h"
#include "trace/text.h"

static int open_file(struct emu_output *output, const struct emu_log *log)
{
	int fd;

	output->fd = -1;
	if (!output->wanted)
		return 0;
	if (output->path)
		fd = emu_message_open(output->path);
	else
		fd = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
	if (fd < 0) {
		emu_logf(log, "cannot write '%.200s': %s; choose another FILE",
			output->path ? output->path : "standard error",
			fd == -1 ? "it is closed" : strerror(-fd));
		return -1;
	}
	output->fd = fd;
	return 0;
}

int emu_tracing_open(struct emu_tracing *tracing, const struct emu_log *log)
{
	if (open_file(&tracing->trace, log) < 0)
		return -1;
	return open_file(&tracing->record, log);
}

static struct trace_out out_of(const struct emu_output *output,
	const char *what, const struct emu_log *log)
{
	return (struct trace_out){
		.fd = output->fd,
		.what = what,
		.path = output->path ? output->path : "standard error",
		.log = log,
	};
}

static void add_sink(struct trace_sink **sinks, struct trace_sink *sink)
{
	if (!sink)
		return;
	sink->next = *sinks;
	*sinks = sink;
}

static struct trace_sink *sinks_of(
	const struct emu_tracing *tracing, const struct emu_log *log)
{
	struct trace_out out = out_of(&tracing->trace, "trace", log);
	uint64_t now_ns = emu_loop_now_ns();
	struct trace_sink *sinks = NULL;

	if (tracing->trace.wanted && tracing->format == EMU_FORMAT_JSON)
		add_sink(&sinks, trace_json_create(&out, now_ns));
	else if (tracing->trace.wanted &&
		 tracing->format == EMU_FORMAT_PERFETTO)
		add_sink(&sinks, trace_perfetto_create(&out, now_ns));
	else if (tracing->trace.wanted)
		add_sink(&sinks, trace_text_create(&out, now_ns));
	out = out_of(&tracing->record, "sequence", log);
	if (tracing->record.wanted)
		add_sink(&sinks, trace_record_create(&out));
	return sinks;
}

struct trace *emu_tracing_start(const struct emu_tracing *tracing,
	struct emu_intercept *intercept, const struct emu_log *log)
{
	struct trace_sink *sinks = sinks_of(tracing, log);
	const struct trace_stacks *stacks =
		sinks && tracing->stacks ? emu_stacks_create(log) : NULL;
	struct trace *trace =
		sinks ? trace_create(sinks, &tracing->filter, stacks) : NULL;

	if (trace)
		emu_observer_add(intercept, trace_observer(trace));
	return trace;
}

void emu_tracing_finish(struct trace *trace, struct emu_loop *loop)
{
	if (!trace)
		return;
	/* Threads that have ended are told of. */
	emu_loop_drain(loop);
	trace_finish(trace);
}
