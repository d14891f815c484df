/* SPDX-License-Identifier: MIT */
/*
 * The engine against the kernel that runs this test: random calls on epolls
 * and eventfds go to both, one thread, nothing sleeps, and every result must
 * be the same: errno, events, data, order. Files are known to the engine by
 * the descriptor numbers that the kernel gave.
 *
 * Kernels before 6.17 count the links of a chain in another way; there only
 * short chains are built.
 */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "fake.h"

#define NR_EVENTFDS 5
#define NR_EPOLLS 7
#define NR_STEPS 20000
#define MAX_EVENTS 8

struct pair {
	int fd;
	int alias; /* a dup, eventfds only */
	struct emu_eventfd *eventfd;
	struct emu_epoll *epoll;
};

static struct pair eventfds[NR_EVENTFDS], epolls[NR_EPOLLS];
static uint64_t seed;
static int step;
static bool long_chains;

static uint32_t pick(uint32_t below)
{
	return fake_random(&seed, below);
}

static bool chance(uint32_t percent)
{
	return pick(100) < percent;
}

static void same(const char *what, long long kernel, long long engine)
{
	if (kernel != engine)
		ck_abort_msg("step %d, %s: the kernel says %lld, we say %lld",
			step, what, kernel, engine);
}

static long result_of(long returned)
{
	return returned < 0 ? -errno : returned;
}

static void open_eventfd(struct pair *pair)
{
	bool semaphore = chance(30);
	uint32_t initval = pick(3);

	pair->fd = eventfd(
		initval, EFD_NONBLOCK | (semaphore ? EFD_SEMAPHORE : 0));
	pair->alias = dup(pair->fd);
	ck_assert_int_ge(pair->alias, 0);
	pair->eventfd =
		emu_eventfd_create(&host.alloc, initval, semaphore, NULL, NULL);
	ck_assert_ptr_nonnull(pair->eventfd);
}

static void close_eventfd(struct pair *pair)
{
	close(pair->fd);
	close(pair->alias);
	emu_eventfd_destroy(pair->eventfd);
}

static void open_epoll(struct pair *pair)
{
	pair->fd = epoll_create1(0);
	ck_assert_int_ge(pair->fd, 0);
	pair->epoll = fake_epoll();
}

static void close_epoll(struct pair *pair)
{
	close(pair->fd);
	emu_epoll_destroy(pair->epoll);
}

/* Does the kernel count the links above an epoll as well? */
static bool kernel_counts_both_sides(void)
{
	struct epoll_event event = {.events = EPOLLIN};
	int fds[6];
	int result = 0;

	for (int i = 0; i < 6; i++)
		fds[i] = epoll_create1(0);
	/* from the outside in: the last makes a fifth link */
	for (int i = 0; i < 5; i++)
		result = epoll_ctl(fds[i], EPOLL_CTL_ADD, fds[i + 1], &event);
	for (int i = 0; i < 6; i++)
		close(fds[i]);
	return result < 0;
}

static void setup(void)
{
	long_chains = kernel_counts_both_sides();
	for (int i = 0; i < NR_EVENTFDS; i++)
		open_eventfd(&eventfds[i]);
	for (int i = 0; i < NR_EPOLLS; i++)
		open_epoll(&epolls[i]);
}

static void teardown(void)
{
	for (int i = 0; i < NR_EVENTFDS; i++)
		close_eventfd(&eventfds[i]);
	for (int i = 0; i < NR_EPOLLS; i++)
		close_epoll(&epolls[i]);
}

static uint32_t pick_mask(void)
{
	static const uint32_t asked[] = {IN, OUT, IN | OUT, 0, IN | RDNORM,
		IN | RDHUP, RDNORM, IN | PRI, 0x0fffffff, 1u << 20};
	uint32_t mask = asked[pick(sizeof(asked) / sizeof(asked[0]))];

	if (chance(45))
		mask |= ET;
	if (chance(20))
		mask |= ONESHOT;
	if (chance(12))
		mask |= EXCLUSIVE;
	return mask;
}

/* do_epoll_ctl() once the descriptors are resolved */
static int engine_ctl(struct emu_epoll *epoll, int op, struct emu_file *file,
	int fd, const struct emu_event *event)
{
	int error = emu_epoll_check(epoll, op, file, event->events);
	struct emu_item *item;

	if (error)
		return error;
	if (op == EMU_EPOLL_CTL_ADD)
		return emu_epoll_add(epoll, file, fd, event, NULL);
	item = emu_epoll_find(epoll, file, fd);
	if (!item)
		return -ENOENT;
	if (op == EMU_EPOLL_CTL_MOD)
		return emu_epoll_mod(item, event);
	emu_epoll_del(item);
	return 0;
}

/* An epoll to be watched, or NULL if the kernel may see the chain its way */
static struct pair *pick_inner(const struct pair *outer)
{
	struct pair *inner = &epolls[pick(NR_EPOLLS)];

	if (!long_chains && (inner <= outer || inner < &epolls[NR_EPOLLS - 2]))
		return NULL;
	return inner;
}

static void step_ctl(void)
{
	static const int ops[] = {EPOLL_CTL_ADD, EPOLL_CTL_ADD, EPOLL_CTL_ADD,
		EPOLL_CTL_MOD, EPOLL_CTL_MOD, EPOLL_CTL_MOD, EPOLL_CTL_DEL};
	struct pair *epoll = &epolls[pick(NR_EPOLLS)];
	int op = chance(1) ? 99 : ops[pick(sizeof(ops) / sizeof(ops[0]))];
	uint64_t data = ((uint64_t)pick(UINT32_MAX) << 32) | (uint64_t)step;
	struct epoll_event theirs = {.data.u64 = data};
	struct emu_event ours = {.data = data};
	struct emu_file *file;
	int fd;

	ours.events = theirs.events = pick_mask();
	if (chance(65)) {
		struct pair *target = &eventfds[pick(NR_EVENTFDS)];

		file = emu_eventfd_file(target->eventfd);
		fd = chance(70) ? target->fd : target->alias;
	} else {
		struct pair *target = pick_inner(epoll);

		if (!target)
			return;
		file = emu_epoll_file(target->epoll);
		fd = target->fd;
	}
	same("epoll_ctl", result_of(epoll_ctl(epoll->fd, op, fd, &theirs)),
		engine_ctl(epoll->epoll, op, file, fd, &ours));
}

static void step_wait(struct pair *epoll, int max)
{
	struct epoll_event theirs[MAX_EVENTS];
	struct emu_event ours[MAX_EVENTS];
	int count = epoll_wait(epoll->fd, theirs, max, 0);
	int found = emu_epoll_harvest(epoll->epoll, ours, max);

	emu_epoll_commit(epoll->epoll, found);
	same("epoll_wait", count, found);
	for (int i = 0; i < count; i++) {
		same("events", theirs[i].events, ours[i].events);
		same("data", (long long)theirs[i].data.u64,
			(long long)ours[i].data);
	}
}

static void step_write(struct pair *pair)
{
	static const uint64_t values[] = {
		0, 1, 1, 1, 2, UINT64_MAX - 1, UINT64_MAX, UINT64_MAX - 7};
	uint64_t value = values[pick(sizeof(values) / sizeof(values[0]))];
	long result = result_of(write(pair->fd, &value, sizeof(value)));

	same("write", result < 0 ? result : 0,
		emu_eventfd_write(pair->eventfd, value));
}

static void step_read(struct pair *pair)
{
	uint64_t theirs = 0, ours = 0;
	long result = result_of(read(pair->fd, &theirs, sizeof(theirs)));

	same("read", result < 0 ? result : 0,
		emu_eventfd_read(pair->eventfd, &ours));
	same("value", (long long)theirs, (long long)ours);
}

static uint32_t kernel_poll(int fd)
{
	struct pollfd pollfd = {.fd = fd, .events = 0x7fff & ~POLLNVAL};

	ck_assert_int_ge(poll(&pollfd, 1, 0), 0);
	return (uint32_t)pollfd.revents;
}

static uint32_t engine_poll(struct emu_file *file)
{
	return file->ops->poll(file, 0x7fff);
}

static void step_poll(void)
{
	struct pair *epoll = &epolls[pick(NR_EPOLLS)];
	struct pair *eventfd = &eventfds[pick(NR_EVENTFDS)];

	same("poll of an epoll", kernel_poll(epoll->fd),
		engine_poll(emu_epoll_file(epoll->epoll)));
	same("poll of an eventfd", kernel_poll(eventfd->fd),
		engine_poll(emu_eventfd_file(eventfd->eventfd)));
}

/* Close and open anew: items go, numbers are used again. */
static void step_reopen(void)
{
	if (chance(50)) {
		struct pair *pair = &eventfds[pick(NR_EVENTFDS)];

		close_eventfd(pair);
		open_eventfd(pair);
	} else {
		struct pair *pair = &epolls[pick(NR_EPOLLS)];

		close_epoll(pair);
		open_epoll(pair);
	}
}

START_TEST(random_calls_have_the_kernels_results)
{
	seed = 0xe9011 + (uint64_t)_i;
	for (step = 0; step < NR_STEPS; step++) {
		uint32_t what = pick(100);

		if (what < 35)
			step_ctl();
		else if (what < 55)
			step_write(&eventfds[pick(NR_EVENTFDS)]);
		else if (what < 65)
			step_read(&eventfds[pick(NR_EVENTFDS)]);
		else if (what < 92)
			step_wait(&epolls[pick(NR_EPOLLS)],
				1 + (int)pick(MAX_EVENTS));
		else if (what < 98)
			step_poll();
		else
			step_reopen();
	}
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("epoll_kernel");
	TCase *tcase = fake_tcase(suite, "epoll_kernel");

	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_loop_test(
		tcase, random_calls_have_the_kernels_results, 0, 20);
	return fake_run_suite(suite);
}
