/* SPDX-License-Identifier: MIT */
/* A file that a trace is written to. */
#ifndef TRACE_OUT_H
#define TRACE_OUT_H

#include <stdbool.h>
#include <stddef.h>

#include "emu/log.h"

struct trace_out {
	int fd; /* -1: nothing is written any more */
	const char *what; /* for the message: "trace" */
	const char *path;
	const struct emu_log *log;
};

/*
 * Writes all of it. A failure is logged, once; from then on nothing is
 * written and the program goes on.
 */
void trace_out_write(struct trace_out *out, const char *bytes, size_t size);

#endif
