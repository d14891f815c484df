/* SPDX-License-Identifier: MIT */
/*
 * The emulated descriptor table.
 *
 * Which object a descriptor leads to is settled by comparing files, never by
 * remembering numbers: dup, fork, exec, SCM_RIGHTS and the reuse of numbers
 * need no trap and no bookkeeping. Two structures make the question cheap:
 *
 *  - hints: a small direct-mapped cache from (thread, number) to the object
 *    that was there last; right nearly always, and checked with one kcmp();
 *  - per kind, the objects sorted by the kernel's own order of files, which
 *    kcmp() tells, so that an unknown alias is found in log2(n) comparisons.
 *
 * Both hold plain pointers, which leave with the object. An object whose file
 * has gone has no order any more; it is skipped by looking at its neighbours.
 */
#include "fdtable.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <unistd.h>

#define HINTS 4096

struct hint {
	struct emu_list link; /* on object->hints */
	pid_t tid;
	int fd;
	struct emu_object *object; /* NULL: none */
};

struct sorted {
	struct emu_object **objects;
	size_t count;
	size_t room;
	size_t left; /* where the last one left: mostly near the next */
};

struct emu_fdtable {
	dev_t anon_dev; /* the one inode of all eventfds and epolls */
	ino_t anon_ino;
	struct sorted kinds[EMU_KINDS];
	struct hint hints[HINTS];
};

struct emu_fdtable *emu_fdtable_create(void)
{
	struct emu_fdtable *table = calloc(1, sizeof(*table));
	struct stat st;
	int fd;

	if (!table)
		return NULL;
	fd = eventfd(0, EFD_CLOEXEC);
	if (fd < 0 || fstat(fd, &st) < 0) {
		if (fd >= 0)
			close(fd);
		free(table);
		return NULL;
	}
	close(fd);
	table->anon_dev = st.st_dev;
	table->anon_ino = st.st_ino;
	return table;
}

void emu_fdtable_destroy(struct emu_fdtable *table)
{
	if (!table)
		return;
	for (int kind = 0; kind < EMU_KINDS; kind++)
		free(table->kinds[kind].objects);
	free(table);
}

/*
 * The place of our descriptor `fd` among the objects: the index of the first
 * that is not before it. *found tells whether it is that one. Objects whose
 * file is gone are stepped over; without an order every object is asked.
 */
static size_t place(const struct sorted *sorted, int fd, bool *found)
{
	size_t low = 0;
	size_t high = sorted->count;

	*found = false;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		size_t probe = middle;
		int order = 0;
		int rc = -ENOENT;

		for (; probe < high && rc == -ENOENT; probe++)
			order = emu_weak_order(
				&sorted->objects[probe]->weak, fd, &rc);
		if (rc == -ENOENT) {
			high = middle;
			continue;
		}
		probe--;
		if (rc < 0)
			break; /* no order to be had: ask them all */
		if (order == 0) {
			*found = true;
			return probe;
		}
		if (order < 0)
			high = middle;
		else
			low = probe + 1;
	}
	if (low == high)
		return low;
	for (low = 0; low < sorted->count && !*found; low++)
		*found = emu_weak_is_own(&sorted->objects[low]->weak, fd) == 1;
	return *found ? low - 1 : low;
}

int emu_fdtable_add(
	struct emu_fdtable *table, struct emu_object *object, int fd)
{
	struct sorted *sorted = &table->kinds[object->kind];
	bool found;
	size_t at;

	if (sorted->count == sorted->room) {
		size_t room = sorted->room ? 2 * sorted->room : 16;
		struct emu_object **objects = realloc(
			sorted->objects, room * sizeof(struct emu_object *));

		if (!objects)
			return -ENOMEM;
		sorted->objects = objects;
		sorted->room = room;
	}
	at = place(sorted, fd, &found);
	memmove(&sorted->objects[at + 1], &sorted->objects[at],
		(sorted->count - at) * sizeof(struct emu_object *));
	sorted->objects[at] = object;
	sorted->count++;
	return 0;
}

static void forget_hint(struct hint *hint)
{
	emu_list_remove(&hint->link);
	hint->object = NULL;
}

/* Where it is among the `count` there are; `count` if it is not. */
static size_t index_of(
	const struct sorted *sorted, const struct emu_object *object)
{
	size_t count = sorted->count;
	size_t at = sorted->left;

	for (size_t i = 0; i < count; i++, at++) {
		if (at >= count)
			at = 0;
		if (sorted->objects[at] == object)
			return at;
	}
	return count;
}

void emu_fdtable_remove(struct emu_fdtable *table, struct emu_object *object)
{
	struct sorted *sorted = &table->kinds[object->kind];
	size_t at = index_of(sorted, object);

	while (!emu_list_empty(&object->hints))
		forget_hint(emu_container_of(
			object->hints.next, struct hint, link));
	if (at == sorted->count)
		return;
	sorted->left = at;
	sorted->count--;
	memmove(&sorted->objects[at], &sorted->objects[at + 1],
		(sorted->count - at) * sizeof(struct emu_object *));
}

static struct hint *hint_of(struct emu_fdtable *table, pid_t tid, int fd)
{
	uint32_t hash = (uint32_t)tid * 2654435761u + (uint32_t)fd * 40503u;

	return &table->hints[(hash >> 8) % HINTS];
}

void emu_fdtable_hint(struct emu_fdtable *table, struct emu_thread *thread,
	int fd, struct emu_object *object)
{
	struct hint *hint = hint_of(table, thread->tid, fd);

	if (hint->object)
		forget_hint(hint);
	hint->tid = thread->tid;
	hint->fd = fd;
	hint->object = object;
	emu_list_add_head(&hint->link, &object->hints);
}

bool emu_fdtable_is_anon(const struct emu_fdtable *table, const struct stat *st)
{
	return st->st_ino == table->anon_ino && st->st_dev == table->anon_dev;
}

int emu_fdtable_find_anon(struct emu_fdtable *table, int fd, enum emu_kind kind,
	struct emu_object **object)
{
	const struct sorted *sorted = &table->kinds[kind];
	bool found;
	size_t at;

	if (sorted->count == 0)
		return 0;
	at = place(sorted, fd, &found);
	if (!found)
		return 0;
	*object = sorted->objects[at];
	return 1;
}

int emu_fdtable_find_own(struct emu_fdtable *table, int fd, enum emu_kind kind,
	struct emu_object **object)
{
	struct stat st;

	if (table->kinds[kind].count == 0 || fstat(fd, &st) < 0 ||
		!emu_fdtable_is_anon(table, &st))
		return 0;
	return emu_fdtable_find_anon(table, fd, kind, object);
}

int emu_fdtable_find(struct emu_fdtable *table, struct emu_thread *thread,
	int fd, enum emu_kind kind, struct emu_object **object)
{
	const struct hint *hint = hint_of(table, thread->tid, fd);
	int copy;
	int rc;

	if (hint->object && hint->tid == thread->tid && hint->fd == fd &&
		hint->object->kind == kind) {
		rc = emu_weak_is(&hint->object->weak, thread, fd);
		if (rc == 1) {
			*object = hint->object;
			return 1;
		}
		if (rc == -EBADF || rc == -EPERM)
			return rc;
	}
	copy = emu_target_fetch(thread, fd);
	if (copy < 0)
		return copy;
	rc = emu_fdtable_find_own(table, copy, kind, object);
	close(copy);
	if (rc == 1)
		emu_fdtable_hint(table, thread, fd, *object);
	return rc;
}

int emu_fdtable_find_fetched(struct emu_fdtable *table,
	struct emu_thread *thread, int fd, int copy, enum emu_kind kind,
	struct emu_object **object)
{
	const struct hint *hint = hint_of(table, thread->tid, fd);

	if (hint->object && hint->tid == thread->tid && hint->fd == fd &&
		hint->object->kind == kind &&
		emu_weak_is_own(&hint->object->weak, copy) == 1) {
		*object = hint->object;
		return 1;
	}
	if (emu_fdtable_find_own(table, copy, kind, object) != 1)
		return 0;
	emu_fdtable_hint(table, thread, fd, *object);
	return 1;
}

size_t emu_fdtable_count(const struct emu_fdtable *table, enum emu_kind kind)
{
	return table->kinds[kind].count;
}

struct emu_object *emu_fdtable_at(
	const struct emu_fdtable *table, enum emu_kind kind, size_t index)
{
	return table->kinds[kind].objects[index];
}
