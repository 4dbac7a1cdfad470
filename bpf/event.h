/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* Counters, and the events that tell user space what happened to one packet at one hook. */
#ifndef ZEROHOP_EVENT_H
#define ZEROHOP_EVENT_H

#include "maps.h"
#include "parse.h"

#define EVENT_HEAD_BYTES __builtin_offsetof(struct packet_event, payload)

/* In host order; 0 ends the list. The loader writes it before the programs are loaded. */
const volatile __u16 event_ports[MAX_EVENT_PORTS] = { 53 };

/* What a hook did with a packet; zeroed means: let through. */
struct outcome {
	__u8 hook;
	__u8 verdict;
	__u8 reason;
	__u8 pad;
	__u32 delivered_ifindex;
	__u8 translated[16];
	__be16 translated_port;
	__u16 pad2;
};

static __always_inline void count(__u32 index)
{
	__u64 *value = bpf_map_lookup_elem(&counters, &index);

	if (value)
		*value += 1;
}

static __always_inline int is_event_port(__be16 port)
{
	__u16 wanted = bpf_ntohs(port);

#pragma unroll
	for (int i = 0; i < MAX_EVENT_PORTS; i++) {
		if (event_ports[i] && event_ports[i] == wanted)
			return 1;
	}
	return 0;
}

static __always_inline int is_listening(void)
{
	__u32 zero = 0;
	struct config *settings = bpf_map_lookup_elem(&config, &zero);

	return settings && settings->listening;
}

static __always_inline int is_wanted(const struct packet *packet, const struct outcome *outcome)
{
	/* A backend may serve at another port than its frontend has. */
	return is_event_port(packet->source_port) || is_event_port(packet->destination_port) ||
	       is_event_port(outcome->translated_port);
}

/* All but the payload, and how much of it there is. */
static __always_inline void fill_event(struct packet_event *event, const struct __sk_buff *skb, const struct packet *packet,
				       const struct outcome *outcome, __u64 now)
{
	event->time_ns = now;
	event->ifindex = skb->ifindex;
	event->delivered_ifindex = outcome->delivered_ifindex;
	copy_address(event->source, packet->source);
	copy_address(event->destination, packet->destination);
	copy_address(event->translated, outcome->translated);
	event->source_port = packet->source_port;
	event->destination_port = packet->destination_port;
	event->translated_port = outcome->translated_port;
	event->hook = outcome->hook;
	event->verdict = outcome->verdict;
	event->reason = outcome->reason;
	event->protocol = packet->protocol;
	event->tcp_flags = packet->tcp_flags;
	event->place = PLACE_HOOK;
	event->payload_length = packet->payload_length;
	event->captured_length = 0;
}

/* With so many bytes of payload; the caller has bounded them. */
static __always_inline void send_event(struct packet_event *event, __u64 captured)
{
	if (bpf_ringbuf_output(&events, event, EVENT_HEAD_BYTES + captured, BPF_RB_NO_WAKEUP) < 0)
		count(COUNTER_EVENTS_LOST);
}

/* Somebody listens, and the packet is wanted. The draft is this processor's alone: nothing else of ours runs here meanwhile. */
static __always_inline void tell_at(struct __sk_buff *skb, const struct packet *packet, const struct outcome *outcome,
				    __u64 now)
{
	struct packet_event *event;
	__u64 length = packet->payload_length;
	__u32 zero = 0;

	event = (struct packet_event *)bpf_map_lookup_elem(&drafts, &zero);
	if (!event)
		return;
	fill_event(event, skb, packet, outcome, now);
	if (length > EVENT_PAYLOAD_BYTES)
		length = EVENT_PAYLOAD_BYTES;
	if (length > 0) {
		/* 1 to EVENT_PAYLOAD_BYTES, in a form that every verifier since 5.10 believes. */
		length -= 1;
		asm volatile("%0 &= %1" : "+r"(length) : "i"(EVENT_PAYLOAD_BYTES - 1));
		length += 1;
		if (bpf_skb_load_bytes(skb, packet->payload_offset, event->payload, length) == 0)
			event->captured_length = length;
		else
			length = 0;
	}
	send_event(event, length);
}

/*
 * Must run before the packet is rewritten: it tells the addresses as they were, and payload offsets do not move. `now` is 0
 * where nobody has looked at the clock yet, which costs as much as the rest of an event.
 */
static __always_inline void tell(struct __sk_buff *skb, const struct packet *packet, const struct outcome *outcome, __u64 now)
{
	if (is_listening() && is_wanted(packet, outcome))
		tell_at(skb, packet, outcome, now ? now : bpf_ktime_get_ns());
}

#endif
