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
 * The wake-ups of watched files are in epolls of their own, see edges.h; they
 * end the sleep only while a thread waits for them, or while they are rare.
 * All else is in the main epoll.
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
#include <unistd.h>

#include "edges.h"
#include "loop_internal.h"

/* How long it sleeps when not all that should can wake it. */
#define STARVED_NS 1000000

/* So many fetches reach all in `whole`. */
#define WHOLE_ROUNDS(loop) (emu_edges_count(loop) / BATCH + 2)

struct emu_loop *emu_loop_create(uint64_t *steps)
{
	struct emu_loop *loop = calloc(1, sizeof(*loop));

	if (!loop)
		return NULL;
	loop->steps = steps;
	loop->whole = -1;
	loop->last_fd = -1;
	loop->epfd = epoll_create1(EPOLL_CLOEXEC);
	loop->pending_room = PENDING;
	loop->pending = calloc((size_t)PENDING, sizeof(*loop->pending));
	if (loop->epfd < 0 || !loop->pending) {
		emu_loop_destroy(loop);
		return NULL;
	}
	loop->turn = 1;
	/* Like the `last` source it is not served in its turn. */
	loop->main.last = true;
	emu_list_init(&loop->edges);
	emu_list_init(&loop->changed);
	emu_list_init(&loop->due);
	emu_deadlines_init(&loop->deadlines);
	return loop;
}

void emu_loop_destroy(struct emu_loop *loop)
{
	if (!loop)
		return;
	if (loop->epfd >= 0)
		close(loop->epfd);
	if (loop->whole >= 0)
		close(loop->whole);
	free(loop->pending);
	free(loop);
}

/* The epoll that a source is in. */
static int home(const struct emu_loop *loop, const struct emu_source *source)
{
	if (source->forgets)
		return loop->whole;
	return source->edges ? source->edges->epfd : loop->epfd;
}

static int control(struct emu_loop *loop, int op, int fd, uint32_t events,
	struct emu_source *source)
{
	struct epoll_event event = {.events = events, .data.ptr = source};

	return epoll_ctl(home(loop, source), op, fd, &event) < 0 ? -errno : 0;
}

static int fill_whole(struct emu_loop *loop)
{
	struct epoll_event event = {.events = EPOLLIN, .data.ptr = loop->last};
	struct emu_list *pos;
	int rc = 0;

	if (loop->last)
		rc = epoll_ctl(
			loop->whole, EPOLL_CTL_ADD, loop->last_fd, &event);
	event.data.ptr = &loop->main;
	if (rc == 0)
		rc = epoll_ctl(loop->whole, EPOLL_CTL_ADD, loop->epfd, &event);
	if (rc < 0)
		return -errno;
	emu_list_for_each (pos, &loop->edges) {
		rc = emu_edges_join_whole(
			emu_container_of(pos, struct emu_edges, link));
		if (rc < 0)
			return rc;
	}
	return 0;
}

/*
 * For files that forget a change when they are polled: poll(2) on an epoll of
 * theirs would make them, before their event is fetched. From the first such
 * file on the loop sleeps in an epoll of all there is.
 */
static int open_whole(struct emu_loop *loop)
{
	int rc;

	loop->whole = epoll_create1(EPOLL_CLOEXEC);
	if (loop->whole < 0)
		return -errno;
	rc = fill_whole(loop);
	if (rc < 0) {
		close(loop->whole);
		loop->whole = -1;
		loop->crowded = true; /* who has joined it is not looked at */
	}
	return rc;
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

void emu_loop_forget(struct emu_loop *loop, int fd, struct emu_source *source)
{
	control(loop, EPOLL_CTL_DEL, fd, 0, source);
}

void emu_loop_blank(struct emu_loop *loop, struct emu_source *source)
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
		emu_loop_forget(loop, fd, source);
	emu_loop_blank(loop, source);
}

/*
 * So much is fetched at a time. When there is no memory for it all, edges that
 * were to be dropped may come: one too many, and none is lost.
 */
static int room(struct emu_loop *loop)
{
	int left = loop->pending_room - loop->tail;
	struct epoll_event *more;

	if (left >= BATCH)
		return BATCH;
	more = realloc(loop->pending,
		2 * (size_t)loop->pending_room * sizeof(*loop->pending));
	if (!more)
		return left;
	loop->pending = more;
	loop->pending_room *= 2;
	return BATCH;
}

/* `n` is what a wait for up to `most` events returned. */
static int fetched(struct emu_loop *loop, int n, int most)
{
	loop->full = n == most;
	n = n > 0 ? n : 0;
	loop->tail += n;
	return n;
}

static int fetch(struct emu_loop *loop, int epfd)
{
	int most = room(loop);
	struct epoll_event *to = &loop->pending[loop->tail];

	return fetched(loop, most ? epoll_wait(epfd, to, most, 0) : 0, most);
}

void emu_loop_swallow(struct emu_loop *loop, struct emu_source *source)
{
	int epfd = home(loop, source);
	/* Some stay in `whole` though they were fetched. */
	size_t rounds = epfd == loop->whole ? WHOLE_ROUNDS(loop) : SIZE_MAX;

	do
		fetch(loop, epfd);
	while (loop->full && loop->tail < loop->pending_room && --rounds > 0);
	emu_loop_blank(loop, source);
}

void emu_loop_set_settle(struct emu_loop *loop, struct emu_settle *settle)
{
	loop->settle = settle;
}

struct emu_deadlines *emu_loop_deadlines(struct emu_loop *loop)
{
	return &loop->deadlines;
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

int emu_loop_drain_epoll(struct emu_loop *loop, int epfd)
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

/* Serves the edges that are known to be there. */
static void serve_due(struct emu_loop *loop)
{
	while (!emu_list_empty(&loop->due)) {
		struct emu_edges *edges =
			emu_container_of(loop->due.next, struct emu_edges, due);

		emu_list_remove(&edges->due);
		emu_loop_drain_epoll(loop, edges->epfd);
		edges->known = loop->turn;
	}
}

void emu_loop_drain(struct emu_loop *loop)
{
	emu_loop_drain_epoll(loop, loop->epfd);
	loop->turn++; /* what is known is of the past */
	serve_due(loop);
	emu_edges_drain_all(loop);
}

void emu_loop_drain_whole(struct emu_loop *loop)
{
	size_t rounds;

	fetch(loop, loop->whole);
	rounds = loop->full ? WHOLE_ROUNDS(loop) : 0;
	serve(loop);
	for (; rounds > 0 && !loop->stop; rounds--) {
		fetch(loop, loop->whole);
		serve(loop);
	}
}

void emu_loop_expect_edge(struct emu_loop *loop)
{
	loop->edges_due = true;
}

/* What poll(2) has said about a part; `call`: and there is a call. */
static void edges_polled(
	struct emu_loop *loop, struct emu_edges *edges, bool some, bool call)
{
	if (!some) {
		edges->known = loop->turn;
		return;
	}
	emu_edges_note_due(edges);
	if (!call && !emu_edges_needed(edges))
		emu_edges_in_vain(edges);
}

/*
 * Sleeps until something is to be done, and does it but for the `last`
 * source; `last_events` is what that has. Returns 0 or a negative errno.
 */
static int rest(struct emu_loop *loop, const struct timespec *timeout,
	uint32_t *last_events)
{
	struct emu_edges *polled[ATTENDED];
	/* In this order; see above. */
	struct pollfd pollfds[2 + ATTENDED] = {
		{.fd = loop->last_fd, .events = POLLIN},
		{.fd = loop->epfd, .events = POLLIN},
	};
	int count = loop->attended_count;

	for (int i = 0; i < count; i++) {
		polled[i] = loop->attended[i];
		pollfds[2 + i] = (struct pollfd){
			.fd = polled[i]->epfd, .events = POLLIN};
	}
	if (ppoll(pollfds, 2 + (nfds_t)count, timeout, NULL) < 0)
		return errno == EINTR ? 0 : -errno;
	*last_events = (uint32_t)(unsigned short)pollfds[0].revents;
	for (int i = 0; i < count; i++)
		edges_polled(
			loop, polled[i], pollfds[2 + i].revents, *last_events);
	if (pollfds[1].revents)
		emu_loop_drain_epoll(loop, loop->epfd);
	serve_due(loop);
	return 0;
}

/* The same in `whole`. */
static int rest_whole(struct emu_loop *loop, const struct timespec *timeout,
	uint32_t *last_events)
{
	bool main_ready = false;
	int most = room(loop);
	int n;

	emu_edges_tell_whole(loop);
	n = (int)syscall(SYS_epoll_pwait2, loop->whole,
		&loop->pending[loop->tail], most, timeout, NULL, 0);
	if (n < 0)
		return errno == EINTR ? 0 : -errno;
	fetched(loop, n, most);
	for (int i = loop->head; i < loop->tail; i++) {
		struct emu_source *source = loop->pending[i].data.ptr;

		if (!source || !source->last)
			continue;
		if (source == &loop->main)
			main_ready = true;
		else if (source == loop->last)
			*last_events = loop->pending[i].events;
		else
			emu_edges_note_due(emu_container_of(
				source, struct emu_edges, source));
	}
	serve(loop);
	if (main_ready)
		emu_loop_drain_epoll(loop, loop->epfd);
	serve_due(loop);
	return 0;
}

/* The same while it is crowded: looks at everything every so often. */
static int rest_starved(struct emu_loop *loop, const struct timespec *timeout,
	uint32_t *last_events)
{
	const struct timespec most = {.tv_nsec = STARVED_NS};
	bool longer = !timeout || timeout->tv_sec > 0 ||
		      timeout->tv_nsec > STARVED_NS;
	int rc = rest(loop, longer ? &most : timeout, last_events);

	emu_edges_drain_all(loop);
	return rc;
}

static void step(struct emu_loop *loop)
{
	__atomic_store_n(loop->steps, *loop->steps + 1, __ATOMIC_RELAXED);
}

static int sleep_until(
	struct emu_loop *loop, uint64_t at_ns, uint32_t *last_events)
{
	struct timespec timeout;
	const struct timespec *given = NULL;
	int rc;

	if (at_ns != EMU_DEADLINE_NEVER) {
		timeout = emu_loop_until(at_ns);
		given = &timeout;
	}
	loop->turn++;
	step(loop);
	if (loop->whole >= 0)
		rc = rest_whole(loop, given, last_events);
	else if (loop->crowded)
		rc = rest_starved(loop, given, last_events);
	else
		rc = rest(loop, given, last_events);
	step(loop);
	return rc;
}

/* A call has just made an edge: those who wait need not wait for the sleep. */
static void serve_expected(struct emu_loop *loop)
{
	for (int i = 0; i < loop->attended_count && !loop->stop; i++) {
		if (emu_edges_needed(loop->attended[i]))
			emu_loop_drain_epoll(loop, loop->attended[i]->epfd);
	}
	settle(loop);
}

static int turn(struct emu_loop *loop)
{
	uint32_t last_events = 0;
	int rc;

	/* Fetched by emu_loop_swallow(), perhaps by settle() once more. */
	while (loop->head < loop->tail && !loop->stop) {
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
	if (loop->edges_due && !loop->stop)
		serve_expected(loop);
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
