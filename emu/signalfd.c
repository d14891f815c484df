/* SPDX-License-Identifier: MIT */
/*
 * Watching a signalfd.
 *
 * A signalfd is ready when a signal of its mask is pending for whoever asks:
 * signalfd_poll() looks at the caller's own pending signals, and the wait
 * queue belongs to the process that added it (fs/signalfd.c, 6.18). Asked by
 * the supervisor it would tell about the supervisor's signals. So it is the
 * thread in epoll_wait() that is asked, through /proc/TID/status, which shows
 * the very sets that the kernel looks at.
 *
 * No event of the host says that a blocked signal became pending for another
 * process. While a thread sleeps on an epoll with a signalfd in it its pending
 * signals are looked at every other millisecond. While none does, the thread
 * that added the signalfd may poll the epoll without a call that is trapped:
 * then its signals are looked at, less often, and the doorbell rings for them.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "poll_bits.h"
#include "proc.h"
#include "supervisor.h"

#define TICK_NS 2000000u
#define IDLE_TICK_NS 10000000u

struct emu_signalfd {
	struct emu_list link; /* on intercept->signalfds */
	struct emu_watch *watch;
	int fd; /* the number that the target added it by */
	uint64_t mask; /* as last seen */
	uint64_t pending; /* signals of the mask, as last seen */
	pid_t adder; /* whose signals native pollers wait for; 0 when gone */
	pid_t process; /* of the adder */
	struct emu_object *object; /* the epoll that it is in */
	bool level; /* a poll of the epoll shows it while it is ready */
	bool shown; /* that is so now */
	bool edges;
};

/* The thread on whose behalf files are polled now. */
static struct emu_thread *caller;

void emu_signalfd_caller(struct emu_thread *thread)
{
	caller = thread;
}

/* The mask may change (signalfd(2) on the descriptor): look each time. */
static uint64_t mask_of(
	struct emu_signalfd *signalfd, struct emu_thread *thread)
{
	static const char key[] = "sigmask:\t";
	char path[64];
	char text[512];
	const char *at;

	if (emu_weak_is(&signalfd->watch->weak, thread, signalfd->fd) != 1)
		return signalfd->mask;
	snprintf(path, sizeof(path), "/proc/%d/fdinfo/%d", (int)thread->tid,
		signalfd->fd);
	emu_proc_read(path, text, sizeof(text));
	at = strstr(text, key);
	if (at)
		signalfd->mask = strtoull(at + sizeof(key) - 1, NULL, 16);
	return signalfd->mask;
}

int emu_signalfd_attach(struct emu_intercept *intercept,
	struct emu_watch *watch, struct emu_thread *thread, int fd)
{
	struct emu_signalfd *new = calloc(1, sizeof(*new));

	if (!new)
		return -ENOMEM;
	new->watch = watch;
	new->fd = fd;
	new->adder = thread->tid;
	new->process = emu_target_process(thread);
	/* It takes over when the adder is gone. */
	if (new->process)
		emu_threads_get(intercept->threads, new->process);
	new->mask = mask_of(new, thread);
	emu_list_add_tail(&new->link, &intercept->signalfds);
	watch->signalfd = new;
	return 0;
}

/* Has native pollers of the epoll see it as it is. */
static void update_shown(struct emu_signalfd *signalfd)
{
	bool shows = signalfd->level && signalfd->pending;

	if (shows != signalfd->shown)
		emu_placeholder_signal(signalfd->object, shows);
	signalfd->shown = shows;
}

void emu_signalfd_show(
	struct emu_watch *watch, struct emu_object *object, uint32_t events)
{
	struct emu_signalfd *signalfd = watch->signalfd;
	/* Of several epolls it could speak for one only. */
	bool only = watch->users == 1 && !watch->shared;

	signalfd->level = false;
	update_shown(signalfd);
	signalfd->object = object;
	signalfd->edges = only && events & EMU_EPOLLET;
	signalfd->level = only && (events & (EMU_EPOLLIN | EMU_EPOLLRDNORM)) &&
			  !(events & (EMU_EPOLLET | EMU_EPOLLONESHOT |
					     EMU_EPOLLEXCLUSIVE));
	update_shown(signalfd);
}

void emu_signalfd_free(struct emu_watch *watch)
{
	struct emu_signalfd *signalfd = watch->signalfd;

	signalfd->level = false;
	update_shown(signalfd);
	emu_list_remove(&signalfd->link);
	free(signalfd);
	watch->signalfd = NULL;
}

void emu_signalfd_thread_gone(
	struct emu_intercept *intercept, const struct emu_thread *thread)
{
	struct emu_list *pos;

	emu_list_for_each (pos, &intercept->signalfds) {
		struct emu_signalfd *signalfd =
			emu_container_of(pos, struct emu_signalfd, link);

		if (signalfd->process == thread->tid)
			signalfd->process = 0;
		if (signalfd->adder == thread->tid)
			signalfd->adder = signalfd->process;
	}
}

/* The signals of the mask that are pending for the caller. */
static uint64_t pending(struct emu_signalfd *signalfd)
{
	uint64_t signals = caller ? emu_target_pending(caller) : 0;

	if (signals)
		signals &= mask_of(signalfd, caller);
	return signals && !emu_weak_gone(&signalfd->watch->weak) ? signals : 0;
}

uint32_t emu_signalfd_poll(struct emu_watch *watch)
{
	watch->signalfd->pending = pending(watch->signalfd);
	update_shown(watch->signalfd);
	return watch->signalfd->pending ? EMU_EPOLLIN : 0;
}

/* Tells the engine about signals that came since the last look. */
static void look(struct emu_signalfd *signalfd)
{
	struct emu_watch *watch = signalfd->watch;
	uint64_t before = signalfd->pending;
	uint64_t now = pending(signalfd);

	signalfd->pending = now;
	update_shown(signalfd);
	if (!(now & ~before))
		return;
	if (watch->set->stirred)
		watch->set->stirred(watch->set, watch);
	emu_file_wake(&watch->file, EMU_EPOLLIN);
	/* The ready set does not show it. */
	if (signalfd->edges)
		emu_placeholder_taken(signalfd->object);
}

static bool is_in(
	const struct emu_signalfd *signalfd, const struct emu_epoll *epoll)
{
	return !signalfd->watch->item ||
	       emu_item_epoll(signalfd->watch->item) == epoll;
}

void emu_signalfd_look(
	struct emu_intercept *intercept, const struct emu_epoll *epoll)
{
	struct emu_list *pos;

	emu_list_for_each (pos, &intercept->signalfds) {
		struct emu_signalfd *signalfd =
			emu_container_of(pos, struct emu_signalfd, link);

		if (intercept->nested || is_in(signalfd, epoll))
			look(signalfd);
	}
}

/* Looks on behalf of those who sleep. */
static void look_for_sleepers(struct emu_intercept *intercept)
{
	struct emu_list *pos;

	emu_list_for_each (pos, &intercept->parked) {
		struct emu_parked *parked =
			emu_container_of(pos, struct emu_parked, link);

		if (parked->dead || !emu_parked_is_wait(parked))
			continue;
		emu_signalfd_caller(parked->call.thread);
		emu_signalfd_look(intercept, parked->object->epoll);
	}
}

static bool has_sleeper(const struct emu_intercept *intercept,
	const struct emu_signalfd *signalfd)
{
	const struct emu_list *pos;

	emu_list_for_each (pos, &intercept->parked) {
		const struct emu_parked *parked =
			emu_container_of(pos, struct emu_parked, link);

		if (!parked->dead && emu_parked_is_wait(parked) &&
			(intercept->nested ||
				is_in(signalfd, parked->object->epoll)))
			return true;
	}
	return false;
}

/* Looks on behalf of those who may poll an epoll on which nobody sleeps. */
static void look_for_pollers(struct emu_intercept *intercept)
{
	struct emu_list *pos;

	emu_list_for_each (pos, &intercept->signalfds) {
		struct emu_signalfd *signalfd =
			emu_container_of(pos, struct emu_signalfd, link);
		struct emu_thread *adder =
			emu_threads_find(intercept->threads, signalfd->adder);

		if (!adder || has_sleeper(intercept, signalfd))
			continue;
		emu_signalfd_caller(adder);
		look(signalfd);
	}
}

void emu_signalfd_tick(struct emu_intercept *intercept)
{
	look_for_sleepers(intercept);
	look_for_pollers(intercept);
}

void emu_signalfd_arm(struct emu_intercept *intercept)
{
	struct emu_deadline *tick = &intercept->signalfd_tick;
	uint64_t at_ns;

	if (emu_list_empty(&intercept->signalfds))
		return;
	at_ns = emu_loop_now_ns() +
		(intercept->sleepers > 0 ? TICK_NS : IDLE_TICK_NS);
	if (!tick->armed || at_ns < tick->at_ns)
		emu_deadline_arm(
			emu_loop_deadlines(intercept->loop), tick, at_ns);
}
