/* SPDX-License-Identifier: MIT */
/*
 * Memory for arguments, and what can become of it during a call. Page 0 stays
 * as it is; each other page is followed by a hole.
 */
#define _GNU_SOURCE
#include "chaos.h"
#include <fcntl.h>
#include <sys/mman.h>

#ifndef SYS_memfd_secret
#define SYS_memfd_secret 447
#endif

static char *page_at(unsigned i)
{
	return (char *)CHAOS_MEMORY + (size_t)i * 2 * CHAOS_PAGE;
}

static void *map_page(unsigned i, int prot, int flags, int fd)
{
	return mmap(page_at(i), CHAOS_PAGE, prot, MAP_FIXED | flags, fd, 0);
}

void chaos_open_memory(void)
{
	for (unsigned i = 0; i < CHAOS_PAGES; i++)
		map_page(i, PROT_READ | PROT_WRITE,
			(i % 2 ? MAP_SHARED : MAP_PRIVATE) | MAP_ANONYMOUS, -1);
}

void *chaos_good(size_t len)
{
	return page_at(0) + pick((unsigned)(CHAOS_PAGE - len) / 16) * 16;
}

void *chaos_pointer(size_t len)
{
	static const uintptr_t wild[] = {0, 1, 4095, 0x7ffffffff000,
		0xffff888000000000, UINTPTR_MAX, UINTPTR_MAX - 7};

	switch (pick(10)) {
	case 0:
		return (void *)PICK(wild);
	case 1: /* across the end */
		return page_at(pick(CHAOS_PAGES)) + CHAOS_PAGE -
		       pick((unsigned)len + 1);
	case 2:
	case 3:
		return page_at(1 + pick(CHAOS_PAGES - 1)) + pick(64);
	default:
		return chaos_good(len);
	}
}

static unsigned some_page(void)
{
	return 1 + pick(CHAOS_PAGES - 1);
}

static void remap(void)
{
	static const int prots[] = {
		PROT_READ | PROT_WRITE, PROT_READ, PROT_NONE, PROT_WRITE};

	map_page(some_page(), PICK(prots),
		(one_in(2) ? MAP_PRIVATE : MAP_SHARED) | MAP_ANONYMOUS, -1);
}

static void protect(void)
{
	static const int prots[] = {
		PROT_READ | PROT_WRITE, PROT_READ, PROT_NONE};

	mprotect(page_at(some_page()), CHAOS_PAGE, PICK(prots));
}

static void unmap(void)
{
	munmap(page_at(some_page()), CHAOS_PAGE);
}

static void discard(void)
{
	madvise(page_at(some_page()), CHAOS_PAGE,
		one_in(2) ? MADV_DONTNEED : MADV_DONTFORK);
}

/* A file that is shorter than its mapping: SIGBUS, or EFAULT. */
static void truncated(void)
{
	int fd = memfd_create("short", MFD_CLOEXEC);

	if (fd < 0)
		return;
	if (one_in(2))
		ftruncate(fd, CHAOS_PAGE);
	map_page(some_page(), PROT_READ | PROT_WRITE, MAP_SHARED, fd);
	if (one_in(2))
		ftruncate(fd, 0);
	close(fd);
}

/* Memory that only its own process reaches. */
static void secret(void)
{
	int fd = (int)syscall(SYS_memfd_secret, O_CLOEXEC);

	if (fd < 0)
		return;
	ftruncate(fd, CHAOS_PAGE);
	map_page(some_page(), PROT_READ | PROT_WRITE, MAP_SHARED, fd);
	close(fd);
}

/* Memory below a mapping that grows when it is touched. */
static void growing(void)
{
	unsigned i = some_page();
	char *top = page_at(i) + CHAOS_PAGE / 2;

	munmap(page_at(i), CHAOS_PAGE);
	mmap(top, CHAOS_PAGE / 2, PROT_READ | PROT_WRITE,
		MAP_FIXED | MAP_PRIVATE | MAP_ANONYMOUS | MAP_GROWSDOWN, -1, 0);
	chaos_got(epoll_wait(chaos_fd(KIND_EPOLL), (void *)(top - 64), 2, 0));
}

const struct chaos_action chaos_memory[] = {
	{"mmap", remap, 6},
	{"mprotect", protect, 4},
	{"munmap", unmap, 3},
	{"madvise", discard, 2},
	{"truncate", truncated, 2},
	{"memfd_secret", secret, 1},
	{"grow", growing, 2},
	{NULL, NULL, 0},
};
