/* SPDX-License-Identifier: MIT */
/*
 * While the slot is empty it holds a descriptor of an epoll instance without
 * items, so that its number goes to nobody else.
 */
#include "slot.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/epoll.h>
#include <unistd.h>

static int filler = -1;
static int slot = -1;

int emu_slot_reserve(void)
{
	if (filler < 0)
		filler = epoll_create1(EPOLL_CLOEXEC);
	if (filler >= 0 && slot < 0)
		slot = fcntl(filler, F_DUPFD_CLOEXEC, 0);
	return slot < 0 ? -errno : 0;
}

int emu_slot_fetch(struct emu_thread *thread, int fd)
{
	int copy;

	close(slot); /* mostly it is the lowest free number then */
	copy = emu_target_fetch(thread, fd);
	if (copy == slot)
		return slot;
	dup3(copy < 0 ? filler : copy, slot, O_CLOEXEC);
	if (copy < 0)
		return copy;
	close(copy);
	return slot;
}

void emu_slot_clear(void)
{
	if (slot >= 0)
		dup3(filler, slot, O_CLOEXEC);
}
