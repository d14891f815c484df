/* SPDX-License-Identifier: MIT */
/*
 * Epolls that watch epolls: readiness through several floors. The shapes that
 * are refused are in test_epoll_shapes.c.
 */
#include "fake.h"

static struct fake_file file;

static void setup(void)
{
	fake_file_init(&file, 0);
}

START_TEST(n01_an_epoll_is_ready_while_an_item_is)
{
	struct emu_epoll *inner = fake_epoll(), *outer = fake_epoll();

	fake_watch(inner, &file, IN | OUT, 1);
	fake_nest(outer, inner, UINT32_MAX & ~(EXCLUSIVE | ONESHOT | ET), 2);
	ck_assert_uint_eq(fake_poll(inner), 0);
	fake_file_wake(&file, OUT, OUT);
	ck_assert_uint_eq(fake_poll(inner), IN | RDNORM);
	ck_assert_str_eq(fake_take(outer, 4), "2:41");
	fake_del(outer, emu_epoll_file(inner), 5);
	fake_nest(outer, inner, OUT, 2);
	ck_assert_str_eq(fake_take(outer, 4), "");
	emu_epoll_destroy(inner);
	emu_epoll_destroy(outer);
}
END_TEST

START_TEST(n01_an_inner_epoll_that_is_ready_already)
{
	struct emu_epoll *inner = fake_epoll(), *outer = fake_epoll();

	file.bits = IN;
	fake_watch(inner, &file, IN, 1);
	fake_nest(outer, inner, IN | ET, 2);
	ck_assert_str_eq(fake_take(outer, 4), "2:1");
	ck_assert_str_eq(fake_take(outer, 4), "");
	fake_mod(outer, emu_epoll_file(inner), 5, IN | ET, 3);
	ck_assert_str_eq(fake_take(outer, 4), "3:1");
	emu_epoll_destroy(inner);
	emu_epoll_destroy(outer);
}
END_TEST

START_TEST(n05_a_poll_consumes_nothing_but_what_is_stale)
{
	struct emu_epoll *inner = fake_epoll(), *outer = fake_epoll();
	struct fake_file stale;

	fake_file_init(&stale, 0);
	fake_watch(inner, &stale, IN | ET, 1);
	fake_watch(inner, &file, IN | ET, 2);
	fake_nest(outer, inner, IN, 3);
	fake_file_wake(&stale, 0, IN);
	fake_file_wake(&file, IN, IN);
	ck_assert_uint_eq(fake_poll(inner), IN | RDNORM);
	ck_assert_str_eq(fake_take(outer, 4), "3:1");
	ck_assert_str_eq(fake_take(outer, 4), "3:1");
	/* the stale one is gone, the edge of the other is there */
	stale.bits = IN;
	ck_assert_str_eq(fake_take(inner, 4), "2:1");
	ck_assert_str_eq(fake_take(outer, 4), "");
	emu_file_release(&stale.file);
	emu_epoll_destroy(inner);
	emu_epoll_destroy(outer);
}
END_TEST

START_TEST(n05_what_is_behind_the_first_ready_item_is_not_asked)
{
	struct emu_epoll *inner = fake_epoll();
	struct fake_file behind;

	fake_file_init(&behind, 0);
	fake_watch(inner, &file, IN, 1);
	fake_watch(inner, &behind, IN, 2);
	fake_file_wake(&file, IN, IN);
	fake_file_wake(&behind, 0, IN);
	behind.polls = 0;
	ck_assert_uint_eq(fake_poll(inner), IN | RDNORM);
	ck_assert_int_eq(behind.polls, 0);
	behind.bits = IN;
	ck_assert_str_eq(fake_take(inner, 4), "1:1 2:1");
	emu_epoll_destroy(inner);
}
END_TEST

START_TEST(n06_every_wake_is_an_edge_of_the_outer)
{
	struct emu_epoll *inner = fake_epoll(), *outer = fake_epoll();

	fake_watch(inner, &file, IN | ET, 1);
	fake_nest(outer, inner, IN | ET, 2);
	for (int i = 0; i < 3; i++) {
		fake_file_wake(&file, IN, IN);
		ck_assert_str_eq(fake_take(outer, 4), "2:1");
		ck_assert_str_eq(fake_take(outer, 4), "");
	}
	ck_assert_str_eq(fake_take(inner, 4), "1:1");
	emu_epoll_destroy(inner);
	emu_epoll_destroy(outer);
}
END_TEST

START_TEST(n07_harvesting_the_inner_is_no_edge_of_the_outer)
{
	struct emu_epoll *inner = fake_epoll(), *outer = fake_epoll();

	fake_watch(inner, &file, IN, 1);
	fake_nest(outer, inner, IN | ET, 2);
	fake_file_wake(&file, IN, IN);
	ck_assert_str_eq(fake_take(outer, 4), "2:1");
	ck_assert_str_eq(fake_take(inner, 4), "1:1");
	ck_assert(emu_epoll_available(inner));
	ck_assert_str_eq(fake_take(outer, 4), "");
	emu_epoll_destroy(inner);
	emu_epoll_destroy(outer);
}
END_TEST

START_TEST(n07_draining_the_file_makes_a_queued_event_vanish)
{
	struct emu_epoll *inner = fake_epoll(), *outer = fake_epoll();

	fake_watch(inner, &file, IN, 1);
	fake_nest(outer, inner, IN, 2);
	fake_file_wake(&file, IN, IN);
	ck_assert_str_eq(fake_take(outer, 4), "2:1");
	file.bits = 0;
	ck_assert(emu_epoll_available(outer));
	ck_assert_str_eq(fake_take(outer, 4), "");
	ck_assert(!emu_epoll_available(inner));
	emu_epoll_destroy(inner);
	emu_epoll_destroy(outer);
}
END_TEST

struct poller {
	struct emu_wait wait;
	int told;
	uint32_t key;
};

static int poller_wake(struct emu_wait *wait, uint32_t key)
{
	struct poller *poller = emu_container_of(wait, struct poller, wait);

	poller->told++;
	poller->key = key;
	return 1;
}

START_TEST(n08_a_waiter_and_two_pollers_all_wake)
{
	struct emu_epoll *epoll = fake_epoll();
	struct emu_file *self = emu_epoll_file(epoll);
	struct poller pollers[2] = {{.told = 0}};
	struct fake_thread thread;

	fake_watch(epoll, &file, OUT, 1);
	fake_wait(&thread, epoll, EMU_DEADLINE_NEVER);
	for (int i = 0; i < 2; i++) {
		emu_wait_init(&pollers[i].wait, poller_wake);
		emu_waitq_add(&self->waitq, &pollers[i].wait);
	}
	ck_assert_int_eq(fake_file_wake(&file, OUT, OUT), 1);
	ck_assert(thread.woken);
	for (int i = 0; i < 2; i++) {
		ck_assert_int_eq(pollers[i].told, 1);
		/* whatever it was, the epoll became readable */
		ck_assert_uint_eq(pollers[i].key, IN);
	}
	fake_run(&thread);
	fake_mod(epoll, &file.file, 4, OUT, 2);
	ck_assert_int_eq(pollers[0].told, 1);
	for (int i = 0; i < 2; i++)
		emu_waitq_remove(&pollers[i].wait);
	emu_epoll_destroy(epoll);
}
END_TEST

START_TEST(n09_an_inner_epoll_that_ends_leaves_the_outer)
{
	struct emu_epoll *inner = fake_epoll(), *outer = fake_epoll();
	struct fake_thread thread;

	fake_watch(inner, &file, IN, 1);
	fake_nest(outer, inner, IN, 2);
	fake_wait(&thread, outer, EMU_DEADLINE_NEVER);
	fake_file_wake(&file, IN, IN);
	ck_assert(thread.woken);
	emu_epoll_destroy(inner);
	ck_assert(!emu_epoll_available(outer));
	fake_run(&thread);
	ck_assert(thread.sleeping);
	ck_assert_ptr_null(emu_epoll_next(outer, NULL));
	ck_assert_int_eq(fake_file_wake(&file, IN, IN), 0);
	fake_kill(&thread);
	emu_epoll_destroy(outer);
}
END_TEST

START_TEST(n06_through_all_floors)
{
	struct emu_epoll *floors[5];
	struct fake_thread thread;

	for (int i = 0; i < 5; i++) {
		floors[i] = fake_epoll();
		if (i)
			ck_assert_int_eq(fake_nest(floors[i], floors[i - 1],
						 IN | ET, (uint64_t)i),
				0);
	}
	ck_assert_int_eq(fake_watch(floors[0], &file, IN | ET, 0), 0);
	fake_wait(&thread, floors[4], EMU_DEADLINE_NEVER);
	fake_file_wake(&file, IN, IN);
	fake_run(&thread);
	ck_assert_int_eq(thread.result, 1);
	ck_assert_uint_eq(thread.events[0].data, 4);
	for (int i = 3; i >= 0; i--)
		ck_assert_str_ne(fake_take(floors[i], 4), "");
	fake_file_wake(&file, IN, IN);
	ck_assert_str_eq(fake_take(floors[4], 4), "4:1");
	for (int i = 0; i < 5; i++)
		emu_epoll_destroy(floors[i]);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("epoll_nest");
	TCase *tcase = fake_tcase(suite, "epoll_nest");

	tcase_add_checked_fixture(tcase, setup, NULL);
	tcase_add_test(tcase, n01_an_epoll_is_ready_while_an_item_is);
	tcase_add_test(tcase, n01_an_inner_epoll_that_is_ready_already);
	tcase_add_test(tcase, n05_a_poll_consumes_nothing_but_what_is_stale);
	tcase_add_test(
		tcase, n05_what_is_behind_the_first_ready_item_is_not_asked);
	tcase_add_test(tcase, n06_every_wake_is_an_edge_of_the_outer);
	tcase_add_test(tcase, n06_through_all_floors);
	tcase_add_test(tcase, n07_harvesting_the_inner_is_no_edge_of_the_outer);
	tcase_add_test(
		tcase, n07_draining_the_file_makes_a_queued_event_vanish);
	tcase_add_test(tcase, n08_a_waiter_and_two_pollers_all_wake);
	tcase_add_test(tcase, n09_an_inner_epoll_that_ends_leaves_the_outer);
	return fake_run_suite(suite);
}
