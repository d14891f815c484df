/* SPDX-License-Identifier: MIT */
/*
 * Weak handles. An epoll item keeps no reference on its file and leaves when
 * the last reference goes, wherever that was; until then epoll_wait() with a
 * timeout of 0 polls it, and kcmp(KCMP_EPOLL_TFD) compares it with any
 * descriptor of any process without touching either.
 *
 * kcmp() is an option of the kernel (CONFIG_KCMP). Without it, the key of the
 * item helps: EPOLL_CTL_MOD through the number under which the file was added
 * answers ENOENT when the number now leads to another file. For that to work
 * every file is added through the one number `scratch` then.
 */
#include "weak.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/kcmp.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "proc.h"
#include "room.h"

/* A number kept free for this purpose; -1 while kcmp() does the work. */
static int scratch = -1;
static int filler = -1; /* what is there while it is not in use */

static long compare(pid_t pid, int fd, const struct emu_weak *weak)
{
	struct kcmp_epoll_slot slot = {
		.efd = (uint32_t)weak->epfd,
		.tfd = (uint32_t)weak->tfd,
	};
	static pid_t self;

	if (!self)
		self = getpid();
	return syscall(
		SYS_kcmp, pid ? pid : self, self, KCMP_EPOLL_TFD, fd, &slot);
}

/* Without kcmp(): reserves the scratch number once. */
static void no_kcmp(void)
{
	if (scratch >= 0)
		return;
	filler = open("/dev/null", O_RDONLY | O_CLOEXEC);
	scratch = filler < 0 ? -1 : fcntl(filler, F_DUPFD_CLOEXEC, 0);
}

int emu_weak_init(struct emu_weak *weak, int fd, uint32_t events)
{
	static bool probed;
	int rc;

	weak->tfd = fd;
	weak->epfd = emu_room_keep(epoll_create1(EPOLL_CLOEXEC));
	if (weak->epfd < 0)
		return weak->epfd;
	if (!probed) {
		probed = true;
		if (compare(0, weak->epfd, weak) < 0 && errno == ENOSYS)
			no_kcmp();
	}
	rc = emu_weak_fill(weak, fd, events);
	if (rc < 0)
		emu_weak_finish(weak);
	return rc;
}

int emu_weak_fill(struct emu_weak *weak, int fd, uint32_t events)
{
	struct epoll_event event = {.events = events};
	int rc = 0;

	weak->tfd = scratch >= 0 ? dup3(fd, scratch, O_CLOEXEC) : fd;
	weak->events = events;
	if (epoll_ctl(weak->epfd, EPOLL_CTL_ADD, weak->tfd, &event) < 0) {
		rc = -errno;
		weak->tfd = -1;
	}
	if (scratch >= 0)
		dup3(filler, scratch, O_CLOEXEC);
	return rc;
}

void emu_weak_finish(struct emu_weak *weak)
{
	if (weak->epfd >= 0)
		close(weak->epfd);
	weak->epfd = -1;
}

/*
 * Tries to change or remove the item through `fd`, put at the number it has
 * there.
 */
static int control_through(
	const struct emu_weak *weak, int op, int fd, struct epoll_event *event)
{
	int rc = 0;

	if (scratch < 0 && fd != weak->tfd)
		return -ENOENT;
	if (scratch >= 0)
		dup3(fd, scratch, O_CLOEXEC);
	if (epoll_ctl(weak->epfd, op, weak->tfd, event) < 0)
		rc = -errno;
	if (scratch >= 0)
		dup3(filler, scratch, O_CLOEXEC);
	return rc;
}

int emu_weak_modify(struct emu_weak *weak, int fd, uint32_t events)
{
	struct epoll_event event = {.events = events};
	int rc = control_through(weak, EPOLL_CTL_MOD, fd, &event);

	if (rc == 0)
		weak->events = events;
	return rc;
}

int emu_weak_remove(struct emu_weak *weak, int fd)
{
	int rc = control_through(weak, EPOLL_CTL_DEL, fd, NULL);

	if (rc == 0)
		weak->tfd = -1;
	return rc;
}

/* emu_weak_is_own() for a host without kcmp(). */
static int same_by_modify(const struct emu_weak *weak, int fd)
{
	struct epoll_event event = {.events = weak->events};
	int rc = control_through(weak, EPOLL_CTL_MOD, fd, &event);

	if (rc == 0)
		return 1;
	return rc == -ENOENT ? 0 : rc;
}

int emu_weak_is_own(const struct emu_weak *weak, int fd)
{
	long rc;

	if (scratch >= 0)
		return same_by_modify(weak, fd);
	rc = compare(0, fd, weak);
	if (rc < 0)
		return -errno;
	return rc == 0;
}

int emu_weak_is(const struct emu_weak *weak, struct emu_thread *thread, int fd)
{
	long rc;
	int copy;

	if (scratch < 0) {
		rc = compare(thread->tid, fd, weak);
		if (rc < 0)
			return -errno;
		return rc == 0;
	}
	copy = emu_target_fetch(thread, fd);
	if (copy < 0)
		return copy;
	rc = same_by_modify(weak, copy);
	close(copy);
	return (int)rc;
}

int emu_weak_order(const struct emu_weak *weak, int fd, int *rc)
{
	long order;

	*rc = 0;
	if (scratch >= 0) {
		*rc = -ENOSYS;
		return 0;
	}
	order = compare(0, fd, weak);
	if (order < 0) {
		*rc = -errno;
		return 0;
	}
	/* 1: smaller, 2: greater, 3: unequal without order */
	return order == 0 ? 0 : order == 1 ? -1 : 1;
}

/* emu_weak_gone() for a host without kcmp(): an empty instance says so. */
static bool gone_by_fdinfo(const struct emu_weak *weak)
{
	char path[32];
	char text[512];

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", weak->epfd);
	if (emu_proc_read(path, text, sizeof(text)) < 0)
		return false;
	return !strstr(text, "tfd:");
}

bool emu_weak_gone(const struct emu_weak *weak)
{
	if (scratch >= 0)
		return gone_by_fdinfo(weak);
	return compare(0, weak->epfd, weak) < 0 && errno == ENOENT;
}

uint32_t emu_weak_poll(const struct emu_weak *weak)
{
	struct epoll_event event;

	if (epoll_wait(weak->epfd, &event, 1, 0) != 1)
		return 0;
	return event.events;
}
