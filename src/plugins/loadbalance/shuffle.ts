/**
 * The order of records as `round_robin` wants it (dns-server 3.10): CNAMEs, then what is neither address nor MX, then
 * addresses in random order, then MX in random order. Random and not rotating, as in CoreDNS: a rotation shared by many
 * clients is no fairer, and needs state.
 */
import { TYPE } from '../../dns/codes.ts';
import type { ResourceRecord } from '../../dns/message.ts';

/** A new list, or the same one when there is nothing to arrange. `random` is uniform in [0, 1). */
export function shuffled(
  records: readonly ResourceRecord[],
  random: () => number,
): readonly ResourceRecord[] {
  if (records.length < 2) return records;
  const aliases: ResourceRecord[] = [];
  const others: ResourceRecord[] = [];
  const addresses: ResourceRecord[] = [];
  const mailServers: ResourceRecord[] = [];
  for (const record of records) {
    if (record.type === TYPE.CNAME) aliases.push(record);
    else if (record.type === TYPE.A || record.type === TYPE.AAAA) addresses.push(record);
    else if (record.type === TYPE.MX) mailServers.push(record);
    else others.push(record);
  }
  return [...aliases, ...others, ...inRandomOrder(addresses, random), ...inRandomOrder(mailServers, random)];
}

/** Every order is equally likely: each record changes places with one drawn from itself and those before it. */
function inRandomOrder(items: readonly ResourceRecord[], random: () => number): readonly ResourceRecord[] {
  const order: ResourceRecord[] = [];
  for (const item of items) {
    const at = Math.floor(random() * (order.length + 1));
    order.push(order[at] ?? item);
    order[at] = item;
  }
  return order;
}
