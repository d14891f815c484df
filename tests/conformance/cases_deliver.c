/* SPDX-License-Identifier: MIT */
/*
 * Delivery: the order of the ready list, level, edge and one-shot, what is
 * written to the caller's buffer, and what happens when that fails.
 */
#include "conf.h"
#include <sys/socket.h>

#define SEND_REF "fs/eventpoll.c: ep_send_events"
#define CALLBACK_REF "fs/eventpoll.c: ep_poll_callback"

CASE(d01_fifo_by_first_wakeup, .level = 2, .covers = "D01",
	.faults = "lifo-ready", .calls = "epoll_ctl write epoll_wait",
	.ref = CALLBACK_REF ": list_add_tail", .breaks = "NOS: starvation")
{
	int ep = ep_new(), p[3][2], i;

	for (i = 0; i < 3; i++) {
		pipe_new(p[i], 0);
		OK(ep_add(ep, p[i][0], EPOLLIN, (uint64_t)i));
	}
	IS(put(p[2][1], 1), 1);
	IS(put(p[0][1], 1), 1);
	IS(put(p[1][1], 1), 1);
	IS(put(p[2][1], 1), 1);
	NOW(ep, {EPOLLIN, 2}, {EPOLLIN, 0}, {EPOLLIN, 1});
}

CASE(d01_second_wakeup_keeps_place, .level = 2, .covers = "D01 D03",
	.faults = "lifo-ready", .calls = "epoll_ctl write epoll_wait",
	.ref = CALLBACK_REF ": ep_is_linked", .breaks = "fairness of servers")
{
	int ep = ep_new(), ev[3], i, round;

	for (i = 0; i < 3; i++) {
		ev[i] = ev_new(0, 0);
		OK(ep_add(ep, ev[i], EPOLLIN | EPOLLET, (uint64_t)i));
	}
	for (round = 0; round < 3; round++) {
		IS(ev_put(ev[1], 1), 8);
		IS(ev_put(ev[2], 1), 8);
		IS(ev_put(ev[1], 1), 8);
		IS(ev_put(ev[0], 1), 8);
		IS(ev_put(ev[2], 1), 8);
		NOW(ep, {EPOLLIN, 1}, {EPOLLIN, 2}, {EPOLLIN, 0});
	}
}

CASE(d01_place_is_not_inherited, .level = 2, .covers = "D01 A20",
	.faults = "lifo-ready", .calls = "epoll_ctl close write epoll_wait",
	.ref = "fs/eventpoll.c: ep_remove, ep_insert",
	.breaks = "servers whose connections come and go")
{
	int ep = ep_new(), p[5][2], i;

	for (i = 0; i < 5; i++)
		pipe_new(p[i], 0);
	for (i = 0; i < 3; i++) {
		OK(ep_add(ep, p[i][0], EPOLLIN, (uint64_t)i));
		IS(put(p[i][1], 1), 1);
	}
	OK(ep_del(ep, p[0][0]));
	OK(sys_close(p[1][0]));
	OK(ep_add(ep, p[3][0], EPOLLIN | EPOLLET, 3));
	OK(ep_add(ep, p[4][0], EPOLLIN, 4));
	IS(put(p[4][1], 1), 1);
	OK(ep_add(ep, p[0][0], EPOLLIN, 5));
	IS(put(p[3][1], 1), 1);
	NOW(ep, {EPOLLIN, 2}, {EPOLLIN, 4}, {EPOLLIN, 5}, {EPOLLIN, 3});
	IS(put(p[0][1], 1), 1);
	NOW(ep, {EPOLLIN, 2}, {EPOLLIN, 4}, {EPOLLIN, 5});
	IS(put(p[3][1], 1), 1);
	OK(ep_del(ep, p[3][0]));
	OK(ep_add(ep, p[1][1], EPOLLIN, 6));
	NOW(ep, {EPOLLIN, 2}, {EPOLLIN, 4}, {EPOLLIN, 5}, {EPOLLERR, 6});
}

CASE(d02_stale_items_are_dropped, .level = 2, .covers = "D02",
	.faults = "stale-ready", .calls = "write read epoll_wait",
	.ref = SEND_REF ": ep_item_poll", .breaks = "spins on '1 ready'")
{
	int ep = ep_new(), a = ev_new(0, 0), b = ev_new(0, 0);

	OK(ep_add(ep, a, EPOLLIN, 1));
	OK(ep_add(ep, b, EPOLLIN, 2));
	IS(ev_put(a, 1), 8);
	IS(ev_put(b, 1), 8);
	IS(ev_get(a), 1);
	NOW(ep, {EPOLLIN, 2});
	IS(ev_get(b), 1);
	NONE(ep);
}

CASE(d02_stale_does_not_count_for_max, .level = 3, .covers = "D02 D04",
	.faults = "stale-ready phantom-out", .calls = "read epoll_wait",
	.ref = SEND_REF, .breaks = "servers that wait for one event at a time")
{
	int ep = ep_new(), a = ev_new(1, 0), b = ev_new(1, 0);

	OK(ep_add(ep, a, EPOLLIN, 1));
	OK(ep_add(ep, b, EPOLLIN, 2));
	IS(ev_get(a), 1);
	NOW_MAX(ep, 1, {EPOLLIN, 2});
}

CASE(d02_stale_wakeup_sleeps_on, .level = 3, .covers = "D02",
	.faults = "stale-ready", .calls = "write epoll_wait",
	.ref = "fs/eventpoll.c: ep_poll", .breaks = "loops that expect n > 0")
{
	int ep = ep_new(), a = ev_new(0, 0);
	struct waiter *w;

	OK(ep_add(ep, a, EPOLLIN, 1));
	w = WAITER(ep);
	IS(ev_put(a, 0), 8);
	IS(ev_put(a, 0), 8);
	WAITER_STILL(w);
	IS(waiters_count(), 0);
	IS(ev_put(a, 1), 8);
	WAITER_GOT(w, EPOLLIN, 1);
}

CASE(d03_bits_are_of_now, .level = 2, .covers = "D03", .faults = "in-out-split",
	.calls = "socketpair write shutdown epoll_wait", .ref = SEND_REF,
	.breaks = "wasmer: IN and OUT as two events")
{
	int ep = ep_new(), sv[2];

	pair_new(sv, SOCK_STREAM);
	OK(ep_add(ep, sv[0], EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET, 1));
	NOW(ep, {EPOLLOUT, 1});
	IS(put(sv[1], 3), 3);
	IS(sys_shutdown(sv[1], SHUT_WR), 0);
	NOW(ep, {EPOLLIN | EPOLLOUT | EPOLLRDHUP, 1});
	NONE(ep);
}

CASE(d03_several_wakes_one_event, .level = 2, .covers = "D03",
	.calls = "write epoll_wait", .ref = CALLBACK_REF,
	.breaks = "loops that count on one event for one file")
{
	int ep = ep_new(), ev = ev_new(0, 0), i;

	OK(ep_add(ep, ev, EPOLLIN | EPOLLET, 1));
	for (i = 0; i < 5; i++)
		IS(ev_put(ev, 1), 8);
	NOW(ep, {EPOLLIN, 1});
	NONE(ep);
}

CASE(d04_level_repeats, .level = 1, .covers = "D04",
	.faults = "lt-not-requeued et-toggle", .calls = "epoll_wait read",
	.ref = SEND_REF ": level-triggered items go back",
	.breaks = "NOS: a server stops after the first request")
{
	int ep = ep_new(), ev = ev_new(2, EFD_SEMAPHORE), i;

	OK(ep_add(ep, ev, EPOLLIN, 1));
	for (i = 0; i < 4; i++)
		NOW(ep, {EPOLLIN, 1});
	IS(ev_get(ev), 1);
	NOW(ep, {EPOLLIN, 1});
	IS(ev_get(ev), 1);
	NONE(ep);
}

CASE(d04_rotation, .level = 2, .covers = "D04", .faults = "lifo-ready",
	.calls = "epoll_wait", .ref = SEND_REF ": list_add_tail",
	.breaks = "starvation when maxevents is small")
{
	int ep = ep_new(), i;

	for (i = 1; i <= 3; i++)
		OK(ep_add(ep, ev_new(1, 0), EPOLLIN, (uint64_t)i));
	NOW_MAX(ep, 2, {EPOLLIN, 1}, {EPOLLIN, 2});
	NOW_MAX(ep, 2, {EPOLLIN, 3}, {EPOLLIN, 1});
	NOW_MAX(ep, 2, {EPOLLIN, 2}, {EPOLLIN, 3});
	NOW_MAX(ep, 1, {EPOLLIN, 1});
}

CASE(d05_edge_once, .level = 1, .covers = "D05 R05",
	.faults = "et-ignored et-toggle", .calls = "epoll_wait write",
	.ref = "epoll(7): Edge-triggered", .breaks = "tokio, Go, nginx: spin")
{
	int ep = ep_new(), p[2], i;

	pipe_new(p, 0);
	OK(ep_add(ep, p[0], EPOLLIN | EPOLLET, 1));
	for (i = 0; i < 3; i++) {
		IS(put(p[1], 10), 10);
		NOW(ep, {EPOLLIN, 1});
		NONE(ep);
		NONE(ep);
		IS(take(p[0], 100), 10);
		NONE(ep);
	}
}

CASE(d05_edge_beyond_max_stays, .level = 2, .covers = "D05 D04",
	.faults = "et-toggle", .calls = "epoll_wait write", .ref = SEND_REF,
	.breaks = "edge-triggered loops with a small buffer")
{
	int ep = ep_new(), i;

	for (i = 1; i <= 5; i++)
		OK(ep_add(ep, ev_new(1, 0), EPOLLIN | EPOLLET, (uint64_t)i));
	NOW_MAX(ep, 2, {EPOLLIN, 1}, {EPOLLIN, 2});
	NOW_MAX(ep, 2, {EPOLLIN, 3}, {EPOLLIN, 4});
	NOW_MAX(ep, 2, {EPOLLIN, 5});
	NONE(ep);
}

CASE(d05_edge_and_level_mixed, .level = 2, .covers = "D05 D04",
	.faults = "et-ignored lt-not-requeued", .calls = "epoll_wait write",
	.ref = SEND_REF, .breaks = "libuv: level, with an edge waker")
{
	int ep = ep_new();

	OK(ep_add(ep, ev_new(1, 0), EPOLLIN, 1));
	OK(ep_add(ep, ev_new(1, 0), EPOLLIN | EPOLLET, 2));
	OK(ep_add(ep, ev_new(1, 0), EPOLLIN, 3));
	NOW(ep, {EPOLLIN, 1}, {EPOLLIN, 2}, {EPOLLIN, 3});
	NOW(ep, {EPOLLIN, 1}, {EPOLLIN, 3});
}

CASE(d06_oneshot, .level = 2, .covers = "D06", .faults = "oneshot-wrong-mask",
	.calls = "epoll_wait epoll_ctl write",
	.ref = "epoll_ctl(2): EPOLLONESHOT", .breaks = "Erlang, smol, sd-event")
{
	int ep = ep_new(), ev = ev_new(1, 0);

	OK(ep_add(ep, ev, EPOLLIN | EPOLLONESHOT, 1));
	NOW(ep, {EPOLLIN, 1});
	NONE(ep);
	IS(ev_put(ev, 1), 8);
	NONE(ep);
	IS(ep_add(ep, ev, EPOLLIN, 1), -EEXIST);
	OK(ep_mod(ep, ev, EPOLLIN | EPOLLONESHOT, 2));
	NOW(ep, {EPOLLIN, 2});
	NONE(ep);
	OK(ep_mod(ep, ev, EPOLLIN, 3));
	NOW(ep, {EPOLLIN, 3});
	NOW(ep, {EPOLLIN, 3});
}

CASE(d06_oneshot_other_bit, .level = 2, .covers = "D06",
	.faults = "oneshot-wrong-mask phantom-out",
	.calls = "epoll_wait socketpair write", .ref = SEND_REF,
	.breaks = "DragonOS: re-fire after one shot")
{
	int ep = ep_new(), sv[2];

	pair_new(sv, SOCK_STREAM);
	OK(ep_add(ep, sv[0], EPOLLIN | EPOLLOUT | EPOLLONESHOT, 1));
	NOW(ep, {EPOLLOUT, 1});
	IS(put(sv[1], 1), 1);
	NONE(ep);
	OK(ep_mod(ep, sv[0], EPOLLIN | EPOLLONESHOT, 2));
	NOW(ep, {EPOLLIN, 2});
	NONE(ep);
}

CASE(d06_oneshot_disables_hup_too, .level = 2, .covers = "D06 D12",
	.faults = "oneshot-wrong-mask", .calls = "epoll_wait close",
	.ref = SEND_REF ": EP_PRIVATE_BITS",
	.breaks = "thread pools with ONESHOT")
{
	int ep = ep_new(), p[2];

	pipe_new(p, 0);
	OK(ep_add(ep, p[0], EPOLLIN | EPOLLONESHOT, 1));
	IS(put(p[1], 1), 1);
	NOW(ep, {EPOLLIN, 1});
	IS(sys_close(p[1]), 0);
	NONE(ep);
	OK(ep_mod(ep, p[0], EPOLLONESHOT, 2));
	NOW(ep, {EPOLLHUP, 2});
	NONE(ep);
}

CASE(d07_disabled_item_wakes_nobody, .level = 3, .covers = "D07",
	.calls = "epoll_wait write", .ref = CALLBACK_REF ": EP_PRIVATE_BITS",
	.breaks = "thread pools with ONESHOT")
{
	int ep = ep_new(), a = ev_new(1, 0), b = ev_new(0, 0);
	struct waiter *w;

	OK(ep_add(ep, a, EPOLLIN | EPOLLONESHOT, 1));
	OK(ep_add(ep, b, EPOLLIN, 2));
	NOW(ep, {EPOLLIN, 1});
	w = WAITER(ep);
	IS(ev_put(a, 1), 8);
	IS(ev_put(a, 1), 8);
	WAITER_STILL(w);
	IS(ev_put(b, 1), 8);
	WAITER_GOT(w, EPOLLIN, 2);
	MASK_IS(polled(ep, EPOLLIN), EPOLLIN);
	IS(ev_get(b), 1);
	MASK_IS(polled(ep, EPOLLIN), 0);
}

CASE(d08_fault_on_first_event, .level = 4, .covers = "D08",
	.calls = "epoll_wait munmap", .ref = SEND_REF ": list_add (put back)",
	.breaks = "programs that guard their buffers")
{
	int ep = ep_new();

	OK(ep_add(ep, ev_new(1, 0), EPOLLIN | EPOLLET, 1));
	OK(ep_add(ep, ev_new(1, 0), EPOLLIN | EPOLLONESHOT, 2));
	OK(ep_add(ep, ev_new(1, 0), EPOLLIN, 3));
	IS(sys_epoll_wait(ep, UNMAPPED, 16, 0), -EFAULT);
	IS(sys_epoll_wait(ep, NULL, 16, -1), -EFAULT);
	IS(sys_epoll_wait(ep, readonly_page(), 16, 0), -EFAULT);
	IS(sys_epoll_wait(ep, edge(sizeof(struct ep_event) - 1), 9, 0),
		-EFAULT);
	NOW(ep, {EPOLLIN, 1}, {EPOLLIN, 2}, {EPOLLIN, 3});
	NOW(ep, {EPOLLIN, 3});
}

CASE(d08_fault_on_a_later_event, .level = 4, .covers = "D08",
	.calls = "epoll_wait munmap", .ref = SEND_REF ": list_add (put back)",
	.breaks = "programs that guard their buffers")
{
	struct ep_event *e = edge(2 * sizeof(*e) + 5);
	int ep = ep_new(), i;

	for (i = 1; i <= 4; i++)
		OK(ep_add(ep, ev_new(1, 0), EPOLLIN | EPOLLET, (uint64_t)i));
	IS(sys_epoll_wait(ep, e, 16, 0), 2);
	IS(e[0].data, 1);
	IS(e[1].data, 2);
	NOW(ep, {EPOLLIN, 3}, {EPOLLIN, 4});
	NONE(ep);
}

CASE(d08_fault_keeps_level_order, .level = 4, .covers = "D08 D04",
	.calls = "epoll_wait munmap", .ref = SEND_REF, .breaks = "none known")
{
	struct ep_event *e = edge(sizeof(*e));
	int ep = ep_new(), i;

	for (i = 1; i <= 3; i++)
		OK(ep_add(ep, ev_new(1, 0), EPOLLIN, (uint64_t)i));
	IS(sys_epoll_wait(ep, e, 16, 0), 1);
	IS(e->data, 1);
	NOW(ep, {EPOLLIN, 2}, {EPOLLIN, 3}, {EPOLLIN, 1});
}
