/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* What is asked of a backend for each packet and socket: its own socket, the agent's probe, the heartbeat of who serves. */
#ifndef ZEROHOP_ALIVE_H
#define ZEROHOP_ALIVE_H

#include "maps.h"
#include "parse.h"

/* The loader writes it before the programs are loaded. Threads beat every 100 ms; a busy machine may skip some. */
const volatile __u64 beat_deadline_ns = 400000000;

/*
 * The oldest beat decides: of four threads that share a port the kernel may give the packet to the one that hangs. The
 * threads write while we read, so a beat may even be younger than `now`.
 */
static __always_inline int is_beating(const struct beat *beat)
{
	const volatile __u64 *at = beat->at_ns;
	/* Less one, so that zero, no thread, is the greatest. */
	__u64 oldest = ~0ull, now = bpf_ktime_get_ns();

#pragma unroll
	for (int i = 0; i < BEAT_THREADS; i++) {
		__u64 each = at[i] - 1;

		if (each < oldest)
			oldest = each;
	}
	return oldest != ~0ull && (__s64)(now - oldest) <= (__s64)beat_deadline_ns;
}

/* Is a socket bound to the backend's address? The source is left zero, so that connected sockets do not count. */
static __always_inline int has_socket(void *ctx, const struct backend *backend)
{
	struct bpf_sock_tuple tuple = {};
	__u64 netns = backend->netns_id < 0 ? (__u64)BPF_F_CURRENT_NETNS : (__u64)(__u32)backend->netns_id;
	struct bpf_sock *socket;
	__u32 size;

	if (backend->flags & BACKEND_IPV6) {
		__builtin_memcpy(tuple.ipv6.daddr, backend->address, 16);
		tuple.ipv6.dport = backend->port;
		size = sizeof(tuple.ipv6);
	} else {
		tuple.ipv4.daddr = mapped_ipv4(backend->address);
		tuple.ipv4.dport = backend->port;
		size = sizeof(tuple.ipv4);
	}
	if (backend->protocol == IPPROTO_TCP) {
		if (size == sizeof(tuple.ipv6))
			socket = bpf_sk_lookup_tcp(ctx, &tuple, sizeof(tuple.ipv6), netns, 0);
		else
			socket = bpf_sk_lookup_tcp(ctx, &tuple, sizeof(tuple.ipv4), netns, 0);
	} else {
		if (size == sizeof(tuple.ipv6))
			socket = bpf_sk_lookup_udp(ctx, &tuple, sizeof(tuple.ipv6), netns, 0);
		else
			socket = bpf_sk_lookup_udp(ctx, &tuple, sizeof(tuple.ipv4), netns, 0);
	}
	if (!socket)
		return 0;
	bpf_sk_release(socket);
	return 1;
}

/* REASON_NONE, or what speaks against the backend. */
static __always_inline __u8 health_reason(const struct backend *backend)
{
	__u32 index = backend->health, seat;
	struct health *row;
	struct beat *beat;

	if (!index)
		return REASON_NONE;
	row = bpf_map_lookup_elem(&health, &index);
	if (!row)
		return REASON_NONE;
	if (row->down)
		return REASON_PROBE_FAILED;
	seat = row->seat;
	if (!seat)
		return REASON_NONE;
	beat = bpf_map_lookup_elem(&beats, &seat);
	return beat && is_beating(beat) ? REASON_NONE : REASON_NO_HEARTBEAT;
}

#endif
