/* SPDX-License-Identifier: MIT */
/* The program's process, from fork to exec. */
#ifndef EMU_PROGRAM_H
#define EMU_PROGRAM_H

#include <stdbool.h>

#include "launcher/inherited.h"
#include "launcher/launch.h"

/*
 * What the program's process sends when it fails before exec; then it exits
 * with 125, 126 or 127. (When it succeeds, its socket closes.)
 */
struct emu_program_failure {
	int error; /* negative errno */
	char step[128]; /* of the filter's installation; empty for exec */
	bool exists; /* exec: the name is the path of a file */
};

/*
 * The program's process: sends the filter's listener over `socket`, waits for
 * a byte that says go, and becomes the program.
 */
_Noreturn void emu_program_run(const struct emu_launch *launch,
	const struct emu_inherited *inherited, int socket, pid_t supervisor,
	bool leads);

/*
 * Is the program to lead a process group of its own, in the foreground of the
 * terminal? A program that is started by itself on a terminal would be the
 * leader of its group without epemu, and an interactive shell relies on that.
 * In a pipeline it shares the group of the job. To be asked while standard
 * input and output are there.
 */
bool emu_program_leads(pid_t launcher);

/* Lets it go on to exec. */
void emu_program_go(int socket);

/* Says in one line what went wrong and what to do. */
void emu_program_explain(const struct emu_log *log, const char *name,
	const struct emu_program_failure *failure);

#endif
