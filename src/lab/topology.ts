/**
 * What the lab is made of: names, addresses and paths, as data. Everything the lab makes on the machine carries the
 * prefix `zerohop-`, so that leftovers of a crash can be told from what is not ours.
 */
export const LAB_PREFIX = 'zerohop-';

/** A tmpfs of the lab's own: certificates, sockets, pod files and logs go with it. */
export const LAB_DIRECTORY = '/run/zerohop/lab';
/** Outlives the tmpfs: tells who runs the lab. */
export const OWNER_FILE = '/run/zerohop/lab.owner';

export const LAB_PATHS = {
  api: `${LAB_DIRECTORY}/api.sock`,
  agents: `${LAB_DIRECTORY}/agents`,
  beats: `${LAB_DIRECTORY}/beats`,
  bpf: `${LAB_DIRECTORY}/bpf`,
  hubble: `${LAB_DIRECTORY}/hubble`,
  logs: `${LAB_DIRECTORY}/logs`,
  pki: `${LAB_DIRECTORY}/pki`,
  pods: `${LAB_DIRECTORY}/pods`,
  relay: `${LAB_DIRECTORY}/relay.sock`,
} as const;

export interface LabNode {
  readonly name: string;
  readonly address: string;
  /** First three octets of the node's pod range, a /24. */
  readonly podPrefix: string;
}

export const CONTROL_NODE: LabNode = { name: 'k8s-ctr', address: '192.168.10.100', podPrefix: '172.20.0' };
export const WORKER_NODE: LabNode = { name: 'k8s-w1', address: '192.168.10.101', podPrefix: '172.20.1' };
export const NODES: readonly LabNode[] = [CONTROL_NODE, WORKER_NODE];

/** The router of the lab: joins the nodes and holds the resolver that stands for the internet. */
export const INTERNET = { name: 'internet', address: '192.168.10.1', resolver: '10.0.2.3' } as const;

export const API_PORT = 6443;
export const API_SERVICE_ADDRESS = '10.96.0.1';
export const DNS_SERVICE_ADDRESS = '10.96.0.10';
export const CLUSTER_DOMAIN = 'cluster.local';

/** Where kubectl finds the API server from the machine's own namespace; loopback only, no credentials asked. */
export const KUBECTL_PORT = 18080;

export function nodeNamespace(node: { readonly name: string }): string {
  return `${LAB_PREFIX}${node.name}`;
}

export function podNamespace(pod: string): string {
  return `${LAB_PREFIX}pod-${pod}`;
}

export function podDirectory(pod: string): string {
  return `${LAB_PATHS.pods}/${pod}`;
}

export function agentSocket(node: { readonly name: string }): string {
  return `${LAB_PATHS.agents}/${node.name}.sock`;
}

/** Where the caches of a node find its agent: a directory for each node, as one is mounted into their pods elsewhere. */
export function heartbeatSocket(node: { readonly name: string }): string {
  return `${LAB_PATHS.beats}/${node.name}/beat.sock`;
}

/** Where the machine finds Hubble's API of a node. */
export function hubbleSocket(node: { readonly name: string }): string {
  return `${LAB_PATHS.hubble}/${node.name}.sock`;
}

/** Hubble's port of a node (spec hubble 7.1); inside the lab's nodes, and without TLS. */
export const HUBBLE_PORT = 4244;

export function hubbleAddress(node: LabNode): string {
  return `${node.address}:${HUBBLE_PORT}`;
}

/** Hubble's API of all nodes, as a stock client looks for it, on loopback of the machine's own namespace. */
export const RELAY_PORT = 4245;

export function relayAddress(): string {
  return `${CONTROL_NODE.address}:${RELAY_PORT}`;
}

export function namespacePath(netns: string): string {
  return `/run/netns/${netns}`;
}
