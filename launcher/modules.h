/* SPDX-License-Identifier: MIT */
/* What is mapped where in a process of the program. */
#ifndef EMU_MODULES_H
#define EMU_MODULES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "emu/target.h"

/* An ELF file, or the kernel's own [vdso]. */
struct emu_module {
	uint64_t start; /* of its first mapping, which holds the ELF header */
	uint64_t end; /* of its last */
	uint64_t first_end; /* of its first */
	uint64_t inode; /* 0: no file */
	char *path;

	bool is_read; /* the following was looked for */
	bool is_elf;
	uint64_t bias; /* address in the process minus that in the file */
	uint64_t index; /* address of .eh_frame_hdr, 0 when there is none */
	uint64_t index_size;
	uint64_t identity; /* address of words that other files have not */
	unsigned int identity_words;
	bool indexed; /* `made` was looked for */
	char *made; /* an index of our own for it, see frames.c */
	size_t made_size;
};

struct emu_range {
	uint64_t start;
	uint64_t end;
	bool writable;
	bool executable;
	int module; /* -1: none */
};

struct emu_modules {
	struct emu_range *ranges; /* by address */
	size_t range_count;
	struct emu_module *modules;
	size_t module_count;
};

/*
 * Reads /proc/TID/maps. Returns 0, or a negative errno; to be cleared in any
 * case.
 */
int emu_modules_read(struct emu_modules *modules, pid_t tid);
void emu_modules_clear(struct emu_modules *modules);

/* The range with this address, or NULL. */
const struct emu_range *emu_modules_range(
	const struct emu_modules *modules, uint64_t address);

/*
 * The module with this address, its ELF header read; NULL when it is in none,
 * or what is there is no ELF file.
 */
struct emu_module *emu_modules_find(struct emu_modules *modules,
	const struct emu_thread *thread, uint64_t address);

/*
 * The address of the 16 random bytes that the kernel gave the process when it
 * was executed; 0 when it cannot be told.
 */
uint64_t emu_modules_random(pid_t tid);

#endif
