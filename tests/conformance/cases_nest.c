/* SPDX-License-Identifier: MIT */
/*
 * An epoll inside of an epoll: readiness, edges, cycles and the limits.
 */
#include "conf.h"

#define LOOP_REF "fs/eventpoll.c: ep_loop_check"
#define POLL_REF "fs/eventpoll.c: __ep_eventpoll_poll"

CASE(n01_inner_is_ready, .level = 3, .covers = "N01", .faults = "nested-lost",
	.calls = "epoll_ctl epoll_wait write read", .ref = POLL_REF,
	.breaks = "weston, libinput, systemd: an epoll in an epoll")
{
	int out = ep_new(), in = ep_new(), ev = ev_new(0, 0), i;

	OK(ep_add(in, ev, EPOLLIN, 1));
	OK(ep_add(out, in, EPOLLIN, 2));
	NONE(out);
	for (i = 0; i < 3; i++) {
		IS(ev_put(ev, 1), 8);
		NOW(out, {EPOLLIN, 2});
		NOW(out, {EPOLLIN, 2});
		NOW(in, {EPOLLIN, 1});
		IS(ev_get(ev), 1);
		NONE(out);
		NONE(in);
	}
}

CASE(n01_bits_of_an_inner_epoll, .level = 3, .covers = "N01",
	.calls = "epoll_ctl epoll_wait", .ref = POLL_REF,
	.breaks = "programs that wait for OUT on all they have")
{
	int out = ep_new(), in = ep_new();

	OK(ep_add(out, in, 0xffff, 2));
	NONE(out);
	OK(ep_add(in, ev_new(1, 0), EPOLLIN | EPOLLOUT, 1));
	NOW(out, {EPOLLIN | EPOLLRDNORM, 2});
	OK(ep_mod(out, in, EPOLLOUT, 2));
	NONE(out);
	OK(ep_mod(out, in, EPOLLRDNORM, 2));
	NOW(out, {EPOLLRDNORM, 2});
}

CASE(n01_waiter_on_outer_is_woken, .level = 3, .covers = "N01",
	.faults = "nested-lost", .calls = "epoll_ctl epoll_wait write",
	.ref = "fs/eventpoll.c: ep_poll_safewake",
	.breaks = "weston, Go programs with a nested poller")
{
	int out = ep_new(), mid = ep_new(), in = ep_new(), ev = ev_new(0, 0);
	struct waiter *w;
	int i;

	OK(ep_add(out, mid, EPOLLIN, 3));
	OK(ep_add(mid, in, EPOLLIN, 2));
	OK(ep_add(in, ev, EPOLLIN, 1));
	for (i = 0; i < 3; i++) {
		w = WAITER(out);
		IS(ev_put(ev, 1), 8);
		WAITER_GOT(w, EPOLLIN, 3);
		IS(ev_get(ev), 1);
	}
}

CASE(n01_waiter_on_outer_woken_by_add, .level = 3, .covers = "N01 A15",
	.faults = "nested-lost no-initial-check",
	.calls = "epoll_ctl epoll_wait",
	.ref = "fs/eventpoll.c: ep_insert (ep_poll_safewake)",
	.breaks = "sd-event: sources are added to an inner loop")
{
	int out = ep_new(), in = ep_new(), ev = ev_new(1, 0);
	struct waiter *w;

	OK(ep_add(out, in, EPOLLIN, 2));
	w = WAITER(out);
	OK(ep_add(in, ev, EPOLLIN, 1));
	WAITER_GOT(w, EPOLLIN, 2);
	OK(ep_mod(in, ev, 0, 1));
	NONE(out);
	w = WAITER(out);
	OK(ep_mod(in, ev, EPOLLIN, 1));
	WAITER_GOT(w, EPOLLIN, 2);
}

/* Adds each to the one before; the result of the last. */
static long chain(int *ep, int links, int inside_out)
{
	long r = 0;
	int i;

	for (i = 0; i <= links; i++)
		ep[i] = ep_new();
	for (i = 0; i < links; i++) {
		int k = inside_out ? links - 1 - i : i;

		r = ep_add(ep[k], ep[k + 1], EPOLLIN, 1);
		if (r)
			break;
	}
	return i == links || i == links - 1 ? r : 1;
}

CASE(n02_four_links_work, .level = 3, .covers = "N02",
	.calls = "epoll_ctl epoll_wait", .ref = "epoll_ctl(2), ERRORS: ELOOP",
	.breaks = "stacks of libraries with a loop each")
{
	int ep[8], ev = ev_new(0, 0);

	IS(chain(ep, 4, 0), 0);
	IS(ep_add(ep[4], ev, EPOLLIN, 1), 0);
	NONE(ep[0]);
	IS(ev_put(ev, 1), 8);
	NOW(ep[0], {EPOLLIN, 1});
}

CASE(n02_fifth_link_outside_in, .level = 4, .covers = "N02",
	.calls = "epoll_ctl", .ref = LOOP_REF ": EP_MAX_NESTS",
	.breaks = "fuzzers")
{
	int ep[8];

	IS(chain(ep, 5, 0), -ELOOP);
}

CASE(n02_fifth_link_inside_out, .level = 4, .covers = "N02",
	.calls = "epoll_ctl", .ref = LOOP_REF ": EP_MAX_NESTS",
	.breaks = "fuzzers")
{
	int ep[8];

	IS(chain(ep, 5, 1), -ELOOP);
}

CASE(n02_depth_counts_both_sides, .level = 4, .covers = "N02",
	.calls = "epoll_ctl", .ref = LOOP_REF, .breaks = "fuzzers")
{
	int a[4], b[4], c[4], d[4];
	long r;

	IS(chain(a, 2, 0), 0);
	IS(chain(b, 2, 0), 0);
	r = ep_add(a[2], b[0], EPOLLIN, 1);
	/* VER: older kernels did not count upwards. */
	EITHER(r, -ELOOP, 0);
	if (!r)
		conf_note("the depth above is not counted here");
	IS(chain(c, 2, 0), 0);
	IS(chain(d, 1, 0), 0);
	IS(ep_add(c[2], d[0], EPOLLIN, 1), 0);
}

CASE(n03_cycles, .level = 3, .covers = "N03", .calls = "epoll_ctl",
	.ref = "epoll_ctl(2), ERRORS: ELOOP",
	.breaks = "a kernel without the check recurses for ever")
{
	int a = ep_new(), b = ep_new(), c = ep_new();

	OK(ep_add(a, b, EPOLLIN, 1));
	IS(ep_add(b, a, EPOLLIN, 1), -ELOOP);
	OK(ep_add(b, c, EPOLLIN, 1));
	IS(ep_add(c, a, EPOLLIN, 1), -ELOOP);
	IS(ep_add(c, dup_new(a), EPOLLIN, 1), -ELOOP);
	IS(ep_del(a, b), 0);
	IS(ep_add(c, a, EPOLLIN, 1), 0);
	IS(ep_add(a, b, EPOLLIN, 1), -ELOOP);
}

CASE(n03_loop_before_registration, .level = 4, .covers = "N03 A06",
	.calls = "epoll_ctl", .ref = "fs/eventpoll.c: do_epoll_ctl",
	.breaks = "fuzzers, strace")
{
	int a = ep_new(), b = ep_new();

	OK(ep_add(a, b, EPOLLIN, 1));
	IS(ep_add(a, b, EPOLLIN, 1), -EEXIST);
	IS(ep_mod(b, a, EPOLLIN, 1), -ENOENT);
	IS(ep_del(b, a), -ENOENT);
	IS(ep_add(b, a, EPOLLIN, 1), -ELOOP);
}

/* How many epolls can watch in[links - 1], which watches a file far below. */
static int paths(int links)
{
	int in[5], i, n, fd = ev_new(0, 0);

	limit_files(1024);
	for (i = 0; i < links - 1; i++) {
		in[i] = ep_new();
		OK(ep_add(in[i], fd, EPOLLIN, 1));
		fd = in[i];
	}
	for (n = 0; n < 600; n++) {
		int ep = ep_new();
		long r = ep_add(ep, fd, EPOLLIN, 1);

		if (r) {
			IS(r, -EINVAL);
			IS(ep_del(ep, fd), -ENOENT);
			break;
		}
	}
	return n;
}

CASE(n04_paths_of_length_1, .level = 4, .covers = "N04", .calls = "epoll_ctl",
	.ref = "fs/eventpoll.c: path_limits", .breaks = "pre-forking servers")
{
	IS(paths(1), 600);
}

CASE(n04_paths_of_length_2, .level = 4, .covers = "N04", .calls = "epoll_ctl",
	.ref = "fs/eventpoll.c: path_limits", .breaks = "none known")
{
	IS(paths(2), 500);
}

CASE(n04_paths_of_length_3, .level = 4, .covers = "N04", .calls = "epoll_ctl",
	.ref = "fs/eventpoll.c: path_limits", .breaks = "none known")
{
	IS(paths(3), 100);
}

CASE(n04_paths_of_length_4, .level = 4, .covers = "N04", .calls = "epoll_ctl",
	.ref = "fs/eventpoll.c: path_limits", .breaks = "none known")
{
	IS(paths(4), 50);
}

CASE(n04_paths_of_length_5, .level = 4, .covers = "N04", .calls = "epoll_ctl",
	.ref = "fs/eventpoll.c: path_limits", .breaks = "none known")
{
	IS(paths(5), 10);
}

/* The paths of one file count together, by whichever epoll they begin. */
CASE(n04_paths_of_one_file, .level = 4, .covers = "N04", .calls = "epoll_ctl",
	.ref = "fs/eventpoll.c: reverse_path_check_proc",
	.breaks = "none known")
{
	int fd = ev_new(0, 0), top = ep_new(), n;

	limit_files(1024);
	for (n = 0; n < 600; n++) {
		int ep = ep_new();

		OK(ep_add(ep, fd, EPOLLIN, 1));
		if (ep_add(top, ep, EPOLLIN, 1) < 0)
			break;
	}
	IS(n, 500);
}

CASE(n05_poll_does_not_consume, .level = 3, .covers = "N05 D05",
	.faults = "et-toggle nested-lost", .calls = "ppoll epoll_wait",
	.ref = POLL_REF, .breaks = "GLib around an edge-triggered loop")
{
	int out = ep_new(), in = ep_new(), ev = ev_new(1, 0), i;

	OK(ep_add(in, ev, EPOLLIN | EPOLLET, 1));
	OK(ep_add(out, in, EPOLLIN, 2));
	for (i = 0; i < 3; i++) {
		NOW(out, {EPOLLIN, 2});
		MASK_IS(polled(in, EPOLLIN), EPOLLIN);
	}
	NOW(in, {EPOLLIN, 1});
	NONE(in);
	NONE(out);
	MASK_IS(polled(in, EPOLLIN), 0);
}

CASE(n05_poll_drops_stale_items, .level = 3, .covers = "N05",
	.faults = "stale-ready", .calls = "ppoll epoll_wait read",
	.ref = POLL_REF, .breaks = "Starry-OS: spin at 100 % CPU")
{
	int out = ep_new(), in = ep_new(), ev = ev_new(1, 0);

	OK(ep_add(in, ev, EPOLLIN | EPOLLET, 1));
	OK(ep_add(out, in, EPOLLIN, 2));
	IS(ev_get(ev), 1);
	MASK_IS(polled(in, EPOLLIN), 0);
	NONE(out);
	IS(ev_put(ev, 1), 8);
	NOW(in, {EPOLLIN, 1});
}

CASE(n06_every_wakeup_is_an_outer_edge, .level = 3, .covers = "N06",
	.faults = "nested-lost et-transition-only",
	.calls = "epoll_ctl epoll_wait write",
	.ref = "fs/eventpoll.c: ep_poll_callback (pwake)",
	.breaks = "gVisor: Go and libinput hang after the first event")
{
	int out = ep_new(), in = ep_new(), ev = ev_new(0, 0), i;

	OK(ep_add(in, ev, EPOLLIN, 1));
	OK(ep_add(out, in, EPOLLIN | EPOLLET, 2));
	NONE(out);
	for (i = 0; i < 4; i++) {
		IS(ev_put(ev, 1), 8);
		NOW(out, {EPOLLIN, 2});
		NONE(out);
	}
}

CASE(n07_harvest_gives_no_outer_edge, .level = 3, .covers = "N07",
	.calls = "epoll_wait read", .ref = "fs/eventpoll.c: ep_send_events",
	.breaks = "a loop in a loop that spins")
{
	int out = ep_new(), in = ep_new(), ev = ev_new(1, 0);

	OK(ep_add(in, ev, EPOLLIN, 1));
	OK(ep_add(out, in, EPOLLIN | EPOLLET, 2));
	NOW(out, {EPOLLIN, 2});
	NOW(in, {EPOLLIN, 1});
	NOW(in, {EPOLLIN, 1});
	NONE(out);
}

CASE(n07_drained_file_takes_outer_event_away, .level = 3, .covers = "N07 D02",
	.faults = "stale-ready", .calls = "epoll_wait read", .ref = POLL_REF,
	.breaks = "shadow: spin on an outer epoll")
{
	int out = ep_new(), in = ep_new(), ev = ev_new(1, 0);

	OK(ep_add(in, ev, EPOLLIN, 1));
	OK(ep_add(out, in, EPOLLIN, 2));
	IS(ev_get(ev), 1);
	NONE(out);
	IS(ev_put(ev, 1), 8);
	NOW(out, {EPOLLIN, 2});
}

static void poll_it(void *arg)
{
	int revents;

	IS(sys_poll(*(int *)arg, EPOLLIN, &revents, -1), 1);
	IS(revents, EPOLLIN);
}

CASE(n08_waiter_and_pollers_all_wake, .level = 3, .covers = "N08",
	.faults = "nested-lost waiter-swallows",
	.calls = "ppoll epoll_wait write",
	.ref = "fs/eventpoll.c: ep_poll_callback (wq and poll_wait)",
	.breaks = "GLib and a thread of its own on one epoll")
{
	int ep = ep_new(), ev = ev_new(0, 0), a, b;
	struct waiter *w;

	OK(ep_add(ep, ev, EPOLLIN, 1));
	a = child_start(poll_it, &ep);
	b = child_start(poll_it, &ep);
	asleep_in(a, __NR_ppoll);
	asleep_in(b, __NR_ppoll);
	w = WAITER(ep);
	IS(ev_put(ev, 1), 8);
	WAITER_GOT(w, EPOLLIN, 1);
	IS(child_join(a), 0);
	IS(child_join(b), 0);
}

CASE(n09_closed_inner_leaves_outer, .level = 3, .covers = "N09 L04",
	.faults = "no-close-cleanup close-reports-err",
	.calls = "close epoll_ctl epoll_wait",
	.ref = "fs/eventpoll.c: eventpoll_release_file",
	.breaks = "libraries that close their inner loop")
{
	int out = ep_new(), in = ep_new(), ev = ev_new(1, 0);

	OK(ep_add(in, ev, EPOLLIN, 1));
	OK(ep_add(out, in, EPOLLIN, 2));
	NOW(out, {EPOLLIN, 2});
	IS(sys_close(in), 0);
	NONE(out);
	in = ep_new();
	IS(ep_add(out, in, EPOLLIN, 3), 0);
	IS(ep_add(in, ev, EPOLLIN, 4), 0);
	NOW(out, {EPOLLIN, 3});
}

CASE(n09_closed_outer_leaves_inner, .level = 3, .covers = "N09",
	.faults = "no-close-cleanup", .calls = "close epoll_ctl epoll_wait",
	.ref = "fs/eventpoll.c: ep_clear_and_put",
	.breaks = "libraries that close the loop around theirs")
{
	int out = ep_new(), in = ep_new(), ev = ev_new(1, 0);

	OK(ep_add(in, ev, EPOLLIN, 1));
	OK(ep_add(out, in, EPOLLIN, 2));
	IS(sys_close(out), 0);
	NOW(in, {EPOLLIN, 1});
	out = ep_new();
	IS(ep_add(out, in, EPOLLIN, 3), 0);
	NOW(out, {EPOLLIN, 3});
	IS(ep_add(in, out, EPOLLIN, 1), -ELOOP);
	IS(sys_close(out), 0);
	out = ep_new();
	IS(ep_add(in, out, EPOLLIN, 1), 0);
}
