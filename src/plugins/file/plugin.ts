/**
 * Answers from zone files (dns-server 3.19). An alias that leads out of its zone is followed by asking this server
 * itself, as a client would. Deliberately absent: the records of a zone as a whole, which `transfer` gives out.
 */
import { CLASS, OPCODE, RCODE, TYPE } from '../../dns/codes.ts';
import type { Question } from '../../dns/message.ts';
import { canonicalName, type Name, parentName } from '../../dns/name.ts';
import { replyTo } from '../../dns/reply.ts';
import type { Plugin, Query, Reply } from '../../server/handler.ts';
import type { Host } from '../contract.ts';
import { matchingZone } from '../zones.ts';
import { lookUp, type ZoneAnswer } from './lookup.ts';
import type { ZoneFile } from './zone-file.ts';

/** Where a zone comes from. */
export interface ZoneSource {
  readonly file: ZoneFile;
  /** Names without records below these go on to the next plugin. */
  readonly fallthrough: readonly Name[];
}

export interface FileOptions {
  /** By zone, lower case. */
  readonly sources: ReadonlyMap<Name, ZoneSource>;
  readonly resolve: Host['resolve'];
}

export function filePlugin(options: FileOptions): Plugin {
  return (next) => (query) => {
    const { question } = query;
    const origin = question.class === CLASS.IN ? zoneFor(options.sources, question) : undefined;
    const source = origin && options.sources.get(origin);
    if (origin === undefined || source === undefined) return next(query);
    // Without `transfer` nobody may have the zone, and a NOTIFY is for secondaries, which these zones are not.
    const { type } = question;
    if (type === TYPE.AXFR || type === TYPE.IXFR || query.message.opcode === OPCODE.NOTIFY) {
      return { rcode: RCODE.REFUSED };
    }
    const zone = source.file.zone(origin);
    if (zone === undefined) return { rcode: RCODE.SERVFAIL };
    const answer = lookUp(zone, question, query.message.edns?.dnssecOk === true);
    if (answer.unknown && matchingZone(source.fallthrough, question.name) !== undefined) return next(query);
    return answer.leadsTo === undefined
      ? replyWith(query, answer)
      : follow(query, answer, { name: answer.leadsTo, resolve: options.resolve });
  };
}

/** DS at the top of a zone is the parent's to tell, if that is here as well (RFC 4035 section 3.1.4.1). */
function zoneFor(sources: ReadonlyMap<Name, ZoneSource>, { name, type }: Question): Name | undefined {
  const zone = zoneOf(sources, name);
  const parent = type === TYPE.DS && zone === canonicalName(name) ? parentName(zone) : undefined;
  return (parent && zoneOf(sources, parent)) ?? zone;
}

/** The longest of the zones that holds the name: found by its own text, since there may be thousands. */
export function zoneOf(sources: ReadonlyMap<Name, unknown>, name: Name): Name | undefined {
  let at: Name | undefined = canonicalName(name);
  while (at !== undefined && !sources.has(at)) at = parentName(at);
  return at;
}

function replyWith(query: Query, answer: ZoneAnswer): Reply {
  const message = replyTo(query.message, answer);
  return { rcode: message.rcode, message };
}

/** The rcode is that of the last name of the chain (RFC 6604 section 3); what proves a denial comes along with it. */
async function follow(
  query: Query,
  answer: ZoneAnswer,
  { name, resolve }: { name: Name; resolve: Host['resolve'] },
): Promise<Reply> {
  const found = await resolve(query, name, query.question.type);
  if (found === undefined) return replyWith(query, answer);
  const adopted = found.rcode === RCODE.NXDOMAIN || found.rcode === RCODE.SERVFAIL;
  const denied = found.answers.length === 0 && found.authorities.some(({ type }) => type === TYPE.SOA);
  return replyWith(query, {
    ...answer,
    rcode: adopted ? found.rcode : answer.rcode,
    answers: [...answer.answers, ...found.answers],
    authorities: denied ? found.authorities : answer.authorities,
  });
}
