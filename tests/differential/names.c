/* SPDX-License-Identifier: MIT */
/* The names of constants that a program may use. */
#define _GNU_SOURCE
#include "program.h"
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <time.h>

/* Of Linux 6.9; the headers may be older. */
#define IOCTL_GET_BUSY_POLL 0x80088a02

static const struct {
	const char *name;
	long value;
} names[] = {
	{"ADD", EPOLL_CTL_ADD},
	{"MOD", EPOLL_CTL_MOD},
	{"DEL", EPOLL_CTL_DEL},
	{"IN", EPOLLIN},
	{"PRI", EPOLLPRI},
	{"OUT", EPOLLOUT},
	{"ERR", EPOLLERR},
	{"HUP", EPOLLHUP},
	{"RDNORM", EPOLLRDNORM},
	{"RDBAND", EPOLLRDBAND},
	{"WRNORM", EPOLLWRNORM},
	{"WRBAND", EPOLLWRBAND},
	{"MSG", EPOLLMSG},
	{"RDHUP", EPOLLRDHUP},
	{"EXCLUSIVE", EPOLLEXCLUSIVE},
	{"WAKEUP", EPOLLWAKEUP},
	{"ONESHOT", EPOLLONESHOT},
	{"ET", (long)EPOLLET},
	{"EPOLL_CLOEXEC", EPOLL_CLOEXEC},
	{"EFD_SEMAPHORE", EFD_SEMAPHORE},
	{"EFD_NONBLOCK", EFD_NONBLOCK},
	{"EFD_CLOEXEC", EFD_CLOEXEC},
	{"O_NONBLOCK", O_NONBLOCK},
	{"O_CLOEXEC", O_CLOEXEC},
	{"O_DIRECT", O_DIRECT},
	{"F_DUPFD", F_DUPFD},
	{"F_DUPFD_CLOEXEC", F_DUPFD_CLOEXEC},
	{"F_GETFD", F_GETFD},
	{"F_SETFD", F_SETFD},
	{"F_GETFL", F_GETFL},
	{"F_SETFL", F_SETFL},
	{"FD_CLOEXEC", FD_CLOEXEC},
	{"SOCK_STREAM", SOCK_STREAM},
	{"SOCK_DGRAM", SOCK_DGRAM},
	{"SOCK_SEQPACKET", SOCK_SEQPACKET},
	{"SOCK_NONBLOCK", SOCK_NONBLOCK},
	{"SOCK_CLOEXEC", SOCK_CLOEXEC},
	{"MSG_DONTWAIT", MSG_DONTWAIT},
	{"MSG_NOSIGNAL", MSG_NOSIGNAL},
	{"MSG_PEEK", MSG_PEEK},
	{"MSG_OOB", MSG_OOB},
	{"MSG_CMSG_CLOEXEC", MSG_CMSG_CLOEXEC},
	{"SHUT_RD", SHUT_RD},
	{"SHUT_WR", SHUT_WR},
	{"SHUT_RDWR", SHUT_RDWR},
	{"CLOCK_MONOTONIC", CLOCK_MONOTONIC},
	{"CLOCK_REALTIME", CLOCK_REALTIME},
	{"CLOCK_BOOTTIME", CLOCK_BOOTTIME},
	{"TFD_NONBLOCK", TFD_NONBLOCK},
	{"TFD_CLOEXEC", TFD_CLOEXEC},
	{"FIONREAD", FIONREAD},
	{"FIONBIO", FIONBIO},
	{"EPIOCGPARAMS", IOCTL_GET_BUSY_POLL},
	{"SEEK_SET", SEEK_SET},
	{"SEEK_CUR", SEEK_CUR},
	{"SA_RESTART", SA_RESTART},
	{"CLONE_FILES", CLONE_FILES},
	{"NONE", -1},
	{"EMPTY", 0},
	{"USR1", 1L << (SIGUSR1 - 1)},
};

bool name_value(const char *name, long *value)
{
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (strcmp(names[i].name, name) == 0) {
			*value = names[i].value;
			return true;
		}
	}
	return false;
}
