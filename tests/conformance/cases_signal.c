/* SPDX-License-Identifier: MIT */
/*
 * Signals and waits without a signal mask: EINTR, what does not interrupt,
 * stops, and blocked eventfd calls.
 */
#include "conf.h"
#include <signal.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <time.h>

#define WAIT_REF "fs/eventpoll.c: ep_poll (signal_pending: -EINTR)"
#define MAN_RESTART "signal(7): never restarted, regardless of SA_RESTART"

static void interrupt_wait(enum waiter_kind kind, int flags)
{
	int ep = ep_new(), ev = ev_new(0, 0);
	struct waiter *w;

	sig_catch(SIGUSR1, flags);
	OK(ep_add(ep, ev, EPOLLIN | EPOLLET, 1));
	w = waiter_start(kind, ep, 4, -1, NULL);
	if (kind == BY_THREAD)
		OK(CALL(tgkill, own_pid(), w->pid, SIGUSR1));
	else
		sig_send(w->pid, SIGUSR1);
	WAITER_IS(w, -EINTR);
	IS(sig_caught(SIGUSR1), 1);
	/* The waiter left the queue and took nothing with it. */
	IS(ev_put(ev, 1), 8);
	NOW(ep, {EPOLLIN, 1});
}

CASE(g01_eintr, .level = 3, .covers = "G01", .faults = "wait-yields",
	.calls = "kill rt_sigaction epoll_wait clone", .ref = WAIT_REF,
	.breaks = "LevitateOS: signals lost or late")
{
	interrupt_wait(BY_PROCESS, 0);
}

CASE(g01_eintr_sa_restart, .level = 3, .covers = "G01",
	.faults = "eintr-restarted",
	.calls = "kill rt_sigaction epoll_wait clone", .ref = MAN_RESTART,
	.breaks = "Python, Go: the loop is never told of its signal")
{
	interrupt_wait(BY_PROCESS, SA_RESTART);
}

CASE(g01_eintr_in_a_thread, .level = 3, .covers = "G01",
	.faults = "eintr-restarted wait-yields",
	.calls = "tgkill rt_sigaction epoll_wait clone", .ref = MAN_RESTART,
	.breaks = "Go: SIGURG to preempt a thread")
{
	interrupt_wait(BY_THREAD, SA_RESTART);
}

CASE(g01_eintr_with_timeout, .level = 3, .covers = "G01 W08",
	.faults = "eintr-restarted", .calls = "kill epoll_wait clone",
	.ref = MAN_RESTART, .breaks = "loops with timers and SIGCHLD")
{
	int ep = ep_new();
	struct waiter *w;

	sig_catch(SIGUSR1, SA_RESTART);
	w = waiter_start(BY_PROCESS, ep, 1, 3600000, NULL);
	sig_send(w->pid, SIGUSR1);
	WAITER_IS(w, -EINTR);
	IS(sig_caught(SIGUSR1), 1);
}

CASE(g01_every_time, .level = 3, .covers = "G01",
	.faults = "eintr-restarted spurious-eintr",
	.calls = "kill epoll_wait clone", .ref = MAN_RESTART,
	.breaks = "Go: one SIGURG after another")
{
	int ep = ep_new(), i;
	struct waiter *w;

	sig_catch(SIGUSR1, SA_RESTART);
	for (i = 1; i <= 20; i++) {
		w = waiter_start(BY_PROCESS, ep, 1, -1, NULL);
		sig_send(w->pid, SIGUSR1);
		WAITER_IS(w, -EINTR);
		IS(sig_caught(SIGUSR1), i);
	}
}

static int handler_epoll, handler_event;

static void use_epoll(int sig)
{
	struct ep_event e = {0, 0};

	(void)sig;
	if (ev_put(handler_event, 1) == 8 &&
		sys_epoll_wait(handler_epoll, &e, 1, -1) == 1 && e.data == 9 &&
		ev_get(handler_event) == 1)
		flag_set(1);
}

CASE(g01_handler_uses_epoll, .level = 3, .covers = "G01",
	.faults = "eintr-restarted", .calls = "kill epoll_wait read write",
	.ref = MAN_RESTART, .breaks = "handlers that wake a loop by an eventfd")
{
	int ep = ep_new();
	struct waiter *w;

	handler_epoll = ep_new();
	handler_event = ev_new(0, 0);
	OK(ep_add(handler_epoll, handler_event, EPOLLIN, 9));
	sig_handler(SIGUSR1, use_epoll, SA_RESTART);
	w = WAITER(ep);
	sig_send(w->pid, SIGUSR1);
	WAITER_IS(w, -EINTR);
	IS(flag_get(1), 1);
}

CASE(g01_handler_on_own_stack, .level = 4, .covers = "G01",
	.faults = "eintr-restarted", .calls = "sigaltstack kill epoll_wait",
	.ref = MAN_RESTART,
	.breaks = "Go, Rust: handlers on a stack of their own")
{
	static char stack[65536];
	stack_t alt = {.ss_sp = stack, .ss_size = sizeof(stack)};
	int ep = ep_new();
	struct waiter *w;

	OK(CALL(sigaltstack, &alt, NULL));
	sig_catch(SIGUSR1, SA_RESTART | SA_ONSTACK | SA_SIGINFO);
	w = WAITER(ep);
	sig_send(w->pid, SIGUSR1);
	WAITER_IS(w, -EINTR);
	IS(sig_caught(SIGUSR1), 1);
}

CASE(g02_stop_and_continue, .level = 3, .covers = "G02",
	.calls = "kill epoll_wait clone",
	.ref = "signal(7): Interruption by stop signals",
	.breaks = "programs that handle EINTR after a Ctrl-Z")
{
	int ep = ep_new(), ev = ev_new(0, 0);
	struct waiter *w;

	OK(ep_add(ep, ev, EPOLLIN, 1));
	w = WAITER(ep);
	sig_send(w->pid, SIGSTOP);
	sleeps_until_state(w->pid, 'T');
	IS(waiters_count(), 0);
	sig_send(w->pid, SIGCONT);
	WAITER_IS(w, -EINTR);
}

/*
 * The EINTR is decided when the stop arrives: an event that comes while the
 * waiter is stopped does not change the answer, and is not lost.
 */
CASE(g02_event_while_stopped, .level = 4, .covers = "G02 T10",
	.faults = "waiter-swallows", .calls = "kill epoll_wait write clone",
	.ref = WAIT_REF, .breaks = "debuggers")
{
	int ep = ep_new(), ev = ev_new(0, 0);
	struct waiter *w;

	OK(ep_add(ep, ev, EPOLLIN | EPOLLET, 1));
	w = WAITER(ep);
	sig_send(w->pid, SIGSTOP);
	sleeps_until_state(w->pid, 'T');
	IS(ev_put(ev, 1), 8);
	sig_send(w->pid, SIGCONT);
	WAITER_IS(w, -EINTR);
	NOW(ep, {EPOLLIN, 1});
}

CASE(g02_ptrace_attach, .level = 4, .covers = "G02",
	.calls = "ptrace wait4 epoll_wait clone",
	.ref = "ptrace(2): BUGS (EINTR)",
	.breaks = "gdb and strace attached to a loop")
{
	int ep = ep_new(), status = 0;
	struct waiter *w = WAITER(ep);

	if (CALL(ptrace, PTRACE_SEIZE, w->pid, NULL, NULL) < 0)
		conf_skip("no ptrace here");
	OK(CALL(ptrace, PTRACE_INTERRUPT, w->pid, NULL, NULL));
	IS(CALL(wait4, w->pid, &status, 0x40000000, NULL), w->pid);
	IS(status >> 8 & 0xff, SIGTRAP);
	OK(CALL(ptrace, PTRACE_DETACH, w->pid, NULL, NULL));
	WAITER_IS(w, -EINTR);
}

CASE(g03_ignored_signals, .level = 3, .covers = "G03",
	.faults = "spurious-eintr", .calls = "kill epoll_wait clone",
	.ref = "kernel/signal.c: sig_ignored",
	.breaks = "keepalived: EINTR without a handler is fatal")
{
	int ep = ep_new(), ev = ev_new(0, 0);
	struct waiter *w;

	OK(ep_add(ep, ev, EPOLLIN, 1));
	sig_ignore(SIGUSR1);
	w = WAITER(ep);
	sig_send(w->pid, SIGUSR1);
	sig_send(w->pid, SIGCHLD);
	sig_send(w->pid, SIGWINCH);
	sig_send(w->pid, SIGURG);
	sig_send(w->pid, SIGCONT);
	WAITER_STILL(w);
	IS(waiters_count(), 0);
	IS(ev_put(ev, 1), 8);
	WAITER_GOT(w, EPOLLIN, 1);
}

CASE(g03_blocked_signals, .level = 3, .covers = "G03",
	.faults = "spurious-eintr", .calls = "kill rt_sigprocmask epoll_wait",
	.ref = "kernel/signal.c: wants_signal",
	.breaks = "programs that take signals in one thread only")
{
	int ep = ep_new(), ev = ev_new(0, 0);
	struct waiter *w;

	OK(ep_add(ep, ev, EPOLLIN, 1));
	sig_catch(SIGUSR1, 0);
	sig_block(SIGUSR1);
	w = WAITER(ep);
	sig_send(w->pid, SIGUSR1);
	WAITER_STILL(w);
	IS(ev_put(ev, 1), 8);
	WAITER_GOT(w, EPOLLIN, 1);
	IS(sig_caught(SIGUSR1), 0);
}

static void run_nothing(void *arg)
{
	(void)arg;
}

CASE(g03_sigchld_of_an_ended_child, .level = 3, .covers = "G03",
	.faults = "spurious-eintr", .calls = "clone epoll_wait wait4",
	.ref = "kernel/signal.c: sig_ignored",
	.breaks = "servers that start helpers")
{
	struct ep_event e;
	int ep = ep_new(), pid = child_start(run_nothing, NULL);

	IS(sys_epoll_wait(ep, &e, 1, 100), 0);
	IS(child_join(pid), 0);
}

/* The write wakes the waiter, then sends it SIGIO: both are there at once. */
CASE(g04_event_and_signal_together, .level = 4, .covers = "G04",
	.calls = "fcntl write epoll_wait clone",
	.ref = "fs/eventpoll.c: ep_poll",
	.breaks = "loops that take SIGIO beside epoll")
{
	int ep = ep_new(), p[2];
	struct waiter *w;

	pipe_new(p, 0);
	sig_catch(SIGIO, SA_RESTART);
	OK(ep_add(ep, p[0], EPOLLIN | EPOLLET, 1));
	w = WAITER(ep);
	OK(sys_fcntl(p[0], F_SETOWN, w->pid));
	OK(sys_fcntl(p[0], F_SETFL, O_ASYNC));
	IS(put(p[1], 1), 1);
	WAITER_GOT(w, EPOLLIN, 1);
	child_join(w->pid);
	IS(sig_caught(SIGIO), 1);
}

static void read_once(void *arg)
{
	int *a = arg;

	a[1] = (int)ev_get(a[0]);
	flag_set(0);
}

static int *blocked_reader(int flags)
{
	int *a = shared_alloc(64);

	sig_catch(SIGUSR1, flags);
	a[0] = ev_new(0, 0);
	a[2] = child_start(read_once, a);
	asleep_in(a[2], __NR_read);
	return a;
}

CASE(g08_eventfd_read_eintr, .level = 3, .covers = "G08",
	.calls = "kill read clone", .ref = "signal(7)",
	.breaks = "programs that stop a blocked thread by a signal")
{
	int *a = blocked_reader(0);

	sig_send(a[2], SIGUSR1);
	flag_wait(0);
	IS(a[1], -EINTR);
	IS(sig_caught(SIGUSR1), 1);
}

CASE(g08_eventfd_read_restarts, .level = 3, .covers = "G08",
	.faults = "spurious-eintr", .calls = "kill read write clone",
	.ref = "signal(7): SA_RESTART", .breaks = "programs with SA_RESTART")
{
	int *a = blocked_reader(SA_RESTART), i;

	for (i = 1; i <= 3; i++) {
		sig_send(a[2], SIGUSR1);
		sig_caught_wait(SIGUSR1, i);
		asleep_in(a[2], __NR_read);
	}
	IS(flag_get(0), 0);
	IS(ev_put(a[0], 7), 8);
	flag_wait(0);
	IS(a[1], 7);
}

CASE(g08_eventfd_read_survives_a_stop, .level = 3, .covers = "G08",
	.faults = "spurious-eintr", .calls = "kill read write clone",
	.ref = "signal(7): read is restarted after a stop",
	.breaks = "programs under a debugger or job control")
{
	int *a = blocked_reader(0);

	sig_send(a[2], SIGSTOP);
	sleeps_until_state(a[2], 'T');
	sig_send(a[2], SIGCONT);
	asleep_in(a[2], __NR_read);
	IS(ev_put(a[0], 7), 8);
	flag_wait(0);
	IS(a[1], 7);
	IS(child_join(a[2]), 0);
}

static void write_full(void *arg)
{
	int *a = arg;

	a[1] = (int)ev_put(a[0], 2);
	flag_set(0);
}

static int *blocked_writer(int flags)
{
	int *a = shared_alloc(64);

	sig_catch(SIGUSR1, flags);
	a[0] = ev_new(0, 0);
	IS(ev_put(a[0], 0xfffffffffffffffe), 8);
	a[2] = child_start(write_full, a);
	asleep_in(a[2], __NR_write);
	return a;
}

CASE(g08_eventfd_write_eintr, .level = 4, .covers = "G08 E05",
	.calls = "kill write clone", .ref = "signal(7)", .breaks = "none known")
{
	int *a = blocked_writer(0);

	sig_send(a[2], SIGUSR1);
	flag_wait(0);
	IS(a[1], -EINTR);
	IS(ev_get(a[0]), -2);
	IS(polled(a[0], EPOLLIN), 0);
}

CASE(g08_eventfd_write_restarts, .level = 4, .covers = "G08 E05",
	.calls = "kill write read clone", .ref = "signal(7): SA_RESTART",
	.breaks = "none known")
{
	int *a = blocked_writer(SA_RESTART);

	sig_send(a[2], SIGUSR1);
	sig_caught_wait(SIGUSR1, 1);
	asleep_in(a[2], __NR_write);
	IS(ev_get(a[0]), -2);
	flag_wait(0);
	IS(a[1], 8);
	IS(ev_get(a[0]), 2);
}
