/* SPDX-License-Identifier: MIT */
/* An index for unwind tables that have none. */
#ifndef EMU_EHFRAME_H
#define EMU_EHFRAME_H

#include "launcher/modules.h"

/* As in .eh_frame_hdr, but relative to the module's beginning. */
struct emu_ehframe_entry {
	int32_t function;
	int32_t description;
};

/*
 * Makes module->made from the .eh_frame at this address of the process.
 * Leaves it NULL when there is nothing in it that can be read.
 */
void emu_ehframe_index(struct emu_module *module,
	const struct emu_thread *thread, uint64_t address, uint64_t size);

#endif
