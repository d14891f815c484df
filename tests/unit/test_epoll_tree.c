/* SPDX-License-Identifier: MIT */
/*
 * Looking items up and walking them: by key, by number, by age; against a
 * plain list, and with very many.
 */
#include <errno.h>
#include <stdlib.h>

#include "fake.h"

static struct emu_epoll *epoll;

static void setup(void)
{
	epoll = fake_epoll();
}

static void teardown(void)
{
	emu_epoll_destroy(epoll);
}

static struct fake_file *make_files(int count)
{
	struct fake_file *files = calloc((size_t)count, sizeof(*files));

	ck_assert_ptr_nonnull(files);
	for (int i = 0; i < count; i++)
		fake_file_init(&files[i], 0);
	return files;
}

START_TEST(an_empty_epoll_has_nothing_to_walk)
{
	ck_assert_ptr_null(emu_epoll_next(epoll, NULL));
	ck_assert_ptr_null(emu_epoll_next_fd(epoll, 0, NULL));
	ck_assert_ptr_null(emu_epoll_next_fd(epoll, -1, NULL));
}
END_TEST

/* L03: a number may stand for several files, of which one is open */
START_TEST(l03_the_items_of_one_number)
{
	const int count = 300;
	struct fake_file *files = make_files(count);
	struct emu_item *item = NULL;
	int seen = 0;

	for (int i = 0; i < count; i++)
		ck_assert_int_eq(
			fake_add(epoll, &files[i].file, i % 3, IN, 1), 0);
	while ((item = emu_epoll_next_fd(epoll, 1, item))) {
		struct emu_item_info info;
		int which;

		emu_item_info(item, &info);
		ck_assert_int_eq(info.fd, 1);
		which = (int)(emu_container_of(
				      info.file, struct fake_file, file) -
			      files);
		ck_assert_int_eq(which % 3, 1);
		ck_assert_int_eq(files[which].bits, 0);
		files[which].bits = PRI; /* seen */
		seen++;
	}
	ck_assert_int_eq(seen, count / 3);
	ck_assert_ptr_null(emu_epoll_next_fd(epoll, 3, NULL));
	teardown();
	epoll = NULL;
	free(files);
}
END_TEST

#define NR_FILES 12
#define NR_FDS 10

/* Registered keys in the order in which they came. */
static struct {
	int file, fd;
} listed[NR_FILES * NR_FDS];
static int nr_listed;

static int find_listed(int file, int fd)
{
	for (int i = 0; i < nr_listed; i++)
		if (listed[i].file == file && listed[i].fd == fd)
			return i;
	return -1;
}

static void compare_walks(struct fake_file *files)
{
	struct emu_item *item = NULL;
	struct emu_item_info info;
	int at_fd = 0;

	for (int i = 0; i < nr_listed; i++) {
		item = emu_epoll_next(epoll, item);
		ck_assert_ptr_nonnull(item);
		emu_item_info(item, &info);
		ck_assert_ptr_eq(info.file, &files[listed[i].file].file);
		ck_assert_int_eq(info.fd, listed[i].fd);
		ck_assert_ptr_eq(
			emu_epoll_find(epoll, info.file, info.fd), item);
	}
	ck_assert_ptr_null(emu_epoll_next(epoll, item));
	for (int fd = 0; fd < NR_FDS; fd++)
		for (item = NULL; (item = emu_epoll_next_fd(epoll, fd, item));)
			at_fd++;
	ck_assert_int_eq(at_fd, nr_listed);
}

START_TEST(random_steps_agree_with_a_list)
{
	struct fake_file *files = make_files(NR_FILES);
	uint64_t seed = 0x7ee5 + (uint64_t)_i;

	nr_listed = 0;
	for (int step = 0; step < 5000; step++) {
		int file = (int)fake_random(&seed, NR_FILES);
		int fd = (int)fake_random(&seed, NR_FDS);
		int at = find_listed(file, fd);
		bool add = fake_random(&seed, 100) < 55;

		if (add) {
			ck_assert_int_eq(
				fake_add(epoll, &files[file].file, fd, IN, 1),
				at < 0 ? 0 : -EEXIST);
			if (at < 0) {
				listed[nr_listed].file = file;
				listed[nr_listed].fd = fd;
				nr_listed++;
			}
		} else if (at >= 0) {
			fake_del(epoll, &files[file].file, fd);
			nr_listed--;
			for (; at < nr_listed; at++)
				listed[at] = listed[at + 1];
		} else {
			ck_assert_ptr_null(
				emu_epoll_find(epoll, &files[file].file, fd));
		}
		if (step % 16 == 0)
			compare_walks(files);
	}
	compare_walks(files);
	teardown();
	epoll = NULL;
	free(files);
}
END_TEST

/*
 * A hundred thousand items in ascending, descending and mixed order, and all
 * under one number. A tree gone lopsided would not finish in time. Failures
 * are counted, since Check writes to a file for every assertion.
 */
enum { MANY = 100000 };

static int fd_of(int order, int which)
{
	return order == 3 ? 3 : which;
}

static int add_many(struct fake_file *files, int order)
{
	struct emu_event event = {.events = IN};
	int failures = 0;

	for (int i = 0; i < MANY; i++) {
		int which = i;

		if (order == 1)
			which = MANY - 1 - i;
		else if (order == 2)
			which = (int)((long)i * 7919 % MANY);
		if (emu_epoll_add(epoll, &files[which].file,
			    fd_of(order, which), &event, NULL))
			failures++;
	}
	return failures;
}

static int find_many(struct fake_file *files, int order)
{
	int failures = 0;

	for (int i = 0; i < MANY; i++) {
		struct emu_file *file = &files[i].file;
		int fd = fd_of(order, i);

		if (!emu_epoll_find(epoll, file, fd) ||
			!emu_epoll_next_fd(epoll, fd, NULL) ||
			emu_epoll_find(epoll, file, fd + 1))
			failures++;
	}
	return failures;
}

START_TEST(a_hundred_thousand_items)
{
	struct fake_file *files = make_files(MANY);
	struct emu_item *item = NULL;
	int walked = 0, walked_fd = 0;

	ck_assert_int_eq(add_many(files, _i), 0);
	ck_assert_int_eq(find_many(files, _i), 0);
	for (int i = 0; i < MANY; i += 2)
		emu_epoll_del(
			emu_epoll_find(epoll, &files[i].file, fd_of(_i, i)));
	while ((item = emu_epoll_next(epoll, item)))
		walked++;
	ck_assert_int_eq(walked, MANY / 2);
	while ((item = emu_epoll_next_fd(epoll, 3, item)))
		walked_fd++;
	ck_assert_int_eq(walked_fd, _i == 3 ? MANY / 2 : 1);
	teardown();
	epoll = NULL;
	free(files);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("epoll_tree");
	TCase *tcase = fake_tcase(suite, "epoll_tree");

	tcase_add_checked_fixture(tcase, setup, teardown);
	tcase_add_test(tcase, an_empty_epoll_has_nothing_to_walk);
	tcase_add_test(tcase, l03_the_items_of_one_number);
	tcase_add_loop_test(tcase, random_steps_agree_with_a_list, 0, 4);
	tcase_add_loop_test(tcase, a_hundred_thousand_items, 0, 4);
	return fake_run_suite(suite);
}
