/* SPDX-License-Identifier: MIT */
/* The memory that all processes of an arena share. */
#include "hostile.h"
#include <stddef.h>
#include <sys/mman.h>

struct hostile *hostile_map(bool actor)
{
	void *memory = mmap(NULL, sizeof(struct hostile),
		PROT_READ | PROT_WRITE, MAP_SHARED, HOSTILE_FD, 0);

	if (memory == MAP_FAILED ||
		(actor && mprotect(memory, HOSTILE_PAGE, PROT_READ) < 0))
		return NULL;
	return memory;
}
