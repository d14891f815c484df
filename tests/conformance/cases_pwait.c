/* SPDX-License-Identifier: MIT */
/*
 * epoll_pwait and epoll_pwait2 with a signal mask: pending signals, signals
 * that come during the wait, and what the mask is afterwards.
 */
#include "conf.h"
#include <signal.h>
#include <time.h>

#define MASK_REF "kernel/signal.c: restore_saved_sigmask_unless"

static const uint64_t nothing;

/* A signal that is caught, blocked, and pending for this process. */
static void make_pending(int sig)
{
	sig_catch(sig, SA_RESTART);
	sig_block(sig);
	sig_send(own_pid(), sig);
	IS(sig_pending(), SIGBIT(sig));
}

static long pwait(int ep, int timeout, uint64_t mask)
{
	struct ep_event e[4];

	return sys_epoll_pwait(ep, e, 4, timeout, &mask, 8);
}

CASE(g06_events_before_signal, .level = 3, .covers = "G06 G04",
	.faults = "pwait-mask-ignored", .calls = "epoll_pwait rt_sigpending",
	.ref = MASK_REF,
	.breaks = "loops that unblock signals in the wait only")
{
	int ep = ep_new();

	OK(ep_add(ep, ev_new(1, 0), EPOLLIN, 1));
	make_pending(SIGUSR1);
	IS(pwait(ep, -1, 0), 1);
	IS(sig_caught(SIGUSR1), 0);
	IS(sig_pending(), SIGBIT(SIGUSR1));
	IS(sig_mask(), SIGBIT(SIGUSR1));
	sig_unblock(SIGUSR1);
	IS(sig_caught(SIGUSR1), 1);
}

CASE(g05_zero_timeout_before_signal, .level = 3, .covers = "G05 G06",
	.faults = "spurious-eintr", .calls = "epoll_pwait rt_sigpending",
	.ref = "fs/eventpoll.c: ep_poll (timed_out before the signal)",
	.breaks = "loops that poll while they have work to do")
{
	int ep = ep_new();

	make_pending(SIGUSR1);
	IS(pwait(ep, 0, 0), 0);
	IS(sig_caught(SIGUSR1), 0);
	IS(sig_pending(), SIGBIT(SIGUSR1));
	IS(sig_mask(), SIGBIT(SIGUSR1));
}

CASE(g07_pending_signal, .level = 3, .covers = "G07",
	.faults = "pwait-mask-ignored", .calls = "epoll_pwait rt_sigpending",
	.ref = "epoll_wait(2): epoll_pwait", .breaks = "libev, sd-event, QEMU")
{
	int ep = ep_new();

	sig_block(SIGUSR2);
	make_pending(SIGUSR1);
	IS(pwait(ep, -1, SIGBIT(SIGTERM)), -EINTR);
	IS(sig_caught(SIGUSR1), 1);
	IS(sig_caught_under(SIGUSR1), SIGBIT(SIGTERM) | SIGBIT(SIGUSR1));
	IS(sig_pending(), 0);
	IS(sig_mask(), SIGBIT(SIGUSR1) | SIGBIT(SIGUSR2));
}

CASE(g07_pending_signal_with_timeout, .level = 3, .covers = "G07",
	.faults = "pwait-mask-ignored", .calls = "epoll_pwait",
	.ref = "epoll_wait(2): epoll_pwait", .breaks = "loops with timers")
{
	int ep = ep_new();

	make_pending(SIGUSR1);
	IS(pwait(ep, SOON, 0), -EINTR);
	IS(sig_caught(SIGUSR1), 1);
	IS(sig_mask(), SIGBIT(SIGUSR1));
	IS(pwait(ep, 20, 0), 0);
	IS(sig_caught(SIGUSR1), 1);
}

CASE(g07_two_pending_signals, .level = 4, .covers = "G07",
	.calls = "epoll_pwait", .ref = "signal(7)",
	.breaks = "loops with several signals")
{
	int ep = ep_new();

	sig_catch(SIGUSR1, 0);
	sig_catch(SIGUSR2, 0);
	sig_block(SIGUSR1);
	sig_block(SIGUSR2);
	sig_send(own_pid(), SIGUSR1);
	sig_send(own_pid(), SIGUSR2);
	IS(pwait(ep, -1, SIGBIT(SIGUSR2)), -EINTR);
	IS(sig_caught(SIGUSR1), 1);
	IS(sig_caught(SIGUSR2), 0);
	IS(sig_pending(), SIGBIT(SIGUSR2));
	IS(pwait(ep, -1, 0), -EINTR);
	IS(sig_caught(SIGUSR1) + sig_caught(SIGUSR2), 2);
	IS(sig_mask(), SIGBIT(SIGUSR1) | SIGBIT(SIGUSR2));
}

CASE(g07_signal_during_the_wait, .level = 3, .covers = "G07 G01",
	.faults = "pwait-mask-ignored eintr-restarted",
	.calls = "epoll_pwait kill clone", .ref = "epoll_wait(2): epoll_pwait",
	.breaks = "loops that unblock signals in the wait only")
{
	int ep = ep_new();
	struct waiter *w;

	sig_catch(SIGUSR1, SA_RESTART);
	sig_block(SIGUSR1);
	w = waiter_start(BY_PROCESS, ep, 1, -1, &nothing);
	sig_send(w->pid, SIGUSR1);
	WAITER_IS(w, -EINTR);
	IS(sig_caught(SIGUSR1), 1);
	IS(sig_caught_under(SIGUSR1), SIGBIT(SIGUSR1));
	IS(w->mask_after, SIGBIT(SIGUSR1));
}

CASE(g07_signal_during_the_wait_of_a_thread, .level = 3, .covers = "G07 G01",
	.faults = "pwait-mask-ignored", .calls = "epoll_pwait tgkill clone",
	.ref = "epoll_wait(2): epoll_pwait", .breaks = "multithreaded loops")
{
	int ep = ep_new();
	struct waiter *w;

	sig_catch(SIGUSR1, SA_RESTART);
	sig_block(SIGUSR1);
	w = waiter_start(BY_THREAD, ep, 1, -1, &nothing);
	/* For the process: only that thread has it unblocked. */
	sig_send(own_pid(), SIGUSR1);
	WAITER_IS(w, -EINTR);
	IS(sig_caught(SIGUSR1), 1);
	IS(w->mask_after, SIGBIT(SIGUSR1));
	IS(sig_mask(), SIGBIT(SIGUSR1));
}

CASE(g07_mask_blocks_during_the_wait, .level = 3, .covers = "G07 G06 G03",
	.faults = "pwait-mask-ignored spurious-eintr",
	.calls = "epoll_pwait kill write clone",
	.ref = "epoll_wait(2): epoll_pwait",
	.breaks = "programs that block signals in the wait only")
{
	static const uint64_t usr1 = SIGBIT(SIGUSR1);
	int ep = ep_new(), ev = ev_new(0, 0);
	struct waiter *w;

	sig_catch(SIGUSR1, 0);
	OK(ep_add(ep, ev, EPOLLIN, 3));
	w = waiter_start(BY_PROCESS, ep, 1, -1, &usr1);
	sig_send(w->pid, SIGUSR1);
	WAITER_STILL(w);
	IS(sig_caught(SIGUSR1), 0);
	IS(ev_put(ev, 1), 8);
	WAITER_GOT(w, EPOLLIN, 3);
	IS(child_join(w->pid), 0);
	/* Delivered at the end of the call, under the mask of before. */
	IS(sig_caught(SIGUSR1), 1);
	IS(sig_caught_under(SIGUSR1), SIGBIT(SIGUSR1));
}

CASE(g07_mask_blocks_until_the_timeout, .level = 3, .covers = "G07 W08",
	.faults = "pwait-mask-ignored", .calls = "epoll_pwait kill clone",
	.ref = "epoll_wait(2): epoll_pwait",
	.breaks = "programs that block signals in the wait only")
{
	static const uint64_t usr1 = SIGBIT(SIGUSR1);
	int ep = ep_new();
	struct waiter *w;

	sig_catch(SIGUSR1, 0);
	w = waiter_start(BY_PROCESS, ep, 1, 700, &usr1);
	sig_send(w->pid, SIGUSR1);
	WAITER_IS(w, 0);
	HOLDS(w->took_ns >= 700000000);
	IS(w->mask_after, 0);
	IS(sig_caught(SIGUSR1), 1);
}

CASE(g07_mask_is_restored_after_events, .level = 3, .covers = "G06",
	.faults = "pwait-mask-ignored", .calls = "epoll_pwait rt_sigprocmask",
	.ref = MASK_REF, .breaks = "every user of epoll_pwait")
{
	int ep = ep_new(), ev = ev_new(1, 0), i;

	sig_block(SIGHUP);
	sig_block(40);
	uint64_t before = sig_mask();

	for (i = 0; i < 3; i++) {
		IS(pwait(ep, 0, ~0ul), 0);
		IS(sig_mask(), before);
		IS(pwait(ep, 2, ~0ul), 0);
		IS(sig_mask(), before);
	}
	OK(ep_add(ep, ev, EPOLLIN, 1));
	IS(pwait(ep, -1, 0), 1);
	IS(sig_mask(), before);
	IS(pwait(-1, 0, 0), -EBADF);
	IS(sig_mask(), before);
	IS(pwait(ev, 0, 0), -EINVAL);
	IS(sig_mask(), before);
}

CASE(g07_same_mask, .level = 3, .covers = "G07",
	.calls = "epoll_pwait kill clone", .ref = "epoll_wait(2)",
	.breaks = "sd-event: passes its own mask")
{
	int ep = ep_new(), ev = ev_new(0, 0);
	struct waiter *w;

	sig_catch(SIGUSR1, 0);
	w = waiter_start(BY_PROCESS, ep, 1, -1, &nothing);
	sig_send(w->pid, SIGUSR1);
	WAITER_IS(w, -EINTR);
	OK(ep_add(ep, ev, EPOLLIN, 3));
	w = waiter_start(BY_PROCESS, ep, 1, -1, &nothing);
	IS(ev_put(ev, 1), 8);
	WAITER_GOT(w, EPOLLIN, 3);
}

static void wait_for_default(void *arg)
{
	sig_handler(SIGTERM, SIG_DFL, 0);
	sig_block(SIGTERM);
	sig_send(own_pid(), SIGTERM);
	child_exit((int)pwait(*(int *)arg, -1, 0));
}

CASE(g07_default_action_kills, .level = 3, .covers = "G07 T10",
	.faults = "pwait-mask-ignored", .calls = "epoll_pwait kill wait4",
	.ref = "signal(7)", .breaks = "programs that let SIGTERM in here only")
{
	int ep = ep_new();

	IS(child_join(child_start(wait_for_default, &ep)), 128 + SIGTERM);
}

CASE(g06_events_before_default_action, .level = 4, .covers = "G06 G04",
	.calls = "epoll_pwait kill wait4", .ref = MASK_REF,
	.breaks = "programs that let SIGTERM in here only")
{
	int ep = ep_new();

	OK(ep_add(ep, ev_new(1, 0), EPOLLIN, 1));
	IS(child_join(child_start(wait_for_default, &ep)), 1);
}

CASE(g02_stop_during_pwait, .level = 4, .covers = "G02 G07",
	.calls = "epoll_pwait kill clone",
	.ref = "signal(7): Interruption by stop signals",
	.breaks = "Ctrl-Z on a program in epoll_pwait")
{
	int ep = ep_new();
	struct waiter *w;

	sig_catch(SIGUSR1, 0);
	sig_block(SIGUSR1);
	w = waiter_start(BY_PROCESS, ep, 1, -1, &nothing);
	sig_send(w->pid, SIGSTOP);
	sleeps_until_state(w->pid, 'T');
	sig_send(w->pid, SIGCONT);
	WAITER_IS(w, -EINTR);
	IS(w->mask_after, SIGBIT(SIGUSR1));
}

static long pwait2(int ep, uint64_t ns, const uint64_t *mask)
{
	struct timespec ts = {(long)(ns / 1000000000), (long)(ns % 1000000000)};
	struct ep_event e[4];

	return sys_epoll_pwait2(ep, e, 4, &ts, mask, 8);
}

CASE(g07_pwait2_pending_signal, .level = 3, .covers = "G07 W06",
	.faults = "pwait-mask-ignored", .calls = "epoll_pwait2",
	.ref = "epoll_wait(2): epoll_pwait2", .breaks = "sd-event, libev")
{
	int ep = ep_new();

	make_pending(SIGUSR1);
	IS(pwait2(ep, 0, &nothing), 0);
	IS(sig_caught(SIGUSR1), 0);
	IS(pwait2(ep, 9000000000, &nothing), -EINTR);
	IS(sig_caught(SIGUSR1), 1);
	IS(sig_caught_under(SIGUSR1), SIGBIT(SIGUSR1));
	IS(sig_mask(), SIGBIT(SIGUSR1));
}

CASE(g06_pwait2_events_before_signal, .level = 3, .covers = "G06 W06",
	.faults = "pwait-mask-ignored", .calls = "epoll_pwait2",
	.ref = MASK_REF, .breaks = "sd-event, libev")
{
	int ep = ep_new();

	OK(ep_add(ep, ev_new(1, 0), EPOLLIN, 1));
	make_pending(SIGUSR1);
	IS(pwait2(ep, 9000000000, &nothing), 1);
	IS(sig_caught(SIGUSR1), 0);
	IS(sig_pending(), SIGBIT(SIGUSR1));
	IS(sig_mask(), SIGBIT(SIGUSR1));
}

static void wait_2_forever(void *arg)
{
	int *a = arg;
	struct ep_event e;

	a[1] = (int)sys_epoll_pwait2(a[0], &e, 1, NULL, NULL, 8);
	flag_set(0);
}

CASE(g01_pwait2_eintr, .level = 3, .covers = "G01 W06",
	.faults = "eintr-restarted", .calls = "epoll_pwait2 kill clone",
	.ref = "signal(7)", .breaks = "loops on epoll_pwait2")
{
	int *a = shared_alloc(64), pid;

	sig_catch(SIGUSR1, SA_RESTART);
	a[0] = ep_new();
	pid = child_start(wait_2_forever, a);
	asleep_in(pid, __NR_epoll_pwait2);
	sig_send(pid, SIGUSR1);
	flag_wait(0);
	IS(a[1], -EINTR);
	IS(sig_caught(SIGUSR1), 1);
}

/*
 * A blocked signal is queued even if it is ignored; unblocked in the wait it
 * interrupts like any other, though there is no handler to run.
 */
CASE(g07_pending_ignored_signal, .level = 4, .covers = "G07 G03",
	.calls = "epoll_pwait", .ref = "kernel/signal.c: sig_ignored (blocked)",
	.breaks = "none known")
{
	int ep = ep_new();

	sig_ignore(SIGUSR1);
	sig_block(SIGUSR1);
	sig_send(own_pid(), SIGUSR1);
	IS(sig_pending(), SIGBIT(SIGUSR1));
	IS(pwait(ep, 100, 0), -EINTR);
	IS(sig_pending(), 0);
	IS(sig_mask(), SIGBIT(SIGUSR1));
	IS(pwait(ep, 20, 0), 0);
}

CASE(g07_ignored_during_the_wait, .level = 3, .covers = "G07 G03",
	.faults = "spurious-eintr", .calls = "epoll_pwait kill write clone",
	.ref = "kernel/signal.c: sig_ignored", .breaks = "keepalived")
{
	int ep = ep_new(), ev = ev_new(0, 0);
	struct waiter *w;

	OK(ep_add(ep, ev, EPOLLIN, 3));
	sig_ignore(SIGUSR2);
	sig_block(SIGUSR1);
	w = waiter_start(BY_PROCESS, ep, 1, -1, &nothing);
	sig_send(w->pid, SIGUSR2);
	sig_send(w->pid, SIGCHLD);
	sig_send(w->pid, SIGWINCH);
	WAITER_STILL(w);
	IS(ev_put(ev, 1), 8);
	WAITER_GOT(w, EPOLLIN, 3);
	IS(w->mask_after, SIGBIT(SIGUSR1));
}
