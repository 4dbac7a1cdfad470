/**
 * What one node tells of itself: read on the node, changed by nobody. Every part is taken in the host's network namespace
 * unless it says otherwise. Everything that names a limit is cut there by whoever gathers it, so a site stays small on a
 * node with a million connections.
 */
import type { HookOwner } from '../../datapath/hooks/hook-set.ts';
import type { Ip } from '../../net/ip.ts';
import type { Protocol } from '../../net/port.ts';
import type { Known } from './known.ts';

export interface NodeFacts {
  readonly interfaces: Known<readonly InterfaceFact[]>;
  readonly rules: Known<readonly RuleFact[]>;
  readonly proxy: Known<ProxyFact>;
  /** Sockets bound to one of `WATCHED_PORTS`. */
  readonly sockets: Known<readonly SocketFact[]>;
  readonly conntrack: Known<ConntrackFact>;
  /** The node's own, as a pod with dnsPolicy Default gets it; the file that kubelet was told, if it was told another. */
  readonly resolvConf: Known<ResolvConfFact>;
  readonly kernel: Known<KernelFact>;
  /** Whose programs hang on the interfaces and cgroups. */
  readonly hooks: Known<readonly HookFact[]>;
  /** Those of interest: DNS servers, proxies, agents of CNIs. */
  readonly processes: Known<readonly ProcessFact[]>;
  /** The lock that every iptables of the node queues for. */
  readonly xtablesLock: Known<LockFact>;
}

/** Of DNS, of health and metrics of node-cache and CoreDNS. */
export const WATCHED_PORTS = [53, 8080, 9253, 9353] as const;

export interface InterfaceFact {
  readonly name: string;
  readonly ifindex: number;
  /** IFLA_INFO_KIND: `dummy`, `veth`, `bridge`, ...; empty for a device without one. */
  readonly kind: string;
  readonly up: boolean;
  readonly addresses: readonly Ip[];
}

/** A rule of netfilter that names port 53, 8080, a link-local address or a cluster IP of DNS; at most 2,000. */
export interface RuleFact {
  /** The table the kernel really keeps it in: `nft` also for rules that iptables-nft wrote. */
  readonly backend: 'nft' | 'iptables-legacy';
  readonly family: 'ip' | 'ip6' | 'inet';
  readonly table: string;
  readonly chain: string;
  /** `notrack`, `accept`, `drop`, `reject`, `dnat`, `jump` ... in lower case. */
  readonly verdict: string;
  readonly destination?: Ip;
  readonly source?: Ip;
  readonly protocol?: Protocol;
  readonly destinationPort?: number;
  readonly sourcePort?: number;
  readonly comment?: string;
  readonly packets?: number;
  /** The rule as its tool prints it: what is shown as evidence, and by which duplicates are known. */
  readonly text: string;
}

export interface ProxyFact {
  /** `none`: nothing of kube-proxy is there, whatever serves services instead. */
  readonly mode: 'iptables' | 'nftables' | 'ipvs' | 'none';
  /** What that was read from: chain names, interface kube-ipvs0, an answer of :10249/proxyMode. */
  readonly evidence: string;
  /** Addresses of kube-ipvs0; empty without it. */
  readonly ipvsAddresses: readonly Ip[];
}

export interface SocketFact {
  readonly protocol: Protocol;
  /** 0.0.0.0 or :: for all addresses. */
  readonly address: Ip;
  readonly port: number;
  /** Of the process that holds it; absent when that could not be found. */
  readonly pid?: number;
  readonly command?: string;
}

export interface ConntrackFact {
  readonly count?: number;
  readonly max?: number;
  /** Sums over all processors since boot: `insert_failed`, `drop`, `early_drop`, `search_restart`, ... */
  readonly counters: Readonly<Record<string, number>>;
  /** The same a moment earlier, and how long before; absent when it was read once. */
  readonly before?: { readonly counters: Readonly<Record<string, number>>; readonly agoMs: number };
  /** Entries to port 53; at most 4,096. */
  readonly entries: readonly ConntrackEntry[];
  readonly entriesOmitted: number;
}

export interface ConntrackEntry {
  readonly protocol: Protocol;
  readonly source: Ip;
  readonly sourcePort: number;
  readonly destination: Ip;
  readonly destinationPort: number;
  /** Who the reply is expected from: another than `destination` after DNAT. */
  readonly replySource: Ip;
  readonly replySourcePort: number;
  readonly unreplied: boolean;
  readonly timeoutSeconds: number;
}

export interface ResolvConfFact {
  readonly path: string;
  readonly nameservers: readonly string[];
  readonly search: readonly string[];
  readonly options: readonly string[];
}

export interface KernelFact {
  /** As of uname. */
  readonly release: string;
  /** Each found by trying or looking, not by the release. */
  readonly features: Readonly<
    Record<'btf' | 'cgroup2' | 'bpfLink' | 'tcx' | 'netkit' | 'socketCookieOfNetns', boolean>
  >;
}

export interface HookFact {
  /** Of an interface, with its direction, or of a cgroup: `eth0 ingress`, `cgroup connect4`. */
  readonly place: string;
  /** In the order they run. */
  readonly owners: readonly (
    | HookOwner
    | { readonly kind: 'cgroup'; readonly name: string; readonly id: number }
  )[];
}

export interface ProcessFact {
  readonly pid: number;
  /** /proc/PID/comm. */
  readonly command: string;
  /** At most 64 of at most 256 characters. */
  readonly args: readonly string[];
  /** It lives in a pod's network and not in the node's; absent where that could not be looked at. */
  readonly inPod?: boolean;
  /** Milliseconds since the epoch. */
  readonly startedAtMs?: number;
  /** Its memory limit and what it uses (RSS), in bytes. */
  readonly memory?: { readonly limit?: number; readonly used: number };
  /** /etc/resolv.conf as this process sees it in its own mount namespace. */
  readonly resolvConf?: ResolvConfFact;
}

/** Process ids; -1 is a process of another namespace of processes. */
export interface LockFact {
  readonly path: string;
  readonly holders: readonly number[];
  readonly waiting: readonly number[];
}
