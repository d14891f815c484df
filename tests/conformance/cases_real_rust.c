/* SPDX-License-Identifier: MIT */
/*
 * What Rust's runtimes rely on: mio and tokio, polling and smol. Each case
 * makes the calls that the named code makes, in its order.
 */
#include "conf.h"
#include <signal.h>
#include <sys/socket.h>
#include <time.h>

#define MIO_WAKER "mio: src/sys/unix/waker/eventfd.rs"
#define MIO_SELECTOR "mio: src/sys/unix/selector/epoll.rs"

/* The waker of mio: token 0x7f…, never read. */
static int mio_waker(int ep, uint64_t token)
{
	int ev = ev_new(0, EFD_CLOEXEC | EFD_NONBLOCK);

	OK(ep_add(ep, ev, EPOLLIN | EPOLLRDHUP | EPOLLET, token));
	return ev;
}

CASE(mio_start, .level = 5, .covers = "R01 R02 R03 R04",
	.faults = "dupfd-missing cloexec-ignored eventfd-ebadf",
	.calls = "epoll_create1 eventfd2 epoll_ctl fcntl write epoll_wait",
	.ref = MIO_SELECTOR, .breaks = "tokio: Runtime::new fails")
{
	int ep = (int)OK(sys_epoll_create1(EPOLL_CLOEXEC));
	int ev = mio_waker(ep, 0x7f0000000001), two;

	two = (int)OK(sys_fcntl(ep, F_DUPFD_CLOEXEC, 3));
	HOLDS(two >= 3 && two != ep);
	IS(ev_put(ev, 1), 8);
	NOW(two, {EPOLLIN, 0x7f0000000001});
	NONE(ep);
}

static void wake_100_times(void *arg)
{
	int i, fd = *(int *)arg;

	for (i = 0; i < 100; i++) {
		if (i == 99)
			flag_set(0);
		if (ev_put(fd, 1) != 8)
			child_exit(1);
	}
}

CASE(mio_waker_is_never_read, .level = 5, .covers = "R03 E10",
	.faults = "eventfd-edge-once et-transition-only lost-check-then-sleep",
	.calls = "write epoll_wait clone", .ref = MIO_WAKER,
	.breaks = "tokio: hang (WSL 2462, helios 169, miri 4374)")
{
	int ep = ep_new(), ev = mio_waker(ep, 9), i;

	for (i = 0; i < 10; i++) {
		IS(ev_put(ev, 1), 8);
		COMES(ep, {EPOLLIN, 9});
		NONE(ep);
	}
	thread_start(wake_100_times, &ev);
	while (!flag_get(0))
		COMES(ep, {EPOLLIN, 9});
}

CASE(mio_waker_overflow, .level = 5, .covers = "R07 E05",
	.faults = "eventfd-max", .calls = "write read epoll_wait",
	.ref = MIO_WAKER ": WouldBlock => reset, then wake",
	.breaks = "tokio: 'failed to wake I/O driver'")
{
	int ep = ep_new(), ev = mio_waker(ep, 9);

	IS(ev_put(ev, 0xfffffffffffffffe), 8);
	NOW(ep, {EPOLLIN, 9});
	IS(ev_put(ev, 1), -EAGAIN);
	IS(ev_get(ev), -2);
	IS(ev_put(ev, 1), 8);
	NOW(ep, {EPOLLIN, 9});
	IS(ev_get(ev), 1);
}

CASE(mio_register_reregister_deregister, .level = 5, .covers = "R05 A16 A19",
	.faults = "mod-no-rearm no-initial-check",
	.calls = "socketpair epoll_ctl epoll_wait", .ref = MIO_SELECTOR,
	.breaks = "mio users that change interest")
{
	int ep = ep_new(), sv[2];

	pair_new(sv, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC);
	OK(ep_add(ep, sv[0], EPOLLIN | EPOLLRDHUP | EPOLLET, 1));
	NONE(ep);
	OK(ep_mod(ep, sv[0], EPOLLOUT | EPOLLET, 2));
	NOW(ep, {EPOLLOUT, 2});
	OK(ep_mod(ep, sv[0],
		EPOLLIN | EPOLLRDHUP | EPOLLOUT | EPOLLPRI | EPOLLET, 3));
	NOW(ep, {EPOLLOUT, 3});
	IS(put(sv[1], 4), 4);
	NOW(ep, {EPOLLIN | EPOLLOUT, 3});
	IS(ep_del(ep, sv[0]), 0);
	IS(put(sv[1], 4), 4);
	NONE(ep);
}

static int read_closed(uint32_t m)
{
	return m & EPOLLHUP || ((m & EPOLLIN) && (m & EPOLLRDHUP));
}

static uint32_t next_mask(int ep)
{
	struct ep_event e = {0, 0};

	IS(sys_epoll_wait(ep, &e, 1, SOON), 1);
	return e.events;
}

CASE(mio_read_closed, .level = 5, .covers = "R08 F06 F08",
	.faults = "no-rdhup no-hup rdhup-as-hup",
	.calls = "shutdown close epoll_wait",
	.ref = MIO_SELECTOR ": is_read_closed, is_write_closed",
	.breaks = "shadow 3575: tokio waits for ever at EOF")
{
	int ep = ep_new(), sv[2];
	uint32_t m;

	tcp_new(sv);
	OK(ep_add(ep, sv[0], EPOLLIN | EPOLLRDHUP | EPOLLET, 1));
	IS(sys_shutdown(sv[1], SHUT_WR), 0);
	m = next_mask(ep);
	HOLDS(read_closed(m));
	HOLDS(!(m & EPOLLHUP));
	IS(sys_shutdown(sv[0], SHUT_WR), 0);
	UNTIL(ep, EPOLLHUP, 1);
}

CASE(mio_pipe_closed, .level = 5, .covers = "R08 F04", .faults = "no-hup",
	.calls = "pipe2 close epoll_wait", .ref = MIO_SELECTOR,
	.breaks = "tokio: a child's output that ends")
{
	int ep = ep_new(), p[2];
	uint32_t m;

	pipe_new(p, O_NONBLOCK);
	OK(ep_add(ep, p[0], EPOLLIN | EPOLLRDHUP | EPOLLET, 1));
	IS(put(p[1], 5), 5);
	IS(next_mask(ep), EPOLLIN);
	IS(sys_close(p[1]), 0);
	m = next_mask(ep);
	HOLDS(read_closed(m));
	HOLDS(m & EPOLLIN);
}

CASE(tokio_wait_for_1024_events, .level = 5, .covers = "R06 C11 D04",
	.faults = "event-layout phantom-out",
	.calls = "epoll_wait dup epoll_ctl", .ref = "tokio: io/driver.rs",
	.breaks = "tokio under load")
{
	static struct ep_event e[1024];
	static unsigned char seen[600];
	int ep = ep_new(), ev = ev_new(0, EFD_NONBLOCK), i;

	limit_files(1024);
	for (i = 0; i < 600; i++)
		OK(ep_add(ep, i ? (int)sys_dup(ev) : ev,
			EPOLLIN | EPOLLRDHUP | EPOLLET, 0xabc0000000u + i));
	IS(sys_epoll_wait(ep, e, 1024, 1), 0);
	IS(ev_put(ev, 1), 8);
	IS(sys_epoll_wait(ep, e, 1024, -1), 600);
	for (i = 0; i < 600; i++) {
		IS(e[i].events, EPOLLIN);
		HOLDS(!seen[e[i].data - 0xabc0000000u]++);
	}
	IS(sys_epoll_wait(ep, e, 1024, 0), 0);
}

static int signal_pipe;

static void write_a_byte(int sig)
{
	(void)sig;
	RAW(__NR_write, signal_pipe, "", 1);
}

static void signal_it(void *arg)
{
	int i, *a = arg;

	for (i = 0; i < 3; i++) {
		asleep_in(a[0], NR_EPOLL_WAIT);
		sig_send(a[0], SIGTERM);
		flag_wait(i);
	}
}

CASE(tokio_signal_driver, .level = 5, .covers = "R09 G01",
	.faults = "eintr-restarted wait-yields lost-check-then-sleep",
	.calls = "socketpair rt_sigaction write read epoll_wait",
	.ref = "tokio: signal/unix.rs, runtime/signal",
	.breaks = "tokio: ctrl_c() never fires")
{
	int ep = ep_new(), sv[2], self = own_pid(), i;
	struct ep_event e;
	long n;

	pair_new(sv, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC);
	signal_pipe = sv[1];
	OK(ep_add(ep, sv[0], EPOLLIN | EPOLLRDHUP | EPOLLET, 1));
	sig_handler(SIGTERM, write_a_byte, SA_RESTART);
	child_start(signal_it, &self);
	for (i = 0; i < 3; i++) {
		do
			n = sys_epoll_wait(ep, &e, 1, SOON);
		while (n == -EINTR);
		IS(n, 1);
		IS(e.events, EPOLLIN);
		IS(take(sv[0], 128), 1);
		IS(take(sv[0], 128), -EAGAIN);
		flag_set(i);
	}
}

static void exit_with_3(void *arg)
{
	(void)arg;
	child_exit(3);
}

CASE(tokio_process_by_pidfd, .level = 5, .covers = "R09 F10",
	.calls = "pidfd_open fcntl epoll_ctl epoll_wait wait4",
	.ref = "tokio: process/unix/pidfd_reaper.rs",
	.breaks = "tokio: Child::wait hangs")
{
	int ep = ep_new(), pid = child_start(exit_with_3, NULL), fd;

	fd = (int)OK(CALL(pidfd_open, pid, O_NONBLOCK));
	OK(ep_add(ep, fd, EPOLLIN | EPOLLRDHUP | EPOLLET, 1));
	UNTIL(ep, EPOLLIN, 1);
	IS(child_join(pid), 3);
	IS(ep_del(ep, fd), 0);
}

CASE(tokio_process_by_sigchld, .level = 5, .covers = "R09 G01",
	.faults = "eintr-restarted", .calls = "rt_sigaction clone epoll_wait",
	.ref = "tokio: process/unix/reap.rs",
	.breaks = "tokio: Child::wait hangs")
{
	int ep = ep_new(), sv[2], pid;
	struct ep_event e;
	long n;

	pair_new(sv, SOCK_STREAM | SOCK_NONBLOCK);
	signal_pipe = sv[1];
	OK(ep_add(ep, sv[0], EPOLLIN | EPOLLRDHUP | EPOLLET, 1));
	sig_handler(SIGCHLD, write_a_byte, SA_RESTART);
	pid = child_start(exit_with_3, NULL);
	do
		n = sys_epoll_wait(ep, &e, 1, SOON);
	while (n == -EINTR);
	IS(n, 1);
	IS(child_join(pid), 3);
}

static void park_and_wake(void *arg)
{
	int i, *a = arg;

	for (i = 0; i < 20; i++) {
		asleep_in(a[1], NR_EPOLL_WAIT);
		if (ev_put(a[0], 1) != 8)
			child_exit(1);
		flag_wait(i);
	}
}

CASE(tokio_unpark_driver_from_a_thread, .level = 5, .covers = "R03 T07",
	.faults = "eventfd-edge-once lost-check-then-sleep",
	.calls = "write epoll_wait futex clone",
	.ref = "tokio: runtime/driver.rs unpark",
	.breaks = "tokio: block_on hangs")
{
	int ep = ep_new(), a[2] = {mio_waker(ep, 9), own_pid()}, i;

	thread_start(park_and_wake, a);
	for (i = 0; i < 20; i++) {
		COMES(ep, {EPOLLIN, 9});
		flag_set(i);
	}
}

CASE(tokio_timer_rounds_up, .level = 5, .covers = "R06 W08",
	.calls = "epoll_wait clock_gettime", .ref = MIO_SELECTOR ": select()",
	.breaks = "tokio::time::sleep fires early")
{
	int ep = ep_new(), ms;
	struct ep_event e[4];
	uint64_t start;

	mio_waker(ep, 9);
	for (ms = 1; ms < 8; ms++) {
		start = now_ns();
		IS(sys_epoll_wait(ep, e, 4, ms), 0);
		HOLDS(now_ns() - start >= (uint64_t)ms * 1000000);
	}
}

CASE(smol_oneshot_with_timerfd, .level = 5, .covers = "D06 F09 A16",
	.faults = "oneshot-wrong-mask mod-no-rearm",
	.calls = "timerfd_settime eventfd2 epoll_ctl epoll_wait",
	.ref = "polling: src/epoll.rs", .breaks = "smol, async-io, zbus")
{
	struct itimerspec its = {{0, 0}, {0, 2000000}};
	int ep = ep_new(), ev = ev_new(0, EFD_CLOEXEC | EFD_NONBLOCK), i;
	int t = (int)OK(
		CALL(timerfd_create, CLOCK_MONOTONIC, O_NONBLOCK | O_CLOEXEC));

	OK(ep_add(ep, t, EPOLLONESHOT, ~0ul));
	OK(ep_add(ep, ev, EPOLLONESHOT | EPOLLIN | EPOLLHUP | EPOLLERR, ~0ul));
	for (i = 0; i < 3; i++) {
		OK(CALL(timerfd_settime, t, 0, &its, NULL));
		OK(ep_mod(ep, t, EPOLLIN | EPOLLONESHOT, ~0ul));
		COMES(ep, {EPOLLIN, ~0ul});
		NONE(ep);
		IS(ev_put(ev, 1), 8);
		COMES(ep, {EPOLLIN, ~0ul});
		IS(ev_get(ev), 1);
		OK(ep_mod(ep, ev, EPOLLONESHOT | EPOLLIN, ~0ul));
		NONE(ep);
	}
}
