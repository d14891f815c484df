/* SPDX-License-Identifier: MIT */
/* Which calls are shown. */
#ifndef TRACE_FILTER_H
#define TRACE_FILTER_H

#include <stdbool.h>

#include "trace/call.h"

#define TRACE_TERMS 16

struct trace_filter {
	const char *terms[TRACE_TERMS]; /* "call=a,b", "object=...", ... */
	int count;
	const char *since_exec; /* a program's name, or NULL */
};

/* Takes up one --trace-filter. Returns what is wrong with it, or NULL. */
const char *trace_filter_add(struct trace_filter *filter, const char *term);

/*
 * False if a call of that kind, of the thread with that name, is not shown
 * whatever it is about.
 */
bool trace_filter_may_show(
	const struct trace_filter *filter, const struct trace_call *call);

/* Every term has to be met. */
bool trace_filter_shows(
	const struct trace_filter *filter, const struct trace_call *call);

#endif
