/* SPDX-License-Identifier: MIT */
/*
 * A weak handle on one open file description of a target: it can be compared
 * and asked for readiness, holds no reference, and knows when the file is
 * gone. It is a tiny host epoll instance with that file as its only item.
 */
#ifndef EMU_WEAK_H
#define EMU_WEAK_H

#include <stdbool.h>
#include <stdint.h>

#include "target.h"

struct emu_weak {
	int epfd; /* the tiny epoll instance, or -1 */
	int tfd; /* the number under which it has the file; -1: it has none */
	uint32_t events; /* what it is polled for */
};

/*
 * Makes a handle on the file behind our descriptor `fd`, to be polled for
 * `events`. The caller may close `fd` at once. Errors: -EPERM for a file
 * that cannot be polled, -EBADF for an O_PATH one, -EINVAL/-ELOOP when the
 * host's nesting limits are hit, -ENOSPC, -ENOMEM, -EMFILE.
 */
int emu_weak_init(struct emu_weak *weak, int fd, uint32_t events);
void emu_weak_finish(struct emu_weak *weak);

/*
 * Polls for other events from now on. `fd`: our descriptor of the file, with
 * the number that it had for emu_weak_init(). -ENOENT: it is another file,
 * and nothing changed.
 */
int emu_weak_modify(struct emu_weak *weak, int fd, uint32_t events);

/*
 * Lets go of the file, if it is the one behind `fd` (see above); the handle
 * can only be filled or finished then. -ENOENT: it is another.
 */
int emu_weak_remove(struct emu_weak *weak, int fd);

/* Puts a file into a handle that let go of one. As emu_weak_init(). */
int emu_weak_fill(struct emu_weak *weak, int fd, uint32_t events);

/*
 * Is the thread's descriptor `fd` this very file? 1 yes, 0 no; -EBADF when
 * it is not open, -ENOENT when the file of the handle is gone, -EPERM when
 * the thread may not be looked at.
 */
int emu_weak_is(const struct emu_weak *weak, struct emu_thread *thread, int fd);

/* The same for a descriptor of our own. */
int emu_weak_is_own(const struct emu_weak *weak, int fd);

/*
 * How our descriptor `fd` sorts against the file, in an order that holds as
 * long as both live: <0, 0, >0. *rc is -ENOENT when the file is gone, or
 * -ENOSYS when the host cannot order files.
 */
int emu_weak_order(const struct emu_weak *weak, int fd, int *rc);

/* Is the file gone? */
bool emu_weak_gone(const struct emu_weak *weak);

/* The events that the file is ready for now; 0 when it is gone. */
uint32_t emu_weak_poll(const struct emu_weak *weak);

#endif
