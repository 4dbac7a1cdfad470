/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * What a query asks, as far as it may be answered here: one question of class IN, and at most an OPT record that is bare or
 * has one cookie. Everything else is no error, only a miss.
 *
 * Verifiers before 6.x lose the bounds of 32-bit values and test one copy while they use another. So lengths are 64 bits
 * wide, and BOUND says what a register holds right before it is used. What a loop found goes through the draft: else all that
 * follows is verified once for each way out of the loop.
 */
#ifndef ZEROHOP_ANSWER_QUESTION_H
#define ZEROHOP_ANSWER_QUESTION_H

#include "answer-maps.h"
#include "parse.h"

#define BOUND(value, most) asm volatile("%0 &= %1" : "+r"(value) : "i"(most))

#define DNS_COUNTS_OFFSET 4
#define DNS_NAME_OFFSET 12
/* RFC 1035 section 2.3.4 */
#define MAX_NAME_BYTES 255
#define MIN_UDP_REPLY 512
/* The root's name, type and class. */
#define SHORTEST_QUERY (DNS_NAME_OFFSET + 5)
#define CLASS_IN_BE bpf_htons(1)
/* Its records lie in the parent zone, which is found by other rules. */
#define TYPE_DS 43
#define COOKIE_OPTION 10
#define OPT_BYTES 11
#define OPTION_HEADER 4

/* Bytes of the header as they lie: the third and the fourth. */
#define FLAGS_NO_PLAIN_QUERY 0x00f8
#define FLAGS_RD 0x0001
#define FLAGS_RESPONSE 0x0084
#define FLAGS_AD 0x2000
#define FLAGS_CD 0x1000

/* Where the reply's records are put together: behind its question, which is as long as the query's. */
static __always_inline __u8 *draft_tail(struct answer_draft *draft)
{
	__u64 at = draft->question.end - DNS_NAME_OFFSET;

	BOUND(at, QUERY_ROOM - 1);
	return draft->body + at;
}

/* Adds 0x20 to each byte from `A` to `Z`. Length bytes are below 0x40 and stay; so does everything beyond ASCII. */
static __always_inline __u64 lower_case(__u64 word)
{
	__u64 low = word & 0x7f7f7f7f7f7f7f7full;
	__u64 capitals = (low + 0x3f3f3f3f3f3f3f3full) & ~(low + 0x2525252525252525ull) & ~word & 0x8080808080808080ull;

	return word | (capitals >> 2);
}

/*
 * Folds and hashes the name up to its first zero byte. A label may have a zero in it: then this is less than the name, but no
 * name is laid out that way, and what equals a whole name byte by byte is that name.
 */
static __always_inline void fold_name(struct answer_draft *draft, __u32 seed, __u32 multiplier)
{
	const __u64 *from = (const __u64 *)(draft->messages + DNS_NAME_OFFSET);
	volatile __u64 *found_length = &draft->name_length, *found_hash = &draft->hash;
	__u32 hash = seed;

	*found_length = 0;
#pragma clang loop unroll(disable)
	for (__u32 i = 0; i < NAME_WORDS; i++) {
		__u64 word = from[i];
		__u64 zeros = (word - 0x0101010101010101ull) & ~word & 0x8080808080808080ull;
		__u64 before;

		if (!zeros) {
			word = lower_case(word);
			draft->name[i] = word;
			hash = (hash ^ (__u32)word) * multiplier;
			hash ^= hash >> 15;
			hash = (hash ^ (__u32)(word >> 32)) * multiplier;
			hash ^= hash >> 15;
			continue;
		}
		/* All bits of the bytes before the first zero; above it `zeros` may be wrong. */
		before = ((zeros & -zeros) >> 7) - 1;
		word = lower_case(word & before);
		draft->name[i] = word;
		hash = (hash ^ (__u32)word) * multiplier;
		hash ^= hash >> 15;
		/* The zero is in the upper half, so that is part of the name. */
		if (before >> 31) {
			hash = (hash ^ (__u32)(word >> 32)) * multiplier;
			hash ^= hash >> 15;
		}
		*found_hash = hash;
		/* One for the zero, and as many as there are bytes in `before`. */
		*found_length = 8 * i + 1 + (((before & 0x0101010101010101ull) * 0x0101010101010101ull) >> 56);
		break;
	}
}

/* RFC 7873 section 4: a client's cookie has 8 bytes, with the server's it is 16 to 40. */
static __always_inline int is_cookie(__u64 option, __u32 length)
{
	__u32 bytes = length - OPTION_HEADER;

	if (bytes != 8 && (bytes < 16 || bytes > MAX_COOKIE_BYTES))
		return 0;
	/* Code and length, as they lie. */
	return (__u32)option == (bpf_htons(COOKIE_OPTION) | (__u32)bpf_htons(bytes) << 16);
}

/* Behind the question; 0 for a record that is not answered here. */
static __always_inline int read_opt(struct answer_draft *draft)
{
	struct question *question = &draft->question;
	__u64 at = question->end, left = question->length - at, first, second;
	const __u8 *opt = draft->messages;
	__u32 data;

	BOUND(at, QUERY_ROOM - 1);
	opt += at;
	first = *(const __u64 *)opt;
	second = *(const __u64 *)(opt + 8);
	data = bpf_ntohs((second >> 8) & 0xffff);
	/* What was read beyond the message is of an earlier one, but then this is not so. */
	if (left != OPT_BYTES + data)
		return 0;
	/* Owner and type; version. */
	if ((first & 0xffffff) != (__u64)bpf_htons(41) << 8 || ((first >> 48) & 0xff) != 0)
		return 0;
	if (data != 0 && !is_cookie(*(const __u64 *)(opt + OPT_BYTES), data))
		return 0;
	question->udp_size = bpf_ntohs((first >> 24) & 0xffff);
	question->dnssec_ok = first >> 63;
	question->has_opt = 1;
	question->cookie_bytes = data;
	question->key_bits |= first >> 63;
	return 1;
}

/*
 * The message and the UDP header before it; 0 when they are not what is answered here. A zero checksum is none on IPv4, and
 * nothing that a receiver may take on IPv6 (RFC 8200 section 8.1).
 */
static __always_inline int load_query(struct __sk_buff *skb, const struct packet *packet, struct answer_draft *draft)
{
	__u64 length = packet->payload_length;
	__u64 counts;

	/* Cut from where it came, or the packet's own length would be known differently after each miss. */
	BOUND(length, 0xffff);
	if (length < SHORTEST_QUERY || length > MAX_ANSWERED_QUERY_BYTES)
		return 0;
	if (skb->len != packet->payload_offset + (__u32)length)
		return 0;
	length += sizeof(struct udphdr) - 1;
	BOUND(length, QUERY_ROOM - 1);
	if (bpf_skb_load_bytes(skb, packet->l4_offset, draft_udp(draft), length + 1) < 0)
		return 0;
	draft->question.length = packet->payload_length;
	if (draft_udp(draft)->len != bpf_htons(packet->payload_length + sizeof(struct udphdr)))
		return 0;
	if (packet->ipv6 && draft_udp(draft)->check == 0)
		return 0;
	if (*(const __u16 *)(draft->messages + 2) & FLAGS_NO_PLAIN_QUERY)
		return 0;
	/* One question, no answer, no authority, at most one additional. */
	counts = *(const __u64 *)(draft->messages + DNS_COUNTS_OFFSET);
	return (counts & ~((__u64)bpf_htons(1) << 48)) == bpf_htons(1);
}

/* Behind the name, which is folded already. */
static __always_inline int read_question(struct answer_draft *draft)
{
	struct question *question = &draft->question;
	__u64 name = *(volatile __u64 *)&draft->name_length;
	__u32 kind, type;

	if (name == 0 || name > MAX_NAME_BYTES)
		return 0;
	BOUND(name, 255);
	if (DNS_NAME_OFFSET + name + 4 > question->length)
		return 0;
	kind = *(const __u32 *)(draft->messages + DNS_NAME_OFFSET + name);
	type = bpf_ntohs(kind & 0xffff);
	if (kind >> 16 != CLASS_IN_BE || type == TYPE_DS)
		return 0;
	question->flags = *(const __u16 *)(draft->messages + 2);
	question->type = type;
	question->udp_size = 0;
	question->dnssec_ok = 0;
	question->has_opt = 0;
	question->cookie_bytes = 0;
	question->key_bits = question->flags & FLAGS_CD ? ANSWER_CHECKING_DISABLED : 0;
	question->end = DNS_NAME_OFFSET + name + 4;
	if (*(const __u16 *)(draft->messages + 10) == 0)
		return question->end == question->length;
	return read_opt(draft);
}

#endif
