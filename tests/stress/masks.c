/* SPDX-License-Identifier: MIT */
/*
 * The signal mask that epoll_pwait() puts in force for the time of a wait.
 *
 * A signal that it blocks never ends the wait, whenever it comes.
 *
 * The mask does not outlive an execve() by another thread. Here the new image,
 * which has the old leader's process id, makes the leader's call once more:
 * the same descriptor, the same addresses, from the same place. It is a call of
 * its own, and gets the event that comes then; and the signal mask of the new
 * image is that of the thread that made the execve().
 */
#define _GNU_SOURCE
#include "stress.h"
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/personality.h>

/* The descriptors that an old and a new image both use. */
#define EPOLL_FD 100
#define EVENT_FD 101

#define MASK_OF(sig) (1ull << ((sig)-1))

/* What a wait gets, at the same address in the old and in the new image. */
static struct {
	struct epoll_event event;
	uint64_t mask;
} waited;

static long wait_with(const uint64_t *mask)
{
	return syscall(SYS_epoll_pwait, EPOLL_FD, &waited.event, 1, -1, mask,
		sizeof(*mask));
}

static void print_places(char *text, size_t size)
{
	snprintf(text, size, "%p %p", (void *)&waited, (void *)syscall);
}

static void check_mask(uint64_t expected)
{
	uint64_t mask = 0;

	good(syscall(
		SYS_rt_sigprocmask, SIG_SETMASK, NULL, &mask, sizeof(mask)));
	must(mask == expected, "mask %llx", (unsigned long long)mask);
}

static void await_leader(void)
{
	stress_wait_blocked(getpid(), SYS_epoll_pwait, SYS_epoll_pwait);
	stress_sleep_us(1000);
}

static void *becomes_same(void *arg)
{
	sigset_t own;

	sigemptyset(&own);
	sigaddset(&own, SIGUSR2);
	pthread_sigmask(SIG_SETMASK, &own, NULL);
	await_leader();
	execv("/proc/self/exe", arg);
	_exit(9);
}

static void *puts_for_leader(void *arg)
{
	await_leader();
	x_put(EVENT_FD, 1);
	return arg;
}

/* The leader sleeps under a mask of its own when its process is replaced. */
static void old_image_of_lent(void)
{
	char places[48];
	char *next[] = {
		(char *)"masks", (char *)"new", stress.args[0], places, NULL};
	pthread_t thread;

	good(dup2(x_epoll(), EPOLL_FD));
	good(dup2(x_eventfd(0, EFD_CLOEXEC), EVENT_FD));
	x_add(EPOLL_FD, EVENT_FD, EPOLLIN, 7);
	print_places(places, sizeof(places));
	waited.mask = MASK_OF(SIGUSR1);
	pthread_create(&thread, NULL, becomes_same, next);
	fail("the wait gave %ld", wait_with(&waited.mask));
}

/* The same wait again, with that mask, with the thread's own, with none. */
static void new_image_of_lent(void)
{
	int how = atoi(stress.args[0]);
	char places[48];
	pthread_t thread;

	print_places(places, sizeof(places));
	must(!strcmp(places, stress.args[1]), "the new image is elsewhere");
	check_mask(MASK_OF(SIGUSR2));
	waited.mask = how == 0 ? MASK_OF(SIGUSR1) : MASK_OF(SIGUSR2);
	pthread_create(&thread, NULL, puts_for_leader, NULL);
	must(wait_with(how == 2 ? NULL : &waited.mask) == 1 &&
			waited.event.data.u64 == 7,
		"no event");
	check_mask(MASK_OF(SIGUSR2));
	pthread_join(thread, NULL);
}

static void lent_mask(void)
{
	static const char *const how[] = {"0", "1", "2"};
	long count = stress_count(60);

	if (personality(ADDR_NO_RANDOMIZE) < 0)
		stress_skip("addresses are random");
	for (long i = 0; i < count; i++) {
		pid_t pid = stress_fork();

		if (pid == 0) {
			execl("/proc/self/exe", "masks", "old", how[i % 3],
				(char *)NULL);
			_exit(9);
		}
		stress_join(pid);
	}
	stress_ok("%ld images", count);
}

/* README, "Signals just before a call". */
#ifdef __aarch64__
#define MAY_BE_CUT_OFF stress.emulated
#else
#define MAY_BE_CUT_OFF false
#endif

static volatile sig_atomic_t signals;
static long waits;

static void on_signal(int sig)
{
	(void)sig;
	signals++;
}

/* The number of the call is in the instruction before, as libc's mostly is. */
static long raw_pwait(
	int ep, struct epoll_event *ev, int timeout_ms, const sigset_t *mask)
{
#ifdef __x86_64__
	register long r10 __asm__("r10") = timeout_ms;
	register const sigset_t *r8 __asm__("r8") = mask;
	register long r9 __asm__("r9") = 8;
	long n;

	__asm__ volatile("mov %1, %%eax\n	syscall"
			 : "=&a"(n)
			 : "i"(SYS_epoll_pwait), "D"((long)ep), "S"(ev),
			 "d"(1L), "r"(r10), "r"(r8), "r"(r9)
			 : "rcx", "r11", "memory");
	return n;
#else
	long n = syscall(SYS_epoll_pwait, ep, ev, 1, timeout_ms, mask, 8L);

	return n < 0 ? -errno : n;
#endif
}

static long libc_pwait(
	int ep, struct epoll_event *ev, int timeout_ms, const sigset_t *mask)
{
	int n = epoll_pwait(ep, ev, 1, timeout_ms, mask);

	return n < 0 ? -errno : n;
}

/* Nothing is ready in ep[0], one item in ep[1]. */
static void masked_waits(
	long (*pwait)(int, struct epoll_event *, int, const sigset_t *),
	int flags, const int ep[2])
{
	static const int timeouts_ms[] = {2, 0, 2, -1};
	struct sigaction sa = {.sa_handler = on_signal, .sa_flags = flags};
	uint64_t end = stress_now_ns() + (uint64_t)(stress.seconds * 1e9);
	long count = stress_count(1200);
	struct epoll_event ev;
	sigset_t mask;

	sigemptyset(&mask);
	sigaddset(&mask, SIGUSR1);
	good(sigaction(SIGUSR1, &sa, NULL));
	for (long i = 0; i < count && stress_now_ns() < end; i++) {
		long wanted = i % 4 / 3; /* the last of four is ready */
		long n = pwait(ep[wanted], &ev, timeouts_ms[i % 4], &mask);

		if (n == -EINTR && MAY_BE_CUT_OFF && !flags)
			continue;
		must(n == wanted, "wait %ld of %s with flags %x gave %ld", i,
			pwait == raw_pwait ? "ours" : "libc", flags, n);
		waits++;
	}
}

/*
 * A signal that the wait's mask blocks comes before it, or stays pending until
 * the wait is over: it is never a reason to fail.
 */
static void blocked_by_mask(void)
{
	const int ep[2] = {x_epoll(), x_epoll()};
	struct stress_rng rng;
	pid_t waiter = getpid(), sender;

	x_add(ep[1], x_eventfd(1, 0), EPOLLIN, 5);
	signal(SIGUSR1, on_signal);
	sender = stress_fork();
	if (sender == 0) {
		stress_seed(&rng, 7);
		for (;;) {
			good(kill(waiter, SIGUSR1));
			stress_sleep_us(stress.gap * stress_below(&rng, 2000));
		}
	}
	masked_waits(libc_pwait, 0, ep);
	masked_waits(libc_pwait, SA_RESTART, ep);
	masked_waits(raw_pwait, 0, ep);
	masked_waits(raw_pwait, SA_RESTART, ep);
	stress_kill(sender);
	must(signals > 0, "no signal came");
	stress_ok("%ld waits, %d signals", waits, (int)signals);
}

static const struct stress_case cases[] = {
	{"blocked", blocked_by_mask},
	{"execve", lent_mask},
	{"@old", old_image_of_lent},
	{"@new", new_image_of_lent},
	{NULL, NULL},
};

int main(int argc, char **argv)
{
	return stress_main(argc, argv, cases);
}
