/** core/v1 Service → `ServiceRow`. */
import type { ServicePortRow, ServiceRow } from '../../cluster/rows.ts';
import { ok } from '../../fault/result.ts';
import { parseIp } from '../../net/ip.ts';
import { parseProtocol, toPort } from '../../net/port.ts';
import { parsedItems, recordOf, textOf, textRecordOf } from '../json-fields.ts';
import { type Conversion, objectRow, refuse, specOf } from './conversion.ts';

const TYPES = ['ClusterIP', 'NodePort', 'LoadBalancer', 'ExternalName'] as const;

export function convertService(object: unknown): Conversion<ServiceRow> {
  const identity = objectRow(object);
  if (!identity.ok) return identity;
  const spec = specOf(object);
  const typeText = spec.type ?? 'ClusterIP';
  const type = TYPES.find((known) => known === typeText);
  if (type === undefined) return refuse(`spec.type is not known: received ${JSON.stringify(typeText)}`);
  const clusterIP = textOf(spec.clusterIP) ?? '';
  const externalName = textOf(spec.externalName) ?? '';
  return ok({
    ...identity.value,
    type,
    clusterIPs: type === 'ExternalName' ? [] : parsedItems(spec.clusterIPs ?? [clusterIP], parseAddress),
    headless: clusterIP === 'None',
    ...(externalName === '' ? {} : { externalName }),
    externalIPs: parsedItems(spec.externalIPs, parseAddress),
    ports: parsedItems(spec.ports, namedPort),
    selector: textRecordOf(spec.selector),
    publishNotReadyAddresses: spec.publishNotReadyAddresses === true,
  });
}

/** Undefined for anything that is not an address in text form, the word `None` among it. */
export function parseAddress(value: unknown): ReturnType<typeof parseIp> {
  return typeof value === 'string' ? parseIp(value) : undefined;
}

/** The shape that service ports and endpoint ports share; an absent protocol is TCP, SCTP is left out. */
export function namedPort(item: unknown): ServicePortRow | undefined {
  const fields = recordOf(item);
  const port = typeof fields.port === 'number' ? toPort(fields.port) : undefined;
  const protocol = parseProtocol(textOf(fields.protocol ?? 'TCP') ?? '');
  if (port === undefined || protocol === undefined) return undefined;
  const name = textOf(fields.name) ?? '';
  return { port, protocol, ...(name === '' ? {} : { name }) };
}
