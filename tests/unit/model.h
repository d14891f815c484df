/* SPDX-License-Identifier: MIT */
/*
 * The kernel's rules of epoll once more, written for the eye and not for
 * speed: arrays that are searched and shifted, recursion without memory. It
 * shares no code with the engine. Files, epolls and threads are numbers; a
 * "target" is a file, or M_FILES + an epoll.
 */
#ifndef MODEL_H
#define MODEL_H

#include <stdbool.h>
#include <stdint.h>

#define M_FILES 4
#define M_EPOLLS 6
#define M_TARGETS (M_FILES + M_EPOLLS)
#define M_ITEMS 60
#define M_THREADS 8

struct model_list {
	int count;
	int at[M_ITEMS];
};

struct model_item {
	bool used;
	int epoll, target, fd;
	uint32_t events;
	uint64_t data;
};

struct model_event {
	uint32_t events;
	uint64_t data;
};

struct model {
	struct model_item items[M_ITEMS];
	int watches, max_watches;
	uint32_t bits[M_FILES];
	struct model_list queue[M_TARGETS]; /* items that hear of wakes */
	struct model_list ready[M_EPOLLS]; /* items */
	struct model_list sleepers[M_EPOLLS]; /* threads, next to wake first */
	int wakes[M_THREADS];
};

void model_init(struct model *model, int max_watches);

/* The item's number, or -1. */
int model_find(const struct model *model, int epoll, int target, int fd);

bool model_queued(const struct model *model, int item);

/* epoll_ctl(); `no_memory`: the allocation would fail */
int model_add(struct model *model, int epoll, int target, int fd,
	uint32_t events, uint64_t data, bool no_memory);
int model_mod(struct model *model, int item, uint32_t events, uint64_t data);
void model_del(struct model *model, int item);

/* The target goes, and with it what watches it; an epoll's items too. */
void model_release(struct model *model, int target);

/* Returns for how many it was news. */
int model_wake(struct model *model, int target, uint32_t key);

uint32_t model_poll(struct model *model, int target);

/* epoll_wait() that can hand over only `delivered` of what it found */
int model_take(struct model *model, int epoll, struct model_event *events,
	int max, int delivered);

void model_sleep(struct model *model, int epoll, int thread);
void model_sleep_end(struct model *model, int epoll, int thread, bool pass_on);

#endif
