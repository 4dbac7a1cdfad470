/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * Answers a query from the shelf of the process that would be asked (answer-abi.h). Whatever is not plain, or not there, is a
 * miss: the packet is untouched then and goes on as if nothing of this existed.
 *
 * A slot may be taken out while we read it. It is written again a second later at the earliest, with another generation, so one
 * look at the generation behind the last read tells. All reads come before the packet is touched.
 */
#ifndef ZEROHOP_ANSWER_H
#define ZEROHOP_ANSWER_H

#include <linux/pkt_cls.h>
#include "answer-reply.h"
#include "event.h"

enum given {
	/* The packet goes on as it came; ANSWER_TORN: because its answer was taken out just now. */
	ANSWER_NONE = 0,
	ANSWER_TORN = 1,
	/* The packet is a reply. */
	ANSWER_READY = 2,
	/* It is nothing: the kernel had no memory for what we were about to write. */
	ANSWER_BROKEN = 3,
};

#define NANOSECONDS 1000000000ull
#define TYPE_A 1
#define TYPE_AAAA 28
/* Nothing to a sum, which it is a multiple of 65535 for; more than sixteen addresses sum up to. */
#define SUM_ZERO (0xffffffffull << 8)
/* As user space compresses above this, which is not done here. */
#define MOST_REPLY_IPV4 1480
#define MOST_REPLY_IPV6 1220

/* An answer of either size. */
struct found {
	struct small_answer *small;
	struct large_answer *large;
};

static __always_inline int same_name(struct answer_draft *draft, const __u64 *name, __u32 words)
{
	__u64 length = *(volatile __u64 *)&draft->name_length, different = 0;

#pragma clang loop unroll(disable)
	for (__u32 i = 0; i < words; i++) {
		if (8 * i >= length)
			break;
		different |= draft->name[i] ^ name[i];
	}
	return different == 0;
}

static __always_inline int is_asked(const struct answer_slot *slot, const struct answer_draft *draft, __u32 view,
				    __u32 generation)
{
	return *(const volatile __u32 *)&slot->generation == generation && slot->type == draft->question.type &&
	       slot->view == view && slot->key_bits == draft->question.key_bits && slot->name_length == draft->name_length;
}

/* The hash of the whole key; see answer-abi.h. */
static __always_inline __u32 hash_key(const struct answer_draft *draft, __u32 multiplier, __u32 type, __u32 owner)
{
	__u32 hash = *(const volatile __u64 *)&draft->hash;

	hash = (hash ^ (type | 1 << 16)) * multiplier;
	hash ^= hash >> 13;
	hash = (hash ^ owner) * multiplier;
	hash ^= hash >> 16;
	hash *= 0x7feb352d;
	return hash ^ (hash >> 15);
}

/* The generation of the answer to what was read into the draft; 0 when there is none. */
static __always_inline __u32 find_answer(struct answer_draft *draft, void *index, const struct answer_head *head,
					 const struct answer_source *source, struct found *found)
{
	__u32 view = source->view, shelf = source->shelf, element, hash;
	struct answer_set *set;

	hash = hash_key(draft, head->multiplier, draft->question.type, view | (__u32)draft->question.key_bits << 16);
	element = 1 + (hash & head->set_mask);
	set = bpf_map_lookup_elem(index, &element);
	if (!set)
		return 0;
#pragma clang loop unroll(disable)
	for (__u32 i = 0; i < ANSWER_SET_PLACES; i++) {
		__u64 place = *(volatile __u64 *)&set->places[i];
		__u32 slot = place & ((1u << PLACE_SLOT_BITS) - 1);
		__u32 generation = (place >> PLACE_GENERATION_SHIFT) & 0xffff;
		void *slots;

		if (place >> PLACE_TAG_SHIFT != hash >> 16 || generation == 0)
			continue;
		if (place & (1ull << PLACE_LARGE_BIT)) {
			struct large_answer *large;

			slots = bpf_map_lookup_elem(&answer_larges, &shelf);
			large = slots ? bpf_map_lookup_elem(slots, &slot) : 0;
			if (!large || !is_asked(&large->slot, draft, view, generation))
				continue;
			if (!same_name(draft, (const __u64 *)large->name, LARGE_NAME_BYTES / 8))
				continue;
			found->large = large;
			return generation;
		} else {
			struct small_answer *small;

			slots = bpf_map_lookup_elem(&answer_smalls, &shelf);
			small = slots ? bpf_map_lookup_elem(slots, &slot) : 0;
			if (!small || !is_asked(&small->slot, draft, view, generation))
				continue;
			if (!same_name(draft, (const __u64 *)small->name, SMALL_NAME_BYTES / 8))
				continue;
			found->small = small;
			return generation;
		}
	}
	return 0;
}

/* Whether the reply goes out whole and uncompressed, as the server would send it. */
static __always_inline int is_sendable(const struct packet *packet, const struct answer_draft *draft,
				       const struct answer_slot *slot)
{
	__u32 udp_size = draft->question.udp_size, bytes = draft->reply.length;

	if (slot->limit_bytes != 0 && udp_size > slot->limit_bytes)
		return 0;
	return bytes <= (udp_size > MIN_UDP_REPLY ? udp_size : MIN_UDP_REPLY) &&
	       bytes <= (packet->ipv6 ? MOST_REPLY_IPV6 : MOST_REPLY_IPV4);
}

static __always_inline void copy_tail(struct answer_draft *draft, const __u64 *from, __u32 words)
{
	__u64 length = *(volatile __u64 *)&draft->reply.tail_length;
	__u64 *to = (__u64 *)draft_tail(draft);

#pragma clang loop unroll(disable)
	for (__u32 i = 0; i < words; i++) {
		if (8 * i >= length)
			break;
		to[i] = from[i];
	}
}

static __always_inline void write_ttls(struct answer_draft *draft, const struct answer_slot *slot, __u32 seconds)
{
	__u32 count = slot->ttl_count;
	__be32 ttl = bpf_htonl(seconds);
	__u8 *tail = draft_tail(draft);

#pragma clang loop unroll(disable)
	for (__u32 i = 0; i < MAX_ANSWER_TTLS; i++) {
		__u64 at;

		if (i >= count)
			break;
		at = slot->ttl_places[i];
		BOUND(at, LARGE_TAIL_BYTES - 1);
		*(__be32 *)(tail + at) = ttl;
	}
}

/*
 * What the tail sums up to with every TTL lower by `age`. A TTL counts modulo 65535, so that much less is exact; at an even
 * offset its bytes lie the other way round than we count.
 */
static __always_inline __u64 aged_sum(const struct answer_slot *slot, __u64 age)
{
	__u64 even = slot->ttl_even, odd = slot->ttl_count - even;

	return slot->tail_sum + (swap_sum(fold_sum(age * even)) ^ 0xffff) + (fold_sum(age * odd) ^ 0xffff);
}

/*
 * What the checksum changes by when the data of `count` records from the `first` on moves by an odd number of bytes each. The
 * stride is odd, so the data of every second one lies at an odd place: what it sums up to is taken from what the next one does.
 */
static __always_inline void move_data(struct answer_draft *draft, __u64 first, __u64 count)
{
	const struct reply *reply = &draft->reply;
	__u64 wide = draft->question.type == TYPE_AAAA, stride = reply->run_stride, sum = 0;
	__u64 low = wide ? ~0ull : 0xffffffff, high = wide ? ~0ull : 0;
	__u64 from = reply->run_start + (first + 1) * stride - (wide ? 16 : 4), last = from + (count - 1) * stride;
	const __u8 *tail = draft_tail(draft);
	volatile __u64 *sums = draft->sums;

#pragma clang loop unroll(disable)
	for (__u32 i = 0; i < MAX_ANSWER_TTLS; i++) {
		__u64 at = from + i * stride, word, more;

		if (i >= count)
			break;
		BOUND(at, LARGE_TAIL_BYTES - 1);
		word = *(const __u64 *)(tail + at) & low;
		more = *(const __u64 *)(tail + at + 8) & high;
		sum = (word & 0xffffffff) + (word >> 32) + (more & 0xffffffff) + (more >> 32) - sum;
	}
	/* Not below zero any more. */
	sums[0] = sum + SUM_ZERO;
	sum = fold_sum(sums[0]);
	if ((draft->question.end + last) & 1)
		sum ^= 0xffff;
	draft->reply.moved += swap_sum(sum) + (sum ^ 0xffff);
}

/*
 * The run begins at any of its records, and what was before that one comes behind: its records are alike in all but data. The
 * others lie as many strides before their place as are turned, and those as many behind it as are not. Only data that moved by
 * an odd number of bytes changes the checksum.
 */
static __always_inline void turn(struct answer_draft *draft)
{
	struct reply *reply = &draft->reply;
	__u64 stride = reply->run_stride, count = reply->run_count, turned, first = 0, moved = 0;
	volatile __u64 *found = draft->sums;
	__u32 type = draft->question.type;

	reply->run_turned = 0;
	if (count < 2 || reply->run_start + stride * count > reply->tail_length)
		return;
	if ((stride & 1) && (count > MAX_ANSWER_TTLS || (type != TYPE_A && type != TYPE_AAAA)))
		return;
	turned = bpf_get_prandom_u32() % (__u32)count;
	reply->run_turned = turned;
	if (!(stride & 1))
		return;
	if (turned & 1) {
		/* Of an even number, those that come behind move by an odd number of strides, too. */
		first = count & 1 ? turned : 0;
		moved = count - first;
	} else if (count & 1) {
		moved = turned;
	}
	found[0] = first;
	found[1] = moved;
	moved = found[1];
	if (moved != 0)
		move_data(draft, found[0], moved);
}

static __always_inline int rotate(struct __sk_buff *skb, const struct packet *packet, struct answer_draft *draft)
{
	const struct reply *reply = &draft->reply;
	__u64 start = reply->run_start, stride = reply->run_stride, behind = reply->run_turned * stride;
	__u64 ahead = reply->run_count * stride - behind;

	if (behind == 0)
		return 0;
	if (store_tail(skb, packet, draft, start + behind, start, ahead) < 0)
		return -1;
	return store_tail(skb, packet, draft, start, start + ahead, behind);
}

static __always_inline void count_hit(struct answer_slot *slot, const struct packet *packet,
				      const struct question *question)
{
	__u64 kind = question->has_opt + (question->cookie_bytes ? 1 : 0) + (packet->ipv6 ? 3 : 0);

	BOUND(kind, 7);
	if (kind < 6)
		__sync_fetch_and_add(&slot->hits[kind], 1);
	if (question->cookie_bytes)
		__sync_fetch_and_add(&slot->cookie_bytes, question->cookie_bytes);
	if (slot->used != 1)
		slot->used = 1;
	count(COUNTER_ANSWERED);
}

/* Lower than the brim: other processors may be about to write as well. */
static __always_inline int has_room(void *ring)
{
	return 4 * bpf_ringbuf_query(ring, BPF_RB_AVAIL_DATA) <= 3 * bpf_ringbuf_query(ring, BPF_RB_RING_SIZE);
}

/* The reply is read back from the packet: its records may have been rotated there. */
static __always_inline int write_log(struct __sk_buff *skb, const struct packet *packet, struct answer_draft *draft,
				     void *ring, __u32 view, __u64 now)
{
	__u64 query = draft->question.length, reply = draft->reply.length, size = sizeof(struct answer_log) + query + reply;
	struct answer_log *log = (struct answer_log *)draft->log;

	log->time_ns = now;
	copy_address(log->source, packet->source);
	copy_address(log->destination, packet->destination);
	log->source_port = packet->source_port;
	log->destination_port = packet->destination_port;
	log->view = view;
	log->query_length = query;
	log->reply_length = reply;
	log->pad = 0;
	log->pad2 = 0;
	reply -= 1;
	BOUND(query, QUERY_ROOM - 1);
	BOUND(reply, REPLY_ROOM - 1);
	if (bpf_skb_load_bytes(skb, packet->payload_offset, draft->messages + query, reply + 1) < 0)
		return -1;
	BOUND(size, 4095);
	return bpf_ringbuf_output(ring, draft, size, BPF_RB_NO_WAKEUP);
}

/* Header and counts as they go out. AD goes to those who ask for it, CD as it came. */
static __always_inline void draft_header(struct answer_draft *draft, const struct answer_slot *slot)
{
	const struct question *question = &draft->question;
	struct reply *reply = &draft->reply;
	__u32 flags = question->flags, shown = (__u32)slot->header_bits << 8;

	if (!question->dnssec_ok && !(flags & FLAGS_AD))
		shown &= ~FLAGS_AD;
	reply->flags = FLAGS_RESPONSE | (flags & (FLAGS_RD | FLAGS_CD)) | (shown & ~FLAGS_CD);
	reply->answers = bpf_htons(slot->answers);
	reply->authorities = bpf_htons(slot->authorities);
	reply->additionals = bpf_htons(slot->additionals + question->has_opt);
	reply->run_start = slot->run_start;
	reply->run_stride = slot->run_stride;
	reply->run_count = slot->flags & ANSWER_ROTATE ? slot->run_count : 0;
	reply->logged = slot->flags & ANSWER_LOGGED;
}

/* All that is read of the slot; 0 when it is not to be given. */
static __always_inline int draft_reply(struct answer_draft *draft, const struct packet *packet, const struct found *found,
				       const struct answer_slot *slot, __u64 now)
{
	const struct question *question = &draft->question;
	__s64 since = now - slot->stored_ns, left = slot->until_ns - now;
	__u64 age = 0, length = slot->tail_length;
	struct reply *reply = &draft->reply;

	if (left <= 0)
		return 0;
	/* It may have been stored a moment after we looked at the clock. */
	if (since > 0)
		age = (__u64)since / NANOSECONDS;
	if (age >= slot->ttl_seconds || slot->ttl_count > MAX_ANSWER_TTLS || slot->ttl_even > slot->ttl_count)
		return 0;
	if (length > (found->large ? LARGE_TAIL_BYTES : SMALL_TAIL_BYTES))
		return 0;
	reply->tail_length = length;
	reply->behind = length + (question->has_opt ? OPT_BYTES : 0) + question->cookie_bytes;
	reply->length = question->end + reply->behind;
	if (!is_sendable(packet, draft, slot))
		return 0;
	copy_question(draft);
	if (found->large)
		copy_tail(draft, (const __u64 *)found->large->tail, LARGE_TAIL_BYTES / 8);
	else if (found->small)
		copy_tail(draft, (const __u64 *)found->small->tail, SMALL_TAIL_BYTES / 8);
	if (slot->flags & ANSWER_KEEP_TTL)
		age = 0;
	if (age != 0)
		write_ttls(draft, slot, slot->ttl_seconds - age);
	reply->tail_sum = fold_sum(aged_sum(slot, age));
	draft_header(draft, slot);
	return 1;
}

/* The reply lies in the draft already, where its event's payload belongs, but for records that were turned in the packet. */
static __always_inline void tell_answered(struct __sk_buff *skb, struct packet *packet, struct answer_draft *draft,
					  __u64 started)
{
	struct packet_event *event = (struct packet_event *)(draft->head + HEAD_ROOM - DNS_NAME_OFFSET - EVENT_HEAD_BYTES);
	__u64 length = draft->reply.length;
	struct outcome outcome = { .hook = HOOK_FROM_ENDPOINT, .verdict = VERDICT_ANSWERED };

	if (!started || !is_wanted(packet, &outcome))
		return;
	outcome.delivered_ifindex = bpf_ktime_get_ns() - started;
	packet->payload_length = length;
	fill_event(event, skb, packet, &outcome, started);
	length -= 1;
	BOUND(length, EVENT_PAYLOAD_BYTES - 1);
	length += 1;
	if (draft->reply.run_turned && bpf_skb_load_bytes(skb, packet->payload_offset, event->payload, length) < 0)
		length = 0;
	event->captured_length = length;
	send_event(event, length);
}

/* `slot` is that of `found`. Started: when somebody listens; else 0. */
static __always_inline int give(struct __sk_buff *skb, struct packet *packet, struct answer_draft *draft,
				const struct found *found, struct answer_slot *slot, const struct answer_source *source,
				__u32 generation, __u64 started)
{
	__u64 now = started ? started : bpf_ktime_get_ns();
	__u32 shelf = source->shelf;
	void *ring = 0;
	int written;

	if (!draft_reply(draft, packet, found, slot, now))
		return ANSWER_NONE;
	if (draft->reply.logged) {
		ring = bpf_map_lookup_elem(&answer_logs, &shelf);
		if (!ring || !has_room(ring))
			return ANSWER_NONE;
	}
	draft->reply.moved = 0;
	if (draft->question.has_opt)
		append_opt(draft);
	if (*(volatile __u32 *)&slot->generation != generation)
		return ANSWER_TORN;
	turn(draft);
	written = write_reply(skb, packet, draft);
	if (written == 0)
		return ANSWER_NONE;
	if (written > 0)
		written = rotate(skb, packet, draft);
	if (written >= 0 && ring)
		written = write_log(skb, packet, draft, ring, source->view, now);
	if (written < 0)
		return ANSWER_BROKEN;
	count_hit(slot, packet, &draft->question);
	tell_answered(skb, packet, draft, started);
	return ANSWER_READY;
}

static __always_inline int look_up(struct __sk_buff *skb, struct packet *packet, const struct answer_source *source,
				   __u64 started)
{
	__u32 zero = 0, shelf = source->shelf, generation;
	struct answer_draft *draft = bpf_map_lookup_elem(&answer_drafts, &zero);
	struct answer_head *head;
	struct answer_slot *slot;
	struct found found = {};
	void *index;

	if (!draft || !load_query(skb, packet, draft))
		return ANSWER_NONE;
	index = bpf_map_lookup_elem(&answer_indexes, &shelf);
	head = index ? bpf_map_lookup_elem(index, &zero) : 0;
	if (!head || head->layout != ANSWER_LAYOUT)
		return ANSWER_NONE;
	fold_name(draft, head->seed, head->multiplier);
	if (!read_question(draft))
		return ANSWER_NONE;
	generation = find_answer(draft, index, head, source, &found);
	slot = found.small ? &found.small->slot : &found.large->slot;
	return slot ? give(skb, packet, draft, &found, slot, source, generation, started) : ANSWER_NONE;
}

/* ANSWER_NONE for a packet that goes on as it is. The sender may be answered, and `packet` is whole. */
static __always_inline int answer(struct __sk_buff *skb, struct packet *packet, const struct frontend *frontend)
{
	__u32 id = frontend->id;
	struct answer_source *source = bpf_map_lookup_elem(&answer_sources, &id);
	__u64 started = 0;
	int given;

	if (!source || source->shelf == 0)
		return ANSWER_NONE;
	if (is_listening())
		started = bpf_ktime_get_ns();
	given = look_up(skb, packet, source, started);
	if (given == ANSWER_NONE)
		count(COUNTER_ANSWER_MISSED);
	else if (given != ANSWER_READY)
		count(COUNTER_ANSWER_TORN);
	return given;
}

#endif
