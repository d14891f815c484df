/* SPDX-License-Identifier: MIT */
/*
 * Names for addresses, by a program that may fail at it: symbols.c asks it,
 * symbolizer.c is it.
 */
#ifndef EMU_SYMBOLS_H
#define EMU_SYMBOLS_H

#include "emu/log.h"
#include "launcher/modules.h"

enum emu_symbol_kind {
	EMU_SYMBOL_ADDRESS, /* what is at this address? */
	EMU_SYMBOL_FRAMES, /* where is .eh_frame? */
};

/* A question about a file that is mapped in a process of the program. */
struct emu_symbol_question {
	enum emu_symbol_kind kind;
	pid_t tid;
	uint64_t start; /* of its first mapping */
	uint64_t end; /* of that */
	uint64_t inode;
	uint64_t address; /* as in the file's own symbols */
	char path[1024]; /* as the process sees it */
};

struct emu_symbol_answer {
	uint64_t offset; /* of the address, from the function's beginning */
	uint64_t address; /* FRAMES: of the section */
	uint64_t size; /* of that; 0 when there is none */
	unsigned int line;
	char function[1200]; /* demangled; "" when not known */
	char file[1200];
};

struct emu_symbols;

/*
 * NULL without memory. The program is started by the first question; if it is
 * not there, that is logged, and there are no names.
 */
struct emu_symbols *emu_symbols_create(const struct emu_log *log);
void emu_symbols_destroy(struct emu_symbols *symbols);

/*
 * Asks about a module of a thread's process, and waits for the answer. -1 when
 * none can be had, now and in the future, for this file.
 */
int emu_symbols_ask(struct emu_symbols *symbols, pid_t tid,
	const struct emu_module *module, enum emu_symbol_kind kind,
	uint64_t address, struct emu_symbol_answer *answer);

#endif
