/** Names of reverse zones and the addresses they mean (RFC 1035 section 3.5, RFC 3596 section 2.5). */
import { type Name, parseName } from '../../dns/name.ts';
import { type Ip, ipBytes, ipFamily, parseIp } from '../../net/ip.ts';

const V4 = /^((?:\d{1,3}\.){4})in-addr\.arpa\.$/;
const V6 = /^((?:[0-9a-f]\.){32})ip6\.arpa\.$/;

/** `name` in lower case. Undefined unless it is the name of one whole address. */
export function reverseAddress(name: Name): Ip | undefined {
  const octets = V4.exec(name)?.[1];
  if (octets !== undefined) return parseIp(octets.split('.').reverse().slice(1).join('.'));
  const nibbles = V6.exec(name)?.[1];
  if (nibbles === undefined) return undefined;
  const digits = nibbles.split('.').reverse().join('');
  return parseIp((digits.match(/.{4}/g) ?? []).join(':'));
}

export function reverseName(ip: Ip): Name {
  const bytes = ipBytes(ip);
  const labels =
    ipFamily(ip) === 4
      ? Array.from(bytes, String)
      : Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0').split('')).flat();
  const zone = ipFamily(ip) === 4 ? 'in-addr' : 'ip6';
  const name = parseName(`${labels.reverse().join('.')}.${zone}.arpa.`);
  if (name === undefined) throw new Error(`Cannot name ${ip}`);
  return name;
}
