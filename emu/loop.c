/* SPDX-License-Identifier: MIT */
/*
 * The event loop around the supervisor's epoll instances.
 *
 * Order is what it is about. A thread that writes to a pipe and then calls
 * epoll_wait() must find the pipe ready, so the edges that the kernel queued
 * before the call are fed to the engine before the call is taken from the
 * notifier. The notifier is the `last` source: poll(2) looks at it first and
 * at the epolls then. So one that has nothing then had nothing that is older
 * than the call, and one that has is emptied before the call is served.
 *
 * There are two. `edges` has the wake-ups of watched files. While no thread
 * waits nobody is interested in them before the next wait, which asks for all
 * there are. So they end the sleep only while a thread waits, or while they
 * are rare. All else is in the main epoll.
 *
 * That it is poll(2) that sleeps matters for speed. The kernel can wake the
 * reader of a notifier on the processor of the caller, which is about to
 * sleep (SECCOMP_USER_NOTIF_FD_SYNC_WAKE_UP), but the wish does not get
 * through an epoll instance: there the reader queues up on whichever
 * processor it ran last, and on a busy machine waits there for its turn.
 *
 * Events that were fetched but not yet served sit in an array; removing a
 * source blanks its entries, so a callback may free anything.
 */
#include "loop.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define BATCH 256
/* Room for what emu_loop_swallow() fetches while a batch is being served. */
#define PENDING (4 * BATCH)
/*
 * Edges that need not end the sleep do so all the same while they are rare:
 * having poll(2) look at them is cheaper than a call of its own.
 */
#define QUIET 2

/* What the epoll of everything has, beside files. */
enum { MAIN, EDGES, PARTS };

struct emu_loop {
	int epfd; /* the main epoll */
	int edges; /* the epoll of the `edge` sources */
	int whole; /* that of the `forgets` sources and all else, or -1 */
	bool needed; /* edges must end the sleep */
	int quiet; /* so often in a row there were none, at most QUIET */
	bool edges_known; /* all that came before this turn were served */
	bool edges_due; /* there is one now */
	struct emu_source parts[PARTS]; /* what `whole` knows them by */
	bool heeded; /* edges end the sleep in `whole` */
	int last_fd; /* of the `last` source, or -1 */
	struct emu_source *last;
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
	loop->whole = -1;
	loop->last_fd = -1;
	loop->epfd = epoll_create1(EPOLL_CLOEXEC);
	loop->edges = loop->epfd < 0 ? -1 : epoll_create1(EPOLL_CLOEXEC);
	if (loop->edges < 0) {
		emu_loop_destroy(loop);
		return NULL;
	}
	emu_deadlines_init(&loop->deadlines);
	return loop;
}

void emu_loop_destroy(struct emu_loop *loop)
{
	if (!loop)
		return;
	if (loop->epfd >= 0)
		close(loop->epfd);
	if (loop->edges >= 0)
		close(loop->edges);
	if (loop->whole >= 0)
		close(loop->whole);
	free(loop);
}

/* The epoll that a source is in. */
static int home(const struct emu_loop *loop, const struct emu_source *source)
{
	if (source->forgets)
		return loop->whole;
	return source->edge ? loop->edges : loop->epfd;
}

static int control(struct emu_loop *loop, int op, int fd, uint32_t events,
	struct emu_source *source)
{
	struct epoll_event event = {.events = events, .data.ptr = source};

	return epoll_ctl(home(loop, source), op, fd, &event) < 0 ? -errno : 0;
}

/*
 * For files that forget a change when they are polled: poll(2) on an epoll of
 * theirs would make them, before their event is fetched. From the first such
 * file on the loop sleeps in an epoll of all there is.
 */
static int open_whole(struct emu_loop *loop)
{
	const int fds[PARTS] = {loop->epfd, loop->edges};
	struct epoll_event event = {.events = EPOLLIN, .data.ptr = loop->last};
	int whole = epoll_create1(EPOLL_CLOEXEC);
	int rc = whole < 0 ? -1 : 0;

	if (rc == 0 && loop->last)
		rc = epoll_ctl(whole, EPOLL_CTL_ADD, loop->last_fd, &event);
	for (int i = 0; i < PARTS && rc == 0; i++) {
		/* Like the `last` source they are not served in their turn. */
		loop->parts[i].last = true;
		event.data.ptr = &loop->parts[i];
		event.events = i == EDGES ? 0 : EPOLLIN;
		rc = epoll_ctl(whole, EPOLL_CTL_ADD, fds[i], &event);
	}
	if (rc < 0) {
		rc = -errno;
		if (whole >= 0)
			close(whole);
		return rc;
	}
	loop->whole = whole;
	return 0;
}

/* Has the edges end the sleep in `whole`, or not. */
static void heed_edges_in_whole(struct emu_loop *loop)
{
	struct epoll_event event = {
		.events = loop->needed ? EPOLLIN : 0,
		.data.ptr = &loop->parts[EDGES],
	};

	if (loop->heeded != loop->needed)
		epoll_ctl(loop->whole, EPOLL_CTL_MOD, loop->edges, &event);
	loop->heeded = loop->needed;
}

int emu_loop_add(struct emu_loop *loop, int fd, uint32_t events,
	struct emu_source *source)
{
	if (source->last) {
		loop->last_fd = fd;
		loop->last = source;
		return 0;
	}
	if (source->forgets && loop->whole < 0) {
		int rc = open_whole(loop);

		if (rc < 0)
			return rc;
	}
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
	if (source == loop->last) {
		if (loop->whole >= 0)
			epoll_ctl(loop->whole, EPOLL_CTL_DEL, fd, NULL);
		loop->last_fd = -1;
		loop->last = NULL;
		return;
	}
	if (fd >= 0)
		control(loop, EPOLL_CTL_DEL, fd, 0, source);
	blank(loop, source);
}

static int room(const struct emu_loop *loop)
{
	int left = PENDING - loop->tail;

	return left < BATCH ? left : BATCH;
}

/* `n` is what a wait for up to room() events returned. */
static int fetched(struct emu_loop *loop, int n)
{
	loop->full = n > 0 && n == room(loop);
	if (n > 0)
		loop->tail += n;
	return n > 0 ? n : 0;
}

static int fetch(struct emu_loop *loop, int epfd)
{
	int most = room(loop);

	return fetched(loop,
		most ? epoll_wait(epfd, &loop->pending[loop->tail], most, 0)
		     : 0);
}

void emu_loop_swallow(struct emu_loop *loop, struct emu_source *source)
{
	fetch(loop, home(loop, source));
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

/* Serves what was fetched, but for the `last` source. */
static void serve(struct emu_loop *loop)
{
	while (loop->head < loop->tail && !loop->stop) {
		struct epoll_event *event = &loop->pending[loop->head++];
		struct emu_source *source = event->data.ptr;

		if (source && !source->last)
			source->ready(source, event->events);
	}
	loop->head = 0;
	loop->tail = 0;
}

/* Fetches and serves all that `epfd` has now. Returns how much that was. */
static int drain(struct emu_loop *loop, int epfd)
{
	int count = 0;
	bool more;

	do {
		count += fetch(loop, epfd);
		more = loop->full;
		serve(loop);
	} while (more && !loop->stop);
	return count;
}

void emu_loop_drain(struct emu_loop *loop)
{
	drain(loop, loop->epfd);
	loop->edges_known = false;
	emu_loop_drain_edges(loop);
}

void emu_loop_drain_edges(struct emu_loop *loop)
{
	if (loop->edges_known)
		return;
	if (loop->whole >= 0)
		drain(loop, loop->whole);
	if (drain(loop, loop->edges) > 0)
		loop->quiet = 0;
	else if (loop->quiet < QUIET)
		loop->quiet++;
	loop->edges_known = true;
}

void emu_loop_need_edges(struct emu_loop *loop, bool need)
{
	loop->needed = need;
}

void emu_loop_expect_edge(struct emu_loop *loop)
{
	loop->edges_due = true;
}

/*
 * Sleeps until something is to be done, and does it but for the `last`
 * source; `last_events` is what that has. Returns 0 or a negative errno.
 */
static int rest(struct emu_loop *loop, const struct timespec *timeout,
	uint32_t *last_events)
{
	bool heed = loop->needed || loop->quiet == QUIET;
	/* In this order; see above. */
	struct pollfd pollfds[3] = {
		{.fd = loop->last_fd, .events = POLLIN},
		{.fd = loop->epfd, .events = POLLIN},
		{.fd = loop->edges, .events = POLLIN},
	};

	loop->edges_known = false;
	if (ppoll(pollfds, heed ? 3 : 2, timeout, NULL) < 0)
		return errno == EINTR ? 0 : -errno;
	*last_events = (uint32_t)(unsigned short)pollfds[0].revents;
	if (pollfds[1].revents)
		drain(loop, loop->epfd);
	if (pollfds[2].revents)
		drain(loop, loop->edges);
	if (pollfds[2].revents && !*last_events && !loop->needed)
		loop->quiet = 0;
	loop->edges_known = heed;
	return 0;
}

/* The same when there are files that forget. */
static int rest_whole(struct emu_loop *loop, const struct timespec *timeout,
	uint32_t *last_events)
{
	bool ready[PARTS] = {false};
	int n;

	heed_edges_in_whole(loop);
	n = (int)syscall(SYS_epoll_pwait2, loop->whole,
		&loop->pending[loop->tail], room(loop), timeout, NULL, 0);
	loop->edges_known = false;
	if (n < 0)
		return errno == EINTR ? 0 : -errno;
	fetched(loop, n);
	for (int i = loop->head; i < loop->tail; i++) {
		struct emu_source *source = loop->pending[i].data.ptr;

		if (source && source == loop->last)
			*last_events = loop->pending[i].events;
		for (int part = 0; part < PARTS; part++)
			ready[part] |= source == &loop->parts[part];
	}
	serve(loop);
	if (ready[MAIN])
		drain(loop, loop->epfd);
	if (ready[EDGES])
		drain(loop, loop->edges);
	return 0;
}

static int sleep_until(
	struct emu_loop *loop, uint64_t at_ns, uint32_t *last_events)
{
	struct timespec timeout;
	const struct timespec *given = NULL;

	if (at_ns != EMU_DEADLINE_NEVER) {
		timeout = until(at_ns);
		given = &timeout;
	}
	return loop->whole < 0 ? rest(loop, given, last_events)
			       : rest_whole(loop, given, last_events);
}

static int turn(struct emu_loop *loop)
{
	uint32_t last_events = 0;
	int rc;

	if (loop->head < loop->tail) { /* fetched by emu_loop_swallow() */
		serve(loop);
		settle(loop);
	}
	rc = loop->stop
		     ? 0
		     : sleep_until(loop, emu_deadlines_next(&loop->deadlines),
			       &last_events);
	if (rc < 0 || loop->stop)
		return rc;
	settle(loop);
	if (last_events && loop->last && !loop->stop) {
		loop->last->ready(loop->last, last_events);
		settle(loop);
	}
	if (loop->edges_due && !loop->stop) {
		drain(loop, loop->edges);
		settle(loop);
	}
	loop->edges_due = false;
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
