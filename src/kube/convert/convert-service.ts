/** core/v1 Service → `ServiceRow`. */
import type { SctpPortRow, ServicePortRow, ServiceRow } from '../../cluster/rows.ts';
import { ok } from '../../fault/result.ts';
import { parseIp } from '../../net/ip.ts';
import { parseProtocol, toPort } from '../../net/port.ts';
import { excerpt, parsedItems, recordOf, textOf, textRecordOf } from '../json-fields.ts';
import { type Conversion, objectRow, refuse, specOf } from './conversion.ts';

const TYPES = ['ClusterIP', 'NodePort', 'LoadBalancer', 'ExternalName'] as const;

export function convertService(object: unknown): Conversion<ServiceRow> {
  const identity = objectRow(object);
  if (!identity.ok) return identity;
  const spec = specOf(object);
  const typeText = spec.type ?? 'ClusterIP';
  const type = TYPES.find((known) => known === typeText);
  if (type === undefined) return refuse(`spec.type is not known: received ${excerpt(typeText)}`);
  const clusterIP = textOf(spec.clusterIP) ?? '';
  const externalName = textOf(spec.externalName) ?? '';
  return ok({
    ...identity.value,
    type,
    clusterIPs: type === 'ExternalName' ? [] : parsedItems(spec.clusterIPs ?? [clusterIP], parseAddress),
    headless: clusterIP === 'None',
    ...(externalName === '' ? {} : { externalName }),
    externalIPs: parsedItems(spec.externalIPs, parseAddress),
    ...ingressOf(object),
    ports: parsedItems(spec.ports, servicePort),
    ...sctpPorts(spec.ports),
    selector: textRecordOf(spec.selector),
    publishNotReadyAddresses: spec.publishNotReadyAddresses === true,
  });
}

/** An entry has an address or a host name; where it has both, the address counts. */
function ingressOf(object: unknown): Pick<ServiceRow, 'ingressIPs' | 'ingressNames'> {
  const { ingress } = recordOf(recordOf(recordOf(object).status).loadBalancer);
  const ingressIPs = parsedItems(ingress, (item) => parseAddress(recordOf(item).ip));
  const ingressNames = parsedItems(ingress, (item) => {
    const { ip, hostname } = recordOf(item);
    return parseAddress(ip) === undefined && hostname !== '' ? textOf(hostname) : undefined;
  });
  return {
    ...(ingressIPs.length === 0 ? {} : { ingressIPs }),
    ...(ingressNames.length === 0 ? {} : { ingressNames }),
  };
}

/** The ports that `namedPort` leaves out; no field at all when there are none. */
export function sctpPorts(items: unknown): { sctpPorts?: readonly SctpPortRow[] } {
  const found = parsedItems(items, (item): SctpPortRow | undefined => {
    const fields = recordOf(item);
    if (fields.protocol !== 'SCTP') return undefined;
    const tcp = namedPort({ ...fields, protocol: 'TCP' });
    return tcp && { port: tcp.port, ...(tcp.name === undefined ? {} : { name: tcp.name }) };
  });
  return found.length === 0 ? {} : { sctpPorts: found };
}

/** Undefined for anything that is not an address in text form, the word `None` among it. */
export function parseAddress(value: unknown): ReturnType<typeof parseIp> {
  return typeof value === 'string' ? parseIp(value) : undefined;
}

function servicePort(item: unknown): ServicePortRow | undefined {
  const port = namedPort(item);
  const { nodePort: number } = recordOf(item);
  const nodePort = typeof number === 'number' ? toPort(number) : undefined;
  return port === undefined || nodePort === undefined ? port : { ...port, nodePort };
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
