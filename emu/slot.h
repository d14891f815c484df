/* SPDX-License-Identifier: MIT */
/*
 * The slot: the one number under which the supervisor registers a target's
 * file in epoll instances of its own.
 *
 * The kernel knows an entry of an epoll by file and number. With one number
 * for all, an entry can be changed and removed later through any descriptor
 * of the file, and the attempt tells whether it is of that very file (ENOENT
 * if not).
 */
#ifndef EMU_SLOT_H
#define EMU_SLOT_H

#include "target.h"

/* Takes the number, once. Errors: those of epoll_create1(2) and fcntl(2). */
int emu_slot_reserve(void);

/*
 * Puts a copy of the thread's descriptor `fd` into the slot. Returns the
 * slot's number, the same each time. Errors: those of emu_target_fetch().
 */
int emu_slot_fetch(struct emu_thread *thread, int fd);

/* Lets go of the file in it. */
void emu_slot_clear(void);

#endif
