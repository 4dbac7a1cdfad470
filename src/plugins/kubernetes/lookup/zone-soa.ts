/**
 * The SOA record, which every negative answer carries (dns-server 3.4). Made once per serial for the zones as the
 * directive has them; other spellings are the client's choice, without limit, and therefore never kept.
 */
import type { ResourceRecord } from '../../../dns/message.ts';
import { joinName, type Name } from '../../../dns/name.ts';
import { soaRecord } from '../../../dns/rdata/soa.ts';
import type { KubernetesOptions } from '../options.ts';

/** Also caps how long an answer "no" may be kept (RFC 2308 section 5). */
const MAX_SOA_TTL_SECONDS = 300;

const TIMERS = { refreshSeconds: 7200, retrySeconds: 1800, expireSeconds: 86_400 } as const;

/** Gives the record of a zone in the spelling asked for. */
export function createZoneSoa(
  { zones, ttlSeconds }: KubernetesOptions,
  serial: () => number,
): (zone: Name) => ResourceRecord {
  const kept = new Map<Name, { readonly serial: number; readonly record: ResourceRecord }>();
  return (zone) => {
    const now = serial();
    const last = kept.get(zone);
    if (last?.serial === now) return last.record;
    const record = makeSoa(zone, now, ttlSeconds);
    if (zones.includes(zone)) kept.set(zone, { serial: now, record });
    return record;
  };
}

function makeSoa(zone: Name, serial: number, ttlSeconds: number): ResourceRecord {
  return soaRecord(zone, Math.min(ttlSeconds, MAX_SOA_TTL_SECONDS), {
    mname: joinName(['ns', 'dns'], zone) ?? zone,
    rname: joinName(['hostmaster'], zone) ?? zone,
    serial,
    ...TIMERS,
    minimumSeconds: ttlSeconds,
  });
}
