/** Zone lists of plugin lines (dns-server 1.5): CIDR arguments become their reverse zones, no list means the block's. */
import type { Token } from '../corefile/ast.ts';
import { zonesOf } from '../corefile/keys.ts';
import { isSubdomain, type Name, parseName } from '../dns/name.ts';

/** Zones the arguments stand for, lower case and fully qualified; what is no zone is dropped, as CoreDNS does. */
export function zonesFrom(tokens: readonly Token[], fallback: readonly Name[]): readonly Name[] {
  if (tokens.length === 0) return fallback;
  return tokens.flatMap((token) => zonesOfArgument(token.text));
}

/** None when the text is no zone; several when it is a CIDR whose mask is not on a label boundary. */
export function zonesOfArgument(text: string): readonly Name[] {
  return zonesOf(text).flatMap((zone) => parseName(zone) ?? []);
}

/** The longest of `zones` that holds `name`. */
export function matchingZone(zones: readonly Name[], name: Name): Name | undefined {
  let best: Name | undefined;
  for (const zone of zones) {
    if (isSubdomain(zone, name) && (best === undefined || zone.length > best.length)) best = zone;
  }
  return best;
}
