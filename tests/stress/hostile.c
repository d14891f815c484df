/* SPDX-License-Identifier: MIT */
/*
 * Junk in every argument; what comes back is printed, and the driver
 * compares the native output with the emulated one line by line.
 *
 * All memory lies at fixed addresses and all descriptors have fixed numbers,
 * so the same seed gives the same lines. Nothing here may block: eventfds,
 * pipes and sockets are non-blocking, waits end within a millisecond.
 */
#define _GNU_SOURCE
#include "stress.h"
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <sys/wait.h>

#define PAGE 4096L
#define ARENA 0x10000000000L
#define GOOD ARENA /* read, write; then a hole */
#define READ_ONLY (ARENA + 2 * PAGE) /* then a hole */
#define NO_ACCESS (ARENA + 4 * PAGE)
#define UNMAPPED (ARENA + 6 * PAGE)
#define JUNK_HIGH 0x5a5a5a5a00000000L
#define EPIOCSPARAMS_ 0x40088a01L
#define EPIOCGPARAMS_ 0x80088a02L

struct value {
	const char *name;
	long v;
};

static const struct value fds[] = {
	{"ep", 20},
	{"ep", 20},
	{"ep2", 21},
	{"efd", 22},
	{"sema", 23},
	{"pipe-r", 24},
	{"pipe-w", 25},
	{"file", 26},
	{"dir", 27},
	{"null", 28},
	{"path", 29},
	{"closed", 30},
	{"ep-dup", 31},
	{"sock", 32},
	{"timer", 33},
	{"memfd", 34},
	{"minus1", -1},
	{"int-max", INT_MAX},
	{"int-min", INT_MIN},
	{"big", 1 << 20},
	{"ep-high", JUNK_HIGH | 20},
	{"efd-high", JUNK_HIGH | 22},
};

static const struct value pointers[] = {
	{"good", GOOD},
	{"good", GOOD + 64},
	{"odd", GOOD + 131},
	{"null", 0},
	{"unmapped", UNMAPPED},
	{"no-access", NO_ACCESS},
	{"read-only", READ_ONLY},
	{"edge1", GOOD + PAGE - 1},
	{"edge4", GOOD + PAGE - 4},
	{"edge8", GOOD + PAGE - 8},
	{"edge11", GOOD + PAGE - 11},
	{"edge12", GOOD + PAGE - 12},
	{"edge16", GOOD + PAGE - 16},
	{"edge23", GOOD + PAGE - 23},
	{"edge24", GOOD + PAGE - 24},
	{"ro-edge8", READ_ONLY + PAGE - 8},
	{"kernel", (long)0xffff888000000000uL},
	{"beyond", 0x7ffffffff000L},
	{"all-ones", -1},
};

static const struct value ops[] = {
	{"ADD", 1},
	{"ADD", 1},
	{"MOD", 3},
	{"MOD", 3},
	{"DEL", 2},
	{"op0", 0},
	{"op4", 4},
	{"op99", 99},
	{"op-1", -1},
	{"ADD-high", JUNK_HIGH | 1},
};

static const struct value maxima[] = {
	{"1", 1},
	{"2", 2},
	{"4", 4},
	{"0", 0},
	{"-1", -1},
	{"int-min", INT_MIN},
	{"int-max", INT_MAX},
	{"most", INT_MAX / 12},
	{"most+1", INT_MAX / 12 + 1},
	{"1-high", JUNK_HIGH | 1},
};

static const struct value timeouts[] = {
	{"0", 0},
	{"0", 0},
	{"1", 1},
	{"0-high", JUNK_HIGH},
};

static const struct value sizes[] = {
	{"8", 8},
	{"0", 0},
	{"4", 4},
	{"16", 16},
	{"-1", -1},
	{"8-high", JUNK_HIGH | 8},
};

static const struct value counts[] = {
	{"8", 8},
	{"8", 8},
	{"0", 0},
	{"1", 1},
	{"7", 7},
	{"9", 9},
	{"16", 16},
	{"-1", -1},
};

static const struct value flags[] = {
	{"0", 0},
	{"cloexec", O_CLOEXEC},
	{"nonblock", O_NONBLOCK},
	{"1", 1},
	{"2", 2},
	{"cloexec|nonblock|1", O_CLOEXEC | O_NONBLOCK | 1},
	{"4", 4},
	{"-1", -1},
	{"int-min", INT_MIN},
	{"0-high", JUNK_HIGH},
};

static struct stress_rng rng;
static long line_nr;

static void place(int fd, int at)
{
	good(dup2(fd, at));
	x_close(fd);
}

static void place_files(void)
{
	int fd[2];

	place(x_epoll(), 20);
	place(x_epoll(), 21);
	place(x_eventfd(0, EFD_NONBLOCK), 22);
	place(x_eventfd(0, EFD_NONBLOCK | EFD_SEMAPHORE), 23);
	x_pipe(fd, O_NONBLOCK);
	good(dup2(fd[0], 24));
	good(dup2(fd[1], 25));
	x_close(fd[0]);
	x_close(fd[1]);
	place((int)good(open("/proc/self/exe", O_RDONLY)), 26);
	place((int)good(open("/", O_RDONLY | O_DIRECTORY)), 27);
	place((int)good(open("/dev/null", O_RDWR)), 28);
	place((int)good(open("/", O_PATH)), 29);
	close(30);
	good(dup2(20, 31));
	place((int)good(socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0)), 32);
	place((int)good(timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK)), 33);
	place((int)good(memfd_create("m", 0)), 34);
}

static void *map(long at, int prot)
{
	void *mem = mmap((void *)at, PAGE, prot,
		MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);

	must(mem == (void *)at, "mmap: %s", strerror(errno));
	return mem;
}

static void setup(void)
{
	stress_seed(&rng, 1);
	map(GOOD, PROT_READ | PROT_WRITE);
	map(READ_ONLY, PROT_READ);
	map(NO_ACCESS, PROT_NONE);
	place_files();
}

/* New content for the good page: small masks, small counts, any data. */
static void fill(void)
{
	for (long off = 0; off < PAGE; off += 4) {
		uint32_t word = (uint32_t)stress_rand(&rng);

		if (stress_below(&rng, 2))
			word &= EPOLLIN | EPOLLOUT;
		*(uint32_t *)(GOOD + off) = word;
	}
}

/* Mostly one of the first two, which are the valid ones. */
static const struct value *pick(const struct value *table, size_t len)
{
	return &table[stress_below(
		&rng, stress_below(&rng, 3) ? 2 : (unsigned)len)];
}

#define PICK(table) pick(table, ARRAY_LEN(table))

static void print_result(long n)
{
	if (n < 0)
		printf(" = %s\n", strerrorname_np(errno));
	else
		printf(" = %ld\n", n);
}

static void print_call(const char *name, const struct value *const arg[6])
{
	printf("%ld %s(", line_nr++, name);
	for (int i = 0; i < 6 && arg[i]; i++)
		printf("%s%s", i ? ", " : "", arg[i]->name);
	printf(")");
}

/* Makes and prints one call; arguments from the first NULL on are junk. */
static long call(const char *name, long nr, const struct value *a,
	const struct value *b, const struct value *c, const struct value *d,
	const struct value *e, const struct value *f)
{
	const struct value *const arg[6] = {a, b, c, d, e, f};
	long v[6];

	for (int i = 0; i < 6; i++)
		v[i] = arg[i] ? arg[i]->v : JUNK_HIGH + i;
	print_call(name, arg);
	long n = syscall(nr, v[0], v[1], v[2], v[3], v[4], v[5]);
	int err = errno;

	print_result(n);
	errno = err;
	return n;
}

static void print_events(long n, const struct value *ptr)
{
	for (long i = 0; i < n && i < 8; i++) {
		struct epoll_event ev;

		memcpy(&ev, (char *)ptr->v + i * (long)sizeof(ev), sizeof(ev));
		printf("  %x %llx\n", ev.events,
			(unsigned long long)ev.data.u64);
	}
}

static void any_create(void)
{
	const struct value *arg = PICK(flags);
	long n;

	switch (stress_below(&rng, 3)) {
	case 0:
		n = call("epoll_create1", SYS_epoll_create1, arg, NULL, NULL,
			NULL, NULL, NULL);
		break;
	case 1:
		n = call("eventfd2", SYS_eventfd2, PICK(maxima), arg, NULL,
			NULL, NULL, NULL);
		break;
	default:
#ifdef SYS_epoll_create
		n = call("epoll_create", SYS_epoll_create, PICK(maxima), NULL,
			NULL, NULL, NULL, NULL);
#else
		n = -1;
#endif
	}
	if (n < 0)
		return;
	printf("  flags %x %x\n", fcntl((int)n, F_GETFD),
		fcntl((int)n, F_GETFL));
	x_close((int)n);
}

static void any_wait(void)
{
	const struct value *ep = PICK(fds), *ptr = PICK(pointers);
	const struct value *max = PICK(maxima);
	long n;

#ifdef SYS_epoll_wait
	if (stress_below(&rng, 2))
		n = call("epoll_wait", SYS_epoll_wait, ep, ptr, max,
			PICK(timeouts), NULL, NULL);
	else
#endif
		n = call("epoll_pwait", SYS_epoll_pwait, ep, ptr, max,
			PICK(timeouts), PICK(pointers), PICK(sizes));
	print_events(n, ptr);
}

/* Never without a limit: a null pointer would wait for ever. */
static void any_pwait2(void)
{
	static struct timespec *const ts = (void *)(GOOD + 256);
	static const struct timespec times[] = {{0, 0}, {0, 1000}, {-1, 0},
		{0, -1}, {0, 1000000000}, {0, LONG_MAX}, {LONG_MIN, 0}};
	static const struct value given = {"given", GOOD + 256};
	const struct value *ep = PICK(fds), *ptr = PICK(pointers);
	const struct value *when = PICK(pointers);
	unsigned k = stress_below(&rng, ARRAY_LEN(times));

	*ts = times[k];
	if (when->v == 0 || when->v == READ_ONLY || stress_below(&rng, 2))
		when = &given;
	else if (when->v >= GOOD && when->v < READ_ONLY + PAGE)
		return; /* whatever the page holds may be long */
	printf("  time %u\n", k);
	print_events(call("epoll_pwait2", SYS_epoll_pwait2, ep, ptr,
			     PICK(maxima), when, PICK(pointers), PICK(sizes)),
		ptr);
}

static void any_io(void)
{
	const struct value *fd = PICK(fds), *ptr = PICK(pointers);
	const struct value *count = PICK(counts);

	if (stress_below(&rng, 3))
		fd = &fds[3 + stress_below(&rng, 2)];
	switch (stress_below(&rng, 4)) {
	case 0:
		call("read", SYS_read, fd, ptr, count, NULL, NULL, NULL);
		break;
	case 1:
		if (fd->v == 34)
			break; /* the memfd would grow without limit */
		call("write", SYS_write, fd, ptr, count, NULL, NULL, NULL);
		break;
	case 2:
		call("ioctl GPARAMS", SYS_ioctl, fd,
			&(struct value){"get", EPIOCGPARAMS_}, ptr, NULL, NULL,
			NULL);
		break;
	default:
		call("ioctl SPARAMS", SYS_ioctl, fd,
			&(struct value){"set", EPIOCSPARAMS_}, ptr, NULL, NULL,
			NULL);
	}
}

static void any_call(void)
{
	unsigned kind = stress_below(&rng, 12);

	/* What can be watched comes third to eighth in the table. */
	const struct value *target = &fds[2 + stress_below(&rng, 6)];

	if (stress_below(&rng, 3) == 0)
		target = PICK(fds);
	if (kind == 0)
		any_create();
	else if (kind <= 5)
		call("epoll_ctl", SYS_epoll_ctl, PICK(fds),
			&ops[stress_below(&rng, ARRAY_LEN(ops))], target,
			PICK(pointers), NULL, NULL);
	else if (kind <= 8)
		any_wait();
	else if (kind == 9)
		any_pwait2();
	else
		any_io();
}

static void args(void)
{
	long count = stress_count(8000);

	setup();
	for (long i = 0; i < count; i++) {
		if (i % 32 == 0)
			fill();
		if (i % 512 == 0) {
			for (int fd = 20; fd < 35; fd++)
				close(fd);
			place_files();
		}
		any_call();
	}
	fflush(stdout);
	stress_ok("%ld calls", count);
}

/* Every event array and every count that ends at each byte of a page. */
static void buffers(void)
{
	static const uint32_t masks[] = {
		EPOLLIN, EPOLLIN | EPOLLET, EPOLLIN | EPOLLONESHOT};

	setup();
	for (int m = 0; m < 3; m++)
		for (long len = 0; len <= 40; len++) {
			struct value ptr = {"edge", GOOD + PAGE - len};
			struct value ep = {"ep", x_epoll()};
			struct value max = {"3", 3}, now = {"0", 0};

			printf("mask %x, %ld bytes\n", masks[m], len);
			for (int k = 0; k < 3; k++)
				x_add((int)ep.v, x_eventfd(1, EFD_CLOEXEC),
					masks[m], (uint64_t)k + 1);
			print_events(call("epoll_pwait", SYS_epoll_pwait, &ep,
					     &ptr, &max, &now, &now, NULL),
				&ptr);
			/* None of the others may be lost. */
			ptr.v = GOOD;
			print_events(call("epoll_pwait", SYS_epoll_pwait, &ep,
					     &ptr, &max, &now, &now, NULL),
				&ptr);
			for (int k = 1; k <= 3; k++)
				x_close((int)ep.v + k);
			x_close((int)ep.v);
		}
	for (long len = 0; len <= 9; len++) {
		struct value ptr = {"edge", GOOD + PAGE - len};
		struct value efd = {"efd", 22}, eight = {"8", 8};

		printf("counter, %ld bytes\n", len);
		fill();
		call("write", SYS_write, &efd, &ptr, &eight, NULL, NULL, NULL);
		x_put(22, 1);
		call("read", SYS_read, &efd, &ptr, &eight, NULL, NULL, NULL);
		ptr.v = GOOD;
		call("read", SYS_read, &efd, &ptr, &eight, NULL, NULL, NULL);
	}
	fflush(stdout);
	stress_ok("each length");
}

static const struct stress_case cases[] = {
	{"log-args", args},
	{"log-buffers", buffers},
	{NULL, NULL},
};

int main(int argc, char **argv)
{
	return stress_main(argc, argv, cases);
}
