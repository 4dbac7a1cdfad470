/**
 * CIDR notation to reverse zones (dns-server 1.5). A zone cut can only be made at a whole label, eight bits for IPv4
 * and four for IPv6, so a mask in between stands for several zones.
 */
import { ipBytes, ipFamily, parseIp } from '../net/ip.ts';
import { type Prefix, parsePrefix } from '../net/prefix.ts';

/** Reverse zones, lower case and fully qualified, in ascending order; nothing when `text` is not `IP/mask`. */
export function reverseZones(text: string): readonly string[] | undefined {
  const prefix = parsePrefix(text);
  if (prefix === undefined || parseIp(text.slice(0, text.indexOf('/'))) === undefined) return undefined;
  const labelBits = ipFamily(prefix.address) === 4 ? 8 : 4;
  const labelCount = Math.ceil(prefix.length / labelBits);
  const spareBits = labelCount * labelBits - prefix.length;
  const labels = addressLabels(prefix).slice(0, labelCount);
  const suffix = labelBits === 8 ? 'in-addr.arpa.' : 'ip6.arpa.';
  const last = labels.pop() ?? 0;
  return Array.from({ length: labelCount === 0 ? 1 : 2 ** spareBits }, (_, i) => {
    const path = labelCount === 0 ? [] : [...labels, last + i];
    return [...path.reverse().map((label) => label.toString(labelBits === 8 ? 10 : 16)), suffix].join('.');
  });
}

/** The address's labels from the most significant on. */
function addressLabels({ address }: Prefix): number[] {
  const bytes = [...ipBytes(address)];
  return ipFamily(address) === 4 ? bytes : bytes.flatMap((byte) => [byte >> 4, byte & 0xf]);
}
