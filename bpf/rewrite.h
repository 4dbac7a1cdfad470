/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * Replaces one end of a packet, address and port, and keeps its checksums right whether they are complete or partial
 * (CHECKSUM_PARTIAL cannot be seen from here; BPF_F_PSEUDO_HDR tells the kernel which kind of change it is).
 */
#ifndef ZEROHOP_REWRITE_H
#define ZEROHOP_REWRITE_H

#include <stddef.h>
#include "parse.h"

/*
 * Makes the headers private and linear. After this returned 0 none of the writes below can fail, so that a packet is
 * either rewritten whole or left alone.
 */
static __always_inline int make_writable(struct __sk_buff *skb, const struct packet *packet)
{
	__u32 header = packet->protocol == IPPROTO_TCP ? sizeof(struct tcphdr) : sizeof(struct udphdr);

	return bpf_skb_pull_data(skb, packet->l4_offset + header) < 0 ? -1 : 0;
}

static __always_inline __u32 checksum_offset(const struct packet *packet)
{
	return packet->l4_offset + (packet->protocol == IPPROTO_TCP ? offsetof(struct tcphdr, check)
								     : offsetof(struct udphdr, check));
}

/* A UDP checksum of zero means none, on IPv4: the kernel then leaves it at zero and never makes one up. */
static __always_inline __u64 checksum_flags(const struct packet *packet)
{
	return packet->protocol == IPPROTO_UDP ? BPF_F_MARK_MANGLED_0 : 0;
}

static __always_inline void rewrite_ipv4(struct __sk_buff *skb, const struct packet *packet, __u32 field,
					 const __u8 from[16], const __u8 to[16])
{
	__be32 old = mapped_ipv4(from), new = mapped_ipv4(to);

	bpf_l4_csum_replace(skb, checksum_offset(packet), old, new,
			    BPF_F_PSEUDO_HDR | checksum_flags(packet) | sizeof(new));
	bpf_l3_csum_replace(skb, ETH_HLEN + offsetof(struct iphdr, check), old, new, sizeof(new));
	bpf_skb_store_bytes(skb, ETH_HLEN + field, &new, sizeof(new), 0);
}

static __always_inline void rewrite_ipv6(struct __sk_buff *skb, const struct packet *packet, __u32 field,
					 const __u8 from[16], const __u8 to[16])
{
	__s64 difference = bpf_csum_diff((__be32 *)from, 16, (__be32 *)to, 16, 0);

	bpf_l4_csum_replace(skb, checksum_offset(packet), 0, difference,
			    BPF_F_PSEUDO_HDR | checksum_flags(packet));
	bpf_skb_store_bytes(skb, ETH_HLEN + field, to, 16, 0);
}

static __always_inline void rewrite_port(struct __sk_buff *skb, const struct packet *packet, __u32 field,
					 __be16 old, __be16 new)
{
	if (old == new)
		return;
	bpf_l4_csum_replace(skb, checksum_offset(packet), old, new, checksum_flags(packet) | sizeof(new));
	bpf_skb_store_bytes(skb, packet->l4_offset + field, &new, sizeof(new), 0);
}

/* A later fragment has no checksum but that of its IPv4 header. */
static __always_inline void rewrite_fragment_source(struct __sk_buff *skb, const struct packet *packet,
						    const __u8 address[16])
{
	__be32 old, new;

	if (packet->ipv6) {
		bpf_skb_store_bytes(skb, ETH_HLEN + offsetof(struct ipv6hdr, saddr), address, 16, 0);
		return;
	}
	old = mapped_ipv4(packet->source);
	new = mapped_ipv4(address);
	bpf_l3_csum_replace(skb, ETH_HLEN + offsetof(struct iphdr, check), old, new, sizeof(new));
	bpf_skb_store_bytes(skb, ETH_HLEN + offsetof(struct iphdr, saddr), &new, sizeof(new), 0);
}

static __always_inline void rewrite_destination(struct __sk_buff *skb, const struct packet *packet,
						const __u8 address[16], __be16 port)
{
	if (packet->ipv6)
		rewrite_ipv6(skb, packet, offsetof(struct ipv6hdr, daddr), packet->destination, address);
	else
		rewrite_ipv4(skb, packet, offsetof(struct iphdr, daddr), packet->destination, address);
	rewrite_port(skb, packet, offsetof(struct udphdr, dest), packet->destination_port, port);
}

static __always_inline void rewrite_source(struct __sk_buff *skb, const struct packet *packet,
					   const __u8 address[16], __be16 port)
{
	if (packet->ipv6)
		rewrite_ipv6(skb, packet, offsetof(struct ipv6hdr, saddr), packet->source, address);
	else
		rewrite_ipv4(skb, packet, offsetof(struct iphdr, saddr), packet->source, address);
	rewrite_port(skb, packet, offsetof(struct udphdr, source), packet->source_port, port);
}

#endif
