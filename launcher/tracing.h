/* SPDX-License-Identifier: MIT */
/* --trace and its like: from the command line to files and a trace. */
#ifndef EMU_TRACING_H
#define EMU_TRACING_H

#include "launcher/launch.h"
#include "trace/trace.h"

/*
 * In the launcher process: opens what is to be written, by traces and by
 * messages. `mask` is the signal mask while a FIFO is waited for. Returns 0,
 * or -1 after saying what cannot be opened.
 */
int emu_tracing_open(struct emu_launch *launch, const sigset_t *mask,
	const struct emu_log *log);

/*
 * In the supervisor: the trace that was asked for, of all that `intercept`
 * does from now on. NULL when none was or there is no memory.
 */
struct trace *emu_tracing_start(struct emu_tracing *tracing,
	struct emu_loop *loop, struct emu_intercept *intercept,
	const struct emu_log *log);

/*
 * The last process is gone: whoever waits for that may read the trace then.
 * A `trace` that is NULL is ignored.
 */
void emu_tracing_finish(struct emu_tracing *tracing, struct trace *trace,
	struct emu_loop *loop);

/* The trace has been destroyed: what is written was written out, or is lost. */
void emu_tracing_close(struct emu_tracing *tracing);

#endif
