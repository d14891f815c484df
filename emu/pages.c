/* SPDX-License-Identifier: MIT */
/*
 * A copy to or from a target sleeps when a page is missing and somebody else
 * has to bring it: a user of userfaultfd(2), the server of a file system. A
 * page of anonymous memory that is there needs nobody, and buffers are mostly
 * such pages; /proc/TID/pagemap tells. Of another page it is found out what is
 * mapped there (mapping.c).
 *
 * That a page needs nobody is remembered, since the next call of the thread
 * mostly uses it as well. Not so of one that somebody may have to bring, which
 * can go again: it is looked at for each call. When it has been brought, that
 * is remembered for the call alone.
 */
#include "pages.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#include "mapping.h"
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

/* What is remembered of a page: its number, and of what it is ready for: */
#define NOTE_READ 1u
#define NOTE_WRITE 2u
#define NOTE_ONCE 4u /* for one call */
#define NOTE_SHIFT 3

static uint64_t *find_note(struct emu_thread *thread, uint64_t page)
{
	for (size_t i = 0; i < EMU_PAGES; i++)
		if (thread->pages[i] >> NOTE_SHIFT == page)
			return &thread->pages[i];
	return NULL;
}

static void note(
	struct emu_thread *thread, uint64_t page, bool write, unsigned int once)
{
	uint64_t *at = find_note(thread, page);

	if (!at)
		at = &thread->pages[thread->next_page++ % EMU_PAGES];
	*at = page << NOTE_SHIFT | NOTE_READ | (write ? NOTE_WRITE : 0) | once;
}

/* Where any page may be brought by a program, none stays ready. */
static bool is_known(
	struct emu_thread *thread, uint64_t page, bool write, bool faults)
{
	uint64_t *at = find_note(thread, page);
	uint64_t known = at ? *at : 0;

	if (at && (faults || known & NOTE_ONCE))
		*at = 0;
	return known & (write ? NOTE_WRITE : NOTE_READ) &&
	       (!faults || known & NOTE_ONCE);
}

static bool needs_nobody(uint64_t entry, bool write)
{
	if (!(entry & (PRESENT | SWAPPED)))
		return false;
	return !write || !(entry & (OF_FILE | PROTECTED));
}

/* Can the page be used without waiting? Notes it, if that will stay so. */
static bool look_at(struct emu_thread *thread, uint64_t page, uint64_t entry,
	bool write, struct emu_mapping *mapping)
{
	uint64_t addr = page << page_shift();

	if (needs_nobody(entry, write) && !(entry & OF_FILE)) {
		note(thread, page, write, 0);
		return true;
	}
	if (addr < mapping->start || addr >= mapping->end)
		emu_mapping_find(thread->tid, addr, mapping);
	if (mapping->backing == EMU_BACKING_KERNEL)
		note(thread, page, write, 0);
	return mapping->backing != EMU_BACKING_OTHER ||
	       needs_nobody(entry, write);
}

/* Looks; false also for one that is not ready. */
static bool look(struct emu_thread *thread, uint64_t first, size_t count,
	bool write, bool faults)
{
	struct emu_mapping mapping = {.end = 0};
	uint64_t entries[EMU_PAGES];
	bool ready = true;
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
	for (size_t i = 0; i < count && ready; i++)
		ready = faults ? needs_nobody(entries[i], write)
			       : look_at(thread, first + i, entries[i], write,
					 &mapping);
	return ready;
}

bool emu_pages_ready(struct emu_thread *thread, uint64_t addr, size_t size,
	bool write, bool faults)
{
	uint64_t first;
	size_t count = pages_of(addr, size, &first);
	bool known = true;

	for (size_t i = 0; i < count; i++)
		known = is_known(thread, first + i, write, faults) && known;
	return known || look(thread, first, count, write, faults);
}

void emu_pages_brought(
	struct emu_thread *thread, uint64_t addr, size_t size, bool write)
{
	uint64_t first;
	size_t count = pages_of(addr, size, &first);

	for (size_t i = 0; i < count; i++)
		note(thread, first + i, write, NOTE_ONCE);
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
