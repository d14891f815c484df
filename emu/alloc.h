/* SPDX-License-Identifier: MIT */
/*
 * The engine's only way to memory. It never calls malloc itself, so that a
 * kernel can bring its own allocator and a test can let each allocation fail.
 */
#ifndef EMU_ALLOC_H
#define EMU_ALLOC_H

#include <stddef.h>

struct emu_alloc {
	/* Returns zeroed memory of `size` bytes, or NULL when there is none. */
	void *(*alloc)(void *ctx, size_t size);
	/* Gives back what alloc() returned; `size` is what was asked then. */
	void (*free)(void *ctx, void *memory, size_t size);
	void *ctx;
};

static inline void *emu_alloc(const struct emu_alloc *alloc, size_t size)
{
	return alloc->alloc(alloc->ctx, size);
}

static inline void emu_free(
	const struct emu_alloc *alloc, void *memory, size_t size)
{
	if (memory)
		alloc->free(alloc->ctx, memory, size);
}

#endif
