/**
 * Server block keys, `[scheme://]zone[:port]` (dns-server 1.5): what they serve, and on which port. Zones come out lower
 * case and fully qualified. Deliberately absent: addresses to listen on, which `bind` decides.
 */
import { AppError } from '../fault/app-error.ts';
import { reverseZones } from './reverse-zones.ts';

/** Scheme to default port; `dns` takes the port of the command line. */
const SCHEME_PORTS = { dns: undefined, tls: 853, quic: 853, grpc: 443, https: 443, https3: 443 } as const;

export type Scheme = keyof typeof SCHEME_PORTS;

export interface ZoneKey {
  readonly scheme: Scheme;
  /** One, or several for a CIDR key whose mask is not on a label boundary. */
  readonly zones: readonly string[];
  /** 0 to 65535; 0 lets the system choose. */
  readonly port: number;
}

/** Throws the CoreDNS text `error inspecting server blocks: …`. */
export function parseZoneKey(text: string, defaultPort: number): ZoneKey {
  const { scheme, rest } = splitScheme(text);
  const { host, port } = splitPort(rest);
  return {
    scheme,
    zones: expandZone(host, rest),
    port: port ?? SCHEME_PORTS[scheme] ?? defaultPort,
  };
}

/**
 * Zones a plugin's argument stands for: a CIDR may be several. Nothing when it is not a zone, which callers drop as
 * CoreDNS does.
 */
export function zonesOf(text: string): readonly string[] {
  try {
    return parseZoneKey(text, 0).zones;
  } catch (error) {
    if (error instanceof AppError) return [];
    throw error;
  }
}

/** RFC 1035 section 2.3.1, loosely: labels that start with a letter. The root and reverse zones are fine. */
export function followsPreferredSyntax(zone: string): boolean {
  if (zone === '.' || zone.endsWith('in-addr.arpa.') || zone.endsWith('ip6.arpa.')) return true;
  return zone
    .slice(0, -1)
    .split('.')
    .every((label) => /^[a-z]([a-z0-9-]*[a-z0-9])?$/.test(label));
}

function splitScheme(text: string): { scheme: Scheme; rest: string } {
  const match = /^([a-z0-9]+):\/\/(.*)$/is.exec(text);
  const scheme = match?.[1]?.toLowerCase() ?? '';
  if (match === null || !isScheme(scheme)) return { scheme: 'dns', rest: text };
  return { scheme, rest: match[2] ?? '' };
}

function isScheme(text: string): text is Scheme {
  return Object.hasOwn(SCHEME_PORTS, text);
}

function splitPort(text: string): { host: string; port: number | undefined } {
  const colon = text.lastIndexOf(':');
  if (colon < 0) return { host: text, port: undefined };
  const tail = text.slice(colon + 1);
  if (tail === '') throw zoneFault(`expecting data after last colon: ${JSON.stringify(text)}`);
  if (!/^[+-]?\d+$/.test(tail)) return { host: text, port: undefined };
  const port = Number(tail);
  if (port < 0 || port > 65535) throw zoneFault(`port is not between 0 and 65535: ${JSON.stringify(text)}`);
  return { host: text.slice(0, colon), port };
}

function expandZone(host: string, key: string): readonly string[] {
  if (host.length > 255) throw zoneFault(`specified zone is too long: ${host.length} > 255`);
  const reverse = reverseZones(host);
  const zone = (host.endsWith('.') ? host : `${host}.`).toLowerCase();
  if (reverse === undefined && !isDomainName(zone))
    throw zoneFault(`zone is not a valid domain name: ${host}`);
  if (reverse === undefined) return [zone];
  if (key.startsWith(':') || (key.startsWith('0') && key.includes(':')))
    throw zoneFault(`invalid CIDR ${key}`);
  return reverse;
}

/** Labels of 1 to 63 bytes, 255 together (RFC 1035 section 2.3.4); an escape is one byte. */
function isDomainName(zone: string): boolean {
  if (zone === '.') return true;
  const flat = zone
    .replace(/\\(\d{3}|.)/gs, 'x')
    .replace(/[^ -~]/gu, (rune) => 'x'.repeat(Buffer.byteLength(rune)));
  const labels = flat.slice(0, -1).split('.');
  return flat.length + 1 <= 255 && labels.every((label) => label.length >= 1 && label.length <= 63);
}

function zoneFault(reason: string): AppError {
  return new AppError('COREFILE_ZONE', `error inspecting server blocks: ${reason}`);
}
