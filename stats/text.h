/* SPDX-License-Identifier: MIT */
/* Statistics and living state as text for people. */
#ifndef STATS_TEXT_H
#define STATS_TEXT_H

#include <stdint.h>
#include <stdio.h>

#include "emu/intercept.h"
#include "stats/tally.h"

/* So many items are named and polled in one look at the state. */
enum { STATS_MOST_ITEMS = 2000 };

/* Room for the text of a mask. */
enum { STATS_MASK_TEXT = 160 };

/* "IN|OUT|ET"; bits without a name as a number. Returns `text`. */
const char *stats_mask_text(char text[STATS_MASK_TEXT], uint32_t events);

/* What was counted until now. */
void stats_text_tally(FILE *out, const struct stats_tally *tally);

/* What there is now: objects, items, ready lists, sleepers. */
void stats_text_state(FILE *out, struct emu_intercept *intercept);

#endif
