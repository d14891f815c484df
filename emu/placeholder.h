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
 * An item was added, modified or removed: has the ready set show the file's
 * readiness to native pollers of the epoll, as `events`, the item's mask (0
 * for none), demands. The file is in the slot, `fd`.
 */
void emu_placeholder_show(struct emu_object *object, struct emu_watch *watch,
	int fd, uint32_t events);

/* The same for an item that is an emulated epoll. */
void emu_placeholder_show_nested(struct emu_object *object,
	const struct emu_object *inner, uint32_t events);

/* The same for a signalfd, whose readiness the ready set cannot tell. */
void emu_placeholder_signal(struct emu_object *object, bool ready);

/*
 * Before up to `max` events are taken from the ready list: the edges among
 * them leave the ready set, and watches learn what their files are ready for.
 */
void emu_placeholder_look(
	struct emu_object *object, struct emu_watches *set, int max);

/* The events were taken: from now on files are asked again. */
void emu_placeholder_looked(struct emu_watches *set);

/* After that: has the bell looked at, if it may have to change. */
void emu_placeholder_taken(struct emu_object *object);

/* An item was modified or removed: the same. */
void emu_placeholder_changed(struct emu_object *object);

/* Brings the bells of those on the list in line with their ready lists. */
void emu_placeholder_settle(struct emu_list *unsettled);

/*
 * The counter of an eventfd, kept in the placeholder itself. Valid while
 * object->counter_fd is open.
 */
extern const struct emu_counter_ops emu_placeholder_counter;

#endif
