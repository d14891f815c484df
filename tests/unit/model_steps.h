/* SPDX-License-Identifier: MIT */
/*
 * Random steps of the engine and the model side by side: files get ready and
 * wake, items come, change and go, threads sleep and take, whole files and
 * epolls end. After each step everything that can be seen from outside is the
 * same, or the test fails.
 */
#ifndef MODEL_STEPS_H
#define MODEL_STEPS_H

#include <stdint.h>

/*
 * Between fake_setup() and fake_teardown(). `source` makes every choice: it
 * returns a number below its argument.
 */
void model_steps_begin(uint32_t (*source)(uint32_t below));
void model_step(void);
void model_steps_end(void);

#endif
