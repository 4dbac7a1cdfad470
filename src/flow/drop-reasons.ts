/**
 * Why packets are dropped: flow.DropReason (flow.proto of Cilium 1.19) by its numbers, and what the kernel's own reasons are in
 * those words. We drop nothing ourselves.
 */
const FIRST = 130;

/** From 130 on, in order; `-` is a number that was never given. */
const WORDS = `
INVALID_SOURCE_MAC INVALID_DESTINATION_MAC INVALID_SOURCE_IP POLICY_DENIED INVALID_PACKET_DROPPED
CT_TRUNCATED_OR_INVALID_HEADER CT_MISSING_TCP_ACK_FLAG CT_UNKNOWN_L4_PROTOCOL CT_CANNOT_CREATE_ENTRY_FROM_PACKET
UNSUPPORTED_L3_PROTOCOL MISSED_TAIL_CALL ERROR_WRITING_TO_PACKET UNKNOWN_L4_PROTOCOL UNKNOWN_ICMPV4_CODE
UNKNOWN_ICMPV4_TYPE UNKNOWN_ICMPV6_CODE UNKNOWN_ICMPV6_TYPE ERROR_RETRIEVING_TUNNEL_KEY
ERROR_RETRIEVING_TUNNEL_OPTIONS INVALID_GENEVE_OPTION UNKNOWN_L3_TARGET_ADDRESS STALE_OR_UNROUTABLE_IP
NO_MATCHING_LOCAL_CONTAINER_FOUND ERROR_WHILE_CORRECTING_L3_CHECKSUM ERROR_WHILE_CORRECTING_L4_CHECKSUM
CT_MAP_INSERTION_FAILED INVALID_IPV6_EXTENSION_HEADER IP_FRAGMENTATION_NOT_SUPPORTED SERVICE_BACKEND_NOT_FOUND -
NO_TUNNEL_OR_ENCAPSULATION_ENDPOINT FAILED_TO_INSERT_INTO_PROXYMAP REACHED_EDT_RATE_LIMITING_DROP_HORIZON
UNKNOWN_CONNECTION_TRACKING_STATE LOCAL_HOST_IS_UNREACHABLE NO_CONFIGURATION_AVAILABLE_TO_PERFORM_POLICY_DECISION
UNSUPPORTED_L2_PROTOCOL NO_MAPPING_FOR_NAT_MASQUERADE UNSUPPORTED_PROTOCOL_FOR_NAT_MASQUERADE FIB_LOOKUP_FAILED
ENCAPSULATION_TRAFFIC_IS_PROHIBITED INVALID_IDENTITY UNKNOWN_SENDER NAT_NOT_NEEDED IS_A_CLUSTERIP
FIRST_LOGICAL_DATAGRAM_FRAGMENT_NOT_FOUND FORBIDDEN_ICMPV6_MESSAGE DENIED_BY_LB_SRC_RANGE_CHECK
SOCKET_LOOKUP_FAILED SOCKET_ASSIGN_FAILED PROXY_REDIRECTION_NOT_SUPPORTED_FOR_PROTOCOL POLICY_DENY VLAN_FILTERED
INVALID_VNI INVALID_TC_BUFFER NO_SID MISSING_SRV6_STATE NAT46 NAT64 AUTH_REQUIRED CT_NO_MAP_FOUND
SNAT_NO_MAP_FOUND INVALID_CLUSTER_ID UNSUPPORTED_PROTOCOL_FOR_DSR_ENCAP NO_EGRESS_GATEWAY UNENCRYPTED_TRAFFIC
TTL_EXCEEDED NO_NODE_ID DROP_RATE_LIMITED IGMP_HANDLED IGMP_SUBSCRIBED MULTICAST_HANDLED DROP_HOST_NOT_READY
DROP_EP_NOT_READY DROP_NO_EGRESS_IP DROP_PUNT_PROXY DROP_NO_DEVICE`
  .trim()
  .split(/\s+/);

export const DROP_REASONS: ReadonlyMap<number, string> = new Map([
  [0, 'DROP_REASON_UNKNOWN'],
  ...WORDS.map((word, index) => [FIRST + index, word] as const).filter(([, word]) => word !== '-'),
]);

/**
 * Where Cilium has a word that means the same. A rule of netfilter is somebody's policy; that conntrack drops by the same
 * word of the kernel's, the flow's summary says.
 */
const NEAREST: Readonly<Record<string, string>> = {
  NETFILTER_DROP: 'POLICY_DENIED',
  NO_SOCKET: 'SOCKET_LOOKUP_FAILED',
  IP_RPFILTER: 'INVALID_SOURCE_IP',
  IP_INVALID_SOURCE: 'INVALID_SOURCE_IP',
  IP_LOCAL_SOURCE: 'INVALID_SOURCE_IP',
  MAC_INVALID_SOURCE: 'INVALID_SOURCE_MAC',
  IP_OUTNOROUTES: 'FIB_LOOKUP_FAILED',
  IP_INNOROUTES: 'FIB_LOOKUP_FAILED',
  PKT_TOO_SMALL: 'INVALID_PACKET_DROPPED',
  HDR_TRUNC: 'INVALID_PACKET_DROPPED',
  IP_INHDR: 'INVALID_PACKET_DROPPED',
  IP_CSUM: 'INVALID_PACKET_DROPPED',
  UDP_CSUM: 'INVALID_PACKET_DROPPED',
  TCP_CSUM: 'INVALID_PACKET_DROPPED',
  SKB_CSUM: 'INVALID_PACKET_DROPPED',
};

export interface HubbleDropReason {
  readonly number: number;
  readonly word: string;
}

const UNKNOWN: HubbleDropReason = { number: 0, word: 'DROP_REASON_UNKNOWN' };
const KNOWN: ReadonlyMap<string, HubbleDropReason> = new Map(
  [...DROP_REASONS].map(([number, word]) => [word, { number, word }] as const),
);

/** `kernelWord` as `Datapath.dropReason` has it. */
export function hubbleDropReason(kernelWord: string): HubbleDropReason {
  return KNOWN.get(NEAREST[kernelWord] ?? '') ?? UNKNOWN;
}

const TEXTS: Readonly<Record<string, string>> = {
  NETFILTER_DROP: 'by a rule of netfilter, or by conntrack',
  NO_SOCKET: 'nobody listens there',
  SOCKET_RCVBUFF: 'the receive buffer of the socket is full',
  SOCKET_FILTER: "by the socket's own filter",
  SOCKET_CLOSE: 'the socket was closed',
  QUEUE_PURGE: 'the socket was closed before anybody read it',
  PROTO_MEM: 'sockets have used up their memory',
  UDP_CSUM: 'wrong checksum',
  TCP_CSUM: 'wrong checksum',
  IP_CSUM: 'wrong checksum',
  IP_RPFILTER: 'the way back to its source is another one',
  IP_OUTNOROUTES: 'no route to its destination',
  IP_INNOROUTES: 'no route to its destination',
  NEIGH_FAILED: 'its destination does not answer ARP or neighbour discovery',
  NEIGH_QUEUEFULL: 'too many wait for ARP or neighbour discovery',
  QDISC_DROP: 'the queue of an interface is full',
  CPU_BACKLOG: 'the queue of a processor is full',
  TC_INGRESS: 'by a tc program or filter',
  TC_EGRESS: 'by a tc program or filter',
  BPF_CGROUP_EGRESS: 'by a BPF program of a cgroup',
  XDP: 'by an XDP program',
  DEV_READY: 'the interface is down',
  TCP_LISTEN_OVERFLOW: 'the queue of the listening socket is full',
  IPV6DISABLED: 'IPv6 is disabled',
};

/** What the kernel's word means, for those that happen to DNS. */
export function dropText(kernelWord: string): string | undefined {
  return TEXTS[kernelWord];
}
