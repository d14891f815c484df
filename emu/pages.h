/* SPDX-License-Identifier: MIT */
/*
 * Memory of a target that may make whoever touches it wait.
 */
#ifndef EMU_PAGES_H
#define EMU_PAGES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "target.h"

/*
 * Can `size` bytes at `addr` be copied without waiting for anybody, as far as
 * can be told? Looked at are at most EMU_PAGES pages. True as well for memory
 * that cannot be looked at. `write`: they are to be written. `faults`: any of
 * the thread's pages may be under userfaultfd(2).
 */
bool emu_pages_ready(struct emu_thread *thread, uint64_t addr, size_t size,
	bool write, bool faults);

/*
 * Has the pages brought in, for as long as that takes; may be called by any
 * thread. Nothing is changed in them.
 */
void emu_pages_bring(pid_t tid, uint64_t addr, size_t size, bool write);

/* They were brought: the next time they are asked for they are ready. */
void emu_pages_brought(
	struct emu_thread *thread, uint64_t addr, size_t size, bool write);

/* The thread has other memory now. */
void emu_pages_forget(struct emu_thread *thread);

#endif
