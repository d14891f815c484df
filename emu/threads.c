/* SPDX-License-Identifier: MIT */
/*
 * What is known of the threads, by id.
 *
 * A thread's pidfd (PIDFD_THREAD, Linux 6.9) names it for good: once it ended
 * the pidfd answers ESRCH, so a reused id is never mistaken for it, and the
 * pidfd becoming readable is what ends our record. Older kernels have pidfds
 * of processes only; there a record lives as long as its process, or until its
 * thread is found to have ended.
 *
 * When the table of descriptors is full a thread is served without a pidfd of
 * its own. Then the time at which it was started tells whether an id is still
 * its, and the sweep finds out that it ended. It gets a pidfd once there is
 * room again.
 */
#include "threads.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "memory.h"
#include "room.h"
#include "target.h"

#ifndef PIDFD_THREAD
#define PIDFD_THREAD O_EXCL
#endif

#define BUCKETS 1024

/* So many records may be of threads that ended, beside as many as live. */
#define SPARE_RECORDS 64

struct emu_threads {
	struct emu_loop *loop;
	void (*gone)(void *ctx, struct emu_thread *thread);
	void *ctx;
	bool of_processes; /* pidfds are: before Linux 6.9 */
	struct emu_list untold; /* threads whose end nobody tells */
	size_t untold_count;
	size_t untold_most; /* from so many on, those that ended are looked for
			     */
	struct emu_list buckets[BUCKETS];
};

/* Does the kernel have pidfds of threads? Any answer but EINVAL says so. */
static bool has_thread_pidfds(void)
{
	pid_t self = (pid_t)syscall(SYS_gettid);
	int fd = (int)syscall(SYS_pidfd_open, self, PIDFD_THREAD);

	if (fd >= 0)
		close(fd);
	return fd >= 0 || errno != EINVAL;
}

struct emu_threads *emu_threads_create(struct emu_loop *loop,
	void (*gone)(void *ctx, struct emu_thread *thread), void *ctx)
{
	struct emu_threads *threads = calloc(1, sizeof(*threads));

	if (!threads)
		return NULL;
	threads->loop = loop;
	threads->gone = gone;
	threads->ctx = ctx;
	threads->of_processes = !has_thread_pidfds();
	emu_list_init(&threads->untold);
	for (int i = 0; i < BUCKETS; i++)
		emu_list_init(&threads->buckets[i]);
	return threads;
}

static struct emu_list *bucket(struct emu_threads *threads, pid_t tid)
{
	return &threads->buckets[(unsigned int)tid % BUCKETS];
}

static void close_descriptors(struct emu_thread *thread)
{
	if (thread->pidfd >= 0)
		close(thread->pidfd);
	if (thread->syscall_fd >= 0)
		close(thread->syscall_fd);
	if (thread->stat_fd >= 0)
		close(thread->stat_fd);
	thread->pidfd = -1;
	thread->syscall_fd = -1;
	thread->stat_fd = -1;
}

static void leave_untold(struct emu_thread *thread)
{
	if (emu_list_empty(&thread->untold))
		return;
	emu_list_remove(&thread->untold);
	thread->threads->untold_count--;
}

void emu_threads_drop(struct emu_thread *thread)
{
	struct emu_threads *threads = thread->threads;

	threads->gone(threads->ctx, thread);
	if (thread->pidfd >= 0)
		emu_loop_remove(threads->loop, thread->pidfd, &thread->source);
	close_descriptors(thread);
	leave_untold(thread);
	emu_list_remove(&thread->link);
	emu_free(&emu_memory, thread, sizeof(*thread));
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

/* Is the record of a thread that is gone? Its pidfd would say so otherwise. */
static bool is_stale(struct emu_thread *thread)
{
	struct emu_stat stat;
	int rc;

	if (thread->pidfd < 0) {
		rc = emu_target_stat(thread->tid, &stat);
		return rc == 0 ? stat.started != thread->started : rc == -ESRCH;
	}
	return thread->threads->of_processes && emu_target_has_ended(thread);
}

int emu_threads_open(const struct emu_thread *thread)
{
	bool of_process = thread->threads->of_processes;
	int fd = (int)syscall(SYS_pidfd_open,
		of_process ? thread->tgid : thread->tid,
		of_process ? 0 : PIDFD_THREAD);

	if (fd >= 0)
		return fd;
	/* A thread that has ended is EINVAL, too, as long as its id is kept. */
	return errno == EINVAL ? -ESRCH : -errno;
}

/*
 * Tries to get the descriptors that tell the thread's end. Errors: -ESRCH;
 * else there is no room for them, and nothing has changed.
 */
static int attend(struct emu_thread *thread)
{
	struct emu_threads *threads = thread->threads;
	int fd = emu_threads_open(thread);
	int rc;

	if (fd < 0)
		return fd;
	fd = emu_room_keep(fd);
	if (fd < 0)
		return fd;
	thread->pidfd = fd;
	rc = emu_loop_add(threads->loop, fd, EPOLLIN, &thread->source);
	/* The file of /proc is the old thread's when the id is another's. */
	if (rc == 0 && threads->of_processes && !emu_target_keep(thread)) {
		emu_loop_remove(threads->loop, fd, &thread->source);
		rc = -EMFILE;
	}
	if (rc < 0)
		close_descriptors(thread);
	return rc;
}

/* Is its end told? Before Linux 6.9 only that of its whole process is. */
static void note_untold(struct emu_thread *thread)
{
	struct emu_threads *threads = thread->threads;

	leave_untold(thread);
	if (thread->pidfd < 0 || threads->of_processes) {
		emu_list_add_tail(&thread->untold, &threads->untold);
		threads->untold_count++;
	}
}

/*
 * A process may go through any number of threads whose end nobody tells. They
 * are looked through when there are twice as many records as lived last time.
 */
static void drop_ended(struct emu_threads *threads)
{
	if (threads->untold_count < threads->untold_most)
		return;
	emu_threads_sweep(threads, 0);
	threads->untold_most = 2 * threads->untold_count + SPARE_RECORDS;
}

/* Finds out what the record is of, and has its end told if there is room. */
static int identify(struct emu_thread *thread)
{
	struct emu_stat stat;
	int rc;

	thread->tgid = emu_target_process_of(thread->tid);
	if (thread->tgid < 0)
		return thread->tgid;
	if (attend(thread) == 0)
		return 0;
	rc = emu_target_stat(thread->tid, &stat);
	if (rc == 0)
		thread->started = stat.started;
	return rc;
}

static struct emu_thread *add(struct emu_threads *threads, pid_t tid)
{
	struct emu_thread *thread = emu_alloc(&emu_memory, sizeof(*thread));

	if (!thread)
		return NULL;
	thread->tid = tid;
	thread->threads = threads;
	thread->pidfd = -1;
	thread->syscall_fd = -1;
	thread->stat_fd = -1;
	thread->source.ready = thread_ended;
	emu_list_init(&thread->untold);
	if (identify(thread) < 0) {
		emu_free(&emu_memory, thread, sizeof(*thread));
		return NULL;
	}
	note_untold(thread);
	emu_list_add_head(&thread->link, bucket(threads, tid));
	return thread;
}

struct emu_thread *emu_threads_get(struct emu_threads *threads, pid_t tid)
{
	struct emu_thread *thread = emu_threads_find(threads, tid);

	if (thread && is_stale(thread)) {
		emu_threads_drop(thread);
		thread = NULL;
	}
	if (!thread) {
		drop_ended(threads);
		return add(threads, tid);
	}
	if (thread->pidfd < 0 && attend(thread) == 0)
		note_untold(thread);
	return thread;
}

bool emu_threads_sweep(struct emu_threads *threads, size_t budget)
{
	struct emu_list *list = &threads->untold;

	if (budget == 0 || budget > threads->untold_count)
		budget = threads->untold_count;
	while (budget-- > 0 && !emu_list_empty(list)) {
		struct emu_thread *thread =
			emu_container_of(list->next, struct emu_thread, untold);

		emu_list_remove(&thread->untold);
		emu_list_add_tail(&thread->untold, list);
		if (is_stale(thread))
			emu_threads_drop(thread);
	}
	return !emu_list_empty(list);
}

bool emu_threads_of_processes(const struct emu_threads *threads)
{
	return threads->of_processes;
}

void emu_threads_kill(struct emu_thread *thread)
{
	if (thread->pidfd >= 0)
		syscall(SYS_pidfd_send_signal, thread->pidfd, SIGKILL, NULL, 0);
	else if (!is_stale(thread))
		kill(thread->tid, SIGKILL);
}
