/* SPDX-License-Identifier: MIT */
/*
 * Passes signals on to the program.
 *
 * The launcher process gets what others send to it because they take it for
 * the program. It has all signals blocked and takes them one by one. A signal
 * is passed on unless the program has it already, because it was sent to the
 * process group that both are in: the canary knows. If the program leads a
 * group of its own, which would be the job's without epemu, what was sent to
 * the job's group is passed on to that group. Without a canary (someone killed
 * it) the origin decides: the kernel signals groups, users processes.
 *
 * Not passed on either: what the supervisor and this process send here.
 */
#define _GNU_SOURCE
#include "launcher/relay.h"

#include <fcntl.h>
#include <stddef.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "launcher/backtrace.h"
#include "launcher/tree.h"

/* Whether the program is in the group that this process is in. */
static bool same_group(const struct emu_relay *relay)
{
	return getpgid(relay->program) == getpgrp();
}

enum receiver { NOBODY, PROGRAM, GROUP };

/* Who is to get it that has not got it yet. */
static enum receiver receiver_of(
	const struct emu_relay *relay, const siginfo_t *info)
{
	bool group = emu_canary_took(relay->canary, info->si_signo);

	if (info->si_code == SI_USER &&
		(info->si_pid == getpid() || info->si_pid == relay->supervisor))
		return NOBODY;
	if (!emu_canary_alive(relay->canary)) {
		group = info->si_code == SI_KERNEL;
		if (info->si_signo == SIGCONT &&
			emu_tree_state(relay->program, NULL) != 'T')
			return NOBODY;
	}
	if (!group)
		return PROGRAM;
	return same_group(relay) ? NOBODY : GROUP;
}

/*
 * A program that made a group of its own (an interactive shell does) would be
 * the leader of the job's group, were it not for us. So if the shell put the
 * job into the foreground, the program's group is meant.
 */
static void hand_over_terminal(const struct emu_relay *relay)
{
	int tty;

	if (same_group(relay) || getsid(relay->program) != getsid(0))
		return;
	tty = open("/dev/tty", O_RDWR | O_NOCTTY | O_CLOEXEC);
	if (tty < 0)
		return;
	if (tcgetpgrp(tty) == getpgrp())
		tcsetpgrp(tty, getpgid(relay->program));
	close(tty);
}

/*
 * Only what sigqueue(3) sent may be sent again as it is. Returns whether the
 * program's process is there still.
 */
static bool to_program(
	const struct emu_relay *relay, int signal, siginfo_t *info)
{
	return syscall(SYS_pidfd_send_signal, relay->program_pidfd, signal,
		       info && info->si_code == SI_QUEUE ? info : NULL, 0) == 0;
}

static void pass_on(struct emu_relay *relay, siginfo_t *info)
{
	enum receiver receiver = receiver_of(relay, info);

	if (receiver == NOBODY)
		return;
	if (info->si_signo == SIGUSR1 && receiver == PROGRAM &&
		relay->snapshot) {
		relay->snapshot(relay);
		return;
	}
	if (info->si_signo == SIGCONT)
		hand_over_terminal(relay);
	/* The group that it leads is the job's, without epemu. */
	if (receiver == GROUP && to_program(relay, 0, NULL) &&
		getpgid(relay->program) == relay->program)
		kill(-relay->program, info->si_signo);
	else
		to_program(relay, info->si_signo, info);
}

static void reap(const struct emu_relay *relay)
{
	siginfo_t info;

	for (;;) {
		info.si_pid = 0;
		if (waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) < 0 ||
			info.si_pid == 0)
			return;
		/* Its end is learnt from the control socket. */
		if (info.si_pid == relay->supervisor)
			return;
		waitpid(info.si_pid, NULL, 0);
	}
}

static void take_one(struct emu_relay *relay, siginfo_t *info)
{
	/* The kernel's word of our own children is for us. */
	if (info->si_signo == SIGCHLD && info->si_code > 0)
		reap(relay);
	else
		pass_on(relay, info);
}

static bool is_stop(int signal)
{
	return signal == SIGTSTP || signal == SIGTTIN || signal == SIGTTOU;
}

/*
 * Whether a SIGCONT, taken with `count` others after it, is void, since a stop
 * signal came later. The kernel takes a pending SIGCONT back then, so it did
 * from the canary, which cannot tell any more.
 */
static bool is_void(const siginfo_t *info, int count)
{
	sigset_t pending;
	int i;

	if (info->si_signo != SIGCONT)
		return false;
	for (i = 1; i <= count; i++)
		if (is_stop(info[i].si_signo))
			return true;
	sigpending(&pending);
	return sigismember(&pending, SIGTSTP) ||
	       sigismember(&pending, SIGTTIN) || sigismember(&pending, SIGTTOU);
}

/* Takes at most `space` signals. Returns how many. */
static int dequeue(siginfo_t *infos, int space)
{
	static const struct timespec now;
	sigset_t all;
	int count;

	sigfillset(&all);
	for (count = 0; count < space; count++)
		if (sigtimedwait(&all, &infos[count], &now) < 0)
			break;
	return count;
}

void emu_relay_take(struct emu_relay *relay)
{
	siginfo_t infos[16];
	int count, i;

	/* While the canary is asked, more may come. */
	while ((count = dequeue(infos, 16)) > 0) {
		bool continued = false;

		for (i = 0; i < count; i++)
			continued |= infos[i].si_signo == SIGCONT;
		emu_canary_refresh(relay->canary, continued);
		for (i = 0; i < count; i++)
			if (!is_void(&infos[i], count - i - 1))
				take_one(relay, &infos[i]);
			else
				emu_canary_forget(relay->canary, SIGCONT);
	}
	emu_backtrace_unblock();
}

void emu_relay_before_stop(struct emu_relay *relay)
{
	emu_canary_refresh(relay->canary, true);
	emu_canary_forget(relay->canary, SIGCONT);
}

void emu_relay_after_stop(struct emu_relay *relay)
{
	emu_relay_take(relay);
	emu_relay_before_stop(relay);
	emu_canary_forget(relay->canary, SIGTSTP);
	emu_canary_forget(relay->canary, SIGTTIN);
	emu_canary_forget(relay->canary, SIGTTOU);
}

bool emu_relay_postpone(const siginfo_t *info)
{
	return syscall(SYS_rt_sigqueueinfo, getpid(), info->si_signo, info) ==
	       0;
}
