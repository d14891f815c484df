/* SPDX-License-Identifier: MIT */
/*
 * epemu's own messages: one line, one write.
 *
 * Lines of the launcher and of the supervisor may go to the same file: it is
 * opened for appending, and each line is written whole, so they never mix.
 * A standard error that the program made non-blocking is waited for a little,
 * since a terminal or pipe is usually read; then the line is given up rather
 * than epemu be held by it.
 */
#define _GNU_SOURCE
#include "launcher/message.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#include "launcher/fds.h"

enum { PATIENCE_MS = 1000, LONGEST = 600 };

void emu_message_write_raw(int fd, const char *bytes, size_t size)
{
	size_t done = 0;

	while (fd >= 0 && done < size) {
		ssize_t put = write(fd, bytes + done, size - done);

		if (put >= 0) {
			done += put;
		} else if (errno == EAGAIN) {
			struct pollfd wait = {.fd = fd, .events = POLLOUT};

			if (poll(&wait, 1, PATIENCE_MS) <= 0)
				return;
		} else if (errno != EINTR) {
			return;
		}
	}
}

void emu_message_write(int fd, const char *text)
{
	static const char prefix[] = "epemu: ";
	char line[sizeof(prefix) + LONGEST + 1];
	size_t size = sizeof(prefix) - 1, length = strlen(text);

	memcpy(line, prefix, size);
	if (length > LONGEST)
		length = LONGEST;
	memcpy(line + size, text, length);
	size += length;
	line[size++] = '\n';
	emu_message_write_raw(fd, line, size);
}

int emu_message_open(const char *path)
{
	int flags = O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC;
	int fd = open(path, flags | O_NOCTTY, 0666);

	return fd < 0 ? -errno : emu_fds_raise(fd);
}

static void write_line(void *ctx, const char *text)
{
	emu_message_write(*(int *)ctx, text);
}

struct emu_log emu_message_log(int *fd)
{
	return (struct emu_log){.line = write_line, .ctx = fd};
}
