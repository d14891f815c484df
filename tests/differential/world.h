/* SPDX-License-Identifier: MIT */
/* Runs one program. */
#ifndef DIFF_WORLD_H
#define DIFF_WORLD_H

#include "program.h"

/* Seconds after which a program that does not end is given up. */
enum { WORLD_LIMIT = 60 };

/*
 * Runs it in processes of its own and prints a line for each result. A
 * process calls it once, and has no other children.
 */
void world_run(const struct program *p, FILE *to);

#endif
