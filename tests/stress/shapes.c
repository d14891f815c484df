/* SPDX-License-Identifier: MIT */
/*
 * Process shapes: who shares what with whom when a call is made.
 *
 * Each case builds one shape (vfork, an exec below running threads, a leader
 * that has gone, a descriptor table shared by processes, a daemon, a
 * descriptor passed on, a thousand waiters) and makes the ordinary calls in
 * it. Cases whose name starts with '@' are what other cases exec.
 */
#define _GNU_SOURCE
#include "stress.h"
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#define THOUSAND 1000

extern char **environ;

static char arg_text[4][16];

/* argv for this program's case `name` with up to three numbers */
static char **self_argv(const char *name, int a, int b, int c)
{
	static char *argv[6];
	const int num[] = {a, b, c};

	argv[0] = (char *)(uintptr_t)stress.prog;
	argv[1] = (char *)(uintptr_t)name;
	for (int i = 0; i < 3; i++) {
		snprintf(arg_text[i], sizeof(arg_text[i]), "%d", num[i]);
		argv[2 + i] = arg_text[i];
	}
	return argv;
}

static int arg_number(int i)
{
	return (int)strtol(stress.args[i], NULL, 10);
}

static void wait_for(_Atomic int *word, int value)
{
	while (atomic_load(word) != value)
		stress_sleep_us(200);
}

/* L05, L06: an instance shared through fork, with a file of the child's. */
static void forked(void)
{
	int ep = x_epoll(), efd = x_eventfd(0, EFD_CLOEXEC), fd[2];

	x_add(ep, efd, EPOLLIN | EPOLLET, 1);
	for (long i = stress_count(60); i > 0; i--) {
		x_pipe(fd, 0);
		pid_t pid = stress_fork();

		if (pid == 0) {
			int own = x_eventfd(1, EFD_CLOEXEC);
			char c;

			x_add(ep, own, EPOLLIN, 2);
			must(read(fd[0], &c, 1) == 1, "read");
			x_put(efd, 1);
			_exit(0);
		}
		must(x_wait1(ep, -1, NULL) == 2, "the child's file");
		must(write(fd[1], "x", 1) == 1, "write");
		stress_join(pid);
		/* The child's file has gone with it, its write has stayed. */
		must(x_wait1(ep, -1, NULL) == 1, "the child's write");
		x_wait0(ep);
		x_close(fd[0]);
		x_close(fd[1]);
	}
	stress_basic_calls();
	stress_ok("children came and went");
}

static void vforked(void)
{
	long count = stress_count(100);
	int ep = x_epoll(), efd = x_eventfd(0, EFD_CLOEXEC);
	struct epoll_event ev;

	x_add(ep, efd, EPOLLIN | EPOLLET, 1);
	for (volatile long i = 0; i < count; i++) {
		uint64_t one = 1;
		pid_t pid = vfork();

		if (pid == 0) {
			int own = epoll_create1(0);

			if (own < 0 || write(efd, &one, 8) != 8 ||
				epoll_wait(own, &ev, 1, 0) != 0)
				_exit(1);
			_exit(0);
		}
		good(pid);
		stress_join(pid);
		must(x_wait1(ep, -1, NULL) == 1, "the child's write");
	}
	must(x_take(efd) == (uint64_t)count, "wrong count");
	stress_ok("%ld vforks", count);
}

static void helper_basic(void)
{
	stress_basic_calls();
	x_put(arg_number(0), 1);
}

static void spawned(void)
{
	long count = stress_count(30);
	int ep = x_epoll(), efd = x_eventfd(0, 0);
	pid_t pid;

	x_add(ep, efd, EPOLLIN, 1);
	for (long i = 0; i < count; i++) {
		int err = posix_spawn(&pid, "/proc/self/exe", NULL, NULL,
			self_argv("helper-basic", efd, 0, 0), environ);

		must(err == 0, "posix_spawn: %s", strerror(err));
		must(x_wait1(ep, -1, NULL) == 1, "wrong data");
		must(x_take(efd) == 1, "wrong count");
		stress_join(pid);
	}
	stress_ok("%ld spawned", count);
}

/* epoll `ep` watches `efd`; number `gone` was close-on-exec. */
static void helper_inherit(void)
{
	int ep = arg_number(0), efd = arg_number(1), gone = arg_number(2);
	struct epoll_event ev;

	bad(EBADF, epoll_wait(gone, &ev, 1, 0));
	x_wait0(ep);
	x_put(efd, 1);
	must(x_wait1(ep, -1, NULL) == 77, "wrong data");
	must(x_take(efd) == 1, "wrong count");
	x_wait0(ep);
	stress_basic_calls();
}

/*
 * 77 stays, 78 goes with the instance, 79 goes with its own descriptor: it
 * is ready, so a leftover of it would be seen.
 */
static char **inherit_argv(void)
{
	int ep = (int)good(epoll_create1(0)), efd = x_eventfd(0, 0);
	int gone = x_epoll(), ready = x_eventfd(1, EFD_CLOEXEC);

	x_add(ep, efd, EPOLLIN, 77);
	x_add(gone, efd, EPOLLIN, 78);
	x_add(ep, ready, EPOLLIN, 79);
	return self_argv("helper-inherit", ep, efd, gone);
}

static void cloexec(void)
{
	for (long i = stress_count(20); i > 0; i--) {
		pid_t pid = stress_fork();

		if (pid == 0) {
			execv("/proc/self/exe", inherit_argv());
			fail("execv: %s", strerror(errno));
		}
		stress_join(pid);
	}
	stress_ok("numbers kept and closed as asked");
}

static int shared_ep, shared_efd;

static void *block_in_wait(void *arg)
{
	struct epoll_event ev;

	atomic_store((_Atomic pid_t *)arg, stress_gettid());
	epoll_wait(shared_ep, &ev, 1, -1);
	fail("epoll_wait came back");
}

static void *block_in_read(void *arg)
{
	uint64_t v;

	atomic_store((_Atomic pid_t *)arg, stress_gettid());
	long n = read(shared_efd, &v, sizeof(v));

	fail("read came back: %ld", n);
}

static void *exec_self(void *arg)
{
	execv("/proc/self/exe", arg);
	fail("execv: %s", strerror(errno));
}

static void start_blocked(void *(*fn)(void *), _Atomic pid_t *tid, long nr)
{
	pthread_t thread;

	must(!pthread_create(&thread, NULL, fn, tid), "thread");
	while (!atomic_load(tid))
		stress_sleep_us(100);
	stress_wait_blocked(atomic_load(tid), nr, __NR_epoll_pwait);
}

/* Another thread than the leader execs while all others are blocked. */
static void exec_thread(void)
{
	for (long i = stress_count(20); i > 0; i--) {
		pid_t pid = stress_fork();

		if (pid == 0) {
			static _Atomic pid_t tid[4];
			pthread_t thread;

			shared_ep = x_epoll();
			shared_efd = x_eventfd(0, EFD_CLOEXEC);
			for (int k = 0; k < 3; k++)
				start_blocked(block_in_wait, &tid[k], NR_WAIT);
			start_blocked(block_in_read, &tid[3], __NR_read);
			pthread_create(
				&thread, NULL, exec_self, inherit_argv());
			block_in_wait(&tid[0]);
		}
		stress_join(pid);
	}
	stress_ok("exec ended the other threads");
}

static void await_zombie(pid_t tid)
{
	char path[64], text[128], *paren;

	snprintf(path, sizeof(path), "/proc/self/task/%d/stat", tid);
	do {
		int fd = (int)good(open(path, O_RDONLY | O_CLOEXEC));
		long n = good(read(fd, text, sizeof(text) - 1));

		x_close(fd);
		text[n] = '\0';
		paren = strrchr(text, ')');
		stress_sleep_us(200);
	} while (!paren || paren[2] != 'Z');
}

static void *survive_leader(void *arg)
{
	int efd = shared_efd;

	(void)arg;
	await_zombie(getpid());
	stress_basic_calls();
	/* The leader's registrations are the process's. */
	x_put(efd, 1);
	must(x_wait1(shared_ep, -1, NULL) == 5, "wrong data");
	_exit(0);
}

static void leader_exit(void)
{
	for (long i = stress_count(20); i > 0; i--) {
		pid_t pid = stress_fork();

		if (pid == 0) {
			pthread_t thread;

			shared_ep = x_epoll();
			shared_efd = x_eventfd(0, EFD_CLOEXEC);
			x_add(shared_ep, shared_efd, EPOLLIN, 5);
			pthread_create(&thread, NULL, survive_leader, NULL);
			pthread_exit(NULL);
		}
		stress_join(pid);
	}
	stress_ok("went on without the leader");
}

struct table {
	_Atomic int step;
	_Atomic int ep, efd;
};

static void table_child(struct table *t)
{
	struct epoll_event ev;

	stress_arm();
	atomic_store(&t->efd, x_eventfd(0, EFD_CLOEXEC));
	atomic_store(&t->ep, x_epoll());
	x_add(t->ep, t->efd, EPOLLIN, 21);
	atomic_store(&t->step, 1);
	must(x_wait1(t->ep, -1, NULL) == 21, "wrong data");
	must(x_take(t->efd) == 3, "wrong count");
	atomic_store(&t->step, 2);
	wait_for(&t->step, 3);
	bad(EBADF, epoll_wait(t->ep, &ev, 1, 0));
	_exit(0);
}

/* CLONE_FILES without CLONE_THREAD: one table, two processes. */
static void clone_files(void)
{
	struct table *t = stress_shared(sizeof(*t));

	for (long i = stress_count(60); i > 0; i--) {
		atomic_store(&t->step, 0);
		pid_t pid = (pid_t)good(
			syscall(SYS_clone, CLONE_FILES | SIGCHLD, 0, 0, 0, 0));

		if (pid == 0)
			table_child(t);
		wait_for(&t->step, 1);
		x_wait0(t->ep);
		x_put(t->efd, 3);
		wait_for(&t->step, 2);
		x_wait0(t->ep);
		x_mod(t->ep, t->efd, EPOLLOUT, 22);
		must(x_wait1(t->ep, 0, NULL) == 22, "wrong data");
		x_close(t->ep);
		atomic_store(&t->step, 3);
		stress_join(pid);
		x_close(t->efd);
	}
	stress_basic_calls();
	stress_ok("one table in two processes");
}

static pthread_barrier_t both;

/* Its numbers equal the main thread's, its files do not. */
static void *own_table(void *arg)
{
	struct table *t = arg;

	good(unshare(CLONE_FILES));
	atomic_store(&t->ep, x_epoll());
	atomic_store(&t->efd, x_eventfd(1, EFD_CLOEXEC));
	x_add(t->ep, t->efd, EPOLLIN, 31);
	pthread_barrier_wait(&both);
	pthread_barrier_wait(&both);
	must(x_wait1(t->ep, 0, NULL) == 31, "wrong data");
	must(x_take(t->efd) == 1, "wrong count");
	x_close(t->ep);
	x_close(t->efd);
	return NULL;
}

static void unshare_files(void)
{
	pthread_barrier_init(&both, NULL, 2);
	for (long i = stress_count(60); i > 0; i--) {
		struct table t = {0};
		pthread_t thread;

		must(!pthread_create(&thread, NULL, own_table, &t), "thread");
		pthread_barrier_wait(&both);
		int ep = x_epoll(), efd = x_eventfd(0, EFD_CLOEXEC);

		must(ep == t.ep && efd == t.efd, "numbers differ");
		x_add(ep, efd, EPOLLIN, 32);
		x_wait0(ep);
		x_put(efd, 7);
		must(x_wait1(ep, 0, NULL) == 32, "wrong data");
		pthread_barrier_wait(&both);
		pthread_join(thread, NULL);
		must(x_take(efd) == 7, "wrong count");
		x_close(ep);
		x_close(efd);
	}
	stress_ok("same numbers, other files");
}

static struct {
	int ep;
	_Atomic pid_t tid[THOUSAND];
	_Atomic long back;
} crowd;

static void *one_of_many(void *arg)
{
	_Atomic pid_t *tid = arg;

	atomic_store(tid, stress_gettid());
	must(x_wait1(crowd.ep, -1, NULL) == 55, "wrong data");
	atomic_fetch_add(&crowd.back, 1);
	return NULL;
}

static void dump_crowd(void)
{
	dprintf(2, "# %ld of %d are back\n", atomic_load(&crowd.back),
		THOUSAND);
}

static void gather(pthread_t *thread)
{
	pthread_attr_t attr;

	stress_on_watchdog(dump_crowd);
	crowd.ep = x_epoll();
	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, 64 * 1024);
	for (int i = 0; i < THOUSAND; i++)
		must(!pthread_create(
			     &thread[i], &attr, one_of_many, &crowd.tid[i]),
			"thread %d", i);
	for (int i = 0; i < THOUSAND; i++) {
		while (!atomic_load(&crowd.tid[i]))
			stress_sleep_us(200);
		stress_wait_blocked(crowd.tid[i], NR_WAIT, __NR_epoll_pwait);
	}
}

/* An edge for each of a thousand waiters: one waiter for each edge. */
static void thousand_edges(void)
{
	static pthread_t thread[THOUSAND];
	int efd = x_eventfd(0, EFD_CLOEXEC);

	gather(thread);
	x_add(crowd.ep, efd, EPOLLIN | EPOLLET, 55);
	for (long i = 0; i < THOUSAND; i++) {
		must(atomic_load(&crowd.back) == i, "%ld back after %ld",
			atomic_load(&crowd.back), i);
		x_put(efd, 1);
		while (atomic_load(&crowd.back) == i)
			stress_sleep_us(20);
	}
	for (int i = 0; i < THOUSAND; i++)
		pthread_join(thread[i], NULL);
	x_wait0(crowd.ep);
	stress_ok("%d edges, %d waiters", THOUSAND, THOUSAND);
}

/* One level: all of them. */
static void thousand_level(void)
{
	static pthread_t thread[THOUSAND];
	int efd = x_eventfd(0, EFD_CLOEXEC);

	gather(thread);
	x_add(crowd.ep, efd, EPOLLIN, 55);
	must(atomic_load(&crowd.back) == 0, "somebody is back already");
	x_put(efd, 1);
	for (int i = 0; i < THOUSAND; i++)
		pthread_join(thread[i], NULL);
	stress_ok("one level, %d waiters", THOUSAND);
}

static const struct stress_case cases[] = {
	{"fork", forked},
	{"vfork", vforked},
	{"spawn", spawned},
	{"cloexec", cloexec},
	{"exec-thread", exec_thread},
	{"leader-exit", leader_exit},
	{"clone-files", clone_files},
	{"unshare-files", unshare_files},
	{"thousand-edges", thousand_edges},
	{"thousand-level", thousand_level},
	{"@helper-basic", helper_basic},
	{"@helper-inherit", helper_inherit},
	{NULL, NULL},
};

int main(int argc, char **argv)
{
	return stress_main(argc, argv, cases);
}
