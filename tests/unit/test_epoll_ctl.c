/* SPDX-License-Identifier: MIT */
/*
 * epoll_ctl(): which items there are and what they ask for. The codes are
 * those of the list of behaviours that the conformance kit checks as well.
 */
#include <errno.h>

#include "fake.h"

static struct emu_epoll *epoll;
static struct fake_file file, other;

static void setup(void)
{
	epoll = fake_epoll();
	fake_file_init(&file, 0);
	fake_file_init(&other, 0);
}

static void teardown(void)
{
	emu_epoll_destroy(epoll);
}

static uint32_t stored_events(struct fake_file *of, int fd)
{
	struct emu_item_info info;

	emu_item_info(emu_epoll_find(epoll, &of->file, fd), &info);
	return info.events;
}

START_TEST(c04_create_without_memory)
{
	host.fail_in = 1;
	ck_assert_ptr_null(emu_epoll_create(&host.alloc, &host.user));
	emu_epoll_destroy(NULL);
}
END_TEST

START_TEST(a05_an_epoll_is_not_added_to_itself)
{
	struct emu_file *self = emu_epoll_file(epoll);

	for (int op = EMU_EPOLL_CTL_ADD; op <= EMU_EPOLL_CTL_MOD; op++)
		ck_assert_int_eq(emu_epoll_check(epoll, op, self, IN), -EINVAL);
	ck_assert_int_eq(fake_add(epoll, self, 3, IN, 0), -EINVAL);
	ck_assert_ptr_null(emu_epoll_next(epoll, NULL));
}
END_TEST

START_TEST(a06_an_unknown_op_is_refused)
{
	ck_assert_int_eq(emu_epoll_check(epoll, 0, NULL, IN), -EINVAL);
	ck_assert_int_eq(emu_epoll_check(epoll, 4, NULL, IN), -EINVAL);
	ck_assert_int_eq(emu_epoll_check(epoll, -1, &file.file, 0), -EINVAL);
	for (int op = EMU_EPOLL_CTL_ADD; op <= EMU_EPOLL_CTL_MOD; op++)
		ck_assert_int_eq(emu_epoll_check(epoll, op, NULL, IN), 0);
}
END_TEST

START_TEST(a09_what_is_registered_and_what_not)
{
	ck_assert_ptr_null(emu_epoll_find(epoll, &file.file, 3));
	ck_assert_int_eq(fake_add(epoll, &file.file, 3, IN, 1), 0);
	ck_assert_int_eq(fake_add(epoll, &file.file, 3, OUT, 2), -EEXIST);
	ck_assert_uint_eq(stored_events(&file, 3), IN | ERR | HUP);
	ck_assert_ptr_null(emu_epoll_find(epoll, &file.file, 4));
	ck_assert_ptr_null(emu_epoll_find(epoll, &other.file, 3));
	fake_del(epoll, &file.file, 3);
	ck_assert_ptr_null(emu_epoll_find(epoll, &file.file, 3));
	ck_assert_int_eq(fake_add(epoll, &file.file, 3, IN, 1), 0);
}
END_TEST

/* A10, L03 */
START_TEST(a10_the_key_is_file_and_number)
{
	file.bits = other.bits = IN;
	ck_assert_int_eq(fake_add(epoll, &file.file, 3, IN, 1), 0);
	ck_assert_int_eq(fake_add(epoll, &file.file, 4, IN, 2), 0);
	ck_assert_int_eq(fake_add(epoll, &other.file, 3, IN, 3), 0);
	ck_assert_str_eq(fake_take(epoll, 8), "1:1 2:1 3:1");
	fake_del(epoll, &file.file, 3);
	ck_assert_str_eq(fake_take(epoll, 8), "2:1 3:1");
}
END_TEST

START_TEST(a11_err_and_hup_are_always_stored)
{
	fake_add(epoll, &file.file, 3, IN, 1);
	ck_assert_uint_eq(stored_events(&file, 3), 0x19);
	fake_mod(epoll, &file.file, 3, 0, 1);
	ck_assert_uint_eq(stored_events(&file, 3), 0x18);
}
END_TEST

START_TEST(a12_nothing_asked_err_and_hup_reported)
{
	fake_add(epoll, &file.file, 3, 0, 1);
	fake_file_wake(&file, IN | OUT, IN | OUT);
	ck_assert_str_eq(fake_take(epoll, 8), "");
	fake_file_wake(&file, IN | OUT | HUP, IN | HUP);
	ck_assert_str_eq(fake_take(epoll, 8), "1:10");
}
END_TEST

START_TEST(a13_unknown_bits_are_stored_and_never_reported)
{
	file.bits = 0x0fffffff & ~(1u << 20);
	ck_assert_int_eq(fake_add(epoll, &file.file, 3, 0xcfffffff, 1), 0);
	ck_assert_uint_eq(stored_events(&file, 3), 0xcfffffff);
	ck_assert_str_eq(fake_take(epoll, 8), "1:fefffff");
}
END_TEST

START_TEST(a14_wakeup_is_stored_as_given)
{
	fake_add(epoll, &file.file, 3, IN | WAKEUP, 1);
	ck_assert_uint_eq(stored_events(&file, 3), IN | ERR | HUP | WAKEUP);
}
END_TEST

START_TEST(a15_add_of_a_ready_file_queues_it_at_the_tail)
{
	struct fake_file third;

	fake_file_init(&third, IN);
	fake_watch(epoll, &file, IN, 1);
	fake_file_wake(&file, IN, IN);
	other.bits = IN;
	fake_watch(epoll, &other, IN | ET, 2);
	fake_watch(epoll, &third, IN | ONESHOT, 3);
	ck_assert_str_eq(fake_take(epoll, 8), "1:1 2:1 3:1");
	emu_file_release(&third.file);
}
END_TEST

/* A15, T07 */
START_TEST(a15_add_wakes_one_sleeper_and_outer_epolls)
{
	struct emu_epoll *outer = fake_epoll();
	struct fake_thread a, b;

	fake_nest(outer, epoll, IN | ET, 9);
	fake_wait(&a, epoll, EMU_DEADLINE_NEVER);
	fake_wait(&b, epoll, EMU_DEADLINE_NEVER);
	file.bits = IN;
	fake_watch(epoll, &file, IN | ET, 1);
	ck_assert(b.woken && !a.woken);
	ck_assert(emu_epoll_available(outer));
	fake_run(&b);
	ck_assert_int_eq(b.result, 1);
	ck_assert(!a.woken);
	fake_kill(&a);
	emu_epoll_destroy(outer);
}
END_TEST

START_TEST(a16_mod_replaces_mask_and_data_of_a_queued_item)
{
	file.bits = IN | OUT;
	fake_add(epoll, &file.file, 3, IN, 1);
	fake_mod(epoll, &file.file, 3, OUT, 0xffffffffffffffffu);
	ck_assert_str_eq(fake_take(epoll, 8), "18446744073709551615:4");
}
END_TEST

START_TEST(a16_mod_with_the_same_mask_re_arms_an_edge)
{
	file.bits = IN;
	fake_add(epoll, &file.file, 3, IN | ET, 1);
	ck_assert_str_eq(fake_take(epoll, 8), "1:1");
	ck_assert_str_eq(fake_take(epoll, 8), "");
	fake_mod(epoll, &file.file, 3, IN | ET, 1);
	ck_assert_str_eq(fake_take(epoll, 8), "1:1");
	ck_assert_str_eq(fake_take(epoll, 8), "");
	file.bits = 0;
	fake_mod(epoll, &file.file, 3, IN | ET, 1);
	ck_assert(!emu_epoll_available(epoll));
}
END_TEST

/* A16, T07 */
START_TEST(a16_mod_queues_at_the_tail_and_wakes)
{
	struct fake_thread sleeper;

	other.bits = IN;
	fake_watch(epoll, &file, IN, 1);
	fake_watch(epoll, &other, 0, 2);
	fake_wait(&sleeper, epoll, EMU_DEADLINE_NEVER);
	fake_mod(epoll, &other.file, 5, IN | ET, 2);
	ck_assert(sleeper.woken);
	fake_file_wake(&file, IN, IN);
	fake_run(&sleeper);
	ck_assert_int_eq(sleeper.result, 2);
	ck_assert_uint_eq(sleeper.events[0].data, 2);
}
END_TEST

START_TEST(a17_mod_to_a_mask_that_does_not_match_leaves_it_queued)
{
	struct emu_item_info info;

	file.bits = IN;
	fake_add(epoll, &file.file, 3, IN, 1);
	fake_mod(epoll, &file.file, 3, OUT, 1);
	emu_item_info(emu_epoll_find(epoll, &file.file, 3), &info);
	ck_assert(info.queued);
	ck_assert(emu_epoll_available(epoll));
	ck_assert_str_eq(fake_take(epoll, 8), "");
	ck_assert(!emu_epoll_available(epoll));
}
END_TEST

START_TEST(a18_mod_of_a_queued_item_wakes_nobody)
{
	struct emu_epoll *outer = fake_epoll();
	struct fake_thread a, b;

	fake_nest(outer, epoll, IN | ET, 9);
	fake_add(epoll, &file.file, 3, IN | ET, 1);
	fake_file_wake(&file, IN, IN);
	ck_assert_str_eq(fake_take(outer, 8), "9:1");
	fake_mod(epoll, &file.file, 3, IN | ET, 1);
	ck_assert_str_eq(fake_take(outer, 8), "");

	ck_assert_str_eq(fake_take(epoll, 8), "1:1");
	fake_wait(&a, epoll, EMU_DEADLINE_NEVER);
	fake_wait(&b, epoll, EMU_DEADLINE_NEVER);
	fake_file_wake(&file, IN, IN);
	fake_mod(epoll, &file.file, 3, IN | ET, 1);
	ck_assert(b.woken && !a.woken);
	fake_run(&b);
	ck_assert_int_eq(b.result, 1);
	fake_kill(&a);
	emu_epoll_destroy(outer);
}
END_TEST

START_TEST(a19_del_unlinks_at_once)
{
	file.bits = other.bits = IN;
	fake_watch(epoll, &file, IN, 1);
	fake_watch(epoll, &other, IN, 2);
	fake_del(epoll, &file.file, 4);
	ck_assert_str_eq(fake_take(epoll, 8), "2:1");
	ck_assert_int_eq(fake_file_wake(&file, IN, IN), 0);
	fake_del(epoll, &other.file, 5);
	ck_assert(!emu_epoll_available(epoll));
	ck_assert(!emu_waitq_active(&file.file.waitq));
}
END_TEST

START_TEST(a20_max_user_watches)
{
	struct emu_epoll *second = fake_epoll();

	host.user.max_watches = 2;
	ck_assert_int_eq(fake_watch(epoll, &file, IN, 1), 0);
	ck_assert_int_eq(fake_watch(second, &file, IN, 1), 0);
	ck_assert_int_eq(fake_watch(second, &file, IN, 2), -ENOSPC);
	/* EEXIST comes first */
	ck_assert_int_eq(fake_watch(second, &file, IN, 1), -EEXIST);
	/* ENOSPC comes before ENOMEM */
	host.fail_in = 1;
	ck_assert_int_eq(fake_watch(second, &file, IN, 2), -ENOSPC);
	host.fail_in = 0;
	fake_del(epoll, &file.file, 4);
	ck_assert_int_eq(fake_watch(second, &file, IN, 2), 0);
	ck_assert_int_eq(fake_watch(epoll, &file, IN, 1), -ENOSPC);
	emu_epoll_destroy(second);
	ck_assert_int_eq(host.user.watches, 0);
	ck_assert_int_eq(fake_watch(epoll, &file, IN, 1), 0);
	host.user.max_watches = 0;
	ck_assert_int_eq(fake_watch(epoll, &file, IN, 3), -ENOSPC);
}
END_TEST

/* A21: whichever allocation fails, nothing has changed */
START_TEST(a21_add_without_memory_changes_nothing)
{
	struct emu_epoll *outer = fake_epoll();
	long blocks, bytes, point = 0;
	int result;

	fake_nest(outer, epoll, IN | ET, 9);
	fake_watch(epoll, &other, IN, 2);
	file.bits = IN;
	blocks = host.blocks;
	bytes = host.bytes;
	do {
		host.fail_in = ++point;
		result = fake_watch(epoll, &file, IN, 1);
		if (!result)
			break;
		ck_assert_int_eq(result, -ENOMEM);
		ck_assert_int_eq(host.blocks, blocks);
		ck_assert_int_eq(host.bytes, bytes);
		ck_assert_int_eq(host.user.watches, 2);
		ck_assert_ptr_null(emu_epoll_find(epoll, &file.file, 4));
		ck_assert(!emu_waitq_active(&file.file.waitq));
		ck_assert(emu_list_empty(&file.file.items));
		ck_assert(!emu_epoll_available(outer));
		ck_assert_int_eq(file.polls, 0);
	} while (point < 10);
	host.fail_in = 0;
	ck_assert_int_eq(result, 0);
	ck_assert_int_gt(point, 1);
	ck_assert_str_eq(fake_take(epoll, 8), "1:1");
	emu_epoll_destroy(outer);
}
END_TEST

START_TEST(x01_companions_of_exclusive)
{
	const uint32_t allowed = IN | OUT | ERR | HUP | WAKEUP | ET;
	uint32_t bit;

	ck_assert_int_eq(fake_add(epoll, &file.file, 3, EXCLUSIVE, 1), 0);
	for (bit = 1; bit; bit <<= 1) {
		int expected = (bit & (allowed | EXCLUSIVE)) ? 0 : -EINVAL;

		ck_assert_int_eq(emu_epoll_check(epoll, EMU_EPOLL_CTL_ADD, NULL,
					 EXCLUSIVE | bit),
			expected);
		ck_assert_int_eq(
			fake_add(epoll, &other.file, 3, EXCLUSIVE | bit, 1),
			expected);
		if (!expected)
			fake_del(epoll, &other.file, 3);
	}
	ck_assert_int_eq(
		fake_add(epoll, &other.file, 3, EXCLUSIVE | allowed, 1), 0);
}
END_TEST

START_TEST(x02_exclusive_is_not_for_epolls)
{
	struct emu_epoll *inner = fake_epoll();

	ck_assert_int_eq(fake_nest(epoll, inner, IN | EXCLUSIVE, 1), -EINVAL);
	ck_assert_int_eq(emu_epoll_check(epoll, EMU_EPOLL_CTL_ADD,
				 emu_epoll_file(inner), IN | EXCLUSIVE),
		-EINVAL);
	ck_assert_int_eq(fake_nest(epoll, inner, IN, 1), 0);
	emu_epoll_destroy(inner);
}
END_TEST

START_TEST(x03_mod_and_exclusive)
{
	fake_add(epoll, &file.file, 3, IN | EXCLUSIVE, 1);
	fake_add(epoll, &other.file, 4, IN, 2);
	ck_assert_int_eq(emu_epoll_check(epoll, EMU_EPOLL_CTL_MOD, &file.file,
				 IN | EXCLUSIVE),
		-EINVAL);
	ck_assert_int_eq(
		fake_mod(epoll, &file.file, 3, IN | EXCLUSIVE, 1), -EINVAL);
	ck_assert_int_eq(fake_mod(epoll, &file.file, 3, IN, 1), -EINVAL);
	ck_assert_int_eq(
		fake_mod(epoll, &other.file, 4, IN | EXCLUSIVE, 1), -EINVAL);
	ck_assert_uint_eq(stored_events(&other, 4), IN | ERR | HUP);
	ck_assert_uint_eq(stored_events(&file, 3), IN | ERR | HUP | EXCLUSIVE);
	fake_del(epoll, &file.file, 3);
	ck_assert_ptr_null(emu_epoll_find(epoll, &file.file, 3));
}
END_TEST

START_TEST(x04_exclusive_is_checked_before_the_item)
{
	fake_add(epoll, &file.file, 3, IN, 1);
	ck_assert_int_eq(
		fake_add(epoll, &file.file, 3, IN | PRI | EXCLUSIVE, 1),
		-EINVAL);
	ck_assert_int_eq(
		fake_add(epoll, &file.file, 3, IN | EXCLUSIVE, 1), -EEXIST);
	/* DEL looks at no mask */
	ck_assert_int_eq(emu_epoll_check(epoll, EMU_EPOLL_CTL_DEL, &file.file,
				 PRI | EXCLUSIVE),
		0);
}
END_TEST

START_TEST(d10_data_is_returned_bit_for_bit)
{
	struct emu_event event;
	const uint64_t data[] = {0, 1, 0x80000000u, 0xffffffffu,
		0x8000000000000000u, 0xfedcba9876543210u};

	file.bits = IN;
	for (unsigned int i = 0; i < sizeof(data) / sizeof(data[0]); i++) {
		fake_add(epoll, &file.file, 3, IN | ET, data[i]);
		ck_assert_int_eq(emu_epoll_harvest(epoll, &event, 1), 1);
		ck_assert_uint_eq(event.data, data[i]);
		emu_epoll_commit(epoll, 1);
		fake_del(epoll, &file.file, 3);
	}
}
END_TEST

START_TEST(info_tells_what_was_registered)
{
	struct emu_item_info info;

	fake_add(epoll, &file.file, 7, IN | ET, 0x1234567890u);
	emu_item_info(emu_epoll_find(epoll, &file.file, 7), &info);
	ck_assert_ptr_eq(
		emu_item_epoll(emu_epoll_find(epoll, &file.file, 7)), epoll);
	ck_assert_ptr_eq(info.file, &file.file);
	ck_assert_int_eq(info.fd, 7);
	ck_assert_uint_eq(info.events, IN | ERR | HUP | ET);
	ck_assert_uint_eq(info.data, 0x1234567890u);
	ck_assert(!info.queued);
	fake_file_wake(&file, IN, IN);
	emu_item_info(emu_epoll_find(epoll, &file.file, 7), &info);
	ck_assert(info.queued);
}
END_TEST

START_TEST(the_end_of_an_epoll_leaves_its_files)
{
	struct emu_epoll *second = fake_epoll();

	fake_watch(second, &file, IN, 1);
	fake_watch(epoll, &file, IN, 1);
	emu_epoll_destroy(second);
	ck_assert_int_eq(host.user.watches, 1);
	fake_file_wake(&file, IN, IN);
	ck_assert_str_eq(fake_take(epoll, 8), "1:1");
}
END_TEST

START_TEST(a_file_that_is_no_epoll)
{
	ck_assert_ptr_null(emu_epoll_of_file(NULL));
	ck_assert_ptr_null(emu_epoll_of_file(&file.file));
	ck_assert_ptr_eq(emu_epoll_of_file(emu_epoll_file(epoll)), epoll);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("epoll_ctl");
	TCase *tcase = fake_tcase(suite, "epoll_ctl");

	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_test(tcase, c04_create_without_memory);
	tcase_add_test(tcase, a05_an_epoll_is_not_added_to_itself);
	tcase_add_test(tcase, a06_an_unknown_op_is_refused);
	tcase_add_test(tcase, a09_what_is_registered_and_what_not);
	tcase_add_test(tcase, a10_the_key_is_file_and_number);
	tcase_add_test(tcase, a11_err_and_hup_are_always_stored);
	tcase_add_test(tcase, a12_nothing_asked_err_and_hup_reported);
	tcase_add_test(tcase, a13_unknown_bits_are_stored_and_never_reported);
	tcase_add_test(tcase, a14_wakeup_is_stored_as_given);
	tcase_add_test(tcase, a15_add_of_a_ready_file_queues_it_at_the_tail);
	tcase_add_test(tcase, a15_add_wakes_one_sleeper_and_outer_epolls);
	tcase_add_test(tcase, a16_mod_replaces_mask_and_data_of_a_queued_item);
	tcase_add_test(tcase, a16_mod_with_the_same_mask_re_arms_an_edge);
	tcase_add_test(tcase, a16_mod_queues_at_the_tail_and_wakes);
	tcase_add_test(
		tcase, a17_mod_to_a_mask_that_does_not_match_leaves_it_queued);
	tcase_add_test(tcase, a18_mod_of_a_queued_item_wakes_nobody);
	tcase_add_test(tcase, a19_del_unlinks_at_once);
	tcase_add_test(tcase, a20_max_user_watches);
	tcase_add_test(tcase, a21_add_without_memory_changes_nothing);
	tcase_add_test(tcase, x01_companions_of_exclusive);
	tcase_add_test(tcase, x02_exclusive_is_not_for_epolls);
	tcase_add_test(tcase, x03_mod_and_exclusive);
	tcase_add_test(tcase, x04_exclusive_is_checked_before_the_item);
	tcase_add_test(tcase, d10_data_is_returned_bit_for_bit);
	tcase_add_test(tcase, info_tells_what_was_registered);
	tcase_add_test(tcase, the_end_of_an_epoll_leaves_its_files);
	tcase_add_test(tcase, a_file_that_is_no_epoll);
	return fake_run_suite(suite);
}
