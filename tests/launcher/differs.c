/* SPDX-License-Identifier: MIT */
/*
 * What a program finds where epemu differs from the kernel, as README's limits
 * say: one line for the case that argv[1] names. test_differs.py knows what the
 * line is natively, and what it is under epemu.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <ucontext.h>
#include <unistd.h>

#define LOOKS 20000
#define WORKERS 6
#define CONNECTIONS 300
#define TIMED_NS 500000000

/* epoll_pwait(2) in a place of its own; the last argument is 8 bytes. */
long wait_here(long ep, struct epoll_event *events, long max, long timeout,
	const uint64_t *mask, long mask_size);
extern const char wait_ends[];
#if defined(__x86_64__)
__asm__(".text\n.globl wait_here\nwait_here:\n\tmov %rcx, %r10\n"
	"\tmov $281, %eax\n\tsyscall\n"
	".globl wait_ends\nwait_ends:\n\tret\n");
#define PC(context) ((context)->uc_mcontext.gregs[REG_RIP])
#elif defined(__aarch64__)
__asm__(".text\n.globl wait_here\nwait_here:\n\tmov x8, #22\n\tsvc #0\n"
	".globl wait_ends\nwait_ends:\n\tret\n");
#define PC(context) ((context)->uc_mcontext.pc)
#endif

static void fail(const char *what)
{
	perror(what);
	exit(1);
}

static const char *word(long result)
{
	return result >= 0 ? "works" : strerrorname_np(errno);
}

/* A line of /proc/self/task/TID/FILE, behind `key`. */
static long look(pid_t tid, const char *file, const char *key, char *state)
{
	char path[64], text[4096];
	const char *at;
	size_t size;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/self/task/%d/%s", tid, file);
	f = fopen(path, "re");
	if (!f)
		fail(path);
	size = fread(text, 1, sizeof(text) - 1, f);
	fclose(f);
	text[size] = '\0';
	at = strstr(text, key);
	if (!at)
		fail(key);
	if (state)
		*state = at[strlen(key)];
	return atol(at + strlen(key));
}

static void strict(void)
{
	pid_t pid = fork();
	int status;

	if (pid == 0) {
		if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_STRICT) < 0)
			syscall(SYS_exit, errno);
		syscall(SYS_exit, 0);
	}
	waitpid(pid, &status, 0);
	errno = WEXITSTATUS(status);
	puts(word(errno ? -1 : 0));
}

static void trace(void)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_epoll_create1, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_TRACE),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog filter = {4, code};

	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &filter) < 0)
		fail("seccomp");
	puts(word(epoll_create1(0)));
}

static void secret(void)
{
	int fd = (int)syscall(SYS_memfd_secret, 0);
	int ep = epoll_create1(0), ev = eventfd(1, EFD_NONBLOCK);
	struct epoll_event event = {.events = EPOLLIN};
	char *memory;

	if (fd < 0 || ftruncate(fd, 4096) < 0) {
		puts("the kernel has no memfd_secret");
		return;
	}
	memory = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	epoll_ctl(ep, EPOLL_CTL_ADD, ev, &event);
	printf("wait %s, ", word(epoll_wait(ep, (void *)memory, 1, 1000)));
	memcpy(memory, &event, sizeof(event));
	printf("ctl %s, ",
		word(epoll_ctl(ep, EPOLL_CTL_MOD, ev, (void *)memory)));
	printf("read %s, ", word(read(ev, memory + 64, 8)));
	printf("write %s\n", word(write(ev, memory + 64, 8)));
}

static void call_each(void)
{
	int ep = epoll_create1(0), ev = eventfd(0, EFD_NONBLOCK);
	struct epoll_event event = {.events = EPOLLIN};

	printf("ctl %s, ", word(epoll_ctl(ep, EPOLL_CTL_ADD, ev, &event)));
	printf("wait %s, ", word(epoll_wait(ep, &event, 1, 0)));
	printf("write %s\n", word(eventfd_write(ev, 1)));
}

static void undumpable(void)
{
	prctl(PR_SET_DUMPABLE, 0);
	call_each();
}

static volatile pid_t sleeper;

/* When the main thread sleeps in its wait; under epemu that is not before the
 * supervisor has had the call, and a little later it sleeps for good. */
static void await_sleep(void)
{
	static const struct timespec moment = {.tv_nsec = 200000000};
	char state = 0;

	while (look(sleeper, "syscall", "", &state) != SYS_epoll_pwait)
		sched_yield();
	nanosleep(&moment, NULL);
}

static volatile uintptr_t seen_pc;

static void note_pc(int sig, siginfo_t *info, void *context)
{
	(void)sig;
	(void)info;
	seen_pc = (uintptr_t)PC((ucontext_t *)context);
}

static void *send_signal(void *arg)
{
	await_sleep();
	syscall(SYS_tgkill, getpid(), sleeper, SIGUSR1);
	return arg;
}

static void handler(void)
{
	struct sigaction action = {
		.sa_sigaction = note_pc, .sa_flags = SA_SIGINFO | SA_RESTART};
	struct epoll_event event;
	pthread_t thread;
	long result;

	sigaction(SIGUSR1, &action, NULL);
	sleeper = getpid();
	pthread_create(&thread, NULL, send_signal, NULL);
	result = wait_here(epoll_create1(0), &event, 1, -1, NULL, 8);
	pthread_join(thread, NULL);
	printf("%s the call, %s\n",
		seen_pc == (uintptr_t)wait_ends ? "behind" : "at",
		strerrorname_np((int)-result));
}

static int wake;

static void *look_for_tracer(void *arg)
{
	await_sleep();
	*(long *)arg = look(sleeper, "status", "TracerPid:\t", NULL);
	eventfd_write(wake, 1);
	return arg;
}

static void tracer(void)
{
	struct epoll_event event = {.events = EPOLLIN};
	uint64_t mask = 1ull << (SIGUSR1 - 1);
	int ep = epoll_create1(0);
	pthread_t thread;
	long tracer = -1;

	wake = eventfd(0, 0);
	epoll_ctl(ep, EPOLL_CTL_ADD, wake, &event);
	sleeper = getpid();
	pthread_create(&thread, NULL, look_for_tracer, &tracer);
	wait_here(ep, &event, 1, -1, &mask, 8);
	pthread_join(thread, NULL);
	puts(tracer ? "traced" : "untraced");
}

static volatile int looked;

static void *wait_without_sleep(void *arg)
{
	struct epoll_event event;
	int ep = epoll_create1(0);

	sleeper = gettid();
	while (!looked)
		epoll_wait(ep, &event, 1, 0);
	return arg;
}

static void state(void)
{
	pthread_t thread;
	char state = 0;
	int i;

	pthread_create(&thread, NULL, wait_without_sleep, NULL);
	while (!sleeper)
		sched_yield();
	for (i = 0; i < LOOKS && state != 'S'; i++)
		look(sleeper, "stat", ") ", &state);
	looked = 1;
	pthread_join(thread, NULL);
	puts(state == 'S' ? "seen asleep" : "never asleep");
}

static void take_connections(int listener, long *wakes)
{
	struct epoll_event event = {.events = EPOLLIN | EPOLLEXCLUSIVE};
	int ep = epoll_create1(0);

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	epoll_ctl(ep, EPOLL_CTL_ADD, listener, &event);
	for (;;) {
		int fd = -1;

		if (epoll_wait(ep, &event, 1, -1) == 1)
			fd = accept(listener, NULL, NULL);
		__sync_fetch_and_add(&wakes[fd < 0], 1);
		if (fd >= 0 && send(fd, "k", 1, 0) == 1)
			close(fd);
	}
}

/* All connections are taken, some of them after others were woken, too. */
static void herd(void)
{
	struct sockaddr_in address = {.sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
	long *wakes = mmap(NULL, 4096, PROT_READ | PROT_WRITE,
		MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	socklen_t size = sizeof(address);
	pid_t pids[WORKERS];
	char byte;

	if (bind(listener, (void *)&address, size) < 0 ||
		listen(listener, 64) < 0 ||
		getsockname(listener, (void *)&address, &size) < 0)
		fail("listen");
	for (int i = 0; i < WORKERS; i++) {
		pids[i] = fork();
		if (pids[i] == 0)
			take_connections(listener, wakes);
	}
	for (int i = 0; i < CONNECTIONS; i++) {
		int fd = socket(AF_INET, SOCK_STREAM, 0);

		if (connect(fd, (void *)&address, size) < 0 ||
			recv(fd, &byte, 1, 0) != 1)
			fail("a connection");
		close(fd);
	}
	for (int i = 0; i < WORKERS; i++) {
		kill(pids[i], SIGKILL);
		waitpid(pids[i], NULL, 0);
	}
	printf("%ld taken\n", wakes[0]);
	fprintf(stderr, "%ld wakes for nothing\n", wakes[1]);
}

static void ignore(int sig)
{
	(void)sig;
}

static timer_t fast;
static volatile int slow;

static void *end_timer(void *arg)
{
	static const struct timespec moment = {.tv_nsec = TIMED_NS};
	struct timespec left = moment;

	while (nanosleep(&left, &left) < 0)
		;
	timer_delete(fast);
	slow = 1;
	return arg;
}

/* Under a timer that leaves hardly any time, what is counted stays right. */
static void timer(void)
{
	struct itimerspec interval = {{0, 20000}, {0, 20000}};
	struct sigaction action = {
		.sa_handler = ignore, .sa_flags = SA_RESTART};
	struct sigevent event = {
		.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGALRM};
	unsigned long written = 0, read = 0;
	int ev = eventfd(0, EFD_NONBLOCK);
	uint64_t value;
	pthread_t thread;
	sigset_t set;

	sigaction(SIGALRM, &action, NULL);
	sigemptyset(&set);
	sigaddset(&set, SIGALRM);
	pthread_sigmask(SIG_BLOCK, &set, NULL);
	timer_create(CLOCK_MONOTONIC, &event, &fast);
	pthread_create(&thread, NULL, end_timer, NULL);
	timer_settime(fast, 0, &interval, NULL);
	pthread_sigmask(SIG_UNBLOCK, &set, NULL);
	while (!slow) {
		written += eventfd_write(ev, 1) == 0;
		if (eventfd_read(ev, &value) == 0)
			read += value;
	}
	pthread_join(thread, NULL);
	printf("%s\n", read == written ? "counted right" : "counted wrong");
	fprintf(stderr, "%lu written, %lu read\n", written, read);
}

int main(int argc, char **argv)
{
	static const struct {
		const char *name;
		void (*run)(void);
	} cases[] = {{"strict", strict}, {"trace", trace}, {"secret", secret},
		{"calls", call_each}, {"undumpable", undumpable},
		{"handler", handler}, {"tracer", tracer}, {"state", state},
		{"herd", herd}, {"timer", timer}};

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		if (argc == 2 && strcmp(argv[1], cases[i].name) == 0) {
			cases[i].run();
			return 0;
		}
	}
	fprintf(stderr, "usage: differs CASE\n");
	return 2;
}
