/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * The least that an answer at a pod's interface can cost: every UDP datagram to one port goes back as it came, with the two
 * ends of each layer swapped, which changes no checksum. Nothing is read or looked up. Hangs where the pod programs hang.
 */
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/pkt_cls.h>
#include <linux/udp.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

/* In host order. */
const volatile __u16 echoed_port = 53;

SEC("tc")
int floor_echo(struct __sk_buff *skb)
{
	__u32 size = sizeof(struct ethhdr) + sizeof(struct iphdr) + sizeof(struct udphdr);
	struct ethhdr *ethernet;
	struct iphdr *ip;
	struct udphdr *udp;
	__u8 address[ETH_ALEN];
	__be32 source;
	__be16 port;

	if (skb->protocol != bpf_htons(ETH_P_IP) || bpf_skb_pull_data(skb, size) < 0)
		return TC_ACT_UNSPEC;
	ethernet = (void *)(long)skb->data;
	if ((void *)ethernet + size > (void *)(long)skb->data_end)
		return TC_ACT_UNSPEC;
	ip = (void *)(ethernet + 1);
	udp = (void *)(ip + 1);
	if (ip->ihl != 5 || ip->protocol != IPPROTO_UDP || udp->dest != bpf_htons(echoed_port))
		return TC_ACT_UNSPEC;
	__builtin_memcpy(address, ethernet->h_source, ETH_ALEN);
	__builtin_memcpy(ethernet->h_source, ethernet->h_dest, ETH_ALEN);
	__builtin_memcpy(ethernet->h_dest, address, ETH_ALEN);
	source = ip->saddr;
	ip->saddr = ip->daddr;
	ip->daddr = source;
	port = udp->source;
	udp->source = udp->dest;
	udp->dest = port;
	return bpf_redirect_peer(skb->ifindex, 0);
}

char program_license[] SEC("license") = "Dual BSD/GPL";
