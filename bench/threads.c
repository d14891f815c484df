/* SPDX-License-Identifier: MIT */
/*
 * Two threads that wake each other. The second one is started by prepare()
 * and ends with the program. Under the bare notifier no call ever sleeps:
 * there each thread makes its calls at full speed, which gives the cost of
 * the calls alone.
 */
#include <pthread.h>
#include <stdatomic.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "bench.h"

/* Long enough for a thread to fall asleep in epoll_wait. */
#define SETTLE_US 100

static struct side {
	int counter;
	int epoll;
} here, there;

static atomic_long woken;
static long written;
static atomic_int sleeper_tid;

static void open_side(struct side *side, uint32_t events)
{
	side->counter = eventfd(0, EFD_CLOEXEC);
	need(side->counter >= 0, "eventfd");
	side->epoll = epoll_with(side->counter, events);
}

static void start(void *(*body)(void *))
{
	pthread_t thread;

	need(pthread_create(&thread, NULL, body, NULL) == 0, "pthread_create");
	pthread_detach(thread);
}

static void tell(const struct side *side)
{
	uint64_t one = 1;

	need(write(side->counter, &one, sizeof(one)) == sizeof(one), "write");
}

static void hear(const struct side *side)
{
	struct epoll_event event;
	uint64_t value;

	need(epoll_wait(side->epoll, &event, 1, -1) == 1, "epoll_wait");
	need(read(side->counter, &value, sizeof(value)) == sizeof(value),
		"read");
}

static void *echo(void *unused)
{
	for (;;) {
		hear(&there);
		tell(&here);
	}
	return unused;
}

static void prepare_ping_pong(void)
{
	open_side(&here, EPOLLIN);
	open_side(&there, EPOLLIN);
	start(echo);
}

static int64_t run_ping_pong(int operations)
{
	int64_t begin = now_ns();

	for (int i = 0; i < operations; i++) {
		tell(&there);
		hear(&here);
	}
	return now_ns() - begin;
}

static void *sleeper(void *unused)
{
	struct epoll_event event;

	atomic_store(&sleeper_tid, gettid());
	for (;;) {
		need(epoll_wait(there.epoll, &event, 1, -1) == 1, "epoll_wait");
		atomic_fetch_add(&woken, 1);
	}
	return unused;
}

/* Edge-triggered, as tokio's waker is: nobody has to read. */
static void prepare_waiter(void)
{
	open_side(&there, EPOLLIN | EPOLLET);
	if (!under_floor)
		start(sleeper);
}

/* Returns when the other thread sleeps, most likely; in steps, for sure. */
static void await_sleeper(void)
{
	while (!under_floor && atomic_load(&woken) < written)
		nap_us(SETTLE_US / 4);
	nap_us(SETTLE_US);
	if (!in_steps || under_floor)
		return;
	while (!atomic_load(&sleeper_tid))
		nap_us(SETTLE_US);
	await_sleep(atomic_load(&sleeper_tid));
	settled();
}

/* Only the writes count; the other thread is asleep at each. */
static int64_t run_waiter(int operations)
{
	int64_t sum = 0;

	for (int i = 0; i < operations; i++) {
		int64_t begin;

		await_sleeper();
		begin = now_ns();
		tell(&there);
		sum += now_ns() - begin;
		written++;
	}
	if (in_steps)
		await_sleeper();
	return sum;
}

const struct workload thread_workloads[] = {
	{"ping-pong", 6, "epoll_wait,epoll_pwait,read,write", prepare_ping_pong,
		run_ping_pong, 32},
	{"write-with-waiter", 1, "epoll_wait,epoll_pwait,write", prepare_waiter,
		run_waiter, 8},
	{0},
};
