/* SPDX-License-Identifier: MIT */
/*
 * Writing and reading of counted traffic, see channel.h.
 *
 * `produced` grows after the write returned, so while writers run it may lag
 * behind `consumed`; the two are compared when the writers have ended. No
 * call on a non-blocking eventfd may ever fail with EINTR; a blocking write
 * to a stream may. A test may make the writing end non-blocking, too.
 */
#define _GNU_SOURCE
#include "channel.h"
#include <fcntl.h>
#include <stdio.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

#define CHUNK 4096

static const char *const kind_names[] = {
	"eventfd", "eventfd-big", "semaphore", "pipe", "socketpair", "tcp"};

bool channel_is_eventfd(const struct channel *ch)
{
	return ch->kind <= CHANNEL_SEMA;
}

void channel_open(struct channel *ch, enum channel_kind kind)
{
	int fd[2];

	memset(ch, 0, sizeof(*ch));
	ch->kind = kind;
	pthread_mutex_init(&ch->wlock, NULL);
	pthread_mutex_init(&ch->rlock, NULL);
	switch (kind) {
	case CHANNEL_PIPE:
		x_pipe(fd, 0);
		break;
	case CHANNEL_PAIR:
		x_pair(fd, SOCK_STREAM);
		break;
	case CHANNEL_TCP:
		x_tcp(fd);
		break;
	default:
		fd[0] = x_eventfd(
			0, EFD_CLOEXEC |
				   (kind == CHANNEL_SEMA ? EFD_SEMAPHORE : 0));
		fd[1] = fd[0];
	}
	ch->rfd = fd[0];
	ch->wfd = fd[1];
	x_nonblock(ch->rfd);
}

void channel_close(struct channel *ch)
{
	x_close(ch->rfd);
	if (ch->wfd != ch->rfd)
		x_close(ch->wfd);
	pthread_mutex_destroy(&ch->wlock);
	pthread_mutex_destroy(&ch->rlock);
}

static uint8_t pattern(uint64_t pos)
{
	return (uint8_t)(pos ^ (pos >> 8) ^ (pos >> 16) ^ (pos >> 24));
}

static bool put_units(struct channel *ch, struct stress_rng *rng)
{
	uint64_t value = 1 + stress_below(rng, 16);

	if (ch->kind == CHANNEL_BIG && stress_below(rng, 2))
		value = (UINT64_C(1) << 62) + stress_below(rng, 1000);
	else if (ch->kind == CHANNEL_SEMA)
		value = 1 + stress_below(rng, 3);
	ssize_t n = write(ch->wfd, &value, sizeof(value));

	if (n < 0 && errno == EAGAIN && ch->kind == CHANNEL_BIG)
		return false;
	must(n == 8, "write to %s gave %zd: %s", kind_names[ch->kind], n,
		strerror(errno));
	atomic_fetch_add(&ch->produced, value);
	atomic_fetch_add(&ch->writes, 1);
	return true;
}

static bool put_bytes(struct channel *ch, struct stress_rng *rng)
{
	uint8_t buf[CHUNK * 2];
	static const unsigned bounds[] = {8, 300, 300, sizeof(buf)};
	size_t len = 1 + stress_below(rng, bounds[stress_below(rng, 4)]);
	uint64_t pos = atomic_load(&ch->produced);

	for (size_t i = 0; i < len; i++)
		buf[i] = pattern(pos + i);
	ssize_t n = write(ch->wfd, buf, len);

	if (n < 0 && (errno == EINTR || errno == EAGAIN))
		return false;
	must(n > 0, "write to %s gave %zd: %s", kind_names[ch->kind], n,
		strerror(errno));
	atomic_fetch_add(&ch->produced, (uint64_t)n);
	atomic_fetch_add(&ch->writes, 1);
	return true;
}

bool channel_put(struct channel *ch, struct stress_rng *rng)
{
	if (channel_is_eventfd(ch))
		return put_units(ch, rng);
	pthread_mutex_lock(&ch->wlock);
	bool done = put_bytes(ch, rng);

	pthread_mutex_unlock(&ch->wlock);
	return done;
}

static bool take_units(struct channel *ch)
{
	uint64_t value = 0;
	ssize_t n = read(ch->rfd, &value, sizeof(value));

	if (n < 0 && errno == EAGAIN)
		return false;
	must(n == 8, "read of %s gave %zd: %s", kind_names[ch->kind], n,
		strerror(errno));
	must(value > 0, "read of %s gave 0 units", kind_names[ch->kind]);
	must(value == 1 || ch->kind != CHANNEL_SEMA, "semaphore gave %llu",
		(unsigned long long)value);
	atomic_fetch_add(&ch->consumed, value);
	return true;
}

bool channel_take(struct channel *ch, size_t max)
{
	uint8_t buf[CHUNK];
	uint64_t pos = atomic_load(&ch->consumed);

	if (channel_is_eventfd(ch))
		return take_units(ch);
	if (max > sizeof(buf))
		max = sizeof(buf);
	ssize_t n = read(ch->rfd, buf, max);

	if (n < 0 && errno == EAGAIN)
		return false;
	must(n > 0, "read of %s gave %zd: %s", kind_names[ch->kind], n,
		strerror(errno));
	for (ssize_t i = 0; i < n; i++)
		must(buf[i] == pattern(pos + (uint64_t)i),
			"%s: wrong byte at %llu", kind_names[ch->kind],
			(unsigned long long)pos + (unsigned long long)i);
	atomic_fetch_add(&ch->consumed, (uint64_t)n);
	return true;
}

/* What is in it by the kernel's own account: a value lost, or a wake? */
static void dump_counter(const struct channel *ch)
{
	char path[40], text[400];

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", ch->rfd);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? 0 : read(fd, text, sizeof(text) - 1);

	text[n > 0 ? n : 0] = '\0';
	char *count = strstr(text, "eventfd-count:");

	if (count)
		dprintf(2, "#  %.*s\n", (int)strcspn(count, "\n"), count);
	if (fd >= 0)
		close(fd);
}

void channel_dump(const struct channel *ch, unsigned count)
{
	for (unsigned i = 0; i < count; i++) {
		dprintf(2,
			"# channel %u %s: in %llu, out %llu, %ld writes, "
			"%ld armed, %ld delivered, owner %d\n",
			i, kind_names[ch[i].kind],
			(unsigned long long)atomic_load(&ch[i].produced),
			(unsigned long long)atomic_load(&ch[i].consumed),
			atomic_load(&ch[i].writes), atomic_load(&ch[i].armed),
			atomic_load(&ch[i].delivered),
			atomic_load(&ch[i].owner));
		dump_counter(&ch[i]);
	}
}
