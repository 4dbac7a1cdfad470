/**
 * The `toPorts` lists of a policy as values. Which names are required is decided by the lengths of both lists
 * together, so both are parsed in one call (local-redirect-policy 1.3 e to j).
 */
import type { PortInfo } from '../cluster/rows.ts';
import { fail, ok, type Result } from '../fault/result.ts';
import { type Port, type Protocol, parsePort, parseProtocol } from '../net/port.ts';
import type { PolicyErrorCode } from './errors.ts';

export interface PolicyPort {
  readonly port: Port;
  readonly protocol: Protocol;
  /** Lower case; absent where no name is required, because then none is compared. */
  readonly name?: string;
}

export interface PolicyPorts {
  /** Empty means all ports of the service. */
  readonly frontend: readonly PolicyPort[];
  readonly backend: readonly [PolicyPort, ...PolicyPort[]];
}

/** RFC 6335 section 5.1: letters, digits and single inner hyphens; the letter and the length are checked apart. */
const SERVICE_NAME = /^[a-z0-9]+(-[a-z0-9]+)*$/;
const MAX_SERVICE_NAME_LENGTH = 15;

/** The kernel's table has 4096 rows for all policies of a node; nobody who may write one may take them all. */
const MAX_PORTS = 128;

export function parsePolicyPorts(
  frontendInfos: readonly PortInfo[],
  backendInfos: readonly PortInfo[],
): Result<PolicyPorts> {
  const most = Math.max(frontendInfos.length, backendInfos.length);
  if (most > MAX_PORTS) {
    return refuse('POLICY_TOO_MANY_PORTS', `a list of ports has ${most} entries, the most are ${MAX_PORTS}`);
  }
  const several = frontendInfos.length > 1;
  const frontend = parseList('frontend', frontendInfos, several);
  if (!frontend.ok) return frontend;
  const backend = parseList('backend', backendInfos, several || backendInfos.length > 1);
  if (!backend.ok) return backend;
  const [first, ...rest] = backend.value;
  if (first === undefined) {
    return refuse('POLICY_NO_BACKEND_PORTS', 'the list of backend ports is empty');
  }
  const [only, more] = frontend.value;
  if (only !== undefined && more === undefined && only.protocol !== first.protocol) {
    return refuse(
      'POLICY_PROTOCOL_MISMATCH',
      `the frontend port ${formatPort(only)} and the first backend port ${formatPort(first)} differ in protocol`,
    );
  }
  return ok({ frontend: frontend.value, backend: [first, ...rest] });
}

/** `53/UDP`. */
export function formatPort(port: { readonly port: Port; readonly protocol: Protocol }): string {
  return `${port.port}/${port.protocol}`;
}

/** `dns 53/UDP`. */
export function formatNamedPort(port: {
  readonly name?: string;
  readonly port: Port;
  readonly protocol: Protocol;
}): string {
  return (port.name ? `${port.name} ` : '') + formatPort(port);
}

export function samePort(
  a: { readonly port: Port; readonly protocol: Protocol },
  b: { readonly port: Port; readonly protocol: Protocol },
): boolean {
  return a.port === b.port && a.protocol === b.protocol;
}

function parseList(
  side: 'frontend' | 'backend',
  infos: readonly PortInfo[],
  named: boolean,
): Result<readonly PolicyPort[]> {
  const ports: PolicyPort[] = [];
  for (const info of infos) {
    const port = parseOne(side, info, named);
    if (!port.ok) return port;
    ports.push(port.value);
  }
  return ok(ports);
}

function parseOne(side: string, info: PortInfo, named: boolean): Result<PolicyPort> {
  const port = parsePort(info.port);
  if (port === undefined) {
    return refuse(
      'POLICY_BAD_PORT',
      `${side} port ${JSON.stringify(info.port)} is not a decimal number from 1 to 65535 without leading zeros`,
    );
  }
  const protocol = parseProtocol(info.protocol);
  if (protocol === undefined) {
    return refuse(
      'POLICY_BAD_PORT',
      `protocol ${JSON.stringify(info.protocol)} of ${side} port ${port} is not TCP or UDP`,
    );
  }
  if (!named) return ok({ port, protocol });
  const name = (info.name ?? '').toLowerCase();
  if (name === '') {
    return refuse(
      'POLICY_BAD_PORT_NAME',
      `${side} port ${formatPort({ port, protocol })} needs a name, because several ports are listed`,
    );
  }
  if (!isServiceName(name)) {
    return refuse(
      'POLICY_BAD_PORT_NAME',
      `name ${JSON.stringify(info.name)} of ${side} port ${formatPort({ port, protocol })} is not a service name`,
    );
  }
  return ok({ port, protocol, name });
}

function isServiceName(name: string): boolean {
  return name.length <= MAX_SERVICE_NAME_LENGTH && SERVICE_NAME.test(name) && /[a-z]/.test(name);
}

function refuse(code: PolicyErrorCode, reason: string) {
  return fail(code, undefined, reason);
}
