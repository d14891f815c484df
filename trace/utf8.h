/* SPDX-License-Identifier: MIT */
/* Text from elsewhere that has to be UTF-8. */
#ifndef TRACE_UTF8_H
#define TRACE_UTF8_H

#include <stddef.h>

/*
 * How many bytes the character at `text` takes, which ends with a 0. 0 if it
 * is not one of UTF-8, or a control character.
 */
size_t trace_utf8_length(const char *text);

/* Puts a "?" in place of each byte that belongs to no such character. */
void trace_utf8_clean(char *text);

#endif
