/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* What is asked of a backend beside its socket, for each packet: the agent's probe, and the heartbeat of who serves. */
#ifndef ZEROHOP_ALIVE_H
#define ZEROHOP_ALIVE_H

#include "maps.h"

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
