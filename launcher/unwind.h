/* SPDX-License-Identifier: MIT */
/* The frames of a thread that stands still in a call. */
#ifndef EMU_UNWIND_H
#define EMU_UNWIND_H

#include "launcher/modules.h"
#include "launcher/symbols.h"

enum { EMU_UNWIND_FRAMES = 128, EMU_UNWIND_WORDS = 512 };

struct emu_unwound {
	uint64_t ip; /* where the frame goes on */
	bool called; /* ip is behind a call, not where a signal came */
	bool unsure; /* found by the chain of frame pointers */
};

/* What of the stack the frames followed from. */
struct emu_unwind_word {
	uint64_t address;
	uint64_t value;
};

struct emu_walk {
	/* To be set. */
	const struct emu_thread *thread;
	struct emu_modules *modules;
	struct emu_symbols *symbols;
	uint64_t ip;
	uint64_t sp;
	const uint64_t *registers; /* see emu_arch_get_registers(), or NULL */

	/* The result. */
	struct emu_unwound frames[EMU_UNWIND_FRAMES];
	unsigned int count;
	bool cut; /* there are more frames */
	bool blind; /* with registers there would be more */
	struct emu_unwind_word words[EMU_UNWIND_WORDS];
	unsigned int word_count;
	bool forgot; /* `words` is not all */
};

struct emu_unwinder;

/* NULL without memory. */
struct emu_unwinder *emu_unwinder_create(void);
void emu_unwinder_destroy(struct emu_unwinder *unwinder);

void emu_unwind(struct emu_unwinder *unwinder, struct emu_walk *walk);

#endif
