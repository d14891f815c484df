/* SPDX-License-Identifier: MIT */
/*
 * Creation of an epoll instance, and what its descriptor is as a file:
 * numbers, flags, links, and all the calls that an epoll file refuses.
 */
#include "conf.h"
#include <sys/mman.h>
#include <sys/stat.h>

CASE(c01_create_size_zero, .level = 1, .covers = "C01", .calls = "epoll_create",
	.ref = "epoll_create(2), ERRORS: EINVAL",
	.breaks = "configure tests of libevent and APR")
{
	IS(sys_epoll_create(0), -EINVAL);
}

CASE(c01_create_size_negative, .level = 4, .covers = "C01",
	.calls = "epoll_create", .ref = "epoll_create(2), ERRORS: EINVAL",
	.breaks = "programs that pass a size which overflowed")
{
	IS(sys_epoll_create(-1), -EINVAL);
	IS(sys_epoll_create((int)0x80000000), -EINVAL);
}

CASE(c01_create_size_ignored, .level = 1, .covers = "C01",
	.calls = "epoll_create", .ref = "epoll_create(2), DESCRIPTION",
	.breaks = "Java NIO (256), lighttpd (maximum of descriptors)")
{
	IS(sys_epoll_create(1), 3);
	IS(sys_epoll_create(0x7fffffff), 4);
}

CASE(c01_create_size_junk_upper, .level = 4, .covers = "C01",
	.calls = "epoll_create", .ref = "fs/eventpoll.c: int size",
	.breaks = "calls made by hand through syscall(2) with 64-bit values")
{
#ifdef __NR_epoll_create
	IS(CALL(epoll_create, JUNK(0)), -EINVAL);
	IS(CALL(epoll_create, JUNK(1)), 3);
#else
	conf_skip("the kernel of this architecture has no epoll_create");
#endif
}

CASE(c01_create_no_cloexec, .level = 1, .covers = "C01 C03",
	.faults = "cloexec-ignored", .calls = "epoll_create fcntl",
	.ref = "epoll_create(2)", .breaks = "programs that exec with an epoll")
{
	int fd = (int)OK(sys_epoll_create(1));

	IS(sys_fcntl(fd, F_GETFD, 0), 0);
}

CASE(c02_create1_zero, .level = 1, .covers = "C02", .calls = "epoll_create1",
	.ref = "epoll_create1(2)", .breaks = "everything that uses epoll")
{
	IS(sys_epoll_create1(0), 3);
}

CASE(c02_create1_cloexec_value, .level = 1, .covers = "C02 R01",
	.calls = "epoll_create1", .ref = "include/uapi/linux/eventpoll.h",
	.breaks = "tokio, Go: create with EPOLL_CLOEXEC")
{
	IS(EPOLL_CLOEXEC, O_CLOEXEC);
	IS(sys_epoll_create1(02000000), 3);
}

CASE(c02_create1_unknown_flags, .level = 1, .covers = "C02",
	.calls = "epoll_create1", .ref = "epoll_create1(2), ERRORS: EINVAL",
	.breaks = "feature tests at start-up")
{
	IS(sys_epoll_create1(1), -EINVAL);
	IS(sys_epoll_create1(O_NONBLOCK), -EINVAL);
	IS(sys_epoll_create1(EPOLL_CLOEXEC | 1), -EINVAL);
	IS(sys_epoll_create1(-1), -EINVAL);
}

CASE(c02_create1_every_bit, .level = 4, .covers = "C02",
	.calls = "epoll_create1", .ref = "fs/eventpoll.c: do_epoll_create",
	.breaks = "feature tests at start-up")
{
	int bit;

	for (bit = 0; bit < 32; bit++)
		if (1u << bit != EPOLL_CLOEXEC)
			IS(sys_epoll_create1((int)(1u << bit)), -EINVAL);
}

CASE(c02_create1_junk_upper, .level = 4, .covers = "C02",
	.calls = "epoll_create1", .ref = "fs/eventpoll.c: int flags",
	.breaks = "calls made by hand through syscall(2) with 64-bit values")
{
	IS(CALL(epoll_create1, JUNK(0)), 3);
	IS(CALL(epoll_create1, JUNK(1)), -EINVAL);
}

CASE(c03_lowest_number, .level = 1, .covers = "C03",
	.faults = "number-outside-table number-too-high",
	.calls = "epoll_create1 close dup", .ref = "open(2): lowest number",
	.breaks = "F-Stack programs with FD_SETSIZE, shells that count on it")
{
	IS(sys_epoll_create1(0), 3);
	IS(sys_epoll_create1(0), 4);
	IS(sys_dup(1), 5);
	IS(sys_close(3), 0);
	IS(sys_epoll_create1(0), 3);
	IS(sys_dup(1), 6);
	IS(sys_close(0), 0);
	IS(sys_epoll_create1(0), 0);
	NONE(0);
}

CASE(c03_flags_and_cloexec, .level = 1, .covers = "C03 R01",
	.faults = "cloexec-ignored", .calls = "epoll_create1 fcntl",
	.ref = "fs/eventpoll.c: do_epoll_create (O_RDWR)",
	.breaks = "programs that fork and exec helpers")
{
	int plain = (int)OK(sys_epoll_create1(0));
	int cloexec = (int)OK(sys_epoll_create1(EPOLL_CLOEXEC));

	IS(sys_fcntl(plain, F_GETFD, 0), 0);
	IS(sys_fcntl(cloexec, F_GETFD, 0), FD_CLOEXEC);
	IS(sys_fcntl(plain, F_GETFL, 0) & 0777777 & ~0100000, O_RDWR);
	IS(sys_fcntl(cloexec, F_GETFL, 0) & 0777777 & ~0100000, O_RDWR);
}

/*
 * ENFILE and ENOMEM need the whole system at its limit, so only the limit of
 * the process is reached here.
 */
CASE(c04_emfile, .level = 4, .covers = "C04",
	.calls = "prlimit64 epoll_create1 epoll_create eventfd2",
	.ref = "epoll_create(2), ERRORS: EMFILE",
	.breaks = "servers that run at their limit and close idle clients")
{
	limit_files(4);
	IS(sys_epoll_create1(0), 3);
	IS(sys_epoll_create1(0), -EMFILE);
	IS(CALL(eventfd2, 0, 0), -EMFILE);
	IS(sys_close(3), 0);
	IS(CALL(eventfd2, 0, 0), 3);
	IS(sys_epoll_create1(0), -EMFILE);
	IS(sys_epoll_create1(1), -EINVAL);
}

CASE(c05_link, .level = 4, .covers = "C05", .calls = "readlinkat",
	.ref = "fs/eventpoll.c: \"[eventpoll]\"",
	.breaks = "lsof, CRIU, gdb, Node's handle-type detection")
{
	char buf[64];
	int ep = ep_new();
	long n;

	IS(ep, 3);
	n = CALL(readlinkat, AT_FDCWD, "/proc/self/fd/3", buf, 63);
	if (n < 0)
		conf_skip("no /proc/self/fd");
	buf[n] = 0;
	TEXT_IS(buf, "anon_inode:[eventpoll]");
}

CASE(c05_fstat, .level = 4, .covers = "C05", .calls = "fstat",
	.ref = "fs/anon_inodes.c", .breaks = "CRIU, uv_guess_handle of libuv")
{
	struct stat e, v;

	OK(CALL(fstat, ep_new(), &e));
	OK(CALL(fstat, ev_new(0, 0), &v));
	IS(e.st_mode & 07777, 0600);
	IS(e.st_mode & S_IFMT, 0);
	IS(e.st_size, 0);
	HOLDS(e.st_ino == v.st_ino);
	HOLDS(e.st_dev == v.st_dev);
}

CASE(c06_read_write, .level = 1, .covers = "C06", .calls = "read write",
	.ref = "fs/eventpoll.c: eventpoll_fops has no read",
	.breaks = "programs that treat any descriptor as a stream")
{
	int ep = ep_new();

	IS(take(ep, 8), -EINVAL);
	IS(put(ep, 8), -EINVAL);
	IS(take(ep, 1), -EINVAL);
	IS(put(ep, 100), -EINVAL);
}

CASE(c06_truncate_sync_map, .level = 4, .covers = "C06",
	.calls = "ftruncate fsync mmap", .ref = "fs/eventpoll.c",
	.breaks = "stress tests such as trinity and LTP")
{
	int ep = ep_new();

	IS(CALL(ftruncate, ep, 0), -EINVAL);
	IS(CALL(fsync, ep), -EINVAL);
	IS(CALL(mmap, 0, 4096, PROT_READ, MAP_SHARED, ep, 0), -ENODEV);
	IS(CALL(mmap, 0, 4096, PROT_READ, MAP_PRIVATE, ep, 0), -ENODEV);
}

CASE(c06_lseek, .level = 4, .covers = "C06", .calls = "lseek",
	.ref = "fs/eventpoll.c: noop_llseek", .breaks = "file-type guessing")
{
	int ep = ep_new();

	IS(CALL(lseek, ep, 0, SEEK_SET), 0);
	IS(CALL(lseek, ep, 100, SEEK_CUR), 0);
	IS(CALL(lseek, ep, -5, SEEK_END), 0);
}

CASE(c07_poll_on_epoll, .level = 2, .covers = "C07 N01",
	.faults = "nested-lost stale-ready", .calls = "ppoll epoll_ctl",
	.ref = "fs/eventpoll.c: ep_eventpoll_poll",
	.breaks = "GLib, libwayland, Erlang: an epoll inside of a poll loop")
{
	int ep = ep_new(), ev = ev_new(0, 0);
	uint32_t all = 0xffff & ~(0x20u);

	OK(ep_add(ep, ev, EPOLLIN, 1));
	IS(polled(ep, (int)all), 0);
	IS(ev_put(ev, 1), 8);
	MASK_IS(polled(ep, (int)all), EPOLLIN | EPOLLRDNORM);
	MASK_IS(polled(ep, EPOLLOUT), 0);
	MASK_IS(polled(ep, EPOLLIN), EPOLLIN);
	IS(ev_get(ev), 1);
	MASK_IS(polled(ep, (int)all), 0);
}

CASE(c07_select_on_epoll, .level = 3, .covers = "C07",
	.faults = "number-too-high", .calls = "pselect6", .ref = "select(2)",
	.breaks = "Tcl, old event loops with select")
{
	int ep = ep_new(), ev = ev_new(1, 0);
	unsigned long set[16] = {1ul << ep}, out[16] = {1ul << ep};
	unsigned long except[16] = {1ul << ep};
	long ts[2] = {0, 0};

	IS(CALL(pselect6, ep + 1, set, out, except, ts, NULL), 0);
	OK(ep_add(ep, ev, EPOLLIN, 1));
	set[0] = out[0] = except[0] = 1ul << ep;
	IS(CALL(pselect6, ep + 1, set, out, except, ts, NULL), 1);
	IS(set[0], 1l << ep);
	IS(out[0], 0);
	IS(except[0], 0);
}

CASE(c07_old_poll_and_select, .level = 3, .covers = "C07 E09",
	.faults = "number-too-high", .calls = "poll select",
	.ref = "poll(2), select(2)", .breaks = "programs that call them raw")
{
#ifdef __NR_poll
	int ep = ep_new(), ev = ev_new(1, 0);
	struct {
		int fd;
		short events, revents;
	} p[2] = {{ep, EPOLLIN, 0}, {ev, EPOLLIN | EPOLLOUT, 0}};
	unsigned long set[16] = {1ul << ep | 1ul << ev};
	long tv[2] = {0, 0};

	OK(ep_add(ep, ev, EPOLLIN, 1));
	IS(CALL(poll, p, 2, -1), 2);
	IS(p[0].revents, EPOLLIN);
	IS(p[1].revents, EPOLLIN | EPOLLOUT);
	IS(CALL(select, 16, set, NULL, NULL, tv), 2);
	IS(ev_get(ev), 1);
	IS(CALL(poll, p, 1, 0), 0);
	IS(CALL(select, 16, set, NULL, NULL, tv), 0);
#else
	conf_skip("this architecture has no poll and select");
#endif
}

static void poll_forever(void *arg)
{
	int revents;

	IS(sys_poll(*(int *)arg, EPOLLIN, &revents, -1), 1);
	IS(revents, EPOLLIN);
	flag_set(0);
}

CASE(c07_poll_is_woken, .level = 3, .covers = "C07 N08",
	.faults = "nested-lost lost-check-then-sleep",
	.calls = "ppoll epoll_ctl write",
	.ref = "fs/eventpoll.c: ep_poll_safewake",
	.breaks = "libwayland clients, Erlang, Go's nested pollers")
{
	int ep = ep_new(), ev = ev_new(0, 0), pid;

	OK(ep_add(ep, ev, EPOLLIN, 1));
	pid = child_start(poll_forever, &ep);
	asleep_in(pid, __NR_ppoll);
	IS(ev_put(ev, 1), 8);
	flag_wait(0);
	IS(child_join(pid), 0);
}

CASE(c08_nonblock_changes_nothing, .level = 4, .covers = "C08 W08",
	.calls = "fcntl ioctl epoll_wait", .ref = "fs/eventpoll.c: ep_poll",
	.breaks = "libraries that set O_NONBLOCK on all they open")
{
	int ep = ep_new(), one = 1;
	struct ep_event ev;
	uint64_t start;

	IS(CALL(ioctl, ep, 0x5421, &one), 0);
	HOLDS(sys_fcntl(ep, F_GETFL, 0) & O_NONBLOCK);
	IS(sys_fcntl(ep, F_SETFL, O_NONBLOCK), 0);
	start = now_ns();
	IS(sys_epoll_wait(ep, &ev, 1, 30), 0);
	HOLDS(now_ns() - start >= 30000000);
}

CASE(c09_ioctl_unknown, .level = 4, .covers = "C09", .calls = "ioctl",
	.ref = "fs/eventpoll.c: ep_eventpoll_ioctl",
	.breaks = "isatty() on any descriptor (it looks for an error only)")
{
	int ep = ep_new();
	char buf[64];
	long n = 0;

	/* VER: ENOTTY before 6.9, when epoll had no ioctl of its own. */
	n = CALL(ioctl, ep, 0x5401, buf);
	EITHER(n, -EINVAL, -ENOTTY);
	if (n == -ENOTTY)
		conf_note("epoll has no ioctl here (before 6.9)");
	IS(CALL(ioctl, ep, 0x541b, buf), n);
	IS(CALL(ioctl, ep, 0x8a03, buf), n);
}

struct busy_params {
	uint32_t usecs;
	uint16_t budget;
	uint8_t prefer;
	uint8_t pad;
};

#define SET_PARAMS 0x40088a01
#define GET_PARAMS 0x80088a02

CASE(c09_busy_poll_ioctl_elsewhere, .level = 4, .covers = "C09",
	.calls = "ioctl", .ref = "ioctl_eventpoll(2)",
	.breaks = "a kernel that takes the number for all files")
{
	struct busy_params p = {0};
	int fds[2];

	pipe_new(fds, 0);
	IS(CALL(ioctl, fds[0], GET_PARAMS, &p), -ENOTTY);
	IS(CALL(ioctl, fds[0], SET_PARAMS, &p), -ENOTTY);
	IS(CALL(ioctl, ev_new(0, 0), GET_PARAMS, &p), -ENOTTY);
	IS(CALL(ioctl, -1, GET_PARAMS, &p), -EBADF);
}

/* VER: since 6.9; also a kernel may be built without busy polling. */
static int no_busy_poll(int ep)
{
	struct busy_params p;
	long r = CALL(ioctl, ep, GET_PARAMS, &p);

	if (r != -EINVAL && r != -ENOTTY && r != -EOPNOTSUPP)
		return 0;
	conf_note("no busy-poll parameters in this kernel");
	return 1;
}

CASE(c10_busy_poll_initial, .level = 4, .covers = "C10", .calls = "ioctl",
	.ref = "ioctl_eventpoll(2): EPIOCGPARAMS",
	.breaks = "DPDK-like servers")
{
	struct busy_params p = {1, 1, 1, 1};
	int ep = ep_new();

	if (no_busy_poll(ep))
		return;
	IS(CALL(ioctl, ep, GET_PARAMS, &p), 0);
	HOLDS(!p.usecs && !p.budget && !p.prefer && !p.pad);
}

CASE(c10_busy_poll_round_trip, .level = 4, .covers = "C10", .calls = "ioctl",
	.ref = "ioctl_eventpoll(2): EPIOCSPARAMS",
	.breaks = "busy-poll servers")
{
	struct busy_params in = {1000, 64, 1, 0}, out = {0};
	int ep = ep_new();

	if (no_busy_poll(ep))
		return;
	IS(CALL(ioctl, ep, SET_PARAMS, &in), 0);
	IS(CALL(ioctl, ep, GET_PARAMS, &out), 0);
	IS(memcmp(&in, &out, sizeof(in)), 0);
	in.usecs = 0x7fffffff;
	IS(CALL(ioctl, ep, SET_PARAMS, &in), 0);
	IS(CALL(ioctl, ep_new(), GET_PARAMS, &out), 0);
	IS(out.usecs, 0);
}

CASE(c10_busy_poll_errors, .level = 4, .covers = "C10", .calls = "ioctl",
	.ref = "ioctl_eventpoll(2), ERRORS", .breaks = "busy-poll servers")
{
	struct busy_params p;
	int ep = ep_new();

	if (no_busy_poll(ep))
		return;
	p = (struct busy_params){0, 0, 0, 1};
	IS(CALL(ioctl, ep, SET_PARAMS, &p), -EINVAL);
	p = (struct busy_params){0x80000000u, 0, 0, 0};
	IS(CALL(ioctl, ep, SET_PARAMS, &p), -EINVAL);
	p = (struct busy_params){0, 0, 2, 0};
	IS(CALL(ioctl, ep, SET_PARAMS, &p), -EINVAL);
	IS(CALL(ioctl, ep, SET_PARAMS, UNMAPPED), -EFAULT);
	IS(CALL(ioctl, ep, GET_PARAMS, UNMAPPED), -EFAULT);
	IS(CALL(ioctl, ep, GET_PARAMS, readonly_page()), -EFAULT);
}
