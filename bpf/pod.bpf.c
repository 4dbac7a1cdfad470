/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * The two programs of a pod's host-side interface: from_endpoint (tc ingress: packets leaving the pod) and to_endpoint
 * (tc egress: packets on their way to it). They send packets of redirected frontends to a living backend on this node,
 * and put the frontend's address back on the replies. Whatever they do not understand passes untouched.
 *
 * Two ways to deliver. Direct: both directions go past the stack, so there is no conntrack entry. Through the stack: the
 * query is translated where it leaves the client, the reply where it reaches it, and all between (an egress policy in
 * netfilter) sees client and backend.
 *
 * Only helpers of Linux 5.10, only the stable context: one object for every kernel.
 * Deliberately absent: conntrack; queries in fragments, whose ports only the first has; ICMP errors. Those name the
 * backend in the packet they quote, so the client's stack, which knows nothing of it, drops them. Without them the
 * client waits for its timeout; but a port that nobody serves is never redirected to in the first place, and on a veth
 * nothing is ever too big.
 */
#include <linux/bpf.h>
#include <linux/if_packet.h>
#include <linux/pkt_cls.h>
#include <bpf/bpf_helpers.h>
#include "alive.h"
#include "answer.h"
#include "event.h"
#include "maps.h"
#include "parse.h"
#include "rewrite.h"

/* Let the next program of the hook see the packet: TCX_NEXT, and TC_ACT_UNSPEC for classic filters. */
#define PASS_ON (-1)
/* How many backends one packet may try before it falls back. */
#define MAX_TRIES 4
/* RFC 1035 section 4.1.1: shorter is no DNS message and has no id. */
#define DNS_HEADER_BYTES 12

/*
 * While the hook is changed (TCX to clsact) both have our program, and a packet that goes on through the stack meets it
 * twice. The second time it looks like one that asks the backend itself, and would take the way back from the first.
 * The two words of the packet's scratch area say that it was translated at this hook; every layer above writes its own.
 */
#define TRANSLATED_WORD_3 0x7a65726f
#define TRANSLATED_WORD_4 0x7a686f70

/* The loader writes it before the programs are loaded; 0: through the stack. */
const volatile __u32 deliver_direct = 1;

static __always_inline int is_first_segment(const struct packet *packet)
{
	return (packet->tcp_flags & (TCP_FLAG_SYN_BIT | TCP_FLAG_ACK_BIT)) == TCP_FLAG_SYN_BIT;
}

static __always_inline struct frontend *find_frontend(const struct packet *packet)
{
	struct frontend_key key = { .port = packet->destination_port, .protocol = packet->protocol };

	copy_address(key.address, packet->destination);
	return bpf_map_lookup_elem(&frontends, &key);
}

/*
 * Does the source address belong to the pod that sends? What we deliver goes past the stack and its reverse path filter,
 * so without this a pod with raw sockets could answer in a backend's name, or have another pod's answers sent to itself.
 */
static __always_inline struct endpoint *find_sender(struct __sk_buff *skb, const struct packet *packet)
{
	struct endpoint_key key;
	struct endpoint *owner;

	copy_address(key.address, packet->source);
	owner = bpf_map_lookup_elem(&endpoints, &key);
	if (owner && owner->ifindex == skb->ifindex)
		return owner;
	count(COUNTER_SPOOFED);
	return 0;
}

/* Spreads flows over backends and keeps one flow on one backend while the set stays as it is. */
static __always_inline __u32 hash_flow(const struct packet *packet)
{
	/* Source and destination are the first 32 bytes. */
	const __u32 *words = (const __u32 *)packet;
	__u32 hash = ((__u32)packet->source_port << 16) ^ packet->destination_port ^ packet->protocol;

#pragma unroll
	for (int i = 0; i < 8; i++) {
		hash ^= words[i];
		hash *= 0x9e3779b1;
		hash ^= hash >> 15;
	}
	return hash;
}

/* All slots are looked at: which of them serves a packet does not matter to whether its sender is one of them. */
static __always_inline int comes_from_backend(const struct packet *packet, const struct frontend_slots *slot)
{
	for (__u32 i = 0; i < MAX_SLOTS; i++) {
		__u32 id = slot->backends[i];
		struct backend *backend;

		if (i >= slot->count)
			break;
		backend = bpf_map_lookup_elem(&backends, &id);
		if (backend && same_address(backend->address, packet->source))
			return 1;
	}
	return 0;
}

/* A living backend, or nothing and the reason. */
static __always_inline struct backend *choose_backend(struct __sk_buff *skb, const struct packet *packet,
						      const struct frontend *frontend, __u8 *reason)
{
	__u32 id = frontend->id, total, start;
	struct frontend_slots *slot = bpf_map_lookup_elem(&slots, &id);

	*reason = REASON_NO_BACKEND;
	if (!slot)
		return 0;
	if ((frontend->flags & FRONTEND_SKIP_FROM_BACKEND) && comes_from_backend(packet, slot)) {
		*reason = REASON_SKIP;
		return 0;
	}
	total = slot->count;
	if (total == 0 || total > MAX_SLOTS)
		return 0;
	start = hash_flow(packet) % total;
	for (__u32 i = 0; i < MAX_TRIES; i++) {
		struct backend *backend;

		if (i >= total)
			break;
		id = slot->backends[((start + i) % total) & (MAX_SLOTS - 1)];
		backend = bpf_map_lookup_elem(&backends, &id);
		if (!backend || (backend->flags & BACKEND_IPV6 ? 1 : 0) != packet->ipv6)
			continue;
		/* A pod drops packets that claim to come from its own address, so it cannot be its own backend. */
		if (same_address(backend->address, packet->source)) {
			*reason = REASON_SKIP;
			continue;
		}
		/* Of a killed process both are true; the socket is the plainer word. */
		*reason = has_socket(skb, backend) ? health_reason(backend) : REASON_NO_SOCKET;
		if (*reason == REASON_NONE)
			return backend;
	}
	return 0;
}

/* The pod's new entries in this window. Two processors may lose a count to each other: the bound is no exact one. */
static __always_inline __u32 count_flows(struct endpoint *owner, __u32 more)
{
	__u32 window = bpf_ktime_get_ns() >> FLOW_WINDOW_SHIFT;

	if (owner->window != window) {
		owner->window = window;
		owner->flows = 0;
	}
	return owner->flows += more;
}

static __always_inline void remember(struct endpoint *owner, const struct flow_key *key, const __u8 address[16],
				     __be16 port, __u32 ifindex, __u64 now)
{
	struct flow wanted = { .port = port, .ifindex = ifindex, .seen_ns = now };
	struct flow *known = bpf_map_lookup_elem(&flows, key);

	/* Mostly it is there already, and a lookup keeps an LRU entry young. */
	if (known && known->port == port && known->ifindex == ifindex && same_address(known->address, address)) {
		known->seen_ns = wanted.seen_ns;
		return;
	}
	copy_address(wanted.address, address);
	if (!known)
		count_flows(owner, 1);
	bpf_map_update_elem(&flows, key, &wanted, BPF_ANY);
}

static __always_inline void forward_key(struct flow_key *key, const struct packet *packet)
{
	copy_address(key->source, packet->source);
	copy_address(key->destination, packet->destination);
	key->source_port = packet->source_port;
	key->destination_port = packet->destination_port;
	key->protocol = packet->protocol;
	key->direction = FLOW_FORWARD;
	key->message_id = 0;
}

/* What the answer will look like when `address`:`port` sends it. */
static __always_inline void reply_key(struct flow_key *key, const struct packet *packet, const __u8 address[16],
				      __be16 port)
{
	copy_address(key->source, address);
	copy_address(key->destination, packet->source);
	key->source_port = port;
	key->destination_port = packet->source_port;
	key->protocol = packet->protocol;
	key->direction = FLOW_REPLY;
	key->message_id = 0;
}

/* The id of the DNS message in a datagram; 0 when it is too short for one. That it is DNS the caller knows. */
static __always_inline int load_message_id(struct __sk_buff *skb, const struct packet *packet, __u16 *id)
{
	if (packet->protocol != IPPROTO_UDP || packet->payload_length < DNS_HEADER_BYTES)
		return 0;
	return bpf_skb_load_bytes(skb, packet->payload_offset, id, sizeof(*id)) == 0;
}

static __always_inline int is_younger(const struct flow *flow, __u64 seconds)
{
	return bpf_ktime_get_ns() - flow->seen_ns <= seconds * 1000000000;
}

/*
 * 172.20.0.5:4000 asks 10.96.0.10:53 and, before the answer is there, the backend 172.20.0.9:53 itself, or another
 * frontend that leads to it. Both answers come from 172.20.0.9:53 to the same port. The entry of the first stays what it
 * is, and the others get one each, by their message id. `key` is the reply's. Returns 0 when that cannot be done.
 */
static __always_inline int remember_message(struct __sk_buff *skb, struct endpoint *owner,
					    const struct packet *packet, struct flow_key *key,
					    const __u8 address[16], __be16 port)
{
	struct flow *known = bpf_map_lookup_elem(&flows, key);
	struct flow wanted = { .port = port, .ifindex = skb->ifindex };
	int same;

	if (!known || !is_younger(known, MIXED_SECONDS))
		return 0;
	same = known->port == port && same_address(known->address, address);
	if (same && !(known->flags & FLOW_MIXED))
		return 0;
	/* The backend's own port may be any; then the frontend's says that it is DNS. */
	if (!is_event_port(packet->destination_port) && !is_event_port(known->port))
		return 0;
	if (!load_message_id(skb, packet, &key->message_id))
		return 0;
	key->direction = FLOW_REPLY_OF_ID;
	if (same) {
		/* The id may be one that had an entry of its own. */
		bpf_map_delete_elem(&flows, key);
	} else {
		known->flags |= FLOW_MIXED;
		copy_address(wanted.address, address);
		wanted.seen_ns = bpf_ktime_get_ns();
		count_flows(owner, 1);
		bpf_map_update_elem(&flows, key, &wanted, BPF_ANY);
	}
	key->direction = FLOW_REPLY;
	key->message_id = 0;
	return !same;
}

static __always_inline int hand_over(struct __sk_buff *skb, __u32 ifindex)
{
	/* A bridge's frame is addressed to the bridge; bpf_redirect_peer resets the type only from 6.15. */
	if (skb->pkt_type != PACKET_HOST)
		bpf_skb_change_type(skb, PACKET_HOST);
	return bpf_redirect_peer(ifindex, 0);
}

static __always_inline int deliver(struct __sk_buff *skb, __u32 ifindex)
{
	if (!deliver_direct || ifindex == 0)
		return PASS_ON;
	return hand_over(skb, ifindex);
}

/* Deliver it as we may, an answer of our own never meets the stack: only pods that may be answered past it are. */
static __always_inline int may_be_answered(const struct endpoint *owner, const struct packet *packet)
{
	return packet->protocol == IPPROTO_UDP &&
	       (owner->flags & (ENDPOINT_ANSWERED | ENDPOINT_OBSERVE_ONLY)) == ENDPOINT_ANSWERED;
}

static __always_inline int fall_back(struct __sk_buff *skb, const struct packet *packet, __u8 reason)
{
	struct outcome outcome = { .hook = HOOK_FROM_ENDPOINT, .verdict = VERDICT_FELL_BACK, .reason = reason };

	count(COUNTER_FELL_BACK + reason);
	tell(skb, packet, &outcome, 0);
	return PASS_ON;
}

/* The retried SYN of a connection that began with us must not leave its later segments to us. */
static __always_inline int fall_back_new(struct __sk_buff *skb, const struct packet *packet, __u8 reason)
{
	struct flow_key key = {};

	if (packet->protocol == IPPROTO_TCP) {
		forward_key(&key, packet);
		bpf_map_delete_elem(&flows, &key);
	}
	return fall_back(skb, packet, reason);
}

/* Has the pod used up its share, and would this packet need more of it? */
static __always_inline int is_over_share(struct endpoint *owner, const struct packet *packet, const __u8 address[16],
					 __be16 port)
{
	struct flow_key key = {};
	struct flow *known;

	if (count_flows(owner, 0) < FLOWS_PER_WINDOW)
		return 0;
	reply_key(&key, packet, address, port);
	known = bpf_map_lookup_elem(&flows, &key);
	return !known || (known->flags & FLOW_MIXED) || known->port != packet->destination_port ||
	       !same_address(known->address, packet->destination);
}

/*
 * A TCP connection that began while its address was redirected: the backend alone knows it, whatever became of the
 * frontend. Asked of all TCP packets of pods, but only for a while after a frontend has gone.
 */
static __always_inline int is_left_over(struct __sk_buff *skb, const struct packet *packet)
{
	struct flow_key key = {};
	__u32 zero = 0;
	__u64 *until;

	if (packet->protocol != IPPROTO_TCP)
		return 0;
	until = bpf_map_lookup_elem(&lingering, &zero);
	if (!until || *until < bpf_ktime_get_ns())
		return 0;
	forward_key(&key, packet);
	if (!bpf_map_lookup_elem(&flows, &key))
		return 0;
	if (!is_first_segment(packet))
		return 1;
	/* A new connection from the same port is not ours. */
	if (find_sender(skb, packet))
		bpf_map_delete_elem(&flows, &key);
	return 0;
}

/* Without a frontend: a segment of a connection that is left over. */
static __always_inline int redirect(struct __sk_buff *skb, struct endpoint *owner, const struct packet *packet,
				    const struct frontend *frontend)
{
	struct outcome outcome = { .hook = HOOK_FROM_ENDPOINT, .verdict = VERDICT_REDIRECTED };
	struct flow_key key = {};
	__u64 now;

	if (owner->flags & ENDPOINT_OBSERVE_ONLY)
		return fall_back_new(skb, packet, REASON_NOT_PERMITTED);
	if (packet->protocol == IPPROTO_TCP && !is_first_segment(packet)) {
		struct flow *known;

		forward_key(&key, packet);
		known = bpf_map_lookup_elem(&flows, &key);
		if (!known)
			return fall_back(skb, packet, REASON_ESTABLISHED);
		copy_address(outcome.translated, known->address);
		outcome.translated_port = known->port;
		outcome.delivered_ifindex = known->ifindex;
	} else if (!frontend) {
		return PASS_ON;
	} else {
		__u8 reason = REASON_NONE;
		struct backend *backend = choose_backend(skb, packet, frontend, &reason);

		if (!backend)
			return fall_back_new(skb, packet, reason);
		copy_address(outcome.translated, backend->address);
		outcome.translated_port = backend->port;
		outcome.delivered_ifindex = backend->ifindex;
		if (is_over_share(owner, packet, outcome.translated, outcome.translated_port))
			return fall_back_new(skb, packet, REASON_FLOW_SHARE);
	}
	if (make_writable(skb, packet) < 0)
		return fall_back(skb, packet, REASON_FRAGMENT);
	now = bpf_ktime_get_ns();
	if (packet->protocol == IPPROTO_TCP) {
		forward_key(&key, packet);
		remember(owner, &key, outcome.translated, outcome.translated_port, outcome.delivered_ifindex, now);
	}
	reply_key(&key, packet, outcome.translated, outcome.translated_port);
	if (!remember_message(skb, owner, packet, &key, packet->destination, packet->destination_port))
		remember(owner, &key, packet->destination, packet->destination_port, skb->ifindex, now);
	count(COUNTER_REDIRECTED);
	tell(skb, packet, &outcome, now);
	rewrite_destination(skb, packet, outcome.translated, outcome.translated_port);
	skb->cb[3] = TRANSLATED_WORD_3;
	skb->cb[4] = TRANSLATED_WORD_4;
	return deliver(skb, outcome.delivered_ifindex);
}

/*
 * 172.20.0.5:4000 asked 10.96.0.10 an hour ago; now another process has the port and asks 10.96.0.99, which kube-proxy
 * sends to the same backend. Its answer is conntrack's to translate, not ours.
 */
static __always_inline int is_stale(const struct packet *packet, const struct flow *flow)
{
	return packet->protocol == IPPROTO_UDP && !is_younger(flow, UDP_FLOW_SECONDS);
}

static __always_inline void fragment_key(struct fragment_key *key, const struct packet *packet)
{
	copy_address(key->source, packet->source);
	copy_address(key->destination, packet->destination);
	key->id = packet->fragment_id;
	key->protocol = packet->protocol;
}

static __always_inline void remember_fragments(const struct packet *packet, const __u8 address[16], __u32 ifindex)
{
	struct fragment wanted = { .ifindex = ifindex, .seen_ns = bpf_ktime_get_ns() };
	struct fragment_key key = {};

	fragment_key(&key, packet);
	copy_address(wanted.address, address);
	bpf_map_update_elem(&fragments, &key, &wanted, BPF_ANY);
}

/*
 * Ids come round: 172.20.0.9 answered 10.96.0.10's query with id 7 in pieces, and seconds later answers one that was asked
 * of itself, with id 7 again. A first fragment that is not translated takes the translation of the later ones with it.
 */
static __always_inline void forget_fragments(struct __sk_buff *skb, const struct packet *packet, int hook)
{
	struct fragment_key key = {};

	fragment_key(&key, packet);
	if (!bpf_map_lookup_elem(&fragments, &key))
		return;
	if (hook == HOOK_TO_ENDPOINT || find_sender(skb, packet))
		bpf_map_delete_elem(&fragments, &key);
}

/*
 * Puts the frontend's address on a later fragment of a reply and says where it goes. One that overtakes the first, which
 * has the ports, is left alone: the datagram is lost, and asked for again.
 */
static __always_inline int restore_fragment(struct __sk_buff *skb, const struct packet *packet, int hook, __u32 *ifindex)
{
	struct fragment_key key = {};
	struct fragment *known;
	__u8 address[16];

	fragment_key(&key, packet);
	known = bpf_map_lookup_elem(&fragments, &key);
	if (!known || bpf_ktime_get_ns() - known->seen_ns > FRAGMENT_SECONDS * 1000000000ull)
		return 0;
	if (hook == HOOK_FROM_ENDPOINT && !find_sender(skb, packet))
		return 0;
	*ifindex = known->ifindex;
	copy_address(address, known->address);
	if (bpf_skb_pull_data(skb, packet->l4_offset) < 0)
		return 0;
	rewrite_fragment_source(skb, packet, address);
	return 1;
}

/* Puts the frontend's address on a reply; 0 if this packet is no reply of a redirected flow. */
static __always_inline int restore(struct __sk_buff *skb, const struct packet *packet, int parsed,
				   struct outcome *outcome)
{
	struct flow_key key = { .direction = FLOW_REPLY };
	struct flow *known;

	copy_address(key.source, packet->source);
	copy_address(key.destination, packet->destination);
	key.source_port = packet->source_port;
	key.destination_port = packet->destination_port;
	key.protocol = packet->protocol;
	known = bpf_map_lookup_elem(&flows, &key);
	if (!known || is_stale(packet, known))
		return 0;
	if ((known->flags & FLOW_MIXED) && load_message_id(skb, packet, &key.message_id)) {
		struct flow *own;

		key.direction = FLOW_REPLY_OF_ID;
		own = bpf_map_lookup_elem(&flows, &key);
		if (own && is_younger(own, MIXED_SECONDS))
			known = own;
	}
	if (known->port == packet->source_port && same_address(known->address, packet->source))
		return 0;
	if (outcome->hook == HOOK_FROM_ENDPOINT && !find_sender(skb, packet))
		return 0;
	copy_address(outcome->translated, known->address);
	outcome->translated_port = known->port;
	outcome->delivered_ifindex = known->ifindex;
	outcome->verdict = VERDICT_RESTORED;
	if (make_writable(skb, packet) < 0) {
		__builtin_memset(outcome->translated, 0, sizeof(outcome->translated));
		outcome->translated_port = 0;
		outcome->verdict = VERDICT_FORWARDED;
		return 0;
	}
	if (parsed == PARSED_FIRST)
		remember_fragments(packet, outcome->translated, outcome->delivered_ifindex);
	count(COUNTER_RESTORED);
	tell(skb, packet, outcome, 0);
	rewrite_source(skb, packet, outcome->translated, outcome->translated_port);
	return 1;
}

/*
 * 172.20.0.5:4000 asked 10.96.0.10:53 and was answered by 172.20.0.9:53; now the same socket asks 172.20.0.9:53 itself.
 * That answer must come from 172.20.0.9, so what we remember of the first question has to go, or make room for it. A
 * packet in another pod's name takes nothing from that pod.
 */
static __always_inline void forget_reply(struct __sk_buff *skb, const struct packet *packet)
{
	struct flow_key key = {};
	struct endpoint *owner;

	if (packet->protocol == IPPROTO_TCP && !is_first_segment(packet))
		return;
	reply_key(&key, packet, packet->destination, packet->destination_port);
	/* Looking is free of locks, deleting is not, and mostly there is nothing. */
	if (!bpf_map_lookup_elem(&flows, &key))
		return;
	owner = find_sender(skb, packet);
	if (!owner)
		return;
	if (!remember_message(skb, owner, packet, &key, packet->destination, packet->destination_port))
		bpf_map_delete_elem(&flows, &key);
}

SEC("tc")
int from_endpoint(struct __sk_buff *skb)
{
	struct outcome outcome = { .hook = HOOK_FROM_ENDPOINT };
	struct packet packet = {};
	struct frontend *frontend;
	struct endpoint *owner;
	int parsed;

	if (skb->cb[3] == TRANSLATED_WORD_3 && skb->cb[4] == TRANSLATED_WORD_4)
		return PASS_ON;
	parsed = parse_packet(skb, &packet);
	if (parsed == PARSED_OTHER)
		return PASS_ON;
	if (parsed == PARSED_LATER) {
		if (deliver_direct && restore_fragment(skb, &packet, HOOK_FROM_ENDPOINT, &outcome.delivered_ifindex))
			return deliver(skb, outcome.delivered_ifindex);
		return PASS_ON;
	}
	frontend = find_frontend(&packet);
	if (frontend || is_left_over(skb, &packet)) {
		if (parsed != PARSED_WHOLE)
			return fall_back(skb, &packet, REASON_FRAGMENT);
		owner = find_sender(skb, &packet);
		if (owner && frontend && may_be_answered(owner, &packet)) {
			int given = answer(skb, &packet, frontend);

			if (given == ANSWER_READY)
				return hand_over(skb, skb->ifindex);
			if (given == ANSWER_BROKEN)
				return TC_ACT_SHOT;
		}
		if (owner)
			return redirect(skb, owner, &packet, frontend);
		tell(skb, &packet, &outcome, 0);
		return PASS_ON;
	}
	if (deliver_direct && parsed != PARSED_ODD && restore(skb, &packet, parsed, &outcome))
		return deliver(skb, outcome.delivered_ifindex);
	if (deliver_direct && parsed == PARSED_FIRST)
		forget_fragments(skb, &packet, HOOK_FROM_ENDPOINT);
	forget_reply(skb, &packet);
	tell(skb, &packet, &outcome, 0);
	return PASS_ON;
}

SEC("tc")
int to_endpoint(struct __sk_buff *skb)
{
	struct outcome outcome = { .hook = HOOK_TO_ENDPOINT };
	struct packet packet = {};
	__u32 ifindex;
	int parsed = parse_packet(skb, &packet);

	if (parsed == PARSED_OTHER)
		return PASS_ON;
	if (parsed == PARSED_LATER) {
		restore_fragment(skb, &packet, HOOK_TO_ENDPOINT, &ifindex);
		return PASS_ON;
	}
	if (parsed != PARSED_ODD && restore(skb, &packet, parsed, &outcome))
		return PASS_ON;
	if (parsed == PARSED_FIRST)
		forget_fragments(skb, &packet, HOOK_TO_ENDPOINT);
	tell(skb, &packet, &outcome, 0);
	return PASS_ON;
}

char program_license[] SEC("license") = "Dual BSD/GPL";
