/* SPDX-License-Identifier: MIT */
/*
 * Programs that use the mechanisms which the emulation itself stands on:
 * ptrace, seccomp filters, signal frames, io_uring.
 *
 * A thread that is traced by the program cannot be traced by us as well, so
 * with --emulated a wait whose mask has to be swapped may fail there with
 * one documented error; it must not hang, and all else is exact.
 */
#define _GNU_SOURCE
#include "stress.h"
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/ucontext.h>
#include <sys/wait.h>

static volatile sig_atomic_t handled;

static void on_signal(int sig)
{
	(void)sig;
	handled++;
}

static void be_traced(void)
{
	signal(SIGUSR1, on_signal);
	good(ptrace(PTRACE_TRACEME, 0, 0, 0));
	good(raise(SIGSTOP));
}

/* Lets the child run, passing signals on, until it ends; returns its status */
static int trace(pid_t pid, int request, long *stops)
{
	int status;

	for (;;) {
		must(waitpid(pid, &status, __WALL) == pid, "waitpid");
		if (!WIFSTOPPED(status))
			return status;
		int sig = WSTOPSIG(status);

		if (sig == SIGSTOP || sig == SIGTRAP || sig == (SIGTRAP | 0x80))
			sig = 0;
		++*stops;
		if (ptrace(request, pid, 0, sig))
			must(errno == ESRCH, "ptrace: %s", strerror(errno));
	}
}

static void blocked_under_trace(void)
{
	struct epoll_event ev;
	int ep = x_epoll();
	pid_t hitter = (pid_t)good(fork());

	if (hitter == 0) {
		stress_wait_blocked(getppid(), NR_WAIT, SYS_epoll_pwait);
		kill(getppid(), SIGUSR1);
		_exit(0);
	}
	bad(EINTR, epoll_wait(ep, &ev, 1, -1));
	must(handled == 1, "handled %d times", (int)handled);
	must(waitpid(hitter, NULL, 0) == hitter, "waitpid");
	x_close(ep);
}

static void traced_with(int request)
{
	long stops = 0;

	for (long i = stress_count(10); i > 0; i--) {
		pid_t pid = stress_fork();

		if (pid == 0) {
			be_traced();
			stress_plain_calls();
			blocked_under_trace();
			_exit(0);
		}
		int status = trace(pid, request, &stops);

		must(status == 0, "traced child's status 0x%x",
			(unsigned)status);
	}
	stress_basic_calls();
	stress_ok("%ld stops", stops);
}

static void traced(void)
{
	traced_with(PTRACE_CONT);
}

static void traced_calls(void)
{
	traced_with(PTRACE_SYSCALL);
}

/* epoll_pwait with another mask than the thread's own. */
static void masked_under_trace(void)
{
	struct epoll_event ev;
	int ep = x_epoll(), efd = x_eventfd(1, EFD_CLOEXEC);
	sigset_t none, usr1;

	sigemptyset(&none);
	sigemptyset(&usr1);
	sigaddset(&usr1, SIGUSR1);
	sigprocmask(SIG_BLOCK, &usr1, NULL);
	x_add(ep, efd, EPOLLIN, 1);
	/* What is ready needs no swap of masks. */
	must(epoll_pwait(ep, &ev, 1, -1, &none) == 1, "ready: %s",
		strerror(errno));
	must(x_take(efd) == 1, "wrong count");
	must(epoll_pwait(ep, &ev, 1, 0, &none) == 0, "nothing: %s",
		strerror(errno));
	int n = epoll_pwait(ep, &ev, 1, 5, &none);

	must(n == 0 || stress.emulated, "timeout gave %d: %s", n,
		strerror(errno));
	good(raise(SIGUSR1));
	n = epoll_pwait(ep, &ev, 1, -1, &none);
	must(n == -1, "pending signal: %d", n);
	must(errno == EINTR || stress.emulated, "pending signal: %s",
		strerror(errno));
	must(errno != EINTR || handled == 1, "handled %d times", (int)handled);
	_exit(errno == EINTR ? 0 : 100);
}

static void traced_mask(void)
{
	long stops = 0, exact = 0, count = stress_count(10);

	for (long i = 0; i < count; i++) {
		pid_t pid = stress_fork();

		if (pid == 0) {
			be_traced();
			masked_under_trace();
		}
		int status = trace(pid, PTRACE_CONT, &stops);

		must(status == 0 || (stress.emulated && status == 100 << 8),
			"traced child's status 0x%x", (unsigned)status);
		exact += status == 0;
	}
	stress_ok("%ld of %ld exact", exact, count);
}

/* A filter that does `action` for call `nr` and lets all others pass. */
static long install(long nr, unsigned action, unsigned flags)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
			offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (unsigned)nr, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, action),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog prog = {ARRAY_LEN(code), code};

	good(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
	return syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, &prog);
}

static volatile sig_atomic_t trapped;

static void on_sigsys(int sig, siginfo_t *info, void *context)
{
	(void)sig;
	(void)context;
	trapped = info->si_syscall;
}

/* The answer that the program's own filter gives comes first. */
static void own_filters(void)
{
	struct sigaction sa = {
		.sa_sigaction = on_sigsys, .sa_flags = SA_SIGINFO};

	good(install(SYS_getppid, SECCOMP_RET_ALLOW, 0));
	stress_basic_calls();
	good(install(SYS_epoll_create1, SECCOMP_RET_ERRNO | EXDEV, 0));
	bad(EXDEV, epoll_create1(0));
	int efd = x_eventfd(0, EFD_CLOEXEC);

	good(sigaction(SIGSYS, &sa, NULL));
	good(install(SYS_eventfd2, SECCOMP_RET_TRAP, 0));
	eventfd(0, 0);
	must(trapped == SYS_eventfd2, "SIGSYS for call %d", (int)trapped);
	x_put(efd, 3);
	must(x_take(efd) == 3, "wrong count");
	stress_ok("errno, trap and allow");
}

/* A listener of the program's own: the kernel allows one per process. */
static void own_listener(void)
{
	long fd = install(SYS_getppid, SECCOMP_RET_ALLOW,
		SECCOMP_FILTER_FLAG_NEW_LISTENER);

	if (fd < 0)
		must(stress.emulated && errno == EBUSY, "listener: %s",
			strerror(errno));
	stress_basic_calls();
	stress_ok("%s", fd < 0 ? "refused with EBUSY" : "got one");
}

/* A program that is killed for a call of its own is killed for that. */
static void own_kill(void)
{
	const struct rlimit none = {0, 0};
	int status;
	pid_t pid = stress_fork();

	if (pid == 0) {
		setrlimit(RLIMIT_CORE, &none);
		good(install(SYS_epoll_create1, SECCOMP_RET_KILL_PROCESS, 0));
		epoll_create1(0);
		_exit(0);
	}
	must(waitpid(pid, &status, 0) == pid, "waitpid");
	must(WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS, "status 0x%x",
		(unsigned)status);
	stress_ok("killed with SIGSYS");
}

#ifdef __x86_64__

static void junk_frame(uintptr_t sp)
{
	__asm__ volatile("mov %0, %%rsp\n	mov %1, %%eax\n	syscall\n"
			 "hlt\n"
			 :
			 : "r"(sp), "i"(SYS_rt_sigreturn)
			 : "memory", "rax", "rcx", "r11");
}

/* rt_sigreturn with no frame, or with one full of junk. */
static void junk_frames(void)
{
	static const char *const names[] = {"null", "unmapped", "no access",
		"kernel", "zeroes", "junk", "junk 2", "junk 3", "edge",
		"beyond"};
	char *mem = mmap(NULL, 1 << 16, PROT_READ | PROT_WRITE,
		MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	const uintptr_t at[] = {0, (uintptr_t)mem + 0xf000,
		(uintptr_t)mem + 0xd000, 0xffff888000000000u,
		(uintptr_t)mem + 0x1000, (uintptr_t)mem + 0x3000,
		(uintptr_t)mem + 0x5000, (uintptr_t)mem + 0x7000,
		(uintptr_t)mem + 0xcf80, 0x7ffffffff000u};
	const struct rlimit none = {0, 0};
	struct stress_rng rng;

	stress_seed(&rng, 1);
	setrlimit(RLIMIT_CORE, &none);
	for (char *p = mem + 0x3000; p < mem + 0xd000; p += 8)
		*(uint64_t *)(void *)p = stress_rand(&rng);
	good(munmap(mem + 0xf000, 4096));
	good(mprotect(mem + 0xd000, 4096, PROT_NONE));
	for (size_t i = 0; i < ARRAY_LEN(at); i++) {
		int status;
		pid_t pid = stress_fork();

		if (pid == 0)
			junk_frame(at[i]);
		must(waitpid(pid, &status, 0) == pid, "waitpid");
		dprintf(1, "%s: status 0x%x\n", names[i], (unsigned)status);
	}
	stress_basic_calls();
	stress_ok("%zu frames", ARRAY_LEN(at));
}

#else

static void junk_frames(void)
{
	stress_ok("knows the frame of x86-64 only");
}

#endif

/* A ring would go round the emulation. */
static void io_uring(void)
{
	char params[256] = {0};
	long fd = syscall(SYS_io_uring_setup, 4, params);

	must(!stress.emulated || (fd < 0 && errno == ENOSYS),
		"io_uring_setup gave %ld: %s", fd, strerror(errno));
	stress_ok("%s", fd < 0 ? strerror(errno) : "there is one");
}

static int answer;

/* The call was turned away before it began: its result is the handler's. */
static void on_sys(int sig, siginfo_t *info, void *context)
{
	ucontext_t *uc = context;

	(void)sig;
	(void)info;
	handled++;
#ifdef __x86_64__
	uc->uc_mcontext.gregs[REG_RAX] = answer;
#else
	uc->uc_mcontext.regs[0] = (unsigned long)answer;
#endif
}

static void trap(uint32_t number)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, number, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_TRAP),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog prog = {4, code};

	good(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
	good(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &prog));
}

static void own_traps(void)
{
	static const uint32_t numbers[] = {
		SYS_epoll_pwait, SYS_epoll_ctl, SYS_eventfd2, SYS_read};

	for (size_t i = 0; i < 4; i++) {
		pid_t child = stress_fork();
		int status;

		if (child == 0) {
			struct sigaction sa = {
				.sa_sigaction = on_sys, .sa_flags = SA_SIGINFO};
			uint64_t got;

			x_add(x_epoll(), x_eventfd(1, 0), EPOLLIN, 5);
			good(sigaction(SIGSYS, &sa, NULL));
			answer = -EINTR;
			trap(numbers[i]);
			long rc = i == 3 ? syscall(SYS_read, 4, &got, 8L)
					 : syscall(numbers[i], 3L, 1L, 4L, 0L,
						   0L, 8L);

			_exit(rc == -1 && errno == EINTR && handled == 1 ? 3
									 : 1);
		}
		must(waitpid(child, &status, 0) == child && WIFEXITED(status) &&
				WEXITSTATUS(status) == 3,
			"call %u: status %x", numbers[i], status);
	}
	stress_ok("four calls");
}

static const struct stress_case cases[] = {
	{"traced", traced},
	{"traced-calls", traced_calls},
	{"traced-mask", traced_mask},
	{"own-filters", own_filters},
	{"own-listener", own_listener},
	{"own-kill", own_kill},
	{"own-traps", own_traps},
	{"log-sigreturn", junk_frames},
	{"io-uring", io_uring},
	{NULL, NULL},
};

int main(int argc, char **argv)
{
	return stress_main(argc, argv, cases);
}
