/* SPDX-License-Identifier: MIT */
/* Descriptors: made, closed, doubled, passed on, and their limits. */
#define _GNU_SOURCE
#include "chaos.h"
#include <fcntl.h>
#include <linux/perf_event.h>
#include <mqueue.h>
#include <sched.h>
#include <sys/inotify.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <sys/wait.h>

static void open_timer(void)
{
	struct itimerspec spec = {{0, 3000000}, {0, 1000000}};
	int fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);

	timerfd_settime(fd, 0, &spec, NULL);
	chaos_new(fd, KIND_FILE);
}

static void open_signals(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	sigaddset(&set, SIGALRM);
	chaos_new(signalfd(-1, &set, SFD_NONBLOCK), KIND_FILE);
}

/* Each poll takes its event away. */
static void open_perf(void)
{
	struct perf_event_attr attr = {
		.type = PERF_TYPE_SOFTWARE,
		.size = sizeof(attr),
		.config = PERF_COUNT_SW_TASK_CLOCK,
		.sample_period = 100000,
		.wakeup_events = 1,
		.exclude_kernel = 1,
	};

	chaos_new(syscall(SYS_perf_event_open, &attr, 0, -1, -1, 0), KIND_FILE);
}

/* Files of kinds of their own. */
static void open_odd(void)
{
	static const char *const paths[] = {"/proc/self/mounts", "/proc/swaps",
		"/proc/sys/kernel/hostname", "/dev/kmsg", "/dev/urandom"};
	static const char trigger[] = "some 10000 2000000";
	struct mq_attr attr = {.mq_maxmsg = 1, .mq_msgsize = 8};
	int fd;

	switch (pick(4)) {
	case 0:
		open_perf();
		break;
	case 1:
		fd = open("/proc/pressure/cpu", O_RDWR | O_NONBLOCK);
		write(fd, trigger, sizeof(trigger));
		chaos_new(fd, KIND_FILE);
		break;
	case 2:
		fd = (int)syscall(SYS_mq_open, "epemu-hostile",
			O_CREAT | O_RDWR | O_NONBLOCK, 0600, &attr);
		syscall(SYS_mq_unlink, "epemu-hostile");
		if (one_in(2))
			syscall(SYS_mq_timedsend, fd, "x", 1, 0, NULL);
		chaos_new(fd, KIND_FILE);
		break;
	default:
		chaos_new(open(PICK(paths), O_RDONLY | O_NONBLOCK), KIND_FILE);
	}
}

static void open_file(void)
{
	int fd[2];

	switch (pick(8)) {
	case 0:
		pipe2(fd, O_NONBLOCK);
		chaos_new(fd[0], KIND_FILE);
		chaos_new(fd[1], KIND_FILE);
		break;
	case 1:
		socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fd);
		chaos_new(fd[0], KIND_FILE);
		chaos_new(fd[1], KIND_FILE);
		break;
	case 2:
		open_timer();
		break;
	case 3:
		open_signals();
		break;
	case 4:
		chaos_new(inotify_init1(IN_NONBLOCK), KIND_FILE);
		break;
	case 5:
		chaos_new(syscall(SYS_pidfd_open, getpid(), 0), KIND_FILE);
		break;
	case 6:
		open_odd();
		break;
	default:
		chaos_new(open("/dev/null", O_RDWR), KIND_FILE);
	}
}

static void close_one(void)
{
	int fd = chaos_fd((enum chaos_kind)pick(4));

	close(fd);
	if (fd >= 0 && fd < HOSTILE_FD_LIMIT)
		atomic_store(&self.kind[fd], 0);
}

static void close_many(void)
{
	unsigned from = 3 + pick(40);

	syscall(436 /* close_range */, from, from + pick(12), 0);
}

static void copy_one(void)
{
	int fd = chaos_fd((enum chaos_kind)pick(4)), to = chaos_fd(KIND_ANY);
	enum chaos_kind kind = KIND_ANY;

	if (fd >= 0 && fd < HOSTILE_FD_LIMIT)
		kind = (enum chaos_kind)atomic_load(&self.kind[fd]);
	switch (pick(3)) {
	case 0:
		chaos_new(dup(fd), kind);
		break;
	case 1:
		chaos_new(dup2(fd, to), kind);
		break;
	default:
		chaos_new(fcntl(fd, F_DUPFD_CLOEXEC, 3), kind);
	}
}

static void change_flags(void)
{
	int fd = chaos_fd(KIND_EVENTFD);

	fcntl(fd, F_SETFL, one_in(2) ? O_NONBLOCK : 0);
	fcntl(fd, F_SETFD, one_in(2) ? FD_CLOEXEC : 0);
}

union passed {
	struct cmsghdr head;
	char room[CMSG_SPACE(sizeof(int))];
};

static struct msghdr message(struct iovec *byte, union passed *control)
{
	return (struct msghdr){.msg_iov = byte,
		.msg_iovlen = 1,
		.msg_control = control,
		.msg_controllen = sizeof(*control)};
}

/* To any other actor. The byte says what it is. */
static void send_one(void)
{
	int fd = chaos_fd((enum chaos_kind)pick(4));
	char kind = KIND_FILE;
	struct iovec byte = {&kind, 1};
	union passed control = {.head = {.cmsg_len = CMSG_LEN(sizeof(int)),
					.cmsg_level = SOL_SOCKET,
					.cmsg_type = SCM_RIGHTS}};
	struct msghdr msg = message(&byte, &control);

	if (fd >= 0 && fd < HOSTILE_FD_LIMIT)
		kind = (char)atomic_load(&self.kind[fd]);
	memcpy(CMSG_DATA(&control.head), &fd, sizeof(fd));
	sendmsg(HOSTILE_MAIL + 1, &msg, MSG_DONTWAIT | MSG_NOSIGNAL);
}

static void take_one(void)
{
	char kind = 0;
	struct iovec byte = {&kind, 1};
	union passed control;
	struct msghdr msg = message(&byte, &control);
	int fd;

	if (recvmsg(HOSTILE_MAIL, &msg, MSG_DONTWAIT) < 1 ||
		!CMSG_FIRSTHDR(&msg))
		return;
	memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&msg)), sizeof(fd));
	chaos_new(fd, (enum chaos_kind)kind);
}

static void change_limit(void)
{
	static const rlim_t numbers[] = {0, 4, 12, 20, 40, HOSTILE_FD_LIMIT,
		HOSTILE_FD_LIMIT, HOSTILE_FD_LIMIT};
	static const int others[] = {RLIMIT_STACK, RLIMIT_AS, RLIMIT_FSIZE,
		RLIMIT_SIGPENDING, RLIMIT_NPROC};
	int which = one_in(8) ? PICK(others) : RLIMIT_NOFILE;
	struct rlimit lim;

	getrlimit(which, &lim);
	lim.rlim_cur = which == RLIMIT_NOFILE ? PICK(numbers)
		       : one_in(2)	      ? pick(1 << 20)
					      : lim.rlim_max;
	/* For good, and for what it starts. */
	if (one_in(64))
		lim.rlim_max = lim.rlim_cur;
	setrlimit(which, &lim);
}

/* A table of its own for one thread. */
static void unshare_files(void)
{
	unshare(CLONE_FILES);
}

const struct chaos_action chaos_files[] = {
	{"open", open_file, 8},
	{"close", close_one, 12},
	{"close_range", close_many, 1},
	{"dup", copy_one, 8},
	{"fcntl", change_flags, 2},
	{"send", send_one, 4},
	{"receive", take_one, 5},
	{"limit", change_limit, 2},
	{"unshare", unshare_files, 1},
	{NULL, NULL, 0},
};
