/* SPDX-License-Identifier: MIT */
/* Text that grows up to a bound; what does not fit is cut off. */
#ifndef DIFF_TEXT_H
#define DIFF_TEXT_H

#include <stdint.h>

struct text {
	uint32_t len;
	char data[1500];
};

void text_clear(struct text *t);

__attribute__((format(printf, 2, 3))) void text_add(
	struct text *t, const char *format, ...);

/* A result of a system call: the number, or the errno's name after a minus. */
void text_add_result(struct text *t, long result);

/* Bytes: up to eight as they are, more as their sum. */
void text_add_bytes(struct text *t, const unsigned char *data, long count);

#endif
