/* SPDX-License-Identifier: MIT */
/* Stacks of the program's calls, for the trace. */
#ifndef EMU_STACKS_H
#define EMU_STACKS_H

#include "emu/log.h"
#include "trace/stack.h"

/* NULL without memory. Freed by its own destroy(). */
const struct trace_stacks *emu_stacks_create(const struct emu_log *log);

#endif
