/* SPDX-License-Identifier: MIT */
/*
 * The engine against the model: random files, epolls, items and sleepers; after
 * each step everything that can be seen from outside must be the same.
 */
#include "fake.h"
#include "model_steps.h"

#define NR_STEPS 6000

static uint64_t seed;

static uint32_t pick(uint32_t below)
{
	return fake_random(&seed, below);
}

static void setup(void)
{
	model_steps_begin(pick);
}

START_TEST(random_steps_agree_with_the_model)
{
	seed = 0x30de1 + (uint64_t)_i;
	for (int step = 0; step < NR_STEPS; step++)
		model_step();
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("epoll_model");
	TCase *tcase = fake_tcase(suite, "epoll_model");

	tcase_add_checked_fixture(tcase, setup, model_steps_end);
	tcase_add_loop_test(tcase, random_steps_agree_with_the_model, 0, 40);
	return fake_run_suite(suite);
}
