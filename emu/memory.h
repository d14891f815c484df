/* SPDX-License-Identifier: MIT */
/* The supervisor's memory for the engine: calloc(3) and free(3). */
#ifndef EMU_MEMORY_H
#define EMU_MEMORY_H

#include "alloc.h"

extern const struct emu_alloc emu_memory;

#endif
