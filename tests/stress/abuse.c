/* SPDX-License-Identifier: MIT */
/*
 * Ground that moves: memory and descriptors that change hands during the
 * calls which use them, tables without room, an exec that is killed, and
 * eventfds and epolls at the numbers of the standard streams.
 */
#define _GNU_SOURCE
#include "stress.h"
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/uio.h>
#include <sys/wait.h>

#define PAGE 4096

extern char **environ;

static _Atomic bool over;
static char *page;

static void map_page(int prot)
{
	void *mem = mmap(page, PAGE, prot,
		MAP_PRIVATE | MAP_ANONYMOUS | (page ? MAP_FIXED : 0), -1, 0);

	must(mem != MAP_FAILED, "mmap: %s", strerror(errno));
	page = mem;
}

static void *move_ground(void *arg)
{
	(void)arg;
	while (!atomic_load(&over)) {
		map_page(PROT_READ | PROT_WRITE);
		stress_sleep_us(30);
		good(mprotect(page, PAGE, PROT_READ));
		stress_sleep_us(10);
		good(munmap(page, PAGE));
		stress_sleep_us(30);
	}
	return NULL;
}

/* D08: what could not be stored is not lost, whenever the page goes. */
static void unmapped(void)
{
	uint64_t end = stress_now_ns() + (uint64_t)(stress.seconds * 5e8);
	int ep = x_epoll(), efd = x_eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	long stored = 0, faults = 0;
	pthread_t thread;

	map_page(PROT_READ | PROT_WRITE);
	x_add(ep, efd, EPOLLIN | EPOLLET, 6);
	pthread_create(&thread, NULL, move_ground, NULL);
	while (stress_now_ns() < end) {
		struct epoll_event *ev = (void *)page;

		x_put(efd, 1);
		int n = epoll_wait(ep, ev, 4, -1);

		if (n == 1) {
			stored++;
		} else {
			must(n < 0 && errno == EFAULT, "wait gave %d: %s", n,
				strerror(errno));
			must(x_wait1(ep, 0, NULL) == 6, "wrong data");
			faults++;
		}
		x_wait0(ep);
		long got = read(efd, page, 8);

		must(got == 8 || errno == EFAULT, "read gave %ld: %s", got,
			strerror(errno));
		bad(EAGAIN, read(efd, &(uint64_t){0}, 8));
	}
	atomic_store(&over, true);
	pthread_join(thread, NULL);
	must(stored > 0 && faults > 0, "only one kind happened");
	stress_ok("%ld stored, %ld faults", stored, faults);
}

#define SPOT 60 /* what lies here changes all the time */
#define SPOT2 61

static int sources[5];

static void *move_files(void *arg)
{
	struct stress_rng rng;

	(void)arg;
	stress_seed(&rng, 2);
	while (!atomic_load(&over)) {
		int spot = SPOT + (int)stress_below(&rng, 2);
		unsigned i = stress_below(&rng, ARRAY_LEN(sources) + 1);

		if (i == ARRAY_LEN(sources))
			close(spot);
		else
			good(dup2(sources[i], spot));
	}
	return NULL;
}

static void one_of(const char *call, long n, const int *errs, size_t count)
{
	if (n >= 0)
		return;
	for (size_t i = 0; i < count; i++)
		if (errno == errs[i])
			return;
	fail("%s: %s", call, strerror(errno));
}

static void *use_files(void *arg)
{
	static const int ctl_errs[] = {
		EBADF, EINVAL, EEXIST, ENOENT, ELOOP, EPERM};
	static const int wait_errs[] = {EBADF, EINVAL};
	static const int io_errs[] = {EBADF, EINVAL, EAGAIN};
	struct epoll_event ev[4];
	struct stress_rng rng;
	uint64_t v;

	stress_seed(&rng, 3 + (uint64_t)(uintptr_t)arg);
	while (!atomic_load(&over)) {
		int a = SPOT + (int)stress_below(&rng, 2);
		int b = SPOT + (int)stress_below(&rng, 2);
		int op = 1 + (int)stress_below(&rng, 3);

		ev[0].events = EPOLLIN | (op & 1 ? EPOLLET : 0);
		one_of("epoll_ctl", epoll_ctl(a, op, b, ev), ctl_errs,
			ARRAY_LEN(ctl_errs));
		one_of("epoll_wait",
			epoll_wait(a, ev, 4, (int)stress_below(&rng, 2)),
			wait_errs, ARRAY_LEN(wait_errs));
		v = 1;
		one_of("write", write(b, &v, 8), io_errs, ARRAY_LEN(io_errs));
		one_of("read", read(b, &v, 8), io_errs, ARRAY_LEN(io_errs));
	}
	return NULL;
}

/* Another thread closes and replaces what is being used. */
static void replaced(void)
{
	pthread_t thread[3];
	int fd[2];

	x_pipe(fd, O_NONBLOCK);
	sources[0] = x_epoll();
	sources[1] = x_epoll();
	sources[2] = x_eventfd(1, EFD_NONBLOCK);
	sources[3] = x_eventfd(0, EFD_NONBLOCK | EFD_SEMAPHORE);
	sources[4] = fd[0];
	pthread_create(&thread[0], NULL, move_files, NULL);
	pthread_create(&thread[1], NULL, use_files, NULL);
	pthread_create(&thread[2], NULL, use_files, (void *)1);
	stress_sleep_us((unsigned)(stress.seconds * 5e5));
	atomic_store(&over, true);
	for (int i = 0; i < 3; i++)
		pthread_join(thread[i], NULL);
	for (int i = 0; i < 5; i++)
		x_close(sources[i]);
	close(SPOT);
	close(SPOT2);
	stress_basic_calls();
	stress_ok("no call gave what it cannot give");
}

static void set_limit(rlim_t n)
{
	struct rlimit lim;

	good(getrlimit(RLIMIT_NOFILE, &lim));
	lim.rlim_cur = n;
	good(setrlimit(RLIMIT_NOFILE, &lim));
}

/* A full table: EMFILE exactly then, and all else goes on. */
static void full_table(void)
{
	int ep = x_epoll(), first = x_eventfd(0, EFD_NONBLOCK), n = 0,
	    last = -1;
	struct epoll_event ev = {.events = EPOLLIN, .data.u64 = 1};
	int high = (int)good(fcntl(first, F_DUPFD, 40));

	set_limit(30);
	for (;;) {
		int fd = n % 2 ? epoll_create1(0) : eventfd(1, EFD_CLOEXEC);

		if (fd < 0)
			break;
		must(fd < 30, "number %d beyond the limit", fd);
		last = fd;
		n++;
	}
	must(errno == EMFILE, "%s", strerror(errno));
	bad(EMFILE, epoll_create1(EPOLL_CLOEXEC));
	bad(EMFILE, epoll_create(1));
	bad(EMFILE, eventfd(0, 0));
	bad(EMFILE, eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC));
	/* What needs no new number works, also above the limit. */
	good(epoll_ctl(ep, EPOLL_CTL_ADD, high, &ev));
	x_put(high, 2);
	must(x_wait1(ep, 0, NULL) == 1, "wrong data");
	must(x_take(first) == 2, "wrong count");
	x_close(last);
	must(x_epoll() == last, "the freed number was not used");
	set_limit(0);
	bad(EMFILE, epoll_create1(0));
	bad(EMFILE, eventfd(0, 0));
	x_put(high, 2);
	must(x_wait1(ep, 0, NULL) == 1, "wrong data");
	stress_ok("full after %d", n);
}

/* Execs itself again and again, with an epoll that is handed on. */
static void helper_chain(void)
{
	static char ep_text[16], prog[] = "abuse", name[] = "helper-chain";
	char *argv[] = {prog, name, ep_text, NULL};
	int ep;

	if (stress.args && stress.args[0])
		ep = (int)strtol(stress.args[0], NULL, 10);
	else
		ep = (int)good(epoll_create1(0));
	int efd = x_eventfd(1, EFD_CLOEXEC);

	x_add(ep, efd, EPOLLIN, 3);
	must(x_wait1(ep, -1, NULL) == 3, "a registration survived exec");
	snprintf(ep_text, sizeof(ep_text), "%d", ep);
	execv("/proc/self/exe", argv);
	fail("execv: %s", strerror(errno));
}

static void exec_killed(void)
{
	long count = stress_count(80);
	struct stress_rng rng;

	stress_seed(&rng, 4);
	stress.args = NULL;
	for (long i = 0; i < count; i++) {
		pid_t pid = stress_fork();

		if (pid == 0)
			helper_chain();
		stress_sleep_us(stress_below(&rng, 5000));
		stress_kill(pid);
	}
	stress_basic_calls();
	stress_ok("%ld killed around an exec", count);
}

static void *give_at_zero(void *arg)
{
	static const struct timespec moment = {0, 3000000};
	int fd = *(int *)arg;

	nanosleep(&moment, NULL);
	x_put(fd, 4);
	return NULL;
}

/* A blocked read at `from` is ended by a write to `to`. */
static void pass(int from, int to)
{
	pthread_t thread;

	pthread_create(&thread, NULL, give_at_zero, &to);
	must(x_take(from) == 4, "wrong count");
	pthread_join(thread, NULL);
}

static void *take_at(void *arg)
{
	static const struct timespec moment = {0, 3000000};

	nanosleep(&moment, NULL);
	must(x_take(*(int *)arg) == UINT64_MAX - 1, "wrong count");
	return NULL;
}

/* A blocked write at `to` is ended by a read at `from`. */
static void make_room(int from, int to)
{
	pthread_t thread;

	x_put(to, UINT64_MAX - 1);
	pthread_create(&thread, NULL, take_at, &from);
	x_put(to, 9);
	pthread_join(thread, NULL);
	must(x_take(to) == 9, "wrong count");
}

static void *wake_at_zero(void *arg)
{
	static const struct timespec moment = {0, 3000000};

	(void)arg;
	nanosleep(&moment, NULL);
	x_put(0, 1);
	return NULL;
}

/* 0 and 2 are eventfds, 1 is an epoll that watches them. */
static void low_edges(int alias)
{
	pthread_t thread;

	x_add(1, 0, EPOLLIN | EPOLLET, 10);
	for (int i = 0; i < 20; i++) {
		x_put(i % 2 ? 0 : alias, 1);
		must(x_wait1(1, -1, NULL) == 10, "wrong data");
		x_wait0(1);
	}
	pthread_create(&thread, NULL, wake_at_zero, NULL);
	must(x_wait1(1, -1, NULL) == 10, "wrong data");
	pthread_join(thread, NULL);
	must(x_take(0) == 21, "wrong count");
	bad(EEXIST, epoll_ctl(1, EPOLL_CTL_ADD, 0, &(struct epoll_event){0}));
	x_add(1, 2, EPOLLIN | EPOLLOUT, 11);
	must(x_wait1(1, -1, NULL) == 11, "wrong data");
	x_del(1, 2);
}

static void low_vectors(int alias)
{
	uint64_t a[2] = {3, 4}, b[2] = {0, 0};
	struct iovec in[2] = {{&a[0], 8}, {&a[1], 8}};
	struct iovec out[2] = {{&b[0], 4}, {(char *)&b[0] + 4, 4}};
	struct pollfd p = {.fd = 0, .events = POLLIN | POLLOUT};

	must(writev(0, in, 2) == 16, "writev");
	must(poll(&p, 1, 0) == 1 && p.revents == (POLLIN | POLLOUT), "poll %x",
		p.revents);
	must(readv(alias, out, 2) == 8 && b[0] == 7, "readv");
	must(poll(&p, 1, 0) == 1 && p.revents == POLLOUT, "poll %x", p.revents);
	x_put(alias, 6);
	must(read(0, b, sizeof(b)) == 8 && b[0] == 6, "read of 16");
}

static void low_child(void)
{
	stress.err = (int)good(fcntl(2, F_DUPFD_CLOEXEC, 100));
	x_close(0);
	x_close(1);
	x_close(2);
	must(x_eventfd(0, 0) == 0, "not 0");
	must(x_epoll() == 1, "not 1");
	must(x_eventfd(0, EFD_NONBLOCK) == 2, "not 2");
	int alias = (int)good(dup(0));

	low_edges(alias);
	low_vectors(alias);
	for (int i = 0; i < 8; i++) {
		pass(i & 1 ? 0 : alias, i & 2 ? 0 : alias);
		make_room(i & 1 ? 0 : alias, i & 2 ? 0 : alias);
	}
	_exit(0);
}

static void low_numbers(void)
{
	for (long i = stress_count(10); i > 0; i--) {
		pid_t pid = stress_fork();

		if (pid == 0)
			low_child();
		stress_join(pid);
	}
	stress_ok("0 to 2 are as good as any");
}

static const struct stress_case cases[] = {
	{"unmapped", unmapped},
	{"replaced", replaced},
	{"full-table", full_table},
	{"exec-killed", exec_killed},
	{"low-numbers", low_numbers},
	{"@helper-chain", helper_chain},
	{NULL, NULL},
};

int main(int argc, char **argv)
{
	return stress_main(argc, argv, cases);
}
