/* SPDX-License-Identifier: MIT */
/*
 * The fake host; fake.h says what it offers. It is written as a host should
 * be: harvest after each wake, sleep again when there was nothing, harvest
 * once more when the time is up.
 */
#include "fake.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct fake_host host;

static void *fake_alloc(void *ctx, size_t size)
{
	struct fake_host *fake = ctx;
	void *memory;

	if (fake->fail_in && --fake->fail_in == 0)
		return NULL;
	memory = calloc(1, size);
	ck_assert_ptr_nonnull(memory);
	fake->blocks++;
	fake->bytes += (long)size;
	return memory;
}

static void fake_free(void *ctx, void *memory, size_t size)
{
	struct fake_host *fake = ctx;

	fake->blocks--;
	fake->bytes -= (long)size;
	memset(memory, 0xa5, size); /* what is used after it is noticed */
	free(memory);
}

void fake_setup(void)
{
	host = (struct fake_host){
		.alloc = {.alloc = fake_alloc, .free = fake_free, .ctx = &host},
		.user = {.max_watches = 1000000},
	};
	emu_deadlines_init(&host.deadlines);
}

void fake_teardown(void)
{
	ck_assert_int_eq(host.user.watches, 0);
	ck_assert_int_eq(host.blocks, 0);
	ck_assert_int_eq(host.bytes, 0);
}

uint32_t fake_random(uint64_t *state, uint32_t below)
{
	*state ^= *state >> 12;
	*state ^= *state << 25;
	*state ^= *state >> 27;
	return (uint32_t)((*state * 0x2545f4914f6cdd1du) >> 32) % below;
}

static uint32_t fake_file_poll(struct emu_file *file, uint32_t mask)
{
	struct fake_file *fake = emu_container_of(file, struct fake_file, file);

	/* the contract of emu_file_ops */
	ck_assert_uint_eq(mask & (ERR | HUP), ERR | HUP);
	ck_assert_uint_eq(mask & EMU_EPOLL_PRIVATE_BITS, 0);
	fake->polls++;
	return fake->bits & mask;
}

static const struct emu_file_ops fake_file_ops = {
	.poll = fake_file_poll,
};

void fake_file_init(struct fake_file *file, uint32_t bits)
{
	emu_file_init(&file->file, &fake_file_ops);
	file->bits = bits;
	file->polls = 0;
}

int fake_file_wake(struct fake_file *file, uint32_t bits, uint32_t key)
{
	file->bits = bits;
	return emu_file_wake(&file->file, key);
}

struct emu_epoll *fake_epoll(void)
{
	struct emu_epoll *epoll = emu_epoll_create(&host.alloc, &host.user);

	ck_assert_ptr_nonnull(epoll);
	return epoll;
}

int fake_add(struct emu_epoll *epoll, struct emu_file *file, int fd,
	uint32_t mask, uint64_t data)
{
	struct emu_event event = {.events = mask, .data = data};
	struct emu_item *item = NULL;
	int result = emu_epoll_add(epoll, file, fd, &event, &item);

	/* output is untouched on failure */
	ck_assert_int_eq(result == 0, item != NULL);
	return result;
}

int fake_mod(struct emu_epoll *epoll, struct emu_file *file, int fd,
	uint32_t mask, uint64_t data)
{
	struct emu_event event = {.events = mask, .data = data};
	struct emu_item *item = emu_epoll_find(epoll, file, fd);

	ck_assert_ptr_nonnull(item);
	return emu_epoll_mod(item, &event);
}

void fake_del(struct emu_epoll *epoll, struct emu_file *file, int fd)
{
	struct emu_item *item = emu_epoll_find(epoll, file, fd);

	ck_assert_ptr_nonnull(item);
	emu_epoll_del(item);
}

int fake_watch(struct emu_epoll *epoll, struct fake_file *file, uint32_t mask,
	uint64_t data)
{
	return fake_add(epoll, &file->file, 3 + (int)data, mask, data);
}

int fake_nest(struct emu_epoll *outer, struct emu_epoll *inner, uint32_t mask,
	uint64_t data)
{
	return fake_add(
		outer, emu_epoll_file(inner), 3 + (int)data, mask, data);
}

const char *fake_take_some(struct emu_epoll *epoll, int max, int delivered)
{
	static char text[1024];
	struct emu_event events[32];
	size_t length = 0;
	int count;

	ck_assert_int_le(max, 32);
	count = emu_epoll_harvest(epoll, events, max);
	ck_assert_int_ge(count, 0);
	ck_assert_int_le(count, max);
	emu_epoll_commit(epoll, delivered < count ? delivered : count);
	text[0] = '\0';
	for (int i = 0; i < count; i++)
		length += (size_t)snprintf(text + length, sizeof(text) - length,
			"%s%llu:%x", i ? " " : "",
			(unsigned long long)events[i].data, events[i].events);
	return text;
}

const char *fake_take(struct emu_epoll *epoll, int max)
{
	return fake_take_some(epoll, max, max);
}

uint32_t fake_poll(struct emu_epoll *epoll)
{
	struct emu_file *file = emu_epoll_file(epoll);

	return file->ops->poll(file, UINT32_MAX);
}

static void fake_woken(struct emu_waiter *waiter)
{
	struct fake_thread *thread =
		emu_container_of(waiter, struct fake_thread, waiter);

	ck_assert(thread->sleeping);
	ck_assert(!thread->woken);
	thread->woken = true;
	thread->wakes++;
}

/* Takes what there is; false if there was nothing. */
static bool fake_harvest(struct fake_thread *thread)
{
	int count = emu_epoll_harvest(
		thread->waiter.epoll, thread->events, thread->max);

	if (!count)
		return false;
	emu_epoll_commit(thread->waiter.epoll, count);
	thread->result = count;
	return true;
}

static void fake_return(struct fake_thread *thread)
{
	thread->sleeping = false;
	thread->woken = false;
	emu_deadline_disarm(&host.deadlines, &thread->deadline);
}

void fake_wait(
	struct fake_thread *thread, struct emu_epoll *epoll, uint64_t until_ns)
{
	*thread = (struct fake_thread){.max = 4, .result = -1};
	thread->waiter.epoll = epoll;
	emu_deadline_init(&thread->deadline);
	if (fake_harvest(thread))
		return;
	thread->sleeping = true;
	emu_epoll_wait_begin(epoll, &thread->waiter, fake_woken);
	emu_deadline_arm(&host.deadlines, &thread->deadline, until_ns);
}

void fake_run(struct fake_thread *thread)
{
	ck_assert(thread->woken);
	thread->woken = false;
	emu_epoll_wait_end(&thread->waiter, false);
	if (fake_harvest(thread))
		fake_return(thread);
	else
		emu_epoll_wait_begin(
			thread->waiter.epoll, &thread->waiter, fake_woken);
}

void fake_kill(struct fake_thread *thread)
{
	ck_assert(thread->sleeping);
	emu_epoll_wait_end(&thread->waiter, true);
	fake_return(thread);
}

void fake_clock_set(uint64_t now_ns)
{
	struct emu_deadline *deadline;

	host.now_ns = now_ns;
	while ((deadline = emu_deadlines_expired(&host.deadlines, now_ns))) {
		struct fake_thread *thread = emu_container_of(
			deadline, struct fake_thread, deadline);

		emu_epoll_wait_end(&thread->waiter, false);
		if (!fake_harvest(thread))
			thread->result = 0;
		fake_return(thread);
	}
}
