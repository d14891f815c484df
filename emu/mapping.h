/* SPDX-License-Identifier: MIT */
/*
 * What is mapped where in a target, as /proc/TID/maps tells.
 */
#ifndef EMU_MAPPING_H
#define EMU_MAPPING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/*
 * Is all of that memory mapped, for reading or for writing? What a program may
 * write it can also read, whatever mmap(2) was told: no processor here has
 * pages for writing alone.
 */
bool emu_mapping_covers(pid_t tid, uint64_t addr, size_t size);

enum emu_backing {
	EMU_BACKING_NONE, /* nothing is mapped there, or nobody can look */
	EMU_BACKING_KERNEL, /* the kernel brings the pages, without help */
	EMU_BACKING_OTHER, /* a program or another machine may have to */
};

struct emu_mapping {
	uint64_t start;
	uint64_t end; /* 0: none was looked for yet */
	enum emu_backing backing;
};

/* The one that has the address; without one, the range is the byte alone. */
void emu_mapping_find(pid_t tid, uint64_t addr, struct emu_mapping *mapping);

#endif
