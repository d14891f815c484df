/* SPDX-License-Identifier: MIT */
/*
 * epoll helpers of the cases: the calls themselves, and the comparison of the
 * events that a wait returned with those that had to come.
 */
#include "conf.h"

long sys_epoll_create(int size)
{
#ifdef __NR_epoll_create
	return CALL(epoll_create, size);
#else
	(void)size;
	conf_skip("the kernel of this architecture has no epoll_create");
#endif
}

long sys_epoll_create1(int flags)
{
	return CALL(epoll_create1, flags);
}

long sys_epoll_ctl(int epfd, int op, int fd, const void *event)
{
	return CALL(epoll_ctl, epfd, op, fd, event);
}

long sys_epoll_wait(int epfd, void *events, int max, int timeout)
{
#ifdef __NR_epoll_wait
	return CALL(epoll_wait, epfd, events, max, timeout);
#else
	return CALL(epoll_pwait, epfd, events, max, timeout, NULL, 8);
#endif
}

long sys_epoll_pwait(int epfd, void *events, int max, int timeout,
	const void *mask, size_t size)
{
	return CALL(epoll_pwait, epfd, events, max, timeout, mask, size);
}

long sys_epoll_pwait2(int epfd, void *events, int max, const void *timeout,
	const void *mask, size_t size)
{
	return CALL(epoll_pwait2, epfd, events, max, timeout, mask, size);
}

int ep_new(void)
{
	return (int)OK(sys_epoll_create1(EPOLL_CLOEXEC));
}

static long control(int epfd, int op, int fd, uint32_t mask, uint64_t data)
{
	struct ep_event ev = {mask, data};

	return sys_epoll_ctl(epfd, op, fd, &ev);
}

long ep_add(int epfd, int fd, uint32_t mask, uint64_t data)
{
	return control(epfd, EPOLL_CTL_ADD, fd, mask, data);
}

long ep_mod(int epfd, int fd, uint32_t mask, uint64_t data)
{
	return control(epfd, EPOLL_CTL_MOD, fd, mask, data);
}

long ep_del(int epfd, int fd)
{
	return sys_epoll_ctl(epfd, EPOLL_CTL_DEL, fd, NULL);
}

static void put_events(struct text *t, const struct ep_event *ev, long n)
{
	long i;

	text_put(t, "%ld event%s", n, n == 1 ? "" : "s");
	for (i = 0; i < n; i++) {
		text_put(t, "%s{", i ? ", " : ": ");
		text_mask(t, ev[i].events);
		text_put(t, ", data 0x%lx}", (unsigned long)ev[i].data);
	}
}

static void fail_events(const struct ep_event *want, int count,
	const struct ep_event *got, long n)
{
	char e[500], o[500];
	struct text te = TEXT_ON(e), to = TEXT_ON(o);

	put_events(&te, want, count);
	if (n < 0)
		text_result(&to, n);
	else
		put_events(&to, got, n);
	conf_fail(e, o);
}

static int same(const struct ep_event *a, const struct ep_event *b)
{
	return a->events == b->events && a->data == b->data;
}

void ep_expect(
	int epfd, int max, int timeout, const struct ep_event *want, int count)
{
	struct ep_event got[16];
	long n = sys_epoll_wait(epfd, got, max, timeout);
	int i;

	if (n != count)
		fail_events(want, count, got, n);
	for (i = 0; i < count; i++)
		if (!same(&got[i], &want[i]))
			fail_events(want, count, got, n);
}

void ep_expect_set(
	int epfd, int timeout, const struct ep_event *want, int count)
{
	struct ep_event got[16];
	long n = sys_epoll_wait(epfd, got, 16, timeout);
	unsigned used = 0;
	int i, j;

	if (n != count)
		fail_events(want, count, got, n);
	for (i = 0; i < count; i++) {
		for (j = 0; j < n; j++)
			if (!(used & 1u << j) && same(&got[j], &want[i]))
				break;
		if (j == n)
			fail_events(want, count, got, n);
		used |= 1u << j;
	}
}

void ep_expect_until(int epfd, uint32_t all_of, uint64_t data)
{
	struct ep_event got[16], want = {all_of, data};
	long n, i;

	for (;;) {
		n = sys_epoll_wait(epfd, got, 16, SOON);
		if (n <= 0)
			fail_events(&want, 1, got, n);
		for (i = 0; i < n; i++)
			if (got[i].data == data &&
				(got[i].events & all_of) == all_of)
				return;
	}
}

static const char *nth_item(const char *text, int nth)
{
	const char *p = strstr(text, "tfd:");

	while (p && nth--)
		p = strstr(p + 1, "tfd:");
	return p;
}

void ep_items_are(int epfd, int count)
{
	char buf[8192];
	int n = 0;

	read_fdinfo(epfd, buf, sizeof(buf));
	while (nth_item(buf, n))
		n++;
	conf_is(n, count);
}

uint32_t ep_stored(int epfd, int nth)
{
	char buf[8192];
	const char *p;

	read_fdinfo(epfd, buf, sizeof(buf));
	p = nth_item(buf, nth);
	if (!p)
		conf_fail("an item in fdinfo", "none");
	return (uint32_t)info_number(p, "events:", 16);
}
