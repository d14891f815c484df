/* SPDX-License-Identifier: MIT */
/*
 * Short forms of the calls that the stress programs make, and helpers for
 * their child processes. Each short form must succeed: a failure ends the
 * program with a line that says which call it was.
 */
#define _GNU_SOURCE
#include "stress.h"
#include <dirent.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#ifdef __aarch64__
bool stress_cut_off(int fd, size_t size)
{
	if (errno != EINTR || !stress.emulated)
		return false;
	if (fd >= 0 && (size != 8 || !(fcntl(fd, F_GETFL) & O_NONBLOCK))) {
		errno = EINTR;
		return false;
	}
	if (stress.cut_off)
		atomic_fetch_add(stress.cut_off, 1);
	return true;
}

bool stress_no_time(const struct timespec *timeout)
{
	return timeout && timeout->tv_sec == 0 && timeout->tv_nsec == 0;
}
#endif

pid_t stress_gettid(void)
{
	return (pid_t)syscall(SYS_gettid);
}

pid_t stress_fork(void)
{
	pid_t pid = (pid_t)good(fork());

	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		stress_arm();
	}
	return pid;
}

static int reap(pid_t pid)
{
	int status;

	while (waitpid(pid, &status, 0) != pid)
		must(errno == EINTR, "waitpid %d: %s", pid, strerror(errno));
	return status;
}

void stress_join(pid_t pid)
{
	int status = reap(pid);

	must(status == 0, "child %d ended with status 0x%x", pid,
		(unsigned)status);
}

void stress_kill(pid_t pid)
{
	good(kill(pid, SIGKILL));
	reap(pid);
}

void stress_wait_blocked(pid_t tid, long nr, long alt)
{
	char path[64], text[64];

	snprintf(path, sizeof(path), "/proc/%d/syscall", tid);
	for (;;) {
		int fd = (int)good(open(path, O_RDONLY | O_CLOEXEC));
		ssize_t len = read(fd, text, sizeof(text) - 1);

		close(fd);
		must(len > 0, "%s cannot be read: %s", path, strerror(errno));
		text[len] = '\0';
		if (text[0] >= '0' && text[0] <= '9') {
			long now = strtol(text, NULL, 10);

			if (now == nr || now == alt)
				return;
		}
		stress_sleep_us(100);
	}
}

int stress_count_fds(void)
{
	DIR *dir = opendir("/proc/self/fd");
	int n = 0;

	must(dir, "/proc/self/fd: %s", strerror(errno));
	while (readdir(dir))
		n++;
	closedir(dir);
	return n - 3; /* ".", ".." and the directory itself */
}

void *stress_shared(size_t len)
{
	void *mem = mmap(NULL, len, PROT_READ | PROT_WRITE,
		MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	must(mem != MAP_FAILED, "mmap: %s", strerror(errno));
	return mem;
}

int x_epoll(void)
{
	return (int)good(epoll_create1(EPOLL_CLOEXEC));
}

int x_eventfd(unsigned initval, int flags)
{
	return (int)good(eventfd(initval, flags));
}

void x_pipe(int fd[2], int flags)
{
	good(pipe2(fd, O_CLOEXEC | flags));
}

void x_pair(int fd[2], int type)
{
	good(socketpair(AF_UNIX, type | SOCK_CLOEXEC, 0, fd));
}

/* fd[0] is the accepted end, fd[1] the connected one. */
void x_tcp(int fd[2])
{
	struct sockaddr_in addr = {.sin_family = AF_INET};
	socklen_t len = sizeof(addr);
	int lsn = (int)good(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));

	addr.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	good(bind(lsn, (struct sockaddr *)&addr, sizeof(addr)));
	good(listen(lsn, 1));
	good(getsockname(lsn, (struct sockaddr *)&addr, &len));
	fd[1] = (int)good(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
	good(connect(fd[1], (struct sockaddr *)&addr, sizeof(addr)));
	fd[0] = (int)good(accept4(lsn, NULL, NULL, SOCK_CLOEXEC));
	x_close(lsn);
}

void x_add(int ep, int fd, uint32_t events, uint64_t data)
{
	struct epoll_event ev = {.events = events, .data.u64 = data};

	good(epoll_ctl(ep, EPOLL_CTL_ADD, fd, &ev));
}

void x_mod(int ep, int fd, uint32_t events, uint64_t data)
{
	struct epoll_event ev = {.events = events, .data.u64 = data};

	good(epoll_ctl(ep, EPOLL_CTL_MOD, fd, &ev));
}

void x_del(int ep, int fd)
{
	good(epoll_ctl(ep, EPOLL_CTL_DEL, fd, NULL));
}

void x_close(int fd)
{
	good(close(fd));
}

void x_put(int efd, uint64_t value)
{
	long n = good(write(efd, &value, sizeof(value)));

	must(n == 8, "eventfd write gave %ld", n);
}

uint64_t x_take(int efd)
{
	uint64_t value = 0;
	long n = good(read(efd, &value, sizeof(value)));

	must(n == 8, "eventfd read gave %ld", n);
	return value;
}

void x_nonblock(int fd)
{
	int flags = (int)good(fcntl(fd, F_GETFL));

	good(fcntl(fd, F_SETFL, flags | O_NONBLOCK));
}

uint64_t x_wait1(int ep, int timeout_ms, uint32_t *events)
{
	struct epoll_event ev[4];
	long n = good(epoll_wait(ep, ev, ARRAY_LEN(ev), timeout_ms));

	must(n == 1, "epoll_wait gave %ld events, expected 1", n);
	if (events)
		*events = ev[0].events;
	return ev[0].data.u64;
}

void x_wait0(int ep)
{
	struct epoll_event ev[4];
	long n = good(epoll_wait(ep, ev, ARRAY_LEN(ev), 0));

	must(n == 0,
		"epoll_wait gave %ld events, expected none (first %x/%llx)", n,
		ev[0].events, (unsigned long long)ev[0].data.u64);
}
