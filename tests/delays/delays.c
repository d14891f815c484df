/* SPDX-License-Identifier: MIT */
/*
 * Delays at random, for epemu itself: a library to preload.
 *
 * What the supervisor does to a thread takes several system calls, and a
 * signal, another thread or the end of the process can come between any two.
 * Mostly that is a microsecond in which a test has to be lucky. Here the
 * thread that calls sleeps before and after such a call now and then, so that
 * every one of these moments becomes a wide one.
 *
 * A kernel that preempts can also answer a poll of the listener with POLLERR
 * alone, when a signal cut off its look. That is done half as often.
 *
 * EPEMU_DELAYS=PERCENT,MICROSECONDS says how often, and how long at most. The
 * programs under epemu do not get the library. The file EPEMU_DELAYS_MARK is
 * made at the first delay.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/ptrace.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define EXPORT __attribute__((visibility("default")))

/* The function of this name that is hidden by ours. */
#define NEXT(name)                     \
	static __typeof__(name) *next; \
	if (!next)                     \
	*(void **)&next = dlsym(RTLD_NEXT, #name)

static uint64_t random_state;
static unsigned int percent;
static unsigned int most_us = 1;
static const char *mark;
static int listener = -1; /* once it was received from */

static void bad_setting(const char *setting)
{
	fprintf(stderr, "delays: EPEMU_DELAYS=%s: not PERCENT,MICROSECONDS\n",
		setting);
	_exit(125);
}

__attribute__((constructor)) static void begin(void)
{
	const char *setting = getenv("EPEMU_DELAYS");
	struct timespec now;
	char *end;

	unsetenv("LD_PRELOAD");
	mark = getenv("EPEMU_DELAYS_MARK");
	clock_gettime(CLOCK_REALTIME, &now);
	random_state = (uint64_t)now.tv_nsec * 0x9e3779b97f4a7c15u | 1;
	if (!setting)
		return;
	percent = (unsigned int)strtoul(setting, &end, 10);
	if (*end != ',')
		bad_setting(setting);
	most_us = (unsigned int)strtoul(end + 1, &end, 10);
	if (*end || percent > 100 || most_us == 0 || most_us > 1000000)
		bad_setting(setting);
}

static uint64_t random_below(uint64_t limit)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return (random_state >> 11) % limit;
}

static void delay(void)
{
	struct timespec pause = {0, 0};
	int error = errno;

	if (random_below(100) >= percent)
		return;
	if (mark) {
		int fd = open(mark, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);

		if (fd >= 0)
			close(fd);
		mark = NULL;
	}
	pause.tv_nsec = (long)random_below(most_us) * 1000;
	nanosleep(&pause, NULL);
	errno = error;
}

EXPORT int ioctl(int fd, unsigned long request, ...)
{
	NEXT(ioctl);
	va_list args;
	void *arg;
	int rc;

	va_start(args, request);
	arg = va_arg(args, void *);
	va_end(args);
	if (request == SECCOMP_IOCTL_NOTIF_RECV)
		listener = fd;
	delay();
	rc = next(fd, request, arg);
	delay();
	return rc;
}

EXPORT long ptrace(enum __ptrace_request request, ...)
{
	NEXT(ptrace);
	va_list args;
	pid_t tid;
	void *addr;
	void *data;
	long rc;

	va_start(args, request);
	tid = va_arg(args, pid_t);
	addr = va_arg(args, void *);
	data = va_arg(args, void *);
	va_end(args);
	delay();
	rc = next(request, tid, addr, data);
	delay();
	return rc;
}

/* pidfd_getfd(2), kcmp(2), pidfd_open(2) and others without a wrapper. */
EXPORT long syscall(long nr, ...)
{
	NEXT(syscall);
	long words[6];
	va_list args;
	long rc;

	va_start(args, nr);
	for (int i = 0; i < 6; i++)
		words[i] = va_arg(args, long);
	va_end(args);
	delay();
	rc = next(
		nr, words[0], words[1], words[2], words[3], words[4], words[5]);
	delay();
	return rc;
}

EXPORT int waitid(idtype_t type, id_t id, siginfo_t *info, int options)
{
	NEXT(waitid);

	delay();
	return next(type, id, info, options);
}

EXPORT ssize_t process_vm_readv(pid_t pid, const struct iovec *to,
	unsigned long to_count, const struct iovec *from,
	unsigned long from_count, unsigned long flags)
{
	NEXT(process_vm_readv);
	ssize_t n;

	delay();
	n = next(pid, to, to_count, from, from_count, flags);
	delay();
	return n;
}

EXPORT ssize_t process_vm_writev(pid_t pid, const struct iovec *from,
	unsigned long from_count, const struct iovec *to,
	unsigned long to_count, unsigned long flags)
{
	NEXT(process_vm_writev);
	ssize_t n;

	delay();
	n = next(pid, from, from_count, to, to_count, flags);
	delay();
	return n;
}

EXPORT int epoll_wait(
	int epfd, struct epoll_event *events, int maxevents, int timeout)
{
	NEXT(epoll_wait);
	int n = next(epfd, events, maxevents, timeout);

	delay();
	return n;
}

EXPORT int epoll_ctl(int epfd, int op, int fd, struct epoll_event *event)
{
	NEXT(epoll_ctl);
	int rc;

	delay();
	rc = next(epfd, op, fd, event);
	delay();
	return rc;
}

EXPORT int ppoll(struct pollfd *fds, nfds_t nfds,
	const struct timespec *timeout, const sigset_t *mask)
{
	NEXT(ppoll);
	int n = next(fds, nfds, timeout, mask);

	delay();
	for (nfds_t i = 0; n > 0 && i < nfds; i++) {
		if (fds[i].fd == listener && fds[i].revents == POLLIN &&
			random_below(200) < percent)
			fds[i].revents = POLLERR;
	}
	return n;
}
