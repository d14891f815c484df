/* SPDX-License-Identifier: MIT */
/*
 * What makes an edge on an eventfd: every successful write, every successful
 * read, and nothing else.
 */
#include "conf.h"

#define WRITE_REF "fs/eventfd.c: eventfd_write (wake with EPOLLIN)"
#define READ_REF "fs/eventfd.c: eventfd_read (wake with EPOLLOUT)"

CASE(e10_every_write_is_an_edge, .level = 1, .covers = "E10 R03",
	.faults = "eventfd-edge-once et-transition-only et-toggle",
	.calls = "epoll_ctl write epoll_wait", .ref = WRITE_REF,
	.breaks = "mio, which never reads its waker: hang (WSL, miri, nanos)")
{
	int ep = ep_new(), ev = ev_new(0, EFD_NONBLOCK), i;

	OK(ep_add(ep, ev, EPOLLIN | EPOLLET, 1));
	NONE(ep);
	for (i = 0; i < 5; i++) {
		IS(ev_put(ev, 1), 8);
		NOW(ep, {EPOLLIN, 1});
		NONE(ep);
	}
	IS(ev_get(ev), 5);
}

CASE(e10_write_of_zero_is_an_edge, .level = 2, .covers = "E10",
	.faults = "eventfd-edge-once", .calls = "write epoll_wait",
	.ref = WRITE_REF, .breaks = "none known; it can be seen")
{
	int ep = ep_new(), ev = ev_new(1, EFD_NONBLOCK);

	OK(ep_add(ep, ev, EPOLLIN | EPOLLET, 1));
	NOW(ep, {EPOLLIN, 1});
	IS(ev_put(ev, 0), 8);
	NOW(ep, {EPOLLIN, 1});
	NONE(ep);
}

CASE(e10_write_wakes_waiter_each_time, .level = 2, .covers = "E10",
	.faults = "eventfd-edge-once lost-check-then-sleep",
	.calls = "write epoll_wait clone", .ref = WRITE_REF,
	.breaks = "tokio: lost wake-ups")
{
	int ep = ep_new(), ev = ev_new(0, EFD_NONBLOCK), i;
	struct waiter *w;

	OK(ep_add(ep, ev, EPOLLIN | EPOLLET, 1));
	for (i = 0; i < 5; i++) {
		w = WAITER(ep);
		IS(ev_put(ev, 1), 8);
		WAITER_GOT(w, EPOLLIN, 1);
	}
}

CASE(e11_every_read_is_an_out_edge, .level = 2, .covers = "E11",
	.calls = "read write epoll_wait", .ref = READ_REF,
	.breaks = "writers that wait until a reader took the value")
{
	int ep = ep_new(), ev = ev_new(1, EFD_NONBLOCK), i;

	OK(ep_add(ep, ev, EPOLLOUT | EPOLLET, 1));
	NOW(ep, {EPOLLOUT, 1});
	for (i = 0; i < 3; i++) {
		NONE(ep);
		IS(ev_get(ev), 1);
		NOW(ep, {EPOLLOUT, 1});
		IS(ev_put(ev, 1), 8);
		NONE(ep);
	}
}

CASE(e11_read_wakes_blocked_writer_of_epoll, .level = 3, .covers = "E11 E09",
	.calls = "read write epoll_wait clone", .ref = READ_REF,
	.breaks = "producers that wait for room")
{
	int ep = ep_new(), ev = ev_new(0, EFD_NONBLOCK);
	struct waiter *w;

	IS(ev_put(ev, 0xfffffffffffffffe), 8);
	OK(ep_add(ep, ev, EPOLLOUT, 1));
	NONE(ep);
	w = WAITER(ep);
	IS(ev_get(ev), -2);
	WAITER_GOT(w, EPOLLOUT, 1);
}

CASE(e12_in_only, .level = 2, .covers = "E12",
	.faults = "et-refire-on-read phantom-out",
	.calls = "read write epoll_wait", .ref = WRITE_REF,
	.breaks = "loops that must not spin")
{
	int ep = ep_new(), ev = ev_new(5, EFD_NONBLOCK | EFD_SEMAPHORE);

	OK(ep_add(ep, ev, EPOLLIN | EPOLLET, 1));
	NOW(ep, {EPOLLIN, 1});
	IS(ev_get(ev), 1);
	NONE(ep);
	IS(ev_get(ev), 1);
	NONE(ep);
}

CASE(e12_out_only, .level = 2, .covers = "E12", .faults = "phantom-out",
	.calls = "read write epoll_wait", .ref = READ_REF,
	.breaks = "loops that must not spin")
{
	int ep = ep_new(), ev = ev_new(0, EFD_NONBLOCK);

	OK(ep_add(ep, ev, EPOLLOUT | EPOLLET, 1));
	NOW(ep, {EPOLLOUT, 1});
	IS(ev_put(ev, 1), 8);
	IS(ev_put(ev, 1), 8);
	NONE(ep);
}

CASE(e12_in_and_out, .level = 2, .covers = "E12", .faults = "in-out-split",
	.calls = "read write epoll_wait", .ref = WRITE_REF,
	.breaks = "Go: IN|OUT|RDHUP|ET on all it has")
{
	int ep = ep_new(), ev = ev_new(0, EFD_NONBLOCK);

	OK(ep_add(ep, ev, EPOLLIN | EPOLLOUT | EPOLLET, 1));
	NOW(ep, {EPOLLOUT, 1});
	IS(ev_put(ev, 1), 8);
	NOW(ep, {EPOLLIN | EPOLLOUT, 1});
	IS(ev_get(ev), 1);
	NOW(ep, {EPOLLOUT, 1});
	NONE(ep);
}

CASE(e12_in_and_out_semaphore, .level = 3, .covers = "E12",
	.faults = "in-out-split", .calls = "read write epoll_wait",
	.ref = READ_REF, .breaks = "semaphores in a loop")
{
	int ep = ep_new(), ev = ev_new(2, EFD_NONBLOCK | EFD_SEMAPHORE);

	OK(ep_add(ep, ev, EPOLLIN | EPOLLOUT | EPOLLET, 1));
	NOW(ep, {EPOLLIN | EPOLLOUT, 1});
	IS(ev_get(ev), 1);
	NOW(ep, {EPOLLIN | EPOLLOUT, 1});
	IS(ev_get(ev), 1);
	NOW(ep, {EPOLLOUT, 1});
}

CASE(e13_write_of_zero_at_zero, .level = 3, .covers = "E13",
	.faults = "stale-ready", .calls = "write epoll_wait", .ref = WRITE_REF,
	.breaks = "'1 ready', but nothing found")
{
	int ep = ep_new(), both = ep_new(), ev = ev_new(0, EFD_NONBLOCK);

	OK(ep_add(ep, ev, EPOLLIN | EPOLLET, 1));
	OK(ep_add(both, ev, EPOLLIN | EPOLLOUT | EPOLLET, 2));
	NOW(both, {EPOLLOUT, 2});
	IS(ev_put(ev, 0), 8);
	NONE(ep);
	NOW(both, {EPOLLOUT, 2});
}

CASE(e14_write_and_read_before_the_wait, .level = 2, .covers = "E14",
	.faults = "stale-ready", .calls = "write read epoll_wait",
	.ref = "fs/eventpoll.c: ep_send_events", .breaks = "spins on '1 ready'")
{
	int ep = ep_new(), ev = ev_new(0, EFD_NONBLOCK);

	OK(ep_add(ep, ev, EPOLLIN | EPOLLET, 1));
	IS(ev_put(ev, 1), 8);
	IS(ev_get(ev), 1);
	NONE(ep);
	IS(ev_put(ev, 1), 8);
	NOW(ep, {EPOLLIN, 1});
}

CASE(e14_refused_calls_are_no_edge, .level = 2, .covers = "E14",
	.faults = "phantom-out", .calls = "write read epoll_wait",
	.ref = READ_REF, .breaks = "loops that read until EAGAIN")
{
	int ep = ep_new(), ev = ev_new(0, EFD_NONBLOCK);

	OK(ep_add(ep, ev, EPOLLIN | EPOLLOUT | EPOLLET, 1));
	NOW(ep, {EPOLLOUT, 1});
	IS(ev_get(ev), -EAGAIN);
	NONE(ep);
	IS(ev_put(ev, 0xfffffffffffffffe), 8);
	NOW(ep, {EPOLLIN, 1});
	IS(ev_put(ev, 1), -EAGAIN);
	IS(ev_put(ev, 0xffffffffffffffff), -EINVAL);
	IS(CALL(read, ev, NULL, 4), -EINVAL);
	NONE(ep);
}

CASE(e08_read_fault_is_an_edge, .level = 4, .covers = "E08 E11",
	.calls = "read epoll_wait", .ref = "fs/eventfd.c: eventfd_read",
	.breaks = "none known")
{
	int ep = ep_new(), ev = ev_new(1, EFD_NONBLOCK);

	OK(ep_add(ep, ev, EPOLLOUT | EPOLLET, 1));
	NOW(ep, {EPOLLOUT, 1});
	IS(CALL(read, ev, UNMAPPED, 8), -EFAULT);
	/* The wake happens under the lock, before the copy. */
	NOW(ep, {EPOLLOUT, 1});
	IS(ev_get(ev), -EAGAIN);
}

CASE(e10_large_read_is_an_edge_too, .level = 3, .covers = "E11 E02",
	.calls = "read write epoll_wait", .ref = READ_REF,
	.breaks = "libuv reads 1024 bytes")
{
	int ep = ep_new(), ev = ev_new(3, EFD_NONBLOCK);

	OK(ep_add(ep, ev, EPOLLIN | EPOLLOUT | EPOLLET, 1));
	NOW(ep, {EPOLLIN | EPOLLOUT, 1});
	IS(take(ev, 1024), 8);
	NOW(ep, {EPOLLOUT, 1});
	IS(take(ev, 16), -EAGAIN);
	NONE(ep);
	IS(ev_put(ev, 1), 8);
	NOW(ep, {EPOLLIN | EPOLLOUT, 1});
	IS(take(ev, 16), 8);
	NOW(ep, {EPOLLOUT, 1});
}

/* What io_submit(2) wants. */
struct aio_block {
	uint64_t data;
	uint32_t key, rw_flags;
	uint16_t opcode;
	int16_t prio;
	uint32_t fd;
	uint64_t buf, nbytes;
	int64_t offset;
	uint64_t reserved;
	uint32_t flags, resfd;
};

CASE(e09_overflow_is_err, .level = 4, .covers = "E09 D12",
	.calls = "io_setup io_submit io_getevents epoll_wait",
	.ref = "fs/eventfd.c: eventfd_signal_mask, EPOLLERR",
	.breaks = "none known; only the kernel can reach the top")
{
	int ep = ep_new(), ev = ev_new(0, EFD_NONBLOCK);
	int file = open_self();
	unsigned long ctx = 0;
	uint64_t events[4 * 4];
	static char buf[512];
	struct aio_block b = {.fd = (uint32_t)file,
		.buf = (uint64_t)buf,
		.nbytes = 512,
		.flags = 1,
		.resfd = (uint32_t)ev};
	struct aio_block *list[1] = {&b};

	if (CALL(io_setup, 4, &ctx) < 0)
		conf_skip("no asynchronous I/O");
	OK(ep_add(ep, ev, EPOLLIN | EPOLLET, 1));
	IS(ev_put(ev, 0xfffffffffffffffe), 8);
	NOW(ep, {EPOLLIN, 1});
	IS(CALL(io_submit, ctx, 1, list), 1);
	IS(CALL(io_getevents, ctx, 1, 1, events, NULL), 1);
	COMES(ep, {EPOLLIN | EPOLLERR, 1});
	MASK_IS(polled(ev, EPOLLIN | EPOLLOUT), EPOLLIN | EPOLLERR);
	IS(ev_get(ev), -1);
	MASK_IS(polled(ev, EPOLLIN | EPOLLOUT), EPOLLOUT);
}

CASE(e10_kernel_signal_is_an_edge, .level = 4, .covers = "E10",
	.faults = "eventfd-edge-once", .calls = "io_submit epoll_wait",
	.ref = "fs/eventfd.c: eventfd_signal_mask",
	.breaks = "nginx with aio, QEMU: completions by eventfd")
{
	int ep = ep_new(), ev = ev_new(0, EFD_NONBLOCK), i;
	int file = open_self();
	unsigned long ctx = 0;
	static char buf[512];
	struct aio_block b = {.fd = (uint32_t)file,
		.buf = (uint64_t)buf,
		.nbytes = 512,
		.flags = 1,
		.resfd = (uint32_t)ev};
	struct aio_block *list[1] = {&b};

	if (CALL(io_setup, 8, &ctx) < 0)
		conf_skip("no asynchronous I/O");
	OK(ep_add(ep, ev, EPOLLIN | EPOLLET, 1));
	for (i = 0; i < 3; i++) {
		IS(CALL(io_submit, ctx, 1, list), 1);
		COMES(ep, {EPOLLIN, 1});
		NONE(ep);
	}
	IS(ev_get(ev), 3);
}
