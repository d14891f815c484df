/* SPDX-License-Identifier: MIT */
/*
 * Statistics and living state as JSON; docs/stats-schema.json describes it.
 */
#ifndef STATS_JSON_H
#define STATS_JSON_H

#include <stdbool.h>

#include "emu/intercept.h"
#include "stats/tally.h"

/*
 * One line of JSON with its line feed, which the caller frees; NULL when
 * there is no memory. With `state` also what there is now.
 */
char *stats_json(const struct stats_tally *tally,
	struct emu_intercept *intercept, bool state);

#endif
