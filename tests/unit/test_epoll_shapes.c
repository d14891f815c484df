/* SPDX-License-Identifier: MIT */
/*
 * Epolls within epolls: the shapes that are refused. Chains and cycles first,
 * then how many paths may lead up from one file.
 */
#include <errno.h>
#include <stdlib.h>

#include "fake.h"

static struct fake_file file;

static void setup(void)
{
	fake_file_init(&file, 0);
}

#define NR 8

static struct emu_epoll *e[NR];

static void make_epolls(void)
{
	for (int i = 0; i < NR; i++)
		e[i] = fake_epoll();
}

static void end_epolls(void)
{
	for (int i = 0; i < NR; i++)
		emu_epoll_destroy(e[i]);
}

/* e[outer] watches e[inner] */
static int nest(int outer, int inner)
{
	return fake_nest(e[outer], e[inner], IN, (uint64_t)inner);
}

START_TEST(n02_five_epolls_built_outside_in)
{
	make_epolls();
	for (int i = 0; i < 4; i++)
		ck_assert_int_eq(nest(i, i + 1), 0);
	ck_assert_int_eq(nest(4, 5), -ELOOP);
	ck_assert_int_eq(nest(5, 0), -ELOOP);
	ck_assert_int_eq(fake_watch(e[4], &file, IN, 9), 0);
	ck_assert_int_eq(host.user.watches, 5);
	end_epolls();
}
END_TEST

START_TEST(n02_five_epolls_built_inside_out)
{
	make_epolls();
	ck_assert_int_eq(fake_watch(e[4], &file, IN, 9), 0);
	for (int i = 3; i >= 0; i--)
		ck_assert_int_eq(nest(i, i + 1), 0);
	ck_assert_int_eq(nest(5, 0), -ELOOP);
	ck_assert_int_eq(nest(4, 5), -ELOOP);
	end_epolls();
}
END_TEST

START_TEST(n02_both_sides_count)
{
	make_epolls();
	/* 0-1-2 and 3-4-5: two links each; joined they are five */
	ck_assert_int_eq(nest(0, 1), 0);
	ck_assert_int_eq(nest(1, 2), 0);
	ck_assert_int_eq(nest(3, 4), 0);
	ck_assert_int_eq(nest(4, 5), 0);
	ck_assert_int_eq(nest(2, 3), -ELOOP);
	/* 2 + 1 + 1 */
	ck_assert_int_eq(nest(2, 4), 0);
	ck_assert_int_eq(nest(5, 6), -ELOOP);
	ck_assert_int_eq(nest(6, 0), -ELOOP);
	/* beside the longest chain there is room */
	ck_assert_int_eq(nest(2, 6), 0);
	ck_assert_int_eq(nest(6, 7), 0);
	end_epolls();
}
END_TEST

START_TEST(n02_a_link_that_went_no_longer_counts)
{
	make_epolls();
	for (int i = 0; i < 4; i++)
		ck_assert_int_eq(nest(i, i + 1), 0);
	fake_del(e[2], emu_epoll_file(e[3]), 3 + 3);
	ck_assert_int_eq(nest(4, 5), 0);
	emu_epoll_destroy(e[3]);
	e[3] = NULL;
	ck_assert_int_eq(nest(2, 4), 0);
	end_epolls();
}
END_TEST

START_TEST(n03_cycles)
{
	make_epolls();
	ck_assert_int_eq(nest(0, 0), -EINVAL);
	ck_assert_int_eq(nest(0, 1), 0);
	ck_assert_int_eq(nest(1, 0), -ELOOP);
	ck_assert_int_eq(nest(1, 2), 0);
	ck_assert_int_eq(nest(2, 0), -ELOOP);
	ck_assert_int_eq(nest(2, 1), -ELOOP);
	ck_assert_int_eq(nest(0, 2), 0); /* a shortcut is no cycle */
	ck_assert_int_eq(host.user.watches, 3);
	end_epolls();
}
END_TEST

START_TEST(eloop_comes_before_eexist_and_enospc)
{
	make_epolls();
	ck_assert_int_eq(nest(0, 1), 0);
	host.user.max_watches = 1;
	host.fail_in = 1;
	ck_assert_int_eq(nest(1, 0), -ELOOP);
	ck_assert_int_eq(nest(0, 1), -EEXIST);
	ck_assert_int_eq(nest(0, 2), -ENOSPC);
	host.user.max_watches = 2;
	ck_assert_int_eq(nest(0, 2), -ENOMEM);
	ck_assert_int_eq(nest(0, 2), 0);
	end_epolls();
}
END_TEST

/*
 * What a check costs depends on the links, not on the ways through them: five
 * floors of 60 epolls, all connected, have 60^4 ways from each, and to walk
 * them a thousand times would take longer than a test may.
 */
START_TEST(a_dense_web_is_checked_quickly)
{
	enum { WIDTH = 60, FLOORS = 5 };
	static struct emu_epoll *web[FLOORS][WIDTH];
	struct emu_epoll *roof = fake_epoll();

	for (int i = 0; i < FLOORS * WIDTH; i++)
		web[i / WIDTH][i % WIDTH] = fake_epoll();
	for (int floor = 1; floor < FLOORS; floor++)
		for (int i = 0; i < WIDTH * WIDTH; i++)
			ck_assert_int_eq(fake_nest(web[floor][i / WIDTH],
						 web[floor - 1][i % WIDTH], IN,
						 (uint64_t)(i % WIDTH)),
				0);
	for (int i = 0; i < 1000; i++) {
		ck_assert_int_eq(
			fake_nest(roof, web[FLOORS - 1][0], IN, 1), -ELOOP);
		ck_assert_int_eq(fake_nest(web[0][0], roof, IN, 1), -ELOOP);
		ck_assert_int_eq(fake_watch(web[0][0], &file, IN, 1), -EINVAL);
	}
	/* from the top floor there is one way only */
	ck_assert_int_eq(fake_watch(web[FLOORS - 1][0], &file, IN, 1), 0);
	emu_epoll_destroy(roof);
	for (int i = 0; i < FLOORS * WIDTH; i++)
		emu_epoll_destroy(web[i / WIDTH][i % WIDTH]);
}
END_TEST

/* ---- how many paths ---- */

/*
 * A stem of `links` links over the file, and then `count` epolls that watch
 * its top. Returns the first error.
 */
static struct emu_epoll *stem[4];
static struct emu_epoll **fans;

static int fan_out(int links, int count, bool file_first)
{
	int error = 0;

	fans = calloc((size_t)count, sizeof(fans[0]));
	ck_assert_ptr_nonnull(fans);
	for (int i = 0; i < links; i++)
		stem[i] = fake_epoll();
	if (file_first)
		error = fake_watch(stem[0], &file, IN, 1);
	for (int i = 1; i < links && !error; i++)
		error = fake_nest(stem[i], stem[i - 1], IN, 1);
	for (int i = 0; i < count && !error; i++) {
		fans[i] = fake_epoll();
		error = fake_nest(fans[i], stem[links - 1], IN, 1);
	}
	if (!file_first && !error)
		error = fake_watch(stem[0], &file, IN, 1);
	return error;
}

static void fan_end(int links, int count)
{
	for (int i = 0; i < links; i++)
		emu_epoll_destroy(stem[i]);
	for (int i = 0; i < count; i++)
		emu_epoll_destroy(fans[i]);
	free(fans);
}

static const int limits[] = {0, 500, 100, 50, 10};

START_TEST(n04_so_many_paths_and_no_more)
{
	int limit = limits[_i];
	struct emu_epoll *extra = fake_epoll();

	ck_assert_int_eq(fan_out(_i, limit, true), 0);
	ck_assert_int_eq(fake_nest(extra, stem[_i - 1], IN, 1), -EINVAL);
	ck_assert_ptr_null(emu_epoll_next(extra, NULL));
	ck_assert_int_eq(host.user.watches, limit + _i);
	/* another file may have as many, and one path less makes room */
	emu_epoll_destroy(fans[limit - 1]);
	fans[limit - 1] = NULL;
	ck_assert_int_eq(fake_nest(extra, stem[_i - 1], IN, 1), 0);
	emu_epoll_destroy(extra);
	fan_end(_i, limit);
}
END_TEST

START_TEST(n04_the_file_comes_last)
{
	int limit = limits[_i];
	struct fake_file other;

	fake_file_init(&other, 0);
	ck_assert_int_eq(fan_out(_i, limit + 1, false), -EINVAL);
	ck_assert(emu_list_empty(&file.file.items));
	ck_assert(!emu_waitq_active(&file.file.waitq));
	/* with a path less, this file and another have room */
	emu_epoll_destroy(fans[0]);
	fans[0] = NULL;
	ck_assert_int_eq(fake_watch(stem[0], &file, IN, 1), 0);
	ck_assert_int_eq(fake_watch(stem[0], &other, IN, 2), 0);
	/* the same file once more doubles its paths */
	ck_assert_int_eq(fake_watch(stem[0], &file, IN, 3), -EINVAL);
	fan_end(_i, limit + 1);
}
END_TEST

START_TEST(n04_paths_of_length_1_are_not_limited)
{
	enum { COUNT = 2000 };
	static struct emu_epoll *epolls[COUNT];

	for (int i = 0; i < COUNT; i++) {
		epolls[i] = fake_epoll();
		ck_assert_int_eq(fake_watch(epolls[i], &file, IN, 1), 0);
	}
	/* also when an epoll over one of them has the file checked */
	ck_assert_int_eq(fake_nest(epolls[0], epolls[1], IN, 2), 0);
	for (int i = 0; i < COUNT; i++)
		emu_epoll_destroy(epolls[i]);
}
END_TEST

START_TEST(n04_epolls_over_no_file_are_not_limited)
{
	ck_assert_int_eq(fan_out(1, 2000, false), -EINVAL);
	for (int i = 0; i < 2000; i++)
		ck_assert_ptr_nonnull(emu_epoll_next(fans[i], NULL));
	fan_end(1, 2000);
}
END_TEST

START_TEST(n04_several_ways_up_are_added)
{
	struct emu_epoll *low[2], *extra = fake_epoll();

	/* two items under one epoll: each epoll above counts twice */
	ck_assert_int_eq(fan_out(1, 250, true), 0);
	ck_assert_int_eq(fake_watch(stem[0], &file, IN, 2), 0);
	ck_assert_int_eq(fake_nest(extra, stem[0], IN, 1), -EINVAL);
	/* another file of the same epoll is not the one at its limit */
	for (int i = 0; i < 2; i++)
		low[i] = fake_epoll();
	ck_assert_int_eq(fake_nest(low[0], low[1], IN, 1), 0);
	ck_assert_int_eq(fake_watch(low[1], &file, IN, 1), -EINVAL);
	fake_del(stem[0], &file.file, 5);
	ck_assert_int_eq(fake_watch(low[1], &file, IN, 1), 0);
	for (int i = 0; i < 2; i++)
		emu_epoll_destroy(low[i]);
	emu_epoll_destroy(extra);
	fan_end(1, 250);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("epoll_shapes");
	TCase *tcase = fake_tcase(suite, "epoll_shapes");

	tcase_add_checked_fixture(tcase, setup, NULL);
	tcase_add_test(tcase, n02_five_epolls_built_outside_in);
	tcase_add_test(tcase, n02_five_epolls_built_inside_out);
	tcase_add_test(tcase, n02_both_sides_count);
	tcase_add_test(tcase, n02_a_link_that_went_no_longer_counts);
	tcase_add_test(tcase, n03_cycles);
	tcase_add_test(tcase, eloop_comes_before_eexist_and_enospc);
	tcase_add_test(tcase, a_dense_web_is_checked_quickly);
	tcase_add_loop_test(tcase, n04_so_many_paths_and_no_more, 1, 5);
	tcase_add_loop_test(tcase, n04_the_file_comes_last, 1, 5);
	tcase_add_test(tcase, n04_paths_of_length_1_are_not_limited);
	tcase_add_test(tcase, n04_epolls_over_no_file_are_not_limited);
	tcase_add_test(tcase, n04_several_ways_up_are_added);
	return fake_run_suite(suite);
}
