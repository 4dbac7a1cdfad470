/**
 * What a weight file says (dns-server 3.10): a name on a line of its own, then lines of an address and its weight, 1 to
 * 255; `#` begins a comment line. Pure; wrong lines are values, since the file changes while the server runs.
 */

import { canonicalName, type Name, parseName } from '../../dns/name.ts';
import { fail, ok, type Result } from '../../fault/result.ts';
import { type Ip, parseIp } from '../../net/ip.ts';

/** By name in lower case, then by address. */
export type Weights = ReadonlyMap<Name, ReadonlyMap<Ip, number>>;

const MAX_WEIGHT = 255;

/** `file` is what messages call it. */
export function parseWeights(text: string, file: string): Result<Weights> {
  const weights = new Map<Name, Map<Ip, number>>();
  let current: Map<Ip, number> | undefined;
  for (const line of text.split('\n').map((each) => each.trim())) {
    if (line === '' || line.startsWith('#')) continue;
    const [first = '', second, third] = line.split(/\s+/);
    if (third !== undefined) return wrong(`could not parse weight line:"${line}" in weight file ${file}`);
    if (second === undefined) {
      const name = parseIp(first) === undefined ? parseName(first) : undefined;
      if (name === undefined) {
        return wrong(`wrong domain name:"${first}" in weight file ${file}. (Maybe a missing weight value?)`);
      }
      current = weights.get(canonicalName(name)) ?? new Map<Ip, number>();
      weights.set(canonicalName(name), current);
      continue;
    }
    const ip = parseIp(first);
    if (ip === undefined) return wrong(`wrong IP address:"${first}" in weight file ${file}`);
    const weight = /^\d+$/.test(second) ? Number(second) : 0;
    if (weight < 1 || weight > MAX_WEIGHT)
      return wrong(`wrong weight value:"${second}" in weight file ${file}`);
    if (current === undefined) return wrong(`missing domain name in weight file ${file}`);
    // The first of two weights for an address counts, as in CoreDNS.
    if (!current.has(ip)) current.set(ip, weight);
  }
  return ok(weights);
}

function wrong(reason: string) {
  return fail('PLUGIN_BAD_VALUE', undefined, reason);
}
