/**
 * Sends queries to other servers and relays what they say. Equal questions that wait at the same time share one
 * upstream query: a thousand pods that ask for one name after its TTL ran out cost the upstream one packet.
 * Nothing is remembered after an answer; that is what `cache` in front is for.
 */
import { RCODE } from '../../dns/codes.ts';
import { encodeMessage } from '../../dns/encode-message.ts';
import type { Message } from '../../dns/message.ts';
import { canonicalName, isSubdomain, type Name } from '../../dns/name.ts';
import type { Handler, Plugin, Query, Reply } from '../../server/handler.ts';
import type { Transport } from './go-error.ts';
import { type Relayed, type RelayOptions, relay } from './relay.ts';
import { Singleflight } from './singleflight.ts';

export interface ForwardOptions extends RelayOptions {
  readonly from: Name;
  readonly except: readonly Name[];
  readonly forceTcp: boolean;
  /** 0 means no limit but `MOST_QUERIES`. */
  readonly maxConcurrent: number;
  /** On these rcodes the query goes on to the next `forward` line. */
  readonly nextRcodes: ReadonlySet<number>;
}

/** Each waiting query holds a socket or a promise. An operator who wants more says so with `max_concurrent`. */
const MOST_QUERIES = 10_000;
/** A query that must reach the wire itself, such as a probe for loops, carries this. */
const UNSHARED = 'forward/unshared';
/** Longer queries are rare and may be somebody's attempt to fill memory with keys: each is asked by itself. */
const MOST_SHARED_BYTES = 512;

/** One `forward` line. `alternate` is the next line of the block, if any: it takes what this one does not. */
export function forward(options: ForwardOptions, alternate?: Plugin): Plugin {
  const { from, except, forceTcp, nextRcodes, preferUdp } = options;
  const limit = options.maxConcurrent || MOST_QUERIES;
  const flights = new Singleflight<Relayed>();
  let underway = 0;

  function ours(name: Name): boolean {
    if (!isSubdomain(from, name)) return false;
    return !except.some((zone) => zone !== from && isSubdomain(zone, name));
  }

  function transportFor(query: Query): Transport {
    return forceTcp ? 'tcp' : preferUdp ? 'udp' : query.transport;
  }

  function fly(query: Query): Promise<Relayed> {
    const transport = transportFor(query);
    const work = () => relay(query.message, transport, options);
    if (query.metadata.has(UNSHARED) || query.wire.length > MOST_SHARED_BYTES) return work();
    return flights.run(flightKey(query.message, transport), work);
  }

  async function counted(query: Query): Promise<Relayed> {
    underway++;
    try {
      return await fly(query);
    } finally {
      underway--;
    }
  }

  async function answer(query: Query, other: Handler | undefined): Promise<Reply> {
    const relayed = await counted(query);
    if (!relayed.ok) return failure(relayed);
    query.metadata.set('forward/upstream', relayed.upstream);
    if (other !== undefined && nextRcodes.has(relayed.reply.rcode)) return other(query);
    return { rcode: relayed.reply.rcode, message: addressed(relayed.reply, query.message) };
  }

  return (next) => {
    const onward = alternate ? alternate(next) : next;
    const other = alternate && onward;
    return (query) => {
      if (!ours(query.question.name)) return onward(query);
      if (underway < limit) return answer(query, other);
      options.metrics.rejected();
      return { rcode: RCODE.REFUSED, error: new Error(`concurrent queries exceeded maximum ${limit}`) };
    };
  };
}

/**
 * Everything an upstream gets to see, so that only queries it could not tell apart share an answer: flags, type, class,
 * EDNS with its size and options. Only the id and the name's case are taken out.
 */
function flightKey(message: Message, transport: Transport): string {
  const questions = message.questions.map((question) => ({
    ...question,
    name: canonicalName(question.name),
  }));
  const wire = encodeMessage({ ...message, id: 0, questions });
  return transport + Buffer.from(wire.buffer, wire.byteOffset, wire.byteLength).toString('latin1');
}

/** The upstream's message under the client's own id and spelling of the question. */
function addressed(reply: Message, query: Message): Message {
  return { ...reply, id: query.id, questions: query.questions };
}

function failure({ rcode, error }: { rcode: number; error: Error | undefined }): Reply {
  return error === undefined ? { rcode } : { rcode, error };
}
