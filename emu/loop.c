/* SPDX-License-Identifier: MIT */
/*
 * The event loop around the supervisor's main epoll instance.
 *
 * Order is what it is about. A thread that writes to a pipe and then calls
 * epoll_wait() must find the pipe ready, so the edges that the kernel queued
 * before the call are fed to the engine before the call is taken from the
 * notifier. The main epoll lists edges and the notifier together: one batch
 * that is not full therefore holds every edge that is older than the oldest
 * call. Sources marked `last` are served after the rest of such a batch.
 *
 * Events that were fetched but not yet served sit in an array; removing a
 * source blanks its entries, so a callback may free anything.
 */
#include "loop.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define BATCH 256
/* Room for what emu_loop_collect() fetches while a batch is being served. */
#define PENDING (4 * BATCH)

struct emu_loop {
	int epfd;
	bool stop;
	struct emu_settle *settle;
	struct emu_deadlines deadlines;
	int head; /* next event to serve */
	int tail; /* one past the last event fetched */
	bool full; /* the last fetch may have left events behind */
	struct epoll_event pending[PENDING];
};

struct emu_loop *emu_loop_create(void)
{
	struct emu_loop *loop = calloc(1, sizeof(*loop));

	if (!loop)
		return NULL;
	loop->epfd = epoll_create1(EPOLL_CLOEXEC);
	if (loop->epfd < 0) {
		free(loop);
		return NULL;
	}
	emu_deadlines_init(&loop->deadlines);
	return loop;
}

void emu_loop_destroy(struct emu_loop *loop)
{
	if (!loop)
		return;
	close(loop->epfd);
	free(loop);
}

static int control(struct emu_loop *loop, int op, int fd, uint32_t events,
	struct emu_source *source)
{
	struct epoll_event event = {.events = events, .data.ptr = source};

	return epoll_ctl(loop->epfd, op, fd, &event) < 0 ? -errno : 0;
}

int emu_loop_add(struct emu_loop *loop, int fd, uint32_t events,
	struct emu_source *source)
{
	return control(loop, EPOLL_CTL_ADD, fd, events, source);
}

int emu_loop_modify(struct emu_loop *loop, int fd, uint32_t events,
	struct emu_source *source)
{
	return control(loop, EPOLL_CTL_MOD, fd, events, source);
}

static void blank(struct emu_loop *loop, struct emu_source *source)
{
	for (int i = loop->head; i < loop->tail; i++) {
		if (loop->pending[i].data.ptr == source)
			loop->pending[i].data.ptr = NULL;
	}
}

void emu_loop_remove(struct emu_loop *loop, int fd, struct emu_source *source)
{
	if (fd >= 0)
		control(loop, EPOLL_CTL_DEL, fd, 0, source);
	blank(loop, source);
}

/* Returns how many events were fetched, or a negative errno. */
static int fetch(struct emu_loop *loop, const struct timespec *timeout)
{
	int room = PENDING - loop->tail;
	int n;

	if (room > BATCH)
		room = BATCH;
	if (room == 0)
		return 0;
	n = (int)syscall(SYS_epoll_pwait2, loop->epfd,
		&loop->pending[loop->tail], room, timeout, NULL, 0);
	if (n < 0)
		return errno == EINTR ? 0 : -errno;
	loop->tail += n;
	loop->full = n == room;
	return n;
}

void emu_loop_collect(struct emu_loop *loop)
{
	static const struct timespec now = {0, 0};

	fetch(loop, &now);
}

void emu_loop_swallow(struct emu_loop *loop, struct emu_source *source)
{
	emu_loop_collect(loop);
	blank(loop, source);
}

void emu_loop_set_settle(struct emu_loop *loop, struct emu_settle *settle)
{
	loop->settle = settle;
}

struct emu_deadlines *emu_loop_deadlines(struct emu_loop *loop)
{
	return &loop->deadlines;
}

uint64_t emu_loop_now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static struct timespec until(uint64_t at_ns)
{
	uint64_t now_ns = emu_loop_now_ns();
	uint64_t rest_ns = at_ns > now_ns ? at_ns - now_ns : 0;

	return (struct timespec){
		.tv_sec = (time_t)(rest_ns / 1000000000u),
		.tv_nsec = (long)(rest_ns % 1000000000u),
	};
}

static void settle(struct emu_loop *loop)
{
	if (loop->settle)
		loop->settle->settle(loop->settle);
}

/* Serves what was fetched, except the `last` source, which is returned. */
static struct emu_source *serve(struct emu_loop *loop, uint32_t *last_events)
{
	struct emu_source *last = NULL;

	while (loop->head < loop->tail && !loop->stop) {
		struct epoll_event *event = &loop->pending[loop->head++];
		struct emu_source *source = event->data.ptr;

		if (!source)
			continue;
		if (source->last) {
			last = source;
			*last_events = event->events;
		} else {
			source->ready(source, event->events);
		}
	}
	loop->head = 0;
	loop->tail = 0;
	return last;
}

void emu_loop_drain(struct emu_loop *loop)
{
	uint32_t last_events;

	do {
		emu_loop_collect(loop);
		serve(loop, &last_events);
	} while (loop->full && !loop->stop);
}

static int turn(struct emu_loop *loop)
{
	uint64_t at_ns = emu_deadlines_next(&loop->deadlines);
	struct timespec timeout;
	struct emu_source *last;
	uint32_t last_events = 0;
	int rc;

	if (loop->head == loop->tail) {
		if (at_ns != EMU_DEADLINE_NEVER)
			timeout = until(at_ns);
		rc = fetch(loop, at_ns == EMU_DEADLINE_NEVER ? NULL : &timeout);
		if (rc < 0)
			return rc;
	}
	last = serve(loop, &last_events);
	while (loop->full && !loop->stop) {
		/* Older edges may be left: the call has to wait for them. */
		emu_loop_collect(loop);
		if (!last)
			last = serve(loop, &last_events);
		else
			serve(loop, &last_events);
	}
	settle(loop);
	if (last && !loop->stop) {
		last->ready(last, last_events);
		settle(loop);
	}
	return 0;
}

int emu_loop_run(struct emu_loop *loop)
{
	int rc = 0;

	loop->stop = false;
	while (!loop->stop && rc == 0)
		rc = turn(loop);
	return rc;
}

void emu_loop_stop(struct emu_loop *loop)
{
	loop->stop = true;
}
