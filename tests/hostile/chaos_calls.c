/* SPDX-License-Identifier: MIT */
/* The trapped calls, with good and with bad arguments. */
#define _GNU_SOURCE
#include "chaos.h"
#include "chaos_arch.h"
#include <limits.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/uio.h>

static const uint32_t masks[] = {EPOLLIN, EPOLLIN, EPOLLOUT, EPOLLIN | EPOLLOUT,
	EPOLLRDHUP, EPOLLPRI, 0, 0xffffffff};
static const uint32_t modes[] = {0, 0, EPOLLET, EPOLLONESHOT,
	EPOLLET | EPOLLONESHOT, EPOLLEXCLUSIVE, EPOLLWAKEUP};
static const int timeouts[] = {0, 0, 0, 1, 2, 5, 20, -1, INT_MIN};
static const int maxima[] = {
	1, 1, 2, 8, 64, 0, -1, INT_MAX, INT_MAX / 12, 4000};

static void create_epoll(void)
{
	static const int flags[] = {0, 0, EPOLL_CLOEXEC, EPOLL_CLOEXEC, 1, -1};

	chaos_new(chaos_got(one_in(6) ? epoll_create(1)
				      : epoll_create1(PICK(flags))),
		KIND_EPOLL);
}

static void create_eventfd(void)
{
	static const int flags[] = {0, EFD_NONBLOCK, EFD_SEMAPHORE,
		EFD_NONBLOCK | EFD_CLOEXEC, EFD_CLOEXEC, 2, -1};

	chaos_new(chaos_got(syscall(SYS_eventfd2, pick(3), PICK(flags))),
		KIND_EVENTFD);
}

static struct epoll_event *some_event(void)
{
	struct epoll_event *ev = chaos_pointer(sizeof(*ev));

	/* What is not there is found by the kernel, and what is by us. */
	if (one_in(2)) {
		ev = chaos_good(sizeof(*ev));
		ev->events = PICK(masks) | PICK(modes);
		ev->data.u64 = stress_rand(&me->rng);
	}
	return ev;
}

static void control(void)
{
	static const int ops[] = {EPOLL_CTL_ADD, EPOLL_CTL_ADD, EPOLL_CTL_ADD,
		EPOLL_CTL_MOD, EPOLL_CTL_MOD, EPOLL_CTL_DEL, 0, 4, -1};

	chaos_got(syscall(SYS_epoll_ctl,
		chaos_fd(one_in(16) ? KIND_ANY : KIND_EPOLL), PICK(ops),
		chaos_fd(KIND_ANY), some_event()));
}

static long pwait2(int ep, void *events, int max, const void *mask)
{
	struct timespec *ts = chaos_good(sizeof(*ts));

	*ts = (struct timespec){0, (long)pick(20000000)};
	if (one_in(8))
		ts->tv_nsec = -1;
	return syscall(441, ep, events, max,
		one_in(8) ? chaos_pointer(sizeof(*ts)) : ts, mask, 8);
}

static void wait_some(int timeout)
{
	int ep = chaos_fd(one_in(16) ? KIND_ANY : KIND_EPOLL);
	int max = PICK(maxima);
	size_t room = max > 0 && max < 100 ? (size_t)max * 12 : 12;
	void *events = chaos_pointer(room);
	uint64_t *mask = chaos_good(sizeof(*mask));

	*mask = stress_rand(&me->rng) & 0xfffffffffffebeff;
	if (one_in(2))
		mask = one_in(8) ? chaos_pointer(8) : NULL;
	switch (pick(4)) {
	case 0:
		chaos_got(pwait2(ep, events, max, mask));
		break;
	case 1:
		chaos_got(syscall(SYS_epoll_pwait, ep, events, max, timeout,
			mask, one_in(16) ? 4 : 8));
		break;
	default:
		chaos_got(epoll_wait(ep, events, max, timeout));
	}
}

static void wait(void)
{
	wait_some(PICK(timeouts));
}

static void transfer(void)
{
	int fd = chaos_fd(one_in(6) ? KIND_ANY : KIND_EVENTFD);
	uint64_t *value = chaos_pointer(8);

	if (one_in(2)) {
		value = chaos_good(8);
		*value = one_in(20) ? UINT64_MAX - pick(3) : pick(5);
	}
	if (one_in(3))
		chaos_got(read(fd, value, 8));
	else
		chaos_got(write(fd, value, 8));
}

static void transfer_oddly(void)
{
	int fd = chaos_fd(KIND_EVENTFD);
	struct iovec *part = chaos_good(2 * sizeof(*part));

	part[0] = (struct iovec){chaos_pointer(8), pick(9)};
	part[1] = (struct iovec){chaos_pointer(8), pick(9)};
	switch (pick(4)) {
	case 0:
		chaos_got(readv(fd, part, 2));
		break;
	case 1:
		chaos_got(writev(fd, part, 2));
		break;
	case 2:
		chaos_got(read(fd, chaos_pointer(32), 7 + pick(20)));
		break;
	default:
		chaos_got(write(fd, chaos_pointer(32), 7 + pick(20)));
	}
}

static void poll_some(void)
{
	struct pollfd p[3];

	for (size_t i = 0; i < ARRAY_LEN(p); i++)
		p[i] = (struct pollfd){.fd = chaos_fd((enum chaos_kind)pick(4)),
			.events = POLLIN | POLLOUT};
	poll(p, ARRAY_LEN(p), (int)pick(3));
}

static void nest(void)
{
	struct epoll_event *ev = chaos_good(sizeof(*ev));
	int inner = chaos_new(chaos_got(epoll_create1(0)), KIND_EPOLL);

	ev->events = EPOLLIN | PICK(modes);
	ev->data.u64 = 1;
	chaos_got(epoll_ctl(inner, EPOLL_CTL_ADD, chaos_fd(KIND_ANY), ev));
	ev->events = EPOLLIN | PICK(modes);
	chaos_got(epoll_ctl(chaos_fd(KIND_EPOLL), EPOLL_CTL_ADD, inner, ev));
}

static void io_uring(void)
{
	void *params = chaos_good(256);

	memset(params, 0, 256);
	chaos_new(syscall(425, 1, params), KIND_FILE);
}

#ifdef __x86_64__
/* Calls of the other table, in a 64-bit program. */
static void some_call32(void)
{
	struct epoll_event *ev = chaos_good(64 * sizeof(*ev));
	long at = (long)(uintptr_t)ev;

	ev->events = PICK(masks) | PICK(modes);
	switch (pick(7)) {
	case 0:
		chaos_new(call32(329, 0, 0, 0, 0), KIND_EPOLL);
		break;
	case 1:
		chaos_new(call32(328, 1, EFD_NONBLOCK, 0, 0), KIND_EVENTFD);
		break;
	case 2:
		call32(255, chaos_fd(KIND_EPOLL), EPOLL_CTL_ADD,
			chaos_fd(KIND_ANY), at);
		break;
	case 3:
		call32(256, chaos_fd(KIND_EPOLL), at, 4, 1);
		break;
	case 4:
		call32(3, chaos_fd(KIND_EVENTFD), at, 8, 0);
		break;
	case 5:
		call32(4, chaos_fd(KIND_EVENTFD), at, 8, 0);
		break;
	default:
		call32(254, 1, 0, 0, 0);
	}
}

/* The x32 table, which most kernels do not have. */
static void call_x32(void)
{
	syscall(0x40000000 | SYS_epoll_ctl, chaos_fd(KIND_EPOLL), EPOLL_CTL_ADD,
		chaos_fd(KIND_ANY), some_event());
}
#endif

/* Arguments that have more bits than they need, or are nonsense. */
static void call_wildly(void)
{
	static const long numbers[] = {SYS_epoll_ctl, SYS_epoll_pwait,
		SYS_eventfd2, SYS_epoll_create1, 441};
	long a[5];

	for (size_t i = 0; i < ARRAY_LEN(a); i++)
		a[i] = one_in(2) ? (long)(stress_rand(&me->rng) >> pick(64))
				 : (long)(uintptr_t)chaos_pointer(8);
	/* A sleep without end is somebody else's part. */
	a[3] &= 3;
	chaos_got(syscall(PICK(numbers), a[0], a[1], a[2], a[3], a[4], 8));
}

void chaos_some_call(void)
{
	switch (pick(4)) {
	case 0:
		control();
		break;
	case 1:
		wait_some((int)pick(3));
		break;
	case 2:
		chaos_got(write(chaos_fd(KIND_EVENTFD), &(uint64_t){1}, 8));
		break;
	default:
		create_eventfd();
	}
}

const struct chaos_action chaos_calls[] = {
	{"create epoll", create_epoll, 6},
	{"create eventfd", create_eventfd, 6},
	{"epoll_ctl", control, 40},
	{"wait", wait, 24},
	{"8 bytes", transfer, 40},
	{"other bytes", transfer_oddly, 4},
	{"poll", poll_some, 6},
	{"nest", nest, 3},
	{"io_uring", io_uring, 1},
	{"wild", call_wildly, 3},
#ifdef __x86_64__
	{"32-bit", some_call32, 4},
	{"x32", call_x32, 1},
#endif
	{NULL, NULL, 0},
};
