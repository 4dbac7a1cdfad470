/**
 * The socket path: programs at connect, sendmsg, recvmsg and getpeername of every process, which redirect those of the
 * node's own namespace (and of its pods, when wanted) by the same maps as the packet programs. It holds the maps and
 * timers of this path; links and maps are pinned, so closing changes nothing for anybody.
 * Must stay true: namespaces that are not this node's are never touched, also where several nodes share one machine.
 * Where it cannot be opened the packet path works alone, and the status says why.
 */
import { errorText } from '../../fault/app-error.ts';
import type { BpfMap } from '../../sys/bpf-map.ts';
import { openLibc } from '../../sys/libc.ts';
import { listNamespaces } from '../../sys/netns/namespaces.ts';
import {
  BPF_PROG_TYPE_CGROUP_SOCK,
  BPF_PROG_TYPE_CGROUP_SOCK_ADDR,
  CGROUP_ATTACH_TYPES,
} from '../../sys/socket-programs/cgroup-link.ts';
import type { Clock, Timer } from '../../telemetry/clock.ts';
import type { Log } from '../../telemetry/log.ts';
import { loadPrograms } from '../kernel/load-program.ts';
import { CallerTable } from './caller-table.ts';
import { type CgroupRoot, cgroupsBelow, withCgroupRoot } from './cgroup-root.ts';
import { readCookie } from './cookie.ts';
import type { OtherBackends } from './other-backends.ts';
import { SOCKET_OBJECT } from './programs.gen.ts';
import type { RedirectMaps } from './redirect-state.ts';
import { retireSocketPath } from './retire.ts';
import { ServerTable } from './server-table.ts';
import { SocketCounterTable } from './socket-counters.ts';
import { SOCKET_HOOKS, SocketLinks } from './socket-links.ts';
import { openSocketMaps } from './socket-maps.ts';
import { SocketMover } from './socket-mover.ts';
import type { SocketHookOwner, SocketPathStatus, SocketScope } from './socket-status.ts';
import { endStaleSockets } from './stale-sockets.ts';

export interface SocketPathOptions {
  readonly scope: SocketScope;
  /** What the operator says; else it is looked for. */
  readonly cgroupRoot?: string;
  /** Connected UDP sockets that bypass a redirect when it becomes active are ended. Absent: they stay. */
  readonly moveFrom?: OtherBackends;
  /** Directories on a bpffs: of the maps and of the links of this path. */
  readonly pins: { readonly maps: string; readonly links: string };
  /** Those of the packet programs: frontends, slots, backends, health, beats; they stay the caller's. */
  readonly maps: ReadonlyMap<string, BpfMap>;
  /**
   * How the node's namespace knows those of its pods, and whether their packets are redirected: sockets of those whose
   * are not are left alone, too. Asked only in scope `all`, once a second.
   */
  readonly podNetnsIds: () => ReadonlyMap<number, boolean>;
  readonly log: Pick<Log, 'info' | 'warning' | 'error'>;
  readonly clock: Clock;
  readonly random: () => number;
  /** How old a heartbeat may be. Default: 400. */
  readonly beatDeadlineMs?: number;
  /** For tests: false as on kernels before 5.14. */
  readonly askSocket?: boolean;
}

const TICK_MS = 1000;
/** Backends that went without our being told, by way of an agent before us. */
const SWEEP_TICKS = 5;
/** A namespace of one id can be another one (a pod that came anew between two ticks), and others come and go. */
const REWRITE_TICKS = 30;

export class SocketPath {
  readonly #options: SocketPathOptions;
  readonly #own: ReadonlyMap<string, BpfMap>;
  readonly #callers: CallerTable;
  readonly #servers: ServerTable;
  readonly #counters: SocketCounterTable;
  readonly #links: SocketLinks;
  readonly #mover: SocketMover | undefined;
  #moved = 0;
  #root: Pick<CgroupRoot, 'path' | 'whole'> = { path: '', whole: false };
  #others: readonly SocketHookOwner[] = [];
  /** An agent before us served more namespaces than we do: their sockets are still theirs to be ended. */
  readonly #everywhere: boolean;
  readonly #problems = new Map<string, string>();
  #podIds: ReadonlyMap<number, boolean> = new Map();
  #missing = false;
  #ended = 0;
  #ticks = 0;
  #timer: Timer | undefined;
  #sweeping: Promise<void> | undefined;
  #sweepAgain = false;
  #closed = false;

  /** Throws an `AppError` that names what the machine lacks; what an earlier agent left stays as it was then. */
  constructor(options: SocketPathOptions) {
    this.#options = options;
    this.#own = openSocketMaps(options.pins.maps);
    try {
      this.#callers = new CallerTable({ map: this.#map('callers'), readCookie: () => this.#readCookie() });
      this.#servers = new ServerTable({
        servers: this.#map('servers'),
        backends: required(options.maps, 'backends'),
      });
      this.#everywhere = options.scope === 'host' && this.#callers.size > 1;
      this.#counters = new SocketCounterTable(this.#map('socket_counters'));
      this.#links = new SocketLinks(options.pins.links);
      this.#mover = options.moveFrom && this.#createMover(options.moveFrom);
      this.#attach();
      this.#writeCallers();
      this.#servers.write();
      this.#scheduleTick();
    } catch (error) {
      closeMaps(this.#own);
      throw error;
    }
  }

  status(): SocketPathStatus {
    return {
      scope: this.#options.scope,
      cgroup: this.#root.path,
      whole: this.#root.whole,
      others: this.#others,
      callers: this.#callers.size,
      ...(this.#closed ? {} : { counters: this.#counters.read() }),
      ended: this.#ended,
      ...(this.#mover === undefined ? {} : { moved: this.#moved }),
      problems: [...this.#problems.values()],
    };
  }

  /** Ends what is stale, now. Resolves when all namespaces have been looked at. */
  sweep(): Promise<void> {
    if (this.#sweeping !== undefined) {
      this.#sweepAgain = true;
      return this.#sweeping;
    }
    this.#sweeping = this.#sweepUntilDone().finally(() => {
      this.#sweeping = undefined;
    });
    return this.#sweeping;
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#timer?.cancel();
    closeMaps(this.#own);
  }

  /** Takes the programs off the cgroup and the maps out of the pins: sockets go their ordinary way. */
  remove(): void {
    this.close();
    retireSocketPath(this.#options.pins);
  }

  #attach(): void {
    const all = new Map([...this.#options.maps, ...this.#own]);
    const kinds = Object.fromEntries(
      SOCKET_HOOKS.map((hook) => [
        hook,
        {
          programType: hook === 'sock_release' ? BPF_PROG_TYPE_CGROUP_SOCK : BPF_PROG_TYPE_CGROUP_SOCK_ADDR,
          attachType: CGROUP_ATTACH_TYPES[hook],
        },
      ]),
    );
    const { beatDeadlineMs } = this.#options;
    const globals = beatDeadlineMs === undefined ? {} : { beat_deadline_ns: nanoseconds(beatDeadlineMs) };
    const programs = loadPrograms({ object: SOCKET_OBJECT, maps: all, globals, kinds });
    try {
      withCgroupRoot(this.#options.cgroupRoot, (root) => {
        this.#links.attach(programs, root);
        this.#others = this.#links.others(root);
        this.#root = root;
      });
    } finally {
      for (const fd of programs.values()) openLibc().close(fd);
    }
    if (!this.#root.whole) {
      this.#problem(
        'part',
        `only processes below ${this.#root.path} are redirected: it is not the root of cgroup v2`,
      );
    }
    this.#tellOrder();
  }

  #tellOrder(): void {
    const ahead = this.#others.filter((other) => other.ahead);
    if (ahead.length === 0) this.#problems.delete('ahead');
    else {
      const names = ahead.map((other) => `${other.name} at ${other.hook}`).join(', ');
      this.#problem(
        'ahead',
        `what others translate first is never seen (order needs Linux 6.17 or 6.12.110): ${names}`,
      );
    }
  }

  #lookAtOthers(): void {
    withCgroupRoot(this.#options.cgroupRoot, (root) => {
      this.#others = this.#links.others(root);
    });
    this.#tellOrder();
  }

  #readCookie(): bigint | undefined {
    const { random, askSocket = true } = this.#options;
    return readCookie({ probes: this.#map('cookie_probes'), random, askSocket });
  }

  #writeCallers(): void {
    // A new agent knows no pods yet; those of the one before stay served until it does.
    const mayPrune = this.#options.scope === 'host' || this.#podIds.size > 0;
    const { missing, own } = this.#callers.write(this.#podIds, mayPrune);
    this.#missing = missing.size > 0;
    if (own) this.#problems.delete('cookie');
    else
      this.#problem(
        'cookie',
        "the node's network namespace cannot be told: SO_NETNS_COOKIE needs Linux 5.14, and the agent is not below the cgroup",
      );
  }

  /** Said once in the log; in the status as long as it lasts. */
  #problem(key: string, text: string): void {
    if (!this.#problems.has(key)) this.#options.log.warning(`socket path: ${text}`);
    this.#problems.set(key, text);
  }

  #scheduleTick(): void {
    this.#timer = this.#options.clock.after(TICK_MS, () => {
      try {
        this.#tick();
        this.#problems.delete('tick');
      } catch (error) {
        this.#problem('tick', errorText(error));
      }
      if (!this.#closed) this.#scheduleTick();
    });
  }

  #tick(): void {
    this.#ticks++;
    if (this.#ticks % SWEEP_TICKS === 0) void this.sweep();
    this.#servers.write();
    if (this.#ticks % REWRITE_TICKS === 0) this.#lookAtOthers();
    if (this.#options.scope === 'host') {
      if (this.#problems.has('cookie')) this.#writeCallers();
      return;
    }
    const before = this.#podIds;
    this.#podIds = this.#options.podNetnsIds();
    const changed =
      before.size !== this.#podIds.size ||
      [...this.#podIds].some(([id, served]) => before.get(id) !== served);
    if (changed || this.#missing || this.#ticks % REWRITE_TICKS === 0) this.#writeCallers();
  }

  /** What fails is a row of the status: nobody who waits here could do anything about it. */
  async #sweepUntilDone(): Promise<void> {
    do {
      this.#sweepAgain = false;
      try {
        await this.#endStale();
        await this.#moveBypassing();
        this.#problems.delete('sweep');
      } catch (error) {
        this.#problem('sweep', `connected UDP sockets cannot be looked after: ${errorText(error)}`);
      }
    } while (this.#sweepAgain && !this.#closed);
  }

  #createMover(otherBackends: OtherBackends): SocketMover {
    return new SocketMover({
      maps: this.#sharedMaps(),
      connections: this.#map('connections'),
      servers: this.#map('servers'),
      refreshServers: () => this.#servers.write(),
      served: () => this.#callers.served,
      hasTranslators: () => this.#others.some(({ hook }) => hook === 'connect4' || hook === 'connect6'),
      otherBackends,
      reached: () => (this.#root.whole ? undefined : cgroupsBelow(this.#root.path)),
      isClosed: () => this.#closed,
      nowNs: () => process.hrtime.bigint(),
    });
  }

  #sharedMaps(): RedirectMaps {
    const shared = (name: string) => required(this.#options.maps, name);
    return {
      frontends: shared('frontends'),
      slots: shared('slots'),
      backends: shared('backends'),
      health: shared('health'),
      beats: shared('beats'),
    };
  }

  async #endStale(): Promise<void> {
    if (this.#closed) return;
    const { ended, refused } = await endStaleSockets({
      maps: this.#sharedMaps(),
      connections: this.#map('connections'),
      namespaces: () => (this.#everywhere ? listNamespaces() : this.#callers.namespaces),
      isClosed: () => this.#closed,
      nowNs: () => process.hrtime.bigint(),
    });
    this.#ended += ended;
    if (ended > 0)
      this.#options.log.info(`socket path: ${ended} connected UDP sockets ended, their backend is gone`);
    if (refused.length === 0) this.#problems.delete('end');
    else
      this.#problem(
        'end',
        `connected UDP sockets whose backend is gone cannot be ended: ${refused.map(explain).join(', ')}`,
      );
  }

  async #moveBypassing(): Promise<void> {
    if (this.#closed || this.#mover === undefined) return;
    const { moved, refused } = await this.#mover.look();
    this.#moved += moved;
    if (moved > 0)
      this.#options.log.info(`socket path: ${moved} connected UDP sockets ended that went past a redirect`);
    if (refused.length === 0) this.#problems.delete('move');
    else
      this.#problem(
        'move',
        `connected UDP sockets that go past a redirect cannot be ended: ${refused.map(explain).join(', ')}`,
      );
  }

  #map(name: string): BpfMap {
    return required(this.#own, name);
  }
}

/** sock_diag(7) is made of parts that a kernel may be built without. */
function explain(refused: string): string {
  if (refused === 'EOPNOTSUPP') return 'the kernel is built without CONFIG_INET_DIAG_DESTROY';
  if (refused.endsWith('ENOENT')) return 'the kernel is built without CONFIG_INET_UDP_DIAG';
  return refused;
}

function nanoseconds(milliseconds: number): Uint8Array {
  return new Uint8Array(BigUint64Array.of(BigInt(milliseconds) * 1_000_000n).buffer);
}

function required(maps: ReadonlyMap<string, BpfMap>, name: string): BpfMap {
  const map = maps.get(name);
  if (map === undefined) throw new Error(`No map ${name}`);
  return map;
}

function closeMaps(maps: ReadonlyMap<string, BpfMap>): void {
  for (const map of maps.values()) map.close();
}
