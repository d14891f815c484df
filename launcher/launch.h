/* SPDX-License-Identifier: MIT */
/* What the command line asks for. */
#ifndef EMU_LAUNCH_H
#define EMU_LAUNCH_H

#include <stdbool.h>

#include "emu/intercept.h"

/* Exit statuses of epemu's own, the same as those of env(1). */
enum {
	EMU_EXIT_FAILURE = 125,
	EMU_EXIT_NOT_EXECUTABLE = 126,
	EMU_EXIT_NOT_FOUND = 127,
};

struct emu_launch {
	struct emu_options emulation;
	bool verbose;
	const char *log_path; /* NULL: messages go to standard error */
	int log_fd; /* -1 without log_path */
	char **argv; /* the program and its arguments */
};

#endif
