/* SPDX-License-Identifier: MIT */
/*
 * The ready list: what a wake queues, what a harvest reports, what a commit
 * leaves. Sleepers are in test_epoll_wait.c.
 */
#include <stdlib.h>

#include "fake.h"

static struct emu_epoll *epoll;
static struct fake_file a, b, c;

static void setup(void)
{
	epoll = fake_epoll();
	fake_file_init(&a, 0);
	fake_file_init(&b, 0);
	fake_file_init(&c, 0);
}

static void teardown(void)
{
	emu_epoll_destroy(epoll);
}

/* a, b, c as 1, 2, 3 with one mask */
static void watch_all(uint32_t mask)
{
	fake_watch(epoll, &a, mask, 1);
	fake_watch(epoll, &b, mask, 2);
	fake_watch(epoll, &c, mask, 3);
}

START_TEST(d01_first_wake_decides_the_place)
{
	watch_all(IN);
	fake_file_wake(&c, IN, IN);
	fake_file_wake(&a, IN, IN);
	fake_file_wake(&b, IN, IN);
	fake_file_wake(&c, IN, IN);
	ck_assert_str_eq(fake_take(epoll, 8), "3:1 1:1 2:1");
}
END_TEST

START_TEST(d02_a_stale_item_is_dropped_and_not_counted)
{
	watch_all(IN);
	fake_file_wake(&a, IN, IN);
	fake_file_wake(&b, IN, IN);
	fake_file_wake(&c, IN, IN);
	a.bits = c.bits = 0;
	ck_assert_str_eq(fake_take(epoll, 1), "2:1");
	b.bits = 0;
	ck_assert_str_eq(fake_take(epoll, 8), "");
	ck_assert(!emu_epoll_available(epoll));
	/* coming back takes a wake */
	a.bits = IN;
	ck_assert_str_eq(fake_take(epoll, 8), "");
	fake_file_wake(&a, IN, IN);
	ck_assert_str_eq(fake_take(epoll, 8), "1:1");
}
END_TEST

START_TEST(d03_what_is_reported_is_what_is_true_now)
{
	fake_watch(epoll, &a, IN | OUT | ET, 1);
	fake_file_wake(&a, IN, IN);
	fake_file_wake(&a, OUT, OUT);
	ck_assert_str_eq(fake_take(epoll, 8), "1:4");
	fake_file_wake(&a, IN | OUT, IN);
	fake_file_wake(&a, IN | OUT | PRI, PRI);
	ck_assert_str_eq(fake_take(epoll, 8), "1:5");
	ck_assert_str_eq(fake_take(epoll, 8), "");
}
END_TEST

START_TEST(d04_delivered_to_the_tail_the_rest_stays)
{
	a.bits = b.bits = c.bits = IN;
	watch_all(IN);
	ck_assert_str_eq(fake_take(epoll, 2), "1:1 2:1");
	ck_assert_str_eq(fake_take(epoll, 2), "3:1 1:1");
	ck_assert_str_eq(fake_take(epoll, 2), "2:1 3:1");
	ck_assert_str_eq(fake_take(epoll, 8), "1:1 2:1 3:1");
}
END_TEST

START_TEST(d04_a_wake_comes_behind_what_was_delivered_before)
{
	a.bits = b.bits = IN;
	watch_all(IN);
	ck_assert_str_eq(fake_take(epoll, 1), "1:1");
	fake_file_wake(&c, IN, IN);
	ck_assert_str_eq(fake_take(epoll, 8), "2:1 1:1 3:1");
}
END_TEST

START_TEST(d05_an_edge_is_reported_once)
{
	watch_all(IN | ET);
	fake_file_wake(&a, IN, IN);
	fake_file_wake(&b, IN, IN);
	ck_assert_str_eq(fake_take(epoll, 1), "1:1");
	ck_assert_str_eq(fake_take(epoll, 8), "2:1");
	ck_assert_str_eq(fake_take(epoll, 8), "");
	/* a new wake while it is ready still is a new edge */
	fake_file_wake(&a, IN, IN);
	ck_assert_str_eq(fake_take(epoll, 8), "1:1");
}
END_TEST

START_TEST(d06_a_one_shot_item_is_disabled_after_delivery)
{
	struct emu_item_info info;

	fake_watch(epoll, &a, IN | ONESHOT | ET | WAKEUP, 1);
	fake_file_wake(&a, IN, IN);
	ck_assert_str_eq(fake_take(epoll, 8), "1:1");
	emu_item_info(emu_epoll_find(epoll, &a.file, 4), &info);
	ck_assert_uint_eq(info.events, ONESHOT | ET | WAKEUP);
	fake_file_wake(&a, IN | ERR | HUP, IN | ERR | HUP);
	fake_file_wake(&a, IN | ERR | HUP, 0);
	ck_assert_str_eq(fake_take(epoll, 8), "");
	ck_assert(!emu_epoll_available(epoll));

	fake_mod(epoll, &a.file, 4, IN | ONESHOT, 9);
	ck_assert_str_eq(fake_take(epoll, 8), "9:19");
	ck_assert_str_eq(fake_take(epoll, 8), "");
}
END_TEST

START_TEST(d06_one_shot_without_anything_else)
{
	struct emu_item_info info;

	a.bits = HUP;
	fake_watch(epoll, &a, ONESHOT, 1);
	ck_assert_str_eq(fake_take(epoll, 8), "1:10");
	emu_item_info(emu_epoll_find(epoll, &a.file, 4), &info);
	ck_assert_uint_eq(info.events, 0x40000000);
	ck_assert_str_eq(fake_take(epoll, 8), "");
}
END_TEST

START_TEST(d06_a_stale_one_shot_item_stays_armed)
{
	fake_watch(epoll, &a, IN | ONESHOT, 1);
	fake_file_wake(&a, 0, IN);
	ck_assert_str_eq(fake_take(epoll, 8), "");
	fake_file_wake(&a, IN, IN);
	ck_assert_str_eq(fake_take(epoll, 8), "1:1");
}
END_TEST

START_TEST(d08_nothing_delivered_nothing_lost)
{
	a.bits = b.bits = c.bits = IN;
	fake_watch(epoll, &a, IN | ET, 1);
	fake_watch(epoll, &b, IN | ONESHOT, 2);
	fake_watch(epoll, &c, IN, 3);
	ck_assert_str_eq(fake_take_some(epoll, 8, 0), "1:1 2:1 3:1");
	ck_assert_str_eq(fake_take_some(epoll, 2, 0), "1:1 2:1");
	ck_assert_str_eq(fake_take_some(epoll, 8, 1), "1:1 2:1 3:1");
	ck_assert_str_eq(fake_take_some(epoll, 8, 1), "2:1 3:1");
	ck_assert_str_eq(fake_take_some(epoll, 8, 1), "3:1");
	ck_assert_str_eq(fake_take_some(epoll, 8, 1), "3:1");
}
END_TEST

START_TEST(d08_stale_items_go_even_if_nothing_is_delivered)
{
	watch_all(IN | ET);
	fake_file_wake(&a, 0, IN);
	fake_file_wake(&b, IN, IN);
	fake_file_wake(&c, 0, IN);
	ck_assert_str_eq(fake_take_some(epoll, 8, 0), "2:1");
	a.bits = c.bits = IN;
	ck_assert_str_eq(fake_take(epoll, 8), "2:1");
}
END_TEST

START_TEST(d08_a_harvest_alone_changes_nothing)
{
	struct emu_event events[4];

	a.bits = b.bits = IN;
	watch_all(IN | ET);
	ck_assert_int_eq(emu_epoll_harvest(epoll, events, 4), 2);
	ck_assert_int_eq(emu_epoll_harvest(epoll, events, 4), 2);
	ck_assert_int_eq(emu_epoll_harvest(epoll, events, 0), 0);
	emu_epoll_commit(epoll, 4); /* more than the last harvest found */
	ck_assert_str_eq(fake_take(epoll, 8), "1:1 2:1");
	emu_epoll_commit(epoll, 1); /* a second time */
	emu_epoll_commit(epoll, -1);
	ck_assert(!emu_epoll_available(epoll));
}
END_TEST

START_TEST(d09_only_what_was_found_is_stored)
{
	struct emu_event events[3] = {
		{0x5a5a, 0x5a5a},
		{0x5a5a, 0x5a5a},
		{0x5a5a, 0x5a5a},
	};

	watch_all(IN);
	fake_file_wake(&a, 0, IN);
	fake_file_wake(&b, IN, IN);
	ck_assert_int_eq(emu_epoll_harvest(epoll, events, 3), 1);
	ck_assert_uint_eq(events[0].data, 2);
	ck_assert_uint_eq(events[1].events, 0x5a5a);
	ck_assert_uint_eq(events[2].data, 0x5a5a);
	emu_epoll_commit(epoll, 1);
}
END_TEST

START_TEST(d11_the_key_is_filtered_by_the_mask)
{
	fake_watch(epoll, &a, OUT | ET, 1);
	fake_file_wake(&a, IN | OUT, IN | RDNORM);
	ck_assert(!emu_epoll_available(epoll));
	/* key 0 stands for anything */
	fake_file_wake(&a, IN | OUT, 0);
	ck_assert_str_eq(fake_take(epoll, 8), "1:4");
	fake_file_wake(&a, IN | OUT, OUT | RDNORM);
	ck_assert_str_eq(fake_take(epoll, 8), "1:4");
	/* key 0 with nothing to report is dropped later */
	fake_file_wake(&a, IN, 0);
	ck_assert(emu_epoll_available(epoll));
	ck_assert_str_eq(fake_take(epoll, 8), "");
}
END_TEST

START_TEST(d12_err_and_hup_need_no_request_the_others_do)
{
	const uint32_t all = IN | OUT | PRI | RDHUP | RDNORM | ERR | HUP;

	fake_watch(epoll, &a, OUT, 1);
	fake_file_wake(&a, all, ERR);
	ck_assert_str_eq(fake_take(epoll, 8), "1:1c");
	fake_mod(epoll, &a.file, 4, RDHUP | PRI | RDNORM, 1);
	ck_assert_str_eq(fake_take(epoll, 8), "1:205a");
}
END_TEST

START_TEST(x09_the_newest_registration_hears_first)
{
	fake_add(epoll, &a.file, 3, IN, 1);
	fake_add(epoll, &a.file, 4, IN, 2);
	fake_file_wake(&a, IN, IN);
	ck_assert_str_eq(fake_take(epoll, 8), "2:1 1:1");
}
END_TEST

/* What of the ready list a poll of the files cannot tell: two kinds. */
static void expect_on_list(bool edge, bool hidden)
{
	ck_assert_int_eq(emu_epoll_edge_available(epoll), edge);
	ck_assert_int_eq(emu_epoll_hidden_available(epoll), hidden);
}

static const struct {
	uint32_t bits;
	bool edge, hidden;
} kinds[] = {
	{0, false, false},
	{ET, true, false},
	{ONESHOT, false, true},
	{EXCLUSIVE, false, true},
	{ET | ONESHOT, false, true},
	{ET | EXCLUSIVE, false, true},
};

#define NR_KINDS ((int)(sizeof(kinds) / sizeof(kinds[0])))

START_TEST(items_on_a_hidden_file_are_hidden)
{
	a.file.hidden = true;
	fake_watch(epoll, &a, IN, 1);
	fake_file_wake(&a, IN, IN);
	expect_on_list(false, true);
	fake_mod(epoll, &a.file, 4, IN | ET, 1);
	expect_on_list(false, true);
	a.bits = 0;
	fake_take(epoll, 8);
	expect_on_list(false, false);
}
END_TEST

START_TEST(the_kinds_of_queued_items_are_known)
{
	bool edge = kinds[_i].edge, hidden = kinds[_i].hidden;

	/* another item, level-triggered, makes no difference */
	fake_watch(epoll, &b, IN, 2);
	fake_file_wake(&b, IN, IN);
	fake_watch(epoll, &a, IN | kinds[_i].bits, 1);
	expect_on_list(false, false);
	fake_file_wake(&a, IN, IN);
	expect_on_list(edge, hidden);
	fake_file_wake(&a, 0, IN);
	expect_on_list(edge, hidden);
	fake_take(epoll, 8);
	expect_on_list(false, false);
	fake_file_wake(&a, IN, IN);
	fake_take_some(epoll, 8, 0);
	expect_on_list(edge, hidden);
	fake_del(epoll, &a.file, 4);
	expect_on_list(false, false);
	fake_watch(epoll, &a, IN | kinds[_i].bits, 1);
	expect_on_list(edge, hidden);
	emu_file_release(&a.file);
	expect_on_list(false, false);
}
END_TEST

START_TEST(mod_changes_the_kind_of_a_queued_item)
{
	a.bits = IN;
	fake_watch(epoll, &a, IN | ET, 1);
	expect_on_list(true, false);
	fake_mod(epoll, &a.file, 4, IN, 1);
	expect_on_list(false, false);
	fake_mod(epoll, &a.file, 4, IN | ONESHOT, 1);
	expect_on_list(false, true);
	fake_mod(epoll, &a.file, 4, IN | ET, 1);
	expect_on_list(true, false);
	fake_take(epoll, 8);
	expect_on_list(false, false);
}
END_TEST

START_TEST(t06_every_epoll_on_a_file_gets_the_event)
{
	struct emu_epoll *second = fake_epoll();

	fake_watch(epoll, &a, IN | ET, 1);
	fake_watch(second, &a, IN | ET, 2);
	fake_file_wake(&a, IN, IN);
	ck_assert_str_eq(fake_take(epoll, 8), "1:1");
	ck_assert_str_eq(fake_take(second, 8), "2:1");
	emu_epoll_destroy(second);
}
END_TEST

START_TEST(l04_a_file_that_goes_leaves_the_ready_list)
{
	a.bits = b.bits = c.bits = IN;
	watch_all(IN);
	emu_file_release(&b.file);
	ck_assert_str_eq(fake_take(epoll, 8), "1:1 3:1");
	emu_file_release(&a.file);
	emu_file_release(&c.file);
	ck_assert(!emu_epoll_available(epoll));
}
END_TEST

/* What a harvest costs depends on the events, not on the items. */
START_TEST(a_harvest_looks_at_the_ready_items_only)
{
	const int count = 100000;
	struct fake_file *files = calloc((size_t)count, sizeof(*files));
	long base = host.bytes;
	int polls = 0;

	ck_assert_ptr_nonnull(files);
	for (int i = 0; i < count; i++) {
		struct emu_event event = {IN, (uint64_t)i};

		fake_file_init(&files[i], 0);
		emu_epoll_add(epoll, &files[i].file, i, &event, NULL);
		files[i].polls = 0;
	}
	ck_assert_int_eq(host.user.watches, count);
	ck_assert_int_le(host.bytes - base, 200L * count);
	fake_file_wake(&files[70000], IN, IN);
	fake_file_wake(&files[3], IN, IN);
	ck_assert_str_eq(fake_take(epoll, 8), "70000:1 3:1");
	ck_assert_str_eq(fake_take(epoll, 1), "70000:1");
	for (int i = 0; i < count; i++)
		polls += files[i].polls;
	ck_assert_int_eq(polls, 3);
	/* every other goes with its file, the rest with the epoll */
	for (int i = 0; i < count; i += 2)
		emu_file_release(&files[i].file);
	ck_assert_int_eq(host.user.watches, count / 2);
	emu_epoll_destroy(epoll);
	epoll = NULL;
	free(files);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("epoll_ready");
	TCase *tcase = fake_tcase(suite, "epoll_ready");

	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_test(tcase, d01_first_wake_decides_the_place);
	tcase_add_test(tcase, d02_a_stale_item_is_dropped_and_not_counted);
	tcase_add_test(tcase, d03_what_is_reported_is_what_is_true_now);
	tcase_add_test(tcase, d04_delivered_to_the_tail_the_rest_stays);
	tcase_add_test(
		tcase, d04_a_wake_comes_behind_what_was_delivered_before);
	tcase_add_test(tcase, d05_an_edge_is_reported_once);
	tcase_add_test(tcase, d06_a_one_shot_item_is_disabled_after_delivery);
	tcase_add_test(tcase, d06_one_shot_without_anything_else);
	tcase_add_test(tcase, d06_a_stale_one_shot_item_stays_armed);
	tcase_add_test(tcase, d08_nothing_delivered_nothing_lost);
	tcase_add_test(tcase, d08_stale_items_go_even_if_nothing_is_delivered);
	tcase_add_test(tcase, d08_a_harvest_alone_changes_nothing);
	tcase_add_test(tcase, d09_only_what_was_found_is_stored);
	tcase_add_test(tcase, d11_the_key_is_filtered_by_the_mask);
	tcase_add_test(tcase, d12_err_and_hup_need_no_request_the_others_do);
	tcase_add_test(tcase, x09_the_newest_registration_hears_first);
	tcase_add_test(tcase, items_on_a_hidden_file_are_hidden);
	tcase_add_loop_test(
		tcase, the_kinds_of_queued_items_are_known, 0, NR_KINDS);
	tcase_add_test(tcase, mod_changes_the_kind_of_a_queued_item);
	tcase_add_test(tcase, t06_every_epoll_on_a_file_gets_the_event);
	tcase_add_test(tcase, l04_a_file_that_goes_leaves_the_ready_list);
	tcase_add_test(tcase, a_harvest_looks_at_the_ready_items_only);
	return fake_run_suite(suite);
}
