/* SPDX-License-Identifier: MIT */
/*
 * An older kernel for epemu itself: a library to preload.
 *
 * epemu finds out which of the newer things a kernel has, and goes other ways
 * without them. tests/vm boots kernels that lack some; here each of them is
 * taken away on the kernel that is there, with the errno that a kernel without
 * it gives. EPEMU_OLDER lists what goes, with commas between:
 *
 *   kcmp          kcmp(2), which a kernel may be built without (CONFIG_KCMP)
 *   thread-pidfd  PIDFD_THREAD, Linux 6.9
 *   sync-wake-up  SECCOMP_IOCTL_NOTIF_SET_FLAGS, Linux 6.6
 *   pipe-nowait   RWF_NOWAIT for a write to a pipe, Linux 6.4
 *
 * The programs under epemu do not get the library. The file EPEMU_OLDER_MARK,
 * a dot and the word is made when it was first refused.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/seccomp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#ifndef PIDFD_THREAD
#define PIDFD_THREAD O_EXCL
#endif
#ifndef SECCOMP_IOCTL_NOTIF_SET_FLAGS
#define SECCOMP_IOCTL_NOTIF_SET_FLAGS SECCOMP_IOW(4, __u64)
#endif

#define EXPORT __attribute__((visibility("default")))

/* The function of this name that is hidden by ours. */
#define NEXT(name)                     \
	static __typeof__(name) *next; \
	if (!next)                     \
	*(void **)&next = dlsym(RTLD_NEXT, #name)

enum { KCMP, THREAD_PIDFD, SYNC_WAKE_UP, PIPE_NOWAIT, FEATURES };

static const char *const names[FEATURES] = {
	"kcmp",
	"thread-pidfd",
	"sync-wake-up",
	"pipe-nowait",
};
static bool gone[FEATURES];
static bool marked[FEATURES];

static void take_away(const char *name)
{
	for (int i = 0; i < FEATURES; i++) {
		if (strcmp(name, names[i]) == 0) {
			gone[i] = true;
			return;
		}
	}
	fprintf(stderr, "older: EPEMU_OLDER: no '%s'\n", name);
	_exit(125);
}

__attribute__((constructor)) static void begin(void)
{
	const char *setting = getenv("EPEMU_OLDER");
	char *words = strdup(setting ? setting : "");
	char *rest = words;
	char *word;

	unsetenv("LD_PRELOAD");
	while (words && (word = strsep(&rest, ",")))
		if (*word)
			take_away(word);
	free(words);
}

/* Fails as a kernel does that has never heard of it. */
static int refuse(int feature, int error)
{
	const char *mark = getenv("EPEMU_OLDER_MARK");
	char path[4096];
	int fd;

	if (mark && !marked[feature]) {
		marked[feature] = true;
		snprintf(path, sizeof(path), "%s.%s", mark, names[feature]);
		fd = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
		if (fd >= 0)
			close(fd);
	}
	errno = error;
	return -1;
}

EXPORT int ioctl(int fd, unsigned long request, ...)
{
	NEXT(ioctl);
	va_list args;
	void *arg;

	va_start(args, request);
	arg = va_arg(args, void *);
	va_end(args);
	if (gone[SYNC_WAKE_UP] && request == SECCOMP_IOCTL_NOTIF_SET_FLAGS)
		return refuse(SYNC_WAKE_UP, EINVAL);
	return next(fd, request, arg);
}

EXPORT long syscall(long nr, ...)
{
	NEXT(syscall);
	long words[6];
	va_list args;

	va_start(args, nr);
	for (int i = 0; i < 6; i++)
		words[i] = va_arg(args, long);
	va_end(args);
	if (gone[KCMP] && nr == SYS_kcmp)
		return refuse(KCMP, ENOSYS);
	if (gone[THREAD_PIDFD] && nr == SYS_pidfd_open &&
		(words[1] & PIDFD_THREAD))
		return refuse(THREAD_PIDFD, EINVAL);
	return next(
		nr, words[0], words[1], words[2], words[3], words[4], words[5]);
}

static bool is_pipe(int fd)
{
	struct stat status;

	return fstat(fd, &status) == 0 && S_ISFIFO(status.st_mode);
}

EXPORT ssize_t pwritev2(
	int fd, const struct iovec *iov, int count, off_t offset, int flags)
{
	NEXT(pwritev2);

	if (gone[PIPE_NOWAIT] && (flags & RWF_NOWAIT) && is_pipe(fd))
		return refuse(PIPE_NOWAIT, EOPNOTSUPP);
	return next(fd, iov, count, offset, flags);
}
