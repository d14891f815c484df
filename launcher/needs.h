/* SPDX-License-Identifier: MIT */
/* What epemu needs of the kernel and of the system's settings. */
#ifndef EMU_NEEDS_H
#define EMU_NEEDS_H

#include <sys/types.h>

#include "emu/log.h"

/*
 * Looks at what can be seen before anything is started. Returns 0, or says in
 * one line what is missing and returns -1.
 */
int emu_needs_check(const struct emu_log *log);

/*
 * The rest, with a real listener and the real program, which waits to be run
 * and holds descriptor `its_fd`. Returns 0, or says what is missing and
 * returns -1.
 */
int emu_needs_check_listener(
	const struct emu_log *log, int listener, int program_pidfd, int its_fd);

/* Says why the filter was refused: `error` is a negative errno. */
void emu_needs_explain_filter(
	const struct emu_log *log, int error, const char *step);

#endif
