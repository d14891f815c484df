/* SPDX-License-Identifier: MIT */
/*
 * Wait queues: who is told, in which order, and where a wake stops.
 */
#include <stdio.h>
#include <string.h>

#include "fake.h"
#include "waitq.h"

struct entry {
	struct emu_wait wait;
	char name;
	int result; /* what the callback shall return */
	bool leaves; /* it takes itself off the queue */
	uint32_t key; /* what it was told last */
};

static struct emu_waitq queue;
static char told[32];

static int entry_wake(struct emu_wait *wait, uint32_t key)
{
	struct entry *entry = emu_container_of(wait, struct entry, wait);
	size_t length = strlen(told);

	told[length] = entry->name;
	told[length + 1] = '\0';
	entry->key = key;
	if (entry->leaves)
		emu_waitq_remove(wait);
	return entry->result;
}

static void entry_init(struct entry *entry, char name, int result)
{
	emu_wait_init(&entry->wait, entry_wake);
	entry->name = name;
	entry->result = result;
	entry->leaves = false;
	entry->key = 0;
}

/* a b c: not exclusive; X Y Z: exclusive; all say that they took the wake */
static struct entry a, b, c, X, Y, Z;

static void setup(void)
{
	emu_waitq_init(&queue);
	told[0] = '\0';
	entry_init(&a, 'a', 1);
	entry_init(&b, 'b', 1);
	entry_init(&c, 'c', 1);
	entry_init(&X, 'X', 1);
	entry_init(&Y, 'Y', 1);
	entry_init(&Z, 'Z', 1);
}

static const char *wake(uint32_t key, int nr_exclusive, int expected)
{
	told[0] = '\0';
	ck_assert_int_eq(emu_waitq_wake(&queue, key, nr_exclusive), expected);
	return told;
}

START_TEST(an_empty_queue_has_nobody_to_tell)
{
	ck_assert(!emu_waitq_active(&queue));
	ck_assert_str_eq(wake(IN, 1, 0), "");
}
END_TEST

/* X07, X09 */
START_TEST(newest_watcher_first_then_exclusive_in_order)
{
	emu_waitq_add(&queue, &a.wait);
	emu_waitq_add_exclusive(&queue, &X.wait);
	emu_waitq_add(&queue, &b.wait);
	emu_waitq_add_exclusive(&queue, &Y.wait);
	emu_waitq_add(&queue, &c.wait);
	ck_assert(emu_waitq_active(&queue));
	ck_assert_str_eq(wake(IN, 0, 5), "cbaXY");
}
END_TEST

START_TEST(blocked_callers_are_told_last_and_in_order)
{
	emu_waitq_add_tail(&queue, &a.wait);
	emu_waitq_add_tail(&queue, &b.wait);
	emu_waitq_add(&queue, &c.wait);
	ck_assert_str_eq(wake(IN, 1, 3), "cab");
}
END_TEST

/* T01 */
START_TEST(newest_sleeper_first_and_one_only)
{
	emu_waitq_add_exclusive_head(&queue, &X.wait);
	emu_waitq_add_exclusive_head(&queue, &Y.wait);
	emu_waitq_add_exclusive_head(&queue, &Z.wait);
	ck_assert_str_eq(wake(0, 1, 1), "Z");
	ck_assert_str_eq(wake(0, 2, 2), "ZY");
	ck_assert_str_eq(wake(0, 0, 3), "ZYX");
}
END_TEST

/* X05 */
START_TEST(the_walk_ends_at_the_exclusive_entry_that_takes_it)
{
	emu_waitq_add(&queue, &a.wait);
	emu_waitq_add_exclusive(&queue, &X.wait);
	emu_waitq_add_exclusive(&queue, &Y.wait);
	emu_waitq_add_exclusive(&queue, &Z.wait);
	X.result = 0;
	ck_assert_str_eq(wake(IN, 1, 2), "aXY");
	Y.result = EMU_WAKE_PASSED;
	ck_assert_str_eq(wake(IN, 1, 3), "aXYZ");
	a.result = 0;
	Z.result = 0;
	ck_assert_str_eq(wake(IN, 1, 1), "aXYZ");
}
END_TEST

START_TEST(a_watcher_that_takes_it_does_not_end_the_walk)
{
	emu_waitq_add(&queue, &a.wait);
	emu_waitq_add(&queue, &b.wait);
	emu_waitq_add_exclusive(&queue, &X.wait);
	ck_assert_str_eq(wake(IN, 1, 3), "baX");
}
END_TEST

START_TEST(an_entry_may_leave_while_it_is_told)
{
	emu_waitq_add(&queue, &a.wait);
	emu_waitq_add(&queue, &b.wait);
	emu_waitq_add(&queue, &c.wait);
	a.leaves = b.leaves = c.leaves = true;
	ck_assert_str_eq(wake(IN, 1, 3), "cba");
	ck_assert(!emu_waitq_active(&queue));
	ck_assert_str_eq(wake(IN, 1, 0), "");
}
END_TEST

START_TEST(leaving_twice_is_harmless)
{
	emu_waitq_remove(&a.wait);
	emu_waitq_add(&queue, &a.wait);
	emu_waitq_add(&queue, &b.wait);
	emu_waitq_remove(&a.wait);
	emu_waitq_remove(&a.wait);
	ck_assert_str_eq(wake(IN, 1, 1), "b");
}
END_TEST

START_TEST(an_entry_can_come_back_as_another_kind)
{
	emu_waitq_add_exclusive(&queue, &a.wait);
	emu_waitq_remove(&a.wait);
	emu_waitq_add(&queue, &a.wait);
	emu_waitq_add_exclusive(&queue, &X.wait);
	ck_assert_str_eq(wake(IN, 1, 2), "aX");
}
END_TEST

START_TEST(the_key_is_passed_on)
{
	emu_waitq_add(&queue, &a.wait);
	wake(OUT | HUP, 1, 1);
	ck_assert_uint_eq(a.key, OUT | HUP);
	wake(0, 1, 1);
	ck_assert_uint_eq(a.key, 0);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("waitq");
	TCase *tcase = fake_tcase(suite, "waitq");

	tcase_add_checked_fixture(tcase, setup, NULL);
	tcase_add_test(tcase, an_empty_queue_has_nobody_to_tell);
	tcase_add_test(tcase, newest_watcher_first_then_exclusive_in_order);
	tcase_add_test(tcase, blocked_callers_are_told_last_and_in_order);
	tcase_add_test(tcase, newest_sleeper_first_and_one_only);
	tcase_add_test(
		tcase, the_walk_ends_at_the_exclusive_entry_that_takes_it);
	tcase_add_test(tcase, a_watcher_that_takes_it_does_not_end_the_walk);
	tcase_add_test(tcase, an_entry_may_leave_while_it_is_told);
	tcase_add_test(tcase, leaving_twice_is_harmless);
	tcase_add_test(tcase, an_entry_can_come_back_as_another_kind);
	tcase_add_test(tcase, the_key_is_passed_on);
	return fake_run_suite(suite);
}
