/* SPDX-License-Identifier: MIT */
/*
 * execve(2) and what is addressed by thread id.
 *
 * The supervisor reaches into a thread by its id. execve() ends all other
 * threads of its process, and the one that makes it takes over the leader's
 * id: what was meant for the leader would reach the new image, which may be
 * set-uid. And while execve() waits for the other threads to be reaped it
 * holds a lock that ptrace(2) takes.
 *
 * So execve() is trapped and let go on at once. The supervisor is one thread,
 * hence nothing is written at that moment. From then on until it is over, the
 * process is left alone: calls of its other threads are kept, and no parked
 * one is served. If the execve() failed they go on; if not, those threads are
 * gone, and what was remembered of the leader goes as well. A call that was
 * received before its end was seen is looked at for whether it still stands.
 *
 * When it is over is seen from the thread itself: it makes another call, or is
 * in another one (/proc/TID/syscall), or is gone. An execve() runs in the
 * kernel, for as long as its arguments are many; if the thread has run in user
 * mode since, it has failed, and computes. Whether it succeeded shows in the
 * old memory, which has no user any more. A child that shares its memory with
 * its parent (vfork(2)) has a flag that its first execve() clears.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "memory.h"
#include "notifier.h"
#include "proc.h"
#include "room.h"
#include "supervisor.h"

/* How often it is looked at while somebody waits, and while nobody does. */
#define TICK_NS 1000000u
#define IDLE_TICK_NS 100000000u

/*
 * After so much time in user mode, in ticks of 10 ms, the execve() has failed
 * for certain. A little may be an error of the kernel's account: it measures
 * how long a thread runs (a virtual machine may have stood still meanwhile),
 * and divides that by samples of where the thread was.
 */
#define SURE_TICKS 100

/* After so long epemu says that it is waited for. */
#define LONG_NS 10000000000u

#define UNKNOWN (~0ul)

/* So many may be over unnoticed, beside twice as many as are under way. */
#define SPARE_RECORDS 16

#define PF_FORKNOEXEC 0x40u /* include/linux/sched.h: did not execve() yet */

/* An execve() under way. */
struct emu_exec {
	struct emu_list link; /* on intercept->execs */
	struct emu_list kept; /* calls of other threads, oldest first */
	pid_t process;
	pid_t tid;
	int nr;
	bool first; /* since fork */
	uint64_t ip; /* else: an address that the old image has */
	int memory_fd; /* and its /proc/TID/mem, or -1 */
	bool waited_for; /* a parked call was to be served */
	bool told; /* that it is waited for */
	uint64_t since_ns; /* a look found it waited for, or 0 */
	unsigned long user_ticks; /* that the thread had run before */
};

static ssize_t read_proc(pid_t tid, const char *name, char *text, size_t size)
{
	char path[48];

	snprintf(path, sizeof(path), "/proc/%d/%s", (int)tid, name);
	return emu_proc_read(path, text, size);
}

static struct emu_exec *exec_of(struct emu_list *link)
{
	return emu_container_of(link, struct emu_exec, link);
}

static struct emu_exec *find(struct emu_intercept *intercept, pid_t process)
{
	struct emu_list *pos;

	emu_list_for_each (pos, &intercept->execs) {
		struct emu_exec *exec = exec_of(pos);

		if (exec->process == process)
			return exec;
	}
	return NULL;
}

static struct emu_exec *find_of(
	struct emu_intercept *intercept, struct emu_thread *thread)
{
	return emu_list_empty(&intercept->execs)
		       ? NULL
		       : find(intercept, thread->tgid);
}

/* Has the old image's memory no user any more? */
static bool image_is_gone(const struct emu_exec *exec)
{
	struct emu_stat stat;
	char byte;
	int rc;

	if (exec->first) {
		rc = emu_target_stat(exec->process, &stat);
		return rc == 0 ? !(stat.flags & PF_FORKNOEXEC) : rc == -ESRCH;
	}
	/* Without it (no descriptor was left) the other signs have to do. */
	return exec->memory_fd >= 0 &&
	       pread(exec->memory_fd, &byte, 1, (off_t)exec->ip) == 0;
}

/* Is it still under way? */
static bool is_under_way(struct emu_exec *exec)
{
	char text[256];
	struct emu_stat stat;
	ssize_t rc = read_proc(exec->tid, "syscall", text, sizeof(text));
	bool running;

	if (rc < 0)
		return emu_proc_no_room((int)rc);
	running = strncmp(text, "running", 7) == 0;
	if (!running && strtol(text, NULL, 10) == exec->nr)
		return true;
	if (running && image_is_gone(exec))
		return false;
	rc = emu_target_stat(exec->tid, &stat);
	if (rc < 0)
		return rc != -ESRCH;
	/* The old leader, which has the thread's id until it is released. */
	if (stat.state == 'X')
		return true;
	if (!running)
		return false;
	if (exec->user_ticks == UNKNOWN)
		exec->user_ticks = stat.user_ticks;
	return stat.user_ticks - exec->user_ticks < SURE_TICKS;
}

/* The thread's id is no longer one of its process's. */
static bool has_lost_its_id(const struct emu_exec *exec)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/task/%d", (int)exec->process,
		(int)exec->tid);
	return access(path, F_OK) < 0;
}

/* It is over. */
static bool has_succeeded(const struct emu_exec *exec)
{
	/* Another than the leader has the leader's id now. */
	return (exec->tid != exec->process && has_lost_its_id(exec)) ||
	       image_is_gone(exec);
}

static void free_exec(struct emu_exec *exec)
{
	emu_deferred_drop(&exec->kept, NULL);
	emu_list_remove(&exec->link);
	if (exec->memory_fd >= 0)
		close(exec->memory_fd);
	emu_free(&emu_memory, exec, sizeof(*exec));
}

static void free_all(struct emu_list *execs)
{
	while (!emu_list_empty(execs))
		free_exec(exec_of(execs->next));
}

/* The old image is gone: so is what it had lent, pending and remembered. */
static void forget_image(
	struct emu_intercept *intercept, const struct emu_exec *exec)
{
	struct emu_thread *leader =
		emu_threads_find(intercept->threads, exec->process);
	struct emu_thread *other =
		emu_threads_find(intercept->threads, exec->tid);

	if (other && other != leader)
		emu_threads_drop(other);
	if (leader)
		emu_intercept_reset_thread(intercept, leader);
}

/* A parked call of the process that was to be served meanwhile. */
static struct emu_parked *kept_parked(
	struct emu_intercept *intercept, const struct emu_exec *exec)
{
	struct emu_list *pos;

	emu_list_for_each (pos, &intercept->parked) {
		struct emu_parked *parked =
			emu_container_of(pos, struct emu_parked, link);

		if (parked->kept && !parked->dead &&
			parked->call.thread->tgid == exec->process)
			return parked;
	}
	return NULL;
}

/* It failed: parked calls that a wake chose meanwhile are served. */
static void serve_parked(
	struct emu_intercept *intercept, const struct emu_exec *exec)
{
	struct emu_parked *parked;

	while ((parked = kept_parked(intercept, exec))) {
		parked->kept = false;
		emu_parked_serve(parked, false);
	}
}

/*
 * Calls that were kept and still stand: those of the old image if it failed,
 * or of the new one's threads. They go on at once, for the thread that made
 * the execve() may make another without a rest.
 */
static void serve_kept(struct emu_intercept *intercept, struct emu_exec *exec)
{
	struct emu_call call;

	while (emu_deferred_take(&exec->kept, &call)) {
		if (!emu_notifier_valid(intercept->listener, call.id))
			continue;
		if (call.touched)
			emu_touch_go_on(intercept, &call);
		else
			emu_intercept_call(intercept, &call);
	}
}

static void over(struct emu_intercept *intercept, struct emu_exec *exec)
{
	bool succeeded = has_succeeded(exec);

	emu_list_remove(&exec->link);
	intercept->exec_count--;
	if (exec->memory_fd >= 0)
		close(exec->memory_fd);
	exec->memory_fd = -1;
	if (succeeded) {
		emu_list_add_tail(&exec->link, &intercept->exec_ended);
		forget_image(intercept, exec);
	} else {
		serve_parked(intercept, exec);
	}
	serve_kept(intercept, exec);
	if (!succeeded)
		free_exec(exec);
}

void emu_exec_next_call(struct emu_intercept *intercept)
{
	free_all(&intercept->exec_ended);
}

/*
 * An execve() may have come to its end since the call was received, or even
 * while that was found out: the call may be one of the old image.
 */
static bool is_of_old_image(
	struct emu_intercept *intercept, const struct emu_call *call)
{
	struct emu_list *pos;

	emu_list_for_each (pos, &intercept->exec_ended) {
		if (exec_of(pos)->process == call->thread->tgid)
			return !emu_notifier_valid(
				intercept->listener, call->id);
	}
	return false;
}

/* Has the next look no later than so long from now. */
static void look_within(struct emu_intercept *intercept, uint64_t after_ns)
{
	struct emu_deadline *tick = &intercept->exec_tick;
	uint64_t at_ns = emu_loop_now_ns() + after_ns;

	if (!tick->armed || tick->at_ns > at_ns)
		emu_deadline_arm(
			emu_loop_deadlines(intercept->loop), tick, at_ns);
}

static bool is_waited_for(const struct emu_exec *exec)
{
	return exec->waited_for || !emu_list_empty(&exec->kept);
}

/* Calls that have no answer for so long are not passed over in silence. */
static void tell_if_long(struct emu_intercept *intercept, struct emu_exec *exec)
{
	uint64_t now_ns = emu_loop_now_ns();

	if (exec->told || !is_waited_for(exec))
		return;
	if (exec->since_ns == 0)
		exec->since_ns = now_ns;
	if (now_ns - exec->since_ns < LONG_NS)
		return;
	exec->told = true;
	emu_logf(intercept->log,
		"process %d has been in an execve for %llu s: epoll and "
		"eventfd calls of its other threads wait until it is over",
		(int)exec->process,
		(unsigned long long)(LONG_NS / 1000000000u));
}

void emu_exec_tick(struct emu_intercept *intercept)
{
	struct emu_list *pos;
	struct emu_list *following;

	emu_list_for_each_safe (pos, following, &intercept->execs) {
		struct emu_exec *exec = exec_of(pos);

		/* What goes on may begin another, which comes to the end. */
		if (!is_under_way(exec))
			over(intercept, exec);
	}
	intercept->exec_most = 2 * intercept->exec_count + SPARE_RECORDS;
	emu_list_for_each (pos, &intercept->execs) {
		tell_if_long(intercept, exec_of(pos));
		look_within(intercept,
			is_waited_for(exec_of(pos)) ? TICK_NS : IDLE_TICK_NS);
	}
}

bool emu_exec_under_way(
	struct emu_intercept *intercept, struct emu_thread *thread)
{
	return find_of(intercept, thread) != NULL;
}

bool emu_exec_keeps_parked(struct emu_parked *parked)
{
	struct emu_exec *exec = find_of(parked->intercept, parked->call.thread);

	if (!exec)
		return false;
	parked->kept = true;
	exec->waited_for = true;
	look_within(parked->intercept, TICK_NS);
	return true;
}

/* A call of its process: is it kept until the execve() is over? */
static bool keeps(struct emu_intercept *intercept, struct emu_exec *exec,
	const struct emu_call *call)
{
	if (call->thread->tid == exec->tid || !is_under_way(exec)) {
		over(intercept, exec);
		return false;
	}
	if (!emu_deferred_add(&exec->kept, call))
		emu_dispatch_no_memory(intercept, call);
	look_within(intercept, TICK_NS);
	return true;
}

/* False: there is no memory. */
static bool begin(struct emu_intercept *intercept, const struct emu_call *call)
{
	struct emu_exec *exec = emu_alloc(&emu_memory, sizeof(*exec));
	struct emu_stat stat;
	int rc;

	if (!exec)
		return false;
	exec->process = call->thread->tgid;
	exec->tid = call->thread->tid;
	exec->nr = call->nr;
	exec->ip = call->ip;
	exec->memory_fd = -1;
	/* The leader's: a thread that clone(2) made has the flag as well. */
	rc = emu_target_stat(exec->process, &stat);
	exec->first = rc == 0 && stat.flags & PF_FORKNOEXEC;
	if (exec->tid != exec->process)
		rc = emu_target_stat(exec->tid, &stat);
	exec->user_ticks = rc == 0 ? stat.user_ticks : UNKNOWN;
	if (!exec->first)
		exec->memory_fd =
			emu_room_keep(emu_target_open_memory(exec->tid));
	emu_list_init(&exec->kept);
	emu_list_add_tail(&exec->link, &intercept->execs);
	intercept->exec_count++;
	look_within(intercept, intercept->exec_count > intercept->exec_most
				       ? 0
				       : IDLE_TICK_NS);
	return true;
}

bool emu_exec_arrival(
	struct emu_intercept *intercept, const struct emu_call *call)
{
	struct emu_exec *exec = find_of(intercept, call->thread);

	if (exec && keeps(intercept, exec, call))
		return true;
	if (is_of_old_image(intercept, call))
		return true;
	if (call->kind != EMU_CALL_EXEC)
		return false;
	if (begin(intercept, call))
		emu_notifier_continue(intercept->listener, call->id);
	else
		emu_notifier_answer(intercept->listener, call->id, -ENOMEM);
	return true;
}

void emu_exec_thread_gone(
	struct emu_intercept *intercept, const struct emu_thread *thread)
{
	struct emu_list *pos;

	emu_list_for_each (pos, &intercept->execs)
		emu_deferred_drop(&exec_of(pos)->kept, thread);
}

void emu_exec_finish(struct emu_intercept *intercept)
{
	free_all(&intercept->execs);
	free_all(&intercept->exec_ended);
}
