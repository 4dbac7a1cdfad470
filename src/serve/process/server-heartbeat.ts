/**
 * The running server and the agent of its node (src/heartbeat/README.md). Begins once the server answers, so that no
 * start waits for it; loads nothing where there is no agent. At the end it goes first: packets are led elsewhere before
 * the sockets close, and what was on its way has time to arrive.
 */
import { existsSync } from 'node:fs';
import { networkInterfaces } from 'node:os';
import { dirname } from 'node:path';
import type { HeartbeatClient, ShelfUser } from '../../heartbeat/heartbeat-client.ts';
import {
  DEFAULT_HEARTBEAT_SOCKET,
  MAX_ADDRESSES,
  MAX_PORTS,
  type Presence,
} from '../../heartbeat/messages.ts';
import { type Ip, parseIp } from '../../net/ip.ts';
import { toPort } from '../../net/port.ts';
import type { SocketAddress } from '../../server/handler.ts';
import { isWildcard } from '../../server/udp.ts';
import type { Clock, Timer } from '../../telemetry/clock.ts';
import type { Log } from '../../telemetry/log.ts';
import type { DnsServer } from '../dns-server.ts';

/** Between two looks for the socket of an agent that may start later. */
const LOOK_MS = 1000;
/** What the end waits for an agent's word at most: without it the beat alone keeps packets away. */
const LEAVE_PATIENCE_MS = 300;
/** From the last packet that may have been redirected to the end of reading: a TCP handshake through a busy node. */
const ARRIVAL_MS = 100;

export interface ServerHeartbeatOptions {
  readonly path: string;
  readonly clock: Clock;
  readonly log: Log;
  readonly server: Pick<
    DnsServer,
    'addresses' | 'packetThreads' | 'useBeats' | 'views' | 'openKernelAnswers'
  >;
  /** Of the node cache; a wildcard listener serves them as well. */
  readonly localIps: readonly Ip[];
  /** Whether the kernel may give answers of this server, where the agent offers it. */
  readonly kernelAnswers: boolean;
}

/** Undefined: not wanted, or there is no agent here and no place for one. Flag before environment before the default. */
export function heartbeatPath(
  flag: string,
  env: Readonly<Record<string, string | undefined>>,
): string | undefined {
  const given = flag === '' ? (env.ZEROHOP_HEARTBEAT ?? '') : flag;
  if (given === 'off') return undefined;
  if (given !== '') return given;
  return existsSync(dirname(DEFAULT_HEARTBEAT_SOCKET)) ? DEFAULT_HEARTBEAT_SOCKET : undefined;
}

export class ServerHeartbeat {
  readonly #options: ServerHeartbeatOptions;
  #client: HeartbeatClient | undefined;
  #timer: Timer | undefined;
  #isOver = false;
  #leftAtMs: number | undefined;

  constructor(options: ServerHeartbeatOptions) {
    this.#options = options;
  }

  /** Resolves when the agent watches this process, or after `patienceMs`. Without an agent at once. */
  async start(patienceMs = 0): Promise<void> {
    const { path, clock } = this.#options;
    if (this.#isOver) return;
    if (!existsSync(path)) {
      this.#timer = clock.after(LOOK_MS, () => void this.start());
      return;
    }
    const client = await this.#open();
    if (client === undefined || patienceMs === 0) return;
    const patience = Promise.withResolvers<void>();
    const timer = clock.after(patienceMs, patience.resolve);
    await Promise.race([client.seated, patience.promise]);
    timer.cancel();
  }

  /** Another configuration is in force. */
  announce(): void {
    this.#client?.announce();
  }

  /** Resolves when no more packets are led here. */
  async leave(): Promise<void> {
    this.#isOver = true;
    this.#timer?.cancel();
    const left = await this.#client?.leave(LEAVE_PATIENCE_MS);
    if (left === true) this.#leftAtMs ??= this.#options.clock.monotonicMs();
  }

  /** After `leave`, before the sockets close. */
  async passArrivals(): Promise<void> {
    const { clock } = this.#options;
    if (this.#leftAtMs === undefined) return;
    const restMs = this.#leftAtMs + ARRIVAL_MS - clock.monotonicMs();
    if (restMs > 0) await new Promise<void>((resolve) => clock.after(restMs, resolve));
  }

  close(): void {
    this.#isOver = true;
    this.#timer?.cancel();
    this.#client?.close();
  }

  async #open(): Promise<HeartbeatClient | undefined> {
    const { path, clock, log, server, localIps, kernelAnswers } = this.#options;
    const [{ HeartbeatClient }, answers] = await Promise.all([
      import('../../heartbeat/heartbeat-client.ts'),
      kernelAnswers ? shelfUser(server) : undefined,
    ]);
    if (this.#isOver) return undefined;
    this.#client = new HeartbeatClient({
      ...{ path, clock, log },
      nowNs: () => process.hrtime.bigint(),
      presence: () => presenceOf(server.addresses, localIps),
      threads: server.packetThreads,
      useRow: (row) => server.useBeats(row),
      ...(answers && { answers }),
    });
    this.#client.start();
    return this.#client;
  }
}

async function shelfUser(
  server: Pick<DnsServer, 'views' | 'openKernelAnswers'>,
): Promise<ShelfUser | undefined> {
  const [{ ANSWER_LAYOUT }, kernel] = await Promise.all([
    import('../../answermap/answer-abi.gen.ts'),
    server.openKernelAnswers(),
  ]);
  if (kernel === undefined) return undefined;
  return {
    layout: ANSWER_LAYOUT,
    listeners: () => server.views,
    useShelf: (grant, fds) => kernel.useGrant(grant, fds),
  };
}

/** Where others reach the listeners: a wildcard stands for every address that this network namespace has. */
export function presenceOf(
  listeners: readonly SocketAddress[],
  localIps: readonly Ip[],
  interfaces: () => readonly Ip[] = interfaceAddresses,
): Presence {
  const named = listeners.map(({ address }) => address);
  const all = named.some(isWildcard) ? [...named, ...localIps, ...interfaces()] : named;
  const addresses = [...new Set(all)].filter((address) => !isWildcard(address));
  const ports = [...new Set(listeners.flatMap(({ port }) => toPort(port) ?? []))];
  return { addresses: addresses.slice(0, MAX_ADDRESSES), ports: ports.slice(0, MAX_PORTS) };
}

function interfaceAddresses(): readonly Ip[] {
  const all = Object.values(networkInterfaces()).flatMap((each) => each ?? []);
  // Addresses of a link alone (RFC 4291 2.5.6) are nobody's backend.
  const reachable = all.filter(({ address, internal }) => !internal && !address.startsWith('fe80:'));
  return reachable.flatMap(({ address }) => parseIp(address) ?? []);
}
