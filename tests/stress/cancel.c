/* SPDX-License-Identifier: MIT */
/*
 * Threads that are cancelled in a read, a write or a wait: pthread_cancel(3).
 *
 * The signal that cancels a thread finds it in the call, or right behind it.
 * musl looks at the instruction pointer in the signal's frame: a call that is
 * over has its result, and the thread goes on with it; any other is given up.
 * So nothing is lost or done twice, as long as the frame tells the truth. glibc
 * gives up a call that is just over as well (its bug 12683, up to 2.40): with
 * it something can be lost natively, but nothing done twice.
 */
#define _GNU_SOURCE
#include "stress.h"
#include <pthread.h>
#include <stdatomic.h>

#ifdef __GLIBC__
#define CAN_LOSE true
#else
#define CAN_LOSE false
#endif

/* README's limits: hardly ever one, under epemu. */
#define RARE 1000

/* The highest value of a counter; then each write has to wait. */
#define FULL (UINT64_MAX - 1)

static struct stress_rng rng;
static int counter, epoll;
static _Atomic uint64_t done; /* what the thread has the results of */
static long turns, cancelled, lost;

static void *read_all(void *arg)
{
	uint64_t value;

	for (;;) {
		if (read(counter, &value, sizeof(value)) == sizeof(value))
			atomic_fetch_add(&done, value);
		else
			must(errno == EINTR, "read: %s", strerror(errno));
	}
	return arg;
}

/* Each waits until the one before has been taken. */
static void *fill(void *arg)
{
	uint64_t value = FULL;

	for (;;) {
		if (write(counter, &value, sizeof(value)) == sizeof(value))
			atomic_fetch_add(&done, 1);
		else
			must(errno == EINTR, "write: %s", strerror(errno));
	}
	return arg;
}

static void *wait_for_all(void *arg)
{
	struct epoll_event event;

	for (;;) {
		int n = epoll_wait(epoll, &event, 1, -1);

		if (n == 1)
			atomic_fetch_add(&done, 1);
		else
			must(n < 0 && errno == EINTR, "wait gave %d", n);
	}
	return arg;
}

static void pause_for(unsigned most_us)
{
	unsigned us = stress_below(&rng, most_us);

	if (us)
		stress_sleep_us(us);
}

static pthread_t begin(void *(*run)(void *))
{
	pthread_attr_t attr;
	pthread_t thread;

	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, 128 * 1024);
	atomic_store(&done, 0);
	must(pthread_create(&thread, &attr, run, NULL) == 0, "pthread_create");
	pthread_attr_destroy(&attr);
	/* Often it is to be in the call already. */
	pause_for(400);
	return thread;
}

static void end(pthread_t thread)
{
	void *result;

	pause_for(60);
	must(pthread_cancel(thread) == 0, "pthread_cancel");
	must(pthread_join(thread, &result) == 0, "pthread_join");
	must(result == PTHREAD_CANCELED, "it has ended by itself");
	cancelled++;
}

/* `happened` calls took effect, and the thread knows of `done` of them. */
static void compare(uint64_t happened, const char *what)
{
	uint64_t known = atomic_load(&done);

	must(known <= happened, "%s: %llu of %llu in turn %ld", what,
		(unsigned long long)known, (unsigned long long)happened, turns);
	must(known == happened || CAN_LOSE || stress.emulated,
		"%s: only %llu of %llu in turn %ld", what,
		(unsigned long long)known, (unsigned long long)happened, turns);
	lost += known != happened;
}

/* What is in the counter, or 0; it is empty then. */
static uint64_t take_rest(void)
{
	uint64_t value = 0;
	struct epoll_event event;
	int n = (int)good(epoll_wait(epoll, &event, 1, 0));

	if (n)
		value = x_take(counter);
	return value;
}

static void read_turn(void)
{
	pthread_t thread = begin(read_all);
	uint64_t added = 1 + stress_below(&rng, 3);

	for (uint64_t i = 0; i < added; i++) {
		x_put(counter, 1);
		pause_for(30);
	}
	end(thread);
	compare(added - take_rest(), "read");
}

static void write_turn(void)
{
	pthread_t thread = begin(fill);
	uint64_t taken = stress_below(&rng, 3);

	for (uint64_t i = 0; i < taken; i++) {
		must(x_take(counter) == FULL, "not full");
		pause_for(30);
	}
	end(thread);
	compare(taken + (take_rest() != 0), "written");
}

static void wait_turn(void)
{
	pthread_t thread = begin(wait_for_all);
	struct epoll_event event;
	uint64_t rest;

	x_put(counter, 1);
	end(thread);
	rest = (uint64_t)good(epoll_wait(epoll, &event, 1, 0));
	compare(1 - rest, "events");
	x_take(counter);
}

static void play(void (*turn)(void))
{
	uint64_t until = stress_now_ns() + (uint64_t)(stress.seconds * 1e9);

	while (stress_now_ns() < until) {
		turn();
		turns++;
	}
	must(CAN_LOSE || lost <= 1 + cancelled / RARE,
		"%ld of %ld threads lost", lost, cancelled);
	stress_ok("%ld threads, %ld of them lost something", cancelled, lost);
}

static void open_files(uint32_t mode)
{
	stress_seed(&rng, 5);
	counter = x_eventfd(0, EFD_CLOEXEC);
	epoll = x_epoll();
	x_add(epoll, counter, EPOLLIN | mode, 1);
}

static void cancel_read(void)
{
	open_files(0);
	play(read_turn);
}

static void cancel_write(void)
{
	open_files(0);
	play(write_turn);
}

static void cancel_edge(void)
{
	open_files(EPOLLET);
	play(wait_turn);
}

static void oneshot_turn(void)
{
	x_mod(epoll, counter, EPOLLIN | EPOLLONESHOT, 1);
	wait_turn();
}

static void cancel_oneshot(void)
{
	open_files(EPOLLONESHOT);
	play(oneshot_turn);
}

static const struct stress_case cases[] = {
	{"read", cancel_read},
	{"write", cancel_write},
	{"edge", cancel_edge},
	{"oneshot", cancel_oneshot},
	{NULL, NULL},
};

int main(int argc, char **argv)
{
	return stress_main(argc, argv, cases);
}
