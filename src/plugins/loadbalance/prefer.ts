/** Addresses of preferred networks come first, in the order in which the networks were named; all else stays in place. */
import type { ResourceRecord } from '../../dns/message.ts';
import { recordAddress } from '../../dns/rdata/address.ts';
import { type Prefix, prefixContains } from '../../net/prefix.ts';

/** A new list, or the same one when there is nothing to arrange. */
export function preferring(
  records: readonly ResourceRecord[],
  networks: readonly Prefix[],
): readonly ResourceRecord[] {
  if (networks.length === 0) return records;
  const ranked = records.flatMap((record, place) => {
    const address = recordAddress(record);
    if (address === undefined) return [];
    const rank = networks.findIndex((network) => prefixContains(network, address));
    return [{ record, place, rank: rank < 0 ? networks.length : rank }];
  });
  const inOrder = ranked.toSorted((a, b) => a.rank - b.rank || a.place - b.place);
  if (inOrder.every((each, i) => each === ranked[i])) return records;
  const places = new Map(ranked.map(({ place }, i) => [place, inOrder[i]?.record]));
  return records.map((record, place) => places.get(place) ?? record);
}
