/* SPDX-License-Identifier: MIT */
/*
 * The page that the runner shares with the processes of the running case:
 * how the case went, and what its processes tell one another.
 */
#ifndef CONFORM_SHARED_H
#define CONFORM_SHARED_H

#include "conf.h"

enum conf_state { RUNNING, PASSED, FAILED, SKIPPED };

struct conf_step {
	const char *file;
	int line;
	const char *what;
};

struct conf_sig {
	uint32_t count;
	uint64_t under;
};

struct conf_shared {
	uint32_t state;
	uint32_t claimed;
	int leader;
	struct conf_step step; /* where the leader is, for a time-out */
	struct conf_step at; /* where it failed */
	char expected[600];
	char observed[600];
	char note[300];
	uint32_t returned; /* waiters that returned so far */
	uint32_t flag[32];
	struct conf_sig sig[65];
	size_t arena_used;
	char arena[48 * 1024] __attribute__((aligned(64)));
};

extern struct conf_shared *conf_shared;
/* Zero in the runner, where ENOSYS is no reason to skip. */
extern int conf_in_case;
extern int conf_in_leader;

#endif
