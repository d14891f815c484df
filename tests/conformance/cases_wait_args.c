/* SPDX-License-Identifier: MIT */
/*
 * epoll_wait, epoll_pwait and epoll_pwait2: their arguments and the order in
 * which the kernel looks at them, and what a timeout means.
 */
#include "conf.h"
#include <sys/mman.h>
#include <time.h>

#define CHECK_REF "fs/eventpoll.c: ep_check_params"
#define WAIT_REF "fs/eventpoll.c: do_epoll_wait"
#define PWAIT2_REF "fs/eventpoll.c: SYSCALL_DEFINE6(epoll_pwait2)"
#define MAX_EVENTS (0x7fffffff / (int)sizeof(struct ep_event))

CASE(w01_epfd_before_maxevents, .level = 4, .covers = "W01",
	.calls = "epoll_wait", .ref = WAIT_REF, .breaks = "fuzzers, strace")
{
	struct ep_event e;
	long r = sys_epoll_wait(-1, &e, 0, 0);

	/* VER: older kernels looked at maxevents first. */
	EITHER(r, -EBADF, -EINVAL);
	if (r == -EINVAL)
		conf_note("maxevents is checked before epfd here");
	IS(sys_epoll_wait(-1, KERNEL_ADDR, 0, 0), r);
}

CASE(w01_epfd_bad, .level = 1, .covers = "W01", .calls = "epoll_wait",
	.ref = "epoll_wait(2), ERRORS: EBADF",
	.breaks = "loops that end by closing their epoll")
{
	struct ep_event e;
	int ep = ep_new();

	IS(sys_epoll_wait(-1, &e, 1, 0), -EBADF);
	IS(sys_epoll_wait(99, &e, 1, 0), -EBADF);
	IS(sys_close(ep), 0);
	IS(sys_epoll_wait(ep, &e, 1, -1), -EBADF);
}

CASE(w02_maxevents_not_positive, .level = 1, .covers = "W02",
	.calls = "epoll_wait", .ref = "epoll_wait(2), ERRORS: EINVAL",
	.breaks = "programs that rely on the error to find a bug of theirs")
{
	struct ep_event e;
	int ep = ep_new();

	IS(sys_epoll_wait(ep, &e, 0, 0), -EINVAL);
	IS(sys_epoll_wait(ep, &e, -1, 0), -EINVAL);
	IS(sys_epoll_wait(ep, &e, (int)0x80000000, 0), -EINVAL);
}

CASE(w02_maxevents_largest, .level = 4, .covers = "W02", .calls = "epoll_wait",
	.ref = CHECK_REF ": EP_MAX_EVENTS", .breaks = "fuzzers, strace")
{
	/* On a stack the 2 GiB could reach beyond the user's addresses. */
	static struct ep_event e;
	int ep = ep_new();

	IS(sys_epoll_wait(ep, &e, MAX_EVENTS, 0), 0);
	IS(sys_epoll_wait(ep, &e, MAX_EVENTS + 1, 0), -EINVAL);
	IS(sys_epoll_wait(ep, &e, 0x7fffffff, 0), -EINVAL);
}

CASE(w02_maxevents_before_pointer_and_kind, .level = 4, .covers = "W02 W04",
	.calls = "epoll_wait", .ref = CHECK_REF, .breaks = "fuzzers, strace")
{
	int ep = ep_new();

	IS(sys_epoll_wait(ep, KERNEL_ADDR, 0, 0), -EINVAL);
	IS(sys_epoll_wait(1, KERNEL_ADDR, 0, 0), -EINVAL);
}

CASE(w03_kernel_address, .level = 4, .covers = "W03", .calls = "epoll_wait",
	.ref = CHECK_REF ": access_ok", .breaks = "fuzzers, strace")
{
	int ep = ep_new(), ev = ev_new(0, 0);

	IS(sys_epoll_wait(ep, KERNEL_ADDR, 1, 0), -EFAULT);
	IS(sys_epoll_wait(ep, (void *)-1l, 1, 0), -EFAULT);
	IS(sys_epoll_wait(ep, (void *)-4096l, 1, -1), -EFAULT);
	/* The pointer is looked at before the kind of epfd. */
	IS(sys_epoll_wait(ev, KERNEL_ADDR, 1, 0), -EFAULT);
}

CASE(w03_bad_user_address_without_events, .level = 4, .covers = "W03",
	.calls = "epoll_wait", .ref = CHECK_REF ": access_ok only",
	.breaks = "programs that pass NULL to wait without reading events")
{
	int ep = ep_new();

	IS(sys_epoll_wait(ep, NULL, 1, 0), 0);
	IS(sys_epoll_wait(ep, UNMAPPED, 100, 0), 0);
	IS(sys_epoll_wait(ep, readonly_page(), 1, 1), 0);
}

CASE(w03_event_array_unaligned, .level = 2, .covers = "W03 C11 R10",
	.faults = "event-unaligned event-layout", .calls = "epoll_wait",
	.ref = "fs/eventpoll.c: epoll_put_uevent", .breaks = "Go at start-up")
{
	int ep = ep_new(), i;
	struct ep_event e[2];
	char buf[80];

	OK(ep_add(ep, ev_new(1, 0), EPOLLIN, 0x1111111122222222));
	OK(ep_add(ep, ev_new(1, 0), EPOLLOUT, 0x3333333344444444));
	for (i = 1; i < 16; i++) {
		IS(sys_epoll_wait(ep, buf + i, 2, 0), 2);
		memcpy(e, buf + i, sizeof(e));
		IS(e[0].events + e[1].events, EPOLLIN + EPOLLOUT);
		IS(e[0].data + e[1].data, 0x4444444466666666);
	}
}

CASE(w04_not_an_epoll, .level = 1, .covers = "W04", .calls = "epoll_wait",
	.ref = "epoll_wait(2), ERRORS: EINVAL", .breaks = "fuzzers, strace")
{
	struct ep_event e;
	int p[2];

	pipe_new(p, 0);
	IS(sys_epoll_wait(p[0], &e, 1, 0), -EINVAL);
	IS(sys_epoll_wait(ev_new(1, 0), &e, 1, -1), -EINVAL);
}

CASE(w04_junk_in_upper_halves, .level = 4, .covers = "W04 W07",
	.calls = "epoll_pwait", .ref = WAIT_REF ": int arguments",
	.breaks = "calls made by hand through syscall(2) with 64-bit values")
{
	int ep = ep_new();
	struct ep_event e = {0, 0};

	IS(CALL(epoll_pwait, JUNK(ep), &e, JUNK(1), JUNK(0), NULL, 8), 0);
	OK(ep_add(ep, ev_new(1, 0), EPOLLIN, 3));
	IS(CALL(epoll_pwait, JUNK(ep), &e, JUNK(1), JUNK(-1), NULL, 8), 1);
	IS(e.data, 3);
	IS(CALL(epoll_pwait, ep, &e, JUNK(0), 0, NULL, 8), -EINVAL);
}

CASE(w05_mask_size_first, .level = 4, .covers = "W05", .calls = "epoll_pwait",
	.ref = "kernel/signal.c: set_user_sigmask",
	.breaks = "programs that pass sizeof(sigset_t) of their C library")
{
	uint64_t mask = 0;
	struct ep_event e;

	IS(sys_epoll_pwait(-1, &e, 0, 0, &mask, 4), -EINVAL);
	IS(sys_epoll_pwait(-1, &e, 1, 0, &mask, 128), -EINVAL);
	IS(sys_epoll_pwait(-1, &e, 1, 0, UNMAPPED, 16), -EINVAL);
	IS(sys_epoll_pwait(-1, &e, 1, 0, UNMAPPED, 8), -EFAULT);
	IS(sys_epoll_pwait(-1, &e, 1, 0, KERNEL_ADDR, 8), -EFAULT);
	IS(sys_epoll_pwait(-1, &e, 1, 0, edge(7), 8), -EFAULT);
	IS(sys_epoll_pwait(-1, &e, 1, 0, &mask, 8), -EBADF);
}

CASE(w05_null_mask_ignores_size, .level = 1, .covers = "W05 R10",
	.calls = "epoll_pwait", .ref = "kernel/signal.c: set_user_sigmask",
	.breaks = "Go, and glibc on aarch64: epoll_pwait without a mask")
{
	struct ep_event e;
	int ep = ep_new();

	IS(sys_epoll_pwait(ep, &e, 1, 0, NULL, 0), 0);
	IS(sys_epoll_pwait(ep, &e, 1, 0, NULL, 8), 0);
	IS(sys_epoll_pwait(ep, &e, 1, 0, NULL, 12345), 0);
	IS(sys_epoll_pwait(ep, &e, 0, 0, NULL, 8), -EINVAL);
}

CASE(w05_mask_at_page_end, .level = 4, .covers = "W05",
	.calls = "epoll_pwait rt_sigprocmask",
	.ref = "kernel/signal.c: set_user_sigmask", .breaks = "small stacks")
{
	uint64_t *mask = edge(8), before = sig_mask();
	struct ep_event e;

	*mask = ~0ul;
	IS(sys_epoll_pwait(ep_new(), &e, 1, 0, mask, 8), 0);
	IS(sig_mask(), before);
}

CASE(w05_arguments_may_be_write_only, .level = 4, .covers = "W05 R10",
	.calls = "epoll_ctl epoll_pwait epoll_pwait2 mprotect",
	.ref = "mmap(2): PROT_WRITE; no processor here writes what it may not "
	       "read",
	.breaks = "programs that map memory with PROT_WRITE alone")
{
	char *at = (char *)OK(CALL(mmap, NULL, 4096, PROT_READ | PROT_WRITE,
		MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
	struct ep_event *event = (void *)at;
	struct timespec *none = (void *)(at + 64);
	uint64_t *mask = (void *)(at + 128);
	int ep = ep_new();
	struct ep_event e;

	event->events = EPOLLIN;
	event->data = 7;
	OK(CALL(mprotect, at, 4096, PROT_WRITE));
	IS(sys_epoll_ctl(ep, EPOLL_CTL_ADD, ev_new(1, 0), event), 0);
	IS(sys_epoll_pwait2(ep, &e, 1, none, mask, 8), 1);
	IS(e.data, 7);
	IS(sys_epoll_pwait(ep, event, 1, 0, mask, 8), 1);
	OK(CALL(mprotect, at, 4096, PROT_NONE));
	IS(sys_epoll_ctl(ep, EPOLL_CTL_ADD, ev_new(1, 0), event), -EFAULT);
	IS(sys_epoll_pwait(ep, &e, 1, 0, mask, 8), -EFAULT);
}

CASE(w04_stack_grows, .level = 4, .covers = "W04 R10",
	.calls = "mmap epoll_wait epoll_ctl", .ref = "mmap(2): MAP_GROWSDOWN",
	.breaks = "deep stacks, whose next page is first used by a call")
{
	enum { ROOM = 4 << 20 };
	char *at = (char *)OK(CALL(mmap, NULL, ROOM, PROT_NONE,
		MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0));
	char *top = at + ROOM - 4096;
	struct ep_event *e = (void *)(top - 65536);
	int ep = ep_new();

	OK(CALL(munmap, at, ROOM));
	IS(CALL(mmap, top, 4096, PROT_READ | PROT_WRITE,
		   MAP_PRIVATE | MAP_ANONYMOUS | MAP_GROWSDOWN | MAP_FIXED, -1,
		   0),
		(long)top);
	OK(ep_add(ep, ev_new(1, 0), EPOLLIN, 7));
	IS(sys_epoll_wait(ep, e, 1, 0), 1);
	IS(e->data, 7);
	/* And for what a call reads. */
	IS(sys_epoll_ctl(ep, EPOLL_CTL_MOD, 4, top - 131072), 0);
}

CASE(w06_pwait2_timeout_first, .level = 4, .covers = "W06",
	.calls = "epoll_pwait2", .ref = PWAIT2_REF, .breaks = "fuzzers, strace")
{
	struct timespec bad = {0, 1000000000}, good = {0, 0};
	struct ep_event e;

	IS(sys_epoll_pwait2(-1, &e, 0, UNMAPPED, UNMAPPED, 3), -EFAULT);
	IS(sys_epoll_pwait2(-1, &e, 0, &bad, UNMAPPED, 3), -EINVAL);
	IS(sys_epoll_pwait2(-1, &e, 0, &good, UNMAPPED, 3), -EINVAL);
	IS(sys_epoll_pwait2(-1, &e, 1, &good, UNMAPPED, 8), -EFAULT);
	IS(sys_epoll_pwait2(-1, &e, 1, &good, NULL, 3), -EBADF);
	IS(sys_epoll_pwait2(-1, &e, 1, edge(15), NULL, 8), -EFAULT);
	IS(sys_epoll_pwait2(-1, &e, 1, KERNEL_ADDR, NULL, 8), -EFAULT);
}

static long pwait2(int ep, long sec, long nsec)
{
	struct timespec ts = {sec, nsec};
	struct ep_event e;

	return sys_epoll_pwait2(ep, &e, 1, &ts, NULL, 8);
}

CASE(w06_pwait2_timeout_values, .level = 3, .covers = "W06",
	.faults = "pwait2-truncates", .calls = "epoll_pwait2",
	.ref = "kernel/time/time.c: poll_select_set_timeout",
	.breaks = "programs that compute a timeout which became negative")
{
	int ep = ep_new();

	IS(pwait2(ep, -1, 0), -EINVAL);
	IS(pwait2(ep, 0, -1), -EINVAL);
	IS(pwait2(ep, 0, 1000000000), -EINVAL);
	IS(pwait2(ep, 0, 0x7fffffffffffffff), -EINVAL);
	IS(pwait2(ep, (long)0x8000000000000000, 0), -EINVAL);
	IS(pwait2(ep, 0, 0), 0);
	IS(pwait2(ep, 0, 1), 0);
	OK(ep_add(ep, ev_new(1, 0), EPOLLIN, 0));
	IS(pwait2(ep, 0, 999999999), 1);
	IS(pwait2(ep, 0x7fffffffffffffff, 999999999), 1);
}

CASE(w06_pwait2_infinite, .level = 3, .covers = "W06", .calls = "epoll_pwait2",
	.ref = "epoll_wait(2): epoll_pwait2",
	.breaks = "loops that wait without a timeout")
{
	struct ep_event e = {0, 0};
	int ep = ep_new();

	OK(ep_add(ep, ev_new(1, 0), EPOLLIN, 9));
	IS(sys_epoll_pwait2(ep, &e, 1, NULL, NULL, 8), 1);
	IS(e.data, 9);
}

static void wait_2(void *arg)
{
	struct timespec ts = {0x7fffffffffffffff, 999999999};
	struct ep_event e;

	IS(sys_epoll_pwait2(*(int *)arg, &e, 1, &ts, NULL, 8), 1);
}

CASE(w06_pwait2_huge_timeout_blocks, .level = 4, .covers = "W06",
	.calls = "epoll_pwait2 write",
	.ref = "include/linux/ktime.h: KTIME_MAX",
	.breaks = "timeouts of 'for ever' written as a huge number")
{
	int ep = ep_new(), ev = ev_new(0, 0), pid;

	OK(ep_add(ep, ev, EPOLLIN, 9));
	pid = child_start(wait_2, &ep);
	asleep_in(pid, __NR_epoll_pwait2);
	IS(ev_put(ev, 1), 8);
	IS(child_join(pid), 0);
}

CASE(w06_pwait2_sub_millisecond, .level = 3, .covers = "W06 W08",
	.faults = "pwait2-truncates", .calls = "epoll_pwait2 clock_gettime",
	.ref = PWAIT2_REF, .breaks = "loops with timers finer than 1 ms (spin)")
{
	int i, ep = ep_new();
	uint64_t start;

	for (i = 0; i < 5; i++) {
		start = now_ns();
		IS(pwait2(ep, 0, 500000), 0);
		HOLDS(now_ns() - start >= 500000);
	}
	start = now_ns();
	IS(pwait2(ep, 0, 1999999), 0);
	HOLDS(now_ns() - start >= 1999999);
}

CASE(w07_negative_timeout_blocks, .level = 2, .covers = "W07",
	.calls = "epoll_wait write", .ref = "epoll_wait(2): timeout",
	.breaks = "loops that compute INT_MIN or -2 for 'no timer'")
{
	static const int values[] = {
		-1, -2, (int)0x80000000, -2147483647, 0x7fffffff};
	int ep = ep_new(), ev = ev_new(0, 0), i;
	struct waiter *w;

	OK(ep_add(ep, ev, EPOLLIN, 4));
	for (i = 0; i < 5; i++) {
		w = waiter_start(BY_PROCESS, ep, 1, values[i], NULL);
		IS(ev_put(ev, 1), 8);
		WAITER_GOT(w, EPOLLIN, 4);
		IS(ev_get(ev), 1);
	}
}

CASE(w07_zero_does_not_block, .level = 1, .covers = "W07",
	.calls = "epoll_wait", .ref = "epoll_wait(2): timeout",
	.breaks = "loops that poll while they have work to do")
{
	struct ep_event e;
	int ep = ep_new();

	IS(sys_epoll_wait(ep, &e, 1, 0), 0);
	OK(ep_add(ep, ev_new(0, 0), EPOLLIN, 4));
	IS(sys_epoll_wait(ep, &e, 1, 0), 0);
}

CASE(w08_never_early, .level = 1, .covers = "W08",
	.calls = "epoll_wait clock_gettime", .ref = "epoll_wait(2): timeout",
	.breaks = "timer wheels, which spin when woken too early")
{
	static const int values[] = {1, 2, 5, 20};
	int ep = ep_new(), i;
	struct ep_event e;
	uint64_t start;

	for (i = 0; i < 4; i++) {
		start = now_ns();
		IS(sys_epoll_wait(ep, &e, 1, values[i]), 0);
		HOLDS(now_ns() - start >= (uint64_t)values[i] * 1000000);
	}
}

CASE(w08_stale_wakeups_do_not_extend, .level = 3, .covers = "W08 D02",
	.faults = "stale-ready", .calls = "epoll_wait write",
	.ref = "fs/eventpoll.c: ep_poll (absolute deadline)",
	.breaks = "loops whose timers depend on the timeout")
{
	int ep = ep_new(), ev = ev_new(0, 0), i;
	struct waiter *w;

	/* A write of 0 at 0 wakes, and is found stale. */
	OK(ep_add(ep, ev, EPOLLIN, 4));
	w = waiter_start(BY_PROCESS, ep, 1, 700, NULL);
	for (i = 0; i < 20; i++)
		IS(ev_put(ev, 0), 8);
	WAITER_IS(w, 0);
	HOLDS(w->took_ns >= 700000000);
}
