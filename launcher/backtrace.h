/* SPDX-License-Identifier: MIT */
/* Crashes of epemu itself. */
#ifndef EMU_BACKTRACE_H
#define EMU_BACKTRACE_H

#include <signal.h>
#include <stdbool.h>

struct emu_backtrace {
	const char *who; /* "the supervisor" */
	/* Takes one line; called in a signal handler. */
	void (*line)(const char *text);
	/*
	 * For a signal that another process sent: true if it is not to be
	 * taken for a crash. It is blocked then until the next
	 * emu_backtrace_unblock(). NULL if every such signal is a crash.
	 */
	bool (*foreign)(const siginfo_t *info);
};

/*
 * From now on SIGSEGV, SIGBUS, SIGFPE, SIGILL and SIGABRT of this process
 * print where it was and then end it. Unblocks them. `backtrace` must last.
 */
void emu_backtrace_install(const struct emu_backtrace *backtrace);

/* Takes the signals up again that `foreign` said yes to. */
void emu_backtrace_unblock(void);

#endif
