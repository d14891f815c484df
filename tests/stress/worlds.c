/* SPDX-License-Identifier: MIT */
/*
 * Worlds a process may live in: another user, another pid namespace, not
 * dumpable, below chroot, without privileges, detached from all others; and
 * descriptors that travel between processes.
 *
 * The ordinary calls have to work in each. A case that needs root, or a
 * namespace that the kernel refuses, is skipped.
 */
#define _GNU_SOURCE
#include "stress.h"
#include <fcntl.h>
#include <grp.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>

#define NOBODY 65534

static void need_root(void)
{
	if (geteuid() != 0)
		stress_skip("needs root");
}

/* The ordinary calls, also in children and with a table shared from before. */
static void calls_here(int ep, int efd)
{
	stress_basic_calls();
	x_put(efd, 1);
	must(x_wait1(ep, -1, NULL) == 91, "wrong data");
	must(x_take(efd) == 1, "wrong count");
	for (int i = 0; i < 3; i++) {
		pid_t pid = stress_fork();

		if (pid == 0) {
			stress_basic_calls();
			x_put(efd, 1);
			_exit(0);
		}
		must(x_wait1(ep, -1, NULL) == 91, "wrong data");
		must(x_take(efd) == 1, "wrong count");
		stress_join(pid);
	}
}

/* Runs `enter` and then the calls, in a child, a few times over. */
static void in_world(void (*enter)(void))
{
	int ep = x_epoll(), efd = x_eventfd(0, EFD_CLOEXEC);
	long count = stress_count(5);

	x_add(ep, efd, EPOLLIN, 91);
	for (long i = 0; i < count; i++) {
		pid_t pid = stress_fork();

		if (pid == 0) {
			enter();
			calls_here(ep, efd);
			_exit(0);
		}
		stress_join(pid);
		/* And the world outside goes on. */
		stress_basic_calls();
		x_wait0(ep);
	}
	stress_ok("%ld times", count);
}

static void become_nobody(void)
{
	good(setgroups(0, NULL));
	good(setresgid(NOBODY, NOBODY, NOBODY));
	good(setresuid(NOBODY, NOBODY, NOBODY));
	/* What set-uid left out of the child: it must die with its parent. */
	prctl(PR_SET_PDEATHSIG, SIGKILL);
}

static void uid(void)
{
	need_root();
	in_world(become_nobody);
}

static void hide(void)
{
	good(prctl(PR_SET_DUMPABLE, 0));
}

static void not_dumpable(void)
{
	in_world(hide);
}

static void hide_as_nobody(void)
{
	become_nobody();
	hide();
}

static void hidden_nobody(void)
{
	need_root();
	in_world(hide_as_nobody);
}

static void drop_privileges(void)
{
	good(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
}

static void no_new_privs(void)
{
	in_world(drop_privileges);
}

static void go_below(void)
{
	char dir[] = "/tmp/stress-root-XXXXXX";

	must(mkdtemp(dir), "mkdtemp: %s", strerror(errno));
	good(chdir(dir));
	good(chroot("."));
	rmdir(dir);
}

static void chrooted(void)
{
	char dir[] = "/tmp/stress-root-XXXXXX";

	need_root();
	must(mkdtemp(dir), "mkdtemp: %s", strerror(errno));
	rmdir(dir);
	in_world(go_below);
}

static void few_left(void)
{
	/* The calls have three open at once. */
	rlim_t room = (rlim_t)stress_count_fds() + 3;
	struct rlimit lim = {room, room};

	good(setrlimit(RLIMIT_NOFILE, &lim));
}

static void few_descriptors(void)
{
	in_world(few_left);
}

static void tight_limits(void)
{
	const struct rlimit none = {0, 0};

	good(setrlimit(RLIMIT_FSIZE, &none));
	good(setrlimit(RLIMIT_MEMLOCK, &none));
	good(setrlimit(RLIMIT_CORE, &none));
}

static void limits(void)
{
	in_world(tight_limits);
}

/* Goes on as process 1 of a new pid namespace; the outer one passes it on. */
static void enter_pidns(int flags)
{
	if (unshare(flags) != 0)
		stress_skip("no new namespace here");
	pid_t pid = stress_fork();

	if (pid != 0) {
		int status;

		must(waitpid(pid, &status, 0) == pid, "waitpid");
		must(status == 0, "process 1 ended with status 0x%x",
			(unsigned)status);
		_exit(0);
	}
	must(getpid() == 1, "not process 1");
}

static void new_pidns(void)
{
	enter_pidns(CLONE_NEWPID);
}

static void deep_pidns(void)
{
	new_pidns();
	new_pidns();
}

static void pidns(void)
{
	need_root();
	in_world(new_pidns);
}

static void pidns_deep(void)
{
	need_root();
	in_world(deep_pidns);
}

static void new_userns(void)
{
	enter_pidns(CLONE_NEWUSER | CLONE_NEWPID);
}

static void try_userns(void)
{
	pid_t pid = stress_fork();

	if (pid == 0)
		_exit(unshare(CLONE_NEWUSER | CLONE_NEWPID) != 0);
	int status;

	must(waitpid(pid, &status, 0) == pid, "waitpid");
	if (status != 0)
		stress_skip("no user namespaces here");
}

static void userns(void)
{
	try_userns();
	in_world(new_userns);
}

/* A grandchild that goes on when the first process has ended. */
static void be_daemon(int first_alive)
{
	int ep = x_epoll();
	uint32_t events;

	stress_arm();
	x_add(ep, first_alive, 0, 1);
	must(x_wait1(ep, -1, &events) == 1, "wrong data");
	must(events == EPOLLHUP, "events %x", events);
	stress_basic_calls();
	stress_ok("went on after the first process");
}

static void daemonized(void)
{
	int alive[2];

	x_pipe(alive, 0);
	pid_t pid = (pid_t)good(fork());

	if (pid == 0) {
		x_close(alive[1]);
		good(setsid());
		if (good(fork()) == 0)
			be_daemon(alive[0]);
		_exit(0);
	}
	stress_join(pid);
}

static void send_fd(int sock, int fd)
{
	union {
		char buf[CMSG_SPACE(sizeof(int))];
		struct cmsghdr align;
	} control = {{0}};
	char byte = 'x';
	struct iovec iov = {&byte, 1};
	struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1};

	msg.msg_control = control.buf;
	msg.msg_controllen = sizeof(control.buf);
	struct cmsghdr *cm = CMSG_FIRSTHDR(&msg);

	cm->cmsg_level = SOL_SOCKET;
	cm->cmsg_type = SCM_RIGHTS;
	cm->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(cm), &fd, sizeof(int));
	must(good(sendmsg(sock, &msg, 0)) == 1, "sendmsg");
}

static int receive_fd(int sock)
{
	union {
		char buf[CMSG_SPACE(sizeof(int))];
		struct cmsghdr align;
	} control;
	char byte;
	struct iovec iov = {&byte, 1};
	struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1};
	int fd;

	msg.msg_control = control.buf;
	msg.msg_controllen = sizeof(control.buf);
	must(good(recvmsg(sock, &msg, MSG_CMSG_CLOEXEC)) == 1, "recvmsg");
	must(CMSG_FIRSTHDR(&msg), "no descriptor came");
	memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&msg)), sizeof(int));
	return fd;
}

/* Gets an epoll and the eventfd it watches, under numbers of its own. */
static void rights_child(int sock)
{
	int ep = receive_fd(sock), efd = receive_fd(sock);
	struct epoll_event ev = {.events = EPOLLIN};
	int copy = (int)good(fcntl(efd, F_DUPFD_CLOEXEC, 100));

	/* The item's number is the sender's, so this one is not in it. */
	x_close(efd);
	bad(ENOENT, epoll_ctl(ep, EPOLL_CTL_MOD, copy, &ev));
	must(x_wait1(ep, -1, NULL) == 61, "wrong data");
	must(x_take(copy) == 2, "wrong count");
	x_wait0(ep);
	x_put(copy, 9);
	x_add(ep, copy, EPOLLIN, 62);
	/* Back to the sender, who has closed its own by now. */
	send_fd(sock, ep);
	send_fd(sock, copy);
	_exit(0);
}

static void rights_round(void)
{
	int sock[2], ep = x_epoll(), efd = x_eventfd(0, EFD_CLOEXEC);
	struct epoll_event ev[4];

	x_pair(sock, SOCK_DGRAM);
	x_add(ep, efd, EPOLLIN, 61);
	pid_t pid = stress_fork();

	if (pid == 0) {
		x_close(ep);
		x_close(efd);
		rights_child(sock[1]);
	}
	x_close(sock[1]);
	send_fd(sock[0], ep);
	send_fd(sock[0], efd);
	x_put(efd, 2);
	x_close(ep);
	x_close(efd);
	stress_join(pid);
	/* Only what is in flight has kept them alive. */
	ep = receive_fd(sock[0]);
	efd = receive_fd(sock[0]);
	must(good(epoll_wait(ep, ev, 4, -1)) == 2, "events lost in flight");
	must(ev[0].data.u64 + ev[1].data.u64 == 61 + 62, "wrong data");
	must(x_take(efd) == 9, "wrong count");
	x_wait0(ep);
	x_close(sock[0]);
	x_close(efd);
	x_close(ep);
}

static void rights(void)
{
	long count = stress_count(60);
	int fds = stress_count_fds();

	for (long i = 0; i < count; i++)
		rights_round();
	must(stress_count_fds() == fds, "descriptors left");
	stress_ok("%ld pairs sent there and back", count);
}

static const struct stress_case cases[] = {
	{"uid", uid},
	{"not-dumpable", not_dumpable},
	{"hidden-nobody", hidden_nobody},
	{"no-new-privs", no_new_privs},
	{"chroot", chrooted},
	{"few-descriptors", few_descriptors},
	{"limits", limits},
	{"pidns", pidns},
	{"pidns-deep", pidns_deep},
	{"userns", userns},
	{"daemon", daemonized},
	{"rights", rights},
	{NULL, NULL},
};

int main(int argc, char **argv)
{
	return stress_main(argc, argv, cases);
}
