/** `dns64 [PREFIX] { prefix PREFIX; translate_all; allow_ipv4 }`; of several in a block, later words win. */
import type { OptionLine, Token } from '../../corefile/ast.ts';
import { TYPE } from '../../dns/codes.ts';
import { ipFamily } from '../../net/ip.ts';
import { formatPrefix, type Prefix, parsePrefix } from '../../net/prefix.ts';
import type { Setup } from '../contract.ts';
import { expectArgs, onlyArg, quote, unknownProperty, wrongDirective } from '../directive.ts';
import { type Dns64Spec, dns64 } from './plugin.ts';

/** RFC 6052 section 2.1. */
const WELL_KNOWN = '64:ff9b::/96';
const OPTIONS: readonly string[] = ['prefix', 'translate_all', 'allow_ipv4'];
const MIN_BITS = 32;
const MAX_BITS = 96;

export const setup: Setup = ({ directives, host }) => {
  let spec: Dns64Spec = { prefix: wellKnown(), translateAll: false, allowIpv4: false };
  for (const directive of directives) {
    const [prefix] = expectArgs('dns64', directive, 0, 1);
    if (prefix !== undefined) spec = { ...spec, prefix: readPrefix(prefix) };
    for (const option of directive.body ?? []) spec = { ...spec, ...readOption(option) };
  }
  const translated = host.metrics.counter({
    name: 'coredns_dns64_requests_translated_total',
    help: 'Queries for AAAA that were answered from A records.',
    labels: ['server'],
  });
  const plugin = dns64({
    spec,
    resolve: (query, name, type) => host.resolve(query, name, type),
    onTranslated: (server) => translated.with(server).inc(),
  });
  return {
    plugin,
    handles: (_name, type) => type === TYPE.AAAA,
    ...(!spec.allowIpv4 && { dependsOnClient: 'dns64 translates only for who asks over IPv6' }),
  };
};

function wellKnown(): Prefix {
  const prefix = parsePrefix(WELL_KNOWN);
  if (prefix === undefined) throw new Error(`Cannot parse ${WELL_KNOWN}`);
  return prefix;
}

function readOption(option: OptionLine): Partial<Dns64Spec> {
  const { text } = option.name;
  if (text === 'prefix') return { prefix: readPrefix(onlyArg('dns64', option)) };
  if (text !== 'translate_all' && text !== 'allow_ipv4') throw unknownProperty('dns64', option.name, OPTIONS);
  expectArgs('dns64', option, 0);
  return text === 'translate_all' ? { translateAll: true } : { allowIpv4: true };
}

function readPrefix(token: Token): Prefix {
  const prefix = parsePrefix(token.text);
  if (prefix === undefined) {
    throw wrongDirective('dns64', token, `invalid CIDR address: ${token.text}`);
  }
  const shown = quote(formatPrefix(prefix));
  if (ipFamily(prefix.address) === 4) {
    throw wrongDirective('dns64', token, `invalid netmask 32 IPv6 address: ${shown}`);
  }
  const { length } = prefix;
  if (length % 8 !== 0 || length < MIN_BITS || length > MAX_BITS) {
    throw wrongDirective('dns64', token, `invalid prefix length ${shown}`, {
      hint: 'It is 32, 40, 48, 56, 64, 72, 80, 88 or 96',
    });
  }
  return prefix;
}
