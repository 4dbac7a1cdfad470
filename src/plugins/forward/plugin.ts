/**
 * Sends queries to other servers and relays what they say. Equal questions that wait at the same time share one
 * upstream query: a thousand pods that ask for one name after its TTL ran out cost the upstream one packet.
 * Nothing is remembered after an answer; that is what `cache` in front is for.
 */
import { RCODE, TYPE } from '../../dns/codes.ts';
import type { Edns, Message } from '../../dns/message.ts';
import { canonicalName, isSubdomain, type Name } from '../../dns/name.ts';
import type { Handler, Plugin, Query, Reply } from '../../server/handler.ts';
import type { Transport } from './exchange/go-error.ts';
import { Flights } from './flights.ts';
import { type Relayed, type RelayOptions, relay } from './relay.ts';

export interface ForwardOptions extends RelayOptions {
  readonly from: Name;
  readonly except: readonly Name[];
  readonly forceTcp: boolean;
  /** 0 means no limit but `MOST_QUERIES`. */
  readonly maxConcurrent: number;
  /** On these rcodes the query goes on to the next `forward` line. */
  readonly nextRcodes: ReadonlySet<number>;
  /** And on an answer without records. */
  readonly nextOnNodata: boolean;
}

/** Each waiting query holds some memory. An operator who wants more of them says so with `max_concurrent`. */
const MOST_QUERIES = 10_000;
/** Longer queries are rare and may be somebody's attempt to fill memory with keys: each is asked by itself. */
const MOST_SHARED_BYTES = 512;

/** Whether the line takes questions about this name. */
export function forwards({ from, except }: Pick<ForwardOptions, 'from' | 'except'>, name: Name): boolean {
  if (!isSubdomain(from, name)) return false;
  return !except.some((zone) => zone !== from && isSubdomain(zone, name));
}

/** One `forward` line. `alternate` is the next line of the block, if any: it takes what this one does not. */
export function forward(options: ForwardOptions, alternate?: Plugin): Plugin {
  const { forceTcp, preferUdp } = options;
  const limit = options.maxConcurrent || MOST_QUERIES;
  const flights = new Flights<Relayed>();
  const by = {
    udp: { ...options, transport: 'udp' },
    tcp: { ...options, transport: 'tcp' },
  } as const;
  let underway = 0;

  function ask(query: Query, land: (relayed: Relayed) => void): void {
    const transport = forceTcp ? 'tcp' : preferUdp ? 'udp' : query.transport;
    const key = isShared(query) ? flightKey(query, transport) : undefined;
    const start = (done: (relayed: Relayed) => void) => relay(query.message, by[transport], done);
    if (key === undefined) start(land);
    else flights.join(key, land, start);
  }

  function answer(query: Query, other: Handler | undefined): Promise<Reply> {
    return new Promise((resolve, reject) => {
      underway++;
      try {
        ask(query, (relayed) => {
          underway--;
          resolve(replyOf(query, relayed, { options, other }));
        });
      } catch (error) {
        underway--;
        reject(error);
      }
    });
  }

  return (next) => {
    const onward = alternate ? alternate(next) : next;
    const other = alternate && onward;
    return (query) => {
      if (!forwards(options, query.question.name)) return onward(query);
      if (underway < limit) return answer(query, other);
      options.metrics.rejected();
      return { rcode: RCODE.REFUSED, error: new Error(`concurrent queries exceeded maximum ${limit}`) };
    };
  };
}

function replyOf(
  query: Query,
  relayed: Relayed,
  { options, other }: { options: ForwardOptions; other: Handler | undefined },
): Reply | Promise<Reply> {
  if (!relayed.ok) {
    const { error, rcode } = relayed;
    return error === undefined ? { rcode } : { rcode, error };
  }
  const { reply, upstream } = relayed;
  query.metadata.set('forward/upstream', upstream);
  // A handler that throws must not do so in the upstream's socket.
  if (other !== undefined && goesOn(reply, options)) return Promise.try(other, query);
  return { rcode: reply.rcode, message: addressed(reply, query.message) };
}

function goesOn({ rcode, answers }: Message, { nextOnNodata, nextRcodes }: ForwardOptions): boolean {
  return nextRcodes.has(rcode) || (nextOnNodata && rcode === RCODE.NOERROR && answers.length === 0);
}

/**
 * Whatever else a query may carry, such as a signature, is its own. Questions of type HINFO are those by which `loop`
 * looks for loops, in this block or in another server's: an echo that shared its own answer would wait for itself.
 */
function isShared({ message, question, wire }: Query): boolean {
  const { additionals, answers, authorities, questions } = message;
  if (questions.length !== 1 || answers.length + authorities.length + additionals.length > 0) return false;
  return wire.length <= MOST_SHARED_BYTES && question.type !== TYPE.HINFO;
}

/**
 * Everything an upstream gets to see, so that only queries it could not tell apart share an answer: flags, type, class,
 * EDNS with its size and options. Only the id and the name's case are left out. The name stands last, since it may hold
 * any character.
 */
function flightKey({ message, question }: Query, transport: Transport): string {
  const { edns, flags, opcode } = message;
  const bits =
    (flags.recursionDesired ? 1 : 0) |
    (flags.checkingDisabled ? 2 : 0) |
    (flags.authenticData ? 4 : 0) |
    (flags.recursionAvailable ? 8 : 0) |
    (flags.authoritative ? 16 : 0) |
    (flags.zero ? 32 : 0);
  const about = `${transport} ${opcode} ${bits} ${edns === undefined ? '' : ednsKey(edns)} `;
  return `${about}${question.type} ${question.class} ${canonicalName(question.name)}`;
}

function ednsKey({ dnssecOk, options, udpSize, version }: Edns): string {
  let key = `${version}/${udpSize}/${dnssecOk ? 1 : 0}`;
  for (const { code, data } of options) {
    key += `/${code}:${data.length}:${Buffer.from(data).toString('latin1')}`;
  }
  return key;
}

/** The upstream's message under the client's own id and spelling of the question. */
function addressed(reply: Message, { id, questions }: Message): Message {
  const { opcode, rcode, flags, answers, authorities, additionals, edns } = reply;
  const message = { id, opcode, rcode, flags, questions, answers, authorities, additionals };
  return edns === undefined ? message : { ...message, edns };
}
