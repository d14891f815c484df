/* SPDX-License-Identifier: MIT */
/*
 * What servers and their libraries rely on: nginx, libevent, libev, Redis,
 * Boost.Asio, HAProxy, Apache, PostgreSQL, gRPC.
 */
#include "conf.h"
#include <signal.h>
#include <sys/socket.h>
#include <time.h>

#define NGX_REF "nginx: src/event/modules/ngx_epoll_module.c"

CASE(nginx_test_of_rdhup, .level = 5, .covers = "F06 D05", .faults = "no-rdhup",
	.calls = "socketpair epoll_ctl close epoll_wait",
	.ref = NGX_REF ": ngx_epoll_test_rdhup",
	.breaks = "nginx: use_epoll_rdhup is off, FINs are missed")
{
	int ep = (int)OK(sys_epoll_create1(0)), sv[2];
	struct ep_event e;

	pair_new(sv, SOCK_STREAM);
	OK(ep_add(ep, sv[0], EPOLLET | EPOLLIN | EPOLLRDHUP, 0));
	IS(sys_close(sv[1]), 0);
	IS(sys_epoll_wait(ep, &e, 1, 5000), 1);
	HOLDS(e.events & EPOLLRDHUP);
}

CASE(nginx_connection, .level = 5, .covers = "F08 A16 D10",
	.faults = "mod-no-rearm in-out-split data-truncated",
	.calls = "accept4 epoll_ctl epoll_wait", .ref = NGX_REF,
	.breaks = "nginx: requests that hang")
{
	uint64_t object = 0x55aa12345678, instance = object | 1;
	int ep = ep_new(), sv[2];

	/* ADD for reading, MOD for both, the lowest bit is the instance. */
	tcp_new(sv);
	OK(ep_add(ep, sv[1], EPOLLIN | EPOLLRDHUP | EPOLLET, object));
	IS(put(sv[0], 200), 200);
	COMES(ep, {EPOLLIN, object});
	IS(take(sv[1], 1024), 200);
	OK(ep_mod(ep, sv[1], EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET,
		instance));
	NOW(ep, {EPOLLOUT, instance});
	IS(sys_shutdown(sv[0], SHUT_WR), 0);
	COMES(ep, {EPOLLIN | EPOLLOUT | EPOLLRDHUP, instance});
}

CASE(nginx_exclusive_listener, .level = 5, .covers = "X07 X08 X01",
	.calls = "listen epoll_ctl epoll_wait connect clone",
	.ref = NGX_REF ": NGX_EXCLUSIVE_EVENT (IN without RDHUP)",
	.breaks = "nginx: thundering herd, or workers that never wake")
{
	uint16_t port;
	int l = tcp_listen(&port), ep[3], i;
	struct waiter *w[3];

	for (i = 0; i < 3; i++) {
		ep[i] = ep_new();
		OK(ep_add(ep[i], l, EPOLLIN | EPOLLEXCLUSIVE, (uint64_t)i));
		w[i] = WAITER(ep[i]);
	}
	OK(tcp_connect(port, 0));
	WAITER_GOT(w[0], EPOLLIN, 0);
	WAITER_STILL(w[1]);
	WAITER_STILL(w[2]);
	OK(tcp_connect(port, 0));
	WAITER_GOT(w[1], EPOLLIN, 1);
	WAITER_STILL(w[2]);
}

CASE(nginx_notify, .level = 5, .covers = "E10", .faults = "eventfd-edge-once",
	.calls = "eventfd2 epoll_ctl write",
	.ref = NGX_REF ": ngx_epoll_notify (read only at 0xffffffff)",
	.breaks = "nginx: thread pool tasks never finish")
{
	int ep = ep_new(), ev = ev_new(0, 0), i;

	OK(ep_add(ep, ev, EPOLLIN | EPOLLET, 1));
	for (i = 0; i < 20; i++) {
		IS(ev_put(ev, 1), 8);
		NOW(ep, {EPOLLIN, 1});
	}
	NONE(ep);
	IS(ev_get(ev), 20);
}

CASE(libevent_falls_back, .level = 5, .covers = "A09 A02 L01",
	.faults = "no-close-cleanup keyed-by-number",
	.calls = "epoll_ctl close", .ref = "libevent: epoll_apply_one_change",
	.breaks = "libevent: descriptors closed behind its back")
{
	int ep = ep_new(), ev = ev_new(0, 0);

	OK(ep_add(ep, ev, EPOLLIN, 1));
	IS(ep_add(ep, ev, EPOLLIN, 1), -EEXIST);
	IS(ep_mod(ep, ev, EPOLLIN, 1), 0);
	IS(sys_close(ev), 0);
	IS(ep_del(ep, ev), -EBADF);
	IS(ev_new(0, 0), ev);
	IS(ep_mod(ep, ev, EPOLLIN, 1), -ENOENT);
	IS(ep_add(ep, ev, EPOLLIN, 1), 0);
	IS(ep_del(ep, ev), 0);
	IS(ep_del(ep, ev), -ENOENT);
}

CASE(libevent_precise_timer, .level = 5, .covers = "F09 W07",
	.calls = "timerfd_create timerfd_settime epoll_wait",
	.ref = "libevent: EVENT_BASE_FLAG_PRECISE_TIMER",
	.breaks = "tor, memcached: timers that never fire")
{
	struct itimerspec its = {{0, 0}, {0, 3000000}};
	int ep = ep_new(), i;
	int t = (int)OK(
		CALL(timerfd_create, CLOCK_MONOTONIC, O_NONBLOCK | O_CLOEXEC));
	uint64_t start;

	OK(ep_add(ep, t, EPOLLIN, 1));
	for (i = 0; i < 3; i++) {
		start = now_ns();
		OK(CALL(timerfd_settime, t, 0, &its, NULL));
		COMES(ep, {EPOLLIN, 1});
		HOLDS(now_ns() - start >= 3000000);
	}
}

CASE(libev_generation_in_data, .level = 5, .covers = "D10 L02 A03",
	.faults = "data-truncated", .calls = "epoll_ctl dup close epoll_wait",
	.ref = "libev: ev_epoll.c (generation in the upper half)",
	.breaks = "libev: spurious events are not told apart")
{
	int ep = ep_new(), ev = ev_new(1, 0), copy = dup_new(ev), again;
	uint64_t first = 1ul << 32 | (unsigned)ev, second = 2ul << 32;

	second |= (unsigned)ev;
	OK(ep_add(ep, ev, EPOLLIN, first));
	IS(sys_close(ev), 0);
	again = ev_new(1, 0);
	IS(again, ev);
	OK(ep_add(ep, again, EPOLLIN, second));
	NOW_SET(ep, {EPOLLIN, first}, {EPOLLIN, second});
	IS(sys_close(copy), 0);
	NOW(ep, {EPOLLIN, second});
}

CASE(redis_level_triggered, .level = 5, .covers = "D04 A16 F08",
	.faults = "lt-not-requeued phantom-out",
	.calls = "epoll_ctl epoll_wait read write", .ref = "Redis: ae_epoll.c",
	.breaks = "Redis: a client that pipelines is forgotten")
{
	int ep = (int)OK(sys_epoll_create1(0)), sv[2];
	uint64_t fd;

	tcp_new(sv);
	fd = (uint64_t)sv[1];
	OK(ep_add(ep, sv[1], EPOLLIN, fd));
	IS(put(sv[0], 100), 100);
	COMES(ep, {EPOLLIN, fd});
	IS(take(sv[1], 60), 60);
	NOW(ep, {EPOLLIN, fd});
	OK(ep_mod(ep, sv[1], EPOLLIN | EPOLLOUT, fd));
	NOW(ep, {EPOLLIN | EPOLLOUT, fd});
	IS(take(sv[1], 60), 40);
	NOW(ep, {EPOLLOUT, fd});
	OK(ep_mod(ep, sv[1], EPOLLIN, fd));
	NONE(ep);
}

CASE(asio_interrupter, .level = 5, .covers = "A16 T07",
	.faults = "mod-no-rearm", .calls = "eventfd2 epoll_ctl epoll_wait",
	.ref = "Boost.Asio: epoll_reactor::interrupt",
	.breaks = "Boost.Asio: io_context::stop, post from a thread")
{
	int ep = ep_new(), ev = ev_new(0, EFD_CLOEXEC | EFD_NONBLOCK), i;
	struct waiter *w;

	/* Written once and always readable: it is fired by MOD alone. */
	OK(ep_add(ep, ev, EPOLLIN | EPOLLERR | EPOLLET, 1));
	IS(ev_put(ev, 1), 8);
	NOW(ep, {EPOLLIN, 1});
	for (i = 0; i < 3; i++) {
		w = waiter_start(BY_THREAD, ep, 8, -1, NULL);
		OK(ep_mod(ep, ev, EPOLLIN | EPOLLERR | EPOLLET, 1));
		WAITER_GOT(w, EPOLLIN, 1);
		NONE(ep);
	}
}

CASE(asio_connect, .level = 5, .covers = "F08 F07",
	.faults = "mod-no-rearm phantom-out", .calls = "connect epoll_ctl",
	.ref = "Boost.Asio: epoll_reactor::register_descriptor",
	.breaks = "shadow 343: connect is never confirmed")
{
	uint32_t mask = EPOLLIN | EPOLLERR | EPOLLHUP | EPOLLPRI | EPOLLET;
	uint16_t port;
	int l = tcp_listen(&port), ep = ep_new(), s;

	s = (int)OK(tcp_connect(port, SOCK_NONBLOCK));
	OK(ep_add(ep, s, mask, 1));
	OK(ep_mod(ep, s, mask | EPOLLOUT, 1));
	UNTIL(ep, EPOLLOUT, 1);
	OK(CALL(accept4, l, NULL, NULL, 0));
}

CASE(haproxy_moves_between_threads, .level = 5, .covers = "A09 T06",
	.calls = "epoll_ctl epoll_wait", .ref = "HAProxy: src/ev_epoll.c",
	.breaks = "HAProxy: events in the thread that let go")
{
	int a = ep_new(), b = ep_new(), sv[2];

	pair_new(sv, SOCK_STREAM | SOCK_NONBLOCK);
	OK(ep_add(a, sv[0], EPOLLIN | EPOLLRDHUP | EPOLLET, 1));
	IS(put(sv[1], 1), 1);
	IS(ep_del(a, sv[0]), 0);
	OK(ep_add(b, sv[0], EPOLLIN | EPOLLRDHUP | EPOLLET, 1));
	NONE(a);
	NOW(b, {EPOLLIN, 1});
	IS(ep_del(a, sv[0]), -ENOENT);
}

CASE(apache_wakeable_pollset, .level = 5, .covers = "F01 F03 X01",
	.calls = "pipe2 epoll_ctl epoll_wait", .ref = "APR: poll/unix/epoll.c",
	.breaks = "Apache's event MPM: graceful stop hangs")
{
	int ep = ep_new(), p[2];

	pipe_new(p, O_NONBLOCK | O_CLOEXEC);
	OK(ep_add(ep, p[0], EPOLLIN, 1));
	IS(put(p[1], 1), 1);
	IS(put(p[1], 1), 1);
	NOW(ep, {EPOLLIN, 1});
	IS(drain(p[0]), 2);
	NONE(ep);
}

CASE(postgres_wait_event_set, .level = 5, .covers = "L05 F06 G07",
	.faults = "keyed-by-number", .calls = "clone epoll_create1 epoll_wait",
	.ref = "PostgreSQL: WaitEventSet (latch.c)",
	.breaks = "PostgreSQL: backends that miss the postmaster's death")
{
	int ep = ep_new(), p[2], alive[2];
	struct waiter *w;

	/* Each backend waits for its own latch, and for the end of a pipe. */
	pipe_new(p, O_NONBLOCK);
	pipe_new(alive, O_NONBLOCK);
	OK(ep_add(ep, p[0], EPOLLIN | EPOLLERR | EPOLLHUP, 1));
	OK(ep_add(ep, alive[0], EPOLLIN | EPOLLERR | EPOLLHUP, 2));
	w = waiter_start(BY_THREAD, ep, 1, -1, NULL);
	IS(put(p[1], 1), 1);
	WAITER_GOT(w, EPOLLIN, 1);
	IS(drain(p[0]), 1);
	w = waiter_start(BY_THREAD, ep, 1, -1, NULL);
	IS(sys_close(alive[1]), 0);
	WAITER_GOT(w, EPOLLHUP, 2);
}

CASE(grpc_wakeup_fd, .level = 5, .covers = "E10 E14 D05",
	.faults = "eventfd-edge-once", .calls = "eventfd2 epoll_ctl read write",
	.ref = "gRPC: ev_epoll1_linux.cc, wakeup_fd_eventfd.cc",
	.breaks = "gRPC: completion queues hang")
{
	int ep = ep_new(), ev = ev_new(0, EFD_NONBLOCK | EFD_CLOEXEC), i;

	OK(ep_add(ep, ev, EPOLLIN | EPOLLET, 0xdead0001));
	for (i = 0; i < 3; i++) {
		IS(ev_put(ev, 1), 8);
		COMES(ep, {EPOLLIN, 0xdead0001});
		IS(ev_get(ev), 1);
		IS(ev_get(ev), -EAGAIN);
		NONE(ep);
	}
}
