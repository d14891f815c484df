/* SPDX-License-Identifier: MIT */
/*
 * A copy to or from a target sleeps when a page is missing and somebody else
 * has to bring it: a user of userfaultfd(2), the server of a file system. A
 * page of anonymous memory that is there needs nobody, and buffers are mostly
 * such pages. /proc/TID/pagemap tells; a page that was found to be ready is
 * remembered, since the next call of the thread mostly uses it as well.
 *
 * Memory may change behind our back, so this finds out what honest programs
 * need, and no more.
 */
#include "pages.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#include "proc.h"

/* Bits of an entry, see Documentation/admin-guide/mm/pagemap.rst. */
#define PRESENT (1ull << 63)
#define SWAPPED (1ull << 62)
#define OF_FILE (1ull << 61) /* or shared anonymous memory */
#define PROTECTED (1ull << 57) /* userfaultfd is told of a write */

/* Of the size of a page, the logarithm. */
static unsigned int page_shift(void)
{
	static unsigned int shift;

	if (!shift)
		shift = (unsigned int)__builtin_ctzl(
			(unsigned long)sysconf(_SC_PAGESIZE));
	return shift;
}

/* The pages of a range: so many, from *first on. */
static size_t pages_of(uint64_t addr, size_t size, uint64_t *first)
{
	unsigned int shift = page_shift();
	uint64_t last = (addr + size - 1) >> shift;

	*first = addr >> shift;
	if (size == 0 || last < *first)
		return 0;
	return last - *first < EMU_PAGES ? last - *first + 1 : EMU_PAGES;
}

/* What is remembered of a page: its number and how it may be used. */
static uint64_t note_of(uint64_t page, bool write)
{
	return page << 2 | (write ? 2 : 0) | 1;
}

static bool is_known(const struct emu_thread *thread, uint64_t page, bool write)
{
	uint64_t note = thread->pages[page % EMU_PAGES];

	return note == note_of(page, true) ||
	       (!write && note == note_of(page, false));
}

static bool needs_nobody(uint64_t entry, bool write)
{
	if (!(entry & (PRESENT | SWAPPED)))
		return false;
	return !write || !(entry & (OF_FILE | PROTECTED));
}

/* Looks; false also for one that is not ready. */
static bool look(
	struct emu_thread *thread, uint64_t first, size_t count, bool write)
{
	uint64_t entries[EMU_PAGES];
	char path[48];
	ssize_t n;
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/pagemap", (int)thread->tid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return !emu_proc_no_room(-errno);
	n = pread(fd, entries, count * sizeof(entries[0]),
		(off_t)(first * sizeof(entries[0])));
	close(fd);
	/* An address that cannot be: the copy will fail, and not wait. */
	if (n != (ssize_t)(count * sizeof(entries[0])))
		return true;
	for (size_t i = 0; i < count; i++) {
		if (!needs_nobody(entries[i], write))
			return false;
		thread->pages[(first + i) % EMU_PAGES] =
			note_of(first + i, write);
	}
	return true;
}

bool emu_pages_ready(
	struct emu_thread *thread, uint64_t addr, size_t size, bool write)
{
	uint64_t first;
	size_t count = pages_of(addr, size, &first);
	size_t i = 0;

	while (i < count && is_known(thread, first + i, write))
		i++;
	return i == count || look(thread, first, count, write);
}

void emu_pages_brought(
	struct emu_thread *thread, uint64_t addr, size_t size, bool write)
{
	uint64_t first;
	size_t count = pages_of(addr, size, &first);

	for (size_t i = 0; i < count; i++)
		thread->pages[(first + i) % EMU_PAGES] =
			note_of(first + i, write);
}

/*
 * The kernel brings the pages of the one side before it looks at the other,
 * whose address is a bad one here.
 */
void emu_pages_bring(pid_t tid, uint64_t addr, size_t size, bool write)
{
	uint64_t first;
	size_t count = pages_of(addr, size, &first);

	for (size_t i = 0; i < count; i++) {
		uint64_t at = i ? (first + i) << page_shift() : addr;
		struct iovec local = {NULL, 1};
		struct iovec remote = {(void *)(uintptr_t)at, 1};

		if (write)
			process_vm_writev(tid, &local, 1, &remote, 1, 0);
		else
			process_vm_readv(tid, &local, 1, &remote, 1, 0);
	}
}

void emu_pages_forget(struct emu_thread *thread)
{
	memset(thread->pages, 0, sizeof(thread->pages));
}
