/* SPDX-License-Identifier: MIT */
/*
 * eventfds: a counter and the wakes that reads and writes of it make.
 *
 * Every successful write wakes with IN and every successful read with OUT,
 * whatever the counter was before: event loops that never drain their eventfd
 * depend on the edges. Nobody sleeps here: a blocked caller has an entry on
 * the file's wait queue and tries again when told, and whoever comes first
 * gets the count.
 *
 * An eventfd lives from create to destroy. Its counter is `count`, or
 * whatever `ops` keep outside, and then `count` is not used.
 */
#include "eventfd_emul.h"

#include <errno.h>

#include "poll_bits.h"

/* A counter holds no more than this. */
#define COUNTER_MAX (UINT64_MAX - 1)

/* So much a write to a semaphore may have added that is taken back. */
#define MOST_UNWRITTEN 64

struct emu_eventfd {
	struct emu_file file;
	const struct emu_alloc *alloc;
	const struct emu_counter_ops *ops;
	void *ctx;
	uint64_t count;
	bool semaphore;
};

static int counter_add(struct emu_eventfd *eventfd, uint64_t value)
{
	if (eventfd->ops)
		return eventfd->ops->add(eventfd->ctx, value);
	if (value > COUNTER_MAX - eventfd->count)
		return -EAGAIN;
	eventfd->count += value;
	return 0;
}

static int counter_take(
	struct emu_eventfd *eventfd, bool semaphore, uint64_t *value)
{
	if (eventfd->ops)
		return eventfd->ops->take(eventfd->ctx, semaphore, value);
	if (!eventfd->count)
		return -EAGAIN;
	*value = semaphore ? 1 : eventfd->count;
	eventfd->count -= *value;
	return 0;
}

static uint32_t eventfd_poll(struct emu_file *file, uint32_t mask)
{
	struct emu_eventfd *eventfd =
		emu_container_of(file, struct emu_eventfd, file);
	uint32_t bits = 0;

	if (eventfd->ops)
		return eventfd->ops->poll(eventfd->ctx) & mask;
	if (eventfd->count > 0)
		bits |= EMU_EPOLLIN;
	if (eventfd->count < COUNTER_MAX)
		bits |= EMU_EPOLLOUT;
	return bits & mask;
}

static const struct emu_file_ops eventfd_file_ops = {
	.poll = eventfd_poll,
};

struct emu_eventfd *emu_eventfd_create(const struct emu_alloc *alloc,
	uint32_t initval, bool semaphore, const struct emu_counter_ops *ops,
	void *ctx)
{
	struct emu_eventfd *eventfd = emu_alloc(alloc, sizeof(*eventfd));

	if (!eventfd)
		return NULL;
	emu_file_init(&eventfd->file, &eventfd_file_ops);
	eventfd->alloc = alloc;
	eventfd->ops = ops;
	eventfd->ctx = ctx;
	eventfd->count = initval;
	eventfd->semaphore = semaphore;
	return eventfd;
}

void emu_eventfd_destroy(struct emu_eventfd *eventfd)
{
	if (!eventfd)
		return;
	emu_file_release(&eventfd->file);
	emu_free(eventfd->alloc, eventfd, sizeof(*eventfd));
}

struct emu_file *emu_eventfd_file(struct emu_eventfd *eventfd)
{
	return &eventfd->file;
}

bool emu_eventfd_is_semaphore(const struct emu_eventfd *eventfd)
{
	return eventfd->semaphore;
}

int emu_eventfd_read(struct emu_eventfd *eventfd, uint64_t *value)
{
	int error = counter_take(eventfd, eventfd->semaphore, value);

	if (!error)
		emu_file_wake(&eventfd->file, EMU_EPOLLOUT);
	return error;
}

int emu_eventfd_write(struct emu_eventfd *eventfd, uint64_t value)
{
	int error;

	if (value == UINT64_MAX)
		return -EINVAL;
	error = counter_add(eventfd, value);
	if (!error)
		emu_file_wake(&eventfd->file, EMU_EPOLLIN);
	return error;
}

void emu_eventfd_unread(struct emu_eventfd *eventfd, uint64_t value)
{
	uint64_t rest;

	/*
	 * Writers may have filled the room meanwhile; then the counter cannot
	 * hold what it should, and holds all it can.
	 */
	if (counter_add(eventfd, value) == -EAGAIN &&
		!counter_take(eventfd, false, &rest))
		(void)counter_add(eventfd, COUNTER_MAX);
	emu_file_wake(&eventfd->file, EMU_EPOLLIN);
}

bool emu_eventfd_unwrite(struct emu_eventfd *eventfd, uint64_t value)
{
	uint64_t taken = 0, more;

	/* A semaphore gives one at a time, and has to give them all. */
	if (eventfd->semaphore && value > MOST_UNWRITTEN)
		return false;
	while (taken < value &&
		!counter_take(eventfd, eventfd->semaphore, &more))
		taken += more;
	more = taken < value ? taken : taken - value;
	if (more)
		(void)counter_add(eventfd, more);
	if (taken < value)
		return false;
	emu_file_wake(&eventfd->file, EMU_EPOLLOUT);
	return true;
}
