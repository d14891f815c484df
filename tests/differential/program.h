/* SPDX-License-Identifier: MIT */
/*
 * A program of the differential test: one call a line, made by one of the
 * actors.
 *
 *	0: r1, w2 = pipe2(O_NONBLOCK)
 *	0: e3 = epoll_create1(0)
 *	0: epoll_ctl(e3, ADD, r1, IN|ET, 7)
 *	0: fork(1)
 *	1: epoll_wait(e3, 4, -1)
 *	0: write(w2, 100)
 *
 * The number before the colon is the actor. A word of letters and digits
 * such as `r1` is a slot: the letters are for the reader, the number counts.
 * A slot keeps the last descriptor number that was put in it, also after it
 * was closed. Else an argument is a number or names joined by `|`. Lines that
 * open with `#` are comments; `program NAME` begins a program.
 */
#ifndef DIFF_PROGRAM_H
#define DIFF_PROGRAM_H

#include <stdbool.h>
#include <stdio.h>

enum { ACTORS = 6, SLOTS = 128, ARGS_MAX = 5, OUTS_MAX = 2, STEPS_MAX = 1000 };

struct op;

struct arg {
	bool slot;
	long value; /* the slot's number, if it is one */
};

struct step {
	const struct op *op;
	unsigned actor;
	unsigned out[OUTS_MAX];
	struct arg arg[ARGS_MAX];
	char text[128];
};

struct program {
	char name[128];
	unsigned count;
	struct step step[STEPS_MAX];
};

/*
 * Reads the next program; false at the end of the file. Ends the process
 * with status 2 and a message if there is something else.
 */
bool program_read(struct program *p, FILE *from, const char *from_name);

/* The value of a constant's name; false if there is no such name. */
bool name_value(const char *name, long *value);

#endif
