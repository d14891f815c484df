/* SPDX-License-Identifier: MIT */
/*
 * epoll_ctl: its arguments, and the order in which the kernel looks at them.
 * Where two arguments are bad at once, the case says which error wins.
 */
#include "conf.h"
#include <sys/socket.h>

#define CTL_REF "fs/eventpoll.c: SYSCALL_DEFINE4(epoll_ctl)"
#define DO_REF "fs/eventpoll.c: do_epoll_ctl"

CASE(a01_event_fault_first, .level = 4, .covers = "A01", .calls = "epoll_ctl",
	.ref = CTL_REF " (copy_from_user before any descriptor)",
	.breaks = "strace's own tests, fuzzers")
{
	IS(sys_epoll_ctl(-1, EPOLL_CTL_ADD, -1, NULL), -EFAULT);
	IS(sys_epoll_ctl(-1, EPOLL_CTL_MOD, -1, NULL), -EFAULT);
	IS(sys_epoll_ctl(-1, EPOLL_CTL_ADD, -1, UNMAPPED), -EFAULT);
	IS(sys_epoll_ctl(-1, EPOLL_CTL_ADD, -1, KERNEL_ADDR), -EFAULT);
}

CASE(a01_event_null_add_mod, .level = 1, .covers = "A01", .calls = "epoll_ctl",
	.ref = CTL_REF, .breaks = "programs that test their error paths")
{
	int ep = ep_new(), ev = ev_new(0, 0);

	IS(sys_epoll_ctl(ep, EPOLL_CTL_ADD, ev, NULL), -EFAULT);
	OK(ep_add(ep, ev, EPOLLIN, 1));
	IS(sys_epoll_ctl(ep, EPOLL_CTL_MOD, ev, NULL), -EFAULT);
	IS(sys_epoll_ctl(ep, EPOLL_CTL_ADD, ev, KERNEL_ADDR), -EFAULT);
}

CASE(a01_event_at_page_end, .level = 4, .covers = "A01 C11",
	.faults = "event-layout event-unaligned", .calls = "epoll_ctl",
	.ref = CTL_REF, .breaks = "events on the end of a stack or an arena")
{
	size_t size = sizeof(struct ep_event);
	int ep = ep_new(), ev = ev_new(1, 0);
	struct ep_event *e = edge(size);

	e->events = EPOLLIN;
	e->data = 0x1122334455667788;
	IS(sys_epoll_ctl(ep, EPOLL_CTL_ADD, ev, e), 0);
	NOW(ep, {EPOLLIN, 0x1122334455667788});
	IS(sys_epoll_ctl(ep, EPOLL_CTL_MOD, ev, edge(size - 1)), -EFAULT);
	IS(sys_epoll_ctl(ep, EPOLL_CTL_MOD, ev, edge(4)), -EFAULT);
	NOW(ep, {EPOLLIN, 0x1122334455667788});
}

CASE(a01_event_read_only_memory, .level = 4, .covers = "A01",
	.calls = "epoll_ctl mprotect", .ref = CTL_REF,
	.breaks = "events that are constants in a read-only segment")
{
	int ep = ep_new(), ev = ev_new(1, 0);

	IS(sys_epoll_ctl(ep, EPOLL_CTL_ADD, ev, readonly_page()), 0);
	NONE(ep);
}

CASE(a01_event_unaligned, .level = 4, .covers = "A01",
	.faults = "event-unaligned", .calls = "epoll_ctl", .ref = CTL_REF,
	.breaks = "Go: events on its own stacks")
{
	int ep = ep_new(), ev = ev_new(1, 0), i;
	struct ep_event e = {EPOLLIN, 0x0123456789abcdef};
	char buf[40];

	for (i = 1; i < 16; i++) {
		memcpy(buf + i, &e, sizeof(e));
		IS(sys_epoll_ctl(ep, EPOLL_CTL_ADD, ev, buf + i), 0);
		NOW(ep, {EPOLLIN, 0x0123456789abcdef});
		IS(ep_del(ep, ev), 0);
	}
}

CASE(a02_epfd_bad, .level = 1, .covers = "A02", .calls = "epoll_ctl",
	.ref = "epoll_ctl(2), ERRORS: EBADF",
	.breaks = "libraries that close their loop twice")
{
	int ev = ev_new(0, 0);

	IS(ep_add(-1, ev, EPOLLIN, 0), -EBADF);
	IS(ep_add(99, ev, EPOLLIN, 0), -EBADF);
	IS(ep_mod(99, ev, EPOLLIN, 0), -EBADF);
	IS(ep_del(99, ev), -EBADF);
}

CASE(a02_fd_bad, .level = 1, .covers = "A02", .calls = "epoll_ctl",
	.ref = "epoll_ctl(2), ERRORS: EBADF",
	.breaks = "libevent: EBADF after a close is expected")
{
	int ep = ep_new();

	IS(ep_add(ep, -1, EPOLLIN, 0), -EBADF);
	IS(ep_add(ep, 99, EPOLLIN, 0), -EBADF);
	IS(ep_mod(ep, 99, EPOLLIN, 0), -EBADF);
	IS(ep_del(ep, 99), -EBADF);
	IS(ep_del(ep, 0x7fffffff), -EBADF);
	IS(ep_del(ep, (int)0x80000000), -EBADF);
}

CASE(a02_fd_bad_before_not_epoll, .level = 4, .covers = "A02 A05",
	.calls = "epoll_ctl", .ref = DO_REF, .breaks = "fuzzers, strace")
{
	int ev = ev_new(0, 0);

	IS(ep_add(ev, -1, EPOLLIN, 0), -EBADF);
	IS(ep_del(ev, 99), -EBADF);
	IS(ep_add(1, 99, EPOLLIN, 0), -EBADF);
}

CASE(a02_fd_closed_again, .level = 2, .covers = "A02",
	.faults = "no-close-cleanup", .calls = "epoll_ctl close",
	.ref = "epoll_ctl(2), ERRORS: EBADF",
	.breaks = "curl: DEL after the close of a socket")
{
	int ep = ep_new(), ev = ev_new(0, 0);

	OK(ep_add(ep, ev, EPOLLIN, 0));
	IS(sys_close(ev), 0);
	IS(ep_del(ep, ev), -EBADF);
	IS(ep_mod(ep, ev, EPOLLIN, 0), -EBADF);
	IS(ep_add(ep, ev, EPOLLIN, 0), -EBADF);
	IS(sys_close(ep), 0);
	IS(ep_add(ep, 1, EPOLLIN, 0), -EBADF);
}

CASE(a02_o_path_is_not_open, .level = 4, .covers = "A02",
	.calls = "openat epoll_ctl epoll_wait", .ref = "open(2): O_PATH",
	.breaks = "systemd, which keeps O_PATH descriptors")
{
	int fd = (int)OK(CALL(openat, AT_FDCWD, "/", O_PATH, 0));
	int ep = ep_new(), ev = ev_new(0, 0);
	struct ep_event e;

	IS(ep_add(ep, fd, EPOLLIN, 0), -EBADF);
	IS(ep_del(ep, fd), -EBADF);
	IS(ep_add(fd, ev, EPOLLIN, 0), -EBADF);
	IS(sys_epoll_wait(fd, &e, 1, 0), -EBADF);
}

CASE(a02_junk_in_upper_halves, .level = 4, .covers = "A02",
	.calls = "epoll_ctl", .ref = CTL_REF ": int arguments",
	.breaks = "calls made by hand through syscall(2) with 64-bit values")
{
	int ep = ep_new(), ev = ev_new(1, 0);
	struct ep_event e = {EPOLLIN, 5};

	IS(CALL(epoll_ctl, JUNK(ep), JUNK(EPOLL_CTL_ADD), JUNK(ev), &e), 0);
	NOW(ep, {EPOLLIN, 5});
	IS(CALL(epoll_ctl, ep, JUNK(EPOLL_CTL_DEL), ev, NULL), 0);
	NONE(ep);
	IS(CALL(epoll_ctl, JUNK(-1), EPOLL_CTL_DEL, JUNK(-1), NULL), -EBADF);
}

static int open_file(const char *path, int flags)
{
	return (int)OK(CALL(openat, AT_FDCWD, path, flags, 0));
}

CASE(a03_no_poll_any_op, .level = 4, .covers = "A03", .calls = "epoll_ctl",
	.ref = DO_REF ": file_can_poll before op",
	.breaks = "libuv, libev: EPERM means 'use a thread for this file'")
{
	int ep = ep_new(), fd = open_file("/", O_RDONLY | O_DIRECTORY);
	struct ep_event e = {EPOLLIN, 0};

	IS(sys_epoll_ctl(ep, EPOLL_CTL_ADD, fd, &e), -EPERM);
	IS(sys_epoll_ctl(ep, EPOLL_CTL_MOD, fd, &e), -EPERM);
	IS(sys_epoll_ctl(ep, EPOLL_CTL_DEL, fd, NULL), -EPERM);
	IS(sys_epoll_ctl(ep, 99, fd, &e), -EPERM);
	IS(sys_epoll_ctl(ep, 99, fd, NULL), -EFAULT);
}

CASE(a03_no_poll_before_not_epoll, .level = 4, .covers = "A03 A05",
	.calls = "epoll_ctl", .ref = DO_REF, .breaks = "fuzzers, strace")
{
	int fd = open_file("/", O_RDONLY | O_DIRECTORY), ev = ev_new(0, 0);

	IS(ep_add(ev, fd, EPOLLIN, 0), -EPERM);
	IS(ep_add(fd, fd, EPOLLIN, 0), -EPERM);
	IS(ep_add(fd, ev, EPOLLIN, 0), -EINVAL);
}

CASE(a04_regular_file_and_directory, .level = 1, .covers = "A04 A03",
	.calls = "epoll_ctl", .ref = "epoll_ctl(2), ERRORS: EPERM",
	.breaks = "`cat file | program`: libuv and Go fall back on EPERM")
{
	int ep = ep_new();

	IS(ep_add(ep, open_file("/", O_RDONLY | O_DIRECTORY), EPOLLIN, 0),
		-EPERM);
	IS(ep_add(ep, open_self(), EPOLLIN, 0), -EPERM);
}

CASE(a04_memfd, .level = 4, .covers = "A04", .calls = "memfd_create epoll_ctl",
	.ref = "epoll_ctl(2), ERRORS: EPERM", .breaks = "Wayland clients")
{
	int fd = (int)OK(CALL(memfd_create, "x", 0));

	IS(ep_add(ep_new(), fd, EPOLLIN, 0), -EPERM);
}

CASE(a04_devices_without_poll, .level = 4, .covers = "A04",
	.calls = "openat epoll_ctl", .ref = "drivers/char/mem.c",
	.breaks = "daemons with /dev/null as standard input")
{
	static const char *const paths[] = {"/dev/null", "/dev/zero"};
	int i, fd, ep = ep_new();

	for (i = 0; i < 2; i++) {
		fd = (int)CALL(openat, AT_FDCWD, paths[i], O_RDWR, 0);
		if (fd < 0)
			conf_skip("no /dev/null or /dev/zero");
		IS(ep_add(ep, fd, EPOLLIN, 0), -EPERM);
	}
	/* /dev/urandom has no poll, /dev/random has. */
	fd = (int)CALL(openat, AT_FDCWD, "/dev/urandom", O_RDONLY, 0);
	if (fd >= 0)
		IS(ep_add(ep, fd, EPOLLIN, 0), -EPERM);
}

CASE(a04_pollable_kinds, .level = 1, .covers = "A04",
	.calls = "pipe2 socketpair eventfd2 epoll_ctl", .ref = "epoll_ctl(2)",
	.breaks = "every event loop")
{
	int ep = ep_new(), p[2], sv[2];

	pipe_new(p, 0);
	pair_new(sv, SOCK_STREAM);
	IS(ep_add(ep, p[0], EPOLLIN, 0), 0);
	IS(ep_add(ep, p[1], EPOLLIN, 0), 0);
	IS(ep_add(ep, sv[0], EPOLLIN, 0), 0);
	IS(ep_add(ep, ev_new(0, 0), EPOLLIN, 0), 0);
	IS(ep_add(ep, ep_new(), EPOLLIN, 0), 0);
}

CASE(a04_pollable_special, .level = 4, .covers = "A04",
	.calls = "timerfd_create signalfd4 inotify_init1 pidfd_open epoll_ctl",
	.ref = "epoll_ctl(2)", .breaks = "systemd, tokio's process driver")
{
	int ep = ep_new();
	uint64_t mask = 0;

	IS(ep_add(ep, (int)OK(CALL(timerfd_create, 1, 0)), EPOLLIN, 0), 0);
	IS(ep_add(ep, (int)OK(CALL(signalfd4, -1, &mask, 8, 0)), EPOLLIN, 0),
		0);
	IS(ep_add(ep, (int)OK(CALL(inotify_init1, 0)), EPOLLIN, 0), 0);
	IS(ep_add(ep, (int)OK(CALL(pidfd_open, own_pid(), 0)), EPOLLIN, 0), 0);
	NONE(ep);
}

CASE(a05_epfd_is_no_epoll, .level = 1, .covers = "A05", .calls = "epoll_ctl",
	.ref = "epoll_ctl(2), ERRORS: EINVAL", .breaks = "fuzzers, strace")
{
	int ev = ev_new(0, 0), p[2];

	pipe_new(p, 0);
	IS(ep_add(p[0], ev, EPOLLIN, 0), -EINVAL);
	IS(ep_mod(p[0], ev, EPOLLIN, 0), -EINVAL);
	IS(ep_del(p[0], ev), -EINVAL);
	IS(ep_add(ev, p[0], EPOLLIN, 0), -EINVAL);
}

CASE(a05_itself, .level = 1, .covers = "A05 N03", .calls = "epoll_ctl dup",
	.ref = "epoll_ctl(2), ERRORS: EINVAL", .breaks = "fuzzers, strace")
{
	int ep = ep_new(), alias = dup_new(ep);

	IS(ep_add(ep, ep, EPOLLIN, 0), -EINVAL);
	IS(ep_add(ep, alias, EPOLLIN, 0), -EINVAL);
	IS(ep_add(alias, ep, EPOLLIN, 0), -EINVAL);
	IS(ep_del(ep, ep), -EINVAL);
	IS(ep_mod(ep, alias, EPOLLIN, 0), -EINVAL);
}

CASE(a06_unknown_op_comes_last, .level = 4, .covers = "A06",
	.calls = "epoll_ctl", .ref = DO_REF ": switch (op)",
	.breaks = "fuzzers, strace")
{
	int ep = ep_new(), ev = ev_new(0, 0);
	struct ep_event e = {EPOLLIN, 0};

	IS(sys_epoll_ctl(ep, 0, ev, &e), -EINVAL);
	IS(sys_epoll_ctl(ep, 4, ev, &e), -EINVAL);
	IS(sys_epoll_ctl(ep, -1, ev, &e), -EINVAL);
	IS(sys_epoll_ctl(ep, 99, 77, &e), -EBADF);
	IS(sys_epoll_ctl(77, 99, ev, &e), -EBADF);
	OK(ep_add(ep, ev, EPOLLIN, 0));
	IS(sys_epoll_ctl(ep, 4, ev, &e), -EINVAL);
	IS(ep_mod(ep, ev, EPOLLIN, 0), 0);
}

CASE(a07_unknown_op_copies_event, .level = 4, .covers = "A07",
	.calls = "epoll_ctl", .ref = "fs/eventpoll.c: ep_op_has_event",
	.breaks = "fuzzers, strace")
{
	int ep = ep_new(), ev = ev_new(0, 0);

	IS(sys_epoll_ctl(ep, 99, ev, NULL), -EFAULT);
	IS(sys_epoll_ctl(ep, 0, ev, NULL), -EFAULT);
	IS(sys_epoll_ctl(-1, 99, -1, KERNEL_ADDR), -EFAULT);
}

CASE(a08_del_ignores_event, .level = 1, .covers = "A08 R05",
	.calls = "epoll_ctl", .ref = "epoll_ctl(2), BUGS (NULL since 2.6.9)",
	.breaks = "mio, Go: DEL with NULL or with garbage")
{
	int ep = ep_new(), ev = ev_new(0, 0);

	OK(ep_add(ep, ev, EPOLLIN, 0));
	IS(sys_epoll_ctl(ep, EPOLL_CTL_DEL, ev, NULL), 0);
	OK(ep_add(ep, ev, EPOLLIN, 0));
	IS(sys_epoll_ctl(ep, EPOLL_CTL_DEL, ev, UNMAPPED), 0);
	OK(ep_add(ep, ev, EPOLLIN, 0));
	IS(sys_epoll_ctl(ep, EPOLL_CTL_DEL, ev, KERNEL_ADDR), 0);
}

CASE(a09_add_twice, .level = 1, .covers = "A09", .calls = "epoll_ctl",
	.ref = "epoll_ctl(2), ERRORS: EEXIST",
	.breaks = "libevent, which retries as MOD on EEXIST")
{
	int ep = ep_new(), ev = ev_new(0, 0);

	IS(ep_add(ep, ev, EPOLLIN, 1), 0);
	IS(ep_add(ep, ev, EPOLLOUT, 2), -EEXIST);
	IS(ev_put(ev, 1), 8);
	NOW(ep, {EPOLLIN, 1});
}

CASE(a09_not_registered, .level = 1, .covers = "A09", .calls = "epoll_ctl",
	.ref = "epoll_ctl(2), ERRORS: ENOENT",
	.breaks = "libevent, which retries as ADD on ENOENT")
{
	int ep = ep_new(), ev = ev_new(0, 0);

	IS(ep_mod(ep, ev, EPOLLIN, 1), -ENOENT);
	IS(ep_del(ep, ev), -ENOENT);
	OK(ep_add(ep, ev, EPOLLIN, 1));
	IS(ep_del(ep, ev), 0);
	IS(ep_del(ep, ev), -ENOENT);
	IS(ep_mod(ep, ev, EPOLLIN, 1), -ENOENT);
	IS(ep_add(ep, ev, EPOLLIN, 1), 0);
}
