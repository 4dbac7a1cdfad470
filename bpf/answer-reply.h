/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * Turns a query into its reply where it lies. All of it is put together in the draft, the question as it came, and written at
 * once. The UDP checksum is not made but moved: by what changes, so one that was left to the network card stays so, none stays
 * none, and a wrong one stays wrong.
 */
#ifndef ZEROHOP_ANSWER_REPLY_H
#define ZEROHOP_ANSWER_REPLY_H

#include <stddef.h>
#include "answer-question.h"

#define REPLY_TTL 64
#define IPV4_HEAD_BYTES (ETH_HLEN + sizeof(struct iphdr) + sizeof(struct udphdr) + DNS_NAME_OFFSET)
#define IPV6_HEAD_BYTES (ETH_HLEN + sizeof(struct ipv6hdr) + sizeof(struct udphdr) + DNS_NAME_OFFSET)
/* First word of an OPT record: all but the extended rcode, the version and the flags that are not DO. */
#define OPT_FIRST_KEPT 0x800000ffffffffffull
#define OPT_SECOND_KEPT (~0xffull)

/* To 16 bits; never 0 for what is not. */
static __always_inline __u64 fold_sum(__u64 sum)
{
	sum = (sum & 0xffffffff) + (sum >> 32);
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	return (sum & 0xffff) + (sum >> 16);
}

/* What a folded sum is from the odd byte on (RFC 1071 section 2 B). */
static __always_inline __u64 swap_sum(__u64 sum)
{
	return ((sum & 0xff) << 8) | (sum >> 8);
}

/* Of what lies `at` bytes behind the beginning of the message. */
static __always_inline __u64 sum_at(__u64 sum, __u64 at)
{
	sum = fold_sum(sum);
	return at & 1 ? swap_sum(sum) : sum;
}

/* Puts the OPT record behind the tail, as the server would: size and cookie as they came, DO and no other flag. */
static __always_inline void append_opt(struct answer_draft *draft)
{
	struct question *question = &draft->question;
	__u64 from = question->end, to = draft->reply.tail_length, behind = question->length;
	__u64 bytes = OPT_BYTES + question->cookie_bytes, sum = 0, lost = 0;
	__u8 *tail = draft_tail(draft);
	volatile __u64 *sums = draft->sums;

	/* The last word is read whole. */
	BOUND(behind, QUERY_ROOM - 1);
	*(__u64 *)(draft->messages + behind) = 0;
	BOUND(from, QUERY_ROOM - 1);
	BOUND(to, 2 * LARGE_TAIL_BYTES - 1);
#pragma clang loop unroll(disable)
	for (__u32 i = 0; i < OPT_WORDS; i++) {
		__u64 word;

		if (8 * i >= bytes)
			break;
		word = *(const __u64 *)(draft->messages + from + 8 * i);
		lost += (word & 0xffffffff) + (word >> 32);
		if (i == 0)
			word &= OPT_FIRST_KEPT;
		if (i == 1)
			word &= OPT_SECOND_KEPT;
		sum += (word & 0xffffffff) + (word >> 32);
		*(__u64 *)(tail + to + 8 * i) = word;
	}
	sums[0] = sum;
	sums[1] = lost;
	from = question->end;
	draft->reply.moved = sum_at(sums[0], from + draft->reply.tail_length) + (sum_at(sums[1], from) ^ 0xffff);
}

static __always_inline void write_ipv4(__u8 *head, const struct packet *packet, __u32 length)
{
	__u32 *words = (__u32 *)(head + ETH_HLEN);
	__u32 from = mapped_ipv4(packet->destination), to = mapped_ipv4(packet->source);
	__u64 sum;

	words[0] = bpf_htonl(0x45000000 | (length + sizeof(struct iphdr)));
	/* No id: RFC 6864 section 4.1, for what is not to be fragmented. */
	words[1] = bpf_htonl(0x4000);
	words[2] = bpf_htonl(REPLY_TTL << 24 | IPPROTO_UDP << 16);
	words[3] = from;
	words[4] = to;
	sum = (__u64)words[0] + words[1] + words[2] + from + to;
	*(__u16 *)(head + ETH_HLEN + offsetof(struct iphdr, check)) = fold_sum(sum) ^ 0xffff;
}

static __always_inline void write_ipv6(__u8 *head, const struct packet *packet, __u32 length)
{
	__u32 *words = (__u32 *)(head + ETH_HLEN);

	words[0] = bpf_htonl(0x60000000);
	words[1] = bpf_htonl(length << 16 | IPPROTO_UDP << 8 | REPLY_TTL);
	copy_address(head + ETH_HLEN + offsetof(struct ipv6hdr, saddr), packet->destination);
	copy_address(head + ETH_HLEN + offsetof(struct ipv6hdr, daddr), packet->source);
}

/*
 * The checksum as it must be when it is partial, the network card's to finish: then it is the pseudo-header's sum, of which the
 * length changes. Which it is only the kernel knows. So this one is written, and what a complete one lacks is left to the helper
 * that leaves a partial one alone. None, on IPv4, stays none.
 */
static __always_inline __u16 partial_check(const struct answer_draft *draft, const struct reply *reply)
{
	__u64 check = draft_udp(draft)->check;

	if (check == 0)
		return 0;
	return fold_sum(check + bpf_htons(reply->length + sizeof(struct udphdr)) + (draft_udp(draft)->len ^ 0xffff));
}

/* UDP and DNS header, the id as it was. */
static __always_inline void write_udp(__u8 *head, const struct answer_draft *draft, const struct reply *reply)
{
	*(__u16 *)(head + 0) = draft_udp(draft)->dest;
	*(__u16 *)(head + 2) = draft_udp(draft)->source;
	*(__u16 *)(head + 4) = bpf_htons(reply->length + sizeof(struct udphdr));
	*(__u16 *)(head + 6) = partial_check(draft, reply);
	*(__u16 *)(head + 8) = *(const __u16 *)draft->messages;
	*(__u16 *)(head + 10) = reply->flags;
	*(__u16 *)(head + 12) = bpf_htons(1);
	*(__u16 *)(head + 14) = reply->answers;
	*(__u16 *)(head + 16) = reply->authorities;
	*(__u16 *)(head + 18) = reply->additionals;
}

/* Reading the packet in place costs nothing; writing it there would have every cloned packet copied before we even run. */
static __always_inline int swap_stations(struct __sk_buff *skb, __u8 *head)
{
	const __u16 *from = (const __u16 *)(long)skb->data;
	__u16 *to = (__u16 *)head;

	if ((const void *)(from + ETH_HLEN / 2) > (const void *)(long)skb->data_end)
		return 0;
	to[0] = from[3];
	to[1] = from[4];
	to[2] = from[5];
	to[3] = from[0];
	to[4] = from[1];
	to[5] = from[2];
	to[6] = from[6];
	return 1;
}

/* So that all of the packet can be written at once, which is cheaper than two pieces around what stays. */
static __always_inline void copy_question(struct answer_draft *draft)
{
	const __u64 *from = (const __u64 *)(draft->messages + DNS_NAME_OFFSET);
	__u64 length = draft->question.end - DNS_NAME_OFFSET;
	__u64 *to = (__u64 *)draft->body;

#pragma clang loop unroll(disable)
	for (__u32 i = 0; i < NAME_WORDS + 1; i++) {
		if (8 * i >= length)
			break;
		to[i] = from[i];
	}
}

/* From the first byte to the last of `length`. */
static __always_inline int store_packet(struct __sk_buff *skb, const __u8 *from, __u64 length)
{
	length -= 1;
	BOUND(length, REPLY_ROOM - 1);
	return bpf_skb_store_bytes(skb, 0, from, length + 1, 0);
}

/* `length` bytes of the tail from `from` on, to `to` of the reply's. */
static __always_inline int store_tail(struct __sk_buff *skb, const struct packet *packet, struct answer_draft *draft,
				      __u64 from, __u64 to, __u64 length)
{
	__u32 end = draft->question.end;

	if (length == 0)
		return 0;
	length -= 1;
	BOUND(length, LARGE_TAIL_BYTES - 1);
	BOUND(from, LARGE_TAIL_BYTES - 1);
	return bpf_skb_store_bytes(skb, packet->payload_offset + end + to, draft_tail(draft) + from, length + 1, 0);
}

/*
 * What a complete checksum changes by from the partial one that was written: that moved up with the length where it has to move
 * down, and the length counts twice, in the pseudo-header too. So three times in all.
 */
static __always_inline __u64 difference(const struct answer_draft *draft)
{
	const struct question *question = &draft->question;
	const struct reply *reply = &draft->reply;
	__u64 gained, lost;

	gained = (__u64)reply->flags + reply->answers + reply->authorities + reply->additionals +
		 3ull * bpf_htons(reply->length + sizeof(struct udphdr)) + sum_at(reply->tail_sum, question->end) + reply->moved;
	lost = (__u64)question->flags + *(const __u16 *)(draft->messages + 10) + 3ull * draft_udp(draft)->len;
	return fold_sum(gained) + (fold_sum(lost) ^ 0xffff);
}

/* Once the first byte has been written the packet is no query any more: -1 means that it is nothing. 0: as it was. */
static __always_inline int write_reply(struct __sk_buff *skb, const struct packet *packet, struct answer_draft *draft)
{
	__u32 check = packet->l4_offset + offsetof(struct udphdr, check);
	__u32 length = draft->reply.length + sizeof(struct udphdr);
	__u8 *head = draft->body - (packet->ipv6 ? IPV6_HEAD_BYTES : IPV4_HEAD_BYTES);

	if (!swap_stations(skb, head))
		return 0;
	if (packet->ipv6)
		write_ipv6(head, packet, length);
	else
		write_ipv4(head, packet, length);
	write_udp(draft->body - DNS_NAME_OFFSET - sizeof(struct udphdr), draft, &draft->reply);
	if (bpf_skb_change_tail(skb, packet->l4_offset + length, 0) < 0)
		return 0;
	if (store_packet(skb, head, packet->l4_offset + length) < 0)
		return -1;
	return bpf_l4_csum_replace(skb, check, 0, difference(draft), BPF_F_MARK_MANGLED_0) < 0 ? -1 : 1;
}

#endif
