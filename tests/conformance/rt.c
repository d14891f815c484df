/* SPDX-License-Identifier: MIT */
/*
 * Entry point, thread creation, memory and string functions, formatting.
 *
 * The program has no C library in it, so that a kernel under test needs to
 * offer no more than the cases themselves use: no thread-local storage, no
 * set_tid_address, no brk. The compiler may still emit calls of memcpy and
 * friends, so they live here under their usual names; the build forbids it to
 * turn their loops back into calls of themselves.
 */
#include "rt.h"
#include "sys.h"
#include <errno.h>
#include <sys/epoll.h>

int conform_main(int argc, char **argv);
void conform_start(long *stack);

#if defined(__x86_64__)
__asm__(".text\n"
	".global _start\n"
	"_start:\n"
	"	xor %ebp, %ebp\n"
	"	mov %rsp, %rdi\n"
	"	and $-16, %rsp\n"
	"	call conform_start\n"
	"	hlt\n"
	".global sys_clone_thread\n"
	"sys_clone_thread:\n"
	"	and $-16, %rsi\n"
	"	sub $16, %rsi\n"
	"	mov %rcx, (%rsi)\n"
	"	mov %r8, 8(%rsi)\n"
	"	mov %rdx, %r10\n"
	"	xor %r8d, %r8d\n"
	"	mov $56, %eax\n"
	"	syscall\n"
	"	test %eax, %eax\n"
	"	jnz 1f\n"
	"	xor %ebp, %ebp\n"
	"	pop %rax\n"
	"	pop %rdi\n"
	"	call *%rax\n"
	"	mov $60, %eax\n"
	"	xor %edi, %edi\n"
	"	syscall\n"
	"1:	ret\n"
	".section .note.GNU-stack,\"\",@progbits\n"
	".text\n");
#else
__asm__(".text\n"
	".global _start\n"
	"_start:\n"
	"	mov x29, #0\n"
	"	mov x30, #0\n"
	"	mov x0, sp\n"
	"	bl conform_start\n"
	".global sys_clone_thread\n"
	"sys_clone_thread:\n"
	"	and x1, x1, #-16\n"
	"	stp x3, x4, [x1, #-16]!\n"
	"	mov x4, x2\n"
	"	mov x3, #0\n"
	"	mov x8, #220\n"
	"	svc 0\n"
	"	cbz x0, 1f\n"
	"	ret\n"
	"1:	mov x29, #0\n"
	"	ldp x9, x0, [sp], #16\n"
	"	blr x9\n"
	"	mov x8, #93\n"
	"	mov x0, #0\n"
	"	svc 0\n"
	".section .note.GNU-stack,\"\",%progbits\n"
	".text\n");
#endif

void conform_start(long *stack)
{
	int argc = (int)stack[0];
	int status = conform_main(argc, (char **)(stack + 1));

	for (;;)
		RAW(__NR_exit_group, status);
}

void *memcpy(void *dst, const void *src, size_t n)
{
	char *d = dst;
	const char *s = src;

	while (n--)
		*d++ = *s++;
	return dst;
}

void *memmove(void *dst, const void *src, size_t n)
{
	char *d = dst;
	const char *s = src;

	if (d <= s)
		return memcpy(dst, src, n);
	while (n--)
		d[n] = s[n];
	return dst;
}

void *memset(void *dst, int byte, size_t n)
{
	char *d = dst;

	while (n--)
		*d++ = (char)byte;
	return dst;
}

int memcmp(const void *a, const void *b, size_t n)
{
	const unsigned char *x = a, *y = b;

	for (; n; n--, x++, y++)
		if (*x != *y)
			return *x - *y;
	return 0;
}

size_t strlen(const char *s)
{
	size_t n = 0;

	while (s[n])
		n++;
	return n;
}

int strcmp(const char *a, const char *b)
{
	while (*a && *a == *b)
		a++, b++;
	return (unsigned char)*a - (unsigned char)*b;
}

int strncmp(const char *a, const char *b, size_t n)
{
	while (n && *a && *a == *b)
		a++, b++, n--;
	return n ? (unsigned char)*a - (unsigned char)*b : 0;
}

const char *strstr(const char *hay, const char *needle)
{
	size_t n = strlen(needle);

	for (; *hay; hay++)
		if (!strncmp(hay, needle, n))
			return hay;
	return NULL;
}

static int digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return 99;
}

uint64_t str_number(const char *s, int base)
{
	uint64_t v = 0;

	while (*s == ' ' || *s == '\t')
		s++;
	for (; digit(*s) < base; s++)
		v = v * (unsigned)base + (unsigned)digit(*s);
	return v;
}

int str_match(const char *p, const char *s)
{
	for (; *p; p++, s++) {
		if (*p == '*') {
			do
				if (str_match(p + 1, s))
					return 1;
			while (*s++);
			return 0;
		}
		if (!*s || (*p != '?' && *p != *s))
			return 0;
	}
	return !*s;
}

static void put_char(struct text *t, char c)
{
	if (t->len + 1 >= t->cap)
		return;
	t->buf[t->len++] = c;
	t->buf[t->len] = 0;
}

static void put_str(struct text *t, const char *s)
{
	while (*s)
		put_char(t, *s++);
}

static void put_number(struct text *t, uint64_t v, unsigned base)
{
	char tmp[24];
	int n = 0;

	do
		tmp[n++] = "0123456789abcdef"[v % base];
	while (v /= base);
	while (n)
		put_char(t, tmp[--n]);
}

static void put_signed(struct text *t, long v)
{
	if (v < 0)
		put_char(t, '-');
	put_number(t, v < 0 ? 0 - (uint64_t)v : (uint64_t)v, 10);
}

void text_putv(struct text *t, const char *fmt, va_list ap)
{
	for (; *fmt; fmt++) {
		if (*fmt != '%') {
			put_char(t, *fmt);
			continue;
		}
		switch (*++fmt) {
		case 's':
			put_str(t, va_arg(ap, const char *));
			break;
		case 'c':
			put_char(t, (char)va_arg(ap, int));
			break;
		case 'd':
			put_signed(t, va_arg(ap, int));
			break;
		case 'l':
			if (*++fmt == 'd')
				put_signed(t, va_arg(ap, long));
			else
				put_number(t, va_arg(ap, unsigned long), 16);
			break;
		default:
			put_char(t, *fmt);
		}
	}
}

void text_put(struct text *t, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	text_putv(t, fmt, ap);
	va_end(ap);
}

#define NAME(e) [e] = #e
static const char *const errno_names[] = {NAME(EPERM), NAME(ENOENT),
	NAME(ESRCH), NAME(EINTR), NAME(EIO), NAME(EBADF), NAME(ECHILD),
	NAME(EAGAIN), NAME(ENOMEM), NAME(EACCES), NAME(EFAULT), NAME(EBUSY),
	NAME(EEXIST), NAME(ENODEV), NAME(ENOTDIR), NAME(EISDIR), NAME(EINVAL),
	NAME(ENFILE), NAME(EMFILE), NAME(ENOTTY), NAME(EFBIG), NAME(ENOSPC),
	NAME(ESPIPE), NAME(EROFS), NAME(EPIPE), NAME(ELOOP), NAME(ENOSYS),
	NAME(EOPNOTSUPP), NAME(EAFNOSUPPORT), NAME(ECONNREFUSED),
	NAME(EINPROGRESS), NAME(ETIMEDOUT), NAME(ECONNRESET)};

void text_result(struct text *t, long v)
{
	size_t n = sizeof(errno_names) / sizeof(*errno_names);

	if (v < 0 && v > -(long)n && errno_names[-v])
		text_put(t, "-%s", errno_names[-v]);
	else
		put_signed(t, v);
}

static const struct {
	uint32_t bit;
	const char *name;
} mask_names[] = {{EPOLLIN, "IN"}, {EPOLLPRI, "PRI"}, {EPOLLOUT, "OUT"},
	{EPOLLERR, "ERR"}, {EPOLLHUP, "HUP"}, {EPOLLRDNORM, "RDNORM"},
	{EPOLLRDBAND, "RDBAND"}, {EPOLLWRNORM, "WRNORM"},
	{EPOLLWRBAND, "WRBAND"}, {EPOLLRDHUP, "RDHUP"},
	{EPOLLEXCLUSIVE, "EXCLUSIVE"}, {EPOLLWAKEUP, "WAKEUP"},
	{EPOLLONESHOT, "ONESHOT"}, {EPOLLET, "ET"}};

void text_mask(struct text *t, uint32_t mask)
{
	const char *bar = "";
	size_t i;

	if (!mask)
		put_char(t, '0');
	for (i = 0; i < sizeof(mask_names) / sizeof(*mask_names); i++) {
		if (!(mask & mask_names[i].bit))
			continue;
		text_put(t, "%s%s", bar, mask_names[i].name);
		mask &= ~mask_names[i].bit;
		bar = "|";
	}
	if (mask)
		text_put(t, "%s0x%lx", bar, (unsigned long)mask);
}
