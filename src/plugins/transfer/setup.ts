/** `transfer [ZONE…] { to ADDRESS… }`; may stand several times in a block, and the longest zone that fits decides. */

import type { Directive, OptionLine, Token } from '../../corefile/ast.ts';
import { TYPE } from '../../dns/codes.ts';
import { canonicalName, type Name } from '../../dns/name.ts';
import { type Ip, parseIp } from '../../net/ip.ts';
import { type Port, parseAddressPort, toPort } from '../../net/port.ts';
import { parsePrefix } from '../../net/prefix.ts';
import type { Host, Setup } from '../contract.ts';
import { expectArgs, unknownProperty, wrongDirective } from '../directive.ts';
import { zonesFrom } from '../zones.ts';
import { Notifier } from './notifier.ts';
import { ruleFor, type Target, type TransferRule, transferPlugin } from './plugin.ts';

const PLUGIN = 'transfer';
const DNS_PORT = 53;

export const setup: Setup = ({ directives, block, host }) => {
  const rules = directives.map((directive) => readRule(directive, block.zones));
  const notifier = new Notifier(host);
  return {
    plugin: transferPlugin({ rules, transfers: () => host.neighbours().transfers, log: host.log }),
    handles: (_name, type) => type === TYPE.AXFR || type === TYPE.IXFR,
    onStarted: announce(host, rules, notifier),
    onShutdown: () => notifier.close(),
  };
};

/**
 * Secondaries hear of a zone when its own name is told to have changed, which zone files do when they are first read as
 * well. What changes before the sockets are open is told once they are: a secondary asks at once.
 */
function announce(host: Host, rules: readonly TransferRule[], notifier: Notifier): () => void {
  const early = new Set<Name>();
  let isOpen = false;
  const notify = (zone: Name) => notifier.notify(zone, ruleFor(rules, zone)?.notify ?? []);
  const isZone = (name: Name) =>
    host.neighbours().transfers.some((transfer) => transfer(name, undefined) !== undefined);
  if (rules.every((rule) => rule.notify.length === 0)) return () => undefined;
  host.onRecordsChanged((names) => {
    for (const name of names.map(canonicalName)) {
      if (ruleFor(rules, name) === undefined || !isZone(name)) continue;
      if (isOpen) notify(name);
      else early.add(name);
    }
  });
  return () => {
    isOpen = true;
    for (const zone of early) notify(zone);
    early.clear();
  };
}

function readRule(directive: Directive, blockZones: readonly Name[]): TransferRule {
  const zones = zonesFrom(directive.args, blockZones);
  const targets = (directive.body ?? []).flatMap(readOption);
  if (targets.length === 0) throw wrongDirective(PLUGIN, directive.name, "'to' is required");
  return {
    zones,
    targets,
    notify: targets.flatMap((target) => (target.kind === 'host' ? [target] : [])),
  };
}

function readOption(line: OptionLine): readonly Target[] {
  if (line.name.text !== 'to') throw unknownProperty(PLUGIN, line.name, ['to']);
  return expectArgs(PLUGIN, line, 1, Number.POSITIVE_INFINITY).map(readTarget);
}

/** `*`, an address, with a port to notify, or a network, which is not notified. */
function readTarget(token: Token): Target {
  const { text } = token;
  if (text === '*') return { kind: 'all' };
  const network = text.includes('/') ? parsePrefix(text) : undefined;
  if (network !== undefined) return { kind: 'network', network };
  const found = addressOf(text);
  if (found !== undefined) return { kind: 'host', ...found };
  throw wrongDirective(PLUGIN, token, `not an IP address or file: "${text}"`, {
    hint: "'to' takes *, addresses with or without a port, and networks",
  });
}

function addressOf(text: string): { address: Ip; port: Port } | undefined {
  const address = parseIp(text.replace(/^\[(.*)\]$/, '$1'));
  const port = toPort(DNS_PORT);
  return address === undefined || port === undefined ? parseAddressPort(text) : { address, port };
}
