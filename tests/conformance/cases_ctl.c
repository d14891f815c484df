/* SPDX-License-Identifier: MIT */
/*
 * epoll_ctl: what an item is (file and number), what is stored for it, and
 * what ADD, MOD and DEL do to events that are there already.
 */
#include "conf.h"
#include <sys/socket.h>

#define INSERT_REF "fs/eventpoll.c: ep_insert"
#define MODIFY_REF "fs/eventpoll.c: ep_modify"

CASE(a10_dup_is_a_second_item, .level = 2, .covers = "A10",
	.faults = "keyed-by-number", .calls = "dup epoll_ctl epoll_wait",
	.ref = "epoll(7), Q&A 2",
	.breaks = "tokio, Go: read and write halves through a dup")
{
	int ep = ep_new(), ev = ev_new(0, 0), two = dup_new(ev);

	IS(ep_add(ep, ev, EPOLLIN, 1), 0);
	IS(ep_mod(ep, two, EPOLLIN, 2), -ENOENT);
	IS(ep_del(ep, two), -ENOENT);
	IS(ep_add(ep, two, EPOLLIN, 2), 0);
	IS(ep_add(ep, two, EPOLLIN, 2), -EEXIST);
	IS(ev_put(ev, 1), 8);
	NOW_SET(ep, {EPOLLIN, 1}, {EPOLLIN, 2});
	IS(ep_del(ep, ev), 0);
	NOW(ep, {EPOLLIN, 2});
}

CASE(a10_same_file_in_two_epolls, .level = 2, .covers = "A10 T06",
	.calls = "epoll_ctl epoll_wait", .ref = "epoll(7), Q&A 3",
	.breaks = "pre-forking servers: one socket, one epoll for each worker")
{
	int a = ep_new(), b = ep_new(), ev = ev_new(0, 0);

	OK(ep_add(a, ev, EPOLLIN, 1));
	OK(ep_add(b, ev, EPOLLIN | EPOLLET, 2));
	IS(ev_put(ev, 1), 8);
	NOW(a, {EPOLLIN, 1});
	NOW(a, {EPOLLIN, 1});
	NOW(b, {EPOLLIN, 2});
	NONE(b);
	IS(ep_del(a, ev), 0);
	IS(ev_put(ev, 1), 8);
	NONE(a);
	NOW(b, {EPOLLIN, 2});
}

CASE(a12_mask_zero_reports_hup, .level = 2, .covers = "A12 D12",
	.faults = "no-hup", .calls = "epoll_ctl close epoll_wait",
	.ref = "epoll_ctl(2): EPOLLHUP need not be set",
	.breaks = "watchdogs that only want to know of a hang-up")
{
	int ep = ep_new(), p[2];

	pipe_new(p, 0);
	IS(ep_add(ep, p[0], 0, 1), 0);
	IS(put(p[1], 1), 1);
	NONE(ep);
	IS(sys_close(p[1]), 0);
	NOW(ep, {EPOLLHUP, 1});
	NOW(ep, {EPOLLHUP, 1});
}

CASE(a12_mask_zero_reports_err, .level = 2, .covers = "A12 D12",
	.faults = "no-hup", .calls = "epoll_ctl close epoll_wait",
	.ref = "epoll_ctl(2): EPOLLERR need not be set",
	.breaks = "writers that wait for the reader to go")
{
	int ep = ep_new(), p[2];

	pipe_new(p, 0);
	IS(ep_add(ep, p[1], 0, 1), 0);
	NONE(ep);
	IS(sys_close(p[0]), 0);
	NOW(ep, {EPOLLERR, 1});
}

CASE(a15_add_when_ready, .level = 1, .covers = "A15",
	.faults = "no-initial-check", .calls = "epoll_ctl epoll_wait",
	.ref = INSERT_REF ": ep_item_poll", .breaks = "NOS: first event lost")
{
	int ep = ep_new();

	OK(ep_add(ep, ev_new(1, 0), EPOLLIN, 1));
	NOW(ep, {EPOLLIN, 1});
	OK(ep_add(ep, ev_new(0, 0), EPOLLOUT | EPOLLET, 2));
	NOW_SET(ep, {EPOLLIN, 1}, {EPOLLOUT, 2});
	NOW(ep, {EPOLLIN, 1});
}

CASE(a15_add_queues_at_the_tail, .level = 2, .covers = "A15 D01",
	.faults = "lifo-ready", .calls = "epoll_ctl epoll_wait",
	.ref = INSERT_REF ": list_add_tail", .breaks = "fairness of servers")
{
	int ep = ep_new();

	OK(ep_add(ep, ev_new(1, 0), EPOLLIN, 1));
	OK(ep_add(ep, ev_new(1, 0), EPOLLIN, 2));
	OK(ep_add(ep, ev_new(1, 0), EPOLLIN, 3));
	NOW(ep, {EPOLLIN, 1}, {EPOLLIN, 2}, {EPOLLIN, 3});
}

CASE(a15_add_ready_wakes_waiter, .level = 3, .covers = "A15 T07",
	.faults = "no-initial-check", .calls = "epoll_ctl epoll_wait clone",
	.ref = INSERT_REF ": wake_up(&ep->wq)",
	.breaks = "loops that add from another thread")
{
	int ep = ep_new();
	struct waiter *w = WAITER(ep);

	OK(ep_add(ep, ev_new(1, 0), EPOLLIN | EPOLLET, 6));
	WAITER_GOT(w, EPOLLIN, 6);
}

CASE(a16_mod_replaces_mask_and_data, .level = 1, .covers = "A16",
	.calls = "epoll_ctl epoll_wait", .ref = MODIFY_REF,
	.breaks = "every loop that changes its interest")
{
	int ep = ep_new(), ev = ev_new(1, 0);

	OK(ep_add(ep, ev, EPOLLIN, 1));
	NOW(ep, {EPOLLIN, 1});
	OK(ep_mod(ep, ev, EPOLLOUT, 2));
	NOW(ep, {EPOLLOUT, 2});
	OK(ep_mod(ep, ev, EPOLLIN | EPOLLOUT, 3));
	NOW(ep, {EPOLLIN | EPOLLOUT, 3});
}

CASE(a16_mod_of_queued_item, .level = 2, .covers = "A16",
	.calls = "epoll_ctl epoll_wait", .ref = MODIFY_REF,
	.breaks = "loops that change the data of an object that moves")
{
	int ep = ep_new(), ev = ev_new(0, 0);

	OK(ep_add(ep, ev, EPOLLIN | EPOLLET, 1));
	IS(ev_put(ev, 1), 8);
	OK(ep_mod(ep, ev, EPOLLIN | EPOLLET, 2));
	NOW(ep, {EPOLLIN, 2});
	NONE(ep);
}

CASE(a16_mod_rearms_edge, .level = 2, .covers = "A16 D05",
	.faults = "mod-no-rearm", .calls = "epoll_ctl epoll_wait",
	.ref = MODIFY_REF ": ep_item_poll",
	.breaks = "Boost.Asio, which wakes its loop by MOD")
{
	int ep = ep_new(), ev = ev_new(1, 0);

	OK(ep_add(ep, ev, EPOLLIN | EPOLLET, 1));
	NOW(ep, {EPOLLIN, 1});
	NONE(ep);
	OK(ep_mod(ep, ev, EPOLLIN | EPOLLET, 1));
	NOW(ep, {EPOLLIN, 1});
	NONE(ep);
	OK(ep_mod(ep, ev, EPOLLIN | EPOLLET, 1));
	OK(ep_mod(ep, ev, EPOLLIN | EPOLLET, 1));
	NOW(ep, {EPOLLIN, 1});
	NONE(ep);
}

CASE(a16_mod_keeps_place_of_queued_item, .level = 3, .covers = "A16 D01",
	.calls = "epoll_ctl epoll_wait", .ref = MODIFY_REF ": ep_is_linked",
	.breaks = "fairness of servers")
{
	int ep = ep_new(), a = ev_new(0, 0), b = ev_new(0, 0);

	OK(ep_add(ep, a, EPOLLIN | EPOLLET, 1));
	OK(ep_add(ep, b, EPOLLIN | EPOLLET, 2));
	IS(ev_put(a, 1), 8);
	IS(ev_put(b, 1), 8);
	OK(ep_mod(ep, a, EPOLLIN | EPOLLET, 1));
	NOW(ep, {EPOLLIN, 1}, {EPOLLIN, 2});
	OK(ep_mod(ep, b, EPOLLIN | EPOLLET, 2));
	OK(ep_mod(ep, a, EPOLLIN | EPOLLET, 1));
	NOW(ep, {EPOLLIN, 2}, {EPOLLIN, 1});
}

CASE(a17_mod_to_other_mask_drops_stale, .level = 2, .covers = "A17 D02",
	.faults = "stale-ready", .calls = "epoll_ctl epoll_wait",
	.ref = MODIFY_REF, .breaks = "loops that stop reading for a while")
{
	int ep = ep_new(), p[2];

	pipe_new(p, 0);
	OK(ep_add(ep, p[0], EPOLLIN, 1));
	IS(put(p[1], 1), 1);
	OK(ep_mod(ep, p[0], 0, 2));
	NONE(ep);
	OK(ep_mod(ep, p[0], EPOLLIN, 3));
	NOW(ep, {EPOLLIN, 3});
}

CASE(a18_mod_of_queued_item_gives_no_new_wakeup, .level = 4,
	.covers = "A18 N06", .calls = "epoll_ctl epoll_wait",
	.ref = MODIFY_REF ": ep_is_linked", .breaks = "none known")
{
	int out = ep_new(), in = ep_new(), ev = ev_new(1, 0);

	OK(ep_add(in, ev, EPOLLIN, 1));
	OK(ep_add(out, in, EPOLLIN | EPOLLET, 2));
	NOW(out, {EPOLLIN, 2});
	NONE(out);
	OK(ep_mod(in, ev, EPOLLIN, 1));
	NONE(out);
	IS(ev_put(ev, 1), 8);
	NOW(out, {EPOLLIN, 2});
}

CASE(a19_del_removes_queued_event, .level = 1, .covers = "A19",
	.faults = "stale-ready no-close-cleanup",
	.calls = "epoll_ctl epoll_wait", .ref = "fs/eventpoll.c: __ep_remove",
	.breaks = "use after free in loops")
{
	int ep = ep_new(), a = ev_new(1, 0), b = ev_new(1, 0);

	OK(ep_add(ep, a, EPOLLIN, 1));
	OK(ep_add(ep, b, EPOLLIN, 2));
	IS(ep_del(ep, a), 0);
	NOW(ep, {EPOLLIN, 2});
	IS(ep_del(ep, b), 0);
	NONE(ep);
	IS(polled(ep, EPOLLIN), 0);
}

CASE(a19_add_again_after_del, .level = 1, .covers = "A19 A15",
	.calls = "epoll_ctl epoll_wait", .ref = INSERT_REF,
	.breaks = "tokio: deregister, then register again")
{
	int ep = ep_new(), ev = ev_new(1, 0), i;

	for (i = 0; i < 5; i++) {
		OK(ep_add(ep, ev, EPOLLIN | EPOLLET, (uint64_t)i));
		NOW(ep, {EPOLLIN, (uint64_t)i});
		NONE(ep);
		IS(ep_del(ep, ev), 0);
	}
}

CASE(a20_many_items, .level = 4, .covers = "A20", .calls = "dup epoll_ctl",
	.ref = "fs/eventpoll.c: max_user_watches",
	.breaks = "servers with 10k clients")
{
	int ep = ep_new(), ev = ev_new(0, 0), i, round, n;
	struct ep_event e[512];

	limit_files(1024);
	for (n = 0; n < 500; n++)
		OK(sys_dup(ev));
	for (round = 0; round < 3; round++) {
		for (i = 0; i < n; i++)
			IS(ep_add(ep, 5 + i, EPOLLIN | EPOLLET, (uint64_t)i),
				0);
		IS(ev_put(ev, 1), 8);
		IS(sys_epoll_wait(ep, e, 512, 0), n);
		for (i = 0; i < n; i++)
			IS(ep_del(ep, 5 + i), 0);
		IS(sys_epoll_wait(ep, e, 512, 0), 0);
	}
}

#define WATCHES "/proc/sys/fs/epoll/max_user_watches"

static void write_limit(const char *text)
{
	int fd = (int)CALL(openat, AT_FDCWD, WATCHES, O_WRONLY, 0);

	if (fd < 0)
		conf_skip("cannot write " WATCHES);
	OK(CALL(write, fd, text, strlen(text)));
	sys_close(fd);
}

/* Exit status: 0 if the tenth item was the last that could be added. */
static void as_other_user(void *arg)
{
	int ep, ev = ev_new(0, 0), i;

	(void)arg;
	if (CALL(setresuid, 54321, 54321, 54321) < 0)
		child_exit(1);
	/* Items count for the user who created the epoll. */
	ep = ep_new();
	for (i = 0; i < 10; i++)
		if (ep_add(ep, i ? (int)sys_dup(ev) : ev, EPOLLIN, 0))
			child_exit(2);
	if (ep_add(ep, (int)sys_dup(ev), EPOLLIN, 0) != -ENOSPC)
		child_exit(3);
	if (ep_del(ep, ev) || ep_add(ep, ev, EPOLLIN, 0))
		child_exit(4);
	if (ep_add(ep_new(), ev, EPOLLIN, 0) != -ENOSPC)
		child_exit(5);
	sys_close(ep);
	if (ep_add(ep_new(), ev, EPOLLIN, 0))
		child_exit(6);
}

CASE(a20_limit_per_user, .level = 4, .covers = "A20", .needs = NEEDS_SYSCTL,
	.calls = "epoll_ctl setresuid", .ref = "epoll(7): max_user_watches",
	.breaks = "servers that shed load on ENOSPC")
{
	char old[64];
	int pid, status;

	OK(read_file(WATCHES, old, sizeof(old)));
	write_limit("10");
	pid = child_start(as_other_user, NULL);
	status = child_join(pid);
	write_limit(old);
	IS(status, 0);
}

CASE(c11_event_layout, .level = 1, .covers = "C11 D10",
	.faults = "event-layout data-truncated", .calls = "epoll_wait",
	.ref = "include/uapi/linux/eventpoll.h: EPOLL_PACKED",
	.breaks = "LevitateOS: tokio followed a pointer of garbage")
{
	int ep = ep_new();
	uint32_t raw[8] = {0};
	int stride = sizeof(struct ep_event) / 4, at = stride == 3 ? 1 : 2;

	OK(ep_add(ep, ev_new(1, 0), EPOLLIN, 0x0123456789abcdef));
	OK(ep_add(ep, ev_new(1, 0), EPOLLIN, 0xfedcba9876543210));
	IS(sys_epoll_wait(ep, raw, 2, 0), 2);
	IS(raw[0], EPOLLIN);
	IS(raw[at], 0x89abcdef);
	IS(raw[at + 1], 0x01234567);
	IS(raw[stride], EPOLLIN);
	IS(raw[stride + at], 0x76543210);
	IS(raw[stride + at + 1], 0xfedcba98);
}
