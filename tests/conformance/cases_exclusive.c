/* SPDX-License-Identifier: MIT */
/*
 * EPOLLEXCLUSIVE: what it may be combined with, and whom one wake of the
 * target reaches.
 */
#include "conf.h"
#include <signal.h>
#include <sys/socket.h>

#define CHECK_REF "fs/eventpoll.c: do_epoll_ctl (EPOLLEXCLUSIVE_OK_BITS)"
#define CALLBACK_REF "fs/eventpoll.c: ep_poll_callback (ewake)"

CASE(x01_allowed_companions, .level = 3, .covers = "X01", .calls = "epoll_ctl",
	.ref = CHECK_REF,
	.breaks = "nginx: accept mutex off, EXCLUSIVE|IN|RDHUP")
{
	static const uint32_t good[] = {0, EPOLLIN, EPOLLOUT, EPOLLERR,
		EPOLLHUP, EPOLLWAKEUP, EPOLLET,
		EPOLLIN | EPOLLOUT | EPOLLERR | EPOLLHUP | EPOLLWAKEUP |
			EPOLLET};
	int ep = ep_new(), ev = ev_new(0, 0);
	size_t i;

	for (i = 0; i < sizeof(good) / sizeof(*good); i++) {
		IS(ep_add(ep, ev, EPOLLEXCLUSIVE | good[i], 1), 0);
		IS(ep_del(ep, ev), 0);
	}
}

CASE(x01_refused_companions, .level = 3, .covers = "X01", .calls = "epoll_ctl",
	.ref = CHECK_REF, .breaks = "programs that fall back on EINVAL")
{
	uint32_t good = EPOLLIN | EPOLLOUT | EPOLLERR | EPOLLHUP | EPOLLWAKEUP |
			EPOLLET | EPOLLEXCLUSIVE;
	int ep = ep_new(), ev = ev_new(0, 0), bit;

	for (bit = 0; bit < 32; bit++)
		if (!(good & 1u << bit))
			IS(ep_add(ep, ev, EPOLLEXCLUSIVE | 1u << bit, 1),
				-EINVAL);
	IS(ep_del(ep, ev), -ENOENT);
}

CASE(x02_epoll_target_refused, .level = 3, .covers = "X02",
	.calls = "epoll_ctl", .ref = "epoll_ctl(2), ERRORS: EINVAL",
	.breaks = "programs that fall back on EINVAL")
{
	int ep = ep_new(), in = ep_new();

	IS(ep_add(ep, in, EPOLLEXCLUSIVE | EPOLLIN, 1), -EINVAL);
	IS(ep_del(ep, in), -ENOENT);
}

CASE(x03_mod_refused, .level = 3, .covers = "X03", .calls = "epoll_ctl",
	.ref = "epoll_ctl(2), ERRORS: EINVAL",
	.breaks = "libev, which must DEL and ADD instead")
{
	int ep = ep_new(), plain = ev_new(1, 0), excl = ev_new(1, 0);

	OK(ep_add(ep, plain, EPOLLIN, 1));
	OK(ep_add(ep, excl, EPOLLIN | EPOLLEXCLUSIVE, 2));
	IS(ep_mod(ep, plain, EPOLLIN | EPOLLEXCLUSIVE, 3), -EINVAL);
	IS(ep_mod(ep, excl, EPOLLIN | EPOLLEXCLUSIVE, 3), -EINVAL);
	IS(ep_mod(ep, excl, EPOLLIN, 3), -EINVAL);
	IS(ep_mod(ep, excl, 0, 3), -EINVAL);
	NOW(ep, {EPOLLIN, 1}, {EPOLLIN, 2});
	IS(ep_del(ep, excl), 0);
	IS(ep_add(ep, excl, EPOLLIN, 3), 0);
	IS(ep_mod(ep, excl, EPOLLIN, 4), 0);
}

CASE(x04_rules_before_registration, .level = 4, .covers = "X04 A06",
	.calls = "epoll_ctl", .ref = CHECK_REF, .breaks = "fuzzers, strace")
{
	int ep = ep_new(), ev = ev_new(0, 0);

	OK(ep_add(ep, ev, EPOLLIN, 1));
	IS(ep_add(ep, ev, EPOLLEXCLUSIVE | EPOLLONESHOT, 1), -EINVAL);
	IS(ep_add(ep, ev, EPOLLEXCLUSIVE | EPOLLIN, 1), -EEXIST);
	IS(ep_mod(ep, ep_new(), EPOLLEXCLUSIVE | EPOLLIN, 1), -EINVAL);
	IS(ep_mod(ep, ev_new(0, 0), EPOLLEXCLUSIVE, 1), -EINVAL);
}

CASE(x04_rules_after_descriptors, .level = 4, .covers = "X04 A05",
	.calls = "epoll_ctl", .ref = CHECK_REF, .breaks = "fuzzers, strace")
{
	int ep = ep_new(), ev = ev_new(0, 0);
	int dir = (int)OK(CALL(openat, AT_FDCWD, "/", O_RDONLY, 0));

	IS(ep_add(ep, 99, EPOLLEXCLUSIVE | EPOLLPRI, 1), -EBADF);
	IS(ep_add(99, ev, EPOLLEXCLUSIVE | EPOLLPRI, 1), -EBADF);
	IS(ep_add(ep, dir, EPOLLEXCLUSIVE | EPOLLPRI, 1), -EPERM);
	/* DEL does not copy the event, so its bits cannot matter. */
	OK(ep_add(ep, ev, EPOLLIN, 1));
	IS(sys_epoll_ctl(ep, EPOLL_CTL_DEL, ev,
		   &(struct ep_event){EPOLLEXCLUSIVE | EPOLLPRI, 0}),
		0);
}

CASE(x05_plain_items_all_notified, .level = 3, .covers = "X05 X06",
	.calls = "epoll_ctl epoll_wait write", .ref = CALLBACK_REF,
	.breaks = "a mix of old and new workers on one socket")
{
	int a = ep_new(), b = ep_new(), c = ep_new(), d = ep_new();
	int ev = ev_new(0, 0);
	struct waiter *w;

	OK(ep_add(a, ev, EPOLLIN | EPOLLET | EPOLLEXCLUSIVE, 1));
	OK(ep_add(b, ev, EPOLLIN | EPOLLET | EPOLLEXCLUSIVE, 2));
	OK(ep_add(c, ev, EPOLLIN | EPOLLET, 3));
	OK(ep_add(d, ev, EPOLLIN | EPOLLET, 4));
	w = WAITER(a);
	IS(ev_put(ev, 1), 8);
	WAITER_GOT(w, EPOLLIN, 1);
	NONE(b);
	NOW(c, {EPOLLIN, 3});
	NOW(d, {EPOLLIN, 4});
}

/* A wake with key IN|OUT comes from no file that a case could use. */
CASE(x06_state_change_wakes_all, .level = 4, .covers = "X06",
	.calls = "epoll_ctl epoll_wait socketpair shutdown",
	.ref = "net/core/sock.c: sock_def_wakeup (wake all, key 0)",
	.breaks = "workers that wait for the end of one connection")
{
	int a = ep_new(), b = ep_new(), sv[2];
	struct waiter *wa, *wb;

	pair_new(sv, SOCK_STREAM);
	OK(ep_add(a, sv[0], EPOLLIN | EPOLLET | EPOLLEXCLUSIVE, 1));
	OK(ep_add(b, sv[0], EPOLLIN | EPOLLET | EPOLLEXCLUSIVE, 2));
	wa = WAITER(a);
	wb = WAITER(b);
	IS(sys_shutdown(sv[1], SHUT_RDWR), 0);
	WAITER_GOT(wa, EPOLLIN | EPOLLHUP, 1);
	WAITER_GOT(wb, EPOLLIN | EPOLLHUP, 2);
}

CASE(x06_without_waiter_walk_goes_on, .level = 3, .covers = "X06",
	.calls = "epoll_ctl epoll_wait write", .ref = CALLBACK_REF,
	.breaks = "nginx: a busy worker must not keep the connection")
{
	int a = ep_new(), b = ep_new(), c = ep_new(), ev = ev_new(0, 0);
	struct waiter *w;

	OK(ep_add(a, ev, EPOLLIN | EPOLLEXCLUSIVE, 1));
	OK(ep_add(b, ev, EPOLLIN | EPOLLEXCLUSIVE, 2));
	OK(ep_add(c, ev, EPOLLIN | EPOLLEXCLUSIVE, 3));
	w = WAITER(b);
	IS(ev_put(ev, 1), 8);
	WAITER_GOT(w, EPOLLIN, 2);
	NOW(a, {EPOLLIN, 1});
	NONE(c);
}

CASE(x07_first_added_wakes, .level = 3, .covers = "X07",
	.calls = "epoll_ctl epoll_wait write",
	.ref = "include/linux/wait.h: add_wait_queue_exclusive",
	.breaks = "nginx, which spreads the load by it")
{
	int ep[4], ev = ev_new(0, 0), i;
	struct waiter *w[4];

	for (i = 0; i < 4; i++) {
		ep[i] = ep_new();
		OK(ep_add(ep[i], ev, EPOLLIN | EPOLLEXCLUSIVE, 10u + i));
	}
	for (i = 3; i >= 0; i--)
		w[i] = WAITER(ep[i]);
	IS(ev_put(ev, 1), 8);
	WAITER_GOT(w[0], EPOLLIN, 10);
	for (i = 1; i < 4; i++)
		NONE(ep[i]);
	for (i = 1; i < 4; i++)
		WAITER_STILL(w[i]);
	IS(waiters_count(), 1);
	/* The first has no waiter any more, so the second one is next. */
	IS(ev_put(ev, 1), 8);
	WAITER_GOT(w[1], EPOLLIN, 11);
	WAITER_STILL(w[2]);
	WAITER_STILL(w[3]);
}

CASE(x08_no_waiters_all_queued, .level = 3, .covers = "X08",
	.calls = "epoll_ctl epoll_wait write", .ref = CALLBACK_REF,
	.breaks = "workers that are all busy when a connection comes")
{
	int ep[4], ev = ev_new(0, 0), i;

	for (i = 0; i < 4; i++) {
		ep[i] = ep_new();
		OK(ep_add(ep[i], ev, EPOLLIN | EPOLLET | EPOLLEXCLUSIVE,
			(uint64_t)i));
	}
	IS(ev_put(ev, 1), 8);
	for (i = 0; i < 4; i++)
		NOW(ep[i], {EPOLLIN, (uint64_t)i});
}

CASE(x09_newest_plain_registration_first, .level = 3, .covers = "X09 D01",
	.calls = "epoll_ctl epoll_wait dup write",
	.ref = "include/linux/wait.h: __add_wait_queue (head)",
	.breaks = "none known; the order can be seen")
{
	int ep = ep_new(), p[2], i;

	pipe_new(p, 0);
	OK(ep_add(ep, p[0], EPOLLIN, 1));
	OK(ep_add(ep, dup_new(p[0]), EPOLLIN, 2));
	OK(ep_add(ep, dup_new(p[0]), EPOLLIN, 3));
	for (i = 0; i < 2; i++) {
		IS(put(p[1], 1), 1);
		NOW(ep, {EPOLLIN, 3}, {EPOLLIN, 2}, {EPOLLIN, 1});
		IS(take(p[0], 9), 1);
		NONE(ep);
	}
}

CASE(x09_exclusive_after_plain, .level = 4, .covers = "X09 X07",
	.calls = "epoll_ctl epoll_wait dup write",
	.ref = "include/linux/wait.h: exclusive entries at the tail",
	.breaks = "none known; the order can be seen")
{
	int ep = ep_new(), p[2];

	pipe_new(p, 0);
	OK(ep_add(ep, p[0], EPOLLIN | EPOLLEXCLUSIVE, 1));
	OK(ep_add(ep, dup_new(p[0]), EPOLLIN | EPOLLEXCLUSIVE, 2));
	OK(ep_add(ep, dup_new(p[0]), EPOLLIN, 3));
	OK(ep_add(ep, dup_new(p[0]), EPOLLIN, 4));
	IS(put(p[1], 1), 1);
	NOW(ep, {EPOLLIN, 4}, {EPOLLIN, 3}, {EPOLLIN, 1}, {EPOLLIN, 2});
}

CASE(x07_shared_by_loops_asleep, .level = 4, .covers = "X07 X08",
	.calls = "epoll_ctl epoll_wait pipe2 read write clone",
	.ref = CALLBACK_REF,
	.breaks = "workers that get a listener while asleep")
{
	int ep[2], p[2][2], ev = ev_new(0, 0), i, round;
	struct waiter *w[2];

	for (i = 0; i < 2; i++) {
		ep[i] = ep_new();
		pipe_new(p[i], 0);
		OK(ep_add(ep[i], p[i][0], EPOLLIN | EPOLLET, 1));
		w[i] = WAITER(ep[i]);
	}
	/* Neither an edge that was not, nor one that gets lost. */
	for (i = 0; i < 2; i++)
		OK(ep_add(ep[i], ev, EPOLLIN | EPOLLET | EPOLLEXCLUSIVE, 2));
	WAITER_STILL(w[0]);
	WAITER_STILL(w[1]);
	for (round = 0; round < 2; round++) {
		for (i = 0; i < 2; i++) {
			IS(put(p[i][1], 1), 1);
			WAITER_GOT(w[i], EPOLLIN, 1);
			NONE(ep[i]);
			w[i] = WAITER(ep[i]);
		}
	}
	IS(ev_put(ev, 1), 8);
	WAITER_GOT(w[0], EPOLLIN, 2);
	WAITER_STILL(w[1]);
	IS(put(p[1][1], 1), 1);
	WAITER_GOT(w[1], EPOLLIN, 1);
}

CASE(x07_order_with_a_shared_one, .level = 4, .covers = "X07 D01",
	.calls = "epoll_ctl epoll_wait pipe2 write",
	.ref = "fs/eventpoll.c: ep_poll_callback (list_add_tail)",
	.breaks = "none known; the order can be seen")
{
	int ep = ep_new(), other = ep_new(), p[2], q[2], ev = ev_new(0, 0);

	pipe_new(p, 0);
	OK(ep_add(ep, p[0], EPOLLIN, 1));
	OK(ep_add(ep, ev, EPOLLIN | EPOLLEXCLUSIVE, 2));
	IS(put(p[1], 1), 1);
	OK(ep_add(other, ev, EPOLLIN | EPOLLEXCLUSIVE, 3));
	pipe_new(q, 0);
	OK(ep_add(ep, q[0], EPOLLIN, 4));
	IS(ev_put(ev, 1), 8);
	IS(put(q[1], 1), 1);
	NOW(ep, {EPOLLIN, 1}, {EPOLLIN, 2}, {EPOLLIN, 4});
	NOW(other, {EPOLLIN, 3});
}

CASE(x08_shared_where_many_watch, .level = 4, .covers = "X08 A19",
	.calls = "epoll_ctl epoll_wait write close", .ref = CALLBACK_REF,
	.breaks = "workers that share a listener with many")
{
	int first = ep_new(), second = ep_new(), ev = ev_new(0, 0), i;

	OK(ep_add(first, ev, EPOLLIN | EPOLLET | EPOLLEXCLUSIVE, 1));
	for (i = 0; i < 300; i++)
		OK(ep_add(ep_new(), ev, EPOLLIN | EPOLLET, 2));
	OK(ep_add(second, ev, EPOLLIN | EPOLLET | EPOLLEXCLUSIVE, 3));
	NONE(second);
	OK(sys_close(first));
	for (i = 0; i < 3; i++) {
		IS(ev_put(ev, 1), 8);
		NOW(second, {EPOLLIN, 3});
		NONE(second);
	}
}

static void handle_until_told(int sig)
{
	(void)sig;
	flag_set(0);
	flag_wait(1);
}

static void wait_and_handle(void *arg)
{
	int *ep = arg;
	struct ep_event e;

	IS(sys_epoll_wait(*ep, &e, 1, SOON), -EINTR);
}

CASE(x07_no_edge_by_another_epolls_waiter, .level = 4, .covers = "X07 D05",
	.calls = "kill epoll_wait clone", .ref = CALLBACK_REF,
	.breaks = "edge-triggered servers beside loops with signals")
{
	int ep = ep_new(), other = ep_new(), ev = ev_new(0, 0), p[2], pid;

	pipe_new(p, 0);
	OK(ep_add(ep, p[0], EPOLLIN | EPOLLET | EPOLLEXCLUSIVE, 1));
	OK(ep_add(other, ev, EPOLLIN, 2));
	IS(put(p[1], 1), 1);
	NOW(ep, {EPOLLIN, 1});
	sig_handler(SIGUSR1, handle_until_told, 0);
	pid = child_start(wait_and_handle, &other);
	asleep_in(pid, NR_EPOLL_WAIT);
	sig_send(pid, SIGUSR1);
	flag_wait(0);
	/* Its waiter is in a handler, so it is nobody's wake-up. */
	IS(ev_put(ev, 1), 8);
	NONE(ep);
	flag_set(1);
	IS(child_join(pid), 0);
	NONE(ep);
	NOW(other, {EPOLLIN, 2});
}

CASE(x07_waiter_in_a_handler_takes_none, .level = 4, .covers = "X07 G03",
	.calls = "kill epoll_wait clone", .ref = CALLBACK_REF,
	.breaks = "servers whose workers share a listener and take signals")
{
	int first = ep_new(), second = ep_new(), third = ep_new(), p[2], pid;
	struct waiter *w;

	pipe_new(p, 0);
	OK(ep_add(first, p[0], EPOLLIN | EPOLLET | EPOLLEXCLUSIVE, 1));
	OK(ep_add(second, p[0], EPOLLIN | EPOLLET | EPOLLEXCLUSIVE, 2));
	OK(ep_add(third, p[0], EPOLLIN | EPOLLET | EPOLLEXCLUSIVE, 3));
	sig_handler(SIGUSR1, handle_until_told, 0);
	pid = child_start(wait_and_handle, &first);
	asleep_in(pid, NR_EPOLL_WAIT);
	w = WAITER(second);
	sig_send(pid, SIGUSR1);
	flag_wait(0);
	IS(put(p[1], 1), 1);
	WAITER_GOT(w, EPOLLIN, 2);
	NONE(third);
	flag_set(1);
	IS(child_join(pid), 0);
	NOW(first, {EPOLLIN, 1});
	NONE(second);
	NONE(third);
}
