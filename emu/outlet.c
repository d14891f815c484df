/* SPDX-License-Identifier: MIT */
/*
 * Output without waiting.
 *
 * The supervisor answers everybody's calls, so it must not sleep in a write
 * because a reader does not read. A file is just written. A pipe, a terminal
 * or a socket is written without blocking; what it does not take is kept as
 * whole records, in order, until the loop says that there is room. Up to LIMIT
 * bytes are kept, or one record of any length. Records beyond are dropped.
 *
 * O_NONBLOCK is a property of the open file description. What epemu opened
 * itself has it. Standard error is shared with the program and the shell, for
 * whom it must not change, so it is opened once more by way of /proc. Where
 * that cannot be done (a socket, another user's pipe or terminal) each write
 * asks not to be made to wait; for a terminal no call can ask that, and it is
 * written in pieces so small that they fit where poll(2) sees any room.
 */
#include "outlet.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include "safe_open.h"

enum {
	LIMIT = 1024 * 1024,
	PATIENCE_MS = 1000,
	PATIENCE_IN_ALL_MS = 10000,
	TERMINAL_PIECE = 256,
};

struct kept {
	struct emu_list link;
	size_t size, sent;
	bool more; /* of the record before */
	char bytes[];
};

static struct kept *first_kept(const struct emu_outlet *outlet)
{
	/* The analyzer does not see that what was freed left the list. */
	/* NOLINTNEXTLINE(clang-analyzer-unix.Malloc) */
	return emu_container_of(outlet->queue.next, struct kept, link);
}

static void drop_first(struct emu_outlet *outlet)
{
	struct kept *kept = first_kept(outlet);

	emu_list_remove(&kept->link);
	outlet->queued -= kept->size;
	free(kept);
}

static void watch(struct emu_outlet *outlet, bool on)
{
	if (on == outlet->watched || !outlet->loop)
		return;
	/* Edges: whoever says "room" and takes nothing is not asked again. */
	if (!on)
		emu_loop_remove(outlet->loop, outlet->fd, &outlet->source);
	else if (emu_loop_add(outlet->loop, outlet->fd, EPOLLOUT | EPOLLET,
			 &outlet->source) < 0)
		return;
	outlet->watched = on;
}

/* A standard descriptor is the caller's. */
static void close_own(int fd)
{
	if (fd > STDERR_FILENO)
		close(fd);
}

void emu_outlet_close(struct emu_outlet *outlet)
{
	while (emu_outlet_waits(outlet))
		drop_first(outlet);
	watch(outlet, false);
	close_own(outlet->fd);
	outlet->fd = -1;
}

static void failed(struct emu_outlet *outlet, int error)
{
	if (!outlet->log) {
		while (emu_outlet_waits(outlet))
			drop_first(outlet);
		return;
	}
	emu_outlet_close(outlet);
	emu_logf(outlet->log,
		"cannot write the %s to '%.200s': %s; the program goes on "
		"without it",
		outlet->what, outlet->path, strerror(error));
}

static ssize_t write_if_room(
	int fd, const char *bytes, size_t size, size_t piece)
{
	struct pollfd room = {.fd = fd, .events = POLLOUT};

	if (poll(&room, 1, 0) > 0)
		return write(fd, bytes, size < piece ? size : piece);
	errno = EAGAIN;
	return -1;
}

static ssize_t write_pipe(int fd, const char *bytes, size_t size)
{
	struct iovec all = {(void *)(uintptr_t)bytes, size};
	ssize_t put = pwritev2(fd, &all, 1, -1, RWF_NOWAIT);

	if (put >= 0 || errno != EOPNOTSUPP)
		return put;
	/* Before Linux 6.4. What is meant by "room" is so much. */
	return write_if_room(fd, bytes, size, PIPE_BUF);
}

static ssize_t put_once(
	const struct emu_outlet *outlet, const char *bytes, size_t size)
{
	switch (outlet->way) {
	case EMU_OUTLET_SOCKET:
		return send(
			outlet->fd, bytes, size, MSG_DONTWAIT | MSG_NOSIGNAL);
	case EMU_OUTLET_PIPE:
		return write_pipe(outlet->fd, bytes, size);
	case EMU_OUTLET_TERMINAL:
		return write_if_room(outlet->fd, bytes, size, TERMINAL_PIECE);
	case EMU_OUTLET_WRITE:
		break;
	}
	return write(outlet->fd, bytes, size);
}

/* Returns what was taken, 0 for nothing at the moment, a negative errno. */
static ssize_t put_some(
	const struct emu_outlet *outlet, const char *bytes, size_t size)
{
	ssize_t put;

	do
		put = put_once(outlet, bytes, size);
	while (put < 0 && errno == EINTR);
	if (put >= 0)
		return put;
	return errno == EAGAIN ? 0 : -errno;
}

/* Returns how many bytes were taken, or -1 when the output has failed. */
static ssize_t put_all(
	struct emu_outlet *outlet, const char *bytes, size_t size)
{
	size_t done = 0;

	while (done < size) {
		ssize_t put = put_some(outlet, bytes + done, size - done);

		if (put == 0)
			break;
		if (put < 0) {
			failed(outlet, (int)-put);
			return -1;
		}
		done += (size_t)put;
	}
	return (ssize_t)done;
}

static bool keep(
	struct emu_outlet *outlet, const char *bytes, size_t size, bool more)
{
	struct kept *kept = malloc(sizeof(*kept) + size);

	if (!kept)
		return false;
	kept->size = size;
	kept->sent = 0;
	kept->more = more;
	memcpy(kept->bytes, bytes, size);
	emu_list_add_tail(&kept->link, &outlet->queue);
	outlet->queued += size;
	watch(outlet, true);
	return true;
}

/* Writes or keeps it. `more`: what was before it is out or kept. */
static void give(
	struct emu_outlet *outlet, const char *bytes, size_t size, bool more)
{
	ssize_t done = 0;

	outlet->taken = false;
	if (outlet->fd < 0 || !size)
		return;
	if (!emu_outlet_waits(outlet))
		done = put_all(outlet, bytes, size);
	if (done < 0)
		return;
	outlet->taken = (size_t)done == size ||
			keep(outlet, bytes + done, size - (size_t)done, more);
	if (outlet->taken)
		return;
	outlet->lost++;
	/* A part of a record is out, and nothing must follow it. */
	if (done > 0 || more)
		failed(outlet, ENOMEM);
}

static bool has_room(const struct emu_outlet *outlet, size_t size)
{
	return !emu_outlet_waits(outlet) || outlet->queued + size <= LIMIT;
}

bool emu_outlet_put(struct emu_outlet *outlet, const char *bytes, size_t size)
{
	/* The loop may not have come to it, or may not be able to tell. */
	if (!has_room(outlet, size))
		emu_outlet_flush(outlet);
	if (has_room(outlet, size)) {
		give(outlet, bytes, size, false);
	} else {
		outlet->taken = false;
		outlet->lost++;
	}
	return outlet->taken;
}

void emu_outlet_add(struct emu_outlet *outlet, const char *bytes, size_t size)
{
	if (outlet->taken)
		give(outlet, bytes, size, true);
}

void emu_outlet_put_last(
	struct emu_outlet *outlet, const char *bytes, size_t size)
{
	give(outlet, bytes, size, false);
}

void emu_outlet_put_lost(struct emu_outlet *outlet)
{
	char text[96];
	int size;

	emu_outlet_flush(outlet);
	if (!outlet->lost)
		return;
	size = snprintf(text, sizeof(text),
		"# %llu records lost: the reader was too slow\n",
		(unsigned long long)outlet->lost);
	emu_outlet_put_last(outlet, text, (size_t)size);
}

void emu_outlet_flush(struct emu_outlet *outlet)
{
	while (emu_outlet_waits(outlet)) {
		struct kept *kept = first_kept(outlet);
		ssize_t done = put_all(outlet, kept->bytes + kept->sent,
			kept->size - kept->sent);

		if (done < 0)
			return;
		kept->sent += (size_t)done;
		if (kept->sent < kept->size)
			return;
		drop_first(outlet);
	}
	watch(outlet, false);
}

bool emu_outlet_waits(const struct emu_outlet *outlet)
{
	return !emu_list_empty(&outlet->queue);
}

static void wait_for_reader(struct emu_outlet *outlet)
{
	uint64_t end_ns =
		emu_loop_now_ns() + PATIENCE_IN_ALL_MS * UINT64_C(1000000);

	emu_outlet_flush(outlet);
	while (emu_outlet_waits(outlet) && emu_loop_now_ns() < end_ns) {
		struct pollfd room = {.fd = outlet->fd, .events = POLLOUT};

		if (poll(&room, 1, PATIENCE_MS) <= 0)
			return;
		emu_outlet_flush(outlet);
	}
}

void emu_outlet_finish(struct emu_outlet *outlet)
{
	const struct emu_list *pos;

	wait_for_reader(outlet);
	emu_list_for_each (pos, &outlet->queue) {
		/* See first_kept(). */
		/* NOLINTNEXTLINE(clang-analyzer-unix.Malloc) */
		outlet->lost += !emu_container_of(pos, struct kept, link)->more;
	}
	emu_outlet_close(outlet);
	if (outlet->lost && outlet->log)
		emu_logf(outlet->log,
			"%llu records of the %s to '%.200s' were lost: its "
			"reader was too slow",
			(unsigned long long)outlet->lost, outlet->what,
			outlet->path);
	outlet->lost = 0;
}

static void has_room_now(struct emu_source *source, uint32_t events)
{
	(void)events;
	emu_outlet_flush(emu_container_of(source, struct emu_outlet, source));
}

void emu_outlet_init(struct emu_outlet *outlet)
{
	*outlet = (struct emu_outlet){.fd = -1};
	outlet->source.ready = has_room_now;
	emu_list_init(&outlet->queue);
}

void emu_outlet_attach(struct emu_outlet *outlet, struct emu_loop *loop,
	const struct emu_log *log)
{
	outlet->loop = loop;
	outlet->log = log;
}

/* Moved away from the standard descriptors, which the program may lack. */
static int take(struct emu_outlet *outlet, int fd)
{
	int high = fcntl(fd, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);

	if (high < 0)
		return -errno;
	outlet->fd = high;
	return 0;
}

/* A FIFO that nobody reads yet. */
static int open_and_wait(const char *path, int flags, const sigset_t *mask)
{
	sigset_t before;
	int fd;

	sigprocmask(SIG_SETMASK, mask, &before);
	fd = emu_safe_open(path, flags);
	sigprocmask(SIG_SETMASK, &before, NULL);
	if (fd >= 0)
		fcntl(fd, F_SETFL, O_APPEND | O_NONBLOCK);
	return fd;
}

int emu_outlet_open(struct emu_outlet *outlet, const char *what,
	const char *path, const sigset_t *mask)
{
	int flags = O_WRONLY | O_APPEND | O_NOCTTY;
	int fd = emu_safe_open(path, flags | O_NONBLOCK), before = outlet->fd;
	int rc;

	if (fd == -ENXIO)
		fd = open_and_wait(path, flags, mask);
	if (fd < 0)
		return fd;
	rc = take(outlet, fd);
	close(fd);
	if (rc < 0)
		return rc;
	close_own(before);
	outlet->way = EMU_OUTLET_WRITE;
	outlet->what = what;
	outlet->path = path;
	return 0;
}

static enum emu_outlet_way way_of(int fd)
{
	struct stat stat;

	if (isatty(fd))
		return EMU_OUTLET_TERMINAL;
	if (fstat(fd, &stat) == 0 && S_ISSOCK(stat.st_mode))
		return EMU_OUTLET_SOCKET;
	if (fstat(fd, &stat) == 0 && S_ISFIFO(stat.st_mode))
		return EMU_OUTLET_PIPE;
	return EMU_OUTLET_WRITE;
}

/* A description of our own. Returns -1 where there is none to be had. */
static int open_anew(int fd, enum emu_outlet_way way)
{
	char path[32];

	if (way != EMU_OUTLET_PIPE && way != EMU_OUTLET_TERMINAL)
		return -1;
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	return open(path, O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
}

int emu_outlet_share(struct emu_outlet *outlet, const char *what, int fd)
{
	enum emu_outlet_way way = way_of(fd);
	int own = open_anew(fd, way);
	int rc = take(outlet, own >= 0 ? own : fd);

	if (rc == -EMFILE || rc == -EINVAL) {
		/* No descriptor is free, which is to be said all the same. */
		outlet->fd = fd;
		rc = 0;
	}
	outlet->what = what;
	outlet->path = "standard error";
	outlet->way = own >= 0 ? EMU_OUTLET_WRITE : way;
	if (own >= 0)
		close(own);
	return rc;
}
