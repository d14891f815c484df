/* SPDX-License-Identifier: MIT */
/* The sequence of a run's calls, with stable names. */
#ifndef TRACE_RECORD_H
#define TRACE_RECORD_H

#include "emu/outlet.h"
#include "trace/trace.h"

/* The first line of the file. */
#define TRACE_SEQUENCE_HEAD "epemu-sequence 1"

/* NULL when there is no memory. The sink ends with the trace. */
struct trace_sink *trace_record_create(struct emu_outlet *out);

#endif
