/* SPDX-License-Identifier: MIT */
/*
 * Under a storm of signals, half of them without SA_RESTART: calls that
 * cannot wait give exactly what they give in peace; handlers that are
 * interrupted by handlers return properly, on both stacks; no register of
 * the interrupted code changes, in a call or outside.
 */
#define _GNU_SOURCE
#include "storm.h"
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/wait.h>

#define WORKERS 3

static struct storm_target target[WORKERS];
static _Atomic bool work_over, storm_over;
static _Atomic long turns, deepest;
static void (*turn)(struct storm_target *t);

static void dump(void)
{
	dprintf(2, "# %ld turns\n", atomic_load(&turns));
	storm_dump(target, WORKERS);
}

static void *worker(void *arg)
{
	struct storm_target *t = arg;

	storm_enter(t);
	while (!atomic_load(&work_over)) {
		turn(t);
		atomic_fetch_add(&turns, 1);
	}
	while (!atomic_load(&storm_over))
		stress_sleep_us(500);
	storm_leave(t);
	return NULL;
}

static void under_storm(void (*fn)(struct storm_target *t))
{
	struct storm storm = {
		.targets = target, .count = WORKERS, .gap_us = 60, .stream = 2};
	pthread_t thread[WORKERS];
	sigset_t set;

	turn = fn;
	stress_on_watchdog(dump);
	storm_install();
	storm_set(&set);
	for (int i = 0; i < WORKERS; i++)
		must(!pthread_create(&thread[i], NULL, worker, &target[i]),
			"thread");
	pthread_sigmask(SIG_BLOCK, &set, NULL);
	storm_start(&storm);
	stress_sleep_us((unsigned)(stress.seconds * 1e6));
	atomic_store(&work_over, true);
	storm_stop(&storm);
	atomic_store(&storm_over, true);
	for (int i = 0; i < WORKERS; i++)
		pthread_join(thread[i], NULL);
	must(atomic_load(&turns) > 0 && storm.total > 0, "nothing happened");
	stress_ok("%ld turns, %ld signals, %ld deep", atomic_load(&turns),
		storm.total, atomic_load(&deepest));
}

/* Each result is known, so a call made twice or not at all is seen. */
static void calm_ctl(int ep, int efd)
{
	struct epoll_event ev = {.events = EPOLLIN, .data.u64 = 1};

	good(epoll_ctl(ep, EPOLL_CTL_ADD, efd, &ev));
	bad(EEXIST, epoll_ctl(ep, EPOLL_CTL_ADD, efd, &ev));
	ev.events = EPOLLIN | EPOLLONESHOT;
	ev.data.u64 = 2;
	good(epoll_ctl(ep, EPOLL_CTL_MOD, efd, &ev));
	x_put(efd, 3);
	must(x_wait1(ep, 0, NULL) == 2, "wrong data");
	x_wait0(ep);
	good(epoll_ctl(ep, EPOLL_CTL_DEL, efd, NULL));
	bad(ENOENT, epoll_ctl(ep, EPOLL_CTL_DEL, efd, NULL));
	bad(ENOENT, epoll_ctl(ep, EPOLL_CTL_MOD, efd, &ev));
}

static void calm_waits(int ep)
{
	struct timespec now = {0, 0};
	struct epoll_event ev;
	sigset_t all;

	sigfillset(&all);
	must(epoll_wait(ep, &ev, 1, 0) == 0, "epoll_wait");
	must(epoll_pwait(ep, &ev, 1, 0, NULL) == 0, "epoll_pwait");
	must(epoll_pwait(ep, &ev, 1, 0, &all) == 0, "epoll_pwait");
	must(epoll_pwait2(ep, &ev, 1, &now, NULL) == 0, "epoll_pwait2");
	must(epoll_pwait2(ep, &ev, 1, &now, &all) == 0, "epoll_pwait2");
}

static void calm_turn(struct storm_target *t)
{
	uint64_t v;

	atomic_store(&t->doing, "calm calls");
	int ep = (int)good(epoll_create1(EPOLL_CLOEXEC));
	int efd = (int)good(eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC));
	int old = (int)good(epoll_create(1));

	must(fcntl(ep, F_GETFD) == FD_CLOEXEC, "not close-on-exec");
	bad(EINVAL, epoll_create1(1));
	bad(EINVAL, eventfd(0, 1 << 30));
	calm_ctl(ep, efd);
	must(x_take(efd) == 3, "wrong count");
	bad(EAGAIN, read(efd, &v, sizeof(v)));
	calm_waits(ep);
	x_put(efd, UINT64_MAX - 1);
	v = 1;
	bad(EAGAIN, write(efd, &v, sizeof(v)));
	must(x_take(efd) == UINT64_MAX - 1, "wrong count");
	x_close(old);
	x_close(efd);
	x_close(ep);
}

static void calm(void)
{
	int fds = stress_count_fds();

	under_storm(calm_turn);
	must(stress_count_fds() == fds, "descriptors %d to %d", fds,
		stress_count_fds());
}

static _Thread_local int small[5][2];

static void open_small(void)
{
	x_pipe(small[0], 0);
	x_pipe(small[1], O_NONBLOCK);
	x_pair(small[2], SOCK_STREAM);
	x_pair(small[3], SOCK_DGRAM);
	x_nonblock(small[3][0]);
	x_nonblock(small[3][1]);
	small[4][0] = (int)good(open("/dev/zero", O_RDWR | O_CLOEXEC));
	small[4][1] = (int)good(dup(small[4][0]));
}

/* Few bytes on other files: with room and data there is nothing to wait for */
static void small_turn(struct storm_target *t)
{
	char text[8] = "1234567", back[8];

	if (!small[0][1])
		open_small();
	atomic_store(&t->doing, "small reads and writes");
	for (size_t i = 0; i < ARRAY_LEN(small); i++)
		for (size_t len = 1; len <= 8; len += 7) {
			long n = good(stress_again(
				(write)(small[i][1], text, len), -1, 0));

			must(n == (long)len, "wrote %ld of %zu", n, len);
			n = good(stress_again(
				(read)(small[i][0], back, len), -1, 0));
			must(n == (long)len, "read %ld of %zu", n, len);
			must(i == 4 || !memcmp(text, back, len), "wrong text");
		}
	bad(EAGAIN, read(small[1][0], back, 1));
	bad(EAGAIN, read(small[3][0], back, 8));
}

static void small_io(void)
{
	under_storm(small_turn);
}

static int fed[2];

static void feed(int sig)
{
	uint64_t value = 42;

	(void)sig;
	good(write(fed[1], &value, sizeof(value)));
}

/*
 * A read of a pipe that sleeps fails with EINTR, though the handler has just
 * written what it was waiting for; that is there for the next one.
 */
static void fed_by_handler(void)
{
	struct sigaction action = {.sa_handler = feed};
	/* When the read sleeps, also where all takes longer. */
	struct itimerval soon = {{0, 0}, {0, 20000 * (suseconds_t)stress.gap}};
	long count = stress_count(60) / stress.gap + 2;

	sigaction(SIGALRM, &action, NULL);
	x_pipe(fed, 0);
	for (int eventfds = 0; eventfds < 2; eventfds++) {
		for (long i = 0; i < count; i++) {
			uint64_t value;

			setitimer(ITIMER_REAL, &soon, NULL);
			bad(EINTR, read(fed[0], &value, sizeof(value)));
			must(x_take(fed[0]) == 42, "wrong value");
		}
		x_eventfd(0, 0); /* and once more with such a one about */
	}
	stress_ok("%ld reads", 2 * count);
}

/* Each handler raises the next signal, which interrupts it at once. */
static void nest(struct storm_target *t)
{
	long depth = atomic_load(&t->handled) - atomic_load(&t->left);
	volatile uint64_t frame[32];

	if (depth > atomic_load(&deepest))
		atomic_store(&deepest, depth);
	for (unsigned i = 0; i < ARRAY_LEN(frame); i++)
		frame[i] = (uint64_t)depth << 32 | i;
	storm_raise(t);
	must(epoll_wait(t->probe_ep, &(struct epoll_event){0}, 1, 0) == 0,
		"probe: event or error");
	for (unsigned i = 0; i < ARRAY_LEN(frame); i++)
		must(frame[i] == ((uint64_t)depth << 32 | i),
			"a handler's frame was damaged");
}

static void nested_turn(struct storm_target *t)
{
	struct epoll_event ev;

	atomic_store(&t->doing, "wait");
	int n = epoll_wait(t->probe_ep, &ev, 1, 20);

	must(n == 0 || (n < 0 && errno == EINTR), "wait gave %d: %s", n,
		strerror(errno));
}

static void nested(void)
{
	storm_hook = nest;
	under_storm(nested_turn);
	must(atomic_load(&deepest) == STORM_SIGNALS, "%ld deep only",
		atomic_load(&deepest));
}

#ifdef __x86_64__

/* In the order in which regs_call() loads and stores them. */
struct regs {
	uint64_t rax, rdi, rsi, rdx, r10, r8, r9, rbx, rbp, r12, r13, r14, r15;
	uint64_t pad;
	uint64_t xmm[16][2];
};

long regs_call(const struct regs *in, struct regs *out);

/* Loads all, makes the call, stores all. */
__asm__(".text\n"
	".globl regs_call\n"
	".type regs_call, @function\n"
	"regs_call:\n"
	"	push %rbx\n	push %rbp\n	push %r12\n"
	"	push %r13\n	push %r14\n	push %r15\n"
	"	push %rsi\n"
	"	mov %rdi, %rcx\n"
	"	mov 0(%rcx), %rax\n	mov 8(%rcx), %rdi\n"
	"	mov 16(%rcx), %rsi\n	mov 24(%rcx), %rdx\n"
	"	mov 32(%rcx), %r10\n	mov 40(%rcx), %r8\n"
	"	mov 48(%rcx), %r9\n	mov 56(%rcx), %rbx\n"
	"	mov 64(%rcx), %rbp\n	mov 72(%rcx), %r12\n"
	"	mov 80(%rcx), %r13\n	mov 88(%rcx), %r14\n"
	"	mov 96(%rcx), %r15\n"
	".altmacro\n"
	".macro xmm_load n, off\n	movups \\off(%rcx), %xmm\\n\n.endm\n"
	".macro xmm_save n, off\n	movups %xmm\\n, \\off(%rcx)\n.endm\n"
	".set i, 0\n"
	".rept 16\n	xmm_load %i, %(112+16*i)\n	.set i, i+1\n.endr\n"
	"	syscall\n"
	"	mov (%rsp), %rcx\n"
	"	mov %rax, 0(%rcx)\n	mov %rdi, 8(%rcx)\n"
	"	mov %rsi, 16(%rcx)\n	mov %rdx, 24(%rcx)\n"
	"	mov %r10, 32(%rcx)\n	mov %r8, 40(%rcx)\n"
	"	mov %r9, 48(%rcx)\n	mov %rbx, 56(%rcx)\n"
	"	mov %rbp, 64(%rcx)\n	mov %r12, 72(%rcx)\n"
	"	mov %r13, 80(%rcx)\n	mov %r14, 88(%rcx)\n"
	"	mov %r15, 96(%rcx)\n"
	".set i, 0\n"
	".rept 16\n	xmm_save %i, %(112+16*i)\n	.set i, i+1\n.endr\n"
	".noaltmacro\n"
	"	add $8, %rsp\n"
	"	pop %r15\n	pop %r14\n	pop %r13\n"
	"	pop %r12\n	pop %rbp\n	pop %rbx\n"
	"	ret\n"
	".size regs_call, . - regs_call\n");

static void regs_turn(struct storm_target *t)
{
	static const long nrs[] = {
		SYS_epoll_wait, SYS_epoll_pwait, SYS_epoll_wait, SYS_getpid};
	long nr = nrs[atomic_load(&turns) % 4];
	struct epoll_event ev;
	struct regs in, out;

	for (size_t i = 0; i < sizeof(in); i++)
		((uint8_t *)&in)[i] = (uint8_t)(i * 7 + 1);
	in.rax = (uint64_t)nr;
	in.rdi = (uint64_t)t->probe_ep;
	in.rsi = (uint64_t)(uintptr_t)&ev;
	in.rdx = 1;
	in.r10 = 2;
	in.r8 = 0;
	atomic_store(&t->doing, "wait with all registers set");
	regs_call(&in, &out);
	long n = (long)out.rax;

	must(nr == SYS_getpid ? n == getpid() : n == 0 || n == -EINTR,
		"call %ld gave %ld", nr, n);
	out.rax = in.rax;
	out.pad = in.pad;
	for (size_t i = 0; i < sizeof(in) / 8; i++)
		must(((uint64_t *)&in)[i] == ((uint64_t *)&out)[i],
			"word %zu of the registers changed over call %ld", i,
			nr);
}

static void registers(void)
{
	under_storm(regs_turn);
}

#else

static void registers(void)
{
	stress_skip("knows the registers of x86-64 only");
}

#endif

static volatile sig_atomic_t alarms;

static void on_alarm(int sig)
{
	(void)sig;
	alarms++;
}

/* README, "Signals just before a call". */
#ifdef __aarch64__
#define MAY_BE_CUT_OFF stress.emulated
#else
#define MAY_BE_CUT_OFF false
#endif

/* With an event there no signal is a reason to fail, whenever it comes. */
static void ready(void)
{
	struct itimerval every = {{0, 700}, {0, 700}}, none = {{0, 0}, {0, 0}};
	int ep = x_epoll(), full = x_eventfd(1, 0);
	struct epoll_event ev;
	sigset_t own;

	x_add(ep, full, EPOLLIN, 5);
	sigprocmask(SIG_SETMASK, NULL, &own);
	for (int flags = 0; flags <= SA_RESTART; flags += SA_RESTART) {
		struct sigaction sa = {
			.sa_handler = on_alarm, .sa_flags = flags};

		alarms = 0;
		good(sigaction(SIGALRM, &sa, NULL));
		setitimer(ITIMER_REAL, &every, NULL);
		for (long i = 0; alarms < 200 && i < 100000000; i++) {
			int n = i % 2 ? epoll_wait(ep, &ev, 1, -1)
				      : epoll_pwait(ep, &ev, 1, 1000, &own);

			if (n < 0 && errno == EINTR && MAY_BE_CUT_OFF && !flags)
				continue;
			must(n == 1 && ev.data.u64 == 5, "wait gave %d: %s", n,
				strerror(errno));
		}
		setitimer(ITIMER_REAL, &none, NULL);
	}
	stress_ok("%d signals", (int)alarms);
}

/* A stopped process's parent hears each time that it goes on. */
static void continued(void)
{
	long rounds = stress_count(40);
	pid_t child = stress_fork();
	int ep = x_epoll(), status;
	struct epoll_event ev;
	sigset_t mask;

	if (child == 0) {
		sigemptyset(&mask);
		sigaddset(&mask, SIGUSR2);
		for (long i = 0;; i++)
			epoll_pwait(ep, &ev, 1, i % 3 ? 3 : 1000, &mask);
	}
	for (long i = 0; i < rounds; i++) {
		kill(child, SIGSTOP);
		must(waitpid(child, &status, WUNTRACED) == child &&
				WIFSTOPPED(status),
			"stopped: status %x", status);
		stress_sleep_us(i % 3 * 1000);
		kill(child, SIGCONT);
		must(waitpid(child, &status, WCONTINUED) == child &&
				WIFCONTINUED(status),
			"continued: status %x", status);
		stress_sleep_us(i % 5 * 1000);
	}
	stress_kill(child);
	stress_ok("%ld times", rounds);
}

static const struct stress_case cases[] = {
	{"calm", calm},
	{"small-io", small_io},
	{"fed-by-handler", fed_by_handler},
	{"nested", nested},
	{"registers", registers},
	{"ready", ready},
	{"continued", continued},
	{NULL, NULL},
};

int main(int argc, char **argv)
{
	return stress_main(argc, argv, cases);
}
