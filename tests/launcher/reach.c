/* SPDX-License-Identifier: MIT */
/*
 * What a 64-bit program can reach by 32-bit calls on its epolls, for
 * test_reach.py. No filter traps those calls, so under epemu they reach the
 * epoll that stands in for the emulated one, its placeholder. In that is one
 * item of the supervisor's, which is not to be had: the program tries to get
 * at it under every number, and to upset the emulation by items of its own.
 *
 * Prints one line, and ends with 1 when the 64-bit calls go wrong, its own or
 * those of a child that shares the supervisor with it.
 */
#define _GNU_SOURCE
#include "../call32.h"
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#if defined(__x86_64__)

/* Numbers of descriptors that are tried; a supervisor's are among them. */
#define NUMBERS 400
#define PIPE_DATA 0x1111111122222222
#define COUNTER_DATA 0x3333333344444444

enum { I386_EPOLL_CTL = 255, I386_EPOLL_WAIT = 256 };

struct set {
	int ep, pipe[2], counter;
};

static struct epoll_event *low; /* where a 32-bit address reaches */

static void fail(const char *what)
{
	fprintf(stderr, "%s: %s\n", what, strerror(errno));
	exit(1);
}

static void must(int good, const char *what)
{
	if (!good)
		fail(what);
}

/* As the C library's: -1 with errno. */
static long libc32(long nr, long a, long b, long c, long d)
{
	int result = call32(nr, a, b, c, d);

	if (result >= 0)
		return result;
	errno = -result;
	return -1;
}

static long ctl32(int ep, int op, int fd, uint32_t events)
{
	low->events = events;
	low->data.u64 = 7;
	return libc32(I386_EPOLL_CTL, ep, op, fd, (long)low);
}

static long wait32(int ep)
{
	memset(low, 0xff, 4096);
	return libc32(I386_EPOLL_WAIT, ep, (long)low, 8, 0);
}

static void no_32_bit_calls(int sig)
{
	static const char words[] = "the kernel has no 32-bit calls\n";

	(void)sig;
	_exit(write(STDOUT_FILENO, words, sizeof(words) - 1) < 0);
}

static void make(struct set *set)
{
	struct epoll_event event = {.events = EPOLLIN, .data.u64 = PIPE_DATA};

	set->ep = epoll_create1(EPOLL_CLOEXEC);
	set->counter = eventfd(0, EFD_NONBLOCK);
	must(set->ep >= 0 && set->counter >= 0, "create");
	must(pipe2(set->pipe, O_NONBLOCK) == 0, "pipe");
	must(epoll_ctl(set->ep, EPOLL_CTL_ADD, set->pipe[0], &event) == 0,
		"the pipe is added");
	event.events = EPOLLIN | EPOLLET;
	event.data.u64 = COUNTER_DATA;
	must(epoll_ctl(set->ep, EPOLL_CTL_ADD, set->counter, &event) == 0,
		"the counter is added");
}

static void expect(int ep, int timeout, uint64_t data, const char *what)
{
	struct epoll_event events[4];
	int n = epoll_wait(ep, events, 4, timeout);

	must(n == (data != 0), what);
	must(n == 0 || (events[0].events == EPOLLIN &&
			       events[0].data.u64 == data),
		"its event");
}

/* The 64-bit calls on a set whose files nobody else uses just then. */
static void works(const struct set *set)
{
	struct epoll_event event = {.events = EPOLLIN, .data.u64 = PIPE_DATA};
	uint64_t value;
	char byte;

	expect(set->ep, 0, 0, "nothing is ready");
	must(write(set->pipe[1], "x", 1) == 1, "write");
	expect(set->ep, 10000, PIPE_DATA, "the pipe is ready");
	expect(set->ep, 0, PIPE_DATA, "the pipe is still ready");
	must(read(set->pipe[0], &byte, 1) == 1, "read");
	expect(set->ep, 0, 0, "the pipe is ready no more");
	must(eventfd_write(set->counter, 3) == 0, "count");
	expect(set->ep, 10000, COUNTER_DATA, "the counter has an edge");
	expect(set->ep, 0, 0, "the edge is taken");
	must(eventfd_read(set->counter, &value) == 0 && value == 3, "value");
	must(epoll_ctl(set->ep, EPOLL_CTL_ADD, set->pipe[0], &event) < 0 &&
			errno == EEXIST,
		"the pipe is there already");
	must(epoll_ctl(set->ep, EPOLL_CTL_DEL, set->pipe[0], &event) == 0,
		"the pipe is removed");
	must(epoll_ctl(set->ep, EPOLL_CTL_ADD, set->pipe[0], &event) == 0,
		"the pipe is added again");
}

static int neighbour; /* a socket to the child */

/* Has the child use a set of its own at each word from here. */
static void start_neighbour(void)
{
	struct set set;
	int pair[2];
	char byte;

	must(socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0, "socketpair");
	neighbour = pair[0];
	if (fork() != 0) {
		close(pair[1]);
		return;
	}
	close(pair[0]);
	make(&set);
	while (read(pair[1], &byte, 1) == 1) {
		works(&set);
		must(write(pair[1], "x", 1) == 1, "word");
	}
	_exit(0);
}

static void all_works(const struct set *set)
{
	char byte;

	works(set);
	must(write(neighbour, "x", 1) == 1, "word to the child");
	must(read(neighbour, &byte, 1) == 1, "word from the child");
}

/* The number under which the epoll has its first item, as fdinfo tells. */
static int told_number(int ep)
{
	char path[64], text[4096];
	const char *at;
	FILE *file;
	size_t size;

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", ep);
	file = fopen(path, "re");
	must(file != NULL, path);
	size = fread(text, 1, sizeof(text) - 1, file);
	fclose(file);
	text[size] = '\0';
	at = strstr(text, "tfd:");
	return at ? atoi(at + 4) : -1;
}

/* Tries to change and to remove what is there under each number. */
static int reach(const struct set *set)
{
	int told = told_number(set->ep), reached = 0;

	must(told < NUMBERS, "a number that is tried");
	for (int fd = 0; fd < NUMBERS; fd++) {
		if (ctl32(set->ep, EPOLL_CTL_MOD, fd, 0) == 0)
			reached++;
		if (ctl32(set->ep, EPOLL_CTL_DEL, fd, 0) == 0)
			reached++;
	}
	return reached;
}

/* The same with a file of the program's own wherever there is none. */
static int reach_by(const struct set *set, int file)
{
	static int ours[NUMBERS];
	int count = 0, reached;

	for (int fd = 0; fd < NUMBERS; fd++) {
		if (fcntl(fd, F_GETFD) < 0 && dup2(file, fd) == fd)
			ours[count++] = fd;
	}
	reached = reach(set);
	while (count > 0)
		close(ours[--count]);
	return reached;
}

/* An item of the program's own in the placeholder: is there, and goes. */
static void add_own(const struct set *set)
{
	int own = eventfd(1, 0), copy;

	must(ctl32(set->ep, EPOLL_CTL_ADD, own, EPOLLIN) == 0, "ADD");
	must(ctl32(set->ep, EPOLL_CTL_ADD, own, EPOLLIN) < 0 && errno == EEXIST,
		"ADD again");
	must(wait32(set->ep) == 1 && low->data.u64 == 7, "its event");
	all_works(set);
	must(ctl32(set->ep, EPOLL_CTL_MOD, own, EPOLLIN | EPOLLET) == 0, "MOD");
	all_works(set);
	must(ctl32(set->ep, EPOLL_CTL_DEL, own, 0) == 0, "DEL");
	must(ctl32(set->ep, EPOLL_CTL_DEL, own, 0) < 0 && errno == ENOENT,
		"DEL again");
	/* Many, which go as their file does. */
	for (int i = 0; i < 50; i++) {
		copy = fcntl(own, F_DUPFD, 300);
		must(copy >= 0, "dup");
		must(ctl32(set->ep, EPOLL_CTL_ADD, copy, EPOLLIN) == 0,
			"ADD of many");
	}
	all_works(set);
	for (int fd = 300; fd < 350; fd++)
		close(fd);
	close(own);
	must(wait32(set->ep) == 0, "all of them gone");
}

/* Epolls in each other by 32-bit calls, also in themselves. */
static void add_epolls(const struct set *set, const struct set *other)
{
	must(ctl32(set->ep, EPOLL_CTL_ADD, set->ep, EPOLLIN) < 0 &&
			errno == EINVAL,
		"an epoll in itself");
	must(ctl32(set->ep, EPOLL_CTL_ADD, other->ep, EPOLLIN) == 0,
		"an epoll in an epoll");
	must(ctl32(other->ep, EPOLL_CTL_ADD, set->ep, EPOLLIN) < 0 &&
			errno == ELOOP,
		"a loop");
	all_works(set);
	works(other);
	must(ctl32(set->ep, EPOLL_CTL_DEL, other->ep, 0) == 0,
		"the epoll is removed");
}

int main(void)
{
	struct pollfd polled = {.events = POLLIN};
	struct set set, other;
	int reached, status;
	uint64_t data;
	char byte;

	low = mmap(NULL, 4096, PROT_READ | PROT_WRITE,
		MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);
	must(low != MAP_FAILED, "mmap");
	signal(SIGSEGV, no_32_bit_calls);
	make(&set);
	must(wait32(set.ep) == 0, "a wait with nothing ready");
	signal(SIGSEGV, SIG_DFL);
	make(&other);
	start_neighbour();

	/* What is ready shows, and is not taken by looking. */
	must(write(set.pipe[1], "x", 1) == 1, "write");
	must(wait32(set.ep) == 1 && low->events == EPOLLIN, "a wait");
	data = low->data.u64; /* 0: it is a placeholder */
	polled.fd = set.ep;
	must(poll(&polled, 1, 0) == 1, "poll");
	expect(set.ep, 0, PIPE_DATA, "the pipe is ready");
	must(read(set.pipe[0], &byte, 1) == 1, "read");
	all_works(&set);

	/* Natively these would be items of the epoll itself. */
	if (data == 0) {
		add_own(&set);
		all_works(&set);
		add_epolls(&set, &other);
		all_works(&set);
	}
	reached = reach(&set);
	reached += reach_by(&set, set.counter);
	reached += reach_by(&set, set.ep);
	reached += reach_by(&set, other.ep);
	if (reached == 0)
		all_works(&set);
	printf("data %#llx, %d reached\n", (unsigned long long)data, reached);
	close(neighbour);
	must(wait(&status) > 0 && status == 0, "the child");
	return 0;
}

#else

int main(void)
{
	puts("the kernel has no 32-bit calls");
	return 0;
}

#endif
