/**
 * What a plugin's `setup.ts` is given and gives back. A setup reads its directive, refuses what it does not know by
 * name, and returns a live instance; it opens nothing before `onStart`. Plugins never import each other: what they
 * share goes through `Host` or through `Query.metadata`.
 */
import type { EndpointRow, EndpointSliceRow, ServiceRow } from '../cluster/rows.ts';
import type { ClusterSnapshot, KindName } from '../cluster/snapshot.ts';
import type { Directive } from '../corefile/ast.ts';
import type { Message, ResourceRecord } from '../dns/message.ts';
import type { Name } from '../dns/name.ts';
import type { Ip } from '../net/ip.ts';
import type { Plugin, Query, SocketAddress } from '../server/handler.ts';
import type { ListenerTimeouts, ListenerTls } from '../server/listener-options.ts';
import type { Readable } from '../store/store.ts';
import type { Clock } from '../telemetry/clock.ts';
import type { Log } from '../telemetry/log.ts';
import type { Metrics } from '../telemetry/metrics.ts';
import type { AnswerCache, RouteTotals } from '../wirecache/contract.ts';

export interface BlockInfo {
  /** The block's own zones, lower case and fully qualified, one per key after CIDR expansion. */
  readonly zones: readonly Name[];
  /** Metric label of the block's first listener: `dns://:53`, `dns://10.96.0.10:53`. */
  readonly server: string;
}

export interface ClusterNeed {
  readonly kinds: readonly KindName[];
  readonly endpoint?: string;
  readonly kubeconfig?: { readonly file: string; readonly context?: string };
  readonly tls?: { readonly cert: string; readonly key: string; readonly ca: string };
  readonly labelSelector?: string;
  readonly namespaceLabelSelector?: string;
  readonly podFieldSelector?: string;
  /** How hard the API server may be asked: requests a second with what may come at once, and without answer yet. */
  readonly limits?: { readonly perSecond?: number; readonly burst?: number; readonly inFlight?: number };
}

/** What answers an HTTP GET: status and plain-text body. */
export type HttpAnswer = () =>
  | { status: number; body: string; contentType?: string }
  | Promise<{ status: number; body: string; contentType?: string }>;

/** A zone's records in transfer order, SOA first and last (RFC 5936), in messages of the size the provider likes. */
export type ZoneTransfer = (
  zone: Name,
  /** Of IXFR: an unchanged zone is answered with its SOA alone (RFC 1995 section 2). */
  sinceSerial: number | undefined,
) => Iterable<readonly ResourceRecord[]> | undefined;

/** The suffixes that a client's resolver tries, for `autopath @kubernetes`; nothing for clients it does not know. */
export type SearchPath = (query: Query) => readonly Name[] | undefined;

/** The services a block knows, for names that say nothing of the cluster's own zone (`k8s_external`). */
export interface ClusterNames {
  /** Everything has been listed once, so that what is missing does not exist. */
  synced(): boolean;
  /** Unix seconds of the last change that can change an answer. */
  serial(): number;
  /** The namespace exists and may be seen; the functions below do not look at that. */
  namespaceShown(namespace: string): boolean;
  service(namespace: string, name: string): ServiceRow | undefined;
  slicesOf(namespace: string, service: string): readonly EndpointSliceRow[];
  /** Services that may be seen and are reached from outside at this address. */
  servicesOutsideAt(address: Ip): readonly ServiceRow[];
  /** Of all namespaces. */
  services(): Iterable<ServiceRow>;
  /** The label that stands for an endpoint in front of its service's name. */
  endpointLabel(endpoint: EndpointRow, address: Ip): string;
  /** Slices that this server itself is an endpoint of. */
  ownSlices(): readonly EndpointSliceRow[];
  /** This machine's addresses without loopback. */
  localAddresses(): readonly Ip[];
  /** Called after each change with the services it concerns, and the outside addresses they have or had. */
  onChanged(listener: (change: ServicesChange) => void): void;
}

export interface ServicesChange {
  /** Too much for a list: anything may have changed. */
  readonly all: boolean;
  readonly services: readonly { readonly namespace: string; readonly name: string }[];
  readonly addresses: readonly Ip[];
}

/** What the other instances of the same block offer. Asked when a query comes, since all are set up only then. */
export interface Neighbours {
  /** The words of the plugins in the chain, in order. */
  readonly chain: readonly string[];
  /** Writes facts into `query.metadata`, for `metadata`. */
  readonly describers: readonly ((query: Query) => void)[];
  readonly transfers: readonly ZoneTransfer[];
  readonly searchPath: (word: string) => SearchPath | undefined;
  readonly clusterNames?: ClusterNames | undefined;
}

/** What an administrator may ask of a cache while it runs. */
export interface CacheControl {
  readonly zones: readonly Name[];
  /** A line of text per entry, newest knowledge; ends when all are told. */
  dump(): Iterable<string>;
  lookup(name: Name): readonly string[];
  /** How many entries went. With `below`, everything under the name as well. */
  flush(name: Name, options?: { below?: boolean }): number;
  /** For the process that takes over. */
  exportEntries(): Iterable<Uint8Array>;
  /** `isAnsweredBefore`: what plugins in front of the cache answer by themselves, which is never looked for in it. */
  importEntry(entry: Uint8Array, isAnsweredBefore?: (name: Name, type: number) => boolean): boolean;
}

/** Of answers that packet threads gave without the chain: what one route adds up to since the last time. */
export type ReplayTotals = RouteTotals;

/**
 * What a plugin that stands before `cache` does to an answer that the cache has. A packet thread gives such an answer
 * itself when every plugin before `cache` says that it may; one that is silent keeps the whole block on the chain.
 */
export type Replay =
  /** Leaves it alone, or answers such questions before they could ever reach the cache. */
  | { readonly does: 'nothing' }
  | { readonly does: 'shuffle' }
  /** Lowers the size that a client advertised. */
  | { readonly does: 'limit'; readonly bytes: number }
  | { readonly does: 'count'; readonly add: (server: string, zone: Name, totals: ReplayTotals) => void }
  /** Wants to hear of each query: `reply` is as sent. */
  | { readonly does: 'log'; readonly write: (query: Query, reply: Uint8Array, seconds: number) => void }
  | {
      readonly does: 'keep';
      /** Of `wirecache`: where the block's answers are. */
      readonly partition: number;
      readonly add: (server: string, totals: ReplayTotals) => void;
    };

export interface Host {
  /** Lines come out as `[LEVEL] plugin/NAME: text`. */
  readonly log: Log;
  /** Lines come out as `[LEVEL] text`, without the plugin's name: for `log`, and nobody else. */
  readonly plainLog: Log;
  readonly metrics: Metrics;
  readonly clock: Clock;
  /** Uniform in [0, 1). */
  readonly random: () => number;
  /** Directory that relative paths in the Corefile start from. */
  readonly directory: string;
  /** For `cache`: the memory that all answers of the process share. */
  readonly answers: AnswerCache;
  /** Starts (or shares) a watch; it ends with the instance. The snapshot's `synced` tells what has been listed. */
  cluster(need: ClusterNeed): Readable<ClusterSnapshot>;
  /** Serves GET `path` on `address` (`:8080`, `127.0.0.1:9153`); same address is shared over blocks. Listens at start. */
  http(address: string, path: string, answer: HttpAnswer): void;
  /** Asks this server itself, as if a client had, from the top of the chain (CNAME targets out of zone). */
  resolve(query: Query, name: Name, type: number): Promise<Message | undefined>;
  /**
   * Names whose answers have just changed: the caches of the block forget them and all below them. Cheap to call with
   * many names at once; call it once for each change of the world, not once for each name.
   */
  recordsChanged(names: readonly Name[]): void;
  /** For caches; ends with the instance. */
  onRecordsChanged(forget: (names: readonly Name[]) => void): void;
  /** The other plugins of the block; only once queries come. */
  neighbours(): Neighbours;
  /** A client's EDNS option with this code is echoed in replies, beside those of dns-server 2.3. */
  keepEdnsOption(code: number): void;
  /** All ready() of the process by plugin name, for `ready`. */
  readiness(): ReadonlyMap<string, boolean>;
}

export interface SetupContext {
  /** Every occurrence of this plugin's word in the block, in file order; at least one. */
  readonly directives: readonly Directive[];
  readonly block: BlockInfo;
  readonly host: Host;
}

export interface PluginInstance {
  /** Absent for words that only configure (bind, health, ready, reload, …). */
  readonly plugin?: Plugin;
  /** False when the plugin hands such a question on untouched whatever it knows; absent means it looks at all. */
  readonly handles?: (name: Name, type: number) => boolean;
  /** For `ready`: absent means the plugin has no opinion. */
  readonly ready?: () => boolean;
  /** Of `bind` only: addresses or interface names to listen on instead of the wildcard. */
  readonly listenOn?: readonly string[];
  /** Of `reload` only: how often the server looks at the Corefile again, in milliseconds. */
  readonly watchCorefile?: { readonly intervalMs: number; readonly jitterMs: number };
  /** Of `root` only: where relative paths start, for the words set up after it. */
  readonly directory?: string;
  /** Of `debug` only: `[DEBUG]` lines are printed, and a handler that throws ends the process. */
  readonly debug?: true;
  /** Of `errors` only: the line about a handler that threw says where. */
  readonly stacktrace?: true;
  /** Of `tls` only: how listeners of `tls://` keys of this block prove who they are. */
  readonly tls?: ListenerTls;
  /** Of `timeouts` only. */
  readonly timeouts?: ListenerTimeouts;
  /** Of `multisocket` only: sockets, and packet threads, for each address of this block. */
  readonly sockets?: number;
  /** Of `view` only: the name for metrics, and whether the block takes the query. */
  readonly view?: { readonly name: string; readonly accepts: (query: Query) => boolean };
  /** Writes what the plugin knows about a query into its metadata; called where `metadata` stands in the block. */
  readonly describe?: (query: Query) => void;
  readonly transfer?: ZoneTransfer;
  readonly searchPath?: SearchPath;
  readonly clusterNames?: ClusterNames;
  readonly cacheControl?: CacheControl;
  /** Of plugins before and including `cache`. */
  readonly replay?: Replay;
  /**
   * Why two clients may get different answers to one question, in words that follow `because`; absent where that cannot be. Such
   * a block's answers are not given by the kernel, which keeps one answer for all.
   */
  readonly dependsOnClient?: string;
  /** Queries of a class other than IN reach the chain (chaos, forward). */
  readonly anyClass?: boolean;
  /** Before the sockets open: `kubernetes` waits here for its first lists. */
  readonly onStart?: () => void | Promise<void>;
  /** After the sockets opened, with the addresses they got: `loop` sends its probe. */
  readonly onStarted?: (listeners: readonly SocketAddress[]) => void;
  /** At a reload, when a new instance has taken over, and when the process goes. */
  readonly onShutdown?: () => void | Promise<void>;
  /** Only when the process goes, after every `onShutdown`: `health` waits here while the listeners go on answering. */
  readonly onFinalShutdown?: () => void | Promise<void>;
}

/** Throws an `AppError` with the position of the offending token when the directive is wrong. */
export type Setup = (context: SetupContext) => PluginInstance;
