/* SPDX-License-Identifier: MIT */
/*
 * Was a signal sent to the whole process group, or to us alone?
 *
 * The launcher process passes on the signals that are meant for the program,
 * but it sits in the program's process group: what was sent to the group (by
 * the terminal, by kill -TERM %1, by kill 0) has reached the program already
 * and must not come twice. siginfo does not tell the two apart. The canary
 * does: a process in the same group that blocks all signals and does nothing.
 * What it finds pending was sent to the group; what the launcher process got
 * and it did not was sent to the launcher process alone.
 *
 * It is the supervisor's child, since SIGSTOP stops it, and the launcher
 * process, which is stopped then as well, could not be told.
 *
 * It is forked after the program's process, which may then have a signal that
 * it has not. The supervisor looks for such ones before the program goes.
 * Earlier ones neither has got, so they are passed on.
 *
 * The answer is exact, because the kernel signals the members of a group from
 * the youngest to the oldest (new ones are put at the head of the list, see
 * attach_pid() and __kill_pgrp_info(), read in 6.18), so the canary has got
 * its copy before the launcher process sees its own.
 *
 * SIGSTOP sent to the group stops the canary as well. To be asked it is then
 * woken by a SIGCONT, which is not counted: a stopped process has none pending.
 */
#define _GNU_SOURCE
#include "launcher/canary.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "emu/target.h"
#include "launcher/fds.h"
#include "launcher/tree.h"

/* How often a canary that does not answer is looked at: it may be stopped. */
enum { LOOK_AGAIN_MS = 100 };

/* The canary's whole life. */
static _Noreturn void sit(int fd, pid_t supervisor)
{
	static const struct timespec now;
	uint32_t taken[EMU_CANARY_SIGNALS];
	sigset_t all, most;
	char with_sigcont;
	int signal;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != supervisor)
		_exit(0);
	prctl(PR_SET_NAME, "epemu-canary");
	emu_fds_drop_stdio(1);
	emu_fds_close_others(&fd, 1);
	emu_fds_leave_folder();
	sigfillset(&all);
	most = all;
	sigdelset(&most, SIGCONT);
	while (recv(fd, &with_sigcont, sizeof(with_sigcont), 0) > 0) {
		memset(taken, 0, sizeof(taken));
		while ((signal = sigtimedwait(
				with_sigcont ? &all : &most, NULL, &now)) > 0)
			taken[signal]++;
		send(fd, taken, sizeof(taken), MSG_NOSIGNAL);
	}
	_exit(0);
}

void emu_canary_open(struct emu_canary *canary)
{
	int pair[2] = {-1, -1};

	emu_fds_pair(pair);
	*canary = (struct emu_canary){.fd = pair[0], .its_fd = pair[1]};
}

pid_t emu_canary_fork(struct emu_canary *canary)
{
	pid_t supervisor = getpid(), pid;

	if (canary->its_fd < 0)
		return 0;
	pid = fork();
	if (pid == 0)
		sit(canary->its_fd, supervisor);
	return pid > 0 ? pid : 0;
}

const char *emu_canary_missed(pid_t canary, pid_t program)
{
	static char text[20];
	uint64_t own, had, has;

	/* What comes between these two looks is not in the first. */
	emu_target_signals(program, &own, &had);
	if (had) {
		emu_target_signals(canary, &own, &has);
		had &= ~has;
	}
	snprintf(text, sizeof(text), "%llx", (unsigned long long)had);
	return text;
}

void emu_canary_started(
	struct emu_canary *canary, pid_t pid, const char *missed)
{
	uint64_t signals = strtoull(missed, NULL, 16);

	canary->pid = pid;
	if (!pid)
		emu_canary_close(canary);
	for (int signal = 1; signal < EMU_CANARY_SIGNALS; signal++)
		canary->taken[signal] += signals >> (signal - 1) & 1;
}

void emu_canary_close(struct emu_canary *canary)
{
	if (canary->fd >= 0)
		close(canary->fd);
	canary->fd = -1;
	canary->pid = 0;
}

bool emu_canary_alive(const struct emu_canary *canary)
{
	return canary->pid > 0;
}

bool emu_canary_stands(const struct emu_canary *canary)
{
	return emu_canary_alive(canary) &&
	       emu_tree_state(canary->pid, NULL) == 'T';
}

static void wake_if_stopped(struct emu_canary *canary)
{
	if (!emu_canary_stands(canary))
		return;
	canary->woken = true;
	kill(canary->pid, SIGCONT);
}

void emu_canary_refresh(struct emu_canary *canary, bool with_sigcont)
{
	struct pollfd answer = {.fd = canary->fd, .events = POLLIN};
	uint32_t taken[EMU_CANARY_SIGNALS];
	bool was_woken;
	char question;
	int i;

	if (!emu_canary_alive(canary))
		return;
	wake_if_stopped(canary);
	was_woken = canary->woken;
	canary->woken = false;
	question = with_sigcont || was_woken;
	while (send(canary->fd, &question, sizeof(question), MSG_NOSIGNAL) <
			0 &&
		(errno == ENOBUFS || errno == ENOMEM))
		poll(NULL, 0, LOOK_AGAIN_MS);
	while (poll(&answer, 1, LOOK_AGAIN_MS) <= 0)
		wake_if_stopped(canary);
	if (recv(canary->fd, taken, sizeof(taken), 0) != sizeof(taken)) {
		emu_canary_close(canary);
		return;
	}
	/* One sent while it answered may come with the next answer. */
	if (was_woken || canary->woken)
		taken[SIGCONT] = 0;
	for (i = 0; i < EMU_CANARY_SIGNALS; i++)
		canary->taken[i] += taken[i];
}

bool emu_canary_took(struct emu_canary *canary, int signal)
{
	if (!canary->taken[signal])
		return false;
	canary->taken[signal]--;
	return true;
}

void emu_canary_forget(struct emu_canary *canary, int signal)
{
	canary->taken[signal] = 0;
}
