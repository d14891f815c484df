/* SPDX-License-Identifier: MIT */
/*
 * Watching a signalfd.
 *
 * A signalfd is woken by each signal that is sent to the process that added
 * it, since ep_insert() puts the item on that process's queue, and it is ready
 * when a signal of its mask is pending for whoever asks (fs/signalfd.c, 6.18:
 * signalfd_poll(), signalfd_notify()). Asked by the supervisor it would tell
 * about the supervisor's signals. So both are read from /proc/TID/status, which
 * shows the very sets that the kernel looks at.
 *
 * No event of the host says that a blocked signal became pending for another
 * process. While a thread sleeps on an epoll with a signalfd in it, the pending
 * signals are looked at every other millisecond. While none does, the thread
 * that added the signalfd may poll the epoll without a call that is trapped:
 * then its signals are looked at, less often, and the doorbell rings for them
 * while the item is on the ready list.
 *
 * A signal that was read and came again between two looks shows no difference.
 * That matters to edge-triggered items alone, where an event was given out:
 * they take it for an edge if the process has read anything since.
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
	uint64_t ready; /* signals of the mask, for who was asked last */
	pid_t process; /* its signals wake the item; 0 when it is gone */
	uint64_t shared; /* signals pending for the process, as last seen */
	pid_t adder; /* of its threads; native pollers wait for its signals */
	bool reported; /* edge-triggered, and said to be ready */
	uint64_t reads; /* how often had the process read anything by then */
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

/* A signal was sent to the process. */
static void wake(struct emu_signalfd *signalfd)
{
	struct emu_watch *watch = signalfd->watch;

	if (watch->set->stirred)
		watch->set->stirred(watch->set, watch);
	emu_file_wake(&watch->file, 0);
	/* The ready set does not show it. */
	if (signalfd->edges)
		emu_placeholder_taken(signalfd->object);
}

/* Signals are pending still, or again. */
static bool read_since(struct emu_signalfd *signalfd, uint64_t signals)
{
	if (!signalfd->reported || !(signals & signalfd->mask) ||
		emu_target_reads(signalfd->process) == signalfd->reads)
		return false;
	signalfd->reported = false;
	return true;
}

/*
 * Has signalfd(2) given it a mask that lets in a signal which was pending
 * already? The kernel wakes it then. Looked at only if there is such a signal.
 */
static bool lets_in_more(struct emu_signalfd *signalfd,
	struct emu_thread *thread, uint64_t pending)
{
	uint64_t before = signalfd->mask;

	return pending & ~before &&
	       pending & mask_of(signalfd, thread) & ~before;
}

/* Signals that were sent to the thread or its process since the last look. */
static void look_at_thread(
	struct emu_intercept *intercept, struct emu_thread *thread)
{
	pid_t process = thread->tgid;
	struct emu_list *pos;
	uint64_t own, shared, new;

	if (emu_target_signals(thread->tid, &own, &shared) < 0)
		return;
	new = own & ~thread->signals;
	thread->signals = own;
	emu_list_for_each (pos, &intercept->signalfds) {
		struct emu_signalfd *signalfd =
			emu_container_of(pos, struct emu_signalfd, link);
		uint64_t before = signalfd->shared;

		if (signalfd->process != process)
			continue;
		signalfd->shared = shared;
		if (new || (shared & ~before) ||
			read_since(signalfd, own | shared) ||
			lets_in_more(signalfd, thread, own | shared))
			wake(signalfd);
	}
}

/* The same for a process of which no thread is known to be concerned. */
static void look_at_process(struct emu_signalfd *signalfd)
{
	uint64_t own, shared;
	int rc;

	if (!signalfd->process)
		return;
	rc = emu_target_signals(signalfd->process, &own, &shared);
	if (emu_proc_no_room(rc))
		return;
	if (rc < 0)
		signalfd->process = 0; /* signalfd_cleanup(): the last wake */
	if (rc < 0 || shared & ~signalfd->shared)
		wake(signalfd);
	signalfd->shared = shared;
}

/* For emu_threads_each(). */
static void look_if_known(void *ctx, struct emu_thread *thread)
{
	struct emu_intercept *intercept = ctx;

	if (thread->tgid == caller->tgid)
		look_at_thread(intercept, thread);
}

int emu_signalfd_attach(struct emu_intercept *intercept,
	struct emu_watch *watch, struct emu_thread *thread, int fd)
{
	struct emu_signalfd *new = calloc(1, sizeof(*new));
	uint64_t own;

	if (!new)
		return -ENOMEM;
	new->watch = watch;
	new->fd = fd;
	new->adder = thread->tid;
	new->process = thread->tgid;
	new->mask = mask_of(new, thread);
	/* What came before is no wake-up for it. */
	caller = thread;
	emu_threads_each(intercept->threads, look_if_known, intercept);
	emu_target_signals(thread->tid, &own, &new->shared);
	/* It takes over when the adder is gone. */
	if (new->process)
		emu_threads_get(intercept->threads, new->process);
	emu_list_add_tail(&new->link, &intercept->signalfds);
	watch->signalfd = new;
	return 0;
}

static bool is_queued(const struct emu_signalfd *signalfd)
{
	struct emu_item_info info;

	if (!signalfd->watch->item)
		return false;
	emu_item_info(signalfd->watch->item, &info);
	return info.queued;
}

/* Has native pollers of the epoll see it as it is. */
static void update_shown(struct emu_signalfd *signalfd)
{
	bool shows = signalfd->level && signalfd->ready && is_queued(signalfd);

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

		if (signalfd->adder == thread->tid)
			signalfd->adder = signalfd->process;
	}
}

/*
 * The signals of the mask that are pending for the caller. Those that were and
 * are no more may come again.
 */
static uint64_t ready_for_caller(struct emu_signalfd *signalfd)
{
	uint64_t own, shared, ready;

	if (!caller || emu_target_signals(caller->tid, &own, &shared) < 0)
		return 0;
	caller->signals &= own;
	if (signalfd->process == caller->tgid)
		signalfd->shared &= shared;
	ready = own | shared;
	if (ready)
		ready &= mask_of(signalfd, caller);
	return ready && !emu_weak_gone(&signalfd->watch->weak) ? ready : 0;
}

uint32_t emu_signalfd_poll(struct emu_watch *watch)
{
	struct emu_signalfd *signalfd = watch->signalfd;

	signalfd->ready = ready_for_caller(signalfd);
	signalfd->reported = signalfd->ready && signalfd->edges;
	if (signalfd->reported)
		signalfd->reads = emu_target_reads(signalfd->process);
	update_shown(signalfd);
	return signalfd->ready ? EMU_EPOLLIN : 0;
}

static bool is_in(
	const struct emu_signalfd *signalfd, const struct emu_epoll *epoll)
{
	return !signalfd->watch->item ||
	       emu_item_epoll(signalfd->watch->item) == epoll;
}

static bool concerns(const struct emu_intercept *intercept,
	const struct emu_signalfd *signalfd, const struct emu_epoll *epoll)
{
	return !epoll || intercept->nested || is_in(signalfd, epoll);
}

void emu_signalfd_look(
	struct emu_intercept *intercept, const struct emu_epoll *epoll)
{
	struct emu_list *pos;
	bool own = false;

	emu_list_for_each (pos, &intercept->signalfds) {
		struct emu_signalfd *signalfd =
			emu_container_of(pos, struct emu_signalfd, link);

		if (!concerns(intercept, signalfd, epoll))
			continue;
		if (caller && signalfd->process == caller->tgid)
			own = true;
		else
			look_at_process(signalfd);
	}
	if (own)
		look_at_thread(intercept, caller);
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
			concerns(intercept, signalfd, parked->object->epoll))
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
		look_at_thread(intercept, adder);
		signalfd->ready = ready_for_caller(signalfd);
		update_shown(signalfd);
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
