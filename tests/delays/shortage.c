/* SPDX-License-Identifier: MIT */
/*
 * A shortage of memory and of descriptors, for epemu itself: a library to
 * preload. Once the file SHORTAGE_MARK is there, one allocation in three of the
 * supervisor fails; or, while that file has a text, one in three of its calls
 * that open a descriptor.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define EXPORT __attribute__((visibility("default")))

static const char *mark;
static uint64_t random_state = 0x9e3779b97f4a7c15u;

/* The C library's own. */
void *next_calloc(size_t count, size_t size) __asm__("__libc_calloc");
void *next_realloc(void *old, size_t size) __asm__("__libc_realloc");

__attribute__((constructor)) static void begin(void)
{
	unsetenv("LD_PRELOAD");
	mark = getenv("SHORTAGE_MARK");
}

static bool fails(bool descriptors)
{
	char name[16] = "";
	int error = errno;
	struct stat st;
	bool there;

	if (!mark)
		return false;
	there = stat(mark, &st) == 0 && (st.st_size > 0) == descriptors &&
		prctl(PR_GET_NAME, name) == 0 &&
		strcmp(name, "epemu-serve") == 0;
	errno = error;
	if (!there)
		return false;
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return (random_state >> 11) % 3 == 0;
}

EXPORT void *calloc(size_t count, size_t size)
{
	if (fails(false)) {
		errno = ENOMEM;
		return NULL;
	}
	return next_calloc(count, size);
}

EXPORT void *realloc(void *old, size_t size)
{
	if (fails(false)) {
		errno = ENOMEM;
		return NULL;
	}
	return next_realloc(old, size);
}

/* The table of the process is full, or that of the machine. */
static int no_descriptor(void)
{
	errno = random_state & 1 ? EMFILE : ENFILE;
	return -1;
}

EXPORT int open(const char *path, int flags, ...)
{
	va_list more;
	mode_t mode;

	if (fails(true))
		return no_descriptor();
	va_start(more, flags);
	mode = va_arg(more, mode_t);
	va_end(more);
	return openat(AT_FDCWD, path, flags, mode);
}

EXPORT long syscall(long nr, ...)
{
	static long (*next)(long nr, ...);
	va_list more;
	long args[6];

	if ((nr == SYS_pidfd_open || nr == SYS_pidfd_getfd) && fails(true))
		return no_descriptor();
	va_start(more, nr);
	for (int i = 0; i < 6; i++)
		args[i] = va_arg(more, long);
	va_end(more);
	if (!next)
		next = (long (*)(long, ...))dlsym(RTLD_NEXT, "syscall");
	return next(nr, args[0], args[1], args[2], args[3], args[4], args[5]);
}
