/* SPDX-License-Identifier: MIT */
/*
 * epoll_create(2) and eventfd(2): a new object of the engine, and its
 * placeholder in the caller's descriptor table.
 *
 * There are two ways to hand over the descriptor, and each has a weakness:
 *
 *   at once   SECCOMP_ADDFD_FLAG_SEND: the descriptor is the answer, so a
 *             signal to the thread leaves either both or neither. But the
 *             supervisor waits in that call for the thread, and if it is
 *             itself stopped, traced or frozen in that moment, the thread
 *             gets 0 and no descriptor
 *   in two    the descriptor is put there first, and answered with afterwards.
 *             An answer can be lost to a signal, see exact.c, and the thread
 *             then makes another
 *
 * So the first is taken where signals are about.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "notifier.h"
#include "observe.h"
#include "poll_bits.h"
#include "supervisor.h"

/* The accounting of the caller's user; NULL when there is no memory. */
static struct emu_epoll_user *user_of(
	struct emu_intercept *intercept, const struct emu_thread *thread)
{
	struct emu_user *user;
	char path[32];
	struct stat st;
	uid_t uid = 0;

	snprintf(path, sizeof(path), "/proc/%d", (int)thread->tid);
	if (stat(path, &st) == 0)
		uid = st.st_uid;
	for (user = intercept->users; user; user = user->next) {
		if (user->uid == uid)
			return &user->epoll;
	}
	user = calloc(1, sizeof(*user));
	if (!user)
		return NULL;
	user->uid = uid;
	user->epoll.max_watches = intercept->max_user_watches;
	user->next = intercept->users;
	intercept->users = user;
	return &user->epoll;
}

/* Takes up a new object and answers with a descriptor of it. */
static void hand_over(struct emu_intercept *intercept, struct emu_call *call,
	struct emu_object *object, int fd, bool cloexec)
{
	int number = emu_fdtable_add(intercept->fdtable, object, fd);
	bool at_once = emu_exact_is_due(intercept, call);

	if (number == 0) {
		number = emu_notifier_give_fd(
			intercept->listener, call->id, fd, cloexec, at_once);
		if (number < 0)
			emu_fdtable_remove(intercept->fdtable, object);
	}
	close(fd);
	if (number >= 0) {
		call->object = object;
		emu_observe_made(intercept, object, call);
		emu_fdtable_hint(
			intercept->fdtable, call->thread, number, object);
		emu_sweep_note(intercept);
		emu_answer_given(intercept, call, number, at_once);
		return;
	}
	emu_placeholder_destroy(object);
	if (number == -EINPROGRESS)
		emu_logf(intercept->log,
			"the supervisor was stopped while it gave thread %d a "
			"descriptor: its %s returned 0, which is wrong",
			(int)call->thread->tid, emu_call_name(call->kind));
	else if (number == -ENOENT || number == -ESRCH)
		emu_voided_add(intercept, call, EMU_VOID_AGAIN, 0);
	else
		emu_answer_plain(intercept, call, number);
}

/* Our own table is full: the program's is not. */
static int64_t host_error(struct emu_intercept *intercept, int rc)
{
	if (rc != -EMFILE)
		return rc;
	emu_answer_full(intercept);
	return -ENFILE;
}

void emu_call_epoll_create(
	struct emu_intercept *intercept, struct emu_call *call)
{
	int arg = emu_call_int(call, 0);
	bool cloexec = call->kind == EMU_CALL_EPOLL_CREATE1 &&
		       (arg & EMU_EPOLL_CLOEXEC);
	struct emu_epoll_user *user;
	struct emu_object *object;
	int fd;
	int rc;

	if (call->kind == EMU_CALL_EPOLL_CREATE ? arg <= 0
						: arg & ~EMU_EPOLL_CLOEXEC) {
		emu_answer_plain(intercept, call, -EINVAL);
		return;
	}
	user = user_of(intercept, call->thread);
	do
		rc = user ? emu_placeholder_epoll(
				    user, &intercept->unsettled, &object, &fd)
			  : -ENOMEM;
	while (rc == -EMFILE && emu_sweep_make_room(intercept));
	if (rc < 0) {
		emu_answer_plain(intercept, call, host_error(intercept, rc));
		return;
	}
	if (intercept->merged)
		object->edges = &intercept->watches.edges;
	hand_over(intercept, call, object, fd, cloexec);
}

void emu_call_eventfd(struct emu_intercept *intercept, struct emu_call *call)
{
	int flags = call->kind == EMU_CALL_EVENTFD2 ? emu_call_int(call, 1) : 0;
	struct emu_object *object;
	int fd;
	int rc;

	if (flags & ~(EMU_EFD_SEMAPHORE | EMU_EFD_NONBLOCK | EMU_EFD_CLOEXEC)) {
		emu_answer_plain(intercept, call, -EINVAL);
		return;
	}
	do
		rc = emu_placeholder_eventfd(
			(uint32_t)call->args[0], flags, &object, &fd);
	while (rc == -EMFILE && emu_sweep_make_room(intercept));
	if (rc < 0)
		emu_answer_plain(intercept, call, host_error(intercept, rc));
	else
		hand_over(intercept, call, object, fd,
			(flags & EMU_EFD_CLOEXEC) != 0);
}
