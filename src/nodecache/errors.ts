/** What can keep the node cache from starting, beyond what keeps the DNS server. */
export const NODECACHE_ERRORS = {
  NODECACHE_FLAGS: {
    cause: 'A flag of the node cache has a value that it cannot have.',
    cure: 'Correct the flag named in the message; `-help` lists all of them.',
  },
  NODECACHE_CONFIG: {
    cause: 'A key of the kube-dns ConfigMap does not hold what it should.',
    cure: 'Correct the key named in the message; until then the last good configuration stays in force.',
  },
  NODECACHE_NAMESERVERS: {
    cause: 'A server that the kube-dns ConfigMap names is not an address with or without a port.',
    cure: 'Name servers by their addresses; until then the last good configuration stays in force.',
  },
} as const;

export type NodeCacheErrorCode = keyof typeof NODECACHE_ERRORS;
