/** `acl [ZONES…] { ACTION [type TYPE…] [net SOURCE…] }`, as often as wanted. */
import type { Directive, OptionLine, Token } from '../../corefile/ast.ts';
import { parseType } from '../../dns/codes.ts';
import { type Prefix, parsePrefix } from '../../net/prefix.ts';
import type { BlockInfo, Setup } from '../contract.ts';
import { wrongDirective } from '../directive.ts';
import { matchingZone, zonesFrom } from '../zones.ts';
import { aclCounters } from './metrics.ts';
import { createNetworks, EVERYWHERE } from './networks.ts';
import { acl } from './plugin.ts';
import type { Action, Policy, Stanza } from './rules.ts';

const ACTIONS: readonly string[] = ['allow', 'block', 'filter', 'drop'] satisfies Action[];
const SECTIONS: readonly string[] = ['type', 'net'];
/** Bits of IPv6 in front of an IPv4 address that is written inside of it (RFC 4291 section 2.5.5.2). */
const MAPPED_BITS = 96;

export const setup: Setup = ({ directives, block, host }) => {
  const stanzas = directives.map((directive) => readStanza(directive, block));
  return {
    plugin: acl({ stanzas, counters: aclCounters(host.metrics) }),
    handles: (name, type) =>
      stanzas.some(
        ({ zones, policies }) =>
          matchingZone(zones, name) !== undefined &&
          policies.some(({ types }) => types === undefined || types.has(type)),
      ),
    ...(stanzas.some(({ policies }) => policies.some(({ networks }) => networks !== EVERYWHERE)) && {
      dependsOnClient: 'acl decides by the network of who asks',
    }),
  };
};

function readStanza({ args, body }: Directive, block: BlockInfo): Stanza {
  return { zones: zonesFrom(args, block.zones), policies: (body ?? []).map(readPolicy) };
}

function readPolicy({ name, args }: OptionLine): Policy {
  const action = name.text.toLowerCase();
  if (!isAction(action)) {
    const reason = `unexpected token '${name.text}'; expect 'allow', 'block', 'filter' or 'drop'`;
    throw wrongDirective('acl', name, reason, { code: 'PLUGIN_UNKNOWN_OPTION' });
  }
  const { type, net } = readSections(args);
  const anyType = type.length === 0 || type.some(({ text }) => text === '*');
  const anyNet = net.length === 0 || net.some(({ text }) => text === '*');
  return {
    action,
    types: anyType ? undefined : new Set(type.map(readType)),
    networks: anyNet ? EVERYWHERE : createNetworks(net.map(readNetwork)),
  };
}

interface Sections {
  readonly type: Token[];
  readonly net: Token[];
}

function readSections(args: readonly Token[]): Sections {
  const sections: Sections = { type: [], net: [] };
  let current: Token[] | undefined;
  for (const [i, token] of args.entries()) {
    const word = token.text.toLowerCase();
    if (word === 'type' || word === 'net') {
      current = sections[word];
      const following = args[i + 1];
      if (following === undefined || SECTIONS.includes(following.text.toLowerCase())) {
        throw wrongDirective('acl', token, `no token specified in '${word}' section`);
      }
    } else if (current === undefined) {
      throw wrongDirective('acl', token, `unexpected token '${token.text}'; expect 'type | net'`);
    } else {
      current.push(token);
    }
  }
  return sections;
}

function readType(token: Token): number {
  const type = parseType(token.text);
  if (type !== undefined) return type;
  throw wrongDirective('acl', token, `unexpected token '${token.text}'; expect legal QTYPE`);
}

function readNetwork(token: Token): Prefix {
  const { text } = token;
  const slash = text.indexOf('/');
  const mapped = /^::ffff:\d+\.\d+\.\d+\.\d+$/i.test(slash < 0 ? text : text.slice(0, slash));
  const whole = slash < 0 ? `${text}/${text.includes(':') ? 128 : 32}` : text;
  const prefix = parsePrefix(mapped ? asIpv4(whole) : whole);
  if (prefix !== undefined) return prefix;
  throw wrongDirective('acl', token, `illegal CIDR notation '${text}'`);
}

/** Clients that are seen as `::ffff:10.0.0.1` are 10.0.0.1 everywhere in this program, so their networks are too. */
function asIpv4(mapped: string): string {
  const [address = '', length = ''] = mapped.split('/');
  return `${address.slice(address.lastIndexOf(':') + 1)}/${Number(length) - MAPPED_BITS}`;
}

function isAction(text: string): text is Action {
  return ACTIONS.includes(text);
}
