/* SPDX-License-Identifier: MIT */
/*
 * The launcher process while the program runs: what the shell sees of it.
 *
 * The shell knows this process alone. So it behaves as the program does: stops
 * by the signal that stopped the program, ends with its status or by its
 * signal, and passes on the signals that were meant for the program. Those
 * that the whole process group got (from the terminal, say) are not passed
 * on, for the program got them itself; see canary.c.
 *
 * Stops. The program stops, its parent (the supervisor) learns of it, and
 * this process sends itself the same signal. When the shell continues the
 * job, both get SIGCONT. When only the program is continued, or is killed
 * while stopped, the supervisor sends a SIGCONT here. A message about a stop
 * may be old by the time it is read, so the program's state is looked at once
 * more: as the younger member of the group it is continued before this
 * process is. Should it be continued between the look and our own stop, the
 * supervisor's SIGCONT comes after that stop and ends it.
 */
#define _GNU_SOURCE
#include "launcher/mirror.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "launcher/backtrace.h"
#include "launcher/control.h"
#include "launcher/fds.h"
#include "launcher/launch.h"
#include "launcher/message.h"
#include "launcher/tree.h"

/* For the crash handler, which gets no context. */
static const struct emu_mirror *crash_mirror;

static void crash_line(const char *text)
{
	emu_message_write(crash_mirror->message_fd, text);
}

static int send_signal(
	const struct emu_mirror *mirror, int signal, siginfo_t *info)
{
	return syscall(
		SYS_pidfd_send_signal, mirror->program_pidfd, signal, info, 0);
}

/* kill -SEGV is meant for the program like any other signal. */
static bool crash_foreign(const siginfo_t *info)
{
	return send_signal(crash_mirror, info->si_signo, NULL) == 0;
}

static void wait_for_supervisor(const struct emu_mirror *mirror)
{
	int status;

	/* So that its time and the program's count as this process's. */
	if (waitpid(mirror->supervisor, &status, 0) == mirror->supervisor &&
		status != 0)
		emu_message_write(mirror->message_fd,
			"the supervisor failed while it ended; please report "
			"this");
}

/* Ends this process as the program ended. */
static _Noreturn void end_like(struct emu_mirror *mirror, int status)
{
	struct sigaction fatal = {.sa_handler = SIG_DFL};
	struct rlimit none = {0, 0};
	sigset_t set;
	int signal;

	emu_canary_stop(mirror->canary);
	if (!WIFSIGNALED(status))
		_exit(WEXITSTATUS(status));
	signal = WTERMSIG(status);
	/* One core file, that of the program, is enough. */
	setrlimit(RLIMIT_CORE, &none);
	prctl(PR_SET_DUMPABLE, 0);
	sigaction(signal, &fatal, NULL);
	kill(getpid(), signal);
	sigemptyset(&set);
	sigaddset(&set, signal);
	sigprocmask(SIG_UNBLOCK, &set, NULL);
	/* The first process of a container survives its own signals. */
	_exit(128 + signal);
}

/* Without the supervisor no process of the program can go on. */
static _Noreturn void supervisor_gone(struct emu_mirror *mirror)
{
	char text[128];
	int status = 0;

	waitpid(mirror->supervisor, &status, 0);
	emu_tree_kill(getpid());
	if (WIFSIGNALED(status))
		snprintf(text, sizeof(text),
			"the supervisor was killed by signal %d: the program "
			"was ended, its processes too",
			WTERMSIG(status));
	else
		snprintf(text, sizeof(text),
			"the supervisor gave up: the program was ended");
	emu_message_write(mirror->message_fd, text);
	emu_canary_stop(mirror->canary);
	_exit(EMU_EXIT_FAILURE);
}

/* The canary's copies of what our own stop threw away, or never took. */
static void forget_stop_signals(struct emu_canary *canary)
{
	emu_canary_refresh(canary);
	emu_canary_forget(canary, SIGTSTP);
	emu_canary_forget(canary, SIGTTIN);
	emu_canary_forget(canary, SIGTTOU);
}

static void stop_like(struct emu_mirror *mirror, int signal)
{
	struct sigaction stop = {.sa_handler = SIG_DFL};
	sigset_t set;

	if (emu_tree_state(mirror->program, NULL) != 'T')
		return;
	sigaction(signal, &stop, NULL);
	/*
	 * Sent while blocked: it merges with the terminal's own one, if that
	 * is pending here, so that this process stops once.
	 */
	kill(getpid(), signal);
	sigemptyset(&set);
	sigaddset(&set, signal);
	sigprocmask(SIG_UNBLOCK, &set, NULL);
	sigprocmask(SIG_BLOCK, &set, NULL);
	forget_stop_signals(mirror->canary);
}

static void program_started(struct emu_mirror *mirror, pid_t program)
{
	char byte;

	mirror->program = program;
	emu_fds_receive(
		mirror->control, &byte, sizeof(byte), &mirror->program_pidfd);
}

static void act(struct emu_mirror *mirror, const struct emu_message *message)
{
	switch (message->kind) {
	case EMU_MESSAGE_LINE:
		emu_message_write(mirror->message_fd, message->text);
		break;
	case EMU_MESSAGE_STARTED:
		program_started(mirror, message->value);
		break;
	case EMU_MESSAGE_STOPPED:
		stop_like(mirror, message->value);
		break;
	case EMU_MESSAGE_ENDED_ALL:
		wait_for_supervisor(mirror);
		end_like(mirror, message->value);
	case EMU_MESSAGE_ENDED:
		end_like(mirror, message->value);
	}
}

/* Whether the program is in the group that this process is in. */
static bool same_group(const struct emu_mirror *mirror)
{
	return getpgid(mirror->program) == getpgrp();
}

/* Whether the program has got this very signal already, or must not. */
static bool not_for_program(
	const struct emu_mirror *mirror, const struct signalfd_siginfo *info)
{
	int signal = info->ssi_signo;
	bool group;

	if (!emu_canary_alive(mirror->canary)) {
		if (signal == SIGCONT)
			return emu_tree_state(mirror->program, NULL) != 'T';
		return info->ssi_code == SI_KERNEL && same_group(mirror);
	}
	group = emu_canary_took(mirror->canary, signal);
	/* What came of our own doing: a closed pipe, the supervisor's wake. */
	if (info->ssi_code == SI_USER &&
		(info->ssi_pid == (uint32_t)getpid() ||
			info->ssi_pid == (uint32_t)mirror->supervisor))
		return true;
	return group && same_group(mirror);
}

static void pass_on(
	const struct emu_mirror *mirror, const struct signalfd_siginfo *info)
{
	siginfo_t queued = {
		.si_signo = info->ssi_signo,
		.si_code = SI_QUEUE,
	};

	queued.si_pid = info->ssi_pid;
	queued.si_uid = info->ssi_uid;
	queued.si_value.sival_ptr = (void *)(uintptr_t)info->ssi_ptr;
	send_signal(mirror, info->ssi_signo,
		info->ssi_code == SI_QUEUE ? &queued : NULL);
}

static void reap_orphans(const struct emu_mirror *mirror)
{
	siginfo_t info;

	/* Not the supervisor: its end is learnt from the control socket. */
	for (;;) {
		info.si_pid = 0;
		if (waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) < 0 ||
			info.si_pid == 0 || info.si_pid == mirror->supervisor)
			return;
		waitpid(info.si_pid, NULL, 0);
	}
}

static void take_signals(struct emu_mirror *mirror)
{
	struct signalfd_siginfo infos[16];
	ssize_t size = read(mirror->signals, infos, sizeof(infos));
	size_t count = size > 0 ? size / sizeof(infos[0]) : 0, i;

	if (!count)
		return;
	emu_canary_refresh(mirror->canary);
	for (i = 0; i < count; i++) {
		/* The kernel's word of our own children is for us. */
		if (infos[i].ssi_signo == SIGCHLD && infos[i].ssi_code > 0)
			reap_orphans(mirror);
		else if (!not_for_program(mirror, &infos[i]))
			pass_on(mirror, &infos[i]);
	}
}

static void take_messages(struct emu_mirror *mirror)
{
	struct emu_message message;
	int taken;

	while ((taken = emu_control_receive(mirror->control, &message)) > 0)
		act(mirror, &message);
	if (taken < 0)
		supervisor_gone(mirror);
}

/* Lets go of all that was inherited, but where messages go. */
static void detach(struct emu_mirror *mirror)
{
	int keep[] = {mirror->control, mirror->message_fd, mirror->canary->fd};

	emu_fds_drop_stdio(mirror->message_fd != STDERR_FILENO);
	emu_fds_close_others(keep, sizeof(keep) / sizeof(keep[0]));
	emu_fds_leave_folder();
}

_Noreturn void emu_mirror_run(struct emu_mirror *mirror)
{
	static struct emu_backtrace backtrace = {
		.who = "epemu",
		.line = crash_line,
		.foreign = crash_foreign,
	};
	struct pollfd ready[2] = {
		{.fd = mirror->control, .events = POLLIN},
		{.fd = -1, .events = POLLIN},
	};
	sigset_t all;

	detach(mirror);
	crash_mirror = mirror;
	emu_backtrace_install(&backtrace);
	sigfillset(&all);
	mirror->signals = signalfd(-1, &all, SFD_NONBLOCK | SFD_CLOEXEC);
	for (;;) {
		/* Before the program is there, signals wait for it. */
		if (mirror->program_pidfd >= 0)
			ready[1].fd = mirror->signals;
		if (poll(ready, 2, -1) < 0)
			continue;
		/* Signals first: a SIGCONT makes word of a stop old. */
		if (ready[1].revents)
			take_signals(mirror);
		if (ready[0].revents)
			take_messages(mirror);
	}
}
