/* SPDX-License-Identifier: MIT */
/*
 * Delivery, second part: the buffer and the data, which wakes count, and
 * events that come while others are being delivered.
 */
#include "conf.h"
#include <sys/socket.h>

#define SEND_REF "fs/eventpoll.c: ep_send_events"
#define CALLBACK_REF "fs/eventpoll.c: ep_poll_callback"

CASE(d09_tail_of_buffer_untouched, .level = 1, .covers = "D09",
	.calls = "epoll_wait", .ref = SEND_REF,
	.breaks = "loops with a sentinel behind the last event")
{
	int ep = ep_new();
	struct ep_event e[4];
	unsigned char *bytes = (unsigned char *)&e[2];
	size_t i;

	OK(ep_add(ep, ev_new(1, 0), EPOLLIN, 1));
	OK(ep_add(ep, ev_new(1, 0), EPOLLIN, 2));
	memset(e, 0xa5, sizeof(e));
	IS(sys_epoll_wait(ep, e, 4, 0), 2);
	for (i = 0; i < 2 * sizeof(*e); i++)
		IS(bytes[i], 0xa5);
	memset(e, 0xa5, sizeof(e));
	IS(sys_epoll_wait(ep_new(), e, 4, 0), 0);
	IS(((unsigned char *)e)[0], 0xa5);
}

CASE(d09_buffer_ends_at_page_end, .level = 4, .covers = "D09",
	.faults = "event-layout", .calls = "epoll_wait munmap", .ref = SEND_REF,
	.breaks = "buffers on the end of an arena")
{
	struct ep_event *e = edge(3 * sizeof(*e));
	int ep = ep_new(), i;

	for (i = 1; i <= 3; i++)
		OK(ep_add(ep, ev_new(1, 0), EPOLLIN, (uint64_t)i));
	IS(sys_epoll_wait(ep, e, 3, 0), 3);
	IS(e[0].data + e[1].data + e[2].data, 6);
	/* More than fits may be announced, if it is not used. */
	IS(sys_epoll_wait(ep, e, 1000, 0), 3);
}

CASE(d10_data_bit_for_bit, .level = 1, .covers = "D10",
	.faults = "data-truncated", .calls = "epoll_ctl epoll_wait",
	.ref = "epoll_event(3type)", .breaks = "tokio: data is a pointer")
{
	static const uint64_t values[] = {0, 0xffffffffffffffff,
		0x8000000000000000, 0x00000000ffffffff, 0x0123456789abcdef};
	int ep = ep_new(), ev = ev_new(1, 0);
	size_t i;

	OK(ep_add(ep, ev, EPOLLIN, 1));
	for (i = 0; i < 5; i++) {
		OK(ep_mod(ep, ev, EPOLLIN, values[i]));
		NOW(ep, {EPOLLIN, values[i]});
	}
}

#define MANY 1500

CASE(d05_many_edges_once, .level = 3, .covers = "D05 D04",
	.faults = "et-ignored", .calls = "epoll_ctl epoll_wait write",
	.ref = "epoll(7): Edge-triggered",
	.breaks = "edge-triggered servers of many connections that are behind")
{
	static struct ep_event events[MANY];
	static int files[MANY];
	int ep = ep_new(), i, round;

	limit_files(MANY + 100);
	for (i = 0; i < MANY; i++) {
		long fd = CALL(eventfd2, 0, O_NONBLOCK);

		if (fd == -EMFILE)
			conf_skip("not enough descriptors for us");
		files[i] = (int)OK(fd);
		OK(ep_add(ep, files[i], EPOLLIN | EPOLLET, (uint64_t)i));
	}
	for (round = 0; round < 4; round++) {
		for (i = 0; i < MANY; i++)
			IS(ev_put(files[i], 1), 8);
		IS(sys_epoll_wait(ep, events, 1, 0), 1);
		IS(events[0].data, round);
	}
	IS(sys_epoll_wait(ep, events, MANY, 0), MANY - 1);
	IS(sys_epoll_wait(ep, events, MANY, 0), 0);
}

CASE(d10_data_may_be_shared, .level = 1, .covers = "D10",
	.faults = "data-truncated", .calls = "epoll_ctl epoll_wait",
	.ref = "epoll_ctl(2)", .breaks = "loops that use data as a type")
{
	int ep = ep_new();

	OK(ep_add(ep, ev_new(1, 0), EPOLLIN, 7));
	OK(ep_add(ep, ev_new(1, 0), EPOLLIN, 7));
	NOW(ep, {EPOLLIN, 7}, {EPOLLIN, 7});
}

CASE(d11_wake_outside_mask, .level = 2, .covers = "D11 E12",
	.faults = "phantom-out", .calls = "epoll_ctl write read epoll_wait",
	.ref = CALLBACK_REF ": pollflags & event mask",
	.breaks = "loops that must not spin on OUT")
{
	int ep = ep_new(), ev = ev_new(1, 0);

	OK(ep_add(ep, ev, EPOLLOUT | EPOLLET, 1));
	NOW(ep, {EPOLLOUT, 1});
	IS(ev_put(ev, 1), 8);
	NONE(ep);
	IS(ev_get(ev), 2);
	NOW(ep, {EPOLLOUT, 1});
}

CASE(d11_wake_outside_mask_wakes_nobody, .level = 3, .covers = "D11",
	.calls = "epoll_ctl write epoll_wait", .ref = CALLBACK_REF,
	.breaks = "none known")
{
	int ep = ep_new(), ev = ev_new(1, 0);
	struct waiter *w;

	OK(ep_add(ep, ev, EPOLLOUT | EPOLLET, 1));
	NOW(ep, {EPOLLOUT, 1});
	w = WAITER(ep);
	IS(ev_put(ev, 1), 8);
	IS(ev_put(ev, 1), 8);
	WAITER_STILL(w);
	IS(ev_get(ev), 3);
	WAITER_GOT(w, EPOLLOUT, 1);
}

CASE(d11_key_zero_counts_as_anything, .level = 3, .covers = "D11 F06",
	.calls = "socketpair shutdown epoll_wait",
	.ref = CALLBACK_REF ": if (pollflags && ...)",
	.breaks = "loops that learn of a close through OUT")
{
	int ep = ep_new(), sv[2];

	/* The peer's shutdown wakes without a key. */
	pair_new(sv, SOCK_STREAM);
	OK(ep_add(ep, sv[0], EPOLLOUT | EPOLLET, 1));
	NOW(ep, {EPOLLOUT, 1});
	IS(sys_shutdown(sv[1], SHUT_WR), 0);
	NOW(ep, {EPOLLOUT, 1});
}

CASE(d12_only_asked_bits, .level = 2, .covers = "D12",
	.faults = "no-rdhup rdhup-as-hup", .calls = "socketpair shutdown",
	.ref = "epoll_ctl(2): EPOLLRDHUP", .breaks = "half-closed connections")
{
	int ep = ep_new(), sv[2];

	pair_new(sv, SOCK_STREAM);
	OK(ep_add(ep, sv[0], EPOLLIN, 1));
	IS(sys_shutdown(sv[1], SHUT_WR), 0);
	NOW(ep, {EPOLLIN, 1});
	OK(ep_mod(ep, sv[0], EPOLLRDHUP, 1));
	NOW(ep, {EPOLLRDHUP, 1});
	OK(ep_mod(ep, sv[0], EPOLLPRI, 1));
	NONE(ep);
	OK(ep_mod(ep, sv[0], EPOLLRDNORM | EPOLLWRNORM, 1));
	NOW(ep, {EPOLLRDNORM | EPOLLWRNORM, 1});
}

CASE(d12_hup_unasked, .level = 1, .covers = "D12",
	.faults = "no-hup close-no-wake", .calls = "pipe2 close epoll_wait",
	.ref = "epoll_ctl(2): EPOLLHUP need not be set",
	.breaks = "gVisor: clients hang on a remote close")
{
	int ep = ep_new(), p[2];

	pipe_new(p, 0);
	OK(ep_add(ep, p[0], EPOLLIN | EPOLLET, 1));
	NONE(ep);
	IS(sys_close(p[1]), 0);
	NOW(ep, {EPOLLHUP, 1});
	NONE(ep);
}

struct traffic {
	int fd[2];
	int rounds;
};

/* Writes to both, one after the other, and waits for the answer. */
static void write_in_turns(void *arg)
{
	struct traffic *t = arg;
	int i;

	for (i = 0; i < t->rounds; i++)
		if (ev_put(t->fd[i % 2], 1) != 8)
			child_exit(1);
}

/*
 * Every write is an edge; while an event is delivered the next write comes
 * from the other process. A lost event makes the sum stay short for ever.
 */
CASE(d13_no_event_lost_during_delivery, .level = 3, .covers = "D13",
	.faults = "lost-check-then-sleep et-toggle",
	.calls = "epoll_wait write read clone", .ref = SEND_REF ": ovflist",
	.breaks = "hangs under load")
{
	struct traffic t = {
		{ev_new(0, EFD_NONBLOCK), ev_new(0, EFD_NONBLOCK)}, 3000};
	int ep = ep_new(), pid, i;
	struct ep_event e[2];
	long n, got, sum = 0;

	for (i = 0; i < 2; i++)
		OK(ep_add(ep, t.fd[i], EPOLLIN | EPOLLET, (uint64_t)i));
	pid = child_start(write_in_turns, &t);
	while (sum < t.rounds) {
		n = OK(sys_epoll_wait(ep, e, 1 + (int)(sum & 1), SOON));
		HOLDS(n > 0);
		for (i = 0; i < n; i++) {
			got = ev_get(t.fd[e[i].data]);
			if (got != -EAGAIN)
				sum += OK(got);
		}
	}
	IS(sum, t.rounds);
	IS(child_join(pid), 0);
}

CASE(d13_no_event_lost_before_sleep, .level = 3, .covers = "D13 T05",
	.faults = "lost-check-then-sleep",
	.calls = "epoll_wait write read clone",
	.ref = "fs/eventpoll.c: ep_poll",
	.breaks = "NOS, tgoskits: hang under load")
{
	struct ep_event e;
	int ping = ev_new(0, 0), pong = ev_new(0, 0), ep = ep_new(), i, pid;
	int other = ep_new();

	OK(ep_add(ep, ping, EPOLLIN | EPOLLET, 1));
	OK(ep_add(other, pong, EPOLLIN | EPOLLET, 2));
	pid = (int)OK(CALL(clone, 17, 0, 0, 0, 0));
	for (i = 0; i < 1000; i++) {
		if (pid && ev_put(pong, 1) != 8)
			child_exit(1);
		if (sys_epoll_wait(pid ? ep : other, &e, 1, SOON) != 1)
			child_exit(2);
		if (!pid && ev_put(ping, 1) != 8)
			child_exit(3);
	}
	if (!pid)
		child_exit(0);
	IS(child_join(pid), 0);
}

/* The same with writes that nothing but the pipe itself announces. */
CASE(d13_no_pipe_event_lost_before_sleep, .level = 3, .covers = "D13 T05 F01",
	.faults = "lost-check-then-sleep", .calls = "epoll_wait write clone",
	.ref = "fs/eventpoll.c: ep_poll",
	.breaks = "NOS, tgoskits: hang under load")
{
	int ping[2], pong[2], ep = ep_new(), other = ep_new(), i, pid;
	struct ep_event e;

	pipe_new(ping, 0);
	pipe_new(pong, 0);
	OK(ep_add(ep, ping[0], EPOLLIN | EPOLLET, 1));
	OK(ep_add(other, pong[0], EPOLLIN | EPOLLET, 2));
	pid = (int)OK(CALL(clone, 17, 0, 0, 0, 0));
	for (i = 0; i < 1000; i++) {
		if (pid && put(pong[1], 1) != 1)
			child_exit(1);
		if (sys_epoll_wait(pid ? ep : other, &e, 1, SOON) != 1)
			child_exit(2);
		if (!pid && put(ping[1], 1) != 1)
			child_exit(3);
	}
	if (!pid)
		child_exit(0);
	IS(child_join(pid), 0);
}

static void harvest_level(void *arg)
{
	struct ep_event e;

	while (!flag_get(0))
		if (sys_epoll_wait(*(int *)arg, &e, 1, 0) < 0)
			child_exit(1);
}

/* VER: 0 is legal while another one holds the ready list. */
CASE(d14_poll_racing_a_harvest, .level = 3, .covers = "D14",
	.calls = "epoll_wait clone",
	.ref = "fs/eventpoll.c: ep_try_send_events",
	.breaks = "none may rely on it; what follows must not be lost")
{
	int ep = ep_new(), pid, i, missed = 0;
	struct ep_event e;
	long n;

	OK(ep_add(ep, ev_new(1, 0), EPOLLIN, 1));
	pid = child_start(harvest_level, &ep);
	for (i = 0; i < 500; i++) {
		n = sys_epoll_wait(ep, &e, 1, 0);
		EITHER(n, 0, 1);
		missed += !n;
		IS(sys_epoll_wait(ep, &e, 1, SOON), 1);
	}
	flag_set(0);
	IS(child_join(pid), 0);
	if (missed)
		conf_note("a poll that raced a harvest saw nothing");
	NOW(ep, {EPOLLIN, 1});
}
