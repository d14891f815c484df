/* SPDX-License-Identifier: MIT */
/* The trace as text, one line a call, much as strace(1) writes it. */
#ifndef TRACE_TEXT_H
#define TRACE_TEXT_H

#include "emu/outlet.h"
#include "trace/decode.h"
#include "trace/trace.h"

/* NULL when there is no memory. The sink ends with the trace. */
struct trace_sink *trace_text_create(struct emu_outlet *out, uint64_t start_ns);

/* A call with as many events as are shown, each with a long name, fits. */
#define TRACE_TEXT_LINE (TRACE_EVENTS * 256 + 2048)

/* So does a frame with the longest names that trace_stack_create() keeps. */
#define TRACE_TEXT_FRAME 4096

/* From the call's name to its result, how long it took and why it ended. */
void trace_text_add_call(
	struct trace_text *text, const struct trace_call *call);

/* "3<epoll#1>" */
void trace_add_fd(struct trace_text *text, const struct trace_fd *fd);

#endif
