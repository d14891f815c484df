/* SPDX-License-Identifier: MIT */
/*
 * The counter of an emulated eventfd.
 *
 * It is kept in the placeholder, a real eventfd, because reads and writes
 * that go round the filter (16- and 1,024-byte reads, readv, writev, aliases
 * at 0 to 2) use it as well: both see one number, and poll(2) is right.
 *
 * The file is the target's, and so is its O_NONBLOCK flag: a target may have
 * it clear, and may change it while we look. The supervisor must not sleep in
 * a target's counter. Reads say so themselves (RWF_NOWAIT). A write to a
 * blocking descriptor is done only if it fits, and since a hostile target can
 * fill the counter between the look and the write, a write that did go to sleep
 * is ended by a timer (guard.c).
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/uio.h>
#include <unistd.h>

#include "guard.h"
#include "placeholder.h"
#include "proc.h"

/* The count as /proc shows it, without taking it. */
static int peek(int fd, uint64_t *count)
{
	static const char key[] = "eventfd-count:";
	char path[32];
	char text[512];
	const char *at;
	ssize_t rc;

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", fd);
	rc = emu_proc_read(path, text, sizeof(text));
	if (rc < 0)
		return (int)rc;
	at = strstr(text, key);
	if (!at)
		return -EIO;
	*count = strtoull(at + strlen(key), NULL, 16);
	return 0;
}

/* Does `value` fit now? For a file whose write would sleep otherwise. */
static bool fits(struct emu_object *object, uint64_t value)
{
	uint64_t count = 0;
	int rc;

	if (value <= 1)
		return value == 0 ||
		       (emu_weak_poll(&object->weak) & EPOLLOUT) != 0;
	rc = peek(object->counter_fd, &count);
	if (rc < 0) /* where nobody can look, the write itself tells */
		return emu_proc_no_room(rc);
	return UINT64_MAX - count > value;
}

static int counter_add(void *ctx, uint64_t value)
{
	struct emu_object *object = ctx;
	int flags = fcntl(object->counter_fd, F_GETFL);
	ssize_t n;

	if (flags < 0)
		return -errno;
	if (!(flags & O_NONBLOCK) && !fits(object, value))
		return -EAGAIN;
	n = emu_guard_write(object->counter_fd, &value, sizeof(value));
	if (n < 0)
		return n == -EINTR ? -EAGAIN : (int)n;
	return 0;
}

static int counter_take(void *ctx, bool semaphore, uint64_t *value)
{
	struct emu_object *object = ctx;
	struct iovec iov = {value, sizeof(*value)};
	ssize_t n;

	(void)semaphore; /* the placeholder was made with the same flag */
	n = preadv2(object->counter_fd, &iov, 1, -1, RWF_NOWAIT);
	if (n < 0)
		return -errno;
	return n == (ssize_t)sizeof(*value) ? 0 : -EIO;
}

static uint32_t counter_poll(void *ctx)
{
	struct emu_object *object = ctx;

	return emu_weak_poll(&object->weak);
}

const struct emu_counter_ops emu_placeholder_counter = {
	.add = counter_add,
	.take = counter_take,
	.poll = counter_poll,
};
