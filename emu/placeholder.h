/* SPDX-License-Identifier: MIT */
/*
 * Placeholders: what the targets have in their descriptor tables in place of
 * an emulated epoll or eventfd. Each is a real file of the same kind, so that
 * every call that is not trapped answers as it would on the bare kernel.
 */
#ifndef EMU_PLACEHOLDER_H
#define EMU_PLACEHOLDER_H

#include "object.h"
#include "target.h"
#include "watch.h"

/*
 * A new epoll object. Its bell reports to `unsettled`. *fd becomes our only
 * descriptor of the placeholder, which the caller gives to the target and
 * closes. Errors: -ENOMEM, -EMFILE, -ENFILE.
 */
int emu_placeholder_epoll(struct emu_epoll_user *user,
	struct emu_list *unsettled, struct emu_object **object, int *fd);

/* A new eventfd object; `flags` as for eventfd2(2). Errors as above. */
int emu_placeholder_eventfd(
	uint32_t initval, int flags, struct emu_object **object, int *fd);

/* Frees an object with no pins. The engine's items must have gone before. */
void emu_placeholder_destroy(struct emu_object *object);

/*
 * An item was added or modified: shows the file's own readiness to native
 * pollers of the epoll where that is exact (level-triggered items).
 */
void emu_placeholder_show(
	struct emu_object *object, const struct emu_weak *weak);

/* The same for an item that is an emulated epoll itself. */
void emu_placeholder_show_nested(
	struct emu_object *object, const struct emu_object *inner);

/* No longer shows it: the item went, or became edge-triggered. */
void emu_placeholder_hide(
	struct emu_object *object, const struct emu_weak *weak);
void emu_placeholder_hide_nested(
	struct emu_object *object, const struct emu_object *inner);

/* Brings the bell in line with the ready list. */
void emu_placeholder_settle(struct emu_object *object);

/*
 * The counter of an eventfd, kept in the placeholder itself. Valid while
 * object->counter_fd is open.
 */
extern const struct emu_counter_ops emu_placeholder_counter;

#endif
