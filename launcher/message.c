/* SPDX-License-Identifier: MIT */
/*
 * epemu's own messages: one line, one record.
 *
 * Lines of the launcher and of the supervisor may go to the same file: it is
 * opened for appending, and each line is written whole, so they never mix.
 * While a program runs nobody waits until a line is taken; see emu/outlet.c.
 */
#define _GNU_SOURCE
#include "launcher/message.h"

#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { PATIENCE_MS = 1000, LONGEST = 600 };

struct line {
	char bytes[LONGEST + 16];
	size_t size;
};

static void build(struct line *line, const char *text)
{
	static const char prefix[] = "epemu: ";
	size_t length = strlen(text);

	if (length > LONGEST)
		length = LONGEST;
	memcpy(line->bytes, prefix, sizeof(prefix) - 1);
	line->size = sizeof(prefix) - 1;
	memcpy(line->bytes + line->size, text, length);
	line->size += length;
	line->bytes[line->size++] = '\n';
}

void emu_message_put(struct emu_outlet *outlet, const char *text)
{
	struct line line;

	build(&line, text);
	emu_outlet_put(outlet, line.bytes, line.size);
}

void emu_message_write(const struct emu_outlet *outlet, const char *text)
{
	struct pollfd room = {.fd = outlet->fd, .events = POLLOUT};
	struct line line;

	build(&line, text);
	/* What was not taken at once is not taken in a signal handler. */
	if (outlet->fd >= 0 && poll(&room, 1, PATIENCE_MS) > 0 &&
		write(outlet->fd, line.bytes, line.size) < 0)
		return;
}

void emu_message_finish(struct emu_outlet *outlet)
{
	char text[96];
	struct line line;

	emu_outlet_flush(outlet);
	if (outlet->lost) {
		snprintf(text, sizeof(text),
			"%llu messages were lost: their reader was too slow",
			(unsigned long long)outlet->lost);
		build(&line, text);
		emu_outlet_put_last(outlet, line.bytes, line.size);
	}
	emu_outlet_finish(outlet);
}

static void write_line(void *ctx, const char *text)
{
	emu_message_write(ctx, text);
}

struct emu_log emu_message_log(const struct emu_outlet *outlet)
{
	return (struct emu_log){
		.line = write_line, .ctx = (void *)(uintptr_t)outlet};
}
