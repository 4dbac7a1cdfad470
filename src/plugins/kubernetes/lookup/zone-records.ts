/** Records at the zone's own name: SOA, NS, and the schema version's TXT (dns-server 3.4). */

import type { ResourceRecord } from '../../../dns/message.ts';
import { joinName, type Name } from '../../../dns/name.ts';
import { type Soa, soaRecord } from '../../../dns/rdata/soa.ts';
import { nsRecord } from '../../../dns/rdata/target.ts';
import { txtRecord } from '../../../dns/rdata/text.ts';
import { type Outcome, recordsOrNodata } from './outcome.ts';
import type { Scope } from './scope.ts';
import { serverNames } from './server-names.ts';
import { namedAddressRecords } from './service-name.ts';

/** Kubernetes DNS-Based Service Discovery, the version these answers follow. */
const SCHEMA_VERSION = '1.1.0';
const VERSION_TTL_SECONDS = 28_800;
/** Also caps how long an answer "no" may be kept (RFC 2308 section 5). */
const MAX_SOA_TTL_SECONDS = 300;

const TIMERS = { refreshSeconds: 7200, retrySeconds: 1800, expireSeconds: 86_400 } as const;

/** The zone is spelt as the client spelt it. */
export function zoneSoa({ zone, options, view }: Scope): ResourceRecord {
  const soa: Soa = {
    mname: joinName(['ns', 'dns'], zone) ?? zone,
    rname: joinName(['hostmaster'], zone) ?? zone,
    serial: view.serial(),
    ...TIMERS,
    minimumSeconds: options.ttlSeconds,
  };
  return soaRecord(zone, Math.min(options.ttlSeconds, MAX_SOA_TTL_SECONDS), soa);
}

export function zoneServers(scope: Scope, owner: Name): Outcome {
  const { ttlSeconds } = scope.options;
  const servers = serverNames(scope);
  const names = new Set(servers.map(({ name }) => name));
  const answers = [...names].map((name) => nsRecord(owner, ttlSeconds, name));
  return recordsOrNodata(answers, namedAddressRecords(servers, ttlSeconds));
}

export function schemaVersion(owner: Name): ResourceRecord {
  return txtRecord(owner, VERSION_TTL_SECONDS, [SCHEMA_VERSION]);
}
