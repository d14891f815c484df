/* SPDX-License-Identifier: MIT */
/* What the command line asks for. */
#ifndef EMU_LAUNCH_H
#define EMU_LAUNCH_H

#include <stdbool.h>
#include <stdint.h>

#include "emu/intercept.h"
#include "emu/outlet.h"
#include "trace/filter.h"

/* Exit statuses of epemu's own, the same as those of env(1). */
enum {
	EMU_EXIT_FAILURE = 125,
	EMU_EXIT_NOT_EXECUTABLE = 126,
	EMU_EXIT_NOT_FOUND = 127,
};

enum emu_stats {
	EMU_STATS_NONE,
	EMU_STATS_TEXT,
	EMU_STATS_JSON,
};

/* A file to be written, or standard error. */
struct emu_output {
	bool wanted;
	const char *path; /* NULL: standard error */
	struct emu_outlet outlet;
};

enum emu_format {
	EMU_FORMAT_TEXT,
	EMU_FORMAT_JSON,
	EMU_FORMAT_PERFETTO,
};

struct emu_tracing {
	struct emu_output trace;
	struct emu_output record;
	enum emu_format format;
	bool stacks; /* of each call */
	struct trace_filter filter;
};

struct emu_launch {
	struct emu_options emulation;
	struct emu_tracing tracing;
	bool verbose;
	enum emu_stats stats;
	uint64_t interval_ns; /* between two snapshots; 0: none */
	uint64_t stall_ns; /* that a stall is to last; 0: no warnings */
	struct emu_output messages;
	char **argv; /* the program and its arguments */
};

#endif
