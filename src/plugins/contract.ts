/**
 * What a plugin's `setup.ts` is given and gives back. A setup reads its directive, refuses what it does not know by
 * name, and returns a live instance; it opens nothing before `onStart`. Plugins never import each other: what they
 * share goes through `Host` or through `Query.metadata`.
 */
import type { ClusterSnapshot, KindName } from '../cluster/snapshot.ts';
import type { Directive } from '../corefile/ast.ts';
import type { Message } from '../dns/message.ts';
import type { Name } from '../dns/name.ts';
import type { Plugin, Query, SocketAddress } from '../server/handler.ts';
import type { Readable } from '../store/store.ts';
import type { Clock } from '../telemetry/clock.ts';
import type { Log } from '../telemetry/log.ts';
import type { Metrics } from '../telemetry/metrics.ts';

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
}

/** What answers an HTTP GET: status and plain-text body. */
export type HttpAnswer = () =>
  | { status: number; body: string; contentType?: string }
  | Promise<{ status: number; body: string; contentType?: string }>;

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
  /** Starts (or shares) a watch; it ends with the instance. The snapshot's `synced` tells what has been listed. */
  cluster(need: ClusterNeed): Readable<ClusterSnapshot>;
  /** Serves GET `path` on `address` (`:8080`, `127.0.0.1:9153`); same address is shared over blocks. Listens at start. */
  http(address: string, path: string, answer: HttpAnswer): void;
  /** Asks this server itself, as if a client had, from the top of the chain (CNAME targets out of zone). */
  resolve(query: Query, name: Name, type: number): Promise<Message | undefined>;
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
  /** For `ready`: absent means the plugin has no opinion. */
  readonly ready?: () => boolean;
  /** Of `bind` only: addresses or interface names to listen on instead of the wildcard. */
  readonly listenOn?: readonly string[];
  /** Of `reload` only: how often the server looks at the Corefile again, in milliseconds. */
  readonly watchCorefile?: { readonly intervalMs: number; readonly jitterMs: number };
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
