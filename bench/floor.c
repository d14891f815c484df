/* SPDX-License-Identifier: MIT */
/*
 * epemu-floor PROGRAM ARGUMENT...: the bare notifier, which is the floor of
 * what a trapped call costs. It traps what epemu traps and answers at once:
 * one ioctl takes the notification, one answers it, and there is nothing in
 * between. A wait finds one event, a read or write is 8 bytes long, and
 * everything else goes on to the kernel.
 *
 * With --continue every call goes on to the kernel. A real program runs like
 * that, and shows what trapping alone costs it.
 *
 * It ends when the program ends.
 */
#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/* Linux 6.6 */
#ifndef SECCOMP_IOCTL_NOTIF_SET_FLAGS
#define SECCOMP_IOCTL_NOTIF_SET_FLAGS SECCOMP_IOW(4, __u64)
#define SECCOMP_USER_NOTIF_FD_SYNC_WAKE_UP (1UL << 0)
#endif

#if defined(__x86_64__)
#define ARCH AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define ARCH AUDIT_ARCH_AARCH64
#endif

#define LOAD(member)                       \
	BPF_STMT(BPF_LD | BPF_W | BPF_ABS, \
		offsetof(struct seccomp_data, member))
#define SKIP_UNLESS(value, n) \
	BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (value), 0, (n))
#define RETURN(action) BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_##action)
#define TRAP(nr) SKIP_UNLESS(nr, 1), RETURN(USER_NOTIF)
/* Exactly 8 bytes, and no standard descriptor. */
#define TRAP_8_BYTES(nr)                                                     \
	SKIP_UNLESS(nr, 6), LOAD(args[2]), SKIP_UNLESS(8, 3), LOAD(args[0]), \
		BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, 3, 0, 1),                \
		RETURN(USER_NOTIF), RETURN(ALLOW)

static struct sock_filter code[] = {
	LOAD(arch),
	SKIP_UNLESS(ARCH, 1),
	BPF_JUMP(BPF_JMP | BPF_JA, 1, 0, 0),
	RETURN(ALLOW),
	LOAD(nr),
	TRAP(SYS_epoll_create1),
	TRAP(SYS_epoll_ctl),
	TRAP(SYS_epoll_pwait),
	TRAP(SYS_epoll_pwait2),
	TRAP(SYS_eventfd2),
	TRAP(SYS_rt_sigreturn),
#ifdef SYS_epoll_wait
	TRAP(SYS_epoll_create),
	TRAP(SYS_epoll_wait),
	TRAP(SYS_eventfd),
#endif
	TRAP_8_BYTES(SYS_read),
	TRAP_8_BYTES(SYS_write),
	RETURN(ALLOW),
};

static pid_t program;
static bool let_through;

/* Either half of a union that leaves room for longer forms. */
union notif {
	struct seccomp_notif notif;
	char room[256];
};

union resp {
	struct seccomp_notif_resp resp;
	char room[128];
};

static void fail(const char *what)
{
	fprintf(stderr, "epemu-floor: %s: %s\n", what, strerror(errno));
	_exit(125);
}

static void on_child(int signal)
{
	int status;

	(void)signal;
	if (waitpid(program, &status, WNOHANG) == program)
		_exit(WIFEXITED(status) ? WEXITSTATUS(status)
					: 128 + WTERMSIG(status));
}

static void pass_on(int signal)
{
	kill(program, signal);
}

static void run_program(int tell, int hear, char **argv)
{
	struct sock_fprog filter = {
		.len = sizeof(code) / sizeof(code[0]),
		.filter = code,
	};
	int listener;
	char byte;

	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	listener = (int)syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER,
		SECCOMP_FILTER_FLAG_NEW_LISTENER |
			SECCOMP_FILTER_FLAG_SPEC_ALLOW,
		&filter);
	if (listener < 0)
		fail("seccomp");
	if (write(tell, &listener, sizeof(listener)) != sizeof(listener) ||
		read(hear, &byte, 1) != 1)
		_exit(125);
	close(listener);
	execvp(argv[0], argv);
	fail(argv[0]);
}

/* Takes the listener out of the program while it waits. */
static int fetch_listener(int hear, int tell)
{
	int number;
	int pidfd;
	int listener;

	if (read(hear, &number, sizeof(number)) != sizeof(number))
		_exit(125);
	pidfd = (int)syscall(SYS_pidfd_open, program, 0);
	listener = (int)syscall(SYS_pidfd_getfd, pidfd, number, 0);
	if (listener < 0)
		fail("pidfd_getfd");
	close(pidfd);
	ioctl(listener, SECCOMP_IOCTL_NOTIF_SET_FLAGS,
		SECCOMP_USER_NOTIF_FD_SYNC_WAKE_UP);
	if (write(tell, "x", 1) != 1)
		fail("write");
	return listener;
}

static void answer(
	const struct seccomp_notif *in, struct seccomp_notif_resp *out)
{
	switch (let_through ? -1 : in->data.nr) {
#ifdef SYS_epoll_wait
	case SYS_epoll_wait:
#endif
	case SYS_epoll_pwait:
	case SYS_epoll_pwait2:
		out->val = 1;
		break;
	case SYS_epoll_ctl:
		out->val = 0;
		break;
	case SYS_read:
	case SYS_write:
		out->val = 8;
		break;
	default:
		out->flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE;
	}
}

static void serve(int listener)
{
	for (;;) {
		union notif in;
		union resp out;

		memset(&in.notif, 0, sizeof(in.notif));
		if (ioctl(listener, SECCOMP_IOCTL_NOTIF_RECV, &in) < 0)
			continue;
		memset(&out.resp, 0, sizeof(out.resp));
		out.resp.id = in.notif.id;
		answer(&in.notif, &out.resp);
		ioctl(listener, SECCOMP_IOCTL_NOTIF_SEND, &out);
	}
}

int main(int argc, char **argv)
{
	int up[2];
	int down[2];
	int first = 1;
	int listener;
	sigset_t child;

	if (argc > 1 && strcmp(argv[1], "--continue") == 0) {
		let_through = true;
		first = 2;
	}
	if (argc <= first) {
		fputs("usage: epemu-floor [--continue] PROGRAM ARGUMENT...\n",
			stderr);
		return 2;
	}
	if (pipe(up) < 0 || pipe(down) < 0)
		fail("pipe");
	sigemptyset(&child);
	sigaddset(&child, SIGCHLD);
	sigprocmask(SIG_BLOCK, &child, NULL);
	program = fork();
	if (program < 0)
		fail("fork");
	if (program == 0) {
		sigprocmask(SIG_UNBLOCK, &child, NULL);
		close(up[0]);
		close(down[1]);
		run_program(up[1], down[0], argv + first);
	}
	close(up[1]);
	close(down[0]);
	listener = fetch_listener(up[0], down[1]);
	signal(SIGTERM, pass_on);
	signal(SIGINT, pass_on);
	signal(SIGCHLD, on_child);
	sigprocmask(SIG_UNBLOCK, &child, NULL);
	serve(listener);
}
