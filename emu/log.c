/* SPDX-License-Identifier: MIT */
/*
 * Messages of the supervisor. The emulation has no stdio of its own (the
 * supervisor must not hold the program's terminal or pipes open), so a line
 * goes to a callback and the launcher decides where it ends up.
 */
#include "log.h"

#include <stdarg.h>
#include <stdio.h>

void emu_logf(const struct emu_log *log, const char *format, ...)
{
	char text[512];
	va_list args;

	if (!log || !log->line)
		return;
	va_start(args, format);
	vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	log->line(log->ctx, text);
}
