/* SPDX-License-Identifier: MIT */
/*
 * The trace for the Perfetto viewer and chrome://tracing: the Trace Event
 * Format, as JSON.
 */
#ifndef TRACE_PERFETTO_H
#define TRACE_PERFETTO_H

#include "emu/outlet.h"
#include "trace/trace.h"

/* NULL when there is no memory. The sink ends with the trace. */
struct trace_sink *trace_perfetto_create(
	struct emu_outlet *out, uint64_t start_ns);

#endif
