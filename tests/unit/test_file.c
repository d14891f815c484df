/* SPDX-License-Identifier: MIT */
/*
 * Files: what a wake is worth, and how a file's end takes its items along.
 */
#include "fake.h"

struct reader {
	struct emu_wait wait;
	int told;
};

static int reader_wake(struct emu_wait *wait, uint32_t key)
{
	(void)key;
	emu_container_of(wait, struct reader, wait)->told++;
	return 1;
}

START_TEST(a_wake_that_nobody_wants_is_no_news)
{
	struct emu_epoll *epoll = fake_epoll();
	struct fake_file file;

	fake_file_init(&file, 0);
	ck_assert_int_eq(fake_file_wake(&file, IN, IN), 0);
	fake_watch(epoll, &file, OUT, 1);
	/* D11 */
	ck_assert_int_eq(fake_file_wake(&file, IN, IN), 0);
	ck_assert(!emu_epoll_available(epoll));
	emu_epoll_destroy(epoll);
}
END_TEST

START_TEST(the_first_wake_is_news_the_second_is_not)
{
	struct emu_epoll *epoll = fake_epoll();
	struct fake_file file;

	fake_file_init(&file, 0);
	fake_watch(epoll, &file, IN | ET, 1);
	ck_assert_int_eq(fake_file_wake(&file, IN, IN), 1);
	ck_assert_int_eq(fake_file_wake(&file, IN, IN), 0);
	ck_assert_str_eq(fake_take(epoll, 4), "1:1");
	ck_assert_int_eq(fake_file_wake(&file, IN, IN), 1);
	emu_epoll_destroy(epoll);
}
END_TEST

START_TEST(news_is_counted_by_entry)
{
	struct emu_epoll *one = fake_epoll(), *two = fake_epoll();
	struct reader reader = {.told = 0};
	struct fake_file file;

	fake_file_init(&file, 0);
	fake_watch(one, &file, IN, 1);
	fake_watch(two, &file, IN | EXCLUSIVE, 1);
	emu_wait_init(&reader.wait, reader_wake);
	emu_waitq_add_tail(&file.file.waitq, &reader.wait);
	ck_assert_int_eq(fake_file_wake(&file, IN, IN), 3);
	ck_assert_int_eq(reader.told, 1);
	/* both items are queued; the reader hears of it */
	ck_assert_int_eq(fake_file_wake(&file, IN, IN), 1);
	ck_assert_int_eq(reader.told, 2);
	emu_waitq_remove(&reader.wait);
	emu_epoll_destroy(one);
	emu_epoll_destroy(two);
}
END_TEST

START_TEST(a_wake_that_reaches_a_sleeper_is_news)
{
	struct emu_epoll *epoll = fake_epoll();
	struct fake_thread a, b;
	struct fake_file file;

	fake_file_init(&file, 0);
	fake_watch(epoll, &file, IN | ET, 1);
	fake_wait(&a, epoll, EMU_DEADLINE_NEVER);
	fake_wait(&b, epoll, EMU_DEADLINE_NEVER);
	ck_assert_int_eq(fake_file_wake(&file, IN, IN), 1);
	ck_assert(b.woken && !a.woken);
	/* queued already, but it woke a */
	ck_assert_int_eq(fake_file_wake(&file, IN, IN), 1);
	ck_assert(a.woken);
	ck_assert_int_eq(fake_file_wake(&file, IN, IN), 0);
	fake_run(&b);
	fake_run(&a);
	fake_kill(&a);
	emu_epoll_destroy(epoll);
}
END_TEST

/* X05, X08: the same for an exclusive item, which must not end the walk */
START_TEST(an_exclusive_item_gives_news_without_taking_the_wake)
{
	struct emu_epoll *one = fake_epoll(), *two = fake_epoll();
	struct fake_thread sleeper;
	struct fake_file file;

	fake_file_init(&file, 0);
	fake_watch(one, &file, IN | OUT | EXCLUSIVE, 1);
	fake_watch(two, &file, IN | OUT | EXCLUSIVE, 1);
	fake_wait(&sleeper, one, EMU_DEADLINE_NEVER);
	ck_assert_int_eq(fake_file_wake(&file, IN, IN | OUT), 2);
	ck_assert(sleeper.woken);
	ck_assert(emu_epoll_available(two));
	ck_assert_int_eq(fake_file_wake(&file, IN, IN | OUT), 0);
	fake_run(&sleeper);
	emu_epoll_destroy(one);
	emu_epoll_destroy(two);
}
END_TEST

/* N06 */
START_TEST(what_an_outer_epoll_has_not_seen_is_news)
{
	struct emu_epoll *inner = fake_epoll(), *outer = fake_epoll();
	struct fake_file file;

	fake_file_init(&file, 0);
	fake_watch(inner, &file, IN | ET, 1);
	fake_nest(outer, inner, IN | ET, 2);
	ck_assert_int_eq(fake_file_wake(&file, IN, IN), 1);
	ck_assert_int_eq(fake_file_wake(&file, IN, IN), 0);
	ck_assert_str_eq(fake_take(outer, 4), "2:1");
	ck_assert_int_eq(fake_file_wake(&file, IN, IN), 1);
	ck_assert_int_eq(fake_file_wake(&file, IN, IN), 0);
	emu_epoll_destroy(inner);
	emu_epoll_destroy(outer);
}
END_TEST

/* D07 */
START_TEST(a_disabled_item_takes_no_news)
{
	struct emu_epoll *epoll = fake_epoll();
	struct fake_file file;

	fake_file_init(&file, IN);
	fake_watch(epoll, &file, IN | ONESHOT, 1);
	ck_assert_str_eq(fake_take(epoll, 4), "1:1");
	ck_assert_int_eq(fake_file_wake(&file, IN | HUP, IN | HUP), 0);
	ck_assert_int_eq(fake_file_wake(&file, IN | HUP, 0), 0);
	emu_epoll_destroy(epoll);
}
END_TEST

/* X07 */
START_TEST(a_wake_that_was_not_had_goes_to_those_behind)
{
	struct emu_epoll *epolls[3];
	struct fake_thread threads[3];
	struct fake_file file;

	fake_file_init(&file, 0);
	for (int i = 0; i < 3; i++) {
		epolls[i] = fake_epoll();
		fake_watch(epolls[i], &file, IN | ET | EXCLUSIVE, 1);
		if (i > 0)
			fake_wait(&threads[i], epolls[i], EMU_DEADLINE_NEVER);
	}
	fake_wait(&threads[0], epolls[0], EMU_DEADLINE_NEVER);
	fake_file_wake(&file, IN, IN);
	ck_assert(threads[0].woken && !threads[1].woken);
	ck_assert_str_eq(fake_take(epolls[0], 1), "1:1");
	emu_file_wake_behind(&file.file, epolls[0], IN);
	ck_assert(threads[1].woken && !threads[2].woken);
	ck_assert_str_eq(fake_take(epolls[0], 1), "");
	ck_assert_str_eq(fake_take(epolls[1], 1), "1:1");
	for (int i = 0; i < 3; i++) {
		fake_kill(&threads[i]);
		emu_epoll_destroy(epolls[i]);
	}
}
END_TEST

/* L01, L04, T09 */
START_TEST(the_end_of_a_file_takes_its_items_silently)
{
	struct emu_epoll *one = fake_epoll(), *two = fake_epoll();
	struct fake_file file, other;
	struct fake_thread sleeper;

	fake_file_init(&file, 0);
	fake_file_init(&other, IN);
	fake_watch(one, &file, IN, 1);
	fake_add(one, &file.file, 20, IN | ET, 2);
	fake_watch(two, &file, OUT, 1);
	fake_wait(&sleeper, two, EMU_DEADLINE_NEVER);
	fake_watch(one, &other, IN, 3);
	fake_file_wake(&file, IN, IN);
	ck_assert_int_eq(host.user.watches, 4);

	emu_file_release(&file.file);
	ck_assert_int_eq(host.user.watches, 1);
	ck_assert_str_eq(fake_take(one, 4), "3:1");
	ck_assert(!sleeper.woken);
	ck_assert(!emu_waitq_active(&file.file.waitq));
	ck_assert_ptr_null(emu_epoll_next(two, NULL));

	fake_kill(&sleeper);
	emu_epoll_destroy(one);
	emu_epoll_destroy(two);
}
END_TEST

START_TEST(a_file_that_nobody_watches_ends_quietly)
{
	struct fake_file file;

	fake_file_init(&file, IN);
	emu_file_release(&file.file);
	emu_file_release(&file.file);
	ck_assert_int_eq(file.polls, 0);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("file");
	TCase *tcase = fake_tcase(suite, "file");

	tcase_add_test(tcase, a_wake_that_nobody_wants_is_no_news);
	tcase_add_test(tcase, the_first_wake_is_news_the_second_is_not);
	tcase_add_test(tcase, news_is_counted_by_entry);
	tcase_add_test(tcase, a_wake_that_reaches_a_sleeper_is_news);
	tcase_add_test(
		tcase, an_exclusive_item_gives_news_without_taking_the_wake);
	tcase_add_test(tcase, what_an_outer_epoll_has_not_seen_is_news);
	tcase_add_test(tcase, a_disabled_item_takes_no_news);
	tcase_add_test(tcase, a_wake_that_was_not_had_goes_to_those_behind);
	tcase_add_test(tcase, the_end_of_a_file_takes_its_items_silently);
	tcase_add_test(tcase, a_file_that_nobody_watches_ends_quietly);
	return fake_run_suite(suite);
}
