/* SPDX-License-Identifier: MIT */
/*
 * Edges of files that are neither pipes nor sockets: timerfd, pidfd,
 * signalfd, inotify, terminals, and /proc/self/mounts.
 */
#include "conf.h"
#include <sched.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <time.h>

static int timer_new(uint64_t first_ns, uint64_t interval_ns)
{
	struct itimerspec its = {{(long)(interval_ns / 1000000000),
					 (long)(interval_ns % 1000000000)},
		{(long)(first_ns / 1000000000), (long)(first_ns % 1000000000)}};
	int fd = (int)OK(
		CALL(timerfd_create, CLOCK_MONOTONIC, O_NONBLOCK | O_CLOEXEC));

	OK(CALL(timerfd_settime, fd, 0, &its, NULL));
	return fd;
}

/* Until a timer of its own, in an epoll of its own, has expired. */
static void let_pass(uint64_t ns)
{
	int ep = ep_new();

	OK(ep_add(ep, timer_new(ns, 0), EPOLLIN, 1));
	COMES(ep, {EPOLLIN, 1});
	sys_close(ep);
}

CASE(f09_timerfd_once, .level = 2, .covers = "F09",
	.calls = "timerfd_create timerfd_settime epoll_wait read",
	.ref = "timerfd_create(2)", .breaks = "Boost.Asio, sd-event, smol")
{
	int ep = ep_new(), t = timer_new(20000000, 0);
	uint64_t start = now_ns();

	OK(ep_add(ep, t, EPOLLIN, 1));
	COMES(ep, {EPOLLIN, 1});
	HOLDS(now_ns() - start >= 15000000);
	NOW(ep, {EPOLLIN, 1});
	IS(ev_get(t), 1);
	NONE(ep);
}

CASE(f09_timerfd_periodic_edges, .level = 3, .covers = "F09",
	.faults = "et-refire-on-read et-ignored",
	.calls = "timerfd_create timerfd_settime epoll_wait read",
	.ref = "fs/timerfd.c: timerfd_tmrproc, timerfd_read_iter",
	.breaks = "Wayland compositors")
{
	int ep = ep_new(), t = timer_new(1000000, 1000000), i;

	OK(ep_add(ep, t, EPOLLIN | EPOLLET, 1));
	for (i = 0; i < 3; i++) {
		COMES(ep, {EPOLLIN, 1});
		let_pass(10000000);
		NONE(ep);
		HOLDS(ev_get(t) >= 5);
	}
}

CASE(f09_timerfd_rearmed_beside_the_wait, .level = 3, .covers = "F09 T07",
	.calls = "timerfd_settime epoll_wait clone", .ref = "timerfd_create(2)",
	.breaks = "libuv, smol: a nearer timer from another thread")
{
	struct itimerspec soon = {{0, 0}, {0, 1000000}};
	int ep = ep_new(), t = timer_new(3600000000000, 0);
	struct waiter *w;

	OK(ep_add(ep, t, EPOLLIN | EPOLLET, 1));
	w = WAITER(ep);
	OK(CALL(timerfd_settime, t, 0, &soon, NULL));
	WAITER_GOT(w, EPOLLIN, 1);
}

static void exit_when_told(void *arg)
{
	(void)arg;
	flag_wait(0);
}

CASE(f10_pidfd, .level = 3, .covers = "F10 R09", .calls = "pidfd_open wait4",
	.ref = "pidfd_open(2); fs/pidfs.c: pidfd_poll",
	.breaks = "tokio's process driver, Go's os/exec")
{
	int ep = ep_new(), pid = child_start(exit_when_told, NULL);
	int fd = (int)OK(CALL(pidfd_open, pid, 0));
	struct ep_event e;

	OK(ep_add(ep, fd, EPOLLIN, 1));
	NONE(ep);
	flag_set(0);
	COMES(ep, {EPOLLIN, 1});
	IS(child_join(pid), 0);
	/* VER: HUP is added when it was reaped, in newer kernels. */
	IS(sys_epoll_wait(ep, &e, 1, 0), 1);
	HOLDS(e.events == EPOLLIN || e.events == (EPOLLIN | EPOLLHUP));
	if (e.events == EPOLLIN)
		conf_note("a reaped process shows no HUP here");
}

CASE(f11_mounts_always_readable, .level = 4, .covers = "F11",
	.calls = "openat epoll_wait", .ref = "fs/proc_namespace.c: mounts_poll",
	.breaks = "systemd, udisks")
{
	int ep = ep_new();
	long fd = CALL(openat, AT_FDCWD, "/proc/self/mounts", O_RDONLY, 0);

	if (fd < 0)
		conf_skip("no /proc/self/mounts");
	OK(ep_add(ep, (int)fd, EPOLLIN | EPOLLPRI, 1));
	NOW(ep, {EPOLLIN, 1});
	NOW(ep, {EPOLLIN, 1});
}

CASE(f11_mounts_change, .level = 4, .covers = "F11 D12",
	.calls = "unshare mount epoll_wait",
	.ref = "fs/proc_namespace.c: mounts_poll", .breaks = "systemd, udisks")
{
	int ep = ep_new(), fd;

	if (CALL(unshare, CLONE_NEWNS) < 0 &&
		CALL(unshare, CLONE_NEWUSER | CLONE_NEWNS) < 0)
		conf_skip("no mount namespace for us");
	if (CALL(mount, NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		conf_skip("the root here is no mount of its own");
	fd = (int)CALL(openat, AT_FDCWD, "/proc/self/mounts", O_RDONLY, 0);
	if (fd < 0)
		conf_skip("no /proc/self/mounts");
	OK(ep_add(ep, fd, EPOLLPRI | EPOLLET, 1));
	NONE(ep);
	OK(CALL(mount, "t", "/dev", "tmpfs", 0, NULL));
	COMES(ep, {EPOLLPRI | EPOLLERR, 1});
	NONE(ep);
}

static int signals_of(int sig)
{
	uint64_t mask = SIGBIT(sig);

	sig_block(sig);
	return (int)OK(CALL(signalfd4, -1, &mask, 8, O_NONBLOCK));
}

CASE(a04_signalfd_reports, .level = 3, .covers = "A04 D04",
	.calls = "signalfd4 kill epoll_wait read",
	.ref = "fs/signalfd.c: signalfd_poll (signals of the caller)",
	.breaks = "systemd, s6, weston, cron: signals through a loop")
{
	int ep = ep_new(), fd = signals_of(SIGUSR1);

	OK(ep_add(ep, fd, EPOLLIN, 1));
	NONE(ep);
	sig_send(own_pid(), SIGUSR1);
	NOW(ep, {EPOLLIN, 1});
	NOW(ep, {EPOLLIN, 1});
	IS(take(fd, 128), 128);
	NONE(ep);
	sig_send(own_pid(), SIGUSR1);
	NOW(ep, {EPOLLIN, 1});
}

static void signal_parent(void *arg)
{
	int *a = arg;

	asleep_in(a[0], NR_EPOLL_WAIT);
	sig_send(a[0], SIGUSR1);
}

CASE(a04_signalfd_wakes_the_wait, .level = 3, .covers = "A04 G03",
	.faults = "lost-check-then-sleep",
	.calls = "signalfd4 kill epoll_wait read clone",
	.ref = "fs/signalfd.c: signalfd_poll",
	.breaks = "systemd, s6, weston, cron: signals through a loop")
{
	int ep = ep_new(), fd = signals_of(SIGUSR1), self = own_pid();

	OK(ep_add(ep, fd, EPOLLIN | EPOLLET, 1));
	child_start(signal_parent, &self);
	COMES(ep, {EPOLLIN, 1});
	IS(take(fd, 128), 128);
}

static void signal_polling_parent(void *arg)
{
	int *pid = arg;

	asleep_in(*pid, __NR_ppoll);
	sig_send(*pid, SIGUSR1);
}

/* Sleeps in poll on the epoll until the signal is there, and takes it. */
static void poll_for_signal(int polled_ep, int ep, int fd)
{
	int self = own_pid(), revents;

	IS(polled(polled_ep, EPOLLIN), 0);
	child_start(signal_polling_parent, &self);
	IS(sys_poll(polled_ep, EPOLLIN, &revents, -1), 1);
	IS(revents, EPOLLIN);
	NOW(ep, {EPOLLIN, 1});
	IS(take(fd, 128), 128);
	NONE(ep);
	IS(polled(polled_ep, EPOLLIN), 0);
}

CASE(a04_signalfd_wakes_a_poll, .level = 3, .covers = "A04 C07",
	.calls = "signalfd4 kill ppoll epoll_wait read clone",
	.ref = "fs/signalfd.c: signalfd_poll; fs/eventpoll.c: ep_poll_safewake",
	.breaks = "sd-event within GLib: poll on the loop's own epoll")
{
	static const uint32_t modes[] = {
		EPOLLIN, EPOLLIN | EPOLLET, EPOLLIN | EPOLLONESHOT};
	int fd = signals_of(SIGUSR1), i;

	for (i = 0; i < 3; i++) {
		int ep = ep_new();

		OK(ep_add(ep, fd, modes[i], 1));
		poll_for_signal(ep, ep, fd);
		OK(sys_close(ep));
	}
}

CASE(n08_signalfd_wakes_a_poll_above, .level = 4, .covers = "A04 N08",
	.calls = "signalfd4 kill ppoll epoll_wait read clone",
	.ref = "fs/signalfd.c: signalfd_poll; fs/eventpoll.c: ep_poll_safewake",
	.breaks = "event loops within event loops, with signals")
{
	int outer = ep_new(), ep = ep_new(), fd = signals_of(SIGUSR1);

	OK(ep_add(ep, fd, EPOLLIN, 1));
	OK(ep_add(outer, ep, EPOLLIN, 2));
	poll_for_signal(outer, ep, fd);
}

CASE(a04_signalfd_poll_by_hand, .level = 4, .covers = "A04 C07",
	.calls = "signalfd4 kill ppoll epoll_ctl read",
	.ref = "fs/signalfd.c: signalfd_poll",
	.breaks = "sd-event within GLib: poll on the loop's own epoll")
{
	int ep = ep_new(), fd = signals_of(SIGUSR1), revents;

	OK(ep_add(ep, fd, EPOLLIN, 1));
	sig_send(own_pid(), SIGUSR1);
	IS(sys_poll(ep, EPOLLIN, &revents, -1), 1);
	OK(ep_mod(ep, fd, EPOLLPRI, 1));
	IS(polled(ep, EPOLLIN), 0);
	OK(ep_mod(ep, fd, EPOLLIN, 1));
	IS(polled(ep, EPOLLIN), EPOLLIN);
	OK(ep_del(ep, fd));
	IS(polled(ep, EPOLLIN), 0);
	OK(ep_add(ep, fd, EPOLLIN, 1));
	IS(polled(ep, EPOLLIN), EPOLLIN);
	OK(sys_close(fd));
	NONE(ep);
	IS(polled(ep, EPOLLIN), 0);
}

CASE(a04_inotify_reports, .level = 3, .covers = "A04 D05",
	.calls = "inotify_init1 inotify_add_watch memfd_create epoll_wait",
	.ref = "inotify(7)", .breaks = "file watchers of every runtime")
{
	int ep = ep_new(), fd = (int)OK(CALL(inotify_init1, O_NONBLOCK)), i;
	char path[40];
	struct text t = TEXT_ON(path);
	int file = (int)OK(CALL(memfd_create, "x", 0));

	/* A file that no other process can touch; a memfd itself is mute. */
	text_put(&t, "/proc/self/fd/%d", file);
	file = (int)CALL(openat, AT_FDCWD, path, O_RDWR, 0);
	if (file < 0)
		conf_skip("no /proc/self/fd");
	OK(CALL(inotify_add_watch, fd, path, 0x2));
	OK(ep_add(ep, fd, EPOLLIN | EPOLLET, 1));
	NONE(ep);
	for (i = 0; i < 2; i++) {
		IS(put(file, 10), 10);
		NOW(ep, {EPOLLIN, 1});
		HOLDS(take(fd, 4096) > 0);
		NONE(ep);
	}
}

CASE(a04_terminal_reports, .level = 3, .covers = "A04 D04", .faults = "no-hup",
	.calls = "openat ioctl write epoll_wait close",
	.ref = "drivers/tty/n_tty.c: n_tty_poll",
	.breaks = "shells and editors: brush, vim")
{
	int ep = ep_new(), unlock = 0, slave;
	long master = CALL(openat, AT_FDCWD, "/dev/ptmx", O_RDWR | O_NOCTTY, 0);

	if (master < 0 || CALL(ioctl, master, TIOCSPTLCK, &unlock) < 0)
		conf_skip("no pseudo-terminals");
	slave = (int)OK(CALL(ioctl, master, TIOCGPTPEER, O_RDWR | O_NOCTTY));
	OK(ep_add(ep, slave, EPOLLIN | EPOLLET, 1));
	NONE(ep);
	IS(CALL(write, master, "a", 1), 1);
	NONE(ep);
	IS(CALL(write, master, "\n", 1), 1);
	COMES(ep, {EPOLLIN, 1});
	IS(take(slave, 16), 2);
	IS(sys_close((int)master), 0);
	UNTIL(ep, EPOLLIN | EPOLLHUP, 1);
}
