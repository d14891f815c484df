/* SPDX-License-Identifier: MIT */
/*
 * What the shared parts of tests/unit use of Check, for a program that is no
 * suite: what does not hold ends it, and the fuzzer keeps the input.
 */
#ifndef FUZZ_CHECK_H
#define FUZZ_CHECK_H

#include <stdio.h>
#include <stdlib.h>

typedef struct Suite Suite;
typedef struct TCase TCase;

#define ck_abort_msg(...)                                       \
	do {                                                    \
		fprintf(stderr, "%s:%d: ", __FILE__, __LINE__); \
		fprintf(stderr, __VA_ARGS__);                   \
		fputc('\n', stderr);                            \
		abort();                                        \
	} while (0)

#define ck_assert(holds)                                 \
	do {                                             \
		if (!(holds))                            \
			ck_abort_msg("not so: " #holds); \
	} while (0)
#define ck_assert_int_eq(a, b) ck_assert((a) == (b))
#define ck_assert_int_le(a, b) ck_assert((a) <= (b))
#define ck_assert_int_ge(a, b) ck_assert((a) >= (b))
#define ck_assert_uint_eq(a, b) ck_assert((a) == (b))
#define ck_assert_ptr_nonnull(a) ck_assert((a) != NULL)

#endif
