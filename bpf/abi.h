/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * What the kernel programs and user space say to each other: struct layouts and numbers, nothing else.
 * src/datapath/abi.gen.ts is generated from the compiled form of this file, so a change here is a change there.
 * Pinned maps outlive the process that made them: a struct that is a map's key or value may only change together
 * with ABI_VERSION, which is part of every pin's name.
 * Addresses are 16 bytes in network order; IPv4 stands as ::ffff:a.b.c.d.
 */
#ifndef ZEROHOP_ABI_H
#define ZEROHOP_ABI_H

#include <linux/types.h>

enum abi_limit {
	ABI_VERSION = 2,
	MAX_FRONTENDS = 4096,
	/* Backends of one frontend. All are on this node, so even 16 is more than a rolling update needs. */
	MAX_SLOTS = 16,
	MAX_BACKENDS = 4096,
	/* Rows of `health`: one per backend address and port; 0 is nobody's. */
	MAX_HEALTH = 4096,
	/* Processes that beat; seat 0 is never given out. */
	MAX_SEATS = 256,
	/* Serving threads of one process. */
	BEAT_THREADS = 8,
	/* 16 MB. How it is shared among the pods is said at FLOWS_PER_WINDOW. */
	MAX_FLOWS = 131072,
	MAX_FRAGMENTS = 1024,
	/* What of a datagram has not come by then does not come (RFC 791 section 3.2: 15 s is the lower bound). */
	FRAGMENT_SECONDS = 15,
	/*
	 * New entries that one address of a pod may make of the flow map in one window; what is beyond goes its ordinary
	 * way. So a pod that makes flows without end needs more than a minute to displace the flows of others, and those
	 * are done by then: an answer takes seconds, and DNS servers end idle connections after ten to thirty.
	 */
	FLOWS_PER_WINDOW = 16384,
	/* A window is 2^33 ns, 8.6 s. */
	FLOW_WINDOW_SHIFT = 33,
	/* Addresses of this node's pods: 110 pods a node is usual, 250 the most that is common, and two families. */
	MAX_ENDPOINTS = 4096,
	MAX_EVENT_PORTS = 8,
	/* A UDP reply later than this is none: the client's port may be somebody else's by then. */
	UDP_FLOW_SECONDS = 120,
	/* A DNS client that asks two addresses within this from one port gets its answers told apart by message id. */
	MIXED_SECONDS = 10,
	EVENT_RING_BYTES = 4194304,
	/* What EDNS lets UDP carry. A power of two: the length is bounded with a mask (old verifiers lose other bounds). */
	EVENT_PAYLOAD_BYTES = 2048,
	/* Of a dropped packet: RFC 1035 section 2.3.4 gives a query without EDNS no more. */
	DROP_PAYLOAD_BYTES = 512,
	/* Reasons of the kernel's core that can be told or not, one by one; Linux 6.18 has 128. */
	MAX_DROP_REASONS = 256,
};

enum frontend_flag {
	/* Packets from one of the frontend's own backends are left alone (skipRedirectFromBackend). */
	FRONTEND_SKIP_FROM_BACKEND = 1,
};

enum backend_flag {
	BACKEND_IPV6 = 1,
};

enum endpoint_flag {
	/* Packets of this pod are seen, never redirected: who else sits on its hook would not see where they go. */
	ENDPOINT_OBSERVE_ONLY = 1,
	/* Cached names are answered at its interface. Never set for the pod of a backend. */
	ENDPOINT_ANSWERED = 2,
};

enum flow_direction {
	/* Key: client to frontend. Value: the backend that this TCP connection stays on. */
	FLOW_FORWARD = 0,
	/* Key: backend to client. Value: the frontend whose address the reply must carry. */
	FLOW_REPLY = 1,
	/* Like FLOW_REPLY for the one DNS message with this id. A value that equals the key's source: change nothing. */
	FLOW_REPLY_OF_ID = 2,
};

enum flow_flag {
	/* Some answers to this client have an entry of their own, FLOW_REPLY_OF_ID; it goes before this one. */
	FLOW_MIXED = 1,
};

enum counter {
	COUNTER_REDIRECTED = 0,
	COUNTER_RESTORED = 1,
	COUNTER_EVENTS_LOST = 2,
	/* Source address not the sender's own: would have been redirected or restored, was left alone. */
	COUNTER_SPOOFED = 3,
	/* FELL_BACK + enum reason; REASON_NONE is never counted. */
	COUNTER_FELL_BACK = 4,
	/* Queries that were answered here; that might have been, and there was nothing; whose answer went while it was copied. */
	COUNTER_ANSWERED = 24,
	COUNTER_ANSWER_MISSED = 25,
	COUNTER_ANSWER_TORN = 26,
	COUNTER_COUNT = 32,
};

enum reason {
	REASON_NONE = 0,
	REASON_NO_BACKEND = 1,
	REASON_NO_SOCKET = 2,
	REASON_FRAGMENT = 3,
	REASON_SKIP = 4,
	REASON_ESTABLISHED = 5,
	/* The backend's serving threads, or one of them, are late. */
	REASON_NO_HEARTBEAT = 6,
	/* The agent asked the backend and got no answer. */
	REASON_PROBE_FAILED = 7,
	/* ENDPOINT_OBSERVE_ONLY */
	REASON_NOT_PERMITTED = 8,
	/* The pod has used up its share of the flow map. */
	REASON_FLOW_SHARE = 9,
};

enum verdict {
	VERDICT_FORWARDED = 0,
	VERDICT_REDIRECTED = 1,
	VERDICT_RESTORED = 2,
	VERDICT_FELL_BACK = 3,
	/* The kernel threw it away. */
	VERDICT_DROPPED = 4,
	/* The program sent the reply itself. Addresses and ports are the query's, the payload is the reply's. */
	VERDICT_ANSWERED = 5,
};

enum hook {
	HOOK_FROM_ENDPOINT = 0,
	HOOK_TO_ENDPOINT = 1,
};

/* Where a packet was dropped; all others are seen at a hook. */
enum place {
	PLACE_HOOK = 0,
	PLACE_NODE = 1,
	PLACE_POD = 2,
};

/* Of which protocols packets are told that were dropped for a reason. */
enum drop_protocol {
	DROP_UDP = 1,
	DROP_TCP = 2,
};

struct frontend_key {
	__u8 address[16];
	__be16 port;
	__u8 protocol;
	__u8 pad;
};

struct frontend {
	/* Index into the slot array, 1 to MAX_FRONTENDS - 1; constant while the frontend exists. */
	__u32 id;
	/* enum frontend_flag */
	__u32 flags;
};

/* Written twice on a change, slots first and count last, so that no reader counts a slot that is not there. */
struct frontend_slots {
	__u32 count;
	__u32 pad;
	__u32 backends[MAX_SLOTS];
};

/* Never changed in place: another address, interface or namespace is another id. */
struct backend {
	__u8 address[16];
	__be16 port;
	__u8 protocol;
	/* enum backend_flag */
	__u8 flags;
	/* Host-side interface of the backend's pod; 0: a host-network backend, reached through the stack. */
	__u32 ifindex;
	/* Namespace id as the hook's namespace knows it, negative for the hook's own. */
	__s32 netns_id;
	/* Index into `health`, 1 to MAX_HEALTH - 1; 0: nothing but the socket is asked. */
	__u32 health;
};

/* Written in place, word by word. */
struct health {
	/* Of the process that serves; 0: no heartbeat is asked. */
	__u32 seat;
	/* Not 0: the agent's probe got no answer. */
	__u32 down;
};

/* Written by the serving threads themselves, in memory that they share with the map. */
struct beat {
	/* CLOCK_MONOTONIC of each thread's last beat; 0: there is no such thread. */
	__u64 at_ns[BEAT_THREADS];
};

struct flow_key {
	__u8 source[16];
	__u8 destination[16];
	__be16 source_port;
	__be16 destination_port;
	__u8 protocol;
	/* enum flow_direction */
	__u8 direction;
	/* DNS message id, as in the packet; 0 but for FLOW_REPLY_OF_ID. */
	__u16 message_id;
};

struct flow {
	/* What to put in place of the destination (forward) or source (reply). */
	__u8 address[16];
	__be16 port;
	/* enum flow_flag */
	__u16 flags;
	/* Where to deliver: host-side interface of the backend (0: the stack) or of the client. */
	__u32 ifindex;
	/* CLOCK_MONOTONIC of the last packet from the client. */
	__u64 seen_ns;
};

struct endpoint_key {
	__u8 address[16];
};

struct endpoint {
	/* Host-side interface of the pod that owns the address. */
	__u32 ifindex;
	/* enum endpoint_flag */
	__u32 flags;
	/* The programs' own: which window it was, and how many flows were made in it. */
	__u32 window;
	__u32 flows;
};

/* What the later fragments of a datagram have in common with the first, which alone has the ports. */
struct fragment_key {
	__u8 source[16];
	__u8 destination[16];
	/* IPv4 has 16 bits of it. */
	__be32 id;
	__u8 protocol;
	__u8 pad[3];
};

struct fragment {
	/* What to put in place of the source. */
	__u8 address[16];
	/* Where to deliver: host-side interface of the client. */
	__u32 ifindex;
	__u32 pad;
	/* CLOCK_MONOTONIC of the first fragment. */
	__u64 seen_ns;
};

struct config {
	/* 0: nobody reads the ring, write no events. */
	__u32 listening;
};

/* As long as what it carries: the ring's own header tells the length of each record. */
struct packet_event {
	/* CLOCK_MONOTONIC */
	__u64 time_ns;
	__u32 ifindex;
	/*
	 * Of a dropped packet: the kernel's reason for it, in the numbers of its own enum skb_drop_reason. Of an answered query:
	 * how many nanoseconds the answer took.
	 */
	__u32 delivered_ifindex;
	__u8 source[16];
	__u8 destination[16];
	/* Meaning depends on the verdict: new destination, or new source; port 0 when nothing was translated. */
	__u8 translated[16];
	__be16 source_port;
	__be16 destination_port;
	__be16 translated_port;
	/* enum hook; of a dropped packet: whether its source or only its destination is a pod of this node. */
	__u8 hook;
	/* enum verdict */
	__u8 verdict;
	/* enum reason */
	__u8 reason;
	__u8 protocol;
	__u8 tcp_flags;
	/* enum place */
	__u8 place;
	/* Length on the wire, and how much of it is here. */
	__u32 payload_length;
	__u32 captured_length;
	__u8 payload[];
};

/*
 * Where the running kernel has what the drop program reads of its structs, in bytes: found in the kernel's own type
 * information before the program is loaded.
 */
struct drop_layout {
	__u32 skb_head;
	__u32 skb_tail;
	__u32 skb_network_header;
	__u32 skb_protocol;
	__u32 skb_dev;
	__u32 skb_sk;
	__u32 sock_net;
	__u32 dev_net;
	__u32 dev_ifindex;
	__u32 dev_list;
	__u32 dev_link_ops;
	/* What the driver keeps behind the device: a veth's first word is its peer. */
	__u32 dev_private;
	__u32 net_devices;
	__u32 net_inum;
	/* The tracepoint names the socket that refused the packet (Linux 6.10). */
	__u32 has_socket;
	/* The namespace the hooks are in, by its inode number. */
	__u32 own_inum;
};

#endif
