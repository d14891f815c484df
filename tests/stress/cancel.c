/* SPDX-License-Identifier: MIT */
/*
 * Threads that are cancelled in a read, a write or a wait: pthread_cancel(3).
 * And threads whose own signal handler gives up the call, as qemu-user does.
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
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <ucontext.h>

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

/*
 * A call that a signal handler can give up, in the way of qemu-user's
 * safe_syscall(): `told` says that there was a signal. Between stub_begin and
 * stub_over the call has had no effect yet, so the handler sends the thread to
 * stub_given_up; at stub_over the call is over and has its result.
 */
#define GIVEN_UP (-512)

#define PLENTY (1u << 31) /* more than can be read in the time */

long stub_call(
	volatile int *told, long nr, long fd, volatile uint64_t *value, long n);
extern const char stub_begin[], stub_over[], stub_given_up[];

#ifdef __x86_64__
#define FRAME_PC(uc) ((uc)->uc_mcontext.gregs[REG_RIP])
__asm__(".text\n"
	".globl stub_call, stub_begin, stub_over, stub_given_up\n"
	".type stub_call, @function\n"
	"stub_call:\n"
	"	mov %rdi, %r9\n	mov %rsi, %rax\n"
	"	mov %rdx, %rdi\n	mov %rcx, %rsi\n	mov %r8, %rdx\n"
	"stub_begin:\n"
	"	cmpl $0, (%r9)\n	jne stub_given_up\n"
	"	syscall\n"
	"stub_over:\n"
	"	ret\n"
	"stub_given_up:\n"
	"	mov $-512, %rax\n	ret\n"
	".size stub_call, . - stub_call\n");
#else
#define FRAME_PC(uc) ((uc)->uc_mcontext.pc)
__asm__(".text\n"
	".globl stub_call, stub_begin, stub_over, stub_given_up\n"
	".type stub_call, %function\n"
	"stub_call:\n"
	"	mov x9, x0\n	mov x8, x1\n"
	"	mov x0, x2\n	mov x1, x3\n	mov x2, x4\n"
	"stub_begin:\n"
	"	ldr w10, [x9]\n	cbnz w10, stub_given_up\n"
	"	svc #0\n"
	"stub_over:\n"
	"	ret\n"
	"stub_given_up:\n"
	"	mov x0, #-512\n	ret\n"
	".size stub_call, . - stub_call\n");
#endif

static volatile int told;
static volatile sig_atomic_t given_up;
static atomic_bool over;
static int written_to, read_from;
static uint64_t put; /* into read_from */
static uint64_t written, taken; /* what the thread has the results of */
static long again;

static void on_signal(int sig, siginfo_t *info, void *context)
{
	ucontext_t *uc = context;
	uintptr_t pc = (uintptr_t)FRAME_PC(uc);

	(void)sig;
	(void)info;
	told = 1;
	if (pc < (uintptr_t)stub_begin || pc >= (uintptr_t)stub_over)
		return;
	FRAME_PC(uc) = (__typeof__(FRAME_PC(uc)))(uintptr_t)stub_given_up;
	given_up++;
}

/*
 * Makes the call until it is over. One that cannot sleep never fails with
 * EINTR natively (README, "Signals just before a call").
 */
static uint64_t stub_until_over(long nr, int fd, bool sleeps)
{
	uint64_t value = 1;
	long n;

	for (;;) {
		told = 0;
		n = stub_call(&told, nr, fd, &value, sizeof(value));
		if (n == sizeof(value))
			return value;
		must(n == GIVEN_UP || n == -EINTR, "call %ld gave %ld", nr, n);
		must(n == GIVEN_UP || sleeps || stress.emulated,
			"call %ld was interrupted", nr);
		again += n == -EINTR;
	}
}

static void *transfers(void *arg)
{
	while (!atomic_load(&over)) {
		written += stub_until_over(SYS_write, written_to, false);
		taken += stub_until_over(SYS_read, read_from, false);
	}
	return arg;
}

static void *sleeping_reads(void *arg)
{
	while (!atomic_load(&over))
		taken += stub_until_over(SYS_read, read_from, true);
	return arg;
}

static void put_one(void)
{
	x_put(read_from, 1);
	put++;
}

static void handle_signals(int flags)
{
	struct sigaction sa = {
		.sa_sigaction = on_signal, .sa_flags = SA_SIGINFO | flags};

	good(sigaction(SIGUSR1, &sa, NULL));
}

/*
 * A thread of its own for each few signals: it is the first one after a rest
 * that an emulator expects least. `puts`: it sleeps until there is something.
 */
static void signals_in_turns(void *(*run)(void *), bool puts)
{
	uint64_t until = stress_now_ns() + (uint64_t)(stress.seconds * 1e9);

	for (; stress_now_ns() < until; turns++) {
		pthread_t thread;

		handle_signals(turns % 2 ? SA_RESTART : 0);
		thread = begin(run);
		for (unsigned i = stress_below(&rng, 3); i <= 2; i++) {
			if (puts) {
				put_one();
				pause_for(30);
			}
			must(!pthread_kill(thread, SIGUSR1), "pthread_kill");
			pause_for(stress.gap * 60);
		}
		atomic_store(&over, true);
		if (puts)
			put_one();
		pthread_join(thread, NULL);
		atomic_store(&over, false);
	}
}

/* A semaphore does not give all that is in it at once: it is looked up. */
static uint64_t rest_of(int fd)
{
	char path[48];
	unsigned long long value = 0;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", fd);
	file = fopen(path, "r");
	must(file, "%s: %s", path, strerror(errno));
	while (fscanf(file, "eventfd-count: %llx", &value) != 1)
		must(fscanf(file, "%*[^\n]\n") == 0, "no count in %s", path);
	fclose(file);
	return value;
}

/* `happened` transfers took effect, and the thread knows of `known`. */
static void balance(uint64_t happened, uint64_t known, const char *what)
{
	must(known <= happened, "%s: %llu of %llu", what,
		(unsigned long long)known, (unsigned long long)happened);
	lost += (long)(happened - known);
}

static void end_of_given_up(void)
{
	/* README's limits: hardly ever one, under epemu. */
	must(lost <= (stress.emulated ? 1 : 0),
		"%ld results lost in %llu calls", lost,
		(unsigned long long)(written + taken));
	stress_ok("%llu calls, %ld threads, %d calls given up, %ld interrupted,"
		  " %ld lost",
		(unsigned long long)(written + taken), turns, (int)given_up,
		again, lost);
}

static void give_up(void)
{
	stress_seed(&rng, 6);
	written_to = x_eventfd(0, EFD_NONBLOCK);
	put = PLENTY;
	read_from = x_eventfd(PLENTY, EFD_NONBLOCK | EFD_SEMAPHORE);
	signals_in_turns(transfers, false);
	balance(rest_of(written_to), written, "written");
	balance(put - rest_of(read_from), taken, "read");
	end_of_given_up();
}

static void give_up_asleep(void)
{
	stress_seed(&rng, 6);
	read_from = x_eventfd(0, EFD_SEMAPHORE);
	signals_in_turns(sleeping_reads, true);
	balance(put - rest_of(read_from), taken, "read");
	end_of_given_up();
}

static const struct stress_case cases[] = {
	{"read", cancel_read},
	{"write", cancel_write},
	{"edge", cancel_edge},
	{"oneshot", cancel_oneshot},
	{"give-up", give_up},
	{"give-up-asleep", give_up_asleep},
	{NULL, NULL},
};

int main(int argc, char **argv)
{
	return stress_main(argc, argv, cases);
}
