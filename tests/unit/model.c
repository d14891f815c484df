/* SPDX-License-Identifier: MIT */
/*
 * The model; model.h says what it is for. The names in comments are those of
 * fs/eventpoll.c of Linux 6.18.
 */
#include "model.h"

#include <errno.h>
#include <limits.h>

#include "poll_bits.h"

#define PRIVATE EMU_EPOLL_PRIVATE_BITS
#define ALWAYS (EMU_EPOLLERR | EMU_EPOLLHUP)
#define IN_OUT (EMU_EPOLLIN | EMU_EPOLLOUT)

/* ---- lists ---- */

static int position(const struct model_list *list, int number)
{
	for (int i = 0; i < list->count; i++)
		if (list->at[i] == number)
			return i;
	return -1;
}

static void insert(struct model_list *list, int place, int number)
{
	for (int i = list->count; i > place; i--)
		list->at[i] = list->at[i - 1];
	list->at[place] = number;
	list->count++;
}

static void append(struct model_list *list, int number)
{
	insert(list, list->count, number);
}

static void take_out(struct model_list *list, int number)
{
	int place = position(list, number);

	if (place < 0)
		return;
	list->count--;
	for (int i = place; i < list->count; i++)
		list->at[i] = list->at[i + 1];
}

/* ---- items ---- */

void model_init(struct model *model, int max_watches)
{
	*model = (struct model){.max_watches = max_watches};
}

int model_find(const struct model *model, int epoll, int target, int fd)
{
	for (int i = 0; i < M_ITEMS; i++) {
		const struct model_item *item = &model->items[i];

		if (item->used && item->epoll == epoll &&
			item->target == target && item->fd == fd)
			return i;
	}
	return -1;
}

bool model_queued(const struct model *model, int item)
{
	return position(&model->ready[model->items[item].epoll], item) >= 0;
}

void model_del(struct model *model, int item)
{
	struct model_item *it = &model->items[item];

	take_out(&model->queue[it->target], item);
	take_out(&model->ready[it->epoll], item);
	it->used = false;
	model->watches--;
}

void model_release(struct model *model, int target)
{
	for (int i = 0; i < M_ITEMS; i++) {
		const struct model_item *item = &model->items[i];

		if (item->used && (item->target == target ||
					  item->epoll + M_FILES == target))
			model_del(model, i);
	}
}

/* ---- nesting ---- */

static bool reaches(const struct model *model, int from, int epoll)
{
	for (int i = 0; i < M_ITEMS; i++) {
		const struct model_item *item = &model->items[i];

		if (!item->used || item->epoll != from ||
			item->target < M_FILES)
			continue;
		if (item->target - M_FILES == epoll ||
			reaches(model, item->target - M_FILES, epoll))
			return true;
	}
	return false;
}

/* The longest chain of links from `epoll`, downwards or upwards. */
static int chain(const struct model *model, int epoll, bool down)
{
	int longest = 0;

	for (int i = 0; i < M_ITEMS; i++) {
		const struct model_item *item = &model->items[i];
		int inner = item->target - M_FILES;
		int length;

		if (!item->used || inner < 0 ||
			epoll != (down ? item->epoll : inner))
			continue;
		length = 1 + chain(model, down ? inner : item->epoll, down);
		if (length > longest)
			longest = length;
	}
	return longest;
}

static bool watched(const struct model *model, int epoll)
{
	for (int i = 0; i < M_ITEMS; i++)
		if (model->items[i].used &&
			model->items[i].target == M_FILES + epoll)
			return true;
	return false;
}

/* Counts, by length, the paths from `target` to epolls nobody watches. */
static void count_paths(
	const struct model *model, int target, int length, int *paths)
{
	for (int i = 0; i < M_ITEMS; i++) {
		const struct model_item *item = &model->items[i];

		if (!item->used || item->target != target)
			continue;
		if (watched(model, item->epoll))
			count_paths(model, M_FILES + item->epoll, length + 1,
				paths);
		else
			paths[length]++;
	}
}

/* reverse_path_check() for all plain files at or below `target` */
static bool too_many_paths(const struct model *model, int target)
{
	static const int limits[] = {INT_MAX, 500, 100, 50, 10};
	int paths[8] = {0};

	if (target < M_FILES) {
		count_paths(model, target, 0, paths);
		for (int i = 0; i < 5; i++)
			if (paths[i] > limits[i])
				return true;
		return false;
	}
	for (int i = 0; i < M_ITEMS; i++) {
		const struct model_item *item = &model->items[i];

		if (item->used && item->epoll == target - M_FILES &&
			too_many_paths(model, item->target))
			return true;
	}
	return false;
}

/* ---- readiness ---- */

static bool wake_sleeper(struct model *model, int epoll)
{
	struct model_list *sleepers = &model->sleepers[epoll];

	if (!sleepers->count)
		return false;
	model->wakes[sleepers->at[0]]++;
	take_out(sleepers, sleepers->at[0]);
	return true;
}

static uint32_t item_poll(struct model *model, int item)
{
	const struct model_item *it = &model->items[item];

	return model_poll(model, it->target) & it->events & ~PRIVATE;
}

/* __ep_eventpoll_poll() */
uint32_t model_poll(struct model *model, int target)
{
	struct model_list *ready;

	if (target < M_FILES)
		return model->bits[target];
	ready = &model->ready[target - M_FILES];
	while (ready->count) {
		if (item_poll(model, ready->at[0])) {
			wake_sleeper(model, target - M_FILES);
			return EMU_EPOLLIN | EMU_EPOLLRDNORM;
		}
		take_out(ready, ready->at[0]);
	}
	return 0;
}

/* ep_poll_callback(); the result is ewake, `news` counts */
static bool callback(struct model *model, int item, uint32_t key, int *news)
{
	const struct model_item *it = &model->items[item];
	bool is_news = false, ewake = false;

	if (!(it->events & ~PRIVATE))
		return false;
	if (key && !(key & it->events))
		return false;
	if (!model_queued(model, item)) {
		append(&model->ready[it->epoll], item);
		is_news = true;
	}
	if (wake_sleeper(model, it->epoll)) {
		is_news = true;
		switch (key & IN_OUT) {
		case EMU_EPOLLIN:
			ewake = it->events & EMU_EPOLLIN;
			break;
		case EMU_EPOLLOUT:
			ewake = it->events & EMU_EPOLLOUT;
			break;
		case 0:
			ewake = true;
			break;
		}
	}
	/* ep_poll_safewake() */
	if (model_wake(model, M_FILES + it->epoll, EMU_EPOLLIN))
		is_news = true;
	*news += is_news;
	return ewake && (it->events & EMU_EPOLLEXCLUSIVE);
}

int model_wake(struct model *model, int target, uint32_t key)
{
	int news = 0;

	for (int i = 0; i < model->queue[target].count; i++)
		if (callback(model, model->queue[target].at[i], key, &news))
			break;
	return news;
}

/* The end of ep_insert() and ep_modify(). */
static void queue_if_ready(struct model *model, int item)
{
	int epoll = model->items[item].epoll;

	if (!item_poll(model, item) || model_queued(model, item))
		return;
	append(&model->ready[epoll], item);
	wake_sleeper(model, epoll);
	model_wake(model, M_FILES + epoll, EMU_EPOLLIN);
}

/* ---- calls ---- */

static bool exclusive_allowed(int target, uint32_t events)
{
	return target < M_FILES &&
	       !(events & ~(IN_OUT | ALWAYS | EMU_EPOLLWAKEUP | EMU_EPOLLET |
				  EMU_EPOLLEXCLUSIVE));
}

static bool chain_allowed(const struct model *model, int epoll, int target)
{
	int inner = target - M_FILES;

	return inner < 0 ||
	       (!reaches(model, inner, epoll) &&
		       chain(model, inner, true) + 1 +
				       chain(model, epoll, false) <=
			       4);
}

static int free_item(const struct model *model)
{
	for (int i = 0; i < M_ITEMS; i++)
		if (!model->items[i].used)
			return i;
	return -1;
}

int model_add(struct model *model, int epoll, int target, int fd,
	uint32_t events, uint64_t data, bool no_memory)
{
	bool exclusive = events & EMU_EPOLLEXCLUSIVE;
	int item;

	if (target - M_FILES == epoll)
		return -EINVAL;
	if (exclusive && !exclusive_allowed(target, events))
		return -EINVAL;
	if (!chain_allowed(model, epoll, target))
		return -ELOOP;
	if (model_find(model, epoll, target, fd) >= 0)
		return -EEXIST;
	if (model->watches >= model->max_watches)
		return -ENOSPC;
	if (no_memory)
		return -ENOMEM;

	item = free_item(model);
	model->items[item] = (struct model_item){
		.used = true,
		.epoll = epoll,
		.target = target,
		.fd = fd,
		.events = events | ALWAYS,
		.data = data,
	};
	model->watches++;
	if ((target >= M_FILES || watched(model, epoll)) &&
		too_many_paths(model, target)) {
		model_del(model, item);
		return -EINVAL;
	}
	if (exclusive)
		append(&model->queue[target], item);
	else
		insert(&model->queue[target], 0, item);
	queue_if_ready(model, item);
	return 0;
}

int model_mod(struct model *model, int item, uint32_t events, uint64_t data)
{
	struct model_item *it = &model->items[item];

	if ((it->events | events) & EMU_EPOLLEXCLUSIVE)
		return -EINVAL;
	it->events = events | ALWAYS;
	it->data = data;
	queue_if_ready(model, item);
	return 0;
}

int model_take(struct model *model, int epoll, struct model_event *events,
	int max, int delivered)
{
	struct model_list *ready = &model->ready[epoll];
	int count = 0;

	/* find */
	while (count < max && count < ready->count) {
		int item = ready->at[count];
		uint32_t revents = item_poll(model, item);

		if (!revents) {
			take_out(ready, item);
			continue;
		}
		events[count].events = revents;
		events[count].data = model->items[item].data;
		count++;
	}
	/* hand over */
	for (int i = 0; i < delivered && i < count; i++) {
		int item = ready->at[0];
		struct model_item *it = &model->items[item];

		take_out(ready, item);
		if (it->events & EMU_EPOLLONESHOT)
			it->events &= PRIVATE;
		else if (!(it->events & EMU_EPOLLET))
			append(ready, item);
	}
	if (ready->count)
		wake_sleeper(model, epoll);
	return count;
}

void model_sleep(struct model *model, int epoll, int thread)
{
	insert(&model->sleepers[epoll], 0, thread);
}

void model_sleep_end(struct model *model, int epoll, int thread, bool pass_on)
{
	bool was_woken = position(&model->sleepers[epoll], thread) < 0;

	take_out(&model->sleepers[epoll], thread);
	if (pass_on && was_woken && model->ready[epoll].count)
		wake_sleeper(model, epoll);
}
