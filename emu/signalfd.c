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
 * process. While a thread sleeps on an epoll with a signalfd in it, and only
 * then, its pending signals are looked at every other millisecond.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "poll_bits.h"
#include "proc.h"
#include "supervisor.h"

#define TICK_NS 2000000u

/* The thread on whose behalf files are polled now. */
static struct emu_thread *caller;

void emu_signalfd_caller(struct emu_thread *thread)
{
	caller = thread;
}

bool emu_signalfd_is(int fd)
{
	static const char name[] = "anon_inode:[signalfd]";
	char path[32];
	char link[sizeof(name) + 1];
	ssize_t length;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	length = readlink(path, link, sizeof(link));
	return length == (ssize_t)sizeof(name) - 1 &&
	       memcmp(link, name, sizeof(name) - 1) == 0;
}

/* The mask may change (signalfd(2) on the descriptor): look each time. */
static uint64_t mask_of(struct emu_watch *watch)
{
	static const char key[] = "sigmask:\t";
	char path[64];
	char text[512];
	const char *at;

	if (!caller || emu_weak_is(&watch->weak, caller, watch->signalfd) != 1)
		return watch->sigmask;
	snprintf(path, sizeof(path), "/proc/%d/fdinfo/%d", (int)caller->tid,
		watch->signalfd);
	emu_proc_read(path, text, sizeof(text));
	at = strstr(text, key);
	if (at)
		watch->sigmask = strtoull(at + sizeof(key) - 1, NULL, 16);
	return watch->sigmask;
}

/* The signals of the mask that are pending for the caller. */
static uint64_t pending(struct emu_watch *watch)
{
	return caller ? emu_target_pending(caller) & mask_of(watch) : 0;
}

uint32_t emu_signalfd_poll(struct emu_watch *watch)
{
	watch->pending = pending(watch);
	return watch->pending ? EMU_EPOLLIN : 0;
}

/* Tells the engine about signals that came since the last look. */
static void look(struct emu_watch *watch)
{
	uint64_t before = watch->pending;
	uint64_t now = pending(watch);

	watch->pending = now;
	if (!(now & ~before))
		return;
	if (watch->set->stirred)
		watch->set->stirred(watch->set, watch);
	emu_file_wake(&watch->file, EMU_EPOLLIN);
}

static bool has_item(const struct emu_epoll *epoll, struct emu_watch *watch)
{
	return watch->item && emu_item_epoll(watch->item) == epoll;
}

void emu_signalfd_look(
	struct emu_intercept *intercept, const struct emu_epoll *epoll)
{
	struct emu_list *pos;

	emu_list_for_each (pos, &intercept->watches.signalfds) {
		struct emu_watch *watch =
			emu_container_of(pos, struct emu_watch, signalfds);

		if (intercept->nested || has_item(epoll, watch))
			look(watch);
	}
}

void emu_signalfd_tick(struct emu_intercept *intercept)
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

void emu_signalfd_arm(struct emu_intercept *intercept)
{
	struct emu_list *pos;

	if (emu_list_empty(&intercept->watches.signalfds) ||
		intercept->signalfd_tick.armed)
		return;
	emu_list_for_each (pos, &intercept->parked) {
		struct emu_parked *parked =
			emu_container_of(pos, struct emu_parked, link);

		if (parked->dead || !emu_parked_is_wait(parked))
			continue;
		emu_deadline_arm(emu_loop_deadlines(intercept->loop),
			&intercept->signalfd_tick, emu_loop_now_ns() + TICK_NS);
		return;
	}
}
