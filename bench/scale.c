/* SPDX-License-Identifier: MIT */
/*
 * What many items, waiters and connections cost, and what the supervisor does
 * while nobody waits. Each measure prints fields of its own.
 *
 * As far as the limit of open files allows, every item has a file of its own,
 * so that no two of them share anything.
 */
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "bench.h"

enum { MANY = 10000, ROOM = 512, STACK_BYTES = 64 * 1024, SETTLE_US = 300000 };
/* Descriptors for all else, of the program and of the supervisor. */
enum { SPARE_FILES = 256 };

static int *open_files(long amount)
{
	int *files = calloc((size_t)amount + 1, sizeof(*files));

	need(files, "memory");
	need(raise_file_limit() > amount + SPARE_FILES,
		"the limit of open files");
	for (long i = 0; i < amount; i += 2)
		need(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0,
			     files + i) == 0,
			"socketpair");
	return files;
}

/* Each item is a file of its own. */
static void register_files(int epoll, long amount)
{
	int *files = open_files(amount);

	for (long i = 0; i < amount; i++)
		epoll_add(epoll, files[i], EPOLLIN, (uint64_t)i);
	free(files);
}

/* One file of this process, under many numbers. */
static void register_numbers(int epoll, long amount)
{
	int *files = open_files(2);

	for (long i = 0; i < amount; i++) {
		int fd = dup(files[0]);

		need(fd >= 0, "dup");
		epoll_add(epoll, fd, EPOLLIN, 0);
	}
	free(files);
}

/* A child has done its part when it closes the pipe; then it sleeps. */
static void register_in_child(int epoll, long amount)
{
	int done[2];
	char byte;

	need(pipe2(done, O_CLOEXEC) == 0, "pipe2");
	switch (fork()) {
	case -1:
		need(false, "fork");
		break;
	case 0:
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		register_numbers(epoll, amount);
		need(write(done[1], "x", 1) == 1, "write");
		for (;;)
			pause();
	default:
		close(done[1]);
		need(read(done[0], &byte, 1) == 1, "a child's items");
		close(done[0]);
	}
}

/*
 * More items than one process, or the supervisor, may have files: some
 * processes register for the same epoll, each of them one file under as many
 * numbers as it may have.
 */
static void register_crowd(int epoll, long amount, long limit)
{
	long part = limit - SPARE_FILES;

	for (; amount > 0; amount -= part)
		register_in_child(epoll, amount < part ? amount : part);
}

static int64_t time_waits(int epoll, int64_t duration_ns, double *count)
{
	struct epoll_event events[ROOM];
	int64_t begin = now_ns();
	int64_t now;

	do {
		need(epoll_wait(epoll, events, ROOM, 0) == 1, "epoll_wait");
		(*count)++;
		now = now_ns();
	} while (now < begin + duration_ns);
	return now - begin;
}

static int64_t time_adds(int epoll, int fd, int64_t duration_ns, double *count)
{
	int64_t sum = 0;
	int64_t begin = now_ns();
	int64_t now;

	do {
		int64_t from = now_ns();

		epoll_add(epoll, fd, EPOLLIN, 0);
		sum += now_ns() - from;
		need(epoll_ctl(epoll, EPOLL_CTL_DEL, fd, NULL) == 0,
			"epoll_ctl");
		(*count)++;
		now = now_ns();
	} while (now < begin + duration_ns);
	return sum;
}

/* One ready item of many: a wait, one more ADD, and the memory of each. */
static void measure_registered(long amount, int64_t duration_ns)
{
	long limit = raise_file_limit();
	bool distinct = limit > amount + 2 * SPARE_FILES;
	int *pair = open_files(2);
	int epoll = epoll_with(pair[0], EPOLLIN);
	double waits = 0;
	double adds = 0;
	long before;
	int64_t ns;

	need(write(pair[1], "x", 1) == 1, "write");
	nap_us(SETTLE_US); /* the supervisor's own tidying of set-up */
	before = parent_heap_bytes();
	if (distinct)
		register_files(epoll, amount - 1);
	else
		register_crowd(epoll, amount - 1, limit);
	field("supervisor_bytes",
		(double)(parent_heap_bytes() - before) / (double)amount);
	field("distinct", distinct);
	nap_us(SETTLE_US);
	ns = time_waits(epoll, duration_ns, &waits);
	field("wait_ns", (double)ns / waits);
	ns = time_adds(epoll, pair[1], duration_ns, &adds);
	field("add_ns", (double)ns / adds);
}

static int crowded;

static void prepare_one_of_many(void)
{
	int *pair = open_files(2);

	crowded = epoll_with(pair[0], EPOLLIN);
	register_files(crowded, MANY - 1);
	need(write(pair[1], "x", 1) == 1, "write");
	free(pair);
}

static int64_t run_one_of_many(int operations)
{
	struct epoll_event events[ROOM];
	int64_t begin = now_ns();

	for (int i = 0; i < operations; i++)
		need(epoll_wait(crowded, events, ROOM, -1) == 1, "epoll_wait");
	return now_ns() - begin;
}

/* The rows of the table are measured by the functions above. */
const struct workload scale_workloads[] = {
	{"wait-of-10000", 1, NULL, prepare_one_of_many, run_one_of_many, 64},
	{0},
};

static struct seat {
	int counter;
	int epoll;
} * seats;

static atomic_long arrived;

static void *sit(void *of)
{
	struct seat *seat = of;
	struct epoll_event event;
	uint64_t value;

	for (;;) {
		need(epoll_wait(seat->epoll, &event, 1, -1) == 1, "epoll_wait");
		need(read(seat->counter, &value, sizeof(value)) ==
				sizeof(value),
			"read");
		atomic_fetch_add(&arrived, 1);
	}
	return NULL;
}

static void start_seat(struct seat *seat)
{
	pthread_attr_t attributes;
	pthread_t thread;

	pthread_attr_init(&attributes);
	pthread_attr_setstacksize(&attributes, STACK_BYTES);
	need(pthread_create(&thread, &attributes, sit, seat) == 0,
		"pthread_create");
	pthread_attr_destroy(&attributes);
}

static void wake_all(long amount)
{
	uint64_t one = 1;
	long goal = atomic_load(&arrived) + amount;

	for (long i = 0; i < amount; i++)
		need(write(seats[i].counter, &one, sizeof(one)) == sizeof(one),
			"write");
	while (atomic_load(&arrived) < goal)
		nap_us(50);
}

/* Threads that all wait, each on its own, and are all woken in turn. */
static void measure_waiters(long amount, int64_t duration_ns)
{
	int64_t begin;
	int64_t now;
	double wakes = 0;
	long before;

	raise_file_limit();
	seats = calloc((size_t)amount, sizeof(*seats));
	need(seats, "memory");
	for (long i = 0; i < amount; i++) {
		seats[i].counter = eventfd(0, EFD_CLOEXEC);
		need(seats[i].counter >= 0, "eventfd");
		seats[i].epoll = epoll_with(seats[i].counter, EPOLLIN);
	}
	nap_us(SETTLE_US);
	before = parent_heap_bytes();
	for (long i = 0; i < amount; i++)
		start_seat(&seats[i]);
	wake_all(amount); /* now each of them has waited */
	nap_us(SETTLE_US);
	field("supervisor_bytes",
		(double)(parent_heap_bytes() - before) / (double)amount);
	begin = now_ns();
	do {
		wake_all(amount);
		wakes += (double)amount;
		now = now_ns();
	} while (now < begin + duration_ns);
	field("wake_ns", (double)(now - begin) / wakes);
}

static void drain(int epoll, long amount)
{
	struct epoll_event events[ROOM];
	char byte;

	while (amount > 0) {
		int n = epoll_wait(epoll, events, ROOM, -1);

		need(n > 0, "epoll_wait");
		for (int i = 0; i < n; i++)
			need(read(events[i].data.fd, &byte, 1) == 1, "read");
		amount -= n;
	}
}

static struct sockaddr_un meeting_place = {.sun_family = AF_UNIX};

/* The far ends: writes to each of them when a byte comes. */
static void far_ends(int orders, long amount)
{
	int *ends = calloc((size_t)amount, sizeof(*ends));
	char byte;

	need(ends, "memory");
	for (long i = 0; i < amount; i++) {
		ends[i] = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
		need(connect(ends[i], (struct sockaddr *)&meeting_place,
			     sizeof(meeting_place)) == 0,
			"connect");
	}
	while (read(orders, &byte, 1) == 1)
		for (long i = 0; i < amount; i++)
			need(write(ends[i], "x", 1) == 1, "write");
	_exit(0);
}

static int listen_somewhere(void)
{
	int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	snprintf(meeting_place.sun_path + 1, sizeof(meeting_place.sun_path) - 1,
		"epemu-bench-%d", (int)getpid());
	need(bind(listener, (struct sockaddr *)&meeting_place,
		     sizeof(meeting_place)) == 0,
		"bind");
	need(listen(listener, ROOM) == 0, "listen");
	return listener;
}

/* All become ready, and all are served; the time for each of them. */
static void measure_connections(long amount, int64_t duration_ns)
{
	int epoll = epoll_create1(EPOLL_CLOEXEC);
	int listener = listen_somewhere();
	int orders[2];
	double served = 0;
	int64_t begin;
	int64_t now;

	need(raise_file_limit() > amount + SPARE_FILES,
		"the limit of open files");
	need(epoll >= 0 && pipe2(orders, O_CLOEXEC) == 0, "set-up");
	if (fork() == 0) {
		close(orders[1]);
		far_ends(orders[0], amount);
	}
	for (long i = 0; i < amount; i++) {
		int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);

		need(fd >= 0, "accept4");
		epoll_add(epoll, fd, EPOLLIN, (uint64_t)fd);
	}
	begin = now_ns();
	do {
		need(write(orders[1], "x", 1) == 1, "write");
		drain(epoll, amount);
		served += (double)amount;
		now = now_ns();
	} while (now < begin + duration_ns);
	field("served_ns", (double)(now - begin) / served);
}

static void *talk(void *of)
{
	int *end = of;
	char word[64] = {0};

	while (write(*end, word, sizeof(word)) == sizeof(word))
		;
	return NULL;
}

/*
 * A registered socket is read natively, message after message, and nobody
 * waits. What the supervisor runs meanwhile is too much.
 */
static void measure_busy_socket(long amount, int64_t duration_ns)
{
	int *files = open_files(2);
	int epoll = epoll_with(files[0], EPOLLIN | EPOLLRDHUP | EPOLLET);
	struct epoll_event event;
	char word[64];
	double messages = 0;
	pthread_t thread;
	int64_t begin;
	int64_t before;

	(void)amount;
	need(pthread_create(&thread, NULL, talk, &files[1]) == 0,
		"pthread_create");
	need(epoll_wait(epoll, &event, 1, -1) == 1, "epoll_wait");
	before = parent_cpu_ns();
	begin = now_ns();
	while (now_ns() < begin + duration_ns) {
		need(read(files[0], word, sizeof(word)) == sizeof(word),
			"read");
		messages++;
	}
	field("supervisor_ns", (double)(parent_cpu_ns() - before));
	field("messages", messages);
	field("ns", (double)(now_ns() - begin) / messages);
}

const struct measure measures[] = {
	{"registered", measure_registered},
	{"waiters", measure_waiters},
	{"connections", measure_connections},
	{"busy-socket", measure_busy_socket},
	{0},
};
