/** Which zone of a listener a name belongs to: the longest that holds it, the first of equals, as packet threads do. */

import type { Name } from '../dns/name.ts';
import { encodeLowerName } from '../wirecache/name-bytes.ts';
import type { CopiedRoute, MirroredListener } from './contract.ts';
import type { RouteTally } from './route-tally.ts';

export interface ListenerRoute {
  /** On the wire, in lower case. */
  readonly zone: Uint8Array;
  readonly copied: CopiedRoute | undefined;
  readonly tally: RouteTally;
}

const MAX_NAME_BYTES = 255;

export class ListenerRoutes {
  readonly view: number;
  readonly #routes: readonly ListenerRoute[];
  /** 1 where there is a zone of so many bytes. */
  readonly #lengths = new Uint8Array(MAX_NAME_BYTES + 1);

  constructor({ view, routes }: MirroredListener, tallyOf: (zone: Name) => RouteTally) {
    this.view = view;
    this.#routes = routes.map(({ zone, copied }) => ({
      zone: encodeLowerName(zone),
      copied,
      tally: tallyOf(zone),
    }));
    for (const { zone } of this.#routes) this.#lengths[zone.length] = 1;
  }

  get tallies(): readonly RouteTally[] {
    return this.#routes.map(({ tally }) => tally);
  }

  /** Of a name in lower case. */
  find(bytes: Uint8Array, length: number): ListenerRoute | undefined {
    for (let at = 0; at < length; at += 1 + (bytes[at] ?? 0)) {
      if (this.#lengths[length - at] !== 1) continue;
      for (const route of this.#routes) if (endsWith(bytes, at, length, route.zone)) return route;
    }
    return undefined;
  }
}

function endsWith(bytes: Uint8Array, from: number, length: number, zone: Uint8Array): boolean {
  if (zone.length !== length - from) return false;
  for (let i = 0; i < zone.length; i++) if (bytes[from + i] !== zone[i]) return false;
  return true;
}
