/* SPDX-License-Identifier: MIT */
/*
 * What epemu needs of the kernel and of the system's settings.
 *
 * Each need is asked for by using it, not by comparing version numbers, since
 * a container's own system call filter refuses calls that the kernel has. The
 * message is one line: what is missing, where it is found, what to do. What
 * epemu can do without (kcmp, the synchronous wake-up) is not asked for here.
 */
#define _GNU_SOURCE
#include "launcher/needs.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/seccomp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Linux 5.14; older headers lack it. */
#ifndef SECCOMP_ADDFD_FLAG_SEND
#define SECCOMP_ADDFD_FLAG_SEND (1UL << 1)
#endif

static bool has_capability(int capability)
{
	struct __user_cap_header_struct header = {
		.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct sets[2];

	if (syscall(SYS_capget, &header, sets) < 0)
		return false;
	return sets[capability / 32].effective & (1u << capability % 32);
}

/* 0 when Yama is absent or lets any process of the user be traced. */
static int yama_scope(void)
{
	FILE *file = fopen("/proc/sys/kernel/yama/ptrace_scope", "re");
	int scope = 0;

	if (!file)
		return 0;
	if (fscanf(file, "%d", &scope) != 1)
		scope = 0;
	fclose(file);
	return scope;
}

static int check_seccomp(const struct emu_log *log)
{
	uint32_t action = SECCOMP_RET_USER_NOTIF;
	struct seccomp_notif_sizes sizes;

	if (syscall(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 0, &action) == 0 &&
		syscall(SYS_seccomp, SECCOMP_GET_NOTIF_SIZES, 0, &sizes) == 0)
		return 0;
	if (errno == EPERM || errno == EACCES)
		emu_logf(log,
			"the seccomp(2) call is forbidden here, most likely "
			"by a container: run it with a profile that allows "
			"seccomp");
	else if (errno == EOPNOTSUPP)
		emu_logf(log,
			"this kernel has no seccomp user notification: Linux "
			"5.14 or newer is needed");
	else
		emu_logf(log,
			"this kernel has no seccomp filters (%s): Linux 5.14 "
			"or newer with CONFIG_SECCOMP_FILTER is needed",
			strerror(errno));
	return -1;
}

static int check_pidfd_getfd(const struct emu_log *log)
{
	/* Any answer but these two comes from the call itself. */
	syscall(SYS_pidfd_getfd, -1, 0, 0);
	if (errno != ENOSYS && errno != EPERM)
		return 0;
	emu_logf(log,
		"the pidfd_getfd(2) call is %s: it needs Linux 5.6 or newer, "
		"and a container must allow it",
		errno == ENOSYS ? "missing" : "forbidden");
	return -1;
}

static int check_proc(const struct emu_log *log)
{
	char self[32] = "";

	if (access("/proc/self/fdinfo", X_OK) < 0) {
		emu_logf(log, "/proc is not there: mount it (mount -t proc "
			      "proc /proc)");
		return -1;
	}
	/* Its numbers of processes would be those of others. */
	if (readlink("/proc/self", self, sizeof(self) - 1) > 0 &&
		atoi(self) == (int)getpid())
		return 0;
	emu_logf(log, "/proc is that of another pid name space: mount it "
		      "(mount -t proc proc /proc)");
	return -1;
}

static int check_yama(const struct emu_log *log)
{
	int scope = yama_scope();

	if (scope < 2 || (scope == 2 && has_capability(CAP_SYS_PTRACE)))
		return 0;
	emu_logf(log,
		"the setting kernel.yama.ptrace_scope is %d, which forbids to "
		"look into other processes: %s",
		scope,
		scope == 2 ? "set it to 1 or 0 (sysctl -w), or run epemu as "
			     "root"
			   : "set it to 1 or 0 at boot");
	return -1;
}

int emu_needs_check(const struct emu_log *log)
{
	if (check_proc(log) < 0 || check_seccomp(log) < 0 ||
		check_pidfd_getfd(log) < 0 || check_yama(log) < 0)
		return -1;
	return 0;
}

static int check_addfd(const struct emu_log *log, int listener)
{
	/* The flag came with Linux 5.14, and is not used otherwise. No call
	 * has this number, so a kernel that knows the flag looks in vain. */
	struct seccomp_notif_addfd addfd = {
		.id = UINT64_MAX,
		.flags = SECCOMP_ADDFD_FLAG_SEND,
		.srcfd = (uint32_t)listener,
	};

	if (ioctl(listener, SECCOMP_IOCTL_NOTIF_ADDFD, &addfd) < 0 &&
		errno == ENOENT)
		return 0;
	emu_logf(log,
		"this kernel's notifier is too old "
		"(SECCOMP_ADDFD_FLAG_SEND: %s): Linux 5.14 or newer is needed",
		strerror(errno));
	return -1;
}

int emu_needs_check_listener(
	const struct emu_log *log, int listener, int program_pidfd, int its_fd)
{
	int fetched;

	if (check_addfd(log, listener) < 0)
		return -1;
	fetched = syscall(SYS_pidfd_getfd, program_pidfd, its_fd, 0);
	if (fetched >= 0) {
		close(fetched);
		return 0;
	}
	if (errno == EMFILE || errno == ENFILE) {
		emu_logf(log,
			"the supervisor is out of descriptors: raise the hard "
			"limit of open files (ulimit -Hn) before starting "
			"epemu");
		return -1;
	}
	emu_logf(log,
		"the program's descriptors cannot be reached (pidfd_getfd: "
		"%s): the right to ptrace it is needed; in a container add "
		"CAP_SYS_PTRACE",
		strerror(errno));
	return -1;
}

void emu_needs_explain_filter(
	const struct emu_log *log, int error, const char *step)
{
	switch (-error) {
	case EBUSY:
		emu_logf(log,
			"already running under a seccomp supervisor (another "
			"epemu, or a container's): a process can have only "
			"one; start epemu outside of it");
		break;
	case EPERM:
	case EACCES:
		emu_logf(log,
			"%s: %s; a container or service manager forbids it: "
			"allow seccomp and prctl(PR_SET_NO_NEW_PRIVS)",
			step, strerror(-error));
		break;
	case EMFILE:
	case ENFILE:
	case ENOMEM:
		emu_logf(log,
			"%s: %s; check the limits of open files and memory",
			step, strerror(-error));
		break;
	default:
		emu_logf(log,
			"%s: %s; Linux 5.14 or newer with "
			"CONFIG_SECCOMP_FILTER is needed",
			step, strerror(-error));
	}
}
