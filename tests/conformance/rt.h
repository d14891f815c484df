/* SPDX-License-Identifier: MIT */
/*
 * The few things a program without a C library needs: memory and string
 * functions, and formatted text into a buffer.
 */
#ifndef CONFORM_RT_H
#define CONFORM_RT_H

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

void *memcpy(void *dst, const void *src, size_t n);
void *memmove(void *dst, const void *src, size_t n);
void *memset(void *dst, int byte, size_t n);
int memcmp(const void *a, const void *b, size_t n);
size_t strlen(const char *s);
int strcmp(const char *a, const char *b);
int strncmp(const char *a, const char *b, size_t n);
const char *strstr(const char *hay, const char *needle);
/* Reads digits in the base given, after spaces; stops at the first other. */
uint64_t str_number(const char *s, int base);
/* A shell pattern with * and ?. */
int str_match(const char *pattern, const char *s);

/* A bounded text; what does not fit is cut off, and it always ends in NUL. */
struct text {
	char *buf;
	size_t len;
	size_t cap;
};

#define TEXT_ON(array)                    \
	{                                 \
		(array), 0, sizeof(array) \
	}

/* %s, %d (int), %ld, %lx and %c only. */
void text_put(struct text *t, const char *fmt, ...);
void text_putv(struct text *t, const char *fmt, va_list ap);
/* -EINVAL as "-EINVAL", anything else as a decimal number. */
void text_result(struct text *t, long value);
/* An epoll mask as "IN|HUP", unknown bits in hexadecimal, 0 as "0". */
void text_mask(struct text *t, uint32_t mask);

#endif
