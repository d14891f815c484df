/* SPDX-License-Identifier: MIT */
/*
 * The allocator that the host hands to the engine. The engine asks for zeroed
 * memory and copes with NULL, so calloc() is all that is needed.
 */
#include "memory.h"

#include <stdlib.h>

static void *memory_alloc(void *ctx, size_t size)
{
	(void)ctx;
	return calloc(1, size);
}

static void memory_free(void *ctx, void *memory, size_t size)
{
	(void)ctx;
	(void)size;
	free(memory);
}

const struct emu_alloc emu_memory = {
	.alloc = memory_alloc,
	.free = memory_free,
};
