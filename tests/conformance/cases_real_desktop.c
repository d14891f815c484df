/* SPDX-License-Identifier: MIT */
/*
 * What systemd, Wayland, GLib, QEMU, Xorg, shells and other programs rely
 * on, and the ways around epoll_ctl that a program may use.
 */
#include "conf.h"
#include <signal.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <time.h>

CASE(systemd_event_loop, .level = 5, .covers = "D06 F09 N01 A04",
	.faults = "oneshot-wrong-mask nested-lost",
	.calls = "signalfd4 timerfd_create epoll_ctl epoll_wait",
	.ref = "systemd: src/libsystemd/sd-event/sd-event.c",
	.breaks = "systemd and all its daemons")
{
	uint64_t mask = SIGBIT(SIGTERM);
	int ep = ep_new(), out = ep_new(), ev = ev_new(1, EFD_NONBLOCK), fd;
	struct itimerspec its = {{0, 0}, {0, 1000000}};
	int t = (int)OK(CALL(timerfd_create, CLOCK_BOOTTIME, O_NONBLOCK));

	sig_block(SIGTERM);
	fd = (int)OK(CALL(signalfd4, -1, &mask, 8, O_NONBLOCK | O_CLOEXEC));
	OK(ep_add(ep, fd, EPOLLIN, 1));
	OK(ep_add(ep, t, EPOLLIN, 2));
	OK(ep_add(ep, ev, EPOLLIN | EPOLLONESHOT, 3));
	OK(ep_add(out, ep, EPOLLIN, 9));
	NOW(out, {EPOLLIN, 9});
	NOW(ep, {EPOLLIN, 3});
	NONE(out);
	sig_send(own_pid(), SIGTERM);
	NOW(out, {EPOLLIN, 9});
	NOW(ep, {EPOLLIN, 1});
	IS(take(fd, 128), 128);
	OK(CALL(timerfd_settime, t, 0, &its, NULL));
	COMES(out, {EPOLLIN, 9});
	NOW(ep, {EPOLLIN, 2});
	IS(ev_get(t), 1);
	NONE(out);
}

CASE(wayland_compositor, .level = 5, .covers = "N01 N06 F06",
	.faults = "nested-lost no-hup", .calls = "epoll_ctl epoll_wait close",
	.ref = "libwayland: wl_event_loop_get_fd; weston",
	.breaks = "weston in gVisor: clients and input freeze")
{
	int host = ep_new(), display = ep_new(), input = ep_new();
	int sv[2], dev[2], i;

	pair_new(sv, SOCK_STREAM | SOCK_NONBLOCK);
	pipe_new(dev, O_NONBLOCK);
	OK(ep_add(host, display, EPOLLIN, 1));
	OK(ep_add(display, input, EPOLLIN, 2));
	OK(ep_add(display, sv[0], EPOLLIN, 3));
	OK(ep_add(input, dev[0], EPOLLIN, 4));
	for (i = 0; i < 3; i++) {
		IS(put(dev[1], 24), 24);
		NOW(host, {EPOLLIN, 1});
		NOW(display, {EPOLLIN, 2});
		NOW(input, {EPOLLIN, 4});
		IS(drain(dev[0]), 24);
		IS(put(sv[1], 8), 8);
		NOW(display, {EPOLLIN, 3});
		IS(drain(sv[0]), 8);
		NONE(host);
	}
	IS(sys_close(sv[1]), 0);
	NOW(host, {EPOLLIN, 1});
	NOW(display, {EPOLLIN | EPOLLHUP, 3});
}

static void glib_poll(void *arg)
{
	int revents, fd = *(int *)arg;

	IS(sys_poll(fd, EPOLLIN, &revents, -1), 1);
	IS(take(fd, 8), 8);
	flag_set(0);
}

CASE(glib_wakeup, .level = 5, .covers = "E09 C07", .faults = "eventfd-ebadf",
	.calls = "eventfd2 ppoll read write clone", .ref = "GLib: gwakeup.c",
	.breaks = "GTK programs: idle callbacks from threads")
{
	int ev = ev_new(0, EFD_CLOEXEC | EFD_NONBLOCK), tid;

	tid = thread_start(glib_poll, &ev);
	asleep_in(tid, __NR_ppoll);
	IS(ev_put(ev, 1), 8);
	flag_wait(0);
	IS(ev_get(ev), -EAGAIN);
}

CASE(qemu_event_notifier, .level = 5, .covers = "E02 E09 C07",
	.faults = "eventfd-ebadf stale-ready",
	.calls = "eventfd2 ppoll read write epoll_ctl epoll_wait",
	.ref = "QEMU: util/event_notifier-posix.c, util/fdmon-epoll.c",
	.breaks = "QEMU: device interrupts are lost")
{
	int ep = ep_new(), ev = ev_new(0, EFD_NONBLOCK | EFD_CLOEXEC), i;

	/* ppoll on the epoll first, then a wait of 0: both must agree. */
	OK(ep_add(ep, ev, EPOLLIN, 1));
	for (i = 0; i < 3; i++) {
		MASK_IS(polled(ep, EPOLLIN), 0);
		IS(ev_put(ev, 1), 8);
		MASK_IS(polled(ep, EPOLLIN), EPOLLIN);
		NOW(ep, {EPOLLIN, 1});
		IS(take(ev, 512), 8);
		IS(take(ev, 512), -EAGAIN);
		MASK_IS(polled(ep, EPOLLIN), 0);
		NONE(ep);
	}
}

CASE(xorg_resets_edges, .level = 5, .covers = "A16 D05",
	.faults = "mod-no-rearm et-ignored", .calls = "epoll_ctl epoll_wait",
	.ref = "Xorg: os/ospoll.c, ospoll_reset_events",
	.breaks = "Xorg: a client's second request waits for ever")
{
	int ep = ep_new(), sv[2];

	pair_new(sv, SOCK_STREAM | SOCK_NONBLOCK);
	OK(ep_add(ep, sv[0], EPOLLIN | EPOLLET, 1));
	IS(put(sv[1], 64), 64);
	NOW(ep, {EPOLLIN, 1});
	IS(take(sv[0], 32), 32);
	NONE(ep);
	OK(ep_mod(ep, sv[0], EPOLLIN | EPOLLET, 1));
	NOW(ep, {EPOLLIN, 1});
}

CASE(shell_waits_for_terminal_and_child, .level = 5, .covers = "F04 L08 L09",
	.faults = "dup-holds-eof cloexec-ignored close-no-wake",
	.calls = "pipe2 clone close epoll_wait",
	.ref = "brush, nushell (tokio)",
	.breaks = "LevitateOS: $(command) never ends")
{
	int ep = ep_new(), p[2], q[2];
	struct waiter *w;

	pipe_new(p, O_CLOEXEC | O_NONBLOCK);
	pipe_new(q, O_CLOEXEC | O_NONBLOCK);
	OK(ep_add(ep, p[0], EPOLLIN | EPOLLRDHUP | EPOLLET, 1));
	OK(ep_add(ep, q[0], EPOLLIN | EPOLLRDHUP | EPOLLET, 2));
	w = waiter_start(BY_THREAD, ep, 4, -1, NULL);
	IS(sys_close(q[1]), 0);
	WAITER_GOT(w, EPOLLHUP, 2);
	IS(put(p[1], 6), 6);
	IS(sys_close(p[1]), 0);
	NOW(ep, {EPOLLIN | EPOLLHUP, 1});
	IS(drain(p[0]), 6);
}

CASE(bun_pwait2_and_oneshot, .level = 5, .covers = "W06 D06",
	.faults = "pwait2-truncates oneshot-wrong-mask",
	.calls = "epoll_pwait2 eventfd2 epoll_ctl",
	.ref = "Bun: uSockets, eventing/epoll_kqueue.c",
	.breaks = "Bun: timers below a millisecond spin")
{
	struct timespec ts = {0, 300000};
	int ep = ep_new(), ev = ev_new(0, EFD_NONBLOCK);
	struct ep_event e;
	uint64_t start = now_ns();

	OK(ep_add(ep, ev, EPOLLIN | EPOLLONESHOT, 1));
	IS(sys_epoll_pwait2(ep, &e, 1, &ts, NULL, 8), 0);
	HOLDS(now_ns() - start >= 300000);
	IS(ev_put(ev, 1), 8);
	IS(sys_epoll_pwait2(ep, &e, 1, NULL, NULL, 8), 1);
	ts.tv_nsec = 0;
	IS(sys_epoll_pwait2(ep, &e, 1, &ts, NULL, 8), 0);
}

CASE(crosvm_two_levels_of_priority, .level = 5, .covers = "D01 D04 E07",
	.faults = "lifo-ready lt-not-requeued",
	.calls = "eventfd2 epoll_ctl epoll_wait read",
	.ref = "crosvm, cloud-hypervisor: base/src/sys/linux/poll.rs",
	.breaks = "virtual machines: one queue starves another")
{
	int ep = ep_new(), a = ev_new(0, 0), b = ev_new(0, 0);

	OK(ep_add(ep, a, EPOLLIN, 1));
	OK(ep_add(ep, b, EPOLLIN, 2));
	IS(ev_put(b, 1), 8);
	IS(ev_put(a, 1), 8);
	NOW_MAX(ep, 1, {EPOLLIN, 2});
	NOW_MAX(ep, 1, {EPOLLIN, 1});
	IS(ev_get(b), 1);
	NOW(ep, {EPOLLIN, 1});
	IS(ev_get(a), 1);
	NONE(ep);
}

struct ring_params {
	uint32_t sq_entries, cq_entries, flags, cpu, idle, features, wq_fd;
	uint32_t resv[3];
	uint32_t sq_head, sq_tail, sq_mask, sq_count, sq_flags, sq_dropped;
	uint32_t sq_array, sq_resv;
	uint64_t sq_addr;
	uint32_t cq_head, cq_tail, cq_mask, cq_count, cq_overflow, cq_cqes;
	uint32_t cq_flags, cq_resv;
	uint64_t cq_addr;
};

struct ring_entry {
	uint8_t opcode, flags;
	uint16_t prio;
	int32_t fd;
	uint64_t off, addr;
	uint32_t len, op_flags;
	uint64_t data, pad[3];
};

static char *ring_map(int ring, size_t len, uint64_t offset)
{
	return (char *)OK(CALL(mmap, 0, len, PROT_READ | PROT_WRITE, MAP_SHARED,
		ring, offset));
}

/* Submits one entry; the result of its completion. */
static int ring_do(int ring, struct ring_params *p, const struct ring_entry *e)
{
	char *sq = ring_map(ring, p->sq_array + p->sq_entries * 4, 0);
	char *cq = ring_map(ring, p->cq_cqes + p->cq_entries * 16, 0x8000000);
	struct ring_entry *sqes = (struct ring_entry *)ring_map(
		ring, p->sq_entries * sizeof(*e), 0x10000000);

	sqes[0] = *e;
	*(uint32_t *)(sq + p->sq_array) = 0;
	__atomic_add_fetch((uint32_t *)(sq + p->sq_tail), 1, __ATOMIC_SEQ_CST);
	IS(CALL(io_uring_enter, ring, 1, 1, 1, NULL, 0), 1);
	return *(int *)(cq + p->cq_cqes + 8);
}

/*
 * libuv sends its epoll_ctl calls through a ring. Either there is no ring to
 * be had, or what goes through it is what epoll_ctl would have done.
 */
CASE(node_epoll_ctl_through_a_ring, .level = 5, .covers = "A15",
	.faults = "ring-goes-round", .calls = "io_uring_setup epoll_wait",
	.ref = "libuv: uv__epoll_ctl_prep; io_uring/epoll.c",
	.breaks = "felix86 361: Node freezes")
{
	struct ring_params p = {0};
	struct ep_event ev = {EPOLLIN, 77};
	struct ring_entry e = {.opcode = 29,
		.fd = ep_new(),
		.addr = (uint64_t)&ev,
		.len = EPOLL_CTL_ADD};
	long ring = RAW(__NR_io_uring_setup, 4, &p);
	int done;

	if (ring == -ENOSYS || ring == -EPERM) {
		conf_note("no io_uring here, so nothing goes round");
		return;
	}
	OK(ring);
	e.off = (uint64_t)ev_new(1, 0);
	done = ring_do((int)ring, &p, &e);
	if (done == -EINVAL || done == -EOPNOTSUPP) {
		conf_note("the ring does not know epoll_ctl");
		return;
	}
	IS(done, 0);
	NOW(e.fd, {EPOLLIN, 77});
	IS(ep_add(e.fd, (int)e.off, EPOLLIN, 1), -EEXIST);
}
