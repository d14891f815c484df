/* SPDX-License-Identifier: MIT */
/*
 * epoll_ctl: what an item is (file and number), what is stored for it, and
 * what ADD, MOD and DEL do to events that are there already.
 */
#include "conf.h"
#include <sys/socket.h>
#include <sys/stat.h>

#define INSERT_REF "fs/eventpoll.c: ep_insert"
#define MODIFY_REF "fs/eventpoll.c: ep_modify"
#define FDINFO_REF "fs/eventpoll.c: ep_show_fdinfo"

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

CASE(a11_err_and_hup_are_stored, .level = 4, .covers = "A11 C12",
	.calls = "epoll_ctl openat", .ref = INSERT_REF " (EPOLLERR|EPOLLHUP)",
	.breaks = "CRIU, which restores items from fdinfo")
{
	int ep = ep_new(), ev = ev_new(0, 0);

	OK(ep_add(ep, ev, EPOLLIN, 1));
	MASK_IS(ep_stored(ep, 0), EPOLLIN | EPOLLERR | EPOLLHUP);
	OK(ep_mod(ep, ev, 0, 1));
	MASK_IS(ep_stored(ep, 0), EPOLLERR | EPOLLHUP);
	OK(ep_mod(ep, ev, EPOLLOUT | EPOLLET, 1));
	MASK_IS(ep_stored(ep, 0), EPOLLOUT | EPOLLERR | EPOLLHUP | EPOLLET);
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

CASE(a13_unknown_bits, .level = 4, .covers = "A13 C12", .calls = "epoll_ctl",
	.ref = INSERT_REF " (no check of the mask)",
	.breaks = "programs that pass POLLNVAL or kernel-internal bits")
{
	uint32_t most = 0xffffffff & ~(EPOLLEXCLUSIVE | EPOLLWAKEUP | EPOLLET |
					     EPOLLONESHOT);
	int ep = ep_new(), ev = ev_new(1, 0);

	IS(ep_add(ep, ev, most, 1), 0);
	MASK_IS(ep_stored(ep, 0) & ~EPOLLWAKEUP, most);
	NOW(ep, {EPOLLIN | EPOLLOUT, 1});
	IS(ep_mod(ep, ev, 0x20, 1), 0);
	NONE(ep);
}

CASE(a13_all_bits_but_exclusive, .level = 4, .covers = "A13 A14",
	.calls = "epoll_ctl", .ref = INSERT_REF, .breaks = "fuzzers, strace")
{
	int ep = ep_new(), ev = ev_new(1, 0);

	IS(ep_add(ep, ev, 0xffffffff & ~EPOLLEXCLUSIVE, 1), 0);
	MASK_IS(ep_stored(ep, 0) | EPOLLWAKEUP, 0xefffffff);
	NOW(ep, {EPOLLIN | EPOLLOUT, 1});
	NONE(ep);
}

CASE(a14_wakeup_flag, .level = 4, .covers = "A14", .calls = "epoll_ctl",
	.ref = "fs/eventpoll.c: ep_take_care_of_epollwakeup",
	.breaks = "Android's looper")
{
	int ep = ep_new(), ev = ev_new(0, 0);
	uint32_t stored;

	IS(ep_add(ep, ev, EPOLLIN | EPOLLWAKEUP, 1), 0);
	stored = ep_stored(ep, 0);
	/* VER: kept only with CAP_BLOCK_SUSPEND and CONFIG_PM_SLEEP. */
	if (stored & EPOLLWAKEUP)
		conf_note("EPOLLWAKEUP is kept here");
	MASK_IS(stored & ~EPOLLWAKEUP, EPOLLIN | EPOLLERR | EPOLLHUP);
	IS(ep_mod(ep, ev, EPOLLIN | EPOLLWAKEUP, 1), 0);
	MASK_IS(ep_stored(ep, 0), stored);
	IS(ev_put(ev, 1), 8);
	NOW(ep, {EPOLLIN, 1});
}

CASE(a14_wakeup_flag_without_capability, .level = 4, .covers = "A14",
	.calls = "capset epoll_ctl", .ref = "capabilities(7): BLOCK_SUSPEND",
	.breaks = "Android programs run as an ordinary user")
{
	uint32_t head[2] = {0x20080522, 0}, none[6] = {0};
	int ep = ep_new(), ev = ev_new(0, 0);

	OK(CALL(capset, head, none));
	IS(ep_add(ep, ev, EPOLLIN | EPOLLWAKEUP, 1), 0);
	MASK_IS(ep_stored(ep, 0), EPOLLIN | EPOLLERR | EPOLLHUP);
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
	ITEMS_ARE(ep, 0);
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

CASE(c12_fdinfo, .level = 4, .covers = "C12", .calls = "openat read fstat",
	.ref = FDINFO_REF, .breaks = "CRIU, lsfd, Chromium's debugger")
{
	int ep = ep_new(), ev = ev_new(0, 0);
	char buf[1000], want[200];
	struct text t = TEXT_ON(want);
	const char *line;
	struct stat st;

	OK(ep_add(ep, ev, EPOLLIN | EPOLLET, 0x1234567890abcdef));
	OK(CALL(fstat, ev, &st));
	read_fdinfo(ep, buf, sizeof(buf));
	line = strstr(buf, "tfd:");
	HOLDS(line);
	text_put(&t,
		"tfd:        %d events: 80000019 data: 1234567890abcdef "
		" pos:0 ino:%lx sdev:%lx\n",
		ev, (unsigned long)st.st_ino,
		(unsigned long)((st.st_dev >> 8 & 0xfff) << 20 |
				(st.st_dev & 0xff)));
	TEXT_IS(line, want);
	HOLDS(strstr(buf, "pos:\t0\nflags:\t02000002\n") == buf);
}

CASE(c12_fdinfo_order, .level = 4, .covers = "C12", .calls = "openat read dup",
	.ref = "fs/eventpoll.c: ep_cmp_ffd", .breaks = "CRIU")
{
	int ep = ep_new(), ev = ev_new(0, 0), i;
	char buf[2000];
	const char *p = buf;

	for (i = 20; i > 14; i--) {
		OK(sys_dup2(ev, i));
		OK(ep_add(ep, i, EPOLLIN, 1));
	}
	read_fdinfo(ep, buf, sizeof(buf));
	for (i = 15; i <= 20; i++) {
		p = strstr(p, "tfd:");
		HOLDS(p);
		IS(info_number(p++, "tfd:", 10), i);
	}
}
