/* SPDX-License-Identifier: MIT */
/* The trace as JSON lines; docs/trace-schema.json describes them. */
#ifndef TRACE_JSON_H
#define TRACE_JSON_H

#include "emu/outlet.h"
#include "trace/trace.h"

/* Raised when a reader of the old form would not understand the new one. */
#define TRACE_JSON_VERSION 1

/* NULL when there is no memory. The sink ends with the trace. */
struct trace_sink *trace_json_create(struct emu_outlet *out, uint64_t start_ns);

#endif
