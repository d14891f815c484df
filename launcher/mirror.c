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
 * while stopped, the supervisor sends a SIGCONT here.
 *
 *	launcher                    supervisor
 *	                            the program stopped: "stopped"
 *	look: it is; "may stop"
 *	                            it still is, by signal n: "stop n"
 *	look: it is; raise n        (if it is continued from here on: SIGCONT)
 *	(stopped)
 *	"runs"
 *
 * All this since word of a stop may be old when it is read: the shell may
 * have continued the job, and the program stopped again by another signal.
 * The look is sound for a SIGCONT to the group: as its younger member the
 * program is continued before this process is.
 */
#define _GNU_SOURCE
#include "launcher/mirror.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "emu/list.h"
#include "launcher/backtrace.h"
#include "launcher/control.h"
#include "launcher/fds.h"
#include "launcher/launch.h"
#include "launcher/message.h"
#include "launcher/tree.h"

enum { PATIENCE_MS = 1000 };

/* For the crash handler, which gets no context. */
static const struct emu_outlet *crash_messages;

static void crash_line(const char *text)
{
	emu_message_write(crash_messages, text);
}

/* Takes all signals. Returns whether one of them asks to end. */
static bool asked_to_end(const struct emu_mirror *mirror)
{
	struct signalfd_siginfo info;
	bool asked = false;

	while (read(mirror->signals, &info, sizeof(info)) > 0)
		asked |= info.ssi_signo == SIGHUP || info.ssi_signo == SIGINT ||
			 info.ssi_signo == SIGQUIT || info.ssi_signo == SIGTERM;
	return asked;
}

/*
 * Until the supervisor is gone, which may be writing out a trace. There is no
 * program any more to pass signals on to, so they end that; not those of the
 * first second, which may be what the program has ended by.
 */
static bool let_it_finish(const struct emu_mirror *mirror)
{
	struct pollfd ready[2] = {
		{.fd = (int)syscall(
			 SYS_pidfd_open, mirror->relay.supervisor, 0),
			.events = POLLIN},
		{.fd = mirror->signals, .events = POLLIN},
	};
	bool ended = false;

	if (ready[0].fd < 0)
		return false;
	poll(ready, 1, PATIENCE_MS);
	asked_to_end(mirror);
	while (!ended && poll(ready, 2, -1) > 0 && !ready[0].revents)
		ended = asked_to_end(mirror);
	close(ready[0].fd);
	if (ended)
		kill(mirror->relay.supervisor, SIGKILL);
	return ended;
}

static void wait_for_supervisor(const struct emu_mirror *mirror)
{
	bool ended = let_it_finish(mirror);
	int status;

	/* So that its time and the program's count as this process's. */
	if (waitpid(mirror->relay.supervisor, &status, 0) ==
			mirror->relay.supervisor &&
		status != 0 && !ended)
		emu_message_put(mirror->messages,
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

	emu_control_reply(mirror->control, EMU_REPLY_ENDS);
	emu_message_finish(mirror->messages);
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
	char text[128] = "";
	int status = 0;

	waitpid(mirror->relay.supervisor, &status, 0);
	emu_tree_kill(&mirror->others);
	emu_tree_reap(&mirror->others);
	if (WIFSIGNALED(status))
		snprintf(text, sizeof(text),
			"the supervisor was killed by signal %d: the program "
			"was ended, its processes too",
			WTERMSIG(status));
	else if (WEXITSTATUS(status) != EMU_EXIT_FAILURE)
		snprintf(text, sizeof(text),
			"the supervisor gave up: the program was ended");
	/* Else it has said itself why. */
	if (*text)
		emu_message_put(mirror->messages, text);
	emu_message_finish(mirror->messages);
	_exit(EMU_EXIT_FAILURE);
}

static void raise_stop(int signal)
{
	struct sigaction stop = {.sa_handler = SIG_DFL};
	sigset_t set;

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
}

/* Whether this process was stopped along with the program. */
static bool got_stop_too(const struct emu_mirror *mirror, int signal)
{
	return signal == SIGSTOP && emu_canary_stands(mirror->relay.canary);
}

/* Whether the program is stopped and this process is to be, too. */
static bool should_stop(struct emu_mirror *mirror, int signal)
{
	/* A SIGCONT that is here already makes word of a stop old. */
	emu_relay_take(&mirror->relay);
	return emu_tree_state(mirror->relay.program, NULL) == 'T' &&
	       !got_stop_too(mirror, signal);
}

static void stop_like(struct emu_mirror *mirror, int signal)
{
	emu_relay_before_stop(&mirror->relay);
	if (should_stop(mirror, signal))
		raise_stop(signal);
	emu_control_reply(mirror->control, EMU_REPLY_RUNS);
	emu_relay_after_stop(&mirror->relay);
}

static void program_started(struct emu_mirror *mirror, pid_t program)
{
	char byte;

	mirror->relay.program = program;
	emu_fds_receive(mirror->control, &byte, sizeof(byte),
		&mirror->relay.program_pidfd);
}

/* A report comes in pieces; it is one record. `last`: with this piece. */
static void take_piece(struct emu_mirror *mirror, const char *piece, bool last)
{
	size_t size = strlen(piece);
	char *raw = realloc(mirror->raw, mirror->raw_size + size);

	if (raw) {
		mirror->raw = raw;
		memcpy(raw + mirror->raw_size, piece, size);
		mirror->raw_size += size;
	}
	if (!last)
		return;
	emu_outlet_put(mirror->messages, mirror->raw, mirror->raw_size);
	mirror->raw_size = 0;
}

static void act(struct emu_mirror *mirror, const struct emu_message *message)
{
	switch (message->kind) {
	case EMU_MESSAGE_LINE:
		emu_message_put(mirror->messages, message->text);
		break;
	case EMU_MESSAGE_RAW:
		take_piece(mirror, message->text, message->value);
		break;
	case EMU_MESSAGE_CANARY:
		emu_canary_started(
			mirror->relay.canary, message->value, message->text);
		break;
	case EMU_MESSAGE_STARTED:
		program_started(mirror, message->value);
		break;
	case EMU_MESSAGE_STOPPED:
		if (should_stop(mirror, message->value))
			emu_control_reply(mirror->control, EMU_REPLY_MAY_STOP);
		break;
	case EMU_MESSAGE_STOP:
		stop_like(mirror, message->value);
		break;
	case EMU_MESSAGE_ENDED_ALL:
		emu_control_reply(mirror->control, EMU_REPLY_ENDS);
		wait_for_supervisor(mirror);
		end_like(mirror, message->value);
	case EMU_MESSAGE_ENDED:
		end_like(mirror, message->value);
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

/* SIGUSR1 to this process alone: the supervisor prints the state. */
static void ask_for_snapshot(struct emu_relay *relay)
{
	const struct emu_mirror *mirror =
		emu_container_of(relay, struct emu_mirror, relay);

	emu_control_reply(mirror->control, EMU_REPLY_SNAPSHOT);
}

/* Lets go of all that was inherited, but where messages go. */
static void detach(struct emu_mirror *mirror)
{
	int keep[] = {
		mirror->control,
		mirror->messages->fd,
		mirror->relay.canary->fd,
	};

	emu_fds_drop_stdio(mirror->messages->fd != STDERR_FILENO);
	emu_fds_close_others(keep, sizeof(keep) / sizeof(keep[0]));
	emu_fds_leave_folder();
}

_Noreturn void emu_mirror_run(struct emu_mirror *mirror)
{
	static struct emu_backtrace backtrace = {
		.who = "epemu",
		.line = crash_line,
		.foreign = emu_relay_postpone,
	};
	struct pollfd ready[3] = {
		{.fd = mirror->control, .events = POLLIN},
		{.fd = -1, .events = POLLIN},
		{.events = POLLOUT},
	};
	sigset_t all;

	detach(mirror);
	if (mirror->takes_usr1)
		mirror->relay.snapshot = ask_for_snapshot;
	crash_messages = mirror->messages;
	emu_backtrace_install(&backtrace);
	sigfillset(&all);
	mirror->signals = signalfd(-1, &all, SFD_NONBLOCK | SFD_CLOEXEC);
	for (;;) {
		/* Before the program is there, signals wait for it. */
		if (mirror->relay.program_pidfd >= 0)
			ready[1].fd = mirror->signals;
		ready[2].fd = emu_outlet_waits(mirror->messages)
				      ? mirror->messages->fd
				      : -1;
		if (poll(ready, 3, -1) < 0)
			continue;
		if (ready[2].revents)
			emu_outlet_flush(mirror->messages);
		if (ready[1].revents)
			emu_relay_take(&mirror->relay);
		if (ready[0].revents)
			take_messages(mirror);
	}
}
