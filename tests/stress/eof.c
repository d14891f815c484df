/* SPDX-License-Identifier: MIT */
/*
 * A watch holds no reference: the peer sees the end at the last close,
 * though the closed descriptor is registered in an epoll, ready or not.
 *
 * Natively close() itself makes the hang-up, so poll() sees it at once; an
 * emulator that keeps a copy of the descriptor delays it for ever. The
 * waits here have no limit of their own, the watchdog is the limit.
 */
#define _GNU_SOURCE
#include "stress.h"
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/wait.h>

extern char **environ;

static struct stress_rng rng;

static uint32_t any_mask(void)
{
	static const uint32_t masks[] = {0, EPOLLIN, EPOLLOUT,
		EPOLLIN | EPOLLOUT | EPOLLET, EPOLLOUT | EPOLLONESHOT,
		EPOLLIN | EPOLLOUT | EPOLLEXCLUSIVE, EPOLLRDHUP | EPOLLET};

	return masks[stress_below(&rng, ARRAY_LEN(masks))];
}

/* fd[0] stays, fd[1] gets closed */
static void open_kind(const char *kind, int fd[2])
{
	if (!strcmp(kind, "pipe"))
		x_pipe(fd, 0);
	else if (!strcmp(kind, "tcp"))
		x_tcp(fd);
	else
		x_pair(fd,
			!strcmp(kind, "stream") ? SOCK_STREAM : SOCK_SEQPACKET);
}

static void expect_end(int fd)
{
	struct pollfd p = {.fd = fd, .events = POLLIN};
	char c;

	must(good(poll(&p, 1, -1)) == 1, "poll");
	must(p.revents & (POLLHUP | POLLIN), "revents %x", p.revents);
	long n = good(read(fd, &c, 1));

	must(n == 0, "read gave %ld at the end", n);
}

static void one_kind(const char *kind)
{
	struct epoll_event ev;
	int ep = x_epoll(), fd[2], copy = -1;
	unsigned regs = 1 + stress_below(&rng, 3);

	open_kind(kind, fd);
	x_add(ep, fd[1], any_mask(), 1);
	if (regs > 1) {
		copy = (int)good(dup(fd[1]));
		x_add(ep, copy, any_mask(), 2);
	}
	if (stress_below(&rng, 2))
		good(epoll_wait(ep, &ev, 1, 0));
	if (regs > 2) {
		x_del(ep, fd[1]);
		x_add(ep, fd[1], EPOLLIN, 3);
	}
	x_close(fd[1]);
	if (copy >= 0)
		x_close(copy);
	expect_end(fd[0]);
	x_wait0(ep);
	x_close(fd[0]);
	x_close(ep);
}

static void kinds(const char *kind)
{
	long count = stress_count(600);

	stress_seed(&rng, 1);
	for (long i = 0; i < count; i++)
		one_kind(kind);
	stress_ok("%ld ends of a %s seen", count, kind);
}

static void pipe_end(void)
{
	kinds("pipe");
}

static void stream_end(void)
{
	kinds("stream");
}

static void seqpacket_end(void)
{
	kinds("seqpacket");
}

static void tcp_end(void)
{
	kinds("tcp");
}

/* The epoll hears of the end, too: HUP at the remaining, watched end. */
static void watched_end(void)
{
	static const char *const kind[] = {"pipe", "stream", "seqpacket"};
	long count = stress_count(600);
	uint32_t events;

	stress_seed(&rng, 2);
	for (long i = 0; i < count; i++) {
		int ep = x_epoll(), fd[2];

		open_kind(kind[i % 3], fd);
		x_add(ep, fd[0], EPOLLIN | (i % 2 ? EPOLLET : 0), 1);
		x_add(ep, fd[1], any_mask() & ~(uint32_t)EPOLLOUT, 2);
		x_close(fd[1]);
		must(x_wait1(ep, -1, &events) == 1, "wrong data");
		must(events & EPOLLHUP, "events %x", events);
		x_close(fd[0]);
		x_close(ep);
	}
	stress_ok("%ld hang-ups delivered", count);
}

struct race {
	int ep;
	int fd;
	pthread_barrier_t *start;
};

static void *adder(void *arg)
{
	struct race *r = arg;
	struct epoll_event ev = {.events = EPOLLOUT, .data.u64 = 9};

	pthread_barrier_wait(r->start);
	for (int i = 0; i < 5; i++) {
		if (epoll_ctl(r->ep, EPOLL_CTL_ADD, r->fd, &ev))
			must(errno == EBADF || errno == EEXIST, "ADD: %s",
				strerror(errno));
		if (epoll_ctl(r->ep, EPOLL_CTL_MOD, r->fd, &ev))
			must(errno == EBADF || errno == ENOENT, "MOD: %s",
				strerror(errno));
	}
	return NULL;
}

/* close() races with the calls that look at the descriptor */
static void race_end(void)
{
	long count = stress_count(600);
	pthread_barrier_t start;

	pthread_barrier_init(&start, NULL, 2);
	for (long i = 0; i < count; i++) {
		struct race r = {.ep = x_epoll(), .start = &start};
		pthread_t thread;
		int fd[2];

		x_pipe(fd, 0);
		r.fd = fd[1];
		must(!pthread_create(&thread, NULL, adder, &r), "thread");
		pthread_barrier_wait(&start);
		x_close(fd[1]);
		expect_end(fd[0]);
		pthread_join(thread, NULL);
		x_close(fd[0]);
		x_close(r.ep);
	}
	stress_ok("%ld closes during epoll_ctl", count);
}

static pid_t spawn_cat(int in, int out)
{
	char *argv[] = {(char *)"cat", NULL};
	posix_spawn_file_actions_t fa;
	pid_t pid;

	posix_spawn_file_actions_init(&fa);
	posix_spawn_file_actions_adddup2(&fa, in, 0);
	posix_spawn_file_actions_adddup2(&fa, out, 1);
	int err = posix_spawnp(&pid, "cat", &fa, NULL, argv, environ);

	must(err == 0, "cat: %s", strerror(err));
	posix_spawn_file_actions_destroy(&fa);
	return pid;
}

/* Until the child's answer is there; the way to it may become free, too. */
static void await_output(int ep)
{
	struct epoll_event ev[2];
	long n;

	do
		n = good(epoll_wait(ep, ev, 2, -1));
	while (ev[n - 1].data.u64 != 2 && ev[0].data.u64 != 2);
}

/* A filter child ends when its input, watched by us, is closed. */
static void cat_child(void)
{
	long count = stress_count(40);
	char text[8];

	for (long i = 0; i < count; i++) {
		int in[2], out[2], ep = x_epoll();

		x_pipe(in, 0);
		x_pipe(out, 0);
		x_add(ep, in[1], EPOLLOUT | EPOLLET, 1);
		x_add(ep, out[0], EPOLLIN, 2);
		pid_t pid = spawn_cat(in[0], out[1]);

		x_close(in[0]);
		x_close(out[1]);
		must(write(in[1], "hello", 5) == 5, "write");
		await_output(ep);
		must(read(out[0], text, sizeof(text)) == 5, "read");
		x_close(in[1]);
		stress_join(pid);
		expect_end(out[0]);
		x_close(out[0]);
		x_close(ep);
	}
	stress_ok("%ld filter children ended", count);
}

/* The last holder is killed in the middle of calls on the descriptor. */
static void killed_holder(void)
{
	long count = stress_count(60);

	stress_seed(&rng, 3);
	for (long i = 0; i < count; i++) {
		int fd[2];

		open_kind(i % 2 ? "pipe" : "stream", fd);
		pid_t pid = stress_fork();

		while (pid == 0) {
			int ep = x_epoll();

			x_add(ep, fd[1], EPOLLOUT, 1);
			x_wait1(ep, 0, NULL);
			x_close(ep);
		}
		x_close(fd[1]);
		stress_sleep_us(stress_below(&rng, 3000));
		good(kill(pid, SIGKILL));
		expect_end(fd[0]);
		must(waitpid(pid, NULL, 0) == pid, "waitpid");
		x_close(fd[0]);
	}
	stress_ok("%ld holders killed", count);
}

/* A descriptor on its way through a socket, watched, then dropped there. */
static void in_flight(void)
{
	union {
		char buf[CMSG_SPACE(sizeof(int))];
		struct cmsghdr align;
	} control;
	long count = stress_count(300);

	for (long i = 0; i < count; i++) {
		int carrier[2], fd[2], ep = x_epoll();
		char byte = 'x';
		struct iovec iov = {&byte, 1};
		struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1};

		memset(&control, 0, sizeof(control));
		msg.msg_control = control.buf;
		msg.msg_controllen = sizeof(control.buf);
		struct cmsghdr *cm = CMSG_FIRSTHDR(&msg);

		cm->cmsg_level = SOL_SOCKET;
		cm->cmsg_type = SCM_RIGHTS;
		cm->cmsg_len = CMSG_LEN(sizeof(int));
		x_pair(carrier, SOCK_DGRAM);
		x_pipe(fd, 0);
		x_add(ep, fd[1], EPOLLOUT, 8);
		memcpy(CMSG_DATA(cm), &fd[1], sizeof(int));
		must(sendmsg(carrier[0], &msg, 0) == 1, "sendmsg");
		x_close(fd[1]);
		must(x_wait1(ep, -1, NULL) == 8, "lost while in flight");
		x_close(carrier[0]);
		x_close(carrier[1]);
		expect_end(fd[0]);
		x_wait0(ep);
		x_close(fd[0]);
		x_close(ep);
	}
	stress_ok("%ld dropped in flight", count);
}

static const struct stress_case cases[] = {
	{"pipe", pipe_end},
	{"stream", stream_end},
	{"seqpacket", seqpacket_end},
	{"tcp", tcp_end},
	{"watched", watched_end},
	{"race", race_end},
	{"cat", cat_child},
	{"killed", killed_holder},
	{"in-flight", in_flight},
	{NULL, NULL},
};

int main(int argc, char **argv)
{
	signal(SIGPIPE, SIG_IGN);
	return stress_main(argc, argv, cases);
}
