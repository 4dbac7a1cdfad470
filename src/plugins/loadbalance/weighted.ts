/** One address, drawn by weight, changes places with the first; the others stay in their order. */
import { TYPE } from '../../dns/codes.ts';
import type { ResourceRecord } from '../../dns/message.ts';
import { canonicalName } from '../../dns/name.ts';
import { recordAddress } from '../../dns/rdata/address.ts';
import type { Weights } from './weights.ts';

/** Of addresses that the file does not name. */
const DEFAULT_WEIGHT = 1;

/** A new list, or the same one when there is nothing to arrange. `random` is uniform in [0, 1). */
export function weighted(
  records: readonly ResourceRecord[],
  weights: Weights,
  random: () => number,
): readonly ResourceRecord[] {
  const addresses = records.filter(({ type }) => type === TYPE.A || type === TYPE.AAAA);
  if (addresses.length < 2) return records;
  const top = drawn(addresses, weights, random);
  const first = addresses[0];
  const ordered = addresses.map((record) =>
    record === first ? top : record === top ? (first ?? top) : record,
  );
  const aliases = records.filter(({ type }) => type === TYPE.CNAME);
  const mailServers = records.filter(({ type }) => type === TYPE.MX);
  const placed = new Set([...addresses, ...aliases, ...mailServers]);
  return [...aliases, ...records.filter((record) => !placed.has(record)), ...ordered, ...mailServers];
}

function drawn(addresses: readonly ResourceRecord[], weights: Weights, random: () => number): ResourceRecord {
  const shares = addresses.map((record) => ({ record, weight: weightOf(record, weights) }));
  let left = random() * shares.reduce((sum, { weight }) => sum + weight, 0);
  for (const { record, weight } of shares) {
    left -= weight;
    if (left < 0) return record;
  }
  const last = addresses.at(-1);
  if (last === undefined) throw new Error('Cannot draw from no addresses');
  return last;
}

function weightOf(record: ResourceRecord, weights: Weights): number {
  const address = recordAddress(record);
  if (address === undefined) return DEFAULT_WEIGHT;
  return weights.get(canonicalName(record.name))?.get(address) ?? DEFAULT_WEIGHT;
}
