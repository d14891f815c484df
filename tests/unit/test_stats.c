/* SPDX-License-Identifier: MIT */
/*
 * The histogram of the statistics, against sorted values.
 */
#include <stdlib.h>

#include "fake.h"
#include "stats/histogram.h"

enum { VALUES = 5000 };

static int ascending(const void *left, const void *right)
{
	uint64_t a = *(const uint64_t *)left, b = *(const uint64_t *)right;

	return a < b ? -1 : a > b;
}

START_TEST(nothing_has_no_percentile)
{
	struct stats_histogram empty = {0};

	ck_assert_uint_eq(stats_histogram_percentile(&empty, 50), 0);
	ck_assert_uint_eq(stats_histogram_percentile(&empty, 99), 0);
}
END_TEST

START_TEST(small_values_are_exact)
{
	struct stats_histogram histogram = {0};

	for (uint64_t value = 0; value < 8; value++)
		stats_histogram_add(&histogram, value);
	ck_assert_uint_eq(histogram.count, 8);
	ck_assert_uint_eq(stats_histogram_percentile(&histogram, 1), 0);
	ck_assert_uint_eq(stats_histogram_percentile(&histogram, 50), 3);
	ck_assert_uint_eq(stats_histogram_percentile(&histogram, 100), 7);
}
END_TEST

/* Values of all sizes, as many small as great ones. */
static uint64_t random_value(void)
{
	uint64_t value = ((uint64_t)random() << 31 | (uint64_t)random());

	return value >> (19 + random() % 43);
}

START_TEST(percentiles_are_right_to_an_eighth)
{
	static uint64_t values[VALUES];
	struct stats_histogram histogram = {0};

	srandom((unsigned int)_i);
	for (int i = 0; i < VALUES; i++) {
		values[i] = random_value();
		stats_histogram_add(&histogram, values[i]);
	}
	qsort(values, VALUES, sizeof(values[0]), ascending);
	for (unsigned int percent = 1; percent <= 100; percent++) {
		uint64_t exact = values[(VALUES * percent + 99) / 100 - 1];
		uint64_t found =
			stats_histogram_percentile(&histogram, percent);

		ck_assert_uint_ge(found, exact);
		ck_assert_uint_le(found, exact + exact / 8);
	}
}
END_TEST

START_TEST(merged_is_as_added)
{
	struct stats_histogram parts[2] = {{0}}, all = {0};

	srandom(1);
	for (int i = 0; i < VALUES; i++) {
		uint64_t value = random_value();

		stats_histogram_add(&parts[i % 2], value);
		stats_histogram_add(&all, value);
	}
	stats_histogram_merge(&parts[0], &parts[1]);
	ck_assert_mem_eq(&parts[0], &all, sizeof(all));
}
END_TEST

START_TEST(what_is_too_great_is_counted_last)
{
	struct stats_histogram histogram = {0};

	stats_histogram_add(&histogram, UINT64_MAX);
	stats_histogram_add(&histogram, (uint64_t)1 << 60);
	ck_assert_uint_eq(histogram.cells[STATS_HISTOGRAM_CELLS - 1], 2);
	ck_assert_uint_ge(
		stats_histogram_percentile(&histogram, 50), (uint64_t)1 << 42);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("stats");
	TCase *tcase = fake_tcase(suite, "stats");

	tcase_add_test(tcase, nothing_has_no_percentile);
	tcase_add_test(tcase, small_values_are_exact);
	tcase_add_loop_test(tcase, percentiles_are_right_to_an_eighth, 0, 5);
	tcase_add_test(tcase, merged_is_as_added);
	tcase_add_test(tcase, what_is_too_great_is_counted_last);
	return fake_run_suite(suite);
}
