/* SPDX-License-Identifier: MIT */
/*
 * Whose signals a signalfd in an epoll is about: it is woken by those of the
 * process that added it, and polled for those of whoever waits
 * (fs/signalfd.c: signalfd_poll, signalfd_notify). What one waiter found to be
 * nothing has left the ready list for all.
 */
#include "conf.h"
#include <signal.h>

#define SIGNALFD_REF "fs/signalfd.c: signalfd_poll; signalfd(2)"
#define SHARED_LOOP "event loops that are forked, or shared by threads"

static int signals_of(int sig)
{
	uint64_t mask = SIGBIT(sig);

	sig_block(sig);
	return (int)OK(CALL(signalfd4, -1, &mask, 8, O_NONBLOCK));
}

/* An epoll with a signalfd that this process has added. */
static int ep_with_signals(uint32_t events)
{
	int ep = ep_new();

	OK(ep_add(ep, signals_of(SIGUSR1), EPOLLIN | events, 1));
	NONE(ep);
	return ep;
}

static void signal_thread(int tid, int sig)
{
	OK(CALL(tgkill, own_pid(), tid, sig));
}

static int own_tid(void)
{
	return (int)RAW(__NR_gettid, 0);
}

static void has_signal_and_finds_none(void *arg)
{
	int *ep = arg;

	sig_send(own_pid(), SIGUSR1);
	NONE(*ep);
	IS(sys_epoll_wait(*ep, (struct ep_event[1]){{0, 0}}, 1, 50), 0);
	HOLDS(sig_pending() & SIGBIT(SIGUSR1));
}

CASE(a04_signalfd_not_of_a_child, .level = 4, .covers = "A04 L05",
	.calls = "signalfd4 kill epoll_wait clone", .ref = SIGNALFD_REF,
	.breaks = SHARED_LOOP)
{
	int ep = ep_with_signals(0);

	IS(child_join(child_start(has_signal_and_finds_none, &ep)), 0);
	NONE(ep);
}

static void finds_none(void *arg)
{
	int *ep = arg;

	NONE(*ep);
}

CASE(a04_signalfd_dropped_by_a_child, .level = 4, .covers = "A04 D02",
	.calls = "signalfd4 kill epoll_wait clone", .ref = SIGNALFD_REF,
	.breaks = SHARED_LOOP)
{
	int ep = ep_with_signals(0);

	sig_send(own_pid(), SIGUSR1);
	IS(child_join(child_start(finds_none, &ep)), 0);
	NONE(ep);
	HOLDS(sig_pending() & SIGBIT(SIGUSR1));
	/* A modification polls for who makes it. */
	OK(ep_mod(ep, 4, EPOLLIN, 2));
	NOW(ep, {EPOLLIN, 2});
}

CASE(a04_signalfd_wakes_a_child_in_vain, .level = 4, .covers = "A04 T06",
	.calls = "signalfd4 kill epoll_wait clone", .ref = SIGNALFD_REF,
	.breaks = SHARED_LOOP)
{
	int ep = ep_with_signals(0);
	struct waiter *w = WAITER(ep);

	sig_send(own_pid(), SIGUSR1);
	WAITER_STILL(w);
	NONE(ep);
	HOLDS(sig_pending() & SIGBIT(SIGUSR1));
}

CASE(a04_signalfd_wakes_a_masked_wait_in_vain, .level = 4, .covers = "A04 T06",
	.calls = "signalfd4 kill epoll_pwait epoll_wait clone",
	.ref = SIGNALFD_REF, .breaks = SHARED_LOOP)
{
	int ep = ep_with_signals(0);
	uint64_t usr2 = SIGBIT(SIGUSR2);
	struct waiter *w = waiter_start(BY_PROCESS, ep, 1, -1, &usr2);

	sig_send(own_pid(), SIGUSR1);
	WAITER_STILL(w);
	NONE(ep);
	HOLDS(sig_pending() & SIGBIT(SIGUSR1));
}

static void has_signal_and_waits(void *arg)
{
	int *ep = arg;

	sig_send(own_pid(), SIGUSR1);
	flag_set(0);
	COMES(*ep, {EPOLLIN, 1});
}

CASE(a04_signalfd_wakes_a_child_with_its_own, .level = 4, .covers = "A04 T06",
	.calls = "signalfd4 kill epoll_wait clone", .ref = SIGNALFD_REF,
	.breaks = SHARED_LOOP)
{
	int ep = ep_with_signals(0);
	int pid = child_start(has_signal_and_waits, &ep);

	flag_wait(0);
	asleep_in(pid, NR_EPOLL_WAIT);
	/* Another signal, but of the process that added the file. */
	sig_block(SIGUSR2);
	sig_send(own_pid(), SIGUSR2);
	IS(child_join(pid), 0);
}

static void sees_none_in_thread(void *arg)
{
	int *ep = arg;

	NONE(*ep);
	flag_set(0);
}

CASE(a04_signalfd_dropped_by_a_thread, .level = 4, .covers = "A04 D02",
	.calls = "signalfd4 tgkill epoll_wait ppoll clone", .ref = SIGNALFD_REF,
	.breaks = "epoll-shim's test of signalfd_in_thread")
{
	int ep = ep_with_signals(0), revents;

	signal_thread(own_tid(), SIGUSR1);
	IS(sys_poll(ep, EPOLLIN, &revents, SOON), 1);
	IS(revents, EPOLLIN);
	thread_start(sees_none_in_thread, &ep);
	flag_wait(0);
	IS(polled(ep, EPOLLIN), 0);
	NONE(ep);
	OK(ep_mod(ep, 4, EPOLLIN, 2));
	NOW(ep, {EPOLLIN, 2});
}

static void take_in_thread(void *arg)
{
	int *args = arg;

	COMES(args[0], {EPOLLIN, 1});
	IS(take(4, 128), 128);
	flag_set(args[1]);
}

CASE(a04_signalfd_of_a_thread, .level = 4, .covers = "A04 T01",
	.calls = "signalfd4 tgkill kill epoll_wait clone", .ref = SIGNALFD_REF,
	.breaks = SHARED_LOOP)
{
	int args[2] = {ep_with_signals(0), 0}, tid;

	for (; args[1] < 2; args[1]++) {
		tid = thread_start(take_in_thread, args);
		asleep_in(tid, NR_EPOLL_WAIT);
		if (args[1])
			sig_send(own_pid(), SIGUSR1);
		else
			signal_thread(tid, SIGUSR1);
		flag_wait(args[1]);
	}
}

CASE(a04_signalfd_each_signal_is_an_edge, .level = 4, .covers = "A04 D05",
	.calls = "signalfd4 kill read epoll_wait", .ref = SIGNALFD_REF,
	.breaks = SHARED_LOOP)
{
	int ep = ep_with_signals(EPOLLET), i;

	for (i = 0; i < 3; i++) {
		sig_send(own_pid(), SIGUSR1);
		NOW(ep, {EPOLLIN, 1});
		NONE(ep);
		IS(take(4, 128), 128);
	}
	sig_send(own_pid(), SIGUSR1);
	NOW(ep, {EPOLLIN, 1});
	IS(take(4, 128), 128);
	sig_send(own_pid(), SIGUSR1);
	NOW(ep, {EPOLLIN, 1});
	/* One that comes beside one that waits to be read. */
	sig_block(SIGUSR2);
	sig_send(own_pid(), SIGUSR2);
	NOW(ep, {EPOLLIN, 1});
	NONE(ep);
}

CASE(a04_signalfd_new_mask, .level = 4, .covers = "A04 A07",
	.calls = "signalfd4 kill epoll_wait",
	.ref = "fs/signalfd.c: do_signalfd4",
	.breaks = "sd-event, which adds signals to one signalfd")
{
	static const uint32_t events[] = {0, EPOLLET};
	size_t i;

	for (i = 0; i < 2; i++) {
		int sig = i ? SIGUSR2 : SIGHUP, ep = ep_new();
		uint64_t mask = SIGBIT(SIGUSR1) | SIGBIT(sig);
		int fd = signals_of(SIGUSR1);

		OK(ep_add(ep, fd, EPOLLIN | events[i], 1));
		sig_block(sig);
		sig_send(own_pid(), sig);
		NONE(ep);
		IS(CALL(signalfd4, fd, &mask, 8, 0), fd);
		NOW(ep, {EPOLLIN, 1});
		IS(take(fd, 128), 128);
		NONE(ep);
	}
}

/* What /proc says of such a process is longer than a page. */
CASE(a04_signalfd_of_many_groups, .level = 4, .covers = "A04",
	.calls = "setgroups signalfd4 kill epoll_wait", .ref = SIGNALFD_REF,
	.breaks = "users that are in many groups, from a directory service")
{
	unsigned int groups[1000];
	struct ep_event e;
	uint64_t none = 0;
	int ep, i;

	for (i = 0; i < 1000; i++)
		groups[i] = 1000000000u + (unsigned int)i;
	/* Who may not has the groups that it has. */
	CALL(setgroups, 1000, groups);
	ep = ep_with_signals(0);
	sig_send(own_pid(), SIGUSR1);
	NOW(ep, {EPOLLIN, 1});
	IS(take(4, 128), 128);
	NONE(ep);
	sig_catch(SIGUSR2, 0);
	sig_block(SIGUSR2);
	sig_send(own_pid(), SIGUSR2);
	IS(sys_epoll_pwait(ep, &e, 1, -1, &none, 8), -EINTR);
	IS(sig_caught(SIGUSR2), 1);
}

static void add_it(void *arg)
{
	int *fds = arg;

	OK(ep_add(fds[0], fds[1], EPOLLIN, 1));
}

CASE(a04_signalfd_adder_ended, .level = 4, .covers = "A04 L05",
	.calls = "signalfd4 kill epoll_wait epoll_ctl clone",
	.ref = "fs/signalfd.c: signalfd_cleanup", .breaks = SHARED_LOOP)
{
	int fds[2] = {ep_new(), signals_of(SIGUSR1)};

	IS(child_join(child_start(add_it, fds)), 0);
	sig_send(own_pid(), SIGUSR1);
	/* Its end is a wake-up, and the last one. */
	NOW(fds[0], {EPOLLIN, 1});
	IS(take(fds[1], 128), 128);
	NONE(fds[0]);
	sig_send(own_pid(), SIGUSR1);
	NONE(fds[0]);
}
