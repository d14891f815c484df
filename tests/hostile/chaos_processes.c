/* SPDX-License-Identifier: MIT */
/* Threads and processes: begun, ended, stopped, traced and made others. */
#define _GNU_SOURCE
#include "chaos.h"
#include "chaos_arch.h"
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/wait.h>

static void *thread_main(void *arg)
{
	if (!chaos_take_place((uint64_t)(uintptr_t)arg))
		return NULL;
	chaos_alt_stack();
	chaos_block(false);
	chaos_loop(20 + pick(4000));
	pid_t tid = me->tid;

	chaos_block(true);
	struct chaos_thread *place = me;

	/* No handler may use the place from here. */
	me = NULL;
	atomic_compare_exchange_strong(&place->tid, &tid, 0);
	return NULL;
}

static void begin_thread(void)
{
	uintptr_t seed = (uintptr_t)stress_rand(&me->rng);
	pthread_attr_t attr;
	pthread_t thread;
	int busy = 0;

	for (int i = 0; i < CHAOS_THREADS; i++)
		busy += atomic_load(&self.thread[i].tid) != 0;
	if (self.below || busy >= CHAOS_THREADS)
		return;
	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, 256 << 10);
	pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	chaos_block(true);
	pthread_create(&thread, &attr, thread_main, (void *)seed);
	chaos_block(false);
}

/* The thread alone, also the first one; the place becomes free. */
static void end_thread(void)
{
	if (!one_in(4))
		return;
	me->armed = 0;
	atomic_store(&me->tid, 0);
	syscall(SYS_exit, 0);
}

static void end_process(void)
{
	if (one_in(8))
		_exit(0);
	if (one_in(16))
		kill(getpid(), SIGKILL);
}

/* A number as text, without stdio. */
static char *print_number(char *end, uint64_t number)
{
	*--end = '\0';
	do
		*--end = (char)('0' + number % 10);
	while (number /= 10);
	return end;
}

#ifdef __x86_64__
/* execve of the other table, whose pointers have 32 bits. */
static void exec32(const char *seed)
{
	char *words = chaos_good(4096);
	uint32_t *argv = chaos_good(64);

	strcpy(words, "/proc/self/exe");
	strcpy(words + 64, seed);
	strcpy(words + 128, self.argv[2]);
	for (int i = 0; i < 3; i++)
		argv[i] = (uint32_t)(uintptr_t)words + 64 * (unsigned)i;
	argv[3] = 0;
	argv[4] = 0;
	call32(11, (long)(uintptr_t)words, (long)(uintptr_t)argv,
		(long)(uintptr_t)&argv[4], 0);
}
#endif

/* The program anew, with another seed. */
static void exec_self(void)
{
	char text[24], *seed;
	char *argv[4] = {self.argv[0]};
	static char *const none[] = {NULL};

	if (!one_in(3))
		return;
	seed = print_number(text + sizeof(text), stress_rand(&me->rng));
	argv[1] = seed;
	argv[2] = self.argv[2];
	/* Those that fail leave everything as it was. */
	if (one_in(4))
		execve("/nowhere", argv, none);
	if (one_in(8))
		execve(argv[0], chaos_pointer(64), none);
	if (one_in(8))
		execve("/dev/null", argv, none);
#ifdef __x86_64__
	if (one_in(6))
		exec32(seed);
#endif
	if (one_in(4))
		syscall(SYS_execveat, AT_FDCWD, argv[0], argv, none, 0);
	execve(argv[0], argv, none);
}

/* Room for one more, or false. */
static bool may_fork(void)
{
	if (self.below || atomic_load(&self.child) ||
		atomic_load(&shared->live) >= HOSTILE_MOST_LIVE)
		return false;
	atomic_fetch_add(&shared->live, 1);
	return true;
}

static void child_main(uint64_t seed, pid_t parent)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent && getpid() != 1)
		_exit(0);
	self.below = true;
	self.until = stress_now_ns() + 300000000;
	for (int i = 0; i < CHAOS_THREADS; i++)
		atomic_store(&self.thread[i].tid, 0);
	if (!chaos_take_place(seed))
		_exit(0);
	chaos_alt_stack();
	chaos_block(false);
	chaos_loop(2 + pick(200));
	_exit((int)pick(3));
}

static void begin_child(void)
{
	static const unsigned long kinds[] = {
		0, 0, 0, CLONE_FILES, CLONE_FS, CLONE_NEWUSER | CLONE_NEWPID};
	unsigned long flags = PICK(kinds) | SIGCHLD;
	uint64_t seed = stress_rand(&me->rng);
	pid_t parent = getpid();

	if (!may_fork())
		return;
	/* From another pid namespace no parent can be checked. */
	if (flags & CLONE_NEWPID && shared->tame)
		flags = SIGCHLD;
	chaos_block(true);
	pid_t pid = (pid_t)syscall(SYS_clone, flags, 0, 0, 0, 0);

	if (pid == 0)
		child_main(seed, parent);
	if (pid > 0)
		atomic_store(&self.child, pid);
	chaos_block(false);
}

static void begin_vfork(void)
{
	static char *const none[] = {NULL};
	char *argv[] = {self.argv[0], NULL};
	bool runs = one_in(2), calls = one_in(2);

	if (!may_fork())
		return;
	chaos_block(true);
	pid_t pid = vfork();

	if (pid == 0) {
		if (calls)
			chaos_got(write(
				chaos_fd(KIND_EVENTFD), &(uint64_t){1}, 8));
		/* Without arguments it ends at once. */
		if (runs)
			execve(argv[0], argv, none);
		_exit(0);
	}
	if (pid > 0)
		atomic_store(&self.child, pid);
	chaos_block(false);
}

/* Uses its parent's memory, which goes on. */
static int sharing_main(void *unused)
{
	static const struct timespec nap = {.tv_nsec = 1000000};
	char *argv[] = {self.argv[0], NULL};
	uint64_t *number = chaos_good(sizeof(*number));
	int ep = epoll_create1(0), efd = eventfd(0, EFD_NONBLOCK);
	struct epoll_event event = {.events = EPOLLIN | EPOLLET};

	(void)unused;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	epoll_ctl(ep, EPOLL_CTL_ADD, efd, &event);
	for (int i = 0; i < 20; i++) {
		*number = 1;
		write(efd, number, sizeof(*number));
		epoll_wait(ep, (void *)number, 1, 1);
		nanosleep(&nap, NULL);
	}
	/* Without arguments it ends at once. */
	execve(argv[0], argv, &argv[1]);
	return 0;
}

static void begin_sharing(void)
{
	static char stack[65536] __attribute__((aligned(16)));
	int flags = CLONE_VM | SIGCHLD | (one_in(3) ? CLONE_FILES : 0);

	if (!may_fork())
		return;
	chaos_block(true);
	pid_t pid = clone(sharing_main, stack + sizeof(stack), flags, NULL);

	if (pid > 0)
		atomic_store(&self.child, pid);
	chaos_block(false);
}

static void look_after_child(void)
{
	pid_t pid = atomic_load(&self.child);
	int status;

	if (pid <= 0)
		return;
	if (one_in(3))
		kill(pid, one_in(2) ? SIGKILL : SIGSTOP);
	if (one_in(3))
		kill(pid, SIGCONT);
	if (one_in(8) && ptrace(PTRACE_SEIZE, pid, 0, 0) == 0)
		ptrace(PTRACE_INTERRUPT, pid, 0, 0);
	pid_t got = waitpid(pid, &status, WNOHANG | WUNTRACED);

	if (got == pid && !WIFSTOPPED(status))
		atomic_compare_exchange_strong(&self.child, &pid, 0);
	else if (got < 0 && errno == ECHILD)
		atomic_compare_exchange_strong(&self.child, &pid, 0);
	else if (got == pid)
		ptrace(PTRACE_DETACH, pid, 0, 0);
}

static void trouble_another(void)
{
	const int signals[] = {SIGUSR1, SIGUSR2, SIGRTMIN, SIGURG, SIGSTOP,
		SIGCONT, SIGCONT, SIGALRM};
	pid_t pid = atomic_load(&shared->actor[pick(HOSTILE_ACTORS)]);

	if (pid > 0)
		kill(pid, one_in(12) ? SIGKILL : PICK(signals));
}

static void rename_self(void)
{
	char name[16];

	for (size_t i = 0; i < sizeof(name) - 1; i++)
		name[i] = (char)(1 + pick(255));
	name[sizeof(name) - 1] = '\0';
	prctl(PR_SET_NAME, name);
}

/* As root another user from here, the thread or the process. */
static void become_another(void)
{
	if (shared->tame || !one_in(4))
		return;
	if (one_in(2))
		syscall(SYS_setresuid, 65534, 65534, one_in(2) ? 65534 : -1);
	else
		prctl(PR_SET_DUMPABLE, one_in(2));
}

static void be_slow(void)
{
	struct sched_param none = {0};
	uint64_t until = stress_now_ns() + pick(2000000);

	setpriority(PRIO_PROCESS, 0, 19);
	if (one_in(2))
		sched_setscheduler(0, SCHED_IDLE, &none);
	while (stress_now_ns() < until)
		;
}

static void install_filter(void)
{
	static const uint32_t numbers[] = {SYS_epoll_ctl, SYS_eventfd2,
		SYS_getppid, SYS_epoll_pwait, SYS_write};
	static const uint32_t actions[] = {SECCOMP_RET_ALLOW, SECCOMP_RET_LOG,
		SECCOMP_RET_ERRNO | EPERM, SECCOMP_RET_TRACE,
		SECCOMP_RET_USER_NOTIF, SECCOMP_RET_TRAP,
		SECCOMP_RET_KILL_THREAD};
	static const unsigned flags[] = {0, 0, 0, SECCOMP_FILTER_FLAG_TSYNC,
		SECCOMP_FILTER_FLAG_NEW_LISTENER};
	uint32_t number = PICK(numbers), action = PICK(actions);
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, number, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, action),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog prog = {ARRAY_LEN(code), code};

	if (!one_in(8))
		return;
	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, PICK(flags), &prog);
}

/* read, write, exit and the return from handlers are left. */
static void be_strict(void)
{
	if (!one_in(16))
		return;
	me->armed = 0;
	chaos_block(true);
	if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_STRICT) == 0)
		chaos_got(write(chaos_fd(KIND_EVENTFD), chaos_good(8), 8));
	atomic_store(&me->tid, 0);
	syscall(SYS_exit, 0);
}

const struct chaos_action chaos_processes[] = {
	{"thread", begin_thread, 5},
	{"end thread", end_thread, 1},
	{"end process", end_process, 1},
	{"exec", exec_self, 1},
	{"fork", begin_child, 2},
	{"vfork", begin_vfork, 1},
	{"shared memory", begin_sharing, 1},
	{"child", look_after_child, 8},
	{"trouble", trouble_another, 2},
	{"name", rename_self, 1},
	{"another user", become_another, 1},
	{"slow", be_slow, 1},
	{"filter", install_filter, 1},
	{"strict", be_strict, 1},
	{NULL, NULL, 0},
};
