/* SPDX-License-Identifier: MIT */
/*
 * From (thread, descriptor number) to an emulated open file description.
 *
 * There is no copy of the targets' descriptor tables here that could go
 * stale: a remembered number is only a hint, and each use asks the kernel
 * whether the number still leads to that very file.
 */
#ifndef EMU_FDTABLE_H
#define EMU_FDTABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>

#include "object.h"
#include "target.h"

struct emu_fdtable;

/* NULL when there is no memory or the host lacks what it needs. */
struct emu_fdtable *emu_fdtable_create(void);

/* Objects must have left before. */
void emu_fdtable_destroy(struct emu_fdtable *table);

/*
 * Takes up a new object while `fd`, our descriptor of its placeholder, is
 * still open. Errors: -ENOMEM.
 */
int emu_fdtable_add(
	struct emu_fdtable *table, struct emu_object *object, int fd);
void emu_fdtable_remove(struct emu_fdtable *table, struct emu_object *object);

/* Remembers that the thread has the object at `fd`. */
void emu_fdtable_hint(struct emu_fdtable *table, struct emu_thread *thread,
	int fd, struct emu_object *object);

/*
 * The object of this kind at the thread's descriptor `fd`. Returns 1 and
 * *object; 0 when the descriptor is something else; -EBADF when it is not
 * open; -EPERM when the thread may not be looked at.
 */
int emu_fdtable_find(struct emu_fdtable *table, struct emu_thread *thread,
	int fd, enum emu_kind kind, struct emu_object **object);

/* The same for our own copy of a descriptor. Returns 1 or 0. */
int emu_fdtable_find_own(struct emu_fdtable *table, int fd, enum emu_kind kind,
	struct emu_object **object);

/*
 * The same in two steps: only a file of the one inode of all epolls and
 * eventfds can be an object.
 */
bool emu_fdtable_is_anon(
	const struct emu_fdtable *table, const struct stat *st);
int emu_fdtable_find_anon(struct emu_fdtable *table, int fd, enum emu_kind kind,
	struct emu_object **object);

/*
 * For a caller that fetched the thread's descriptor `fd` as our `copy`: which
 * object of this kind is it? Returns 1 or 0.
 */
int emu_fdtable_find_fetched(struct emu_fdtable *table,
	struct emu_thread *thread, int fd, int copy, enum emu_kind kind,
	struct emu_object **object);

/* How many objects of this kind there are. */
size_t emu_fdtable_count(const struct emu_fdtable *table, enum emu_kind kind);

/* The object number `index` of a kind, in no particular order. */
struct emu_object *emu_fdtable_at(
	const struct emu_fdtable *table, enum emu_kind kind, size_t index);

#endif
