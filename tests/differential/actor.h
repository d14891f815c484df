/* SPDX-License-Identifier: MIT */
/*
 * An actor: a process, or a thread of one, that makes the calls it is
 * handed. What it shares with the one who hands them out is memory; it has
 * no descriptor but those of the program, so their numbers are the
 * program's own.
 */
#ifndef DIFF_ACTOR_H
#define DIFF_ACTOR_H

#include "program.h"
#include "text.h"
#include <stdatomic.h>
#include <stdint.h>
#include <sys/types.h>

enum actor_life { ACTOR_NONE, ACTOR_ALIVE, ACTOR_GONE };

struct actor {
	_Atomic uint32_t life; /* enum actor_life */
	_Atomic uint32_t turn; /* odd while it makes a call; a futex */
	unsigned step; /* the call, while `turn` is odd */
	unsigned number;
	pid_t pid, tid;
	struct text result; /* of the call, when `turn` is even again */
	int *slot; /* in its process; threads share it */
};

struct connection {
	uint16_t port_a, port_b;
};

enum { CONNECTIONS_MAX = 64 };

/* The memory that all processes of a program share. */
struct stage {
	struct actor actor[ACTORS];
	unsigned connections;
	struct connection connection[CONNECTIONS_MAX];
	const struct program *program;
};

extern struct stage *stage;

/* Sleeps while `*word` is `value`, at most `limit_ns`. */
void futex_wait(_Atomic uint32_t *word, uint32_t value, long limit_ns);
void futex_wake(_Atomic uint32_t *word);

/*
 * Begins actor `number` in a new process, whose parent is the caller, or with
 * `sibling` the caller's parent; its descriptors above 2 are those of the
 * caller. 0 or a negative errno.
 */
long actor_fork(unsigned number, bool sibling);

/* Begins actor `number` as a thread that shares the slots of `of`. */
long actor_thread(unsigned number, struct actor *of);

/* From now on the calling actor has slots of its own. */
void actor_unshare_slots(struct actor *a);

/* Memory for one actor that ends where nothing is mapped. */
char *actor_edge(const struct actor *a);

#endif
