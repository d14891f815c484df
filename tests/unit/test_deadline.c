/* SPDX-License-Identifier: MIT */
/*
 * The deadline heap, by hand and against a list that is searched whole.
 */
#include <stdlib.h>

#include "fake.h"

#define NEVER EMU_DEADLINE_NEVER

static struct emu_deadlines heap;

static void setup(void)
{
	emu_deadlines_init(&heap);
}

START_TEST(nothing_armed_nothing_due)
{
	struct emu_deadline deadline;

	emu_deadline_init(&deadline);
	ck_assert(!deadline.armed);
	ck_assert_uint_eq(emu_deadlines_next(&heap), NEVER);
	ck_assert_ptr_null(emu_deadlines_expired(&heap, NEVER));
	emu_deadline_disarm(&heap, &deadline);
	ck_assert_uint_eq(emu_deadlines_next(&heap), NEVER);
}
END_TEST

/* W07 */
START_TEST(never_is_not_armed)
{
	struct emu_deadline deadline;

	emu_deadline_init(&deadline);
	emu_deadline_arm(&heap, &deadline, NEVER);
	ck_assert(!deadline.armed);
	ck_assert_ptr_null(emu_deadlines_expired(&heap, NEVER));

	emu_deadline_arm(&heap, &deadline, 5);
	emu_deadline_arm(&heap, &deadline, NEVER);
	ck_assert(!deadline.armed);
	ck_assert_uint_eq(emu_deadlines_next(&heap), NEVER);
}
END_TEST

/* W08 */
START_TEST(due_at_its_time_and_not_before)
{
	struct emu_deadline deadline;

	emu_deadline_init(&deadline);
	emu_deadline_arm(&heap, &deadline, 100);
	ck_assert(deadline.armed);
	ck_assert_uint_eq(emu_deadlines_next(&heap), 100);
	ck_assert_ptr_null(emu_deadlines_expired(&heap, 99));
	ck_assert(deadline.armed);
	ck_assert_ptr_eq(emu_deadlines_expired(&heap, 100), &deadline);
	ck_assert(!deadline.armed);
	ck_assert_ptr_null(emu_deadlines_expired(&heap, NEVER));
}
END_TEST

START_TEST(arming_again_moves_it)
{
	struct emu_deadline a, b;

	emu_deadline_init(&a);
	emu_deadline_init(&b);
	emu_deadline_arm(&heap, &a, 10);
	emu_deadline_arm(&heap, &b, 20);
	emu_deadline_arm(&heap, &a, 30);
	ck_assert_uint_eq(emu_deadlines_next(&heap), 20);
	emu_deadline_arm(&heap, &a, 0);
	ck_assert_ptr_eq(emu_deadlines_expired(&heap, 30), &a);
	ck_assert_ptr_eq(emu_deadlines_expired(&heap, 30), &b);
	ck_assert_ptr_null(emu_deadlines_expired(&heap, NEVER));
}
END_TEST

START_TEST(all_at_one_time)
{
	struct emu_deadline deadlines[8];
	unsigned int seen = 0;

	for (int i = 0; i < 8; i++) {
		emu_deadline_init(&deadlines[i]);
		emu_deadline_arm(&heap, &deadlines[i], 7);
	}
	for (int i = 0; i < 8; i++)
		seen |= 1u << (emu_deadlines_expired(&heap, 7) - deadlines);
	ck_assert_uint_eq(seen, 0xff);
	ck_assert_ptr_null(emu_deadlines_expired(&heap, NEVER));
}
END_TEST

#define MODEL_SIZE 200

static struct emu_deadline model[MODEL_SIZE];
static uint64_t model_at[MODEL_SIZE]; /* NEVER: not armed */

static uint64_t model_next(void)
{
	uint64_t next = NEVER;

	for (int i = 0; i < MODEL_SIZE; i++)
		if (model_at[i] < next)
			next = model_at[i];
	return next;
}

static void expire_up_to(uint64_t now)
{
	struct emu_deadline *deadline;
	uint64_t previous = 0;

	while ((deadline = emu_deadlines_expired(&heap, now))) {
		uint64_t at = model_at[deadline - model];

		ck_assert_uint_le(previous, at);
		ck_assert_uint_eq(at, model_next());
		ck_assert_uint_le(at, now);
		model_at[deadline - model] = NEVER;
		previous = at;
	}
	ck_assert(model_next() > now);
}

START_TEST(random_steps_agree_with_a_list)
{
	uint64_t seed = 0x5eed0001 + (uint64_t)_i;
	uint64_t now = 0;

	for (int i = 0; i < MODEL_SIZE; i++) {
		emu_deadline_init(&model[i]);
		model_at[i] = NEVER;
	}
	for (int step = 0; step < 20000; step++) {
		uint32_t which = fake_random(&seed, MODEL_SIZE);
		uint32_t what = fake_random(&seed, 10);

		if (what < 6) {
			model_at[which] = now + fake_random(&seed, 1000);
			emu_deadline_arm(&heap, &model[which], model_at[which]);
		} else if (what < 9) {
			model_at[which] = NEVER;
			emu_deadline_disarm(&heap, &model[which]);
		} else {
			now += fake_random(&seed, 100);
			expire_up_to(now);
		}
		ck_assert_uint_eq(emu_deadlines_next(&heap), model_next());
		ck_assert(model[which].armed == (model_at[which] != NEVER));
	}
	expire_up_to(NEVER - 1);
	ck_assert_uint_eq(emu_deadlines_next(&heap), NEVER);
}
END_TEST

/* Long lists of siblings and long chains of children must not recurse. */
START_TEST(a_hundred_thousand)
{
	const int count = 100000;
	struct emu_deadline *many = calloc((size_t)count, sizeof(*many));
	uint64_t seed = 42;
	uint64_t previous = 0;

	ck_assert_ptr_nonnull(many);
	for (int i = 0; i < count; i++) {
		uint64_t at = (uint64_t)i;

		if (_i == 1)
			at = (uint64_t)(count - i);
		else if (_i == 2)
			at = fake_random(&seed, 1000000);
		emu_deadline_init(&many[i]);
		emu_deadline_arm(&heap, &many[i], at);
	}
	for (int i = 0; i < count; i += 2)
		emu_deadline_disarm(&heap, &many[i]);
	for (int i = 0; i < count / 2; i++) {
		uint64_t next = emu_deadlines_next(&heap);

		ck_assert_uint_le(previous, next);
		ck_assert_ptr_nonnull(emu_deadlines_expired(&heap, next));
		previous = next;
	}
	ck_assert_uint_eq(emu_deadlines_next(&heap), NEVER);
	free(many);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("deadline");
	TCase *tcase = fake_tcase(suite, "deadline");

	tcase_add_checked_fixture(tcase, setup, NULL);
	tcase_add_test(tcase, nothing_armed_nothing_due);
	tcase_add_test(tcase, never_is_not_armed);
	tcase_add_test(tcase, due_at_its_time_and_not_before);
	tcase_add_test(tcase, arming_again_moves_it);
	tcase_add_test(tcase, all_at_one_time);
	tcase_add_loop_test(tcase, random_steps_agree_with_a_list, 0, 5);
	tcase_add_loop_test(tcase, a_hundred_thousand, 0, 3);
	return fake_run_suite(suite);
}
