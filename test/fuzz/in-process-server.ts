/** A server without sockets of its own: a configuration, its routes for the chain, and a reader of its answer cache. */

import { corefile, fakeEnvironment } from '../../src/serve/fake-environment.ts';
import { Generation } from '../../src/serve/generation.ts';
import { hotRoutes } from '../../src/serve/hot-routes.ts';
import { routerOf } from '../../src/server/router.ts';
import { type Answer, type Arrival, type ServeContext, serveQuery } from '../../src/server/serve-query.ts';
import type { Log } from '../../src/telemetry/log.ts';
import { PACKET_SLOT_BYTES } from '../../src/wirecache/contract.ts';
import { createPacketAnswerer } from '../../src/wirecache/packet-answerer.ts';
import { fuzzCluster, fuzzCorefile, KUBERNETES, type Variant } from './fuzz-corefile.ts';

export interface InProcessServer {
  serve(arrival: Arrival): Answer;
  /** What a packet thread would send, in a buffer that the next call writes again; undefined: it would hand over. */
  answerFast(packet: Uint8Array, family: 4 | 6): Uint8Array | undefined;
  /** The first handler that threw. */
  panic(): string | undefined;
  close(): Promise<void>;
}

export async function startInProcess(upstreamPort: number, variant: Variant): Promise<InProcessServer> {
  let panic: string | undefined;
  const note = (text: string) => {
    if (text.includes('panic')) panic ??= text;
  };
  const environment = { ...fakeEnvironment(), log: () => listeningLog(note) };
  environment.cluster.set(fuzzCluster());
  const text = fuzzCorefile({
    upstream: `127.0.0.1:${upstreamPort}`,
    port: 53,
    extra: KUBERNETES,
    variant,
  });
  const generation = await Generation.prepare(corefile(text), environment);
  await generation.start();
  generation.started([]);
  const [plan] = generation.listeners;
  if (plan === undefined || generation.listeners.length !== 1) throw new Error('One listener is wanted');
  const { routes, keptOptions } = generation.conduct(plan);
  const context: ServeContext = {
    server: plan.server,
    router: routerOf(routes),
    log: listeningLog(note),
    observer: { onPanic: () => note('panic without a line') },
    keptOptions: keptOptions?.size ? keptOptions : undefined,
    stacktrace: true,
  };
  const { answers, clock } = environment;
  answers.replaceRoutes(hotRoutes(generation.listeners, generation.records).map((each) => each.routes));
  const packets = new ArrayBuffer(PACKET_SLOT_BYTES);
  const slot = new Uint8Array(packets);
  const reader = createPacketAnswerer(answers.shared, { seat: answers.openSeat()?.number ?? 0, packets });
  return {
    serve: (arrival) => serveQuery(arrival, context),
    answerFast(packet, family) {
      if (packet.length > PACKET_SLOT_BYTES) return undefined;
      slot.set(packet);
      reader.begin();
      const length = reader.answer(0, packet.length, 0, family, clock.monotonicMs());
      reader.end(0);
      if (length > 0) return slot.subarray(0, length);
      const isTouched = Buffer.compare(slot.subarray(0, packet.length), packet) !== 0;
      if (isTouched) note('panic: a query was changed that is handed over');
      return undefined;
    },
    panic: () => panic,
    close: () => generation.shutDown(),
  };
}

function listeningLog(note: (text: string) => void): Log {
  const ignore = () => undefined;
  return {
    debug: ignore,
    info: ignore,
    warning: ignore,
    error: note,
    fatal(text): never {
      throw new Error(text);
    },
  };
}
