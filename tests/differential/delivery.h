/* SPDX-License-Identifier: MIT */
/* Waiting until TCP has delivered what was sent. */
#ifndef DIFF_DELIVERY_H
#define DIFF_DELIVERY_H

#include "actor.h"
#include <stdbool.h>

/* Opens what delivery_await() asks; false if the kernel has it not. */
bool delivery_open(void);

/*
 * Returns when nothing of the stage's connections is on its way any more;
 * false if that did not come in ten seconds.
 */
bool delivery_await(const struct stage *s);

#endif
