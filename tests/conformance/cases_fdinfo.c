/* SPDX-License-Identifier: MIT */
/*
 * What /proc/self/fdinfo says of an epoll: one line for each item, with the
 * mask as it is stored. Only the cases here depend on it, so that a kernel
 * without it fails nothing else.
 */
#include "conf.h"
#include <sys/stat.h>

#define INSERT_REF "fs/eventpoll.c: ep_insert"
#define FDINFO_REF "fs/eventpoll.c: ep_show_fdinfo"

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

CASE(d06_oneshot_stored_mask, .level = 4, .covers = "D06 C12",
	.calls = "epoll_wait openat", .ref = "fs/eventpoll.c: EP_PRIVATE_BITS",
	.breaks = "CRIU")
{
	int ep = ep_new(), ev = ev_new(1, 0);

	OK(ep_add(ep, ev, EPOLLIN | EPOLLONESHOT, 1));
	NOW(ep, {EPOLLIN, 1});
	MASK_IS(ep_stored(ep, 0), EPOLLONESHOT);
	OK(ep_mod(ep, ev, EPOLLIN | EPOLLONESHOT | EPOLLET, 1));
	NOW(ep, {EPOLLIN, 1});
	MASK_IS(ep_stored(ep, 0), EPOLLONESHOT | EPOLLET);
}

CASE(c12_fdinfo_items_come_and_go, .level = 4, .covers = "C12 A20 L01",
	.faults = "no-close-cleanup", .calls = "openat read epoll_ctl close",
	.ref = FDINFO_REF, .breaks = "CRIU, leak checkers")
{
	int ep = ep_new(), ev = ev_new(1, 0), two = dup_new(ev);

	ITEMS_ARE(ep, 0);
	OK(ep_add(ep, ev, EPOLLIN, 1));
	ITEMS_ARE(ep, 1);
	OK(ep_add(ep, two, EPOLLIN, 1));
	ITEMS_ARE(ep, 2);
	IS(ep_del(ep, two), 0);
	IS(sys_close(ev), 0);
	ITEMS_ARE(ep, 1);
	OK(ep_add(ep, two, EPOLLIN, 1));
	ITEMS_ARE(ep, 2);
	IS(sys_close(two), 0);
	ITEMS_ARE(ep, 0);
}

CASE(c12_fdinfo_after_refused_add, .level = 4, .covers = "C12 X01 A06",
	.calls = "openat read epoll_ctl", .ref = FDINFO_REF, .breaks = "CRIU")
{
	int ep = ep_new(), ev = ev_new(1, 0);

	IS(ep_add(ep, ev, EPOLLEXCLUSIVE | EPOLLONESHOT, 1), -EINVAL);
	IS(ep_add(ep, ep, EPOLLIN, 1), -EINVAL);
	ITEMS_ARE(ep, 0);
}
