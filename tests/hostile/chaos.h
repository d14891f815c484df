/* SPDX-License-Identifier: MIT */
/*
 * What the files of the chaos share. An actor is one process of up to eight
 * threads; each thread does one action after the other, chosen by its own
 * random numbers. Memory for arguments lies at fixed low addresses, so that
 * 32-bit calls reach it as well.
 *
 * Actors use neither stdio nor malloc: a handler may leave any call by
 * siglongjmp, and a lock would then never be freed.
 */
#ifndef CHAOS_H
#define CHAOS_H

#include "../stress/stress.h"
#include "hostile.h"
#include <setjmp.h>
#include <signal.h>

enum {
	CHAOS_THREADS = 8,
	CHAOS_PAGES = 12, /* with a hole behind each */
	CHAOS_PAGE = HOSTILE_PAGE,
	CHAOS_ALT_STACK = 65536,
};
#define CHAOS_MEMORY 0x10000000ul

enum chaos_kind { KIND_ANY, KIND_EPOLL, KIND_EVENTFD, KIND_FILE };

struct chaos_thread {
	struct stress_rng rng;
	sigjmp_buf back; /* to the loop */
	volatile sig_atomic_t armed; /* `back` can be used */
	_Atomic pid_t tid; /* 0: the place is free */
	char frame[8192] __attribute__((aligned(16)));
	char stack[CHAOS_ALT_STACK] __attribute__((aligned(16)));
};

struct chaos_process {
	uint64_t seed;
	unsigned slot;
	uint64_t until; /* when its time is over */
	char **argv;
	bool below; /* a child of an actor: makes no further one */
	_Atomic pid_t child;
	_Atomic uint8_t kind[HOSTILE_FD_LIMIT]; /* a guess */
	struct chaos_thread thread[CHAOS_THREADS];
};

extern struct hostile *shared;
extern struct chaos_process self;
extern __thread struct chaos_thread *me;

/* What can be done; `weight` of all weights together. */
struct chaos_action {
	const char *name;
	void (*act)(void);
	unsigned weight;
};
extern const struct chaos_action chaos_calls[], chaos_memory[],
	chaos_processes[], chaos_signals[], chaos_files[];

static inline unsigned pick(unsigned bound)
{
	return stress_below(&me->rng, bound);
}

static inline bool one_in(unsigned n)
{
	return pick(n) == 0;
}

#define PICK(array) ((array)[pick(ARRAY_LEN(array))])

/* The loop of a thread: goes on until the process's time is over. */
void chaos_loop(unsigned most_actions);
/* Makes this thread the owner of a place. Returns false if none is free. */
bool chaos_take_place(uint64_t seed);

/* A number that may be of that kind, or of none. */
int chaos_fd(enum chaos_kind kind);
/* A call gave this: counted, and remembered if it is a descriptor. */
long chaos_got(long result);
int chaos_new(long fd, enum chaos_kind kind);

/* Memory for `len` bytes: good mostly, else about to go, or none at all. */
void *chaos_pointer(size_t len);
/* Memory that is always good. */
void *chaos_good(size_t len);
void chaos_open_memory(void);

/* A trapped call that does not sleep for long. */
void chaos_some_call(void);

void chaos_open_signals(void);
void chaos_alt_stack(void);
/* A signal mask that blocks what actors send, or none. */
void chaos_block(bool block);

#endif
