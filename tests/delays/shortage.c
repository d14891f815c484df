/* SPDX-License-Identifier: MIT */
/*
 * A shortage of memory, for epemu itself: a library to preload. Once the file
 * SHORTAGE_MARK is there, one allocation in three of the supervisor fails.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
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

static bool fails(void)
{
	char name[16] = "";
	int error = errno;
	bool there;

	if (!mark)
		return false;
	there = access(mark, F_OK) == 0 && prctl(PR_GET_NAME, name) == 0 &&
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
	if (fails()) {
		errno = ENOMEM;
		return NULL;
	}
	return next_calloc(count, size);
}

EXPORT void *realloc(void *old, size_t size)
{
	if (fails()) {
		errno = ENOMEM;
		return NULL;
	}
	return next_realloc(old, size);
}
