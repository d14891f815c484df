/* SPDX-License-Identifier: MIT */
/*
 * The hash table against an array. A step of 2^44 between keys has many of them
 * meet in one place, so that taking one out has others move up.
 */
#include <stdlib.h>

#include "emu/table.h"
#include "fake.h"

enum { KEYS = 700, STEPS = 20000 };

static uint64_t key_of(int number)
{
	return number % 2 ? (uint64_t)number << 44 : (uint64_t)number;
}

static void count_seen(void *ctx, void *value)
{
	(void)ctx;
	++*(int *)value;
}

/* Each value that is in is come by once. */
static void check_walk(const struct emu_table *table, const bool *in, int *seen)
{
	for (int i = 0; i < KEYS; i++)
		seen[i] = 0;
	emu_table_each(table, count_seen, NULL);
	for (int i = 0; i < KEYS; i++)
		ck_assert_int_eq(seen[i], in[i]);
}

START_TEST(random_steps_agree_with_an_array)
{
	struct emu_table table = {0};
	static int values[KEYS];
	bool in[KEYS] = {false};
	size_t count = 0;

	srandom((unsigned int)_i);
	ck_assert_ptr_null(emu_table_get(&table, 0));
	ck_assert_ptr_null(emu_table_take(&table, 0));
	check_walk(&table, in, values);
	for (int step = 0; step < STEPS; step++) {
		int key = (int)(random() % KEYS);
		int *wanted = in[key] ? &values[key] : NULL;

		ck_assert_ptr_eq(emu_table_get(&table, key_of(key)), wanted);
		if (!in[key])
			ck_assert_int_eq(emu_table_set(&table, key_of(key),
						 &values[key]),
				0);
		else
			ck_assert_ptr_eq(
				emu_table_take(&table, key_of(key)), wanted);
		count += in[key] ? (size_t)-1 : 1;
		in[key] = !in[key];
		ck_assert_uint_eq(table.count, count);
	}
	check_walk(&table, in, values);
	emu_table_clear(&table, NULL, NULL);
	ck_assert_ptr_null(emu_table_get(&table, 0));
}
END_TEST

START_TEST(a_value_is_replaced)
{
	struct emu_table table = {0};
	int one = 1, other = 2;

	ck_assert_int_eq(emu_table_set(&table, 7, &one), 0);
	ck_assert_int_eq(emu_table_set(&table, 7, &other), 0);
	ck_assert_uint_eq(table.count, 1);
	ck_assert_ptr_eq(emu_table_take(&table, 7), &other);
	ck_assert_ptr_null(emu_table_get(&table, 7));
	emu_table_clear(&table, NULL, NULL);
}
END_TEST

START_TEST(its_values_are_freed)
{
	struct emu_table table = {0};

	for (uint64_t key = 0; key < KEYS; key++)
		ck_assert_int_eq(emu_table_set(&table, key, malloc(1)), 0);
	free(emu_table_take(&table, 0));
	emu_table_free(&table);
	ck_assert_uint_eq(table.count, 0);
	ck_assert_ptr_null(emu_table_get(&table, 1));
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("table");
	TCase *tcase = fake_tcase(suite, "table");

	tcase_add_loop_test(tcase, random_steps_agree_with_an_array, 0, 3);
	tcase_add_test(tcase, a_value_is_replaced);
	tcase_add_test(tcase, its_values_are_freed);
	return fake_run_suite(suite);
}
