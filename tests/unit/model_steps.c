/* SPDX-License-Identifier: MIT */
/*
 * One step after another for the engine and for the model, whatever the
 * source of the choices; model_steps.h says what it is for.
 */
#include "model_steps.h"

#include <errno.h>

#include "fake.h"
#include "model.h"

#define MAX_EVENTS 4
#define MAX_WATCHES 40

struct thread {
	struct emu_waiter waiter;
	int epoll; /* -1: it is not in epoll_wait() */
	int wakes;
};

static struct model model;
static struct fake_file files[M_FILES];
static struct emu_epoll *epolls[M_EPOLLS];
static struct thread threads[M_THREADS];
static uint32_t (*pick)(uint32_t below);
static int step;

static bool chance(uint32_t percent)
{
	return pick(100) < percent;
}

static void same(const char *what, int which, long long ours, long long models)
{
	if (ours != models)
		ck_abort_msg("step %d, %s %d: %lld, but %lld by the model",
			step, what, which, ours, models);
}

static struct emu_file *target_file(int target)
{
	return target < M_FILES ? &files[target].file
				: emu_epoll_file(epolls[target - M_FILES]);
}

static void woken(struct emu_waiter *waiter)
{
	emu_container_of(waiter, struct thread, waiter)->wakes++;
}

void model_steps_begin(uint32_t (*source)(uint32_t below))
{
	pick = source;
	step = 0;
	host.user.max_watches = MAX_WATCHES;
	model_init(&model, MAX_WATCHES);
	for (int i = 0; i < M_FILES; i++)
		fake_file_init(&files[i], 0);
	for (int i = 0; i < M_EPOLLS; i++)
		epolls[i] = fake_epoll();
	for (int i = 0; i < M_THREADS; i++)
		threads[i] = (struct thread){.epoll = -1};
}

static void leave(int which, bool pass_on)
{
	struct thread *thread = &threads[which];

	emu_epoll_wait_end(&thread->waiter, pass_on);
	model_sleep_end(&model, thread->epoll, which, pass_on);
	thread->epoll = -1;
}

void model_steps_end(void)
{
	for (int i = 0; i < M_THREADS; i++)
		if (threads[i].epoll >= 0)
			leave(i, false);
	for (int i = 0; i < M_EPOLLS; i++)
		emu_epoll_destroy(epolls[i]);
}

static uint32_t pick_bits(void)
{
	static const uint32_t bits[] = {0, IN, OUT, IN | OUT, HUP,
		IN | HUP | RDHUP, ERR, IN | RDNORM, PRI, OUT | ERR};

	return bits[pick(sizeof(bits) / sizeof(bits[0]))];
}

static uint32_t pick_mask(void)
{
	uint32_t mask = pick_bits();

	if (chance(40))
		mask |= ET;
	if (chance(20))
		mask |= ONESHOT;
	if (chance(20))
		mask |= EXCLUSIVE;
	return mask;
}

static int pick_target(void)
{
	return chance(70) ? (int)pick(M_FILES) : (int)pick(M_TARGETS);
}

static void step_file(void)
{
	int file = (int)pick(M_FILES);
	uint32_t bits = pick_bits();
	uint32_t key = chance(20) ? 0 : chance(60) ? bits : pick_bits();

	files[file].bits = model.bits[file] = bits;
	if (chance(75))
		same("news of file", file,
			emu_file_wake(&files[file].file, key),
			model_wake(&model, file, key));
}

static void step_add(int epoll, int target, int fd)
{
	struct emu_event event = {
		.events = pick_mask(), .data = (uint64_t)step << 20};
	bool no_memory = chance(5);
	int result, expected;

	host.fail_in = no_memory;
	result = emu_epoll_add(
		epolls[epoll], target_file(target), fd, &event, NULL);
	host.fail_in = 0;
	expected = model_add(
		&model, epoll, target, fd, event.events, event.data, no_memory);
	same("ADD to epoll", epoll, result, expected);
}

static void step_ctl(void)
{
	int epoll = (int)pick(M_EPOLLS);
	int target = pick_target();
	int fd = 3 + (int)pick(2);
	struct emu_event event = {
		.events = pick_mask(), .data = (uint64_t)step};
	struct emu_item *item =
		emu_epoll_find(epolls[epoll], target_file(target), fd);
	int models = model_find(&model, epoll, target, fd);

	same("item in epoll", epoll, item != NULL, models >= 0);
	if (!item || chance(5)) {
		step_add(epoll, target, fd);
	} else if (chance(75)) {
		same("MOD in epoll", epoll, emu_epoll_mod(item, &event),
			model_mod(&model, models, event.events, event.data));
	} else {
		emu_epoll_del(item);
		model_del(&model, models);
	}
}

static void step_take(int epoll)
{
	struct emu_event ours[MAX_EVENTS];
	struct model_event models[MAX_EVENTS];
	int max = 1 + (int)pick(MAX_EVENTS);
	int delivered = chance(80) ? max : (int)pick((uint32_t)max);
	int count = emu_epoll_harvest(epolls[epoll], ours, max);

	emu_epoll_commit(epolls[epoll], delivered < count ? delivered : count);
	same("events of epoll", epoll, count,
		model_take(&model, epoll, models, max, delivered));
	for (int i = 0; i < count; i++) {
		same("bits of event", i, ours[i].events, models[i].events);
		same("data of event", i, (long long)ours[i].data,
			(long long)models[i].data);
	}
}

static void step_thread(void)
{
	int which = (int)pick(M_THREADS);
	struct thread *thread = &threads[which];

	if (thread->epoll >= 0) {
		int epoll = thread->epoll;
		bool harvests = chance(70);

		leave(which, !harvests);
		if (harvests)
			step_take(epoll);
		return;
	}
	thread->epoll = (int)pick(M_EPOLLS);
	emu_epoll_wait_begin(epolls[thread->epoll], &thread->waiter, woken);
	model_sleep(&model, thread->epoll, which);
}

static void step_poll(void)
{
	int epoll = (int)pick(M_EPOLLS);

	same("poll of epoll", epoll, fake_poll(epolls[epoll]),
		model_poll(&model, M_FILES + epoll));
}

static void step_end(void)
{
	int target = (int)pick(M_TARGETS);
	int epoll = target - M_FILES;

	if (epoll < 0) {
		emu_file_release(&files[target].file);
	} else {
		for (int i = 0; i < M_THREADS; i++)
			if (threads[i].epoll == epoll)
				leave(i, false);
		emu_epoll_destroy(epolls[epoll]);
		epolls[epoll] = fake_epoll();
	}
	model_release(&model, target);
}

static void compare_epoll(int epoll)
{
	struct emu_item *item = NULL;
	int items = 0, queued = 0, edges = 0, hidden = 0, models = 0;

	while ((item = emu_epoll_next(epolls[epoll], item))) {
		struct emu_item_info info;

		emu_item_info(item, &info);
		items++;
		queued += info.queued;
		if (!info.queued)
			continue;
		if (info.events & (ONESHOT | EXCLUSIVE))
			hidden++;
		else if (info.events & ET)
			edges++;
	}
	for (int i = 0; i < M_ITEMS; i++) {
		struct model_item *it = &model.items[i];
		struct emu_item_info info;

		if (!it->used || it->epoll != epoll)
			continue;
		models++;
		item = emu_epoll_find(
			epolls[epoll], target_file(it->target), it->fd);
		same("item", i, item != NULL, true);
		emu_item_info(item, &info);
		same("events of item", i, info.events, it->events);
		same("item queued", i, info.queued, model_queued(&model, i));
	}
	same("items of epoll", epoll, items, models);
	same("ready items of epoll", epoll, queued, model.ready[epoll].count);
	same("available", epoll, emu_epoll_available(epolls[epoll]),
		model.ready[epoll].count > 0);
	same("edges available", epoll, emu_epoll_edge_available(epolls[epoll]),
		edges > 0);
	same("hidden available", epoll,
		emu_epoll_hidden_available(epolls[epoll]), hidden > 0);
	same("waiters of epoll", epoll, emu_epoll_has_waiters(epolls[epoll]),
		model.sleepers[epoll].count > 0);
}

static void compare(void)
{
	same("watches", 0, host.user.watches, model.watches);
	for (int i = 0; i < M_EPOLLS; i++)
		compare_epoll(i);
	for (int i = 0; i < M_THREADS; i++)
		same("wakes of thread", i, threads[i].wakes, model.wakes[i]);
}

void model_step(void)
{
	uint32_t what = pick(100);

	step++;
	if (what < 30)
		step_file();
	else if (what < 60)
		step_ctl();
	else if (what < 75)
		step_take((int)pick(M_EPOLLS));
	else if (what < 92)
		step_thread();
	else if (what < 98)
		step_poll();
	else if (chance(40))
		step_end();
	compare();
}
