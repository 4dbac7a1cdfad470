/**
 * One question against the cluster: pure, synchronous, and blind to fallthrough, flags and unsynced watches, which are
 * the plugin's business. The oddities below are kept because dns-server 3.4 lists them as observed behaviour.
 */
import { TYPE } from '../../../dns/codes.ts';
import { type Name, parseName } from '../../../dns/name.ts';
import { cnameRecord } from '../../../dns/rdata/target.ts';
import { parseIp } from '../../../net/ip.ts';
import { type AskedName, type Found, findName } from './find-name.ts';
import { NODATA, NXDOMAIN, type Outcome, recordsOrNodata } from './outcome.ts';
import { pointerRecords } from './pointer-records.ts';
import { parseReverseName } from './reverse-name.ts';
import type { Scope } from './scope.ts';
import { addressRecords } from './service-name.ts';
import { serviceRecords } from './service-records.ts';
import { schemaVersion, zoneServers } from './zone-records.ts';

/** `asked` has been read with the scope's zone. */
export function lookup(scope: Scope, asked: AskedName, type: number): Outcome {
  const { qname } = asked;
  switch (type) {
    case TYPE.AXFR:
    case TYPE.IXFR:
      return { kind: 'refused' };
    case TYPE.SOA:
      // Below the apex every name "exists" for SOA.
      return qname === scope.zone ? recordsOrNodata([scope.soa(scope.zone)]) : NODATA;
    case TYPE.NS:
      return isLowerCaseApex(scope, asked) ? zoneServers(scope, qname) : existence(findName(scope, asked));
    case TYPE.PTR:
      return lookupPointer(scope, asked);
    case TYPE.TXT:
      return lookupText(findName(scope, asked), qname);
    case TYPE.CNAME:
      return lookupAlias(scope, asked);
    case TYPE.A:
    case TYPE.AAAA:
      return lookupAddress(scope, asked, type);
    case TYPE.SRV:
      return lookupService(scope, asked);
    default:
      return existence(findName(scope, asked));
  }
}

/** NS is compared with case: an apex in mixed case has no servers. */
function isLowerCaseApex({ zone }: Scope, { qname, canonical }: AskedName): boolean {
  return qname === zone && qname === canonical;
}

function existence(found: Found): Outcome {
  return found.kind === 'nothing' ? NXDOMAIN : NODATA;
}

function lookupPointer(scope: Scope, asked: AskedName): Outcome {
  const address = parseReverseName(asked.canonical);
  if (address === undefined) return existence(findName(scope, asked));
  return pointerRecords(scope, asked.qname, address);
}

/** For TXT, and only for it, a name without any record of its own does not exist. */
function lookupText(found: Found, qname: Name): Outcome {
  switch (found.kind) {
    case 'version':
      return recordsOrNodata([schemaVersion(qname)]);
    case 'nothing':
    case 'empty':
      return NXDOMAIN;
    default:
      return NODATA;
  }
}

function lookupAlias(scope: Scope, asked: AskedName): Outcome {
  const found = findName(scope, asked);
  if (found.kind !== 'alias') return existence(found);
  const target = aliasTarget(found.target);
  return target === undefined
    ? NXDOMAIN
    : recordsOrNodata([cnameRecord(asked.qname, scope.options.ttlSeconds, target)]);
}

function lookupAddress(scope: Scope, asked: AskedName, type: number): Outcome {
  const found = findName(scope, asked);
  const { qname } = asked;
  const { ttlSeconds } = scope.options;
  switch (found.kind) {
    case 'alias': {
      const target = aliasTarget(found.target);
      return target === undefined ? NXDOMAIN : { kind: 'alias', target };
    }
    case 'addresses':
      return recordsOrNodata(
        addressRecords(qname, {
          type,
          ttlSeconds,
          addresses: found.addresses,
          answerBytes: scope.answerBytes,
        }),
      );
    case 'backends': {
      const addresses = found.backends.map(({ address }) => address);
      return recordsOrNodata(
        addressRecords(qname, { type, ttlSeconds, addresses, answerBytes: scope.answerBytes }),
      );
    }
    default:
      return existence(found);
  }
}

function lookupService(scope: Scope, asked: AskedName): Outcome {
  const found = findName(scope, asked);
  return found.kind === 'backends' ? serviceRecords(scope, asked.qname, found) : existence(found);
}

/** An address or a text that is no name cannot be the target of a CNAME. */
function aliasTarget(externalName: string): Name | undefined {
  return parseIp(externalName) === undefined ? parseName(externalName) : undefined;
}
