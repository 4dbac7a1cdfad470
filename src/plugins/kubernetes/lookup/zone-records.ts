/** Records that tell about the zone and its schema: NS, and the version's TXT (dns-server 3.4). */

import type { ResourceRecord } from '../../../dns/message.ts';
import type { Name } from '../../../dns/name.ts';
import { nsRecord } from '../../../dns/rdata/target.ts';
import { txtRecord } from '../../../dns/rdata/text.ts';
import { type Outcome, recordsOrNodata } from './outcome.ts';
import type { Scope } from './scope.ts';
import { serverNames } from './server-names.ts';
import { namedAddressRecords } from './service-name.ts';

/** Kubernetes DNS-Based Service Discovery, the version these answers follow. */
const SCHEMA_VERSION = '1.1.0';
const VERSION_TTL_SECONDS = 28_800;
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
