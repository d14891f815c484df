/* SPDX-License-Identifier: MIT */
/*
 * Descriptors of the launcher's processes.
 *
 * Two rules are kept here. What epemu opens before the program runs is
 * close-on-exec and never one of 0, 1 and 2: those that the user left closed
 * stay free, for the program to see. And a helper process keeps nothing that
 * it inherited, since a pipe's reader would otherwise wait for a process that
 * will never write.
 */
#define _GNU_SOURCE
#include "launcher/fds.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

int emu_fds_raise(int fd)
{
	int high;

	if (fd < 0 || fd > STDERR_FILENO)
		return fd;
	high = fcntl(fd, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
	if (high < 0)
		high = -errno;
	close(fd);
	return high;
}

int emu_fds_pair(int pair[2])
{
	int ends[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0)
		return -errno;
	ends[0] = emu_fds_raise(ends[0]);
	ends[1] = emu_fds_raise(ends[1]);
	if (ends[0] < 0 || ends[1] < 0) {
		close(ends[0] < 0 ? ends[1] : ends[0]);
		return ends[0] < 0 ? ends[0] : ends[1];
	}
	memcpy(pair, ends, sizeof(ends));
	return 0;
}

void emu_fds_drop_stdio(int with_stderr)
{
	int last = with_stderr ? STDERR_FILENO : STDOUT_FILENO;
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	int fd;

	for (fd = STDIN_FILENO; fd <= last; fd++) {
		if (null >= 0 && null != fd)
			dup2(null, fd);
		else if (null < 0)
			close(fd);
	}
	/* One of the standard ones was closed and is what open() gave. */
	if (null > last)
		close(null);
}

static int compare_fds(const void *a, const void *b)
{
	int left = *(const int *)a, right = *(const int *)b;

	return (left > right) - (left < right);
}

void emu_fds_close_others(const int *keep, size_t count)
{
	unsigned int from = STDERR_FILENO + 1;
	int sorted[8];
	size_t i;

	if (count > sizeof(sorted) / sizeof(sorted[0]))
		abort();
	memcpy(sorted, keep, count * sizeof(*keep));
	qsort(sorted, count, sizeof(*sorted), compare_fds);
	for (i = 0; i < count; i++) {
		if (sorted[i] < (int)from)
			continue;
		if (sorted[i] > (int)from)
			syscall(SYS_close_range, from, sorted[i] - 1, 0);
		from = sorted[i] + 1;
	}
	syscall(SYS_close_range, from, UINT_MAX, 0);
}

void emu_fds_raise_limit(void)
{
	FILE *file = fopen("/proc/sys/fs/nr_open", "re");
	struct rlimit limit;
	unsigned long most = 0;

	if (file && fscanf(file, "%lu", &most) == 1) {
		limit.rlim_cur = limit.rlim_max = most;
		setrlimit(RLIMIT_NOFILE, &limit);
	}
	if (file)
		fclose(file);
	getrlimit(RLIMIT_NOFILE, &limit);
	limit.rlim_cur = limit.rlim_max;
	setrlimit(RLIMIT_NOFILE, &limit);
}

void emu_fds_leave_folder(void)
{
	/* Where / cannot be entered, staying is the best that can be done. */
	if (chdir("/") < 0)
		return;
}

/* Space for one descriptor as ancillary data. */
union ancillary {
	struct cmsghdr header;
	char space[CMSG_SPACE(sizeof(int))];
};

int emu_fds_send(int socket, int fd)
{
	union ancillary ancillary = {.header = {
					     .cmsg_len = CMSG_LEN(sizeof(int)),
					     .cmsg_level = SOL_SOCKET,
					     .cmsg_type = SCM_RIGHTS,
				     }};
	struct iovec data = {.iov_base = (char[]){0}, .iov_len = 1};
	struct msghdr message = {
		.msg_iov = &data,
		.msg_iovlen = 1,
		.msg_control = &ancillary,
		.msg_controllen = sizeof(ancillary),
	};

	memcpy(CMSG_DATA(&ancillary.header), &fd, sizeof(fd));
	return sendmsg(socket, &message, MSG_NOSIGNAL) < 0 ? -errno : 0;
}

ssize_t emu_fds_receive(int socket, void *data, size_t size, int *fd)
{
	union ancillary ancillary;
	struct iovec vector = {.iov_base = data, .iov_len = size};
	struct msghdr message = {
		.msg_iov = &vector,
		.msg_iovlen = 1,
		.msg_control = &ancillary,
		.msg_controllen = sizeof(ancillary),
	};
	struct cmsghdr *header;
	ssize_t received;

	do
		received = recvmsg(socket, &message, MSG_CMSG_CLOEXEC);
	while (received < 0 && errno == EINTR);
	if (received < 0)
		return -errno;
	*fd = -1;
	header = CMSG_FIRSTHDR(&message);
	if (header && header->cmsg_type == SCM_RIGHTS)
		memcpy(fd, CMSG_DATA(header), sizeof(*fd));
	return received;
}
