/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * The answer map: answers as a DNS server lays them out in memory that it shares with the programs, ready to be sent.
 * Each serving process has a shelf, which nobody else writes: an index, and two arrays of slots of two sizes. It writes
 * them by plain stores; the programs write the counters of a slot and nothing else. A shelf dies with its process or at
 * its successor's seat, so a change here needs no care for what is pinned but ANSWER_LAYOUT, which both must have alike.
 * src/answermap/answer-abi.gen.ts is generated from the compiled form of this file.
 */
#ifndef ZEROHOP_ANSWER_ABI_H
#define ZEROHOP_ANSWER_ABI_H

#include <linux/types.h>

enum answer_limit {
	ANSWER_LAYOUT = 1,
	/* Shelves of a node; shelf 0 is nobody's. A rolling update has two. */
	MAX_SHELVES = 16,
	/* Places of a set: one cache line. */
	ANSWER_SET_PLACES = 8,
	/* RFC 1035 section 2.3.4; 255 bytes rounded up. */
	SMALL_NAME_BYTES = 64,
	LARGE_NAME_BYTES = 256,
	/* Records behind the question: powers of two, because old verifiers believe no other bound. */
	SMALL_TAIL_BYTES = 256,
	LARGE_TAIL_BYTES = 1024,
	/* Records whose TTL the program lowers. */
	MAX_ANSWER_TTLS = 16,
	/* The only EDNS option that is answered here (RFC 7873 section 4): client's and server's cookie. */
	MAX_COOKIE_BYTES = 40,
	/* A query's whole message: header, the longest question, and an OPT record with a cookie. */
	MAX_ANSWERED_QUERY_BYTES = 326,
	ANSWER_LOG_BYTES = 262144,
};

/* Of a place: 0 is empty; else slot number, size, generation and tag from the lowest bit on. */
enum answer_place {
	PLACE_SLOT_BITS = 31,
	/* The slot is a large one. */
	PLACE_LARGE_BIT = 31,
	/* 1 to 65535: must be that of the slot. */
	PLACE_GENERATION_SHIFT = 32,
	PLACE_TAG_SHIFT = 48,
};

enum answer_flag {
	/* Every TTL goes out as it was stored. */
	ANSWER_KEEP_TTL = 1,
	/* The run of records begins anywhere in itself. */
	ANSWER_ROTATE = 2,
	/* The query and its answer go to the shelf's log; without room there, the query goes on to the server. */
	ANSWER_LOGGED = 4,
};

/* Bits of a key beside name and type; class is IN. */
enum answer_key_bit {
	ANSWER_DNSSEC_OK = 1,
	ANSWER_CHECKING_DISABLED = 2,
};

/* The first element of a shelf's index; the sets follow. Written once, before the shelf is used. */
struct answer_head {
	/* Of the hash; see below. */
	__u32 seed;
	__u32 multiplier;
	/* How many sets, less one; sets are a power of two. */
	__u32 set_mask;
	/* ANSWER_LAYOUT: otherwise nothing is answered from it. */
	__u32 layout;
	__u32 pad[12];
};

/*
 * The hash of a key, all in 32 bits without sign. Over the name in lower case and wire form, its last zero included, as
 * little-endian words, the last one filled up with zeros:
 *   h = seed; for each word w: h = (h ^ w) * multiplier; h ^= h >> 15
 * and then
 *   h = (h ^ kind) * multiplier; h ^= h >> 13; h = (h ^ owner) * multiplier; h ^= h >> 16; h *= 0x7feb352d; h ^= h >> 15
 * with kind = type | 1 << 16 and owner = view | key bits << 16. The set is h & set_mask, the tag h >> 16.
 */
struct answer_set {
	__u64 places[ANSWER_SET_PLACES];
};

/* What a slot says of its answer, name and tail behind it. */
struct answer_slot {
	/* Equals the place's; 0 while the slot is written or nobody's. */
	__u32 generation;
	/* In host order. */
	__u16 type;
	__u16 view;
	/* enum answer_key_bit */
	__u8 key_bits;
	/* enum answer_flag */
	__u8 flags;
	/* Last byte of the header's flags as it goes out, without CD: RA, AD (only to those who ask for it), rcode. */
	__u8 header_bits;
	/* Of the whole name, the last zero included; the rest of its room is zeros. */
	__u8 name_length;
	/* Records of the three sections, without OPT. */
	__u16 answers;
	__u16 authorities;
	__u16 additionals;
	__u16 tail_length;
	__u32 pad0;
	/* CLOCK_MONOTONIC: when the answer was stored, and from when on the server is asked again. */
	__u64 stored_ns;
	__u64 until_ns;
	__u32 ttl_seconds;
	/* Clients that advertise more are the server's; 0: no limit. */
	__u16 limit_bytes;
	/*
	 * One's complement sum of the tail as little-endian 16-bit words from its first byte on, an odd last byte filled up with
	 * zero, folded to 16 bits; TTLs as stored.
	 */
	__u16 tail_sum;
	/*
	 * Of ANSWER_ROTATE: from the tail's first byte; so many bytes each, all but the data alike. An odd number only of records
	 * that are all of the slot's type, and that A or AAAA: where its data lies, and how long it is, follows from that.
	 */
	__u16 run_start;
	__u16 run_stride;
	__u8 run_count;
	__u8 ttl_count;
	/* How many of the TTLs stand at even offsets of the tail. */
	__u8 ttl_even;
	__u8 pad;
	__u64 pad2;
	/* From the tail's first byte. */
	__u16 ttl_places[MAX_ANSWER_TTLS];
	/*
	 * The programs' own, added to without locks but never lost: answers by family (IPv4, then IPv6) and by what the query had of
	 * EDNS (nothing, a bare OPT record, one with a cookie); and the bytes of all cookies' options.
	 */
	__u32 hits[6];
	__u32 cookie_bytes;
	/* Not 0: was of use since the server last cleared it. */
	__u32 used;
};

struct small_answer {
	struct answer_slot slot;
	__u8 name[SMALL_NAME_BYTES];
	__u8 tail[SMALL_TAIL_BYTES];
};

struct large_answer {
	struct answer_slot slot;
	__u8 name[LARGE_NAME_BYTES];
	__u8 tail[LARGE_TAIL_BYTES];
};

/* Whose answers a frontend's queries may get; written by the agent alone. Index: the frontend's id. */
struct answer_source {
	/* 0: nobody's. */
	__u32 shelf;
	/* Which of the process's listeners is asked: it keeps one address from another's answers. */
	__u32 view;
};

/* A record of a shelf's log: the query and the reply, each whole, one behind the other. */
struct answer_log {
	/* CLOCK_MONOTONIC, when the answer was ready. */
	__u64 time_ns;
	/* The client; the server's end is the frontend that was asked. */
	__u8 source[16];
	__u8 destination[16];
	__be16 source_port;
	__be16 destination_port;
	__u16 view;
	__u16 query_length;
	__u16 reply_length;
	__u16 pad;
	__u32 pad2;
	__u8 messages[];
};

#endif
