/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * What the socket programs and user space say to each other, beside abi.h; the same rules hold, ABI_VERSION included.
 * src/datapath/socket/socket-abi.gen.ts is generated from it.
 */
#ifndef ZEROHOP_SOCKET_ABI_H
#define ZEROHOP_SOCKET_ABI_H

#include "abi.h"

enum socket_limit {
	/* Network namespaces of one node: its own and one for each pod. */
	MAX_CALLERS = 4096,
	/* Backends that one unconnected socket may have answers outstanding from. */
	MAX_ASKED = 4,
	/* Processes in the node's own network that serve a backend, by cgroup. */
	MAX_SERVERS = 1024,
	/* UDP sockets that are connected to a backend; of more than that none is ended when its backend goes. */
	MAX_CONNECTIONS = 65536,
};

enum socket_counter {
	SOCKET_REDIRECTED_TCP = 0,
	/* Sockets connected, not datagrams: those that may have to be ended. */
	SOCKET_REDIRECTED_CONNECTED = 1,
	/* Datagrams of unconnected sockets. */
	SOCKET_REDIRECTED_DATAGRAM = 2,
	/* Peers and senders shown as the frontend. */
	SOCKET_RESTORED = 3,
	/* SOCKET_FELL_BACK + enum reason or enum socket_reason. */
	SOCKET_FELL_BACK = 4,
	SOCKET_COUNTER_COUNT = 64,
};

/* Beside those of enum reason. */
enum socket_reason {
	/* The caller's namespace cannot ask for the backend's socket, and the backend has no heartbeat. */
	SOCKET_REASON_UNSEEN = 32,
	/* The same socket waits for answers of this backend under another address. */
	SOCKET_REASON_MIXED = 33,
	/* No memory to remember what was asked. */
	SOCKET_REASON_NO_MEMORY = 34,
};

struct connection_key {
	/* Of a socket, as sock_diag(7) tells it, too; never used twice. */
	__u64 cookie;
};

struct caller_key {
	/* Of a network namespace; never used twice while the machine runs. */
	__u64 cookie;
};

/* Only callers in this map are redirected. */
struct caller {
	/* As the node's namespace knows it; negative: the node's own. */
	__s32 netns_id;
	__u32 pad;
};

/* That a process of this cgroup serves this backend, in the node's own network. */
struct server_key {
	__u64 cgroup_id;
	__u8 address[16];
	__be16 port;
	__u8 protocol;
	__u8 pad[5];
};

struct server {
	__u32 known;
};

/* What a socket believes it talks to, and what it talks to. */
struct socket_pair {
	__u8 backend[16];
	__u8 frontend[16];
	/* 0: nothing here. */
	__be16 backend_port;
	__be16 frontend_port;
	__u8 protocol;
	__u8 pad[3];
	/* CLOCK_MONOTONIC of the connect or the last datagram. */
	__u64 seen_ns;
};

/* Lives and dies with its socket. */
struct socket_state {
	/* 0: the peer of a connected socket. Others: what an unconnected one asked, at most one for each backend. */
	struct socket_pair pairs[1 + MAX_ASKED];
};

/* How user space learns a namespace's cookie where the kernel has no SO_NETNS_COOKIE: by connecting to this address. */
struct cookie_probe {
	__u8 address[16];
	__be16 port;
	/* Written by the program; 0: not seen yet. */
	__u16 pad;
	/* 0: no question. */
	__u32 armed;
	__u64 cookie;
};

#endif
