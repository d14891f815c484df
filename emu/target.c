/* SPDX-License-Identifier: MIT */
/*
 * The host calls that reach into a thread of a traced program.
 *
 * Everything is addressed by thread, never by process: threads need not share
 * a descriptor table (unshare(CLONE_FILES)), processes may share one, and the
 * leader may have exited.
 *
 * Memory is read and written by thread id while the thread sits in a call
 * that it cannot leave unnoticed for long; whoever writes into a call that
 * was parked has the notifier confirm first that it still stands.
 */
#include "target.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/kcmp.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "mapping.h"
#include "proc.h"
#include "room.h"

/* So often a thread that is about to sleep is looked at. */
#define TRIES 50

static ssize_t read_status(pid_t tid, char *text, size_t size)
{
	char path[64];
	ssize_t length;

	snprintf(path, sizeof(path), "/proc/%d/status", (int)tid);
	length = emu_proc_read_status(path, text, size);
	return length == -ENOENT ? -ESRCH : length;
}

static int status_value(
	const char *text, const char *name, int base, uint64_t *value)
{
	char key[32];
	const char *line;

	snprintf(key, sizeof(key), "\n%s:\t", name);
	line = strstr(text, key);
	if (!line)
		return -ENOENT;
	*value = strtoull(line + strlen(key), NULL, base);
	return 0;
}

static int status_line(pid_t tid, const char *name, int base, uint64_t *value)
{
	char text[4096];
	ssize_t length = read_status(tid, text, sizeof(text));

	return length < 0 ? (int)length : status_value(text, name, base, value);
}

int emu_target_stat(pid_t tid, struct emu_stat *stat)
{
	char path[48];
	char text[1024];
	const char *at;
	ssize_t rc;

	/* Elsewhere the times are those of its process. */
	snprintf(path, sizeof(path), "/proc/%d/task/%d/stat", (int)tid,
		(int)tid);
	rc = emu_proc_read(path, text, sizeof(text));
	if (rc < 0)
		return emu_proc_no_room((int)rc) ? (int)rc : -ESRCH;
	at = strrchr(text, ')'); /* the name, field 2, may have any bytes */
	if (!at ||
		sscanf(at,
			") %c %*d %*d %*d %*d %*d %u %*u %*u %*u %*u %lu %*u "
			"%*d %*d %*d %*d %*d %*d %llu",
			&stat->state, &stat->flags, &stat->user_ticks,
			&stat->started) != 4)
		return -ESRCH;
	return 0;
}

int emu_target_signals(pid_t tid, uint64_t *own, uint64_t *shared)
{
	char text[4096];
	ssize_t length = read_status(tid, text, sizeof(text));

	*own = 0;
	*shared = 0;
	if (length < 0)
		return (int)length;
	status_value(text, "SigPnd", 16, own);
	status_value(text, "ShdPnd", 16, shared);
	return 0;
}

uint64_t emu_target_pending(const struct emu_thread *thread)
{
	uint64_t own, shared;

	emu_target_signals(thread->tid, &own, &shared);
	return own | shared;
}

uint64_t emu_target_reads(pid_t pid)
{
	static const char key[] = "syscr: ";
	char path[32];
	char text[512];
	const char *at;

	snprintf(path, sizeof(path), "/proc/%d/io", (int)pid);
	emu_proc_read(path, text, sizeof(text));
	at = strstr(text, key);
	return at ? strtoull(at + sizeof(key) - 1, NULL, 10) : 0;
}

int emu_target_status(
	const struct emu_thread *thread, const char *name, uint64_t *value)
{
	return status_line(thread->tid, name, 16, value);
}

/* signal(7): the actions by default. */
static enum emu_disposition by_default(int sig)
{
	switch (sig) {
	case SIGCHLD:
	case SIGCONT:
	case SIGURG:
	case SIGWINCH:
		return EMU_SIGNAL_IGNORED;
	case SIGSTOP:
	case SIGTSTP:
	case SIGTTIN:
	case SIGTTOU:
		return EMU_SIGNAL_STOPS;
	default:
		return EMU_SIGNAL_ENDS;
	}
}

enum emu_disposition emu_target_disposition(
	const struct emu_thread *thread, int sig)
{
	uint64_t bit = 1ull << (sig - 1);
	uint64_t caught = 0, ignored = 0;
	char text[4096];

	if (read_status(thread->tid, text, sizeof(text)) > 0) {
		status_value(text, "SigCgt", 16, &caught);
		status_value(text, "SigIgn", 16, &ignored);
	}
	if (caught & bit)
		return EMU_SIGNAL_CAUGHT;
	return ignored & bit ? EMU_SIGNAL_IGNORED : by_default(sig);
}

int emu_target_number(
	const struct emu_thread *thread, const char *name, uint64_t *value)
{
	return status_line(thread->tid, name, 10, value);
}

pid_t emu_target_process_of(pid_t tid)
{
	uint64_t tgid = 0;
	int rc = status_line(tid, "Tgid", 10, &tgid);

	return rc < 0 ? rc : (pid_t)tgid;
}

pid_t emu_target_parent_of(pid_t process)
{
	uint64_t parent = 0;

	status_line(process, "PPid", 10, &parent);
	return (pid_t)parent;
}

bool emu_target_killed(const struct emu_thread *thread)
{
	char text[4096];
	uint64_t pending = 0;
	ssize_t rc;

	rc = read_status(thread->tid, text, sizeof(text));
	if (rc < 0)
		return !emu_proc_no_room((int)rc);
	if (strstr(text, "\nState:\tZ") || strstr(text, "\nState:\tX"))
		return true;
	status_value(text, "SigPnd", 16, &pending);
	return pending >> (SIGKILL - 1) & 1;
}

static int open_task(const struct emu_thread *thread, const char *name)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/task/%d/%s", (int)thread->tid,
		(int)thread->tid, name);
	return open(path, O_RDONLY | O_CLOEXEC);
}

/* Keeps a file of /proc/TID/task/TID open, if there is room. */
static bool keep(const struct emu_thread *thread, const char *name, int *fd)
{
	if (*fd < 0)
		*fd = emu_room_keep(open_task(thread, name));
	return *fd >= 0;
}

bool emu_target_keep(struct emu_thread *thread)
{
	return keep(thread, "syscall", &thread->syscall_fd);
}

/* Reads such a file, from its beginning, and keeps it open. */
static ssize_t read_kept(const struct emu_thread *thread, const char *name,
	int *kept, char *text, size_t size)
{
	bool is_kept = keep(thread, name, kept);
	int fd = is_kept ? *kept : open_task(thread, name);
	ssize_t length;

	if (fd < 0)
		return -errno;
	length = pread(fd, text, size - 1, 0);
	if (length < 0)
		length = -errno;
	else
		text[length] = '\0';
	if (!is_kept)
		close(fd);
	return length;
}

static ssize_t read_syscall(struct emu_thread *thread, char *text, size_t size)
{
	return read_kept(thread, "syscall", &thread->syscall_fd, text, size);
}

bool emu_target_has_ended(struct emu_thread *thread)
{
	char text[256];

	return read_syscall(thread, text, sizeof(text)) == -ESRCH;
}

int emu_target_open_memory(pid_t tid)
{
	char path[48];

	snprintf(path, sizeof(path), "/proc/%d/mem", (int)tid);
	return open(path, O_RDONLY | O_CLOEXEC);
}

/*
 * Nothing is mapped at `addr`, it seems. If a stack is above, it grows down to
 * there, as it does when the thread itself uses the address; process_vm_readv()
 * does not make it grow (since Linux 6.5), reading /proc/TID/mem does. How far
 * goes by the limit of whoever reads.
 */
static void grow_stack(const struct emu_thread *thread, uint64_t addr)
{
	struct rlimit own, its;
	char byte;
	ssize_t n;
	int fd;

	if (getrlimit(RLIMIT_STACK, &own) < 0)
		return;
	if (prlimit(thread->tid, RLIMIT_STACK, NULL, &its) < 0)
		its = own;
	fd = emu_target_open_memory(thread->tid);
	if (fd < 0)
		return;
	its.rlim_max = own.rlim_max;
	if (its.rlim_cur > its.rlim_max)
		its.rlim_cur = its.rlim_max;
	setrlimit(RLIMIT_STACK, &its);
	n = pread(fd, &byte, 1, (off_t)addr);
	(void)n; /* that it was tried is all that counts */
	setrlimit(RLIMIT_STACK, &own);
	close(fd);
}

/* process_vm_readv() goes by what mmap(2) was told. */
static ssize_t read_what_may_be_written(const struct emu_thread *thread,
	uint64_t addr, void *buffer, size_t size)
{
	ssize_t n = -1;
	int fd = -1;

	if (emu_mapping_covers(thread->tid, addr, size))
		fd = emu_target_open_memory(thread->tid);
	if (fd >= 0) {
		n = pread(fd, buffer, size, (off_t)addr);
		close(fd);
	}
	errno = EFAULT;
	return n;
}

int emu_target_read(const struct emu_thread *thread, uint64_t addr,
	void *buffer, size_t size)
{
	struct iovec local = {buffer, size};
	struct iovec remote = {(void *)(uintptr_t)addr, size};
	ssize_t n = process_vm_readv(thread->tid, &local, 1, &remote, 1, 0);

	if (n < 0 && errno == EFAULT) {
		grow_stack(thread, addr);
		n = process_vm_readv(thread->tid, &local, 1, &remote, 1, 0);
	}
	if (n < 0 && errno == EFAULT)
		n = read_what_may_be_written(thread, addr, buffer, size);
	if (n == (ssize_t)size)
		return 0;
	return n < 0 ? -errno : -EFAULT;
}

ssize_t emu_target_gather(const struct emu_thread *thread,
	const uint64_t *addrs, uint64_t *words, size_t count)
{
	struct iovec remote[64];
	size_t done = 0;

	while (done < count) {
		struct iovec local = {words + done, 0};
		size_t part = 0;
		ssize_t n;

		for (; part < 64 && done + part < count; part++) {
			remote[part].iov_base =
				(void *)(uintptr_t)addrs[done + part];
			remote[part].iov_len = sizeof(*words);
		}
		local.iov_len = part * sizeof(*words);
		n = process_vm_readv(thread->tid, &local, 1, remote, part, 0);
		if (n < 0 && done == 0)
			return -errno;
		if (n > 0)
			done += (size_t)n / sizeof(*words);
		if (n != (ssize_t)local.iov_len)
			break;
	}
	return (ssize_t)done;
}

ssize_t emu_target_write(const struct emu_thread *thread, uint64_t addr,
	const void *buffer, size_t size)
{
	struct iovec local = {(void *)(uintptr_t)buffer, size};
	struct iovec remote = {(void *)(uintptr_t)addr, size};
	ssize_t n = process_vm_writev(thread->tid, &local, 1, &remote, 1, 0);

	if (n < 0 && errno == EFAULT) {
		grow_stack(thread, addr);
		n = process_vm_writev(thread->tid, &local, 1, &remote, 1, 0);
	}
	return n < 0 ? -errno : n;
}

/*
 * A process's pidfd leads to its leader's table; is that the thread's, too?
 * Where the kernel has no kcmp() that is taken for granted.
 */
static int check_own(const struct emu_thread *thread, int fd, int copy)
{
	long order =
		syscall(SYS_kcmp, thread->tid, getpid(), KCMP_FILE, fd, copy);

	if (order > 0)
		return -ESRCH;
	return order < 0 && errno == EBADF ? -EBADF : 0;
}

static int fetch(const struct emu_thread *thread, int pidfd, int fd)
{
	int copy = (int)syscall(SYS_pidfd_getfd, pidfd, fd, 0);
	int rc = 0;

	if (copy < 0)
		return -errno;
	if (emu_threads_of_processes(thread->threads))
		rc = check_own(thread, fd, copy);
	if (rc < 0)
		close(copy);
	return rc < 0 ? rc : copy;
}

int emu_target_fetch(struct emu_thread *thread, int fd)
{
	bool own = thread->pidfd < 0;
	int pidfd = own ? emu_threads_open(thread) : thread->pidfd;
	int copy;

	if (pidfd < 0)
		return pidfd;
	copy = fetch(thread, pidfd, fd);
	/* Another thread may have put another file there just then. */
	for (int tries = 0; tries < TRIES && copy == -ESRCH; tries++)
		copy = fetch(thread, pidfd, fd);
	if (own)
		close(pidfd);
	return copy;
}

bool emu_target_asleep(struct emu_thread *thread)
{
	char text[128]; /* ends after the state, which follows the name */
	const char *name_end;

	if (read_kept(thread, "stat", &thread->stat_fd, text, sizeof(text)) < 0)
		return false;
	name_end = strrchr(text, ')');
	return name_end && strncmp(name_end, ") S", 3) == 0;
}

int emu_target_stack(struct emu_thread *thread, uint64_t *sp)
{
	char text[256];
	unsigned long long value;

	/* "running" until the thread has left its processor. */
	for (int tries = 0; tries < TRIES; tries++) {
		ssize_t length = read_syscall(thread, text, sizeof(text));

		if (length < 0)
			return (int)length;
		if (sscanf(text, "%*s %*s %*s %*s %*s %*s %*s %llx", &value) ==
			1) {
			*sp = value;
			return 0;
		}
		sched_yield();
	}
	return -EAGAIN;
}
