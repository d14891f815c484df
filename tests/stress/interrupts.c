/* SPDX-License-Identifier: MIT */
/*
 * One signal at one blocked call, in lock step.
 *
 * The main thread waits until the other is blocked, then does one thing to
 * it: a signal with or without SA_RESTART, an ignored one, a stop. What the
 * call gives is known then. A thread that leaves its handler by siglongjmp()
 * has left the call as well: events go to those who still wait.
 */
#define _GNU_SOURCE
#include "stress.h"
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/eventfd.h>
#include <sys/wait.h>

enum how {
	WAIT,
	PWAIT_NULL,
	PWAIT_SAME, /* a mask equal to the thread's own */
	PWAIT_OPEN, /* the signal is let in by the mask alone */
	PWAIT2_OPEN,
	READ,
	WRITE,
	HOWS
};

static const char *const how_names[] = {"epoll_wait", "epoll_pwait NULL",
	"epoll_pwait same", "epoll_pwait open", "epoll_pwait2 open", "read",
	"write"};

static const long how_nrs[] = {NR_WAIT, SYS_epoll_pwait, SYS_epoll_pwait,
	SYS_epoll_pwait, SYS_epoll_pwait2, SYS_read, SYS_write};

static struct {
	pthread_t thread;
	_Atomic pid_t tid;
	int ep, empty, full; /* an epoll and two eventfds */
	enum how how;
	_Atomic long round, done;
	long result;
	int err;
} w;

static volatile sig_atomic_t handled;

static void dump(void)
{
	dprintf(2, "# %s, round %ld, done %ld, handled %d\n", how_names[w.how],
		atomic_load(&w.round), atomic_load(&w.done), (int)handled);
}

static void on_signal(int sig)
{
	(void)sig;
	handled++;
}

static void set_handler(int flags)
{
	struct sigaction sa = {.sa_handler = on_signal, .sa_flags = flags};

	good(sigaction(SIGUSR1, &sa, NULL));
}

static long blocked_call(enum how how)
{
	struct epoll_event ev;
	uint64_t v = 1;
	sigset_t none, own;

	sigemptyset(&none);
	pthread_sigmask(SIG_SETMASK, NULL, &own);
	switch (how) {
	case WAIT:
		return epoll_wait(w.ep, &ev, 1, -1);
	case PWAIT_NULL:
		return epoll_pwait(w.ep, &ev, 1, -1, NULL);
	case PWAIT_SAME:
		return epoll_pwait(w.ep, &ev, 1, -1, &own);
	case PWAIT_OPEN:
		return epoll_pwait(w.ep, &ev, 1, -1, &none);
	case PWAIT2_OPEN:
		return epoll_pwait2(w.ep, &ev, 1, NULL, &none);
	case READ:
		return read(w.empty, &v, sizeof(v));
	default:
		return write(w.full, &v, sizeof(v));
	}
}

static bool opens_mask(enum how how)
{
	return how == PWAIT_OPEN || how == PWAIT2_OPEN;
}

static void *blocker(void *arg)
{
	sigset_t set;

	(void)arg;
	atomic_store(&w.tid, stress_gettid());
	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	for (;;) {
		while (atomic_load(&w.round) == atomic_load(&w.done))
			stress_sleep_us(50);
		pthread_sigmask(opens_mask(w.how) ? SIG_BLOCK : SIG_UNBLOCK,
			&set, NULL);
		w.result = blocked_call(w.how);
		w.err = errno;
		atomic_store(&w.done, atomic_load(&w.round));
	}
	return NULL;
}

static void start_blocker(void)
{
	stress_on_watchdog(dump);
	w.ep = x_epoll();
	w.empty = x_eventfd(0, EFD_CLOEXEC);
	w.full = x_eventfd(0, EFD_CLOEXEC);
	x_put(w.full, UINT64_MAX - 1);
	must(!pthread_create(&w.thread, NULL, blocker, NULL), "thread");
	while (!atomic_load(&w.tid))
		stress_sleep_us(100);
}

static void begin(enum how how)
{
	w.how = how;
	handled = 0;
	atomic_fetch_add(&w.round, 1);
	stress_wait_blocked(w.tid, how_nrs[how], how_nrs[how]);
}

static void hit(int sig)
{
	must(!pthread_kill(w.thread, sig), "pthread_kill");
}

static void await_done(void)
{
	while (atomic_load(&w.done) != atomic_load(&w.round))
		stress_sleep_us(50);
}

/* Lets a read or write of the other thread succeed. */
static void let_through(enum how how)
{
	if (how == READ)
		x_put(w.empty, 1);
	else
		must(x_take(w.full) == UINT64_MAX - 1, "wrong count");
	await_done();
	must(w.result == 8, "%s gave %ld: %s", how_names[how], w.result,
		strerror(w.err));
	if (how == WRITE) {
		must(x_take(w.full) == 1, "wrong count");
		x_put(w.full, UINT64_MAX - 1);
	}
}

static void one_signal(enum how how, int flags)
{
	set_handler(flags);
	begin(how);
	hit(SIGUSR1);
	if (how >= READ && (flags & SA_RESTART)) {
		while (!handled)
			stress_sleep_us(50);
		stress_wait_blocked(w.tid, how_nrs[how], how_nrs[how]);
		must(atomic_load(&w.done) != atomic_load(&w.round),
			"%s was not restarted", how_names[how]);
		let_through(how);
	} else {
		await_done();
		must(w.result == -1 && w.err == EINTR, "%s gave %ld: %s",
			how_names[how], w.result, strerror(w.err));
	}
	must(handled == 1, "%s: handled %d times", how_names[how],
		(int)handled);
}

static void each(void)
{
	long count = stress_count(60);

	start_blocker();
	for (long i = 0; i < count; i++)
		for (int how = 0; how < HOWS; how++) {
			one_signal(how, 0);
			one_signal(how, SA_RESTART);
		}
	stress_ok("%ld signals for each of %d calls", 2 * count, HOWS);
}

static void wake_blocked(enum how how)
{
	if (how >= READ) {
		let_through(how);
		return;
	}
	int efd = x_eventfd(1, EFD_CLOEXEC);

	x_add(w.ep, efd, EPOLLIN, 3);
	await_done();
	must(w.result == 1, "%s gave %ld: %s", how_names[how], w.result,
		strerror(w.err));
	x_close(efd);
}

/* What is ignored, or blocked, does not interrupt. */
static void ignored(void)
{
	static const int quiet[] = {SIGURG, SIGWINCH, SIGCHLD, SIGUSR2};
	long count = stress_count(30);

	signal(SIGUSR2, SIG_IGN);
	start_blocker();
	for (long i = 0; i < count; i++)
		for (int how = 0; how < HOWS; how++) {
			begin(how);
			for (int k = 0; k < 20; k++)
				hit(quiet[k % 4]);
			wake_blocked(how);
		}
	stress_ok("%ld times for each of %d calls", count, HOWS);
}

static void stopped_child(enum how how)
{
	long n = blocked_call(how);

	if (how < READ)
		must(n == -1 && errno == EINTR, "%s gave %ld: %s",
			how_names[how], n, strerror(errno));
	else
		must(n == 8, "%s gave %ld: %s", how_names[how], n,
			strerror(errno));
	_exit(0);
}

static bool ended(pid_t pid)
{
	siginfo_t info = {.si_pid = 0};

	good(waitid(P_PID, (id_t)pid, &info, WEXITED | WNOHANG | WNOWAIT));
	return info.si_pid == pid;
}

/* The child may end by itself meanwhile, because of the stop before. */
static void stop_and_go(pid_t pid)
{
	siginfo_t info;

	good(kill(pid, SIGSTOP));
	good(waitid(P_PID, (id_t)pid, &info, WSTOPPED | WEXITED | WNOWAIT));
	if (info.si_code == CLD_STOPPED)
		good(waitid(P_PID, (id_t)pid, &info, WSTOPPED));
	good(kill(pid, SIGCONT));
}

/*
 * SIGSTOP and SIGCONT without a handler: EINTR for waits, none for I/O. A
 * call that an emulator has not seen yet looks blocked from outside, but a
 * stop at that moment is one before the call; so there may be a second.
 */
static long one_stop(enum how how)
{
	long stops = 0;

	w.how = how;
	pid_t pid = stress_fork();

	if (pid == 0)
		stopped_child(how);
	stress_wait_blocked(pid, how_nrs[how], how_nrs[how]);
	do {
		stop_and_go(pid);
		stops++;
		for (int i = 0; i < 200 && how < READ && !ended(pid); i++)
			stress_sleep_us(1000);
	} while (how < READ && !ended(pid));
	if (how >= READ) {
		stress_wait_blocked(pid, how_nrs[how], how_nrs[how]);
		if (how == READ)
			x_put(w.empty, 1);
		else
			must(x_take(w.full) == UINT64_MAX - 1, "wrong count");
	}
	stress_join(pid);
	if (how == WRITE) {
		must(x_take(w.full) == 1, "wrong count");
		x_put(w.full, UINT64_MAX - 1);
	}
	return stops;
}

static void stops(void)
{
	long count = stress_count(20), sum = 0;

	stress_on_watchdog(dump);
	w.ep = x_epoll();
	w.empty = x_eventfd(0, EFD_CLOEXEC);
	w.full = x_eventfd(0, EFD_CLOEXEC);
	x_put(w.full, UINT64_MAX - 1);
	for (long i = 0; i < count; i++)
		for (int how = 0; how < HOWS; how++)
			if (!opens_mask(how))
				sum += one_stop(how);
	stress_ok("%ld times for each call, %ld stops", count, sum);
}

static struct {
	sigjmp_buf env;
	volatile sig_atomic_t inside;
	_Atomic bool out;
	_Atomic pid_t jumper, stayer;
	_Atomic long taken;
	int ep, efd;
	bool reads; /* a blocking read instead of epoll_wait */
	uint32_t mask;
} jump;

static void on_jump(int sig)
{
	(void)sig;
	if (jump.inside)
		siglongjmp(jump.env, 1);
}

static void take_one(void)
{
	if (jump.reads) {
		must(x_take(jump.efd) == 5, "wrong count");
	} else {
		must(x_wait1(jump.ep, -1, NULL) == 6, "wrong data");
		must(x_take(jump.efd) == 5, "wrong count");
	}
	atomic_fetch_add(&jump.taken, 1);
}

static void *stayer(void *arg)
{
	(void)arg;
	atomic_store(&jump.stayer, stress_gettid());
	take_one();
	return NULL;
}

static void *jumper(void *arg)
{
	(void)arg;
	if (sigsetjmp(jump.env, 1) == 0) {
		jump.inside = 1;
		atomic_store(&jump.jumper, stress_gettid());
		take_one();
		fail("the one who was hit got the event");
	}
	jump.inside = 0;
	atomic_store(&jump.out, true);
	/* It waits for something else now, the event is not for it. */
	while (!atomic_load(&jump.taken))
		stress_sleep_us(100);
	return NULL;
}

static pthread_t start(void *(*fn)(void *), _Atomic pid_t *tid, long nr)
{
	pthread_t thread;

	atomic_store(tid, 0);
	must(!pthread_create(&thread, NULL, fn, NULL), "thread");
	while (!atomic_load(tid))
		stress_sleep_us(50);
	stress_wait_blocked(*tid, nr, __NR_epoll_pwait);
	return thread;
}

static void one_jump(void)
{
	long nr = jump.reads ? SYS_read : NR_WAIT;

	jump.ep = x_epoll();
	jump.efd = x_eventfd(0, EFD_CLOEXEC);
	x_add(jump.ep, jump.efd, jump.mask, 6);
	atomic_store(&jump.taken, 0);
	atomic_store(&jump.out, false);
	/* The last sleeper is the first that is woken: that one jumps. */
	pthread_t stay = start(stayer, &jump.stayer, nr);
	pthread_t gone = start(jumper, &jump.jumper, nr);

	must(!pthread_kill(gone, SIGUSR1), "pthread_kill");
	while (!atomic_load(&jump.out))
		stress_sleep_us(50);
	x_put(jump.efd, 5);
	pthread_join(stay, NULL);
	pthread_join(gone, NULL);
	must(atomic_load(&jump.taken) == 1, "taken %ld times",
		atomic_load(&jump.taken));
	x_close(jump.efd);
	x_close(jump.ep);
}

static void jumps(void)
{
	static const uint32_t masks[] = {
		EPOLLIN, EPOLLIN | EPOLLET, EPOLLIN | EPOLLONESHOT};
	struct sigaction sa = {.sa_handler = on_jump, .sa_flags = SA_RESTART};
	long count = stress_count(150);

	good(sigaction(SIGUSR1, &sa, NULL));
	for (long i = 0; i < count; i++) {
		jump.reads = i % 4 == 3;
		jump.mask = masks[i % 3];
		one_jump();
	}
	stress_ok("%ld calls left by siglongjmp", count);
}

static const struct stress_case cases[] = {
	{"each", each},
	{"ignored", ignored},
	{"stops", stops},
	{"jumps", jumps},
	{NULL, NULL},
};

int main(int argc, char **argv)
{
	return stress_main(argc, argv, cases);
}
