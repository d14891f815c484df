/* SPDX-License-Identifier: MIT */
/*
 * Writing a trace. Each piece is written at once: whatever ends epemu, the
 * lines up to then are in the file. A disk that is full or a reader that has
 * gone must not harm the program, so the first failure ends the output and
 * nothing else. A pipe or terminal that is set to be non-blocking is waited
 * for, as a blocking one would make us wait.
 */
#include "trace/out.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

static void failed(struct trace_out *out, int error)
{
	out->fd = -1;
	emu_logf(out->log,
		"cannot write the %s to '%.200s': %s; the program goes on "
		"without it",
		out->what, out->path, strerror(error));
}

void trace_out_write(struct trace_out *out, const char *bytes, size_t size)
{
	struct pollfd room = {.fd = out->fd, .events = POLLOUT};

	while (size > 0 && out->fd >= 0) {
		ssize_t put = write(out->fd, bytes, size);

		if (put >= 0) {
			bytes += put;
			size -= (size_t)put;
		} else if (errno == EAGAIN) {
			poll(&room, 1, -1);
		} else if (errno != EINTR) {
			failed(out, errno);
		}
	}
}
