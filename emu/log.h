/* SPDX-License-Identifier: MIT */
/* epemu's own messages: one line each, to wherever the launcher wants them. */
#ifndef EMU_LOG_H
#define EMU_LOG_H

struct emu_log {
	/* Takes one line of text without its newline. */
	void (*line)(void *ctx, const char *text);
	void *ctx;
};

/* Formats one line; what is longer than 512 bytes is cut. */
void emu_logf(const struct emu_log *log, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

#endif
