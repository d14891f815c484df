/* SPDX-License-Identifier: MIT */
/*
 * Processes, threads, waiters and signals of a case.
 *
 * Whether a task sleeps is asked of /proc: state S in the system call that it
 * was sent into, several times in a row, because a task on its way to sleep
 * can stop for a moment elsewhere. That holds for a kernel that answers
 * the call itself and for one that lets somebody else answer it. Somebody
 * else may not have heard of the call yet when its task sleeps already, but
 * hears of calls in their order: one of our own has its answer after that.
 */
#include "shared.h"
#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#define STACK_SIZE (64 * 1024)
#define FUTEX_WAIT 0
#define FUTEX_WAKE 1

int own_pid(void)
{
	return (int)RAW(__NR_getpid, 0);
}

void *shared_alloc(size_t size)
{
	struct conf_shared *s = conf_shared;
	size_t at = s->arena_used;

	s->arena_used += (size + 63) & ~(size_t)63;
	if (s->arena_used > sizeof(s->arena))
		conf_fail("room in the shared page", "none left");
	return s->arena + at;
}

static void wake_all(uint32_t *word)
{
	CALL(futex, word, FUTEX_WAKE, 1 << 20, NULL, NULL, 0);
}

static void wait_at_least(uint32_t *word, uint32_t value)
{
	uint32_t seen;

	while ((seen = __atomic_load_n(word, __ATOMIC_SEQ_CST)) < value)
		CALL(futex, word, FUTEX_WAIT, seen, NULL, NULL, 0);
}

void flag_set(int n)
{
	__atomic_store_n(&conf_shared->flag[n], 1, __ATOMIC_SEQ_CST);
	wake_all(&conf_shared->flag[n]);
}

void conf_flag_wait(int n)
{
	wait_at_least(&conf_shared->flag[n], 1);
}

int flag_get(int n)
{
	return (int)__atomic_load_n(&conf_shared->flag[n], __ATOMIC_SEQ_CST);
}

void child_exit(int status)
{
	for (;;)
		RAW(__NR_exit_group, status);
}

static int fork_with(unsigned long flags, void (*fn)(void *), void *arg)
{
	long pid = OK(CALL(clone, flags | SIGCHLD, 0, 0, 0, 0));

	if (pid)
		return (int)pid;
	conf_in_leader = 0;
	RAW(__NR_prctl, PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
	fn(arg);
	child_exit(0);
}

int child_start(void (*fn)(void *), void *arg)
{
	return fork_with(0, fn, arg);
}

int child_start_files(void (*fn)(void *), void *arg)
{
	return fork_with(CLONE_FILES, fn, arg);
}

int thread_start(void (*fn)(void *), void *arg)
{
	static char stacks[16][STACK_SIZE] __attribute__((aligned(16)));
	static int tids[16], used;
	unsigned long flags = CLONE_VM | CLONE_FS | CLONE_FILES |
			      CLONE_SIGHAND | CLONE_THREAD | CLONE_SYSVSEM |
			      CLONE_PARENT_SETTID;
	int n = used++;

	return (int)OK(call_checked(
		"clone", sys_clone_thread(flags, stacks[n] + STACK_SIZE,
				 &tids[n], fn, arg)));
}

int child_join(int pid)
{
	int status = 0;

	OK(CALL(wait4, pid, &status, 0, NULL));
	return WIFSIGNALED(status) ? 128 + WTERMSIG(status)
				   : WEXITSTATUS(status);
}

static void nap(void)
{
	long ts[2] = {0, 300000};

	CALL(nanosleep, ts, NULL);
}

static long read_task(int tid, const char *file, char *buf, size_t cap)
{
	char path[48];
	struct text t = TEXT_ON(path);

	text_put(&t, "/proc/%d/%s", tid, file);
	return read_file(path, buf, cap);
}

/* The letter of the task's state; 0 without /proc, -1 if it is gone. */
static int state_of(int tid)
{
	char buf[512];
	const char *p = buf, *next;

	if (read_task(tid, "stat", buf, sizeof(buf)) < 0)
		return read_task(own_pid(), "stat", buf, sizeof(buf)) < 0 ? 0
									  : -1;
	while ((next = strstr(p, ") ")))
		p = next + 2;
	return *p;
}

static int in_call(int tid, long nr)
{
	char buf[256];

	if (read_task(tid, "syscall", buf, sizeof(buf)) <= 0)
		return 1;
	return buf[0] >= '0' && buf[0] <= '9' &&
	       (long)str_number(buf, 10) == nr;
}

static void guess_instead(void)
{
	long ts[2] = {0, 200000000};

	conf_note("without /proc it is a guess that the other task sleeps");
	CALL(nanosleep, ts, NULL);
}

/*
 * Where /proc shows the calls of another machine (user-mode emulation), the
 * number never fits; a task that sleeps for that long is taken as asleep.
 */
#define FOREIGN_POLLS 1000

void asleep_in(int tid, long nr)
{
	int state, good = 0, asleep = 0;

	while (good < 3 && asleep < FOREIGN_POLLS) {
		state = state_of(tid);
		if (!state) {
			guess_instead();
			return;
		}
		if (state < 0 || state == 'Z')
			conf_fail("a task asleep", "it ended");
		asleep = state == 'S' ? asleep + 1 : 0;
		good = state == 'S' && in_call(tid, nr) ? good + 1 : 0;
		nap();
	}
	RAW(__NR_epoll_create1, -1); /* in order after the task's call */
}

void sleeps_until_state(int tid, char state)
{
	int seen;

	while ((seen = state_of(tid)) != state) {
		if (!seen) {
			guess_instead();
			return;
		}
		nap();
	}
}

static void waiter_run(void *arg)
{
	struct waiter *w = arg;
	uint64_t start = now_ns();
	uint32_t place;

	if (w->mask)
		w->ret = sys_epoll_pwait(
			w->epfd, w->ev, w->max, w->timeout, w->mask, 8);
	else
		w->ret = sys_epoll_wait(w->epfd, w->ev, w->max, w->timeout);
	w->took_ns = now_ns() - start;
	w->mask_after = sig_mask();
	place = __atomic_add_fetch(&conf_shared->returned, 1, __ATOMIC_SEQ_CST);
	__atomic_store_n(&w->place, place, __ATOMIC_SEQ_CST);
	wake_all(&w->place);
}

struct waiter *waiter_start(enum waiter_kind kind, int epfd, int max,
	int timeout, const uint64_t *mask)
{
	struct waiter *w = shared_alloc(sizeof(*w));

	w->epfd = epfd;
	w->max = max;
	w->timeout = timeout;
	w->mask = mask;
	if (kind == BY_THREAD)
		w->pid = thread_start(waiter_run, w);
	else if (kind == BY_FILES)
		w->pid = child_start_files(waiter_run, w);
	else
		w->pid = child_start(waiter_run, w);
	asleep_in(w->pid, mask ? __NR_epoll_pwait : NR_EPOLL_WAIT);
	return w;
}

unsigned waiters_count(void)
{
	return __atomic_load_n(&conf_shared->returned, __ATOMIC_SEQ_CST);
}

void waiter_still(struct waiter *w)
{
	asleep_in(w->pid, w->mask ? __NR_epoll_pwait : NR_EPOLL_WAIT);
}

void waiter_is(struct waiter *w, long ret)
{
	wait_at_least(&w->place, 1);
	conf_is(w->ret, ret);
}

void waiter_got(struct waiter *w, uint32_t mask, uint64_t data)
{
	waiter_is(w, 1);
	conf_mask_is(w->ev[0].events, mask);
	conf_is((long)w->ev[0].data, (long)data);
}
