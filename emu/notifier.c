/* SPDX-License-Identifier: MIT */
/*
 * The ioctls of the listener. Each is one system call; there is no state.
 */
#include "notifier.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <string.h>
#include <sys/ioctl.h>

/* Linux 6.6 */
#ifndef SECCOMP_IOCTL_NOTIF_SET_FLAGS
#define SECCOMP_IOCTL_NOTIF_SET_FLAGS SECCOMP_IOW(4, __u64)
#define SECCOMP_USER_NOTIF_FD_SYNC_WAKE_UP (1UL << 0)
#endif

/* The kernel may know longer forms of these; it refuses shorter ones only. */
union notif {
	struct seccomp_notif notif;
	char room[256];
};

union resp {
	struct seccomp_notif_resp resp;
	char room[128];
};

void emu_notifier_tune(int listener)
{
	/* Refused before 6.6: then wake-ups merely cost more. */
	ioctl(listener, SECCOMP_IOCTL_NOTIF_SET_FLAGS,
		SECCOMP_USER_NOTIF_FD_SYNC_WAKE_UP);
}

int emu_notifier_receive(int listener, struct emu_notification *notification)
{
	union notif in;

	memset(&in, 0, sizeof(in));
	if (ioctl(listener, SECCOMP_IOCTL_NOTIF_RECV, &in) < 0)
		return -errno;
	notification->id = in.notif.id;
	notification->tid = (pid_t)in.notif.pid;
	notification->nr = in.notif.data.nr;
	notification->arch = in.notif.data.arch;
	notification->ip = in.notif.data.instruction_pointer;
	for (int i = 0; i < 6; i++)
		notification->args[i] = in.notif.data.args[i];
	return 0;
}

static int send_answer(
	int listener, uint64_t id, int64_t result, uint32_t flags)
{
	union resp out;
	int rc;

	memset(&out, 0, sizeof(out));
	out.resp.id = id;
	out.resp.flags = flags;
	if (result < 0)
		out.resp.error = (int)result;
	else
		out.resp.val = result;

	do { /* its lock is taken interruptibly */
		rc = ioctl(listener, SECCOMP_IOCTL_NOTIF_SEND, &out);
	} while (rc < 0 && errno == EINTR);
	return rc < 0 ? -errno : 0;
}

int emu_notifier_answer(int listener, uint64_t id, int64_t result)
{
	return send_answer(listener, id, result, 0);
}

int emu_notifier_continue(int listener, uint64_t id)
{
	return send_answer(listener, id, 0, SECCOMP_USER_NOTIF_FLAG_CONTINUE);
}

int emu_notifier_give_fd(
	int listener, uint64_t id, int fd, bool cloexec, bool answer)
{
	struct seccomp_notif_addfd add = {
		.id = id,
		.flags = answer ? SECCOMP_ADDFD_FLAG_SEND : 0,
		.srcfd = (uint32_t)fd,
		.newfd_flags = cloexec ? O_CLOEXEC : 0,
	};
	int number;

	do { /* its lock is taken interruptibly */
		number = ioctl(listener, SECCOMP_IOCTL_NOTIF_ADDFD, &add);
	} while (number < 0 && errno == EINTR);
	return number < 0 ? -errno : number;
}

bool emu_notifier_has_ended(int listener)
{
	struct pollfd look = {.fd = listener};

	do /* POLLERR alone: a signal cut off the look, as for listener_ready */
		poll(&look, 1, 0);
	while (look.revents == POLLERR);
	return look.revents & POLLHUP;
}

bool emu_notifier_valid(int listener, uint64_t id)
{
	int rc;

	do {
		rc = ioctl(listener, SECCOMP_IOCTL_NOTIF_ID_VALID, &id);
	} while (rc < 0 && errno == EINTR);
	return rc == 0;
}
