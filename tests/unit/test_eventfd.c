/* SPDX-License-Identifier: MIT */
/*
 * eventfds: the count, its limits and the edges. Each case runs with the
 * counter in memory (0) and with one kept by the host (1). Callers that block
 * are in test_eventfd_wait.c.
 */
#include <errno.h>

#include "fake.h"

/* A counter kept outside, as epemu keeps it in a host's eventfd. */
struct outside {
	uint64_t count;
	bool kernel_signalled; /* full to the brim, as AIO can make it */
};

static int outside_add(void *ctx, uint64_t value)
{
	struct outside *outside = ctx;

	if (outside->count + value < value ||
		outside->count + value == UINT64_MAX)
		return -EAGAIN;
	outside->count += value;
	return 0;
}

static int outside_take(void *ctx, bool semaphore, uint64_t *value)
{
	struct outside *outside = ctx;

	if (!outside->count)
		return -EAGAIN;
	*value = semaphore ? 1 : outside->count;
	outside->count -= *value;
	return 0;
}

static uint32_t outside_poll(void *ctx)
{
	struct outside *outside = ctx;

	if (outside->kernel_signalled)
		return IN | ERR;
	return (outside->count ? IN : 0) |
	       (outside->count < UINT64_MAX - 1 ? OUT : 0);
}

static const struct emu_counter_ops outside_ops = {
	.add = outside_add,
	.take = outside_take,
	.poll = outside_poll,
};

static struct outside outside;
static struct emu_epoll *epoll;
static struct emu_eventfd *eventfd;

static void create(int where, uint32_t initval, bool semaphore)
{
	outside = (struct outside){.count = initval};
	eventfd = emu_eventfd_create(&host.alloc, where ? 0xdead : initval,
		semaphore, where ? &outside_ops : NULL,
		where ? &outside : NULL);
	ck_assert_ptr_nonnull(eventfd);
	epoll = fake_epoll();
}

static void teardown(void)
{
	emu_eventfd_destroy(eventfd);
	emu_epoll_destroy(epoll);
}

static void watch(uint32_t mask)
{
	ck_assert_int_eq(
		fake_add(epoll, emu_eventfd_file(eventfd), 3, mask, 1), 0);
}

static uint32_t bits(void)
{
	struct emu_file *file = emu_eventfd_file(eventfd);

	return file->ops->poll(file, UINT32_MAX);
}

static void write_ok(uint64_t value)
{
	ck_assert_int_eq(emu_eventfd_write(eventfd, value), 0);
}

static void read_ok(uint64_t expected)
{
	uint64_t value = ~expected;

	ck_assert_int_eq(emu_eventfd_read(eventfd, &value), 0);
	ck_assert_uint_eq(value, expected);
}

static void read_fails(void)
{
	uint64_t value = 0x5a5a;

	ck_assert_int_eq(emu_eventfd_read(eventfd, &value), -EAGAIN);
	ck_assert_uint_eq(value, 0x5a5a);
}

START_TEST(create_without_memory)
{
	host.fail_in = 1;
	ck_assert_ptr_null(emu_eventfd_create(
		&host.alloc, 0, false, _i ? &outside_ops : NULL, &outside));
	emu_eventfd_destroy(NULL);
	eventfd = NULL;
	epoll = NULL;
}
END_TEST

START_TEST(e01_initval_has_32_bits)
{
	create(_i, UINT32_MAX, false);
	ck_assert(!emu_eventfd_is_semaphore(eventfd));
	read_ok(UINT32_MAX);
	read_fails();
}
END_TEST

START_TEST(e04_the_largest_value)
{
	create(_i, 0, false);
	ck_assert_int_eq(emu_eventfd_write(eventfd, UINT64_MAX), -EINVAL);
	read_fails();
	write_ok(UINT64_MAX - 1);
	ck_assert_int_eq(emu_eventfd_write(eventfd, UINT64_MAX), -EINVAL);
	read_ok(UINT64_MAX - 1);
}
END_TEST

START_TEST(e05_what_does_not_fit_is_refused)
{
	create(_i, 0, false);
	write_ok(UINT64_MAX - 3);
	ck_assert_int_eq(emu_eventfd_write(eventfd, 3), -EAGAIN);
	write_ok(2);
	ck_assert_int_eq(emu_eventfd_write(eventfd, 1), -EAGAIN);
	write_ok(0);
	read_ok(UINT64_MAX - 1);
}
END_TEST

START_TEST(e06_a_small_write_passes_a_large_one)
{
	create(_i, 0, false);
	write_ok(10);
	ck_assert_int_eq(emu_eventfd_write(eventfd, UINT64_MAX - 5), -EAGAIN);
	write_ok(4);
	read_ok(14);
	write_ok(UINT64_MAX - 5);
}
END_TEST

START_TEST(e07_a_read_takes_all)
{
	create(_i, 3, false);
	write_ok(4);
	read_ok(7);
	read_fails();
}
END_TEST

START_TEST(e07_a_semaphore_gives_one_by_one)
{
	create(_i, 1, true);
	ck_assert(emu_eventfd_is_semaphore(eventfd));
	write_ok(2);
	for (int i = 0; i < 3; i++)
		read_ok(1);
	read_fails();
}
END_TEST

START_TEST(e09_poll)
{
	create(_i, 0, false);
	ck_assert_uint_eq(bits(), OUT);
	write_ok(1);
	ck_assert_uint_eq(bits(), IN | OUT);
	write_ok(UINT64_MAX - 3);
	ck_assert_uint_eq(bits(), IN | OUT);
	write_ok(1);
	ck_assert_uint_eq(bits(), IN);
	read_ok(UINT64_MAX - 1);
	ck_assert_uint_eq(bits(), OUT);
}
END_TEST

START_TEST(e09_err_comes_from_outside)
{
	create(1, 0, false);
	watch(OUT);
	outside.kernel_signalled = true;
	ck_assert_str_eq(fake_take(epoll, 4), "1:8");
}
END_TEST

START_TEST(e10_every_write_is_an_edge)
{
	create(_i, 0, false);
	watch(IN | ET);
	write_ok(1);
	ck_assert_str_eq(fake_take(epoll, 4), "1:1");
	ck_assert_str_eq(fake_take(epoll, 4), "");
	for (int i = 0; i < 3; i++) {
		write_ok(i == 1 ? 0 : 1);
		ck_assert_str_eq(fake_take(epoll, 4), "1:1");
		ck_assert_str_eq(fake_take(epoll, 4), "");
	}
}
END_TEST

START_TEST(e11_every_read_is_an_edge)
{
	create(_i, 3, true);
	watch(OUT | ET);
	ck_assert_str_eq(fake_take(epoll, 4), "1:4");
	for (int i = 0; i < 3; i++) {
		read_ok(1);
		ck_assert_str_eq(fake_take(epoll, 4), "1:4");
		ck_assert_str_eq(fake_take(epoll, 4), "");
	}
}
END_TEST

START_TEST(e12_only_the_asked_direction)
{
	create(_i, 1, false);
	watch(IN | ET);
	ck_assert_str_eq(fake_take(epoll, 4), "1:1");
	read_ok(1);
	ck_assert(!emu_epoll_available(epoll));
	fake_mod(epoll, emu_eventfd_file(eventfd), 3, OUT | ET, 1);
	ck_assert_str_eq(fake_take(epoll, 4), "1:4");
	write_ok(1);
	ck_assert(!emu_epoll_available(epoll));
}
END_TEST

START_TEST(e12_both_directions)
{
	create(_i, 0, false);
	watch(IN | OUT | ET);
	ck_assert_str_eq(fake_take(epoll, 4), "1:4");
	write_ok(2);
	ck_assert_str_eq(fake_take(epoll, 4), "1:5");
	read_ok(2);
	ck_assert_str_eq(fake_take(epoll, 4), "1:4");
	ck_assert_str_eq(fake_take(epoll, 4), "");
}
END_TEST

START_TEST(e12_a_semaphore_with_a_rest)
{
	create(_i, 0, true);
	watch(IN | OUT | ET);
	write_ok(2);
	ck_assert_str_eq(fake_take(epoll, 4), "1:5");
	read_ok(1);
	ck_assert_str_eq(fake_take(epoll, 4), "1:5");
	read_ok(1);
	ck_assert_str_eq(fake_take(epoll, 4), "1:4");
}
END_TEST

START_TEST(e13_writing_0_at_0)
{
	create(_i, 0, false);
	watch(IN | ET);
	write_ok(0);
	ck_assert(emu_epoll_available(epoll));
	ck_assert_str_eq(fake_take(epoll, 4), "");
	fake_mod(epoll, emu_eventfd_file(eventfd), 3, IN | OUT | ET, 1);
	ck_assert_str_eq(fake_take(epoll, 4), "1:4");
	write_ok(0);
	ck_assert_str_eq(fake_take(epoll, 4), "1:4");
}
END_TEST

START_TEST(e14_written_and_read_before_the_wait)
{
	create(_i, 0, false);
	watch(IN | ET);
	write_ok(1);
	read_ok(1);
	ck_assert_str_eq(fake_take(epoll, 4), "");
}
END_TEST

START_TEST(e14_what_fails_makes_no_edge)
{
	create(_i, 0, false);
	watch(IN | OUT | ET);
	ck_assert_str_eq(fake_take(epoll, 4), "1:4");
	read_fails();
	ck_assert_int_eq(emu_eventfd_write(eventfd, UINT64_MAX), -EINVAL);
	ck_assert(!emu_epoll_available(epoll));
	write_ok(UINT64_MAX - 1);
	ck_assert_str_eq(fake_take(epoll, 4), "1:1");
	ck_assert_int_eq(emu_eventfd_write(eventfd, 1), -EAGAIN);
	ck_assert(!emu_epoll_available(epoll));
}
END_TEST

START_TEST(unread_adds_to_what_came_meanwhile)
{
	create(_i, 5, false);
	read_ok(5);
	write_ok(2);
	emu_eventfd_unread(eventfd, 5);
	read_ok(7);
	teardown();
	create(_i, 3, true);
	read_ok(1);
	emu_eventfd_unread(eventfd, 1);
	for (int i = 0; i < 3; i++)
		read_ok(1);
	read_fails();
}
END_TEST

START_TEST(unread_of_more_than_fits_fills_it)
{
	create(_i, 0, false);
	write_ok(UINT64_MAX - 1);
	read_ok(UINT64_MAX - 1);
	write_ok(9);
	emu_eventfd_unread(eventfd, UINT64_MAX - 1);
	read_ok(UINT64_MAX - 1);
	read_fails();
}
END_TEST

START_TEST(unwrite_leaves_what_was_there)
{
	create(_i, 5, false);
	write_ok(3);
	ck_assert(emu_eventfd_unwrite(eventfd, 3));
	read_ok(5);
	write_ok(7);
	ck_assert(emu_eventfd_unwrite(eventfd, 7));
	read_fails();
	write_ok(0);
	ck_assert(emu_eventfd_unwrite(eventfd, 0));
	read_fails();
	teardown();
	create(_i, 2, true);
	write_ok(3);
	ck_assert(emu_eventfd_unwrite(eventfd, 3));
	read_ok(1);
	read_ok(1);
	read_fails();
}
END_TEST

START_TEST(unwrite_of_what_was_read_does_nothing)
{
	create(_i, 0, false);
	write_ok(9);
	read_ok(9);
	write_ok(4);
	ck_assert(!emu_eventfd_unwrite(eventfd, 9));
	read_ok(4);
	teardown();
	create(_i, 0, true);
	write_ok(3);
	read_ok(1);
	ck_assert(!emu_eventfd_unwrite(eventfd, 3));
	read_ok(1);
	read_ok(1);
	read_fails();
	/* As many reads as that would be are too many. */
	write_ok(65);
	ck_assert(!emu_eventfd_unwrite(eventfd, 65));
	read_ok(1);
}
END_TEST

START_TEST(unwrite_makes_room)
{
	create(_i, 0, false);
	write_ok(UINT64_MAX - 1);
	watch(OUT | ET);
	ck_assert_str_eq(fake_take(epoll, 4), "");
	ck_assert(emu_eventfd_unwrite(eventfd, UINT64_MAX - 1));
	ck_assert_str_eq(fake_take(epoll, 4), "1:4");
}
END_TEST

START_TEST(the_end_of_an_eventfd_leaves_its_epolls)
{
	create(_i, 1, false);
	watch(IN);
	ck_assert(emu_epoll_available(epoll));
	emu_eventfd_destroy(eventfd);
	eventfd = NULL;
	ck_assert_str_eq(fake_take(epoll, 4), "");
	ck_assert_int_eq(host.user.watches, 0);
}
END_TEST

int main(void)
{
	const TTest *const tests[] = {
		create_without_memory,
		e01_initval_has_32_bits,
		e04_the_largest_value,
		e05_what_does_not_fit_is_refused,
		e06_a_small_write_passes_a_large_one,
		e07_a_read_takes_all,
		e07_a_semaphore_gives_one_by_one,
		e09_poll,
		e10_every_write_is_an_edge,
		e11_every_read_is_an_edge,
		e12_only_the_asked_direction,
		e12_both_directions,
		e12_a_semaphore_with_a_rest,
		e13_writing_0_at_0,
		e14_written_and_read_before_the_wait,
		e14_what_fails_makes_no_edge,
		unread_adds_to_what_came_meanwhile,
		unread_of_more_than_fits_fills_it,
		unwrite_leaves_what_was_there,
		unwrite_of_what_was_read_does_nothing,
		unwrite_makes_room,
		the_end_of_an_eventfd_leaves_its_epolls,
	};
	Suite *suite = suite_create("eventfd");
	TCase *tcase = fake_tcase(suite, "eventfd");

	tcase_add_checked_fixture(tcase, NULL, teardown);
	for (unsigned int i = 0; i < sizeof(tests) / sizeof(tests[0]); i++)
		tcase_add_loop_test(tcase, tests[i], 0, 2);
	tcase_add_test(tcase, e09_err_comes_from_outside);
	return fake_run_suite(suite);
}
