/* SPDX-License-Identifier: MIT */
/*
 * Threads in epoll_wait(), on a fake clock: who is woken, who gets what, and
 * that no wake is lost on the way. Exclusive items are here too, since they
 * look at the sleepers.
 */
#include "fake.h"

#define NEVER EMU_DEADLINE_NEVER

static struct emu_epoll *epoll;
static struct fake_file file, files[4];
static struct fake_thread threads[4];

static void setup(void)
{
	epoll = fake_epoll();
	fake_file_init(&file, 0);
	for (int i = 0; i < 4; i++)
		fake_file_init(&files[i], 0);
}

static void teardown(void)
{
	emu_epoll_destroy(epoll);
}

static void sleep_all(void)
{
	for (int i = 0; i < 4; i++) {
		fake_wait(&threads[i], epoll, NEVER);
		ck_assert(threads[i].sleeping);
	}
}

static void kill_all(void)
{
	for (int i = 0; i < 4; i++)
		if (threads[i].sleeping)
			fake_kill(&threads[i]);
	ck_assert(!emu_epoll_has_waiters(epoll));
}

/* Which threads were chosen and have not run yet? One bit each. */
static unsigned int woken(void)
{
	unsigned int set = 0;

	for (int i = 0; i < 4; i++)
		if (threads[i].woken)
			set |= 1u << i;
	return set;
}

START_TEST(w08_a_deadline_is_kept_whatever_happens_before)
{
	fake_watch(epoll, &file, IN, 1);
	fake_wait(&threads[0], epoll, 1000);
	fake_clock_set(999);
	ck_assert(threads[0].sleeping);
	/* a stale wake does not end the call nor move its deadline */
	fake_file_wake(&file, 0, IN);
	fake_run(&threads[0]);
	ck_assert(threads[0].sleeping);
	fake_clock_set(1000);
	ck_assert(!threads[0].sleeping);
	ck_assert_int_eq(threads[0].result, 0);
	ck_assert(!emu_epoll_has_waiters(epoll));
}
END_TEST

START_TEST(w07_no_deadline_no_end)
{
	fake_wait(&threads[0], epoll, NEVER);
	fake_clock_set(NEVER - 1);
	ck_assert(threads[0].sleeping);
	fake_kill(&threads[0]);
}
END_TEST

START_TEST(d02_when_all_was_stale_the_wait_goes_on)
{
	fake_watch(epoll, &file, IN | ET, 1);
	fake_wait(&threads[0], epoll, NEVER);
	fake_file_wake(&file, 0, IN);
	ck_assert(threads[0].woken);
	fake_run(&threads[0]);
	ck_assert(threads[0].sleeping && !threads[0].woken);
	fake_file_wake(&file, IN, IN);
	fake_run(&threads[0]);
	ck_assert_int_eq(threads[0].result, 1);
}
END_TEST

/* D07, D11 */
START_TEST(d11_what_is_not_wanted_wakes_nobody)
{
	files[1].bits = IN;
	fake_watch(epoll, &files[0], OUT, 1);
	fake_watch(epoll, &files[1], IN | ONESHOT, 2);
	ck_assert_str_eq(fake_take(epoll, 4), "2:1");
	fake_wait(&threads[0], epoll, NEVER);
	fake_file_wake(&files[0], IN, IN);
	fake_file_wake(&files[1], IN | HUP, IN | HUP);
	ck_assert_int_eq(threads[0].wakes, 0);
	fake_kill(&threads[0]);
}
END_TEST

START_TEST(t01_the_newest_sleeper_is_woken_first)
{
	for (int i = 0; i < 4; i++)
		fake_watch(epoll, &files[i], IN | ET, (uint64_t)i);
	ck_assert(!emu_epoll_has_waiters(epoll));
	sleep_all();
	ck_assert(emu_epoll_has_waiters(epoll));
	for (int i = 0; i < 4; i++) {
		fake_file_wake(&files[i], IN, IN);
		ck_assert_uint_eq(woken(), 8u >> i);
		fake_run(&threads[3 - i]);
		ck_assert_uint_eq(threads[3 - i].events[0].data, (uint64_t)i);
	}
}
END_TEST

START_TEST(t02_an_edge_wakes_one)
{
	fake_watch(epoll, &file, IN | ET, 1);
	sleep_all();
	fake_file_wake(&file, IN, IN);
	fake_run(&threads[3]);
	ck_assert_int_eq(threads[3].result, 1);
	ck_assert_uint_eq(woken(), 0);
	kill_all();
}
END_TEST

/* As for a thread that gets its event later; what is stale leaves the list. */
START_TEST(t02_a_harvest_put_back_wakes_nobody)
{
	struct emu_event event;

	fake_watch(epoll, &file, IN | ET, 1);
	fake_watch(epoll, &files[0], IN | ET, 2);
	sleep_all();
	fake_file_wake(&files[0], 0, IN);
	fake_file_wake(&file, IN, IN);
	ck_assert_uint_eq(woken(), 8u | 4u);
	ck_assert_int_eq(emu_epoll_harvest(epoll, &event, 1), 1);
	ck_assert_uint_eq(event.data, 1);
	emu_epoll_put_back(epoll);
	ck_assert_uint_eq(woken(), 8u | 4u);
	ck_assert_int_eq(emu_epoll_queued(epoll), 1);
	fake_run(&threads[3]);
	ck_assert_int_eq(threads[3].result, 1);
	ck_assert(!emu_epoll_available(epoll));
	kill_all();
}
END_TEST

START_TEST(t02_a_one_shot_event_wakes_one)
{
	fake_watch(epoll, &file, IN | ONESHOT, 1);
	sleep_all();
	fake_file_wake(&file, IN, IN);
	fake_run(&threads[3]);
	ck_assert_uint_eq(woken(), 0);
	fake_file_wake(&file, IN, IN);
	ck_assert_uint_eq(woken(), 0);
	kill_all();
}
END_TEST

START_TEST(t03_a_level_event_wakes_all_one_after_another)
{
	fake_watch(epoll, &file, IN, 1);
	sleep_all();
	fake_file_wake(&file, IN, IN);
	for (int i = 3; i >= 0; i--) {
		ck_assert_uint_eq(woken(), 1u << i);
		fake_run(&threads[i]);
		ck_assert_int_eq(threads[i].result, 1);
	}
}
END_TEST

START_TEST(t03_until_somebody_drains_it)
{
	fake_watch(epoll, &file, IN, 1);
	sleep_all();
	fake_file_wake(&file, IN, IN);
	fake_run(&threads[3]);
	ck_assert_uint_eq(woken(), 1u << 2);
	file.bits = 0;
	fake_run(&threads[2]);
	ck_assert(threads[2].sleeping);
	ck_assert_uint_eq(woken(), 0);
	kill_all();
}
END_TEST

START_TEST(t04_n_edges_wake_n)
{
	for (int i = 0; i < 3; i++)
		fake_watch(epoll, &files[i], IN | ET, (uint64_t)i);
	sleep_all();
	for (int i = 0; i < 3; i++)
		fake_file_wake(&files[i], IN, IN);
	ck_assert_uint_eq(woken(), 0xe);
	/* the first to run takes them all, and the others sleep again */
	fake_run(&threads[1]);
	ck_assert_int_eq(threads[1].result, 3);
	fake_run(&threads[2]);
	fake_run(&threads[3]);
	ck_assert(threads[2].sleeping && threads[3].sleeping);
	kill_all();
}
END_TEST

START_TEST(t04_a_second_wake_of_a_queued_item_wakes_another)
{
	fake_watch(epoll, &file, IN | ET, 1);
	sleep_all();
	fake_file_wake(&file, IN, IN);
	fake_file_wake(&file, IN, IN);
	ck_assert_uint_eq(woken(), 0xc);
	fake_run(&threads[3]);
	ck_assert_int_eq(threads[3].result, 1);
	fake_run(&threads[2]);
	ck_assert(threads[2].sleeping);
	kill_all();
}
END_TEST

START_TEST(t05_a_wake_and_the_deadline_at_once)
{
	fake_watch(epoll, &file, IN | ET, 1);
	fake_wait(&threads[0], epoll, NEVER);
	fake_wait(&threads[1], epoll, 50);
	fake_file_wake(&file, IN, IN);
	ck_assert_uint_eq(woken(), 2);
	fake_clock_set(50);
	ck_assert_int_eq(threads[1].result, 1);
	ck_assert(threads[0].sleeping && !threads[0].woken);
	fake_kill(&threads[0]);
}
END_TEST

START_TEST(t05_one_that_died_hands_its_wake_on)
{
	fake_watch(epoll, &file, IN | ET, 1);
	sleep_all();
	fake_file_wake(&file, IN, IN);
	fake_kill(&threads[3]);
	ck_assert_uint_eq(woken(), 1u << 2);
	fake_kill(&threads[2]);
	fake_run(&threads[1]);
	ck_assert_int_eq(threads[1].result, 1);
	/* one that dies asleep has no wake to hand on */
	fake_file_wake(&file, IN, IN);
	ck_assert_uint_eq(woken(), 1u << 0);
	fake_run(&threads[0]);
}
END_TEST

START_TEST(t05_one_that_dies_asleep_wakes_nobody)
{
	fake_watch(epoll, &file, IN | ET, 1);
	sleep_all();
	fake_file_wake(&file, IN, IN);
	ck_assert_uint_eq(woken(), 1u << 3);
	fake_kill(&threads[1]);
	ck_assert_uint_eq(woken(), 1u << 3);
	fake_kill(&threads[3]);
	ck_assert_uint_eq(woken(), 1u << 2);
	fake_run(&threads[2]);
	kill_all();
}
END_TEST

START_TEST(t05_nothing_left_nothing_to_hand_on)
{
	fake_watch(epoll, &file, IN | ET, 1);
	sleep_all();
	fake_file_wake(&file, IN, IN);
	ck_assert_str_eq(fake_take(epoll, 4), "1:1");
	fake_kill(&threads[3]);
	ck_assert_uint_eq(woken(), 0);
	kill_all();
}
END_TEST

START_TEST(d08_what_was_not_delivered_goes_to_the_next)
{
	fake_watch(epoll, &file, IN | ET, 1);
	sleep_all();
	fake_file_wake(&file, IN, IN);
	/* the call of 3 was void: its event stays, and 2 is told */
	emu_epoll_wait_end(&threads[3].waiter, false);
	threads[3].sleeping = threads[3].woken = false;
	ck_assert_str_eq(fake_take_some(epoll, 4, 0), "1:1");
	ck_assert_uint_eq(woken(), 1u << 2);
	fake_run(&threads[2]);
	ck_assert_int_eq(threads[2].result, 1);
	ck_assert_uint_eq(woken(), 0);
	kill_all();
}
END_TEST

START_TEST(what_does_not_fit_goes_to_the_next)
{
	for (int i = 0; i < 4; i++)
		fake_watch(epoll, &files[i], IN | ET, (uint64_t)i);
	fake_wait(&threads[0], epoll, NEVER);
	fake_wait(&threads[1], epoll, NEVER);
	threads[1].max = 1;
	fake_file_wake(&files[0], IN, IN);
	ck_assert_uint_eq(woken(), 2);
	files[1].bits = IN;
	fake_mod(epoll, &files[1].file, 4, IN | ET, 1);
	ck_assert_uint_eq(woken(), 3);
	fake_run(&threads[0]);
	ck_assert_int_eq(threads[0].result, 2);
	fake_run(&threads[1]);
	ck_assert(threads[1].sleeping);
	fake_kill(&threads[1]);
}
END_TEST

START_TEST(t07_mod_of_a_ready_file_wakes)
{
	file.bits = OUT;
	fake_watch(epoll, &file, IN, 1);
	fake_wait(&threads[0], epoll, NEVER);
	fake_mod(epoll, &file.file, 4, OUT, 1);
	fake_run(&threads[0]);
	ck_assert_uint_eq(threads[0].events[0].events, OUT);
}
END_TEST

/* ---- EPOLLEXCLUSIVE ---- */

#define NR 4

static struct emu_epoll *many[NR];

/* NR epolls on one file, each exclusive, with one sleeper each if asked */
static void exclusive_setup(uint32_t mask, bool sleepers)
{
	for (int i = 0; i < NR; i++) {
		many[i] = fake_epoll();
		fake_watch(many[i], &file, mask | EXCLUSIVE, (uint64_t)i);
		if (sleepers)
			fake_wait(&threads[i], many[i], NEVER);
	}
}

/* Which epolls have the item queued? One bit each, then all end. */
static unsigned int exclusive_end(void)
{
	unsigned int queued = 0;

	for (int i = 0; i < NR; i++) {
		if (emu_epoll_available(many[i]))
			queued |= 1u << i;
		if (threads[i].sleeping)
			fake_kill(&threads[i]);
		emu_epoll_destroy(many[i]);
	}
	return queued;
}

START_TEST(x05_other_items_hear_of_it_as_well)
{
	exclusive_setup(IN, true);
	fake_watch(epoll, &file, IN, 7);
	fake_file_wake(&file, IN, IN);
	ck_assert_uint_eq(woken(), 1);
	ck_assert_str_eq(fake_take(epoll, 4), "7:1");
	ck_assert_uint_eq(exclusive_end(), 1);
}
END_TEST

static const struct {
	uint32_t mask, key;
	bool taken;
} takes[] = {
	{IN, IN, true},
	{IN, IN | RDNORM, true},
	{OUT, OUT, true},
	{IN | OUT, IN, true},
	{IN | OUT, OUT, true},
	{IN, 0, true},
	{OUT, 0, true},
	{0, HUP, true},
	{IN, ERR, true},
	{IN, HUP | ERR, true},
	{IN | OUT, IN | OUT, false},
	{IN, IN | OUT | HUP, false},
	{OUT, IN | HUP, false},
	{IN, OUT | ERR, false},
	{0, IN | HUP, false},
};

#define NR_TAKES ((int)(sizeof(takes) / sizeof(takes[0])))

START_TEST(x06_which_wakes_an_exclusive_item_takes)
{
	exclusive_setup(takes[_i].mask, true);
	fake_file_wake(&file, IN | OUT | HUP, takes[_i].key);
	ck_assert_uint_eq(woken(), takes[_i].taken ? 1 : 0xf);
	ck_assert_uint_eq(exclusive_end(), takes[_i].taken ? 1 : 0xf);
}
END_TEST

START_TEST(x06_a_key_that_misses_the_mask)
{
	exclusive_setup(OUT, true);
	ck_assert_int_eq(fake_file_wake(&file, IN, IN), 0);
	ck_assert_uint_eq(woken(), 0);
	ck_assert_uint_eq(exclusive_end(), 0);
}
END_TEST

START_TEST(x06_an_epoll_without_a_sleeper_does_not_take_it)
{
	exclusive_setup(IN, true);
	fake_kill(&threads[0]);
	fake_kill(&threads[1]);
	fake_file_wake(&file, IN, IN);
	ck_assert_uint_eq(woken(), 1u << 2);
	ck_assert_uint_eq(exclusive_end(), 7);
}
END_TEST

START_TEST(x07_first_added_first_woken)
{
	exclusive_setup(IN, true);
	fake_file_wake(&file, IN, IN);
	ck_assert_uint_eq(woken(), 1);
	/* 0 has left its queue, so 1 is next, although 0 has it queued */
	fake_file_wake(&file, IN, IN);
	ck_assert_uint_eq(woken(), 3);
	ck_assert_uint_eq(exclusive_end(), 3);
}
END_TEST

START_TEST(x08_no_sleepers_anywhere)
{
	exclusive_setup(IN | ET, false);
	ck_assert_int_eq(fake_file_wake(&file, IN, IN), NR);
	ck_assert_int_eq(fake_file_wake(&file, IN, IN), 0);
	ck_assert_uint_eq(exclusive_end(), 0xf);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("epoll_wait");
	TCase *tcase = fake_tcase(suite, "epoll_wait");

	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_test(tcase, w08_a_deadline_is_kept_whatever_happens_before);
	tcase_add_test(tcase, w07_no_deadline_no_end);
	tcase_add_test(tcase, d02_when_all_was_stale_the_wait_goes_on);
	tcase_add_test(tcase, d11_what_is_not_wanted_wakes_nobody);
	tcase_add_test(tcase, t01_the_newest_sleeper_is_woken_first);
	tcase_add_test(tcase, t02_an_edge_wakes_one);
	tcase_add_test(tcase, t02_a_harvest_put_back_wakes_nobody);
	tcase_add_test(tcase, t02_a_one_shot_event_wakes_one);
	tcase_add_test(tcase, t03_a_level_event_wakes_all_one_after_another);
	tcase_add_test(tcase, t03_until_somebody_drains_it);
	tcase_add_test(tcase, t04_n_edges_wake_n);
	tcase_add_test(tcase, t04_a_second_wake_of_a_queued_item_wakes_another);
	tcase_add_test(tcase, t05_a_wake_and_the_deadline_at_once);
	tcase_add_test(tcase, t05_one_that_died_hands_its_wake_on);
	tcase_add_test(tcase, t05_one_that_dies_asleep_wakes_nobody);
	tcase_add_test(tcase, t05_nothing_left_nothing_to_hand_on);
	tcase_add_test(tcase, d08_what_was_not_delivered_goes_to_the_next);
	tcase_add_test(tcase, what_does_not_fit_goes_to_the_next);
	tcase_add_test(tcase, t07_mod_of_a_ready_file_wakes);
	tcase_add_test(tcase, x05_other_items_hear_of_it_as_well);
	tcase_add_loop_test(
		tcase, x06_which_wakes_an_exclusive_item_takes, 0, NR_TAKES);
	tcase_add_test(tcase, x06_a_key_that_misses_the_mask);
	tcase_add_test(tcase, x06_an_epoll_without_a_sleeper_does_not_take_it);
	tcase_add_test(tcase, x07_first_added_first_woken);
	tcase_add_test(tcase, x08_no_sleepers_anywhere);
	return fake_run_suite(suite);
}
