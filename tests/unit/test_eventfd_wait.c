/* SPDX-License-Identifier: MIT */
/*
 * Those who wait for an eventfd: blocked readers and writers, and threads in
 * epoll_wait(). Where the counter is kept makes no difference here.
 */
#include <errno.h>

#include "fake.h"

static struct emu_epoll *epoll;
static struct emu_eventfd *eventfd;

static void create(uint32_t initval, bool semaphore)
{
	eventfd =
		emu_eventfd_create(&host.alloc, initval, semaphore, NULL, NULL);
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

/* A blocked caller: told by the queue, it tries again when it runs. */
struct blocked {
	struct emu_wait wait;
	bool told;
	uint32_t key;
};

static int blocked_wake(struct emu_wait *wait, uint32_t key)
{
	struct blocked *blocked = emu_container_of(wait, struct blocked, wait);

	blocked->told = true;
	blocked->key = key;
	return 1;
}

static void block(struct blocked *callers, int count)
{
	for (int i = 0; i < count; i++) {
		callers[i].told = false;
		emu_wait_init(&callers[i].wait, blocked_wake);
		emu_waitq_add_tail(
			&emu_eventfd_file(eventfd)->waitq, &callers[i].wait);
	}
}

/* How many of the callers get something when they try again in turn? */
static int readers_served(struct blocked *callers, int count)
{
	int served = 0;

	for (int i = 0; i < count; i++) {
		uint64_t value;

		ck_assert(callers[i].told);
		callers[i].told = false;
		if (!emu_eventfd_read(eventfd, &value)) {
			emu_waitq_remove(&callers[i].wait);
			served++;
		}
	}
	return served;
}

START_TEST(e15_all_readers_wake_one_gets_it)
{
	struct blocked readers[3];

	create(0, false);
	block(readers, 3);
	write_ok(7);
	ck_assert_uint_eq(readers[0].key, IN);
	ck_assert_int_eq(readers_served(readers, 3), 1);
	for (int i = 0; i < 3; i++)
		emu_waitq_remove(&readers[i].wait);
}
END_TEST

START_TEST(e15_a_semaphore_of_2_serves_two)
{
	struct blocked readers[3];

	create(0, true);
	block(readers, 3);
	write_ok(2);
	ck_assert_int_eq(readers_served(readers, 3), 2);
	ck_assert_uint_eq(readers[2].key, OUT); /* by the others' reads */
	emu_waitq_remove(&readers[2].wait);
}
END_TEST

START_TEST(e05_a_blocked_writer_is_told_by_a_read)
{
	struct blocked writer;

	create(1, false);
	ck_assert_int_eq(emu_eventfd_write(eventfd, UINT64_MAX - 1), -EAGAIN);
	block(&writer, 1);
	read_ok(1);
	ck_assert(writer.told);
	ck_assert_uint_eq(writer.key, OUT);
	write_ok(UINT64_MAX - 1);
	emu_waitq_remove(&writer.wait);
}
END_TEST

/* X05: its entry is exclusive and older, so it takes the wake */
START_TEST(e15_an_exclusive_item_can_come_before)
{
	struct fake_thread thread;
	struct blocked reader;

	create(0, false);
	watch(IN | EXCLUSIVE);
	fake_wait(&thread, epoll, EMU_DEADLINE_NEVER);
	block(&reader, 1);
	write_ok(1);
	ck_assert(thread.woken);
	ck_assert(!reader.told);
	write_ok(1); /* nobody sleeps any more, so it goes on */
	ck_assert(reader.told);
	emu_waitq_remove(&reader.wait);
	fake_run(&thread);
}
END_TEST

START_TEST(unread_gives_back_and_tells)
{
	struct blocked reader;

	create(5, false);
	watch(IN | ET);
	ck_assert_str_eq(fake_take(epoll, 4), "1:1");
	read_ok(5);
	block(&reader, 1);
	emu_eventfd_unread(eventfd, 5);
	ck_assert(reader.told);
	ck_assert_uint_eq(reader.key, IN);
	ck_assert_str_eq(fake_take(epoll, 4), "1:1");
	read_ok(5);
	emu_waitq_remove(&reader.wait);
}
END_TEST

/* T04, D01: as an event loop with several threads uses it */
START_TEST(a_sleeper_is_woken_by_a_write)
{
	struct fake_thread thread;

	create(0, false);
	watch(IN | ET);
	fake_wait(&thread, epoll, EMU_DEADLINE_NEVER);
	write_ok(1);
	fake_run(&thread);
	ck_assert_int_eq(thread.result, 1);
	fake_wait(&thread, epoll, EMU_DEADLINE_NEVER);
	write_ok(1);
	ck_assert(thread.woken);
	fake_run(&thread);
	ck_assert_int_eq(thread.result, 1);
	read_ok(2);
}
END_TEST

int main(void)
{
	Suite *suite = suite_create("eventfd_wait");
	TCase *tcase = fake_tcase(suite, "eventfd_wait");

	tcase_add_checked_fixture(tcase, NULL, teardown);
	tcase_add_test(tcase, e15_all_readers_wake_one_gets_it);
	tcase_add_test(tcase, e15_a_semaphore_of_2_serves_two);
	tcase_add_test(tcase, e15_an_exclusive_item_can_come_before);
	tcase_add_test(tcase, e05_a_blocked_writer_is_told_by_a_read);
	tcase_add_test(tcase, unread_gives_back_and_tells);
	tcase_add_test(tcase, a_sleeper_is_woken_by_a_write);
	return fake_run_suite(suite);
}
