/* SPDX-License-Identifier: MIT */
/*
 * execve() and SIGKILL among threads whose calls a tracer has its hands in.
 *
 * What the kernel guarantees, and is checked here: a call of the old image
 * writes nothing into the new one, though the thread that made the execve()
 * has the leader's id then; what the old image's threads waited for, and the
 * signal mask that one of them had for the time of a wait, is gone (see also
 * masks.c); the new image of a set-uid program is no exception; neither
 * execve() nor SIGKILL has to wait for anybody who looks on.
 */
#define _GNU_SOURCE
#include "stress.h"
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/sendfile.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/time.h>
#include <sys/wait.h>

/* The same in every image. */
#define PLACE ((void *)0x510000000000)
#define PLACE_SIZE 4096
#define SLEEPERS 6
#define SHORT_WAITS 20

/* As many arguments as the kernel takes, and the stack that they need. */
#define SLOW_WORDS 600000
#define SLOW_STACK (64ul << 20)

#define NOBODY 65534

static struct stress_rng rng;
static sigset_t some; /* a mask of its own for waits */
static int ep, other_ep, efd;
static const char *image = "new"; /* the case of the new image */
static char program[32] = "/proc/self/exe"; /* what the new image is of */

static void *map_place(void)
{
	void *at = mmap(PLACE, PLACE_SIZE, PROT_READ | PROT_WRITE,
		MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);

	must(at == PLACE, "cannot map the place: %s", strerror(errno));
	return at;
}

static void *becomes_new(void *arg)
{
	stress_sleep_us(*(unsigned *)arg);
	execl(program, "execs", image, (char *)NULL);
	_exit(9);
}

/* The new image: nobody may write to the place of the old one's buffer. */
static void new_image(void)
{
	const volatile uint64_t *place = map_place();

	for (int i = 0; i < 50; i++) {
		for (int k = 0; k < 8; k++)
			must(place[k] == 0, "look %d: word %d is %llx", i, k,
				(unsigned long long)place[k]);
		stress_sleep_us(200);
	}
}

/*
 * The old image's leader has results stored there until it is no more. Where
 * its descriptors stay open, its last call could be taken for the new image's.
 */
static _Noreturn void old_image(bool waits, bool closes, unsigned delay_us)
{
	void *place = map_place();
	pthread_t thread;

	efd = x_eventfd(0, closes ? EFD_CLOEXEC : 0);
	ep = (int)good(epoll_create1(closes ? EPOLL_CLOEXEC : 0));
	x_add(ep, efd, EPOLLOUT, 0x4141414141414141);
	pthread_create(&thread, NULL, becomes_new, &delay_us);
	for (;;) {
		uint64_t value = 0x4242424242424242;

		if (waits)
			epoll_wait(ep, place, 5, -1);
		else if (write(efd, &value, sizeof(value)) > 0)
			good(read(efd, place, sizeof(value)));
	}
}

/* Each old image belongs to `user`. */
static void images(long count, uid_t user)
{
	stress_seed(&rng, 1);
	for (long i = 0; i < count; i++) {
		pid_t pid = stress_fork();

		if (pid == 0) {
			good(setresuid(user, user, user));
			old_image(i % 2, i / 2 % 2,
				1000 + stress_below(&rng, 1000));
		}
		stress_join(pid);
	}
	stress_ok("%ld images", count);
}

static void place_of_the_old(void)
{
	images(stress_count(100), getuid());
}

/* The new image of a set-uid program. */
static void new_image_of_root(void)
{
	must(geteuid() == 0 && getuid() == NOBODY,
		"effective user %d, real user %d", geteuid(), getuid());
	new_image();
}

/* A set-uid copy of this program that has no name any more. */
static int open_set_uid_copy(void)
{
	char folder[] = "/tmp/epemu-execs-XXXXXX", path[48];
	int from = (int)good(open("/proc/self/exe", O_RDONLY | O_CLOEXEC));
	struct statvfs mount;
	struct stat stat;

	must(mkdtemp(folder), "mkdtemp: %s", strerror(errno));
	snprintf(path, sizeof(path), "%s/copy", folder);
	int to = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0700);
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	unlink(path);
	rmdir(folder);
	good(fstat(from, &stat));
	must(sendfile(to, from, NULL, (size_t)stat.st_size) == stat.st_size,
		"copy: %s", strerror(errno));
	good(fchmod(to, 04755));
	x_close(to);
	x_close(from);
	good(fstatvfs(fd, &mount));
	if (mount.f_flag & (ST_NOSUID | ST_NOEXEC))
		stress_skip("/tmp has no set-uid programs");
	return fd;
}

static void set_uid(void)
{
	if (geteuid() != 0)
		stress_skip("needs root");
	if (prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0))
		stress_skip("set-uid programs have no rights here");
	snprintf(program, sizeof(program), "/proc/self/fd/%d",
		open_set_uid_copy());
	image = "new-of-root";
	images(stress_count(160), NOBODY);
}

static void *sleeps_masked(void *arg)
{
	struct epoll_event event;

	for (;;)
		epoll_pwait(other_ep, &event, 1, -1, &some);
	return arg;
}

static void *waits_masked(void *arg)
{
	struct epoll_event event;

	for (;;)
		epoll_pwait(other_ep, &event, 1, 1, &some);
	return arg;
}

/* One image of a chain; each has threads whose mask is being changed. */
static void link_of_chain(void)
{
	long left = stress.args[0] ? atol(stress.args[0]) : 0;
	char next[24];
	pthread_t thread;

	if (left == 0)
		return;
	sigemptyset(&some);
	sigaddset(&some, SIGUSR1);
	other_ep = (int)good(epoll_create1(EPOLL_CLOEXEC));
	pthread_create(&thread, NULL, sleeps_masked, NULL);
	for (int i = 0; i < SHORT_WAITS; i++)
		pthread_create(&thread, NULL, waits_masked, NULL);
	stress_sleep_us(8000 + (unsigned)(left * 37 % 3000));
	snprintf(next, sizeof(next), "%ld", left - 1);
	execl("/proc/self/exe", "execs", "chain-link", next, (char *)NULL);
	fail("execl: %s", strerror(errno));
}

static void chain(void)
{
	pid_t pid = stress_fork();
	char count[24];

	snprintf(count, sizeof(count), "%ld", stress_count(150));
	if (pid == 0) {
		execl("/proc/self/exe", "execs", "chain-link", count,
			(char *)NULL);
		_exit(9);
	}
	stress_join(pid);
	stress_ok("%s images", count);
}

static void on_alarm(int sig)
{
	(void)sig;
}

/* Threads asleep under a mask of their own; a leader that takes signals. */
static _Noreturn void victim(void)
{
	struct sigaction action = {
		.sa_handler = on_alarm, .sa_flags = SA_RESTART};
	struct itimerval often = {{0, 900}, {0, 900}};
	struct epoll_event event = {.events = EPOLLIN};
	sigset_t alarms;
	pthread_t thread;

	sigfillset(&some);
	ep = x_epoll();
	other_ep = x_epoll();
	efd = x_eventfd(0, 0);
	sigemptyset(&alarms);
	sigaddset(&alarms, SIGALRM);
	pthread_sigmask(SIG_BLOCK, &alarms, NULL);
	for (int i = 0; i < SLEEPERS; i++)
		pthread_create(&thread, NULL, sleeps_masked, NULL);
	pthread_sigmask(SIG_UNBLOCK, &alarms, NULL);
	sigaction(SIGALRM, &action, NULL);
	setitimer(ITIMER_REAL, &often, NULL);
	for (;;) {
		good(epoll_ctl(ep, EPOLL_CTL_ADD, efd, &event));
		good(epoll_ctl(ep, EPOLL_CTL_DEL, efd, &event));
	}
}

static void killed(void)
{
	uint64_t end = stress_now_ns() + (uint64_t)(stress.seconds * 1e9);
	long count = 0;

	stress_seed(&rng, 2);
	for (; stress_now_ns() < end; count++) {
		pid_t pid = stress_fork();

		if (pid == 0)
			victim();
		stress_sleep_us(4000 + stress_below(&rng, 6000));
		stress_kill(pid);
	}
	stress_ok("%ld killed", count);
}

/* What the leader of an old image and the test have in common. */
static struct {
	atomic_bool begun; /* execve() was called */
	atomic_long late; /* calls of the leader that were over since */
} * shared;

static void *becomes_new_slowly(void *arg)
{
	stress_sleep_us(2000);
	atomic_store(&shared->begun, true);
	execv("/proc/self/exe", arg);
	_exit(9);
}

static _Noreturn void leader_of_slow(char **argv)
{
	uint64_t value = 0x4242424242424242;
	void *place = map_place();
	pthread_t thread;

	efd = x_eventfd(0, EFD_CLOEXEC);
	pthread_create(&thread, NULL, becomes_new_slowly, argv);
	for (;;) {
		if (write(efd, &value, sizeof(value)) > 0)
			(void)!read(efd, place, sizeof(value));
		if (atomic_load(&shared->begun))
			atomic_fetch_add(&shared->late, 1);
	}
}

/*
 * An execve() that runs for long, since it has many arguments. epemu answers
 * nobody else of its process meanwhile; it must not think that it has failed.
 */
static void slow(void)
{
	long least = LONG_MAX;
	struct rlimit stack;
	char **argv = calloc(SLOW_WORDS + 3, sizeof(*argv));

	must(argv, "no memory");
	good(getrlimit(RLIMIT_STACK, &stack));
	if (stack.rlim_max < SLOW_STACK)
		stress_skip("the limit of stacks is too low");
	stack.rlim_cur = SLOW_STACK;
	good(setrlimit(RLIMIT_STACK, &stack));
	argv[0] = (char *)"execs";
	argv[1] = (char *)"new";
	for (int i = 2; i < SLOW_WORDS + 2; i++)
		argv[i] = (char *)"x";
	shared = stress_shared(sizeof(*shared));
	for (int i = 0; i < 3; i++) {
		atomic_store(&shared->begun, false);
		atomic_store(&shared->late, 0);
		pid_t pid = stress_fork();

		if (pid == 0)
			leader_of_slow(argv);
		stress_join(pid);
		least = shared->late < least ? shared->late : least;
	}
	/* Its thread may lose its processor right before the execve(). */
	must(!stress.emulated || least < 100,
		"%ld calls of a leader whose process becomes another", least);
	stress_ok("%ld calls meanwhile at least", least);
}

/* An execve() that fails leaves all as it was: nobody's answer is lost. */
static void *fails_to_exec(void *arg)
{
	while (!atomic_load((atomic_bool *)arg))
		bad(ENOENT,
			execl("/proc/self/nothing", "nothing", (char *)NULL));
	return NULL;
}

static void fails(void)
{
	uint64_t end = stress_now_ns() + (uint64_t)(stress.seconds * 1e9);
	static atomic_bool over;
	pthread_t thread;
	uint64_t sum = 0;
	long count = 0;

	efd = x_eventfd(0, 0);
	ep = x_epoll();
	x_add(ep, efd, EPOLLIN, 7);
	pthread_create(&thread, NULL, fails_to_exec, &over);
	for (; stress_now_ns() < end; count++) {
		x_put(efd, 3);
		must(x_wait1(ep, -1, NULL) == 7, "wrong data");
		sum += x_take(efd);
	}
	atomic_store(&over, true);
	pthread_join(thread, NULL);
	must(sum == 3 * (uint64_t)count, "%ld puts of 3 gave %llu", count,
		(unsigned long long)sum);
	stress_ok("%ld rounds", count);
}

static int ack;

static void *puts_in_turn(void *arg)
{
	while (!atomic_load((atomic_bool *)arg)) {
		x_put(efd, 3);
		x_take(ack);
	}
	return NULL;
}

static void *makes_a_call(void *arg)
{
	x_wait0(*(int *)arg);
	return NULL;
}

static void *starts_threads(void *arg)
{
	int own_ep = x_epoll();
	pthread_t thread;

	while (!atomic_load((atomic_bool *)arg)) {
		pthread_create(&thread, NULL, makes_a_call, &own_ep);
		pthread_join(thread, NULL);
	}
	return NULL;
}

/* The same for a wait that sleeps, for a signalfd too, while threads end. */
static void fails_beside_sleep(void)
{
	void *(*const run[])(void *) = {
		fails_to_exec, puts_in_turn, starts_threads};
	uint64_t end = stress_now_ns() + (uint64_t)(stress.seconds * 1e9);
	static atomic_bool over;
	pthread_t threads[ARRAY_LEN(run)];
	sigset_t set;
	long count;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	pthread_sigmask(SIG_BLOCK, &set, NULL);
	efd = x_eventfd(0, 0);
	ack = x_eventfd(0, 0);
	ep = x_epoll();
	x_add(ep, efd, EPOLLIN, 7);
	x_add(ep, (int)good(signalfd(-1, &set, SFD_CLOEXEC)), EPOLLIN, 8);
	for (size_t i = 0; i < ARRAY_LEN(run); i++)
		pthread_create(&threads[i], NULL, run[i], &over);
	for (count = 1;; count++) {
		must(x_wait1(ep, -1, NULL) == 7, "wrong data");
		must(x_take(efd) == 3, "wrong count");
		if (stress_now_ns() > end)
			break;
		x_put(ack, 1);
	}
	atomic_store(&over, true);
	x_put(ack, 1);
	for (size_t i = 0; i < ARRAY_LEN(run); i++)
		pthread_join(threads[i], NULL);
	stress_ok("%ld rounds", count);
}

static const struct stress_case cases[] = {
	{"place-of-the-old", place_of_the_old},
	{"set-uid", set_uid},
	{"chain", chain},
	{"killed", killed},
	{"slow", slow},
	{"fails", fails},
	{"fails-beside-sleep", fails_beside_sleep},
	{"@new", new_image},
	{"@new-of-root", new_image_of_root},
	{"@chain-link", link_of_chain},
	{NULL, NULL},
};

int main(int argc, char **argv)
{
	return stress_main(argc, argv, cases);
}
