/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * Hears of every packet that the kernel throws away, and tells of those from or to a pod of this node at an event port: at
 * the tracepoint kfree_skb, which says why since Linux 5.17. It looks at packets and changes nothing.
 *
 * Structs of the kernel are read with bpf_probe_read_kernel at offsets that the loader found in the kernel's own type
 * information, so one object serves all kernels; whatever is not where it should be reads as an error, and nothing is told.
 * The tracepoint is the whole machine's. A drop belongs to the agent in whose namespace it happened, or in whose pod: where
 * several nodes share a kernel each tells its own.
 * Deliberately absent: payloads of TCP, which lie in pages; later fragments; packets whose header is not in one piece.
 */
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include "event.h"
#include "maps.h"
#include "parse.h"

/* Interfaces of a pod that are looked at for the one that leads to the node: `lo`, tunnels that every namespace has, eth0. */
#define MAX_DEVICES 16
/* Reasons of a subsystem have its number in the upper half; those below are the core's. */
#define FIRST_SUBSYSTEM_REASON 0x10000

/* The loader writes both before the program is loaded. Of which protocols packets are told that were dropped for a reason. */
const volatile __u8 told_reasons[MAX_DROP_REASONS] = {};
const volatile struct drop_layout layout = {};

#define DROP_RECORD_BYTES (sizeof(struct packet_event) + DROP_PAYLOAD_BYTES)

struct buffer {
	__u64 head;
	/* Bytes from head to the end of what lies in one piece. */
	__u32 tail;
	__u32 at;
};

/* 0 for what cannot be read, behind a null pointer for one: the helper sees to that, and branches cost the verifier time. */
static __always_inline __u64 read_word(__u64 base, __u32 offset)
{
	__u64 value = 0;

	bpf_probe_read_kernel(&value, sizeof(value), (const void *)(base + offset));
	return value;
}

static __always_inline __u32 read_u32(__u64 base, __u32 offset)
{
	__u32 value = 0;

	bpf_probe_read_kernel(&value, sizeof(value), (const void *)(base + offset));
	return value;
}

static __always_inline int take(struct buffer *buffer, void *to, __u32 length)
{
	if (buffer->at + length > buffer->tail)
		return -1;
	if (bpf_probe_read_kernel(to, length, (const void *)(buffer->head + buffer->at)) < 0)
		return -1;
	buffer->at += length;
	return 0;
}

/* Bits of enum drop_protocol. */
static __always_inline __u32 told_protocols(__u32 reason)
{
	__u64 index = reason;

	if (reason >= FIRST_SUBSYSTEM_REASON)
		return DROP_UDP | DROP_TCP;
	if (reason >= MAX_DROP_REASONS)
		return 0;
	/* The compiler knows that this changes nothing and would leave it out; the verifier does not. */
	asm volatile("%0 &= %1" : "+r"(index) : "i"(MAX_DROP_REASONS - 1));
	return told_reasons[index];
}

static __always_inline int read_transport(struct buffer *buffer, struct packet *packet, __u32 length)
{
	__u32 header;

	if (packet->protocol == IPPROTO_UDP) {
		struct udphdr udp;

		if (take(buffer, &udp, sizeof(udp)) < 0)
			return -1;
		packet->source_port = udp.source;
		packet->destination_port = udp.dest;
		header = sizeof(udp);
	} else if (packet->protocol == IPPROTO_TCP) {
		__u8 tcp[sizeof(struct tcphdr)] __attribute__((aligned(4)));

		if (take(buffer, tcp, sizeof(tcp)) < 0)
			return -1;
		packet->source_port = *(__be16 *)(tcp + 0);
		packet->destination_port = *(__be16 *)(tcp + 2);
		packet->tcp_flags = tcp[TCP_FLAGS_OFFSET];
		header = (tcp[TCP_FLAGS_OFFSET - 1] >> 4) * 4;
		if (header < sizeof(struct tcphdr))
			return -1;
		buffer->at += header - sizeof(struct tcphdr);
	} else {
		return -1;
	}
	packet->payload_length = length > header ? length - header : 0;
	return 0;
}

static __always_inline int read_ipv4(struct buffer *buffer, struct packet *packet)
{
	struct iphdr ip;
	__u32 header, total;

	if (take(buffer, &ip, sizeof(ip)) < 0)
		return -1;
	header = ip.ihl * 4;
	total = bpf_ntohs(ip.tot_len);
	if (ip.version != 4 || header < sizeof(ip) || (ip.frag_off & bpf_htons(IP_FRAGMENT_OFFSET)))
		return -1;
	buffer->at += header - sizeof(ip);
	map_ipv4(packet->source, ip.saddr);
	map_ipv4(packet->destination, ip.daddr);
	packet->protocol = ip.protocol;
	return read_transport(buffer, packet, total > header ? total - header : 0);
}

static __always_inline int read_ipv6(struct buffer *buffer, struct packet *packet)
{
	struct ipv6hdr ip;

	if (take(buffer, &ip, sizeof(ip)) < 0 || ip.version != 6)
		return -1;
	__builtin_memcpy(packet->source, &ip.saddr, 16);
	__builtin_memcpy(packet->destination, &ip.daddr, 16);
	packet->protocol = ip.nexthdr;
	return read_transport(buffer, packet, bpf_ntohs(ip.payload_len));
}

/* The transport header's place is not asked for: on its way in, a packet has none for long. */
static __always_inline int read_packet(__u64 skb, struct buffer *buffer, struct packet *packet)
{
	__u16 protocol = 0, network = 0;

	buffer->head = read_word(skb, layout.skb_head);
	buffer->tail = read_u32(skb, layout.skb_tail);
	network = read_u32(skb, layout.skb_network_header);
	protocol = read_u32(skb, layout.skb_protocol);
	if (buffer->head == 0)
		return -1;
	buffer->at = network;
	if (protocol == bpf_htons(ETH_P_IP))
		return read_ipv4(buffer, packet);
	if (protocol == bpf_htons(ETH_P_IPV6))
		return read_ipv6(buffer, packet);
	return -1;
}

/* The host-side interface of the pod that has the address; 0: it is none of this node's. */
static __always_inline __u32 find_ifindex(const __u8 address[16])
{
	struct endpoint_key key;
	struct endpoint *endpoint;

	copy_address(key.address, address);
	endpoint = bpf_map_lookup_elem(&endpoints, &key);
	return endpoint ? endpoint->ifindex : 0;
}

/*
 * The one of these interfaces of the node that an interface of the namespace leads to; 0: none does, it is no namespace of
 * theirs. A veth keeps its peer in its first private word; of other drivers' devices that word is anything, so the peer must
 * have the same driver.
 */
static __always_inline __u32 find_way_in(__u64 net, __u32 destination, __u32 source)
{
	__u64 devices = net + layout.net_devices, node = read_word(net, layout.net_devices);

#pragma clang loop unroll(disable)
	for (int i = 0; i < MAX_DEVICES; i++) {
		__u64 device = node - layout.dev_list, peer, driver;
		__u32 ifindex;

		if (node == devices)
			return 0;
		peer = read_word(device, layout.dev_private);
		driver = read_word(device, layout.dev_link_ops);
		ifindex = read_u32(peer, layout.dev_ifindex);
		if (ifindex != 0 && (ifindex == destination || ifindex == source) && driver != 0 &&
		    read_word(peer, layout.dev_link_ops) == driver &&
		    read_u32(read_word(peer, layout.dev_net), layout.net_inum) == layout.own_inum)
			return ifindex;
		node = read_word(node, 0);
	}
	return 0;
}

/* Whose namespace it was: of the socket that refused it, of the interface it is on, of the socket that sent it. */
static __always_inline __u64 find_net(struct bpf_raw_tracepoint_args *ctx, __u64 skb, __u64 device)
{
	__u64 net = 0;

	if (layout.has_socket)
		net = read_word(ctx->args[3], layout.sock_net);
	if (net == 0)
		net = read_word(device, layout.dev_net);
	if (net == 0)
		net = read_word(read_word(skb, layout.skb_sk), layout.sock_net);
	return net;
}

SEC("raw_tp")
int packet_dropped(struct bpf_raw_tracepoint_args *ctx)
{
	__u64 skb = ctx->args[0], device, net;
	__u32 reason = ctx->args[2], told = told_protocols(reason), source, destination, ifindex;
	struct packet_event *event;
	struct packet packet = {};
	struct buffer buffer = {};
	__u64 length;
	__u8 place;

	if (!told || read_packet(skb, &buffer, &packet) < 0)
		return 0;
	if (!(told & (packet.protocol == IPPROTO_TCP ? DROP_TCP : DROP_UDP)))
		return 0;
	if (!is_event_port(packet.source_port) && !is_event_port(packet.destination_port))
		return 0;
	source = find_ifindex(packet.source);
	destination = find_ifindex(packet.destination);
	if (!source && !destination)
		return 0;
	device = read_word(skb, layout.skb_dev);
	net = find_net(ctx, skb, device);
	if (net == 0) {
		/* A socket's queue wrote over the interface: whoever has the destination received it. */
		if (!destination)
			return 0;
		place = PLACE_POD;
		ifindex = destination;
	} else if (read_u32(net, layout.net_inum) == layout.own_inum) {
		place = PLACE_NODE;
		ifindex = read_u32(device, layout.dev_ifindex);
	} else {
		place = PLACE_POD;
		ifindex = find_way_in(net, destination, source);
		if (ifindex == 0)
			return 0;
	}
	event = bpf_ringbuf_reserve(&events, DROP_RECORD_BYTES, 0);
	if (!event) {
		count(COUNTER_EVENTS_LOST);
		return 0;
	}
	event->time_ns = bpf_ktime_get_ns();
	event->ifindex = ifindex;
	event->delivered_ifindex = reason;
	copy_address(event->source, packet.source);
	copy_address(event->destination, packet.destination);
	__builtin_memset(event->translated, 0, sizeof(event->translated));
	event->source_port = packet.source_port;
	event->destination_port = packet.destination_port;
	event->translated_port = 0;
	event->hook = source ? HOOK_FROM_ENDPOINT : HOOK_TO_ENDPOINT;
	event->verdict = VERDICT_DROPPED;
	event->reason = REASON_NONE;
	event->protocol = packet.protocol;
	event->tcp_flags = packet.tcp_flags;
	event->place = place;
	event->payload_length = packet.payload_length;
	event->captured_length = 0;
	length = buffer.tail > buffer.at ? buffer.tail - buffer.at : 0;
	if (length > packet.payload_length)
		length = packet.payload_length;
	if (length > DROP_PAYLOAD_BYTES)
		length = DROP_PAYLOAD_BYTES;
	if (length > 0) {
		/* 1 to DROP_PAYLOAD_BYTES, in a form that every verifier believes. */
		length -= 1;
		asm volatile("%0 &= %1" : "+r"(length) : "i"(DROP_PAYLOAD_BYTES - 1));
		length += 1;
		if (bpf_probe_read_kernel(event->payload, length, (const void *)(buffer.head + buffer.at)) == 0)
			event->captured_length = length;
	}
	bpf_ringbuf_submit(event, BPF_RB_NO_WAKEUP);
	return 0;
}

char program_license[] SEC("license") = "Dual BSD/GPL";
