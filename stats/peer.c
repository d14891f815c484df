/* SPDX-License-Identifier: MIT */
/*
 * Asks the kernel's socket diagnosis, sock_diag(7), for the peer of a unix
 * socket. It takes an inode, so the socket itself is left alone. An end that
 * was closed, or not yet accepted, has no inode.
 */
#include "stats/peer.h"

#include <errno.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <linux/sock_diag.h>
#include <linux/unix_diag.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

struct question {
	struct nlmsghdr head;
	struct unix_diag_req body;
};

union answer {
	struct nlmsghdr head;
	char room[1024];
};

static int ask(int fd, uint64_t inode, union answer *answer, ssize_t *size)
{
	struct question question = {
		.head.nlmsg_len = sizeof(question),
		.head.nlmsg_type = SOCK_DIAG_BY_FAMILY,
		.head.nlmsg_flags = NLM_F_REQUEST,
		.body.sdiag_family = AF_UNIX,
		.body.udiag_states = ~0u,
		.body.udiag_ino = (uint32_t)inode,
		.body.udiag_show = UDIAG_SHOW_PEER,
		.body.udiag_cookie = {~0u, ~0u},
	};

	/* The kernel answers before send() returns. */
	if (send(fd, &question, sizeof(question), 0) < 0)
		return -errno;
	*size = recv(fd, answer, sizeof(*answer), MSG_DONTWAIT);
	return *size < 0 ? -errno : 0;
}

static int peer_in(struct nlmsghdr *head, uint64_t *peer)
{
	const struct unix_diag_msg *socket = NLMSG_DATA(head);
	int left = (int)(head->nlmsg_len - NLMSG_LENGTH(sizeof(*socket)));
	struct rtattr *attribute =
		(struct rtattr *)((char *)NLMSG_DATA(head) + sizeof(*socket));
	uint32_t inode = 0;

	if (socket->udiag_state != TCP_ESTABLISHED ||
		(socket->udiag_type != SOCK_STREAM &&
			socket->udiag_type != SOCK_SEQPACKET))
		return -ENOENT;
	while (RTA_OK(attribute, left)) {
		if (attribute->rta_type == UNIX_DIAG_PEER)
			memcpy(&inode, RTA_DATA(attribute), sizeof(inode));
		attribute = RTA_NEXT(attribute, left);
	}
	if (inode == 0)
		return -ENOENT;
	*peer = inode;
	return 0;
}

int stats_peer_find(uint64_t inode, uint64_t *peer)
{
	union answer answer;
	ssize_t size = 0;
	int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_SOCK_DIAG);
	int rc;

	if (fd < 0)
		return -errno;
	rc = ask(fd, inode, &answer, &size);
	close(fd);
	if (rc < 0)
		return rc;
	if (!NLMSG_OK(&answer.head, (size_t)size) ||
		answer.head.nlmsg_type != SOCK_DIAG_BY_FAMILY ||
		answer.head.nlmsg_len <
			NLMSG_LENGTH(sizeof(struct unix_diag_msg)))
		return -ENOENT;
	return peer_in(&answer.head, peer);
}
