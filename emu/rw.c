/* SPDX-License-Identifier: MIT */
/*
 * read(2) and write(2) of 8 bytes: an eventfd's, or anybody's. Others are
 * passed to the kernel unchanged.
 *
 * A transfer is done first and answered then. If the answer finds the call
 * void, the transfer is taken back: the handler that runs now may give the call
 * up, as that of a cancelled thread does. If it returns, the call is made again
 * where it would not sleep. Where somebody else has had the value already, it
 * is not taken back, and the call returns its 8.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/stat.h>
#include <unistd.h>

#include "arch.h"
#include "notifier.h"
#include "observe.h"
#include "proc.h"
#include "room.h"
#include "supervisor.h"

#define COUNTER_SIZE 8

/* The memory cannot be reached: the kernel, which may, makes the transfer. */
#define BY_KERNEL (-ENOSYS)

/*
 * A value was taken that could not be stored. The thread itself may reach the
 * memory (memfd_secret(2)), or it is a bad address: the value goes back, and
 * the kernel's own read takes it once more.
 */
static int64_t put_back(struct emu_object *object, uint64_t value)
{
	return emu_eventfd_write(object->eventfd, value) < 0 ? -EFAULT
							     : BY_KERNEL;
}

/*
 * Tries the transfer with object->counter_fd open. The result for the
 * program, or -EAGAIN when it would have to wait.
 */
static int64_t transfer(struct emu_intercept *intercept,
	struct emu_object *object, struct emu_call *call, uint64_t value)
{
	ssize_t stored;
	int rc;

	if (call->kind == EMU_CALL_WRITE) {
		call->value = value;
		rc = emu_eventfd_write(object->eventfd, value);
		if (rc < 0)
			return rc;
		emu_observe_counter(intercept, object, call, false);
		if (intercept->sleepers > 0)
			emu_loop_expect_edge(intercept->loop);
		return COUNTER_SIZE;
	}
	rc = emu_eventfd_read(object->eventfd, &value);
	if (rc < 0)
		return rc;
	call->value = value;
	emu_observe_counter(intercept, object, call, false);
	stored = emu_target_write(
		call->thread, call->args[1], &value, sizeof(value));
	return stored == COUNTER_SIZE ? COUNTER_SIZE : put_back(object, value);
}

/* Reads and writes that bypass the filter wake parked ones, too. */
static void counter_moved(struct emu_source *source, uint32_t events)
{
	struct emu_object *object =
		emu_container_of(source, struct emu_object, source);

	(void)events;
	if (object->pins == 0) {
		emu_loop_remove(
			object->loop, object->weak.epfd, &object->source);
		object->loop = NULL;
		return;
	}
	emu_file_wake(emu_eventfd_file(object->eventfd), 0);
}

static bool listens_to(
	struct emu_intercept *intercept, struct emu_object *object)
{
	if (object->loop)
		return true;
	object->source.ready = counter_moved;
	if (emu_loop_add(intercept->loop, object->weak.epfd, EPOLLIN | EPOLLET,
		    &object->source) < 0)
		return false;
	object->loop = intercept->loop;
	return true;
}

/* Would a transfer not have to wait, as far as a look can tell? */
static bool may_move(
	const struct emu_object *object, const struct emu_call *call)
{
	return emu_weak_poll(&object->weak) &
	       (call->kind == EMU_CALL_WRITE ? EPOLLOUT : EPOLLIN);
}

/* The transfer will be made in a stop of the thread, or was. */
static bool is_held(struct emu_intercept *intercept,
	const struct emu_object *object, const struct emu_call *call)
{
	return emu_exact_is_due(intercept, call) && may_move(object, call) &&
	       emu_exact_stop(intercept, call);
}

static int woken(struct emu_wait *wait, uint32_t key)
{
	(void)key;
	emu_parked_woken(emu_container_of(wait, struct emu_parked, wait));
	return 1;
}

static void park(struct emu_intercept *intercept, struct emu_call *call,
	struct emu_object *object, uint64_t value)
{
	struct emu_parked *parked;
	int fd;

	if (call->stopped) { /* made again, it sleeps */
		emu_voided_add(intercept, call, EMU_VOID_HELD, 0);
		return;
	}
	/* Like the kernel, keep the file for as long as the call sleeps. */
	fd = emu_room_keep(object->counter_fd);
	object->counter_fd = -1;
	parked = fd >= 0 && listens_to(intercept, object)
			 ? emu_parked_create(intercept, call, object)
			 : NULL;
	if (!parked) { /* the kernel has room for it */
		if (fd >= 0)
			close(fd);
		emu_voided_note_answer(intercept, call, 0, true);
		emu_answer_continue(intercept, call);
		return;
	}
	parked->value = value;
	parked->counter_fd = fd;
	emu_wait_init(&parked->wait, woken);
	emu_waitq_add_tail(
		&emu_eventfd_file(object->eventfd)->waitq, &parked->wait);
	emu_observe_parked(parked, EMU_DEADLINE_NEVER);
	/* It may have moved between the look and the queue. */
	emu_list_add_tail(&parked->woken_link, &intercept->woken);
}

static bool take_back(struct emu_intercept *intercept,
	const struct emu_object *object, const struct emu_call *call)
{
	if (call->kind == EMU_CALL_READ)
		emu_eventfd_unread(object->eventfd, call->value);
	else if (!emu_eventfd_unwrite(object->eventfd, call->value))
		return false;
	emu_observe_counter(intercept, object, call, true);
	return true;
}

/* The transfer is made, or is the kernel's to make. */
static void finish(struct emu_intercept *intercept, const struct emu_call *call,
	const struct emu_object *object, int64_t result)
{
	if (result == BY_KERNEL)
		emu_answer_continue(intercept, call);
	else if (emu_answer(intercept, call, result) == 0)
		return;
	else if (result == COUNTER_SIZE && take_back(intercept, object, call))
		emu_voided_add(intercept, call, EMU_VOID_UNDECIDED, 0);
	else
		emu_voided_add(intercept, call, EMU_VOID_DONE, result);
}

void emu_rw_serve(struct emu_parked *parked)
{
	struct emu_intercept *intercept = parked->intercept;
	struct emu_object *object = parked->object;
	int64_t result;

	emu_list_remove(&parked->woken_link);
	if (parked->call.thread->hold || emu_exec_keeps_parked(parked))
		return;
	if (!parked->call.stopped && !emu_parked_valid(parked)) {
		emu_parked_kill(parked, false);
		return;
	}
	parked->delayed = parked->call.kind == EMU_CALL_READ &&
			  emu_touch_first(intercept, &parked->call, NULL);
	if (parked->delayed || is_held(intercept, object, &parked->call))
		return;
	object->counter_fd = parked->counter_fd;
	result = transfer(intercept, object, &parked->call, parked->value);
	if (result == -EAGAIN)
		emu_observe_slept_on(parked);
	else
		finish(intercept, &parked->call, object, result);
	object->counter_fd = -1;
	if (result != -EAGAIN)
		emu_parked_destroy(parked);
}

static void carry_out(struct emu_intercept *intercept, struct emu_call *call,
	struct emu_object *object)
{
	uint64_t value = 0;
	int64_t result;
	int rc = 0;

	if (call->args[1] > emu_arch_task_size - sizeof(value))
		rc = -EFAULT; /* access_ok() comes before all else */
	else if (call->kind == EMU_CALL_WRITE)
		rc = emu_target_read(
			call->thread, call->args[1], &value, sizeof(value));
	if (rc < 0) {
		finish(intercept, call, object, rc == -EFAULT ? BY_KERNEL : rc);
		return;
	}
	result = transfer(intercept, object, call, value);
	if (result != -EAGAIN)
		finish(intercept, call, object, result);
	else if (fcntl(object->counter_fd, F_GETFL) & O_NONBLOCK)
		emu_answer_plain(intercept, call, -EAGAIN);
	else
		park(intercept, call, object, value);
}

/* A perf event's count can be read at any time; a poll takes its event away. */
static bool is_perf_event(int fd, const struct stat *st)
{
	return !(st->st_mode & S_IFMT) && emu_proc_anon(fd) == EMU_ANON_PERF;
}

bool emu_rw_never_blocks(enum emu_call_kind kind, int fd)
{
	struct pollfd pollfd = {
		.fd = fd,
		.events = kind == EMU_CALL_READ ? POLLIN : POLLOUT,
	};
	int flags = fcntl(fd, F_GETFL);
	struct stat st;

	return (flags >= 0 && (flags & O_NONBLOCK)) ||
	       (fstat(fd, &st) == 0 &&
		       (S_ISREG(st.st_mode) || is_perf_event(fd, &st))) ||
	       poll(&pollfd, 1, 0) > 0;
}

/*
 * Not an eventfd of ours: the kernel's business. If it is going to sleep, a
 * signal that ends it makes it fail with EINTR, and rightly so. If not, the
 * signal came first, and it is made again. Afterwards this cannot be told: the
 * handler may have made the file ready.
 */
static void pass(
	struct emu_intercept *intercept, const struct emu_call *call, int fd)
{
	if (fd >= 0 && !emu_rw_never_blocks(call->kind, fd))
		emu_voided_note_answer(intercept, call, 0, true);
	if (fd >= 0)
		close(fd);
	emu_answer_continue(intercept, call);
}

void emu_call_read_write(struct emu_intercept *intercept, struct emu_call *call)
{
	struct emu_object *object = NULL;
	int fd = emu_target_fetch(call->thread, emu_call_int(call, 0));

	if (fd < 0 || emu_fdtable_find_fetched(intercept->fdtable, call->thread,
			      emu_call_int(call, 0), fd, EMU_KIND_EVENTFD,
			      &object) != 1) {
		pass(intercept, call, fd);
		return;
	}
	call->object = object;
	if (emu_touch_first(intercept, call, NULL) ||
		is_held(intercept, object, call)) {
		close(fd);
		return;
	}
	object->counter_fd = fd;
	carry_out(intercept, call, object);
	if (object->counter_fd >= 0)
		close(object->counter_fd);
	object->counter_fd = -1;
}
