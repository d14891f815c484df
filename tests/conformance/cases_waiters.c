/* SPDX-License-Identifier: MIT */
/*
 * Several waiters on one epoll: who is woken, how many, and what happens to
 * a wake whose waiter goes away.
 */
#include "conf.h"
#include <signal.h>

#define WAKE_REF "fs/eventpoll.c: ep_poll (__add_wait_queue_exclusive)"
#define SEND_REF "fs/eventpoll.c: ep_send_events"

CASE(t01_lifo, .level = 3, .covers = "T01", .calls = "epoll_wait write clone",
	.ref = WAKE_REF, .breaks = "thread pools that keep few threads warm")
{
	int ep = ep_new(), ev = ev_new(0, 0), i;
	struct waiter *w[4];

	OK(ep_add(ep, ev, EPOLLIN | EPOLLET, 1));
	for (i = 0; i < 4; i++)
		w[i] = WAITER(ep);
	for (i = 3; i >= 0; i--) {
		IS(ev_put(ev, 1), 8);
		WAITER_GOT(w[i], EPOLLIN, 1);
		IS(w[i]->place, 4 - i);
	}
}

CASE(t01_lifo_threads, .level = 3, .covers = "T01",
	.calls = "epoll_wait write clone", .ref = WAKE_REF,
	.breaks = "thread pools that keep few threads warm")
{
	int ep = ep_new(), ev = ev_new(0, 0), i;
	struct waiter *w[4];

	OK(ep_add(ep, ev, EPOLLIN | EPOLLET, 1));
	for (i = 0; i < 4; i++)
		w[i] = waiter_start(BY_THREAD, ep, 1, -1, NULL);
	for (i = 3; i >= 0; i--) {
		IS(ev_put(ev, 1), 8);
		WAITER_GOT(w[i], EPOLLIN, 1);
	}
}

static void one_of_four(uint32_t mask)
{
	int ep = ep_new(), a = ev_new(0, 0), b = ev_new(0, 0), i;
	struct waiter *w[4];

	OK(ep_add(ep, a, EPOLLIN | mask, 1));
	OK(ep_add(ep, b, EPOLLIN, 2));
	for (i = 0; i < 4; i++)
		w[i] = WAITER(ep);
	IS(ev_put(a, 1), 8);
	WAITER_GOT(w[3], EPOLLIN, 1);
	for (i = 0; i < 3; i++)
		WAITER_STILL(w[i]);
	IS(waiters_count(), 1);
	IS(ev_put(b, 1), 8);
	for (i = 0; i < 3; i++)
		WAITER_GOT(w[i], EPOLLIN, 2);
}

CASE(t02_edge_wakes_one, .level = 3, .covers = "T02 T03",
	.faults = "et-ignored", .calls = "epoll_wait write clone",
	.ref = WAKE_REF, .breaks = "thread pools with EPOLLET")
{
	one_of_four(EPOLLET);
}

CASE(t02_oneshot_wakes_one, .level = 3, .covers = "T02 T03 D06",
	.faults = "oneshot-wrong-mask", .calls = "epoll_wait write clone",
	.ref = WAKE_REF, .breaks = "thread pools with EPOLLONESHOT")
{
	one_of_four(EPOLLONESHOT);
}

CASE(t03_level_wakes_all, .level = 3, .covers = "T03",
	.faults = "lt-not-requeued waiter-swallows",
	.calls = "epoll_wait write clone",
	.ref = SEND_REF " (ep_done_scan wakes the next)",
	.breaks = "thread pools on a level-triggered listener")
{
	int ep = ep_new(), ev = ev_new(0, 0), i;
	struct waiter *w[4];

	OK(ep_add(ep, ev, EPOLLIN, 1));
	for (i = 0; i < 4; i++)
		w[i] = WAITER(ep);
	IS(ev_put(ev, 1), 8);
	for (i = 0; i < 4; i++)
		WAITER_GOT(w[i], EPOLLIN, 1);
}

CASE(t04_n_edges_wake_n, .level = 3, .covers = "T04",
	.faults = "waiter-swallows", .calls = "epoll_wait write clone",
	.ref = "fs/eventpoll.c: ep_autoremove_wake_function",
	.breaks = "tgoskits, miri: hang under load")
{
	int ep = ep_new(), ev[4], i, seen = 0;
	struct waiter *w[4];

	for (i = 0; i < 4; i++) {
		ev[i] = ev_new(0, 0);
		OK(ep_add(ep, ev[i], EPOLLIN | EPOLLET, (uint64_t)i));
	}
	for (i = 0; i < 4; i++)
		w[i] = waiter_start(BY_PROCESS, ep, 1, -1, NULL);
	for (i = 0; i < 4; i++)
		IS(ev_put(ev[i], 1), 8);
	for (i = 0; i < 4; i++) {
		WAITER_IS(w[i], 1);
		MASK_IS(w[i]->ev[0].events, EPOLLIN);
		seen |= 1 << w[i]->ev[0].data;
	}
	IS(seen, 15);
	NONE(ep);
}

CASE(t04_one_harvest_may_take_all, .level = 3, .covers = "T04",
	.calls = "epoll_wait write clone", .ref = SEND_REF,
	.breaks = "none known")
{
	int ep = ep_new(), a = ev_new(0, 0), b = ev_new(0, 0);
	struct waiter *w;

	OK(ep_add(ep, a, EPOLLIN | EPOLLET, 1));
	OK(ep_add(ep, b, EPOLLIN | EPOLLET, 2));
	w = WAITER(ep);
	IS(ev_put(a, 1), 8);
	WAITER_GOT(w, EPOLLIN, 1);
	IS(ev_put(b, 1), 8);
	IS(ev_put(a, 1), 8);
	NOW(ep, {EPOLLIN, 2}, {EPOLLIN, 1});
}

/* Two processes wait with a short timeout; no token may be lost to one. */
static void take_tokens(void *arg)
{
	int *t = arg;
	struct ep_event e;
	long n;

	while (!flag_get(0)) {
		n = sys_epoll_wait(t[0], &e, 1, 1);
		if (n < 0)
			child_exit(1);
		if (n && ev_put(t[1], 1) != 8)
			child_exit(2);
	}
}

CASE(t05_wake_at_the_deadline_is_not_lost, .level = 3, .covers = "T05",
	.faults = "waiter-swallows lost-check-then-sleep",
	.calls = "epoll_wait write read clone",
	.ref = "fs/eventpoll.c: ep_poll (eavail after a timeout)",
	.breaks = "hangs under load")
{
	int t[2] = {ep_new(), ev_new(0, EFD_NONBLOCK)}, ev = ev_new(0, 0);
	int a, b, i, revents;

	OK(ep_add(t[0], ev, EPOLLIN | EPOLLET, 1));
	a = child_start(take_tokens, t);
	b = child_start(take_tokens, t);
	for (i = 0; i < 200; i++) {
		IS(ev_put(ev, 1), 8);
		IS(sys_poll(t[1], EPOLLIN, &revents, SOON), 1);
		IS(ev_get(t[1]), 1);
	}
	flag_set(0);
	IS(child_join(a), 0);
	IS(child_join(b), 0);
}

CASE(t06_several_epolls_all_wake, .level = 3, .covers = "T06",
	.calls = "epoll_wait write clone", .ref = "epoll(7), Q&A 3",
	.breaks = "servers with one epoll for each worker")
{
	int ep[3], ev = ev_new(0, 0), i;
	struct waiter *w[3];

	for (i = 0; i < 3; i++) {
		ep[i] = ep_new();
		OK(ep_add(ep[i], ev, EPOLLIN | EPOLLET, (uint64_t)i));
		w[i] = WAITER(ep[i]);
	}
	IS(ev_put(ev, 1), 8);
	for (i = 0; i < 3; i++)
		WAITER_GOT(w[i], EPOLLIN, (uint64_t)i);
}

CASE(t07_mod_wakes_blocked_waiter, .level = 3, .covers = "T07 A16",
	.faults = "mod-no-rearm", .calls = "epoll_ctl epoll_wait clone",
	.ref = "fs/eventpoll.c: ep_modify (wake_up)",
	.breaks = "Boost.Asio: interrupt by MOD")
{
	int ep = ep_new(), ev = ev_new(1, 0);
	struct waiter *w;

	OK(ep_add(ep, ev, EPOLLIN | EPOLLET, 1));
	NOW(ep, {EPOLLIN, 1});
	w = waiter_start(BY_THREAD, ep, 4, -1, NULL);
	OK(ep_mod(ep, ev, EPOLLIN | EPOLLET, 2));
	WAITER_GOT(w, EPOLLIN, 2);
	w = waiter_start(BY_THREAD, ep, 4, -1, NULL);
	OK(ep_mod(ep, ev, 0, 3));
	WAITER_STILL(w);
	OK(ep_mod(ep, ev, EPOLLIN, 4));
	WAITER_GOT(w, EPOLLIN, 4);
}

CASE(t08_close_of_epoll_does_not_wake, .level = 3, .covers = "T08",
	.calls = "close epoll_wait write clone",
	.ref = "epoll_wait(2), NOTES; close(2)",
	.breaks = "threads that close a loop in use")
{
	int ep = ep_new(), ev = ev_new(0, 0);
	struct waiter *w;

	OK(ep_add(ep, ev, EPOLLIN, 5));
	w = waiter_start(BY_THREAD, ep, 4, -1, NULL);
	IS(sys_close(ep), 0);
	WAITER_STILL(w);
	IS(ep_add(ep, ev, EPOLLIN, 5), -EBADF);
	IS(ev_put(ev, 1), 8);
	WAITER_GOT(w, EPOLLIN, 5);
}

CASE(t08_close_in_a_shared_table, .level = 4, .covers = "T08",
	.calls = "close epoll_wait write clone", .ref = "close(2), NOTES",
	.breaks = "vfork-like users of CLONE_FILES")
{
	int ep = ep_new(), ev = ev_new(0, 0);
	struct waiter *w;

	OK(ep_add(ep, ev, EPOLLIN, 5));
	w = waiter_start(BY_FILES, ep, 4, -1, NULL);
	IS(sys_close(ep), 0);
	IS(ep_new(), ep);
	WAITER_STILL(w);
	IS(ev_put(ev, 1), 8);
	WAITER_GOT(w, EPOLLIN, 5);
	NONE(ep);
}

CASE(t09_close_of_watched_does_not_wake, .level = 3, .covers = "T09 L04",
	.faults = "close-reports-err", .calls = "close epoll_wait clone",
	.ref = "epoll(7), Q&A 6", .breaks = "LevitateOS: ERR for ever")
{
	int ep = ep_new(), gone = ev_new(0, 0), ev = ev_new(0, 0);
	struct waiter *w;

	OK(ep_add(ep, gone, EPOLLIN, 4));
	OK(ep_add(ep, ev, EPOLLIN, 5));
	w = waiter_start(BY_THREAD, ep, 4, -1, NULL);
	IS(sys_close(gone), 0);
	WAITER_STILL(w);
	IS(ev_put(ev, 1), 8);
	WAITER_GOT(w, EPOLLIN, 5);
}

CASE(t10_killed_waiter_takes_nothing, .level = 3, .covers = "T10",
	.faults = "waiter-swallows", .calls = "kill epoll_wait write clone",
	.ref = "fs/eventpoll.c: ep_poll (fatal_signal_pending)",
	.breaks = "servers that kill a worker")
{
	int ep = ep_new(), ev = ev_new(0, 0);
	struct waiter *stays, *dies;

	OK(ep_add(ep, ev, EPOLLIN | EPOLLET, 5));
	stays = WAITER(ep);
	dies = WAITER(ep);
	sig_send(dies->pid, SIGKILL);
	IS(ev_put(ev, 1), 8);
	IS(child_join(dies->pid), 128 + SIGKILL);
	WAITER_GOT(stays, EPOLLIN, 5);
}

CASE(t10_stopped_waiter_takes_nothing, .level = 3, .covers = "T10 G02",
	.faults = "waiter-swallows", .calls = "kill epoll_wait write clone",
	.ref = "fs/eventpoll.c: ep_poll (signal_pending)",
	.breaks = "debuggers that stop one of several workers")
{
	int ep = ep_new(), ev = ev_new(0, 0);
	struct waiter *stays, *stops;

	OK(ep_add(ep, ev, EPOLLIN | EPOLLET, 5));
	stays = WAITER(ep);
	stops = WAITER(ep);
	sig_send(stops->pid, SIGSTOP);
	sleeps_until_state(stops->pid, 'T');
	IS(ev_put(ev, 1), 8);
	WAITER_GOT(stays, EPOLLIN, 5);
	sig_send(stops->pid, SIGKILL);
	IS(child_join(stops->pid), 128 + SIGKILL);
	NONE(ep);
}

CASE(t02_many_loops_asleep, .level = 3, .covers = "T02",
	.calls = "epoll_wait write clone", .ref = WAKE_REF,
	.breaks = "servers with an event loop on each of many cores")
{
	enum { LOOPS = 24 };
	struct waiter *w[LOOPS];
	int ep[LOOPS], ev[LOOPS], i;

	for (i = 0; i < LOOPS; i++) {
		ep[i] = ep_new();
		ev[i] = ev_new(0, 0);
		OK(ep_add(ep[i], ev[i], EPOLLIN | EPOLLET, (uint64_t)i));
		w[i] = WAITER(ep[i]);
	}
	for (i = LOOPS - 1; i >= 0; i--) {
		IS(ev_put(ev[i], 1), 8);
		WAITER_GOT(w[i], EPOLLIN, (uint64_t)i);
	}
	/* Nobody sleeps: what comes is there for the next wait. */
	for (i = 0; i < LOOPS; i++)
		IS(ev_put(ev[i], 1), 8);
	for (i = 0; i < LOOPS; i++)
		NOW(ep[i], {EPOLLIN, (uint64_t)i});
}
