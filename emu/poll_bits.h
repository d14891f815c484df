/* SPDX-License-Identifier: MIT */
/*
 * The bits and numbers of the epoll and eventfd interfaces, as Linux has them
 * on every architecture that we know (include/uapi/linux/eventpoll.h and
 * include/linux/eventfd.h, 6.18). The engine has its own copy because it may
 * not include a header of the host.
 */
#ifndef EMU_POLL_BITS_H
#define EMU_POLL_BITS_H

#define EMU_EPOLLIN 0x001u
#define EMU_EPOLLPRI 0x002u
#define EMU_EPOLLOUT 0x004u
#define EMU_EPOLLERR 0x008u
#define EMU_EPOLLHUP 0x010u
#define EMU_EPOLLNVAL 0x020u
#define EMU_EPOLLRDNORM 0x040u
#define EMU_EPOLLRDBAND 0x080u
#define EMU_EPOLLWRNORM 0x100u
#define EMU_EPOLLWRBAND 0x200u
#define EMU_EPOLLMSG 0x400u
#define EMU_EPOLLRDHUP 0x2000u
#define EMU_EPOLLEXCLUSIVE (1u << 28)
#define EMU_EPOLLWAKEUP (1u << 29)
#define EMU_EPOLLONESHOT (1u << 30)
#define EMU_EPOLLET (1u << 31)

/* The bits that steer an item; all others are asked of the file. */
#define EMU_EPOLL_PRIVATE_BITS \
	(EMU_EPOLLWAKEUP | EMU_EPOLLONESHOT | EMU_EPOLLET | EMU_EPOLLEXCLUSIVE)

#define EMU_EPOLL_CTL_ADD 1
#define EMU_EPOLL_CTL_DEL 2
#define EMU_EPOLL_CTL_MOD 3

#define EMU_EPOLL_CLOEXEC 02000000
#define EMU_EFD_SEMAPHORE 00000001
#define EMU_EFD_NONBLOCK 00004000
#define EMU_EFD_CLOEXEC 02000000

#endif
