/* SPDX-License-Identifier: MIT */
/* What the honest clients share: where they count, and when they end. */
#ifndef HONEST_H
#define HONEST_H

#include "../stress/stress.h"
#include "hostile.h"

/* The client's own source of chance. */
extern struct stress_rng rng;

/* Finds the arena's memory; the first thing that a client does. */
void begin(void);

/* Is the client to go on? */
bool going(void);

/* One right answer more. */
void progressed(void);

/* The same, and now and then a pause. */
void answered(void);

/* The client of honest_bytes.c. */
void bytes(void);

#endif
