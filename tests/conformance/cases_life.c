/* SPDX-License-Identifier: MIT */
/*
 * How long a registration lives: until DEL, or until the last reference to
 * the file goes, wherever it is: another number, another process, a message.
 */
#include "conf.h"
#include <sys/socket.h>

#define KEY_REF "epoll(7), Q&A 6"
#define RELEASE_REF "fs/eventpoll.c: eventpoll_release_file"

CASE(l01_last_close_ends_item, .level = 2, .covers = "L01 L04",
	.faults = "no-close-cleanup stale-ready", .calls = "close epoll_wait",
	.ref = KEY_REF, .breaks = "ngo, elfuse: EEXIST after reuse")
{
	int ep = ep_new(), ev = ev_new(1, 0);

	OK(ep_add(ep, ev, EPOLLIN, 1));
	NOW(ep, {EPOLLIN, 1});
	IS(sys_close(ev), 0);
	NONE(ep);
	IS(ev_new(1, 0), ev);
	IS(ep_mod(ep, ev, EPOLLIN, 2), -ENOENT);
	IS(ep_add(ep, ev, EPOLLIN, 2), 0);
	NOW(ep, {EPOLLIN, 2});
}

CASE(l01_many_reuses_of_a_number, .level = 2, .covers = "L01",
	.faults = "no-close-cleanup", .calls = "close pipe2 epoll_ctl",
	.ref = RELEASE_REF, .breaks = "servers: leaks with every connection")
{
	int ep = ep_new(), p[2], i;

	for (i = 0; i < 200; i++) {
		pipe_new(p, 0);
		OK(ep_add(ep, p[0], EPOLLIN | EPOLLET, (uint64_t)i));
		IS(put(p[1], 1), 1);
		NOW(ep, {EPOLLIN, (uint64_t)i});
		IS(sys_close(p[0]), 0);
		IS(sys_close(p[1]), 0);
	}
}

CASE(l02_close_with_a_dup_alive, .level = 2, .covers = "L02 L01",
	.faults = "keyed-by-number", .calls = "dup close epoll_ctl epoll_wait",
	.ref = KEY_REF, .breaks = "libraries that dup their sockets")
{
	int ep = ep_new(), ev = ev_new(1, 0), two = dup_new(ev);

	OK(ep_add(ep, ev, EPOLLIN, 0x1234567812345678));
	IS(sys_close(ev), 0);
	NOW(ep, {EPOLLIN, 0x1234567812345678});
	IS(ep_del(ep, ev), -EBADF);
	IS(ep_del(ep, two), -ENOENT);
	IS(ep_mod(ep, two, 0, 0), -ENOENT);
	NOW(ep, {EPOLLIN, 0x1234567812345678});
	IS(sys_close(two), 0);
	NONE(ep);
}

CASE(l02_dup_back_to_the_number, .level = 3, .covers = "L02 A10",
	.faults = "keyed-by-number", .calls = "dup dup3 close epoll_ctl",
	.ref = KEY_REF, .breaks = "programs that move descriptors about")
{
	int ep = ep_new(), ev = ev_new(1, 0), two = dup_new(ev);

	OK(ep_add(ep, ev, EPOLLIN, 1));
	IS(sys_close(ev), 0);
	IS(sys_dup2(two, ev), ev);
	IS(ep_add(ep, ev, EPOLLIN, 2), -EEXIST);
	IS(ep_mod(ep, ev, EPOLLIN, 3), 0);
	NOW(ep, {EPOLLIN, 3});
	IS(ep_del(ep, ev), 0);
	NONE(ep);
}

CASE(l03_number_reused_by_a_new_file, .level = 2, .covers = "L03",
	.faults = "keyed-by-number no-close-cleanup",
	.calls = "dup close eventfd2 epoll_ctl", .ref = KEY_REF,
	.breaks = "asterinas: a close breaks the other's registration")
{
	int ep = ep_new(), old = ev_new(1, 0), two = dup_new(old), new;

	OK(ep_add(ep, old, EPOLLIN, 1));
	IS(sys_close(old), 0);
	new = ev_new(1, 0);
	IS(new, old);
	IS(ep_mod(ep, new, EPOLLIN, 2), -ENOENT);
	IS(ep_del(ep, new), -ENOENT);
	IS(ep_add(ep, new, EPOLLIN, 2), 0);
	NOW_SET(ep, {EPOLLIN, 1}, {EPOLLIN, 2});
	IS(ep_del(ep, new), 0);
	NOW(ep, {EPOLLIN, 1});
	IS(sys_close(two), 0);
	NONE(ep);
}

CASE(l04_queued_item_goes_silently, .level = 2, .covers = "L04",
	.faults = "close-reports-err stale-ready", .calls = "close epoll_wait",
	.ref = RELEASE_REF, .breaks = "LevitateOS: ERR for ever")
{
	int ep = ep_new(), a = ev_new(1, 0), b = ev_new(1, 0);

	OK(ep_add(ep, a, EPOLLIN | EPOLLET, 1));
	OK(ep_add(ep, b, EPOLLIN | EPOLLET, 2));
	IS(sys_close(a), 0);
	NOW(ep, {EPOLLIN, 2});
	NONE(ep);
	IS(polled(ep, EPOLLIN), 0);
}

CASE(l04_dup2_over_it, .level = 2, .covers = "L04",
	.faults = "no-close-cleanup keyed-by-number",
	.calls = "dup3 epoll_wait", .ref = "dup(2): closed silently",
	.breaks = "shells: dup2 over a registered number")
{
	int ep = ep_new(), a = ev_new(1, 0), b = ev_new(0, 0);

	OK(ep_add(ep, a, EPOLLIN, 1));
	IS(sys_dup2(b, a), a);
	NONE(ep);
	IS(ep_add(ep, a, EPOLLIN, 2), 0);
	IS(ev_put(b, 1), 8);
	NOW(ep, {EPOLLIN, 2});
}

CASE(l04_epoll_number_reused, .level = 2, .covers = "L08 L04",
	.faults = "number-outside-table no-close-cleanup",
	.calls = "close epoll_create1 epoll_ctl", .ref = "close(2)",
	.breaks = "programs that start their loop anew")
{
	int ep = ep_new(), ev = ev_new(1, 0), i;

	for (i = 0; i < 20; i++) {
		IS(ep_add(ep, ev, EPOLLIN, 1), 0);
		NOW(ep, {EPOLLIN, 1});
		IS(sys_close(ep), 0);
		IS(ep_new(), ep);
		NONE(ep);
	}
}

static void add_own_files(void *arg)
{
	int ep = *(int *)arg, ev = ev_new(1, 0), p[2];

	pipe_new(p, 0);
	IS(ep_add(ep, ev, EPOLLIN | EPOLLET, 5), 0);
	IS(ep_add(ep, p[0], EPOLLIN, 6), 0);
	IS(put(p[1], 1), 1);
	flag_set(0);
	flag_wait(1);
	IS(ev_put(ev, 1), 8);
	flag_set(2);
	flag_wait(3);
}

CASE(l05_child_adds_its_own_files, .level = 3, .covers = "L05 L01",
	.faults = "keyed-by-number", .calls = "clone epoll_ctl epoll_wait",
	.ref = "fork(2); epoll(7), Q&A 6",
	.breaks = "programs that fork with a loop")
{
	int ep = ep_new(), pid = child_start(add_own_files, &ep), ev;

	flag_wait(0);
	NOW(ep, {EPOLLIN, 5}, {EPOLLIN, 6});
	/* The same number is another file here. */
	ev = ev_new(1, 0);
	IS(ep_mod(ep, ev, EPOLLIN, 7), -ENOENT);
	IS(ep_add(ep, ev, EPOLLIN | EPOLLET, 7), 0);
	NOW_SET(ep, {EPOLLIN, 6}, {EPOLLIN, 7});
	flag_set(1);
	flag_wait(2);
	NOW_SET(ep, {EPOLLIN, 6}, {EPOLLIN, 5});
	flag_set(3);
	IS(child_join(pid), 0);
	NONE(ep);
}

static void del_in_child(void *arg)
{
	int *a = arg;

	IS(ep_mod(a[0], a[1], EPOLLIN, 8), 0);
	NOW(a[0], {EPOLLIN, 8});
	IS(ep_del(a[0], a[1]), 0);
	NONE(a[0]);
}

CASE(l05_child_shares_the_instance, .level = 3, .covers = "L05",
	.calls = "clone epoll_ctl epoll_wait", .ref = "fork(2)",
	.breaks = "libev's warning: a child's DEL hits the parent")
{
	int a[2] = {ep_new(), ev_new(1, 0)};

	OK(ep_add(a[0], a[1], EPOLLIN, 7));
	IS(child_join(child_start(del_in_child, a)), 0);
	NONE(a[0]);
	IS(ep_add(a[0], a[1], EPOLLIN, 9), 0);
}

static void close_copies(void *arg)
{
	int *a = arg;

	sys_close(a[0]);
	sys_close(a[1]);
}

CASE(l05_close_in_child_leaves_parent_alone, .level = 2, .covers = "L05 L01",
	.faults = "keyed-by-number no-close-cleanup",
	.calls = "clone close epoll_wait", .ref = "fork(2)",
	.breaks = "asterinas: a child's close breaks the parent")
{
	int a[2] = {ep_new(), ev_new(1, 0)};

	OK(ep_add(a[0], a[1], EPOLLIN, 7));
	IS(child_join(child_start(close_copies, a)), 0);
	NOW(a[0], {EPOLLIN, 7});
	IS(ep_mod(a[0], a[1], EPOLLIN, 8), 0);
	NOW(a[0], {EPOLLIN, 8});
}

static void hold_until_told(void *arg)
{
	(void)arg;
	flag_set(0);
	flag_wait(1);
}

CASE(l06_child_still_holds_the_file, .level = 3, .covers = "L06 L01",
	.calls = "clone close epoll_wait", .ref = KEY_REF,
	.breaks = "the famous one: events of a closed descriptor")
{
	int ep = ep_new(), ev = ev_new(1, 0), pid;

	OK(ep_add(ep, ev, EPOLLIN, 7));
	pid = child_start(hold_until_told, NULL);
	flag_wait(0);
	IS(sys_close(ev), 0);
	NOW(ep, {EPOLLIN, 7});
	IS(ep_del(ep, ev), -EBADF);
	NOW(ep, {EPOLLIN, 7});
	flag_set(1);
	IS(child_join(pid), 0);
	NONE(ep);
}

CASE(l06_killed_child_lets_go, .level = 3, .covers = "L06",
	.faults = "no-close-cleanup", .calls = "clone kill close epoll_wait",
	.ref = KEY_REF, .breaks = "servers that kill a worker")
{
	int ep = ep_new(), ev = ev_new(1, 0), pid;

	OK(ep_add(ep, ev, EPOLLIN, 7));
	pid = child_start(hold_until_told, NULL);
	flag_wait(0);
	IS(sys_close(ev), 0);
	NOW(ep, {EPOLLIN, 7});
	sig_send(pid, 9);
	IS(child_join(pid), 128 + 9);
	NONE(ep);
}

CASE(l07_file_in_flight, .level = 3, .covers = "L07 L01",
	.calls = "sendmsg recvmsg close epoll_wait", .ref = "unix(7); " KEY_REF,
	.breaks = "Wayland compositors, systemd's fd store")
{
	int ep = ep_new(), ev = ev_new(1, 0), sv[2];

	pair_new(sv, SOCK_STREAM);
	OK(ep_add(ep, ev, EPOLLIN, 7));
	send_fd(sv[0], ev);
	IS(sys_close(ev), 0);
	NOW(ep, {EPOLLIN, 7});
	IS(sys_close(sv[1]), 0);
	IS(sys_close(sv[0]), 0);
	NONE(ep);
}

CASE(l07_received_file_is_the_same, .level = 3, .covers = "L07 L02",
	.calls = "sendmsg recvmsg close epoll_ctl", .ref = KEY_REF,
	.breaks = "programs that hand connections over")
{
	int ep = ep_new(), ev = ev_new(1, 0), sv[2], other, same;

	pair_new(sv, SOCK_STREAM);
	OK(ep_add(ep, ev, EPOLLIN, 7));
	send_fd(sv[0], ev);
	send_fd(sv[0], ev);
	IS(sys_close(ev), 0);
	same = recv_fd(sv[1]);
	other = recv_fd(sv[1]);
	IS(same, ev);
	IS(ep_mod(ep, same, EPOLLIN, 8), 0);
	IS(ep_mod(ep, other, EPOLLIN, 8), -ENOENT);
	NOW(ep, {EPOLLIN, 8});
}

CASE(l07_epoll_over_a_socket, .level = 3, .covers = "L07 L05",
	.calls = "sendmsg recvmsg epoll_wait", .ref = "unix(7): SCM_RIGHTS",
	.breaks = "programs that hand their loop over")
{
	int ep = ep_new(), ev = ev_new(1, 0), sv[2], got;

	pair_new(sv, SOCK_STREAM);
	OK(ep_add(ep, ev, EPOLLIN, 7));
	send_fd(sv[0], ep);
	IS(sys_close(ep), 0);
	got = recv_fd(sv[1]);
	NOW(got, {EPOLLIN, 7});
	IS(ep_mod(got, ev, EPOLLIN, 8), 0);
	NOW(got, {EPOLLIN, 8});
}
