/* SPDX-License-Identifier: MIT */
/*
 * What the runtimes of Go, Node, Java, Python, .NET and Erlang rely on. Each
 * case makes the calls that the named code makes, in its order.
 */
#include "conf.h"
#include <signal.h>
#include <sys/socket.h>

#define GO_REF "Go: runtime/netpoll_epoll.go"
#define UV_REF "libuv: src/unix/linux.c, uv__io_poll"
#define JAVA_REF "OpenJDK: sun.nio.ch.EPollSelectorImpl"

static long go_wait(int ep, void *events, int max, int ms)
{
	return sys_epoll_pwait(ep, events, max, ms, NULL, 0);
}

CASE(go_netpoll_start, .level = 5, .covers = "R10 E10 W05",
	.faults = "event-unaligned event-layout eventfd-ebadf",
	.calls = "epoll_create1 eventfd2 epoll_ctl epoll_pwait",
	.ref = GO_REF ": netpollinit, netpollBreak",
	.breaks = "tgoskits, gVisor: Go fails to start or hangs")
{
	int ep = (int)OK(sys_epoll_create1(EPOLL_CLOEXEC));
	int ev = ev_new(0, EFD_CLOEXEC | EFD_NONBLOCK);
	char stack[128 * sizeof(struct ep_event) + 1];
	uint64_t address = (uint64_t)&ep;
	struct ep_event e;

	OK(ep_add(ep, ev, EPOLLIN, address));
	IS(go_wait(ep, stack + 1, 128, 0), 0);
	IS(ev_put(ev, 1), 8);
	/* Not read when it was only polled: level-triggered, it stays. */
	IS(go_wait(ep, stack + 1, 128, 0), 1);
	IS(go_wait(ep, stack + 1, 128, -1), 1);
	memcpy(&e, stack + 1, sizeof(e));
	IS(e.events, EPOLLIN);
	IS(e.data, address);
	IS(ev_get(ev), 1);
	IS(go_wait(ep, stack + 1, 128, 1), 0);
}

CASE(go_connection, .level = 5, .covers = "F08 D05 D10",
	.faults = "et-ignored in-out-split data-truncated phantom-out",
	.calls = "connect accept4 epoll_ctl epoll_pwait read write",
	.ref = GO_REF ": netpollopen (IN|OUT|RDHUP|ET)",
	.breaks = "OSv 971, nanos 116: Go hangs or spins")
{
	uint32_t mask = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET;
	uint64_t tagged = 0xffff123456789abc;
	int ep = ep_new(), sv[2];
	struct ep_event e[128];

	tcp_new(sv);
	OK(ep_add(ep, sv[0], mask, tagged));
	IS(go_wait(ep, e, 128, 0), 1);
	IS(e[0].events, EPOLLOUT);
	IS(e[0].data, tagged);
	IS(go_wait(ep, e, 128, 0), 0);
	IS(put(sv[1], 100), 100);
	UNTIL(ep, EPOLLIN | EPOLLOUT, tagged);
	IS(take(sv[0], 4096), 100);
	IS(sys_fcntl(sv[0], F_SETFL, O_NONBLOCK), 0);
	IS(take(sv[0], 4096), -EAGAIN);
	IS(sys_close(sv[1]), 0);
	UNTIL(ep, EPOLLIN | EPOLLOUT | EPOLLRDHUP, tagged);
	IS(ep_del(ep, sv[0]), 0);
}

CASE(go_files_that_cannot_poll, .level = 5, .covers = "A03 A04",
	.calls = "epoll_ctl openat", .ref = "Go: os/file_unix.go, kindOpenFile",
	.breaks = "Go: os.Open of a regular file must fall back")
{
	int ep = ep_new();
	int fd = open_self();

	IS(ep_add(ep, fd, EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET, 1),
		-EPERM);
}

static void go_waiter(void *arg)
{
	int *a = arg, eintr = 0;
	struct ep_event e;
	long n;

	while ((n = go_wait(a[0], &e, 1, -1)) == -EINTR)
		eintr++;
	a[1] = eintr;
	a[2] = (int)n;
	flag_set(0);
}

CASE(go_sigurg_preempts, .level = 5, .covers = "R10 G01",
	.faults = "eintr-restarted wait-yields spurious-eintr",
	.calls = "epoll_pwait tgkill write clone",
	.ref = "Go: runtime/signal_unix.go, preemptM; " GO_REF,
	.breaks = "Go: a goroutine that is never preempted")
{
	static int a[3];
	int ev = ev_new(0, EFD_NONBLOCK), tid, i;

	sig_catch(SIGURG, SA_RESTART | SA_SIGINFO);
	a[0] = ep_new();
	OK(ep_add(a[0], ev, EPOLLIN, 1));
	tid = thread_start(go_waiter, a);
	for (i = 1; i <= 10; i++) {
		asleep_in(tid, __NR_epoll_pwait);
		OK(CALL(tgkill, own_pid(), tid, SIGURG));
		sig_caught_wait(SIGURG, i);
	}
	asleep_in(tid, __NR_epoll_pwait);
	IS(ev_put(ev, 1), 8);
	flag_wait(0);
	IS(a[1], 10);
	IS(a[2], 1);
}

CASE(go_pollable_pipe, .level = 5, .covers = "F04 F01",
	.faults = "no-hup close-no-wake", .calls = "pipe2 epoll_ctl close",
	.ref = "Go: os.Pipe, os/exec", .breaks = "Go: exec output never ends")
{
	int ep = ep_new(), p[2];

	pipe_new(p, O_CLOEXEC | O_NONBLOCK);
	OK(ep_add(ep, p[0], EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET, 1));
	OK(ep_add(ep, p[1], EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET, 2));
	NOW(ep, {EPOLLOUT, 2});
	IS(put(p[1], 10), 10);
	NOW(ep, {EPOLLIN, 1});
	IS(sys_close(p[1]), 0);
	NOW(ep, {EPOLLIN | EPOLLHUP, 1});
}

CASE(node_async_wakeup, .level = 5, .covers = "E02 E10 D04",
	.faults = "eventfd-ebadf lt-not-requeued eventfd-edge-once",
	.calls = "eventfd2 write read epoll_pwait",
	.ref = "libuv: src/unix/async.c",
	.breaks = "Node: worker threads, fs, dns")
{
	int ep = ep_new(), ev = ev_new(0, EFD_CLOEXEC | EFD_NONBLOCK), i;
	uint64_t buf[128], mask = SIGBIT(SIGPROF);
	struct ep_event e[1024];

	OK(ep_add(ep, ev, EPOLLIN, (uint64_t)ev));
	for (i = 1; i <= 3; i++) {
		IS(ev_put(ev, 1), 8);
		IS(ev_put(ev, 1), 8);
		IS(sys_epoll_pwait(ep, e, 1024, -1, &mask, 8), 1);
		IS(e[0].data, ev);
		IS(CALL(read, ev, buf, 1024), 8);
		IS(buf[0], 2);
		IS(CALL(read, ev, buf, 1024), -EAGAIN);
		IS(sys_epoll_pwait(ep, e, 1024, 0, NULL, 8), 0);
	}
}

CASE(node_changes_of_interest, .level = 5, .covers = "A09 A16",
	.faults = "no-initial-check mod-no-rearm",
	.calls = "epoll_ctl epoll_pwait", .ref = UV_REF " (EEXIST => MOD)",
	.breaks = "Node: sockets, child processes")
{
	int ep = ep_new(), sv[2];

	pair_new(sv, SOCK_STREAM | SOCK_NONBLOCK);
	OK(ep_add(ep, sv[0], EPOLLIN, 1));
	IS(ep_add(ep, sv[0], EPOLLIN | EPOLLOUT, 1), -EEXIST);
	OK(ep_mod(ep, sv[0], EPOLLIN | EPOLLOUT, 1));
	NOW(ep, {EPOLLOUT, 1});
	OK(ep_mod(ep, sv[0], EPOLLIN, 1));
	NONE(ep);
	IS(ep_del(ep, sv[0]), 0);
	IS(ep_del(ep, sv[0]), -ENOENT);
}

CASE(node_close_inside_a_batch, .level = 5, .covers = "L02 L06 A19",
	.faults = "keyed-by-number close-reports-err",
	.calls = "epoll_ctl close dup",
	.ref = "libuv: uv__platform_invalidate_fd",
	.breaks = "Node with a child that shares its sockets")
{
	int ep = ep_new(), a = ev_new(1, 0), b = ev_new(1, 0), kept;

	kept = dup_new(a);
	OK(ep_add(ep, a, EPOLLIN, 1));
	OK(ep_add(ep, b, EPOLLIN, 2));
	NOW(ep, {EPOLLIN, 1}, {EPOLLIN, 2});
	/* DEL before the close, or the dup would report for ever. */
	IS(ep_del(ep, a), 0);
	IS(sys_close(a), 0);
	NOW(ep, {EPOLLIN, 2});
	IS(ev_get(kept), 1);
}

CASE(node_loop_fd_in_another_loop, .level = 5, .covers = "N01 C07",
	.faults = "nested-lost", .calls = "ppoll epoll_ctl write",
	.ref = "libuv: uv_backend_fd()", .breaks = "Electron: two loops in one")
{
	int out = ep_new(), in = ep_new(), ev = ev_new(0, EFD_NONBLOCK);

	OK(ep_add(in, ev, EPOLLIN, 1));
	OK(ep_add(out, in, EPOLLIN, 2));
	NONE(out);
	IS(ev_put(ev, 1), 8);
	NOW(out, {EPOLLIN, 2});
	IS(polled(in, EPOLLIN), EPOLLIN);
	NOW(in, {EPOLLIN, 1});
	IS(ev_get(ev), 1);
	NONE(out);
	IS(polled(in, EPOLLIN), 0);
}

CASE(java_selector, .level = 5, .covers = "A16 A09 D04",
	.faults = "lt-not-requeued number-outside-table",
	.calls = "epoll_create1 eventfd2 epoll_ctl epoll_wait", .ref = JAVA_REF,
	.breaks = "Java: Selector.wakeup, Netty's NIO")
{
	int ep = (int)OK(sys_epoll_create1(EPOLL_CLOEXEC)), sv[2];
	int ev = ev_new(0, 0);

	IS(sys_fcntl(ev, F_SETFL, O_RDWR | O_NONBLOCK), 0);
	OK(ep_add(ep, ev, EPOLLIN, (uint64_t)ev));
	pair_new(sv, SOCK_STREAM | SOCK_NONBLOCK);
	OK(ep_add(ep, sv[0], EPOLLIN, (uint64_t)sv[0]));
	IS(ev_put(ev, 1), 8);
	NOW(ep, {EPOLLIN, (uint64_t)ev});
	IS(ev_get(ev), 1);
	OK(ep_mod(ep, sv[0], EPOLLOUT, (uint64_t)sv[0]));
	NOW(ep, {EPOLLOUT, (uint64_t)sv[0]});
	IS(ep_del(ep, sv[0]), 0);
	NONE(ep);
}

CASE(java_two_interest_changes_at_once, .level = 5, .covers = "A17 A18",
	.calls = "epoll_ctl epoll_wait", .ref = JAVA_REF ": processUpdateQueue",
	.breaks = "Java: SelectionKey.interestOps(0)")
{
	int ep = ep_new(), ev = ev_new(1, 0);

	OK(ep_add(ep, ev, EPOLLIN, 1));
	OK(ep_mod(ep, ev, 0, 1));
	NONE(ep);
	OK(ep_mod(ep, ev, EPOLLIN, 1));
	NOW(ep, {EPOLLIN, 1});
}

CASE(java_epollport, .level = 5, .covers = "D06 T02",
	.faults = "oneshot-wrong-mask waiter-swallows",
	.calls = "epoll_ctl epoll_wait clone",
	.ref = "OpenJDK: sun.nio.ch.EPollPort (ADD, else MOD, ONESHOT)",
	.breaks = "Java: AsynchronousSocketChannel")
{
	int ep = ep_new(), sv[2], i;
	struct waiter *w[2];

	pair_new(sv, SOCK_STREAM);
	IS(ep_mod(ep, sv[0], EPOLLIN | EPOLLONESHOT, 1), -ENOENT);
	OK(ep_add(ep, sv[0], EPOLLIN | EPOLLONESHOT, 1));
	for (i = 0; i < 2; i++)
		w[i] = WAITER(ep);
	IS(put(sv[1], 1), 1);
	WAITER_GOT(w[1], EPOLLIN, 1);
	IS(put(sv[1], 1), 1);
	WAITER_STILL(w[0]);
	OK(ep_mod(ep, sv[0], EPOLLIN | EPOLLONESHOT, 2));
	WAITER_GOT(w[0], EPOLLIN, 2);
}

CASE(python_selector, .level = 5, .covers = "D10 C11 W08",
	.faults = "data-truncated", .calls = "epoll_ctl epoll_wait",
	.ref = "CPython: selectors.EpollSelector, select.epoll",
	.breaks = "asyncio: events of the wrong descriptor")
{
	int ep = ep_new(), sv[2];
	struct ep_event e[2];

	/* Only the lower half is set; the rest is what was on the stack. */
	pair_new(sv, SOCK_STREAM | SOCK_NONBLOCK);
	OK(ep_add(ep, sv[0], EPOLLIN, 0x5a5a5a5a00000000u | (unsigned)sv[0]));
	IS(put(sv[1], 1), 1);
	IS(sys_epoll_wait(ep, e, 1, -1), 1);
	IS((int)e[0].data, sv[0]);
	IS(e[0].data >> 32, 0x5a5a5a5a);
	IS(ep_mod(ep, sv[0], EPOLLOUT, (unsigned)sv[0]), 0);
	NOW(ep, {EPOLLOUT, (uint64_t)sv[0]});
	IS(ep_add(ep, sv[0], EPOLLIN, 0), -EEXIST);
}

CASE(python_closed_selector_key, .level = 5, .covers = "A02 L01",
	.faults = "no-close-cleanup", .calls = "close epoll_ctl",
	.ref = "CPython: select.epoll.unregister",
	.breaks = "asyncio: unregister after a close")
{
	int ep = ep_new(), ev = ev_new(0, 0);

	OK(ep_add(ep, ev, EPOLLIN, (uint64_t)ev));
	IS(sys_close(ev), 0);
	IS(ep_del(ep, ev), -EBADF);
	IS(ev_new(0, 0), ev);
	IS(ep_add(ep, ev, EPOLLIN, (uint64_t)ev), 0);
}

CASE(dotnet_engine, .level = 5, .covers = "F06 D05",
	.faults = "et-ignored no-rdhup", .calls = "epoll_ctl epoll_wait",
	.ref = ".NET: SystemNative_TryChangeSocketEventRegistration",
	.breaks = ".NET: Socket.ReceiveAsync never completes")
{
	uint32_t mask = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET;
	int ep = ep_new(), sv[2];

	pair_new(sv, SOCK_STREAM);
	OK(ep_add(ep, sv[0], mask, 1));
	NOW(ep, {EPOLLOUT, 1});
	IS(put(sv[1], 1), 1);
	NOW(ep, {EPOLLIN | EPOLLOUT, 1});
	IS(sys_close(sv[1]), 0);
	NOW(ep, {EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLHUP, 1});
}

CASE(erlang_kernel_poll, .level = 5, .covers = "D06 N01 C07",
	.faults = "oneshot-wrong-mask nested-lost",
	.calls = "epoll_ctl epoll_wait ppoll",
	.ref = "Erlang/OTP: erts/emulator/sys/common/erl_poll.c",
	.breaks = "Erlang: ONESHOT sockets, an epoll in an epoll")
{
	int ep = ep_new(), sched = ep_new(), sv[2], i;

	pair_new(sv, SOCK_STREAM | SOCK_NONBLOCK);
	OK(ep_add(ep, sched, EPOLLIN, 99));
	OK(ep_add(ep, sv[0], EPOLLIN | EPOLLONESHOT, 1));
	for (i = 0; i < 3; i++) {
		IS(put(sv[1], 1), 1);
		NOW(ep, {EPOLLIN, 1});
		IS(put(sv[1], 1), 1);
		NONE(ep);
		IS(take(sv[0], 10), 2);
		OK(ep_mod(ep, sv[0], EPOLLIN | EPOLLONESHOT, 1));
	}
	OK(ep_mod(ep, sv[0], EPOLLONESHOT, 1));
	OK(ep_add(sched, sv[0], EPOLLIN, 2));
	IS(put(sv[1], 1), 1);
	NOW(ep, {EPOLLIN, 99});
	NOW(sched, {EPOLLIN, 2});
}
