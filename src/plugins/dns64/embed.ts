/** An IPv4 address inside of an IPv6 prefix, as NAT64 boxes expect it (RFC 6052 section 2.2). Pure. */
import { type Ip, ipBytes, ipFromBytes } from '../../net/ip.ts';
import type { Prefix } from '../../net/prefix.ts';

/** Bits 64 to 71 of the result must be zero, so the address steps over this byte. */
const ZERO_BYTE = 8;

/** `prefix` is IPv6, 32 to 96 bits in steps of 8; `ipv4` is IPv4. */
export function embedIpv4(prefix: Prefix, ipv4: Ip): Ip {
  const bytes = ipBytes(prefix.address);
  let at = prefix.length / 8;
  for (const byte of ipBytes(ipv4)) {
    if (at === ZERO_BYTE) at++;
    bytes[at++] = byte;
  }
  return ipFromBytes(bytes);
}
