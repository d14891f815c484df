/* SPDX-License-Identifier: MIT */
/* The other end of a unix socket. */
#ifndef STATS_PEER_H
#define STATS_PEER_H

#include <stdint.h>

/*
 * Finds the inode of the socket that the connected stream or seqpacket socket
 * of the first inode has at its other end. Errors: -ENOENT when it is no such
 * socket, is in another network namespace, or its other end cannot be told;
 * those of netlink(7).
 */
int stats_peer_find(uint64_t inode, uint64_t *peer);

#endif
