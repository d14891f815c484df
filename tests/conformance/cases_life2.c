/* SPDX-License-Identifier: MIT */
/*
 * Life of registrations, second part: exec, copies of the epoll descriptor,
 * and that an epoll keeps nothing open.
 */
#include "conf.h"
#include <sys/socket.h>

static void exec_helper(const char *verb, int fd)
{
	char number[16];
	struct text t = TEXT_ON(number);
	const char *argv[] = {"epconform", "--helper", verb, number, NULL};
	const char *env[] = {NULL};

	text_put(&t, "%d", fd);
	CALL(execve, "/proc/self/exe", argv, env);
	CALL(execve, conf_self_path, argv, env);
	child_exit(97);
}

struct exec_job {
	const char *verb;
	int fd;
};

static void run_exec(void *arg)
{
	struct exec_job *j = arg;

	exec_helper(j->verb, j->fd);
}

/* Exit status of a copy of this program that was given the descriptor. */
static int in_exec(const char *verb, int fd)
{
	struct exec_job j = {verb, fd};

	return child_join(child_start(run_exec, &j));
}

CASE(l08_cloexec_of_epoll, .level = 2, .covers = "L08 C03",
	.faults = "cloexec-ignored", .calls = "execve epoll_create1 wait4",
	.ref = "epoll_create1(2): EPOLL_CLOEXEC",
	.breaks = "LevitateOS: descriptors leak into children")
{
	int open = (int)OK(sys_epoll_create1(0));
	int shut = (int)OK(sys_epoll_create1(EPOLL_CLOEXEC));

	IS(in_exec("is-open", open), 1);
	IS(in_exec("is-open", shut), 0);
	NONE(shut);
}

CASE(l08_cloexec_of_eventfd, .level = 2, .covers = "L08 E01",
	.faults = "cloexec-ignored", .calls = "execve eventfd2 wait4",
	.ref = "eventfd(2): EFD_CLOEXEC",
	.breaks = "NOS: descriptors leak into children")
{
	IS(in_exec("is-open", ev_new(0, 0)), 1);
	IS(in_exec("is-open", ev_new(0, EFD_CLOEXEC)), 0);
}

CASE(l08_epoll_lives_through_exec, .level = 3, .covers = "L08 L05",
	.calls = "execve epoll_wait", .ref = "execve(2)",
	.breaks = "servers that upgrade themselves by exec")
{
	int ep = (int)OK(sys_epoll_create1(0)), ev = ev_new(1, EFD_CLOEXEC);

	/* The eventfd is closed there, but open here: the item lives. */
	OK(ep_add(ep, ev, EPOLLIN, 42));
	IS(in_exec("wait-on", ep), 42);
	NOW(ep, {EPOLLIN, 42});
}

CASE(l08_eventfd_lives_through_exec, .level = 3, .covers = "L08 E20",
	.faults = "eventfd-ebadf", .calls = "execve write read",
	.ref = "execve(2)", .breaks = "s6, systemd: readiness by eventfd")
{
	int ep = ep_new(), ev = ev_new(0, EFD_NONBLOCK);

	OK(ep_add(ep, ev, EPOLLIN | EPOLLET, 42));
	IS(in_exec("write-to", ev), 0);
	NOW(ep, {EPOLLIN, 42});
	IS(ev_get(ev), 1);
}

static void exec_after_add(void *arg)
{
	int *a = arg, ev = ev_new(1, EFD_CLOEXEC);

	IS(ep_add(a[0], ev, EPOLLIN, 9), 0);
	flag_set(0);
	flag_wait(1);
	exec_helper("is-open", ev);
}

CASE(l08_exec_closes_like_close, .level = 3, .covers = "L08",
	.faults = "no-close-cleanup cloexec-ignored",
	.calls = "execve epoll_ctl epoll_wait", .ref = "execve(2)",
	.breaks = "supervisors that exec in place")
{
	int ep = (int)OK(sys_epoll_create1(0));
	int pid = child_start(exec_after_add, &ep);

	flag_wait(0);
	NOW(ep, {EPOLLIN, 9});
	flag_set(1);
	IS(child_join(pid), 0);
	NONE(ep);
}

static void wait_in_thread(void *arg)
{
	struct ep_event e;

	sys_epoll_wait(*(int *)arg, &e, 1, -1);
}

static void exec_beside_a_waiter(void *arg)
{
	asleep_in(thread_start(wait_in_thread, arg), NR_EPOLL_WAIT);
	exec_helper("is-open", *(int *)arg);
}

CASE(l08_exec_beside_a_waiting_thread, .level = 3, .covers = "L08 T10",
	.faults = "waiter-swallows", .calls = "execve epoll_wait clone",
	.ref = "execve(2): all other threads are destroyed",
	.breaks = "multithreaded programs that exec in place")
{
	int ep = (int)OK(sys_epoll_create1(0)), ev = ev_new(0, 0);

	OK(ep_add(ep, ev, EPOLLIN | EPOLLET, 1));
	IS(child_join(child_start(exec_beside_a_waiter, &ep)), 1);
	/* The waiter that is gone does not take the event. */
	IS(ev_put(ev, 1), 8);
	NOW(ep, {EPOLLIN, 1});
}

static void exit_beside_a_waiter(void *arg)
{
	asleep_in(thread_start(wait_in_thread, arg), NR_EPOLL_WAIT);
	child_exit(6);
}

CASE(l08_exit_beside_a_waiting_thread, .level = 3, .covers = "L08 T10",
	.faults = "waiter-swallows", .calls = "exit_group epoll_wait clone",
	.ref = "exit_group(2)", .breaks = "every multithreaded program")
{
	int ep = ep_new(), ev = ev_new(0, 0);
	struct waiter *w;

	OK(ep_add(ep, ev, EPOLLIN | EPOLLET, 1));
	w = WAITER(ep);
	IS(child_join(child_start(exit_beside_a_waiter, &ep)), 6);
	IS(ev_put(ev, 1), 8);
	WAITER_GOT(w, EPOLLIN, 1);
}

CASE(l08_dup_of_epoll_keeps_it, .level = 2, .covers = "L08 L10",
	.calls = "dup close epoll_wait", .ref = "dup(2)",
	.breaks = "tokio: its own copy of the epoll")
{
	int ep = ep_new(), ev = ev_new(1, 0), two = dup_new(ep);

	OK(ep_add(ep, ev, EPOLLIN, 1));
	IS(ep_add(two, ev, EPOLLIN, 1), -EEXIST);
	IS(sys_close(ep), 0);
	NOW(two, {EPOLLIN, 1});
	IS(ep_mod(two, ev, EPOLLIN, 2), 0);
	NOW(two, {EPOLLIN, 2});
	IS(sys_dup2(two, 77), 77);
	IS(sys_close(two), 0);
	NOW(77, {EPOLLIN, 2});
}

CASE(l09_registration_does_not_hold_the_pipe, .level = 2, .covers = "L09",
	.faults = "dup-holds-eof close-no-wake",
	.calls = "pipe2 close read ppoll", .ref = "epoll(7), Q&A 6",
	.breaks = "`cat` in a child that never ends")
{
	int ep = ep_new(), p[2];

	pipe_new(p, 0);
	OK(ep_add(ep, p[0], EPOLLIN, 1));
	OK(ep_add(ep, p[1], EPOLLOUT, 2));
	NOW(ep, {EPOLLOUT, 2});
	IS(sys_close(p[1]), 0);
	IS(polled(p[0], EPOLLIN), EPOLLHUP);
	IS(take(p[0], 1), 0);
	NOW(ep, {EPOLLHUP, 1});
}

static void read_to_the_end(void *arg)
{
	int *p = arg;

	sys_close(p[1]);
	child_exit(take(p[0], 10) == 0 ? 0 : 1);
}

CASE(l09_reader_in_a_child_sees_the_end, .level = 2, .covers = "L09",
	.faults = "dup-holds-eof", .calls = "pipe2 clone close read",
	.ref = "pipe(7)", .breaks = "`cat` in a child that never ends")
{
	int ep = ep_new(), p[2], pid;

	pipe_new(p, 0);
	OK(ep_add(ep, p[1], EPOLLOUT | EPOLLET, 2));
	NOW(ep, {EPOLLOUT, 2});
	pid = child_start(read_to_the_end, p);
	asleep_in(pid, __NR_read);
	IS(sys_close(p[1]), 0);
	IS(child_join(pid), 0);
}

CASE(l09_socket_end_is_seen_at_once, .level = 2, .covers = "L09 F06",
	.faults = "dup-holds-eof", .calls = "socketpair close read",
	.ref = "epoll(7), Q&A 6", .breaks = "clients that wait for the end")
{
	int ep = ep_new(), sv[2];

	pair_new(sv, SOCK_STREAM);
	OK(ep_add(ep, sv[0], EPOLLIN, 1));
	OK(ep_add(ep, sv[1], EPOLLIN, 2));
	NONE(ep);
	IS(sys_close(sv[1]), 0);
	IS(take(sv[0], 1), 0);
	NOW(ep, {EPOLLIN | EPOLLHUP, 1});
}

CASE(l10_dupfd_cloexec, .level = 1, .covers = "L10 R04",
	.faults = "dupfd-missing number-outside-table",
	.calls = "fcntl epoll_ctl epoll_wait",
	.ref = "fcntl(2): F_DUPFD_CLOEXEC",
	.breaks = "tokio fails at start (shadow, LevitateOS)")
{
	int ep = ep_new(), ev = ev_new(1, 0), two;

	two = (int)OK(sys_fcntl(ep, F_DUPFD_CLOEXEC, 3));
	IS(two, 5);
	IS(sys_fcntl(two, F_GETFD, 0), FD_CLOEXEC);
	OK(ep_add(two, ev, EPOLLIN, 1));
	NOW(ep, {EPOLLIN, 1});
	IS(sys_fcntl(ep, F_DUPFD, 100), 100);
	IS(sys_fcntl(100, F_GETFD, 0), 0);
	NOW(100, {EPOLLIN, 1});
	IS(sys_fcntl(ev, F_DUPFD_CLOEXEC, 200), 200);
	IS(ev_get(200), 1);
	NONE(ep);
}

CASE(l10_dup3_onto_standard_numbers, .level = 3, .covers = "L10 L08",
	.faults = "number-outside-table", .calls = "dup3 epoll_ctl epoll_wait",
	.ref = "dup(2)", .breaks = "daemons that keep their loop as number 0")
{
	int ep = ep_new(), ev = ev_new(0, 0), i;

	OK(ep_add(ep, ev, EPOLLIN | EPOLLET, 1));
	for (i = 0; i < 3; i++) {
		IS(sys_dup2(ep, i), i);
		IS(ev_put(ev, 1), 8);
		NOW(i, {EPOLLIN, 1});
		NONE(ep);
		IS(polled(i, EPOLLIN), 0);
		IS(ep_mod(i, ev, EPOLLIN | EPOLLET, 1), 0);
		NOW(ep, {EPOLLIN, 1});
	}
}
