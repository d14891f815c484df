/* SPDX-License-Identifier: MIT */
/*
 * The supervisor process.
 *
 * It forks the program's process before it does anything else, so that the
 * program stays in the session, process group and limits that epemu was
 * started in. Then it leaves them: a session of its own (no signal of the
 * terminal), no standard streams, no inherited descriptor, all signals blocked,
 * as many open files as it may have.
 *
 * It is the program's parent, because only a parent learns of stops and
 * continuations. So it reaps the program and tells the launcher process what
 * happened. It adopts the program's orphans, too: some systems let only
 * ancestors trace a process (Yama), and all can be found when they have to be
 * ended.
 *
 * It ends when both are true: the program was reaped, and the last process
 * under the filter is gone. If the launcher process dies before the program,
 * all that is known of the program's processes is killed; should one survive
 * that, it is served on, for without answers its calls would fail.
 */
#define _GNU_SOURCE
#include "launcher/supervise.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "emu/list.h"
#include "emu/notifier.h"
#include "launcher/backtrace.h"
#include "launcher/control.h"
#include "launcher/fds.h"
#include "launcher/message.h"
#include "launcher/monitor.h"
#include "launcher/needs.h"
#include "launcher/program.h"
#include "launcher/stops.h"
#include "launcher/tracing.h"
#include "launcher/tree.h"
#include "launcher/watchdog.h"

struct supervisor {
	struct emu_launch *launch;
	struct emu_log log;
	struct emu_loop *loop;
	struct emu_control *control;
	struct emu_intercept *intercept; /* NULL before the filter stands */
	struct emu_monitor *monitor;
	struct trace *trace; /* NULL when there is none */
	struct emu_stops stops;
	struct emu_source children;
	struct emu_source channel_source;
	int control_fd;
	int channel; /* to the program's process; -1 after exec or its end */
	int its_end; /* the number of its end in the program's process */
	int listener; /* our copy; the intercept owns another */
	int children_fd;
	int program_pidfd;
	pid_t program;
	pid_t canary; /* 0 when there is none */
	uint64_t steps; /* of the loop; the watchdog may look to the very end */
	bool failed; /* epemu could not start the program */
	bool program_leads; /* a process group of its own */
	bool program_ended, calls_ended;
	bool end_is_known; /* to the launcher */
};

/* For the crash handler, which gets no context. */
static const struct emu_outlet *crash_log; /* NULL: there is no file */
static int crash_control_fd = -1;

static void log_line(void *ctx, const char *text)
{
	struct supervisor *supervisor = ctx;

	if (supervisor->launch->messages.path)
		emu_message_put(&supervisor->launch->messages.outlet, text);
	else if (supervisor->control)
		emu_control_send(
			supervisor->control, EMU_MESSAGE_LINE, 0, text);
}

static void crash_line(const char *text)
{
	if (crash_log)
		emu_message_write(crash_log, text);
	else
		emu_control_send_now(crash_control_fd, text);
}

static void stop_if_done(struct supervisor *supervisor)
{
	if (supervisor->program_ended &&
		(supervisor->calls_ended || !supervisor->intercept))
		emu_loop_stop(supervisor->loop);
}

/* The start failed, and the reason was said: 125 once the program is gone. */
static void give_up(struct supervisor *supervisor)
{
	supervisor->failed = true;
	kill(supervisor->program, SIGKILL);
}

static void calls_finished(void *ctx)
{
	struct supervisor *supervisor = ctx;

	supervisor->calls_ended = true;
	stop_if_done(supervisor);
}

static void launcher_gone(void *ctx)
{
	struct supervisor *supervisor = ctx;

	if (supervisor->end_is_known)
		return;
	emu_logf(&supervisor->log,
		"the epemu process was killed: ending the program");
	emu_tree_kill_after(supervisor->stops.launcher_pidfd);
	if (supervisor->intercept)
		emu_intercept_kill_all(supervisor->intercept);
}

/* Is the last process under the filter gone at this moment? */
static bool none_left(const struct supervisor *supervisor)
{
	return supervisor->calls_ended || !supervisor->intercept ||
	       emu_notifier_has_ended(supervisor->listener);
}

static void close_channel(struct supervisor *supervisor)
{
	if (supervisor->channel < 0)
		return;
	emu_loop_remove(supervisor->loop, supervisor->channel,
		&supervisor->channel_source);
	close(supervisor->channel);
	supervisor->channel = -1;
}

/* Without it (no room for a thread, say) all goes on, only unwatched. */
static void start_watchdog(const struct supervisor *supervisor)
{
	const struct emu_watchdog watchdog = {
		.listener = supervisor->listener,
		.control = supervisor->control_fd,
		.messages = supervisor->launch->messages.path
				    ? &supervisor->launch->messages.outlet
				    : NULL,
		.steps = &supervisor->steps,
	};

	emu_watchdog_start(&watchdog);
}

/* The filter stands: the program may run as soon as its calls are answered. */
static void start_intercept(struct supervisor *supervisor, int listener)
{
	const struct emu_log *log = &supervisor->log;

	supervisor->listener = fcntl(listener, F_DUPFD_CLOEXEC, 3);
	if (supervisor->listener < 0)
		emu_logf(log, "keeping the listener: %s; check 'ulimit -n'",
			strerror(errno));
	if (supervisor->listener < 0 ||
		emu_needs_check_listener(log, listener,
			supervisor->program_pidfd, supervisor->its_end) < 0)
		close(listener);
	else
		supervisor->intercept = emu_intercept_create(supervisor->loop,
			listener, log, calls_finished, supervisor);
	if (!supervisor->intercept) {
		give_up(supervisor);
		return;
	}
	supervisor->trace = emu_tracing_start(&supervisor->launch->tracing,
		supervisor->loop, supervisor->intercept, log);
	supervisor->monitor = emu_monitor_create(supervisor->loop,
		supervisor->intercept, supervisor->launch, log,
		supervisor->control, supervisor->program);
	start_watchdog(supervisor);
	emu_program_go(supervisor->channel);
}

static void channel_ready(struct emu_source *source, uint32_t events)
{
	struct supervisor *supervisor =
		emu_container_of(source, struct supervisor, channel_source);
	struct emu_program_failure failure;
	int listener = -1;
	ssize_t size = emu_fds_receive(
		supervisor->channel, &failure, sizeof(failure), &listener);

	(void)events;
	if (listener >= 0)
		start_intercept(supervisor, listener);
	else if (size == sizeof(failure))
		emu_program_explain(&supervisor->log,
			supervisor->launch->argv[0], &failure);
	else
		close_channel(supervisor);
}

static void tell_end(struct supervisor *supervisor, int status)
{
	enum emu_message_kind kind = EMU_MESSAGE_ENDED;

	if (supervisor->failed)
		status = W_EXITCODE(EMU_EXIT_FAILURE, 0);
	if (none_left(supervisor)) {
		kind = EMU_MESSAGE_ENDED_ALL;
		emu_tracing_finish(&supervisor->launch->tracing,
			supervisor->trace, supervisor->loop);
	}
	emu_control_send(supervisor->control, kind, status, "");
	emu_stops_ended(&supervisor->stops);
}

static void program_ended(struct supervisor *supervisor, int status)
{
	/* What it sent before it went: why it could not be run, say. */
	while (supervisor->channel >= 0)
		channel_ready(&supervisor->channel_source, EPOLLIN);
	if (supervisor->launch->verbose)
		emu_logf(&supervisor->log, "the program %s %d",
			WIFSIGNALED(status) ? "was ended by signal"
					    : "ended with status",
			WIFSIGNALED(status) ? WTERMSIG(status)
					    : WEXITSTATUS(status));
	emu_monitor_ended(supervisor->monitor);
	if (supervisor->canary)
		kill(supervisor->canary, SIGKILL);
	tell_end(supervisor, status);
	supervisor->program_ended = true;
	stop_if_done(supervisor);
}

static void program_changed(struct supervisor *supervisor, int status)
{
	if (WIFEXITED(status) || WIFSIGNALED(status)) {
		program_ended(supervisor, status);
	} else if (WIFCONTINUED(status)) {
		emu_stops_continued(&supervisor->stops);
	} else if (!supervisor->intercept ||
		   !emu_intercept_wait_status(supervisor->intercept,
			   supervisor->program, status)) {
		/* Not a stop that tracing made: one for the user to see. */
		emu_stops_stopped(&supervisor->stops, WSTOPSIG(status));
	}
}

/*
 * SIGSTOP for the launcher's group was meant for the program's as well, if
 * that has one of its own. The launcher, stopped itself, cannot pass it on.
 */
static void canary_changed(struct supervisor *supervisor, int status)
{
	if (WIFEXITED(status) || WIFSIGNALED(status))
		supervisor->canary = 0;
	else if (WIFSTOPPED(status) && !supervisor->program_ended &&
		 getpgid(supervisor->program) == supervisor->program)
		kill(-supervisor->program, SIGSTOP);
}

static void wait_for_children(struct supervisor *supervisor)
{
	const int options = __WALL | WNOHANG | WUNTRACED;
	int status;
	pid_t pid;

	/* Of others, SIGCONT is for their parents to hear, and told once. */
	while (!supervisor->program_ended &&
		waitpid(supervisor->program, &status, options | WCONTINUED) > 0)
		program_changed(supervisor, status);
	while ((pid = waitpid(-1, &status, options)) > 0) {
		if (pid == supervisor->program)
			program_changed(supervisor, status);
		else if (pid == supervisor->canary)
			canary_changed(supervisor, status);
		else if (supervisor->intercept)
			emu_intercept_wait_status(
				supervisor->intercept, pid, status);
	}
}

static void launcher_replied(void *ctx, enum emu_reply reply)
{
	struct supervisor *supervisor = ctx;

	if (reply == EMU_REPLY_SNAPSHOT) {
		emu_monitor_snapshot(supervisor->monitor);
		return;
	}
	if (reply == EMU_REPLY_MAY_STOP)
		wait_for_children(supervisor);
	if (reply == EMU_REPLY_ENDS)
		supervisor->end_is_known = true;
	emu_stops_replied(&supervisor->stops, reply);
}

static void children_ready(struct emu_source *source, uint32_t events)
{
	struct supervisor *supervisor =
		emu_container_of(source, struct supervisor, children);
	struct signalfd_siginfo info;

	(void)events;
	while (read(supervisor->children_fd, &info, sizeof(info)) > 0)
		;
	wait_for_children(supervisor);
}

static void set_up_signals(struct supervisor *supervisor)
{
	static struct emu_backtrace backtrace = {
		.who = "the supervisor", .line = crash_line};
	sigset_t set;

	if (supervisor->launch->messages.path)
		crash_log = &supervisor->launch->messages.outlet;
	crash_control_fd = supervisor->control_fd;
	emu_backtrace_install(&backtrace);
	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	supervisor->children_fd =
		signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
}

/* Leaves all that was inherited; the program's process is forked already. */
static void detach(struct supervisor *supervisor)
{
	const struct emu_launch *launch = supervisor->launch;
	int keep[] = {
		supervisor->control_fd,
		supervisor->channel,
		launch->messages.outlet.fd,
		launch->tracing.trace.outlet.fd,
		launch->tracing.record.outlet.fd,
		supervisor->stops.launcher_pidfd,
		supervisor->program_pidfd,
	};

	prctl(PR_SET_NAME, "epemu-serve");
	/*
	 * A program that leads a group is stopped from the terminal only if a
	 * parent in another group of its session could continue it: that is
	 * this process, unless there is no such parent without epemu either.
	 */
	if (supervisor->program_leads &&
		getsid(0) != supervisor->stops.launcher)
		setpgid(0, 0);
	else
		setsid();
	emu_fds_drop_stdio(1);
	emu_fds_close_others(keep, sizeof(keep) / sizeof(keep[0]));
	emu_fds_leave_folder();
	emu_fds_raise_limit();
	prctl(PR_SET_CHILD_SUBREAPER, 1);
	set_up_signals(supervisor);
}

/* The program's process, or -errno. */
static pid_t fork_program(
	struct supervisor *supervisor, const struct emu_inherited *inherited)
{
	pid_t self = getpid(), pid;
	int pair[2], error;

	error = emu_fds_pair(pair);
	if (error < 0)
		return error;
	supervisor->program_leads =
		emu_program_leads(supervisor->stops.launcher);
	pid = fork();
	if (pid == 0)
		emu_program_run(supervisor->launch, inherited, pair[1], self,
			supervisor->program_leads);
	if (pid < 0)
		return -errno;
	close(pair[1]);
	supervisor->channel = pair[0];
	supervisor->its_end = pair[1];
	supervisor->program_pidfd =
		emu_fds_raise(syscall(SYS_pidfd_open, pid, 0));
	return pid;
}

static int set_up_loop(struct supervisor *supervisor)
{
	supervisor->loop = emu_loop_create(&supervisor->steps);
	if (!supervisor->loop)
		return -errno;
	emu_outlet_attach(
		&supervisor->launch->messages.outlet, supervisor->loop, NULL);
	supervisor->control =
		emu_control_create(supervisor->loop, supervisor->control_fd,
			launcher_replied, launcher_gone, supervisor);
	if (!supervisor->control)
		return -ENOMEM;
	supervisor->stops.loop = supervisor->loop;
	supervisor->stops.control = supervisor->control;
	supervisor->stops.program = supervisor->program;
	if (emu_stops_init(&supervisor->stops) < 0)
		return -EMFILE;
	supervisor->children.ready = children_ready;
	supervisor->channel_source.ready = channel_ready;
	if (emu_loop_add(supervisor->loop, supervisor->children_fd, EPOLLIN,
		    &supervisor->children) < 0)
		return -ENOMEM;
	return emu_loop_add(supervisor->loop, supervisor->channel, EPOLLIN,
		&supervisor->channel_source);
}

static void tell_start(struct supervisor *supervisor)
{
	const struct emu_options *emulation = &supervisor->launch->emulation;
	pid_t canary = supervisor->canary, program = supervisor->program;

	emu_control_send(supervisor->control, EMU_MESSAGE_CANARY, canary,
		emu_canary_missed(canary, program));
	emu_control_send(supervisor->control, EMU_MESSAGE_STARTED, program, "");
	emu_fds_send(supervisor->control_fd, supervisor->program_pidfd);
	if (!supervisor->launch->verbose)
		return;
	emu_logf(&supervisor->log, "the program is process %d: %.200s",
		(int)supervisor->program, supervisor->launch->argv[0]);
	emu_logf(&supervisor->log, "its supervisor is process %d",
		(int)getpid());
	emu_logf(&supervisor->log, "eventfds are %s, io_uring is %s",
		emulation->eventfd_host ? "the kernel's" : "emulated",
		emulation->io_uring_allow ? "allowed" : "denied");
}

/* Nobody can be told by a message: one line and an end of the socket. */
static _Noreturn void fail_early(int control, const char *what, int error)
{
	char text[EMU_MESSAGE_TEXT];

	snprintf(text, sizeof(text),
		"%s: %s; check the limits of processes, memory and open files",
		what, strerror(-error));
	emu_control_send_now(control, text);
	_exit(EMU_EXIT_FAILURE);
}

_Noreturn void emu_supervise_run(struct emu_launch *launch,
	const struct emu_inherited *inherited, struct emu_canary *canary,
	int control, pid_t launcher)
{
	static struct supervisor supervisor;
	int error;

	supervisor = (struct supervisor){
		.launch = launch,
		.log = {.line = log_line, .ctx = &supervisor},
		.control_fd = control,
		.stops.launcher = launcher,
		.listener = -1,
	};
	supervisor.program = fork_program(&supervisor, inherited);
	if (supervisor.program < 0)
		fail_early(control, "cannot start the program's process",
			supervisor.program);
	supervisor.canary = emu_canary_fork(canary);
	supervisor.stops.launcher_pidfd =
		emu_fds_raise(syscall(SYS_pidfd_open, launcher, 0));
	if (!launch->messages.path)
		emu_outlet_close(&launch->messages.outlet);
	detach(&supervisor);
	error = set_up_loop(&supervisor);
	if (error < 0)
		fail_early(control, "cannot start the supervisor", error);
	tell_start(&supervisor);
	error = emu_loop_run(supervisor.loop);
	if (error < 0)
		fail_early(control, "the supervisor's loop failed", error);
	emu_monitor_stop(supervisor.monitor);
	emu_intercept_destroy(supervisor.intercept);
	emu_monitor_destroy(supervisor.monitor);
	trace_destroy(supervisor.trace);
	emu_tracing_close(&launch->tracing);
	if (launch->messages.path)
		emu_message_finish(&launch->messages.outlet);
	emu_stops_finish(&supervisor.stops);
	emu_control_destroy(supervisor.control);
	emu_loop_destroy(supervisor.loop);
	emu_tree_reap(NULL);
	exit(0);
}
