/* SPDX-License-Identifier: MIT */
/*
 * A fake host for the engine: memory that can fail and is counted, files whose
 * poll bits a test sets, threads that sleep in epoll_wait() by a fake clock.
 *
 * fake_setup() and fake_teardown() go round each test; the latter fails the
 * test if anything is left over.
 */
#ifndef FAKE_H
#define FAKE_H

#include <check.h>
#include <stdbool.h>
#include <stdint.h>

#include "deadline.h"
#include "epoll_emul.h"
#include "eventfd_emul.h"
#include "poll_bits.h"

#define IN EMU_EPOLLIN
#define OUT EMU_EPOLLOUT
#define PRI EMU_EPOLLPRI
#define ERR EMU_EPOLLERR
#define HUP EMU_EPOLLHUP
#define RDHUP EMU_EPOLLRDHUP
#define RDNORM EMU_EPOLLRDNORM
#define ET EMU_EPOLLET
#define ONESHOT EMU_EPOLLONESHOT
#define EXCLUSIVE EMU_EPOLLEXCLUSIVE
#define WAKEUP EMU_EPOLLWAKEUP

struct fake_host {
	struct emu_alloc alloc;
	struct emu_epoll_user user;
	long blocks; /* allocated and not freed */
	long bytes; /* in those */
	long fail_in; /* the allocation that fails, counted from 1; 0: none */
	uint64_t now_ns;
	struct emu_deadlines deadlines;
};

extern struct fake_host host;

void fake_setup(void);
void fake_teardown(void);

/* Runs a suite and returns what main() shall. */
int fake_run_suite(Suite *suite);

/* A test case with the set-up above and a generous time limit. */
TCase *fake_tcase(Suite *suite, const char *name);

/* xorshift64*; the seed is part of the test. */
uint32_t fake_random(uint64_t *state, uint32_t below);

/* ---- files ---- */

struct fake_file {
	struct emu_file file;
	uint32_t bits; /* what it is ready for */
	int polls; /* how often it was asked */
};

void fake_file_init(struct fake_file *file, uint32_t bits);

/* Sets the bits and wakes with `key`; returns what emu_file_wake() says. */
int fake_file_wake(struct fake_file *file, uint32_t bits, uint32_t key);

/* ---- epolls ---- */

struct emu_epoll *fake_epoll(void);

int fake_add(struct emu_epoll *epoll, struct emu_file *file, int fd,
	uint32_t mask, uint64_t data);
int fake_mod(struct emu_epoll *epoll, struct emu_file *file, int fd,
	uint32_t mask, uint64_t data);
void fake_del(struct emu_epoll *epoll, struct emu_file *file, int fd);

/* ADD of a fake file under number 3 + data, and of an epoll */
int fake_watch(struct emu_epoll *epoll, struct fake_file *file, uint32_t mask,
	uint64_t data);
int fake_nest(struct emu_epoll *outer, struct emu_epoll *inner, uint32_t mask,
	uint64_t data);

/*
 * epoll_wait(epoll, …, max, 0) as text: "DATA:EVENTS" of each event, in
 * decimal and hexadecimal, with spaces between; "" for none. The text is
 * overwritten by the next call. The second form delivers only the first so
 * many of what it shows.
 */
const char *fake_take(struct emu_epoll *epoll, int max);
const char *fake_take_some(struct emu_epoll *epoll, int max, int delivered);

/* poll(2) on the epoll itself: the bits it has now */
uint32_t fake_poll(struct emu_epoll *epoll);

/* ---- threads in epoll_wait() ---- */

struct fake_thread {
	struct emu_waiter waiter;
	struct emu_deadline deadline;
	int max;
	bool sleeping;
	bool woken; /* chosen, but has not run yet */
	int wakes;
	int result; /* of the call, or -1 while it lasts */
	struct emu_event events[4];
};

/*
 * Starts epoll_wait() for up to 4 events with a deadline on the fake clock
 * (EMU_DEADLINE_NEVER: none). It may return at once.
 */
void fake_wait(
	struct fake_thread *thread, struct emu_epoll *epoll, uint64_t until_ns);

/* Lets a woken thread run: it returns, or finds nothing and sleeps again. */
void fake_run(struct fake_thread *thread);

/* The thread dies, asleep or woken. */
void fake_kill(struct fake_thread *thread);

/*
 * Moves the clock. A thread whose time has come takes what there is and
 * returns, also with nothing.
 */
void fake_clock_set(uint64_t now_ns);

#endif
