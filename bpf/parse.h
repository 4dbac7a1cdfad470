/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * A cursor over a packet and the one packet shape the programs know: Ethernet, IPv4 or IPv6 without options or
 * extension headers, UDP or TCP, whole or in fragments. Headers are read where they lie, or with bpf_skb_load_bytes where
 * they lie in pieces, so non-linear packets need no care.
 * Deliberately absent: VLAN tags, and IPv6 extension headers but that of fragments. Such packets are nobody's redirected
 * DNS today.
 */
#ifndef ZEROHOP_PARSE_H
#define ZEROHOP_PARSE_H

#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/tcp.h>
#include <linux/udp.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#define IP_MORE_FRAGMENTS 0x2000
#define IP_FRAGMENT_OFFSET 0x1fff
/* RFC 8200 section 4.5: the offset is the upper 13 bits of its field. */
#define IPV6_FRAGMENT_OFFSET 0xfff8
#define TCP_FLAGS_OFFSET 13
#define TCP_FLAG_SYN_BIT 0x02
#define TCP_FLAG_ACK_BIT 0x10

enum parsed {
	/* Not a packet we have an opinion on. */
	PARSED_OTHER = 0,
	PARSED_WHOLE = 1,
	/* Addresses and ports are known, but the packet has IP options or a VLAN tag. */
	PARSED_ODD = 2,
	/* The first fragment: addresses, ports and the id that the later ones have in common with it. */
	PARSED_FIRST = 3,
	/* A later fragment: addresses and id. */
	PARSED_LATER = 4,
};

struct cursor {
	struct __sk_buff *skb;
	__u32 offset;
};

struct packet {
	__u8 source[16];
	__u8 destination[16];
	__be16 source_port;
	__be16 destination_port;
	__u8 protocol;
	__u8 tcp_flags;
	__u8 ipv6;
	__u8 pad;
	__u32 l4_offset;
	__u32 payload_offset;
	__u32 payload_length;
	__be32 fragment_id;
};

/* All headers begin before this: Ethernet, the longest IPv4 header or IPv6 with its fragment header. A power of two, less one. */
#define LAST_HEADER_OFFSET 127

/* `length` is a multiple of four. A call costs more than all that is read here. */
static __always_inline int cursor_take(struct cursor *cursor, void *to, __u32 length)
{
	const __u8 *from = (const __u8 *)(long)cursor->skb->data;
	__u64 offset = cursor->offset;

	cursor->offset += length;
	asm volatile("%0 &= %1" : "+r"(offset) : "i"(LAST_HEADER_OFFSET));
	from += offset;
	if (from + length > (const __u8 *)(long)cursor->skb->data_end)
		return bpf_skb_load_bytes(cursor->skb, offset, to, length) < 0 ? -1 : 0;
#pragma unroll
	for (__u32 i = 0; i < length / 4; i++)
		((__u32 *)to)[i] = ((const __u32 *)from)[i];
	return 0;
}

static __always_inline void map_ipv4(__u8 to[16], __be32 address)
{
	__u32 *words = (__u32 *)to;

	words[0] = 0;
	words[1] = 0;
	words[2] = bpf_htonl(0xffff);
	words[3] = address;
}

static __always_inline __be32 mapped_ipv4(const __u8 from[16])
{
	return ((const __u32 *)from)[3];
}

static __always_inline int same_address(const __u8 a[16], const __u8 b[16])
{
	const __u64 *x = (const __u64 *)a, *y = (const __u64 *)b;

	return x[0] == y[0] && x[1] == y[1];
}

static __always_inline void copy_address(__u8 to[16], const __u8 from[16])
{
	((__u64 *)to)[0] = ((const __u64 *)from)[0];
	((__u64 *)to)[1] = ((const __u64 *)from)[1];
}

/* `length` is what the IP header claims follows it; lies are cut at zero. */
static __always_inline int parse_transport(struct cursor *cursor, struct packet *packet, __u32 length)
{
	__u32 header;

	packet->l4_offset = cursor->offset;
	if (packet->protocol == IPPROTO_UDP) {
		struct udphdr udp;

		if (cursor_take(cursor, &udp, sizeof(udp)) < 0)
			return -1;
		packet->source_port = udp.source;
		packet->destination_port = udp.dest;
		header = sizeof(udp);
	} else if (packet->protocol == IPPROTO_TCP) {
		__u8 tcp[sizeof(struct tcphdr)] __attribute__((aligned(4)));

		if (cursor_take(cursor, tcp, sizeof(tcp)) < 0)
			return -1;
		packet->source_port = *(__be16 *)(tcp + 0);
		packet->destination_port = *(__be16 *)(tcp + 2);
		packet->tcp_flags = tcp[TCP_FLAGS_OFFSET];
		header = (tcp[TCP_FLAGS_OFFSET - 1] >> 4) * 4;
		if (header < sizeof(struct tcphdr))
			return -1;
	} else {
		return -1;
	}
	packet->payload_offset = packet->l4_offset + header;
	packet->payload_length = length > header ? length - header : 0;
	return 0;
}

static __always_inline int parse_ipv4(struct cursor *cursor, struct packet *packet)
{
	struct iphdr ip;
	__u32 header, total;

	if (cursor_take(cursor, &ip, sizeof(ip)) < 0)
		return PARSED_OTHER;
	header = ip.ihl * 4;
	total = bpf_ntohs(ip.tot_len);
	if (ip.version != 4 || header < sizeof(ip) || total < header)
		return PARSED_OTHER;
	cursor->offset += header - sizeof(ip);
	map_ipv4(packet->source, ip.saddr);
	map_ipv4(packet->destination, ip.daddr);
	packet->protocol = ip.protocol;
	packet->fragment_id = ip.id;
	if (ip.frag_off & bpf_htons(IP_FRAGMENT_OFFSET)) {
		packet->l4_offset = cursor->offset;
		return header == sizeof(ip) ? PARSED_LATER : PARSED_OTHER;
	}
	if (parse_transport(cursor, packet, total - header) < 0)
		return PARSED_OTHER;
	if (header != sizeof(ip))
		return PARSED_ODD;
	return ip.frag_off & bpf_htons(IP_MORE_FRAGMENTS) ? PARSED_FIRST : PARSED_WHOLE;
}

/* RFC 8200 section 4.5 */
struct ipv6_fragment {
	__u8 next_header;
	__u8 reserved;
	__be16 offset;
	__be32 id;
};

static __always_inline int parse_ipv6(struct cursor *cursor, struct packet *packet)
{
	struct ipv6_fragment fragment;
	struct ipv6hdr ip;
	__u32 length;

	if (cursor_take(cursor, &ip, sizeof(ip)) < 0 || ip.version != 6)
		return PARSED_OTHER;
	length = bpf_ntohs(ip.payload_len);
	__builtin_memcpy(packet->source, &ip.saddr, 16);
	__builtin_memcpy(packet->destination, &ip.daddr, 16);
	packet->protocol = ip.nexthdr;
	packet->ipv6 = 1;
	if (ip.nexthdr != IPPROTO_FRAGMENT)
		return parse_transport(cursor, packet, length) < 0 ? PARSED_OTHER : PARSED_WHOLE;
	if (cursor_take(cursor, &fragment, sizeof(fragment)) < 0 || length < sizeof(fragment))
		return PARSED_OTHER;
	packet->protocol = fragment.next_header;
	packet->fragment_id = fragment.id;
	packet->l4_offset = cursor->offset;
	if (fragment.offset & bpf_htons(IPV6_FRAGMENT_OFFSET))
		return PARSED_LATER;
	return parse_transport(cursor, packet, length - sizeof(fragment)) < 0 ? PARSED_OTHER : PARSED_FIRST;
}

/* `packet` must be zeroed. */
static __always_inline int parse_packet(struct __sk_buff *skb, struct packet *packet)
{
	struct cursor cursor = { .skb = skb, .offset = ETH_HLEN };
	int parsed = PARSED_OTHER;

	if (skb->protocol == bpf_htons(ETH_P_IP))
		parsed = parse_ipv4(&cursor, packet);
	else if (skb->protocol == bpf_htons(ETH_P_IPV6))
		parsed = parse_ipv6(&cursor, packet);
	if (!skb->vlan_present)
		return parsed;
	return parsed == PARSED_WHOLE || parsed == PARSED_FIRST ? PARSED_ODD : PARSED_OTHER;
}

#endif
