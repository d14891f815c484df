/* SPDX-License-Identifier: MIT */
/*
 * Threads of the traced programs, and the host calls that reach into them.
 *
 * Everything is addressed by thread, never by process: threads need not share
 * a descriptor table (unshare(CLONE_FILES)), processes may share one, and the
 * leader may have exited. A thread's pidfd (PIDFD_THREAD, Linux 6.9) names it
 * for good: once it ended the pidfd answers ESRCH, so a reused id is never
 * mistaken for it, and the pidfd becoming readable is what ends our record.
 * Older kernels have pidfds of processes only; there a record lives as long
 * as its process, or until its thread is found to have ended.
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
#include <sys/epoll.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "proc.h"

#ifndef PIDFD_THREAD
#define PIDFD_THREAD O_EXCL
#endif

#define BUCKETS 1024

/* So many records may be of threads that ended, beside as many as live. */
#define SPARE_RECORDS 64

/* So often a thread that is about to sleep is looked at. */
#define TRIES 50

struct emu_threads {
	struct emu_loop *loop;
	void (*gone)(void *ctx, struct emu_thread *thread);
	void *ctx;
	bool no_thread_pidfd; /* before Linux 6.9 */
	size_t count;
	size_t most; /* from so many on, those that ended are looked for */
	struct emu_list buckets[BUCKETS];
};

struct emu_threads *emu_threads_create(struct emu_loop *loop,
	void (*gone)(void *ctx, struct emu_thread *thread), void *ctx)
{
	struct emu_threads *threads = calloc(1, sizeof(*threads));

	if (!threads)
		return NULL;
	threads->loop = loop;
	threads->gone = gone;
	threads->ctx = ctx;
	for (int i = 0; i < BUCKETS; i++)
		emu_list_init(&threads->buckets[i]);
	return threads;
}

static struct emu_list *bucket(struct emu_threads *threads, pid_t tid)
{
	return &threads->buckets[(unsigned int)tid % BUCKETS];
}

void emu_threads_drop(struct emu_thread *thread)
{
	struct emu_threads *threads = thread->threads;

	threads->gone(threads->ctx, thread);
	emu_loop_remove(threads->loop, thread->pidfd, &thread->source);
	close(thread->pidfd);
	if (thread->syscall_fd >= 0)
		close(thread->syscall_fd);
	emu_list_remove(&thread->link);
	threads->count--;
	free(thread);
}

void emu_threads_destroy(struct emu_threads *threads)
{
	struct emu_list *pos;
	struct emu_list *following;

	if (!threads)
		return;
	for (int i = 0; i < BUCKETS; i++) {
		emu_list_for_each_safe (pos, following, &threads->buckets[i])
			emu_threads_drop(
				emu_container_of(pos, struct emu_thread, link));
	}
	free(threads);
}

struct emu_thread *emu_threads_find(struct emu_threads *threads, pid_t tid)
{
	struct emu_list *pos;

	emu_list_for_each (pos, bucket(threads, tid)) {
		struct emu_thread *thread =
			emu_container_of(pos, struct emu_thread, link);

		if (thread->tid == tid)
			return thread;
	}
	return NULL;
}

void emu_threads_each(struct emu_threads *threads,
	void (*visit)(void *ctx, struct emu_thread *thread), void *ctx)
{
	struct emu_list *pos;
	struct emu_list *following;

	for (int i = 0; i < BUCKETS; i++) {
		emu_list_for_each_safe (pos, following, &threads->buckets[i])
			visit(ctx,
				emu_container_of(pos, struct emu_thread, link));
	}
}

static void thread_ended(struct emu_source *source, uint32_t events)
{
	if (events & (EPOLLIN | EPOLLHUP))
		emu_threads_drop(
			emu_container_of(source, struct emu_thread, source));
}

static ssize_t read_status(pid_t tid, char *text, size_t size)
{
	char path[64];
	ssize_t length;

	snprintf(path, sizeof(path), "/proc/%d/status", (int)tid);
	length = emu_proc_read(path, text, size);
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

uint64_t emu_target_pending(const struct emu_thread *thread)
{
	char text[4096];
	uint64_t own = 0;
	uint64_t shared = 0;

	if (read_status(thread->tid, text, sizeof(text)) < 0)
		return 0;
	status_value(text, "SigPnd", 16, &own);
	status_value(text, "ShdPnd", 16, &shared);
	return own | shared;
}

int emu_target_status(
	const struct emu_thread *thread, const char *name, uint64_t *value)
{
	return status_line(thread->tid, name, 16, value);
}

int emu_target_number(
	const struct emu_thread *thread, const char *name, uint64_t *value)
{
	return status_line(thread->tid, name, 10, value);
}

pid_t emu_target_process(struct emu_thread *thread)
{
	uint64_t tgid;

	if (!thread->tgid && status_line(thread->tid, "Tgid", 10, &tgid) == 0)
		thread->tgid = (pid_t)tgid;
	return thread->tgid;
}

bool emu_target_killed(const struct emu_thread *thread)
{
	char text[4096];
	uint64_t pending = 0;

	if (read_status(thread->tid, text, sizeof(text)) < 0 ||
		strstr(text, "\nState:\tZ") || strstr(text, "\nState:\tX"))
		return true;
	status_value(text, "SigPnd", 16, &pending);
	return pending >> (SIGKILL - 1) & 1;
}

static int pidfd_open_thread(struct emu_threads *threads, pid_t tid)
{
	uint64_t tgid = 0;
	int fd;

	if (!threads->no_thread_pidfd) {
		fd = (int)syscall(SYS_pidfd_open, tid, PIDFD_THREAD);
		if (fd >= 0 || errno != EINVAL)
			return fd;
		threads->no_thread_pidfd = true;
	}
	if (status_line(tid, "Tgid", 10, &tgid) < 0) {
		errno = ESRCH;
		return -1;
	}
	return (int)syscall(SYS_pidfd_open, (pid_t)tgid, 0);
}

/* Reads /proc/TID/syscall, which is kept open for the next time. */
static ssize_t read_syscall(struct emu_thread *thread, char *text, size_t size)
{
	char path[64];
	ssize_t length;

	if (thread->syscall_fd < 0) {
		snprintf(path, sizeof(path), "/proc/%d/syscall",
			(int)thread->tid);
		thread->syscall_fd = open(path, O_RDONLY | O_CLOEXEC);
	}
	if (thread->syscall_fd < 0)
		return -errno;
	length = pread(thread->syscall_fd, text, size - 1, 0);
	if (length < 0)
		return -errno;
	text[length] = '\0';
	return length;
}

/*
 * For records that their thread's pidfd cannot end: is the id another's by
 * now? The open file of /proc is of the old one.
 */
static bool has_ended(struct emu_thread *thread)
{
	char text[256];

	return read_syscall(thread, text, sizeof(text)) == -ESRCH;
}

static void drop_ended(void *ctx, struct emu_thread *thread)
{
	(void)ctx;
	if (has_ended(thread))
		emu_threads_drop(thread);
}

/*
 * A process may go through any number of threads. Before Linux 6.9 nobody
 * says that one has ended, so they are looked through when there are twice as
 * many records as threads lived last time.
 */
static void make_room(struct emu_threads *threads)
{
	if (!threads->no_thread_pidfd || threads->count < threads->most)
		return;
	emu_threads_each(threads, drop_ended, NULL);
	threads->most = 2 * threads->count + SPARE_RECORDS;
}

struct emu_thread *emu_threads_get(struct emu_threads *threads, pid_t tid)
{
	struct emu_thread *thread = emu_threads_find(threads, tid);
	int rc;

	if (thread && threads->no_thread_pidfd && has_ended(thread)) {
		emu_threads_drop(thread);
		thread = NULL;
	}
	if (thread)
		return thread;
	make_room(threads);
	thread = calloc(1, sizeof(*thread));
	if (!thread)
		return NULL;
	thread->tid = tid;
	thread->threads = threads;
	thread->syscall_fd = -1;
	thread->source.ready = thread_ended;
	thread->pidfd = pidfd_open_thread(threads, tid);
	if (thread->pidfd < 0) {
		free(thread);
		return NULL;
	}
	rc = emu_loop_add(
		threads->loop, thread->pidfd, EPOLLIN, &thread->source);
	if (rc < 0) {
		close(thread->pidfd);
		free(thread);
		errno = -rc;
		return NULL;
	}
	if (threads->no_thread_pidfd)
		has_ended(thread); /* opens the file */
	emu_list_add_head(&thread->link, bucket(threads, tid));
	threads->count++;
	return thread;
}

/*
 * Nothing is mapped at `addr`, it seems. If a stack is above, it grows down to
 * there, as it does when the thread itself uses the address; process_vm_readv()
 * does not make it grow (since Linux 6.5), reading /proc/TID/mem does.
 */
static void grow_stack(const struct emu_thread *thread, uint64_t addr)
{
	char path[48];
	char byte;
	ssize_t n;
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/mem", (int)thread->tid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return;
	n = pread(fd, &byte, 1, (off_t)addr);
	(void)n; /* that it was tried is all that counts */
	close(fd);
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

int emu_target_fetch(struct emu_thread *thread, int fd)
{
	int copy = (int)syscall(SYS_pidfd_getfd, thread->pidfd, fd, 0);
	int rc;

	if (copy < 0)
		return -errno;
	rc = thread->threads->no_thread_pidfd ? check_own(thread, fd, copy) : 0;
	if (rc < 0) {
		close(copy);
		return rc;
	}
	return copy;
}

static bool says_running(const char *text)
{
	static const char running[] = "running";

	return strncmp(text, running, sizeof(running) - 1) == 0;
}

bool emu_target_asleep(struct emu_thread *thread)
{
	char text[256];

	return read_syscall(thread, text, sizeof(text)) > 0 &&
	       !says_running(text);
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
