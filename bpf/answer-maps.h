/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * The maps of the answers. The four outer ones hold each shelf's own maps by its number; what an inner one looks like the
 * loader says: arrays of answer_set, small_answer and large_answer with BPF_F_MMAPABLE | BPF_F_INNER_MAP, so that any
 * number of entries will do, and a ring buffer of ANSWER_LOG_BYTES.
 */
#ifndef ZEROHOP_ANSWER_MAPS_H
#define ZEROHOP_ANSWER_MAPS_H

#include <linux/bpf.h>
#include <linux/udp.h>
#include <bpf/bpf_helpers.h>
#include "abi.h"
#include "answer-abi.h"

/* Each is longer than what is put there: the verifier believes only bounds that are powers of two. */
#define QUERY_ROOM 512
#define REPLY_ROOM 2048
/* An OPT record with the longest cookie, in words of eight bytes. */
#define OPT_WORDS 7
/*
 * The longest question, and records that begin anywhere behind it, from anywhere in them. More than that takes, so that the draft
 * is as long as it was: its map is pinned.
 */
#define BODY_ROOM (3 * LARGE_TAIL_BYTES + 40)
#define NAME_WORDS (LARGE_NAME_BYTES / 8)
/* An event's head and a DNS header; no less than Ethernet, IPv6, UDP and DNS have. */
#define HEAD_ROOM 96

struct question {
	/* Third and fourth byte of the header as they lie. */
	__u16 flags;
	/* In host order. */
	__u16 type;
	__u16 udp_size;
	__u8 dnssec_ok;
	__u8 has_opt;
	/* Of the OPT record's data. */
	__u16 cookie_bytes;
	/* enum answer_key_bit */
	__u16 key_bits;
	/* Of the message, and of its header and question. */
	__u32 length;
	__u64 end;
};

struct reply {
	/* All four as they go out. */
	__u16 flags;
	__be16 answers;
	__be16 authorities;
	__be16 additionals;
	/* Of the records, TTLs as they go out; from their own first byte. */
	__u32 tail_sum;
	/* Of the records that may stand in any order, and how many of the first of them come behind the others; 0: they stay. */
	__u16 run_start;
	__u16 run_stride;
	__u32 run_count;
	__u64 run_turned;
	/* The answer goes to the log. */
	__u32 logged;
	/* Of the records, of these with the OPT record, and of the whole message. */
	__u64 tail_length;
	__u64 behind;
	__u64 length;
	/* What the OPT record adds to the checksum, less what the query's own had to it; and what the turned records change. */
	__u64 moved;
};

/*
 * Where a query is read and its reply is put together. Its processor's alone, and of no use from one packet to the next.
 * Not on the stack, because the verifier knows each value there that a branch told it, and then looks at all that follows once
 * for each of them; of memory like this it knows nothing.
 */
struct answer_draft {
	/* A struct answer_log in the end; before, its last bytes hold the UDP header, which is read together with the message. */
	__u64 log[sizeof(struct answer_log) / 8];
	/* The query, and for the log the reply behind it. */
	__u8 messages[QUERY_ROOM + REPLY_ROOM];
	__u64 name[NAME_WORDS];
	/*
	 * The reply's packet: the body begins with the question, behind which come the records, and the head ends with the DNS header.
	 * When the packet is written an event is made of this, whose own head then stands where those of the lower layers did.
	 */
	__u8 head[HEAD_ROOM];
	__u8 body[BODY_ROOM];
	/* Of the question's name, its last zero included; 0: it has no end. */
	__u64 name_length;
	__u64 hash;
	__u64 sums[2];
	struct question question;
	struct reply reply;
};

static __always_inline struct udphdr *draft_udp(const struct answer_draft *draft)
{
	return (struct udphdr *)(draft->messages - sizeof(struct udphdr));
}

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
	__uint(max_entries, MAX_SHELVES);
	__type(key, __u32);
	__type(value, __u32);
} answer_indexes SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
	__uint(max_entries, MAX_SHELVES);
	__type(key, __u32);
	__type(value, __u32);
} answer_smalls SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
	__uint(max_entries, MAX_SHELVES);
	__type(key, __u32);
	__type(value, __u32);
} answer_larges SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
	__uint(max_entries, MAX_SHELVES);
	__type(key, __u32);
	__type(value, __u32);
} answer_logs SEC(".maps");

/* Index: the id of the frontend. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, MAX_FRONTENDS);
	__type(key, __u32);
	__type(value, struct answer_source);
} answer_sources SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct answer_draft);
} answer_drafts SEC(".maps");

#endif
