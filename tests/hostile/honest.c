/* SPDX-License-Identifier: MIT */
/*
 * Honest clients: each counts its right answers in the shared memory and
 * ends with status 1 at the first wrong one.
 *
 * A client never gives up waiting; whoever watches its count sees that it
 * stands still. It goes on until it is told to stop, and then compares what
 * went in with what came out.
 *
 *     honest [OPTIONS] CASE INDEX
 */
#define _GNU_SOURCE
#include "honest.h"
#include "../stress/stress.h"
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/timerfd.h>
#include <sys/wait.h>

#define LAST 0xffff /* the value that ends a game */

static struct hostile *shared;
static struct hostile_client *own;
struct stress_rng rng;

void begin(void)
{
	must(stress.args && stress.args[0], "no index");
	unsigned index = (unsigned)strtoul(stress.args[0], NULL, 10);

	shared = hostile_map(false);
	must(shared && index < HOSTILE_MOST_HONEST, "no shared memory");
	own = &shared->client[index];
	stress_seed(&rng, index);
}

bool going(void)
{
	return !atomic_load(&shared->stop);
}

void progressed(void)
{
	atomic_fetch_add(&own->progress, 1);
}

void answered(void)
{
	progressed();
	stress_sleep_us(stress_below(&rng, 600));
}

/* A player of ping-pong: waits for a value at `in`, answers at `out`. */
struct player {
	int ep, in, out;
	uint32_t how; /* EPOLLET, EPOLLONESHOT or 0 */
};

static void open_player(struct player *p, int in, int out, uint32_t how)
{
	*p = (struct player){x_epoll(), in, out, how};
	x_add(p->ep, in, EPOLLIN | how, (uint64_t)in);
}

static uint64_t await_value(struct player *p)
{
	uint32_t events;
	uint64_t value, more;

	must(x_wait1(p->ep, -1, &events) == (uint64_t)p->in, "wrong data");
	must(events == EPOLLIN, "events %x", events);
	value = x_take(p->in);
	bad(EAGAIN, read(p->in, &more, sizeof(more)));
	x_wait0(p->ep);
	if (p->how & EPOLLONESHOT)
		x_mod(p->ep, p->in, EPOLLIN | p->how, (uint64_t)p->in);
	return value;
}

static void *return_balls(void *arg)
{
	struct player *p = arg;

	for (;;) {
		uint64_t value = await_value(p);

		if (value == LAST)
			return NULL;
		x_put(p->out, value + 1);
	}
}

static void serve_balls(struct player *p)
{
	uint64_t value = 1;

	for (; going(); value = value % 50000 + 1) {
		x_put(p->out, value);
		uint64_t back = await_value(p);

		must(back == value + 1, "%llu came back for %llu",
			(unsigned long long)back, (unsigned long long)value);
		answered();
	}
	x_put(p->out, LAST);
}

static void play(uint32_t how, bool forked)
{
	struct player one, other;
	pthread_t thread;
	pid_t pid = -1;

	begin();
	int there = x_eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
	int back = x_eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);

	open_player(&one, back, there, how);
	open_player(&other, there, back, how);
	if (forked) {
		pid = stress_fork();
		if (pid == 0) {
			return_balls(&other);
			_exit(0);
		}
	} else {
		pthread_create(&thread, NULL, return_balls, &other);
	}
	serve_balls(&one);
	if (forked)
		stress_join(pid);
	else
		pthread_join(thread, NULL);
	stress_ok("%llu rounds", (unsigned long long)own->progress);
}

static void level(void)
{
	play(0, false);
}

static void edge(void)
{
	play(EPOLLET, false);
}

static void oneshot(void)
{
	play(EPOLLONESHOT, false);
}

static void forked(void)
{
	play(EPOLLET, true);
}

#define WRITERS 3
#define MOST_SIGNALS 200 /* from one answer to the next */

static struct {
	int efd, ep;
	_Atomic uint64_t added, taken;
	_Atomic int writing;
	_Atomic pid_t tid[WRITERS + 1];
	_Atomic long handled;
} sum;

static void count_signal(int sig)
{
	(void)sig;
	atomic_fetch_add(&sum.handled, 1);
}

static void *add_ones(void *arg)
{
	uint64_t value = 1 + (uint64_t)(uintptr_t)arg;

	atomic_store(&sum.tid[(uintptr_t)arg], stress_gettid());
	while (going()) {
		long n = write(sum.efd, &value, sizeof(value));

		if (n == 8)
			atomic_fetch_add(&sum.added, value);
		else
			must(errno == EINTR, "write: %s", strerror(errno));
		stress_sleep_us(300);
	}
	atomic_fetch_sub(&sum.writing, 1);
	return NULL;
}

/*
 * Signals the others at random; not for ever without an answer between, since
 * a call that each time is cut off before anybody has seen it never succeeds.
 */
static void *pester(void *arg)
{
	uint64_t seen = 0;
	struct stress_rng mine;
	unsigned sent = 0;

	(void)arg;
	stress_seed(&mine, 99);
	while (atomic_load(&sum.writing) > 0) {
		uint64_t progress = atomic_load(&own->progress);
		pid_t tid =
			atomic_load(&sum.tid[stress_below(&mine, WRITERS + 1)]);

		sent = progress == seen ? sent : 0;
		seen = progress;
		if (tid && sent++ < MOST_SIGNALS)
			syscall(SYS_tgkill, getpid(), tid, SIGUSR1);
		stress_sleep_us(stress_below(&mine, 4000));
	}
	return NULL;
}

static void take_some(void)
{
	struct epoll_event ev;
	uint64_t value;
	int n = epoll_wait(sum.ep, &ev, 1, 20);

	must(n >= 0 || errno == EINTR, "wait: %s", strerror(errno));
	if (n != 1)
		return;
	long len = read(sum.efd, &value, sizeof(value));

	if (len == 8) {
		atomic_fetch_add(&sum.taken, value);
		answered();
	} else {
		must(errno == EINTR, "read: %s", strerror(errno));
	}
}

/* Nothing of a counter is lost or doubled, whatever signals come. */
static void add_up(int flags)
{
	struct sigaction sa = {.sa_handler = count_signal, .sa_flags = flags};
	pthread_t thread[WRITERS + 1];

	begin();
	sum.efd = x_eventfd(0, EFD_CLOEXEC);
	sum.ep = x_epoll();
	x_add(sum.ep, sum.efd, EPOLLIN, 1);
	sigaction(SIGUSR1, &sa, NULL);
	atomic_store(&sum.writing, WRITERS);
	atomic_store(&sum.tid[WRITERS], stress_gettid());
	for (uintptr_t i = 0; i < WRITERS; i++)
		pthread_create(&thread[i], NULL, add_ones, (void *)i);
	pthread_create(&thread[WRITERS], NULL, pester, NULL);
	while (atomic_load(&sum.writing) > 0)
		take_some();
	for (int i = 0; i <= WRITERS; i++)
		pthread_join(thread[i], NULL);
	x_nonblock(sum.efd);
	uint64_t rest = 0;

	if (read(sum.efd, &rest, sizeof(rest)) != 8)
		rest = 0;
	must(sum.added == sum.taken + rest, "%llu in, %llu out",
		(unsigned long long)sum.added,
		(unsigned long long)(sum.taken + rest));
	stress_ok("%llu, with %ld signals", (unsigned long long)sum.added,
		(long)sum.handled);
}

static void counter_restart(void)
{
	add_up(SA_RESTART);
}

static void counter_eintr(void)
{
	add_up(0);
}

static struct {
	_Atomic pid_t waiter;
	_Atomic long sent, got;
	int efd;
} knock;

static void opened(int sig)
{
	(void)sig;
	atomic_fetch_add(&knock.got, 1);
}

/* Sends a signal or an event, and waits until it has arrived. */
static void *knocker(void *arg)
{
	struct stress_rng mine;
	long events = 0;

	(void)arg;
	stress_seed(&mine, 98);
	while (!atomic_load(&knock.waiter))
		stress_sleep_us(200);
	while (going()) {
		long sent = atomic_fetch_add(&knock.sent, 1) + 1;

		if (stress_below(&mine, 2)) {
			x_put(knock.efd, 1);
			events++;
		} else {
			good(syscall(
				SYS_tgkill, getpid(), knock.waiter, SIGUSR2));
		}
		while (atomic_load(&knock.got) < sent && going())
			stress_sleep_us(100);
		stress_sleep_us(stress_below(&mine, 800));
	}
	x_put(knock.efd, LAST);
	return NULL;
}

/* Returns false when the game is over. */
static bool hear_one(int ep, const sigset_t *mask)
{
	long before = atomic_load(&knock.got);
	struct epoll_event ev;
	int n = epoll_pwait(ep, &ev, 1, -1, mask);

	if (n < 0) {
		must(errno == EINTR, "pwait: %s", strerror(errno));
		must(atomic_load(&knock.got) == before + 1,
			"EINTR, and %ld handlers ran",
			atomic_load(&knock.got) - before);
		answered();
		return true;
	}
	must(n == 1, "pwait gave %d", n);
	uint64_t value = x_take(knock.efd);

	if (value >= LAST)
		return false;
	must(value == 1, "wrong count");
	atomic_fetch_add(&knock.got, 1);
	answered();
	return true;
}

/* A signal that only the mask of epoll_pwait lets in. */
static void masked(void)
{
	struct sigaction sa = {.sa_handler = opened, .sa_flags = SA_RESTART};
	sigset_t blocked, open;
	pthread_t thread;

	begin();
	knock.efd = x_eventfd(0, EFD_CLOEXEC);
	int ep = x_epoll();

	x_add(ep, knock.efd, EPOLLIN, 1);
	sigaction(SIGUSR2, &sa, NULL);
	sigemptyset(&open);
	sigemptyset(&blocked);
	sigaddset(&blocked, SIGUSR2);
	sigprocmask(SIG_BLOCK, &blocked, NULL);
	pthread_create(&thread, NULL, knocker, NULL);
	atomic_store(&knock.waiter, stress_gettid());
	while (hear_one(ep, &open))
		;
	pthread_join(thread, NULL);
	stress_ok("%ld knocks", (long)knock.sent);
}

#define PERIOD_NS 7000000u

/* A timer's expirations are those that its clock allows. */
static void timer(void)
{
	struct itimerspec spec = {
		.it_interval = {0, PERIOD_NS}, .it_value = {0, PERIOD_NS}};
	uint64_t total = 0, value;

	begin();
	int ep = x_epoll();
	int fd = (int)good(
		timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC));
	uint64_t before_set = stress_now_ns();

	good(timerfd_settime(fd, 0, &spec, NULL));
	uint64_t after_set = stress_now_ns();

	x_add(ep, fd, EPOLLIN | EPOLLET, 3);
	while (going()) {
		must(x_wait1(ep, -1, NULL) == 3, "wrong data");
		uint64_t before = stress_now_ns();

		must(good(read(fd, &value, sizeof(value))) == 8, "short");
		total += value;
		must(total >= (before - after_set) / PERIOD_NS &&
				total <= (stress_now_ns() - before_set) /
						 PERIOD_NS,
			"%llu expirations", (unsigned long long)total);
		answered();
	}
	stress_ok("%llu expirations", (unsigned long long)total);
}

static void nothing(void)
{
	_exit(7);
}

/* Starts programs, and learns of their end by a pidfd. */
static void spawner(void)
{
	char *argv[] = {(char *)"honest", (char *)"nothing", NULL};
	long count = 0;

	begin();
	int ep = x_epoll();

	for (; going(); count++) {
		int status;
		pid_t pid = stress_fork();

		if (pid == 0) {
			execv("/proc/self/exe", argv);
			_exit(1);
		}
		int fd = (int)good(syscall(SYS_pidfd_open, pid, 0));

		x_add(ep, fd, EPOLLIN, (uint64_t)pid);
		must(x_wait1(ep, -1, NULL) == (uint64_t)pid, "wrong data");
		must(good(waitpid(pid, &status, 0)) == pid, "wrong child");
		must(status == 7 << 8, "status 0x%x", (unsigned)status);
		x_close(fd);
		answered();
		stress_sleep_us(3000);
	}
	stress_ok("%ld programs", count);
}

static const struct stress_case cases[] = {
	{"level", level},
	{"edge", edge},
	{"oneshot", oneshot},
	{"forked", forked},
	{"bytes", bytes},
	{"counter-restart", counter_restart},
	{"counter-eintr", counter_eintr},
	{"masked", masked},
	{"timer", timer},
	{"spawner", spawner},
	{"@nothing", nothing},
	{NULL, NULL},
};

int main(int argc, char **argv)
{
	return stress_main(argc, argv, cases);
}
