/** What can keep the node cache from starting, beyond what keeps the DNS server. */
export const NODECACHE_ERRORS = {
  NODECACHE_FLAGS: {
    cause: 'A flag of the node cache has a value that it cannot have.',
    cure: 'Correct the flag named in the message; `-help` lists all of them.',
  },
  NODECACHE_INTERFACE_UNBUILT: {
    cause: 'The node cache was asked to make its own network interface, which is the default.',
    cure: 'Pass `-setupinterface=false`; the agent brings the queries, or make the interface beforehand.',
  },
  NODECACHE_IPTABLES_UNBUILT: {
    cause: 'The node cache was asked to write packet filter rules, which is the default.',
    cure: 'Pass `-setupiptables=false`; the agent brings the queries without such rules.',
  },
  NODECACHE_CONFIG: {
    cause: 'A key of the kube-dns ConfigMap does not hold what it should.',
    cure: 'Correct the key named in the message; until then the last good configuration stays in force.',
  },
} as const;

export type NodeCacheErrorCode = keyof typeof NODECACHE_ERRORS;
