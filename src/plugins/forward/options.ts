/** The option lines of `forward` as values (dns-server 3.6). What CoreDNS knows and this server lacks is refused by name. */
import type { Directive, OptionLine, Token } from '../../corefile/ast.ts';
import { parseRcode, RCODE } from '../../dns/codes.ts';
import { type Name, parseName, ROOT } from '../../dns/name.ts';
import {
  durationArg,
  expectArgs,
  integerArg,
  onlyArg,
  unknownProperty,
  unsupportedProperty,
  wrongDirective,
} from '../directive.ts';
import { zonesFrom } from '../zones.ts';
import { POLICIES, type PolicyName } from './policy.ts';

export interface ForwardSpec {
  readonly except: readonly Name[];
  readonly forceTcp: boolean;
  readonly preferUdp: boolean;
  readonly expireMs: number;
  readonly maxFails: number;
  readonly policy: PolicyName;
  readonly probe: {
    readonly intervalMs: number;
    readonly recursionDesired: boolean;
    readonly domain: Name;
  };
  /** 0 means unlimited. */
  readonly maxConcurrent: number;
  /** Undefined means twice the number of upstreams; 0 means unlimited. */
  readonly maxAttempts: number | undefined;
  readonly readTimeoutMs: number;
  readonly failfast: boolean;
  readonly failover: ReadonlySet<number>;
  readonly nextRcodes: ReadonlySet<number>;
}

const DEFAULTS: ForwardSpec = {
  except: [],
  forceTcp: false,
  preferUdp: false,
  expireMs: 10_000,
  maxFails: 2,
  policy: 'random',
  probe: { intervalMs: 500, recursionDesired: true, domain: ROOT },
  maxConcurrent: 0,
  maxAttempts: undefined,
  readTimeoutMs: 2000,
  failfast: false,
  failover: new Set(),
  nextRcodes: new Set(),
};

type Reader = (line: OptionLine, spec: ForwardSpec) => Partial<ForwardSpec>;

const READERS: Readonly<Record<string, Reader>> = {
  except: (line, { except }) => ({ except: [...except, ...zonesFrom(someArgs(line), [])] }),
  force_tcp: (line) => flag(line, { forceTcp: true }),
  prefer_udp: (line) => flag(line, { preferUdp: true }),
  expire: (line) => ({ expireMs: durationArg('forward', onlyArg('forward', line)) }),
  max_fails: (line) => ({ maxFails: countArg(line) }),
  policy: (line) => ({ policy: policyArg(onlyArg('forward', line)) }),
  health_check: (line) => ({ probe: probeArgs(line) }),
  max_concurrent: (line) => ({ maxConcurrent: countArg(line) }),
  max_connect_attempts: (line) => ({ maxAttempts: countArg(line) }),
  read_timeout: (line) => ({ readTimeoutMs: durationArg('forward', onlyArg('forward', line), { minMs: 1 }) }),
  failfast_all_unhealthy_upstreams: (line) => flag(line, { failfast: true }),
  failover: (line, { failover }) => ({ failover: rcodes(line, failover) }),
  next: (line, { nextRcodes }) => ({ nextRcodes: rcodes(line, nextRcodes) }),
};

/** CoreDNS has these; here they need TLS, HTTP or a resolver that this plugin does not have. */
const NOT_BUILT: ReadonlySet<string> = new Set([
  'tls',
  'tls_servername',
  'next_on_nodata',
  'max_idle_conns',
  'max_age',
  'doh_method',
  'source_address',
  'resolver',
]);

/** Later lines win; lists add up. Throws an `AppError` at the first wrong line. */
export function readForwardSpec(directive: Directive): ForwardSpec {
  let spec = DEFAULTS;
  for (const line of directive.body ?? []) {
    const word = line.name.text;
    if (NOT_BUILT.has(word)) throw unsupportedProperty('forward', line.name);
    const read = Object.hasOwn(READERS, word) ? READERS[word] : undefined;
    if (read === undefined) throw unknownProperty('forward', line.name, Object.keys(READERS));
    spec = { ...spec, ...read(line, spec) };
  }
  return spec;
}

function flag(line: OptionLine, change: Partial<ForwardSpec>): Partial<ForwardSpec> {
  expectArgs('forward', line, 0);
  return change;
}

function countArg(line: OptionLine): number {
  return integerArg('forward', onlyArg('forward', line), { min: 0, max: 0xffff_ffff });
}

function someArgs(line: OptionLine): readonly Token[] {
  return expectArgs('forward', line, 1, Number.POSITIVE_INFINITY);
}

function policyArg(token: Token): PolicyName {
  const policy = POLICIES.find((name) => name === token.text);
  if (policy !== undefined) return policy;
  throw wrongDirective('forward', token, `unknown policy '${token.text}'`, {
    hint: `The policies are: ${POLICIES.join(', ')}`,
  });
}

/** `D [no_rec] [domain FQDN]`, the words in any order. */
function probeArgs(line: OptionLine): ForwardSpec['probe'] {
  const [interval, ...words] = someArgs(line);
  let probe = DEFAULTS.probe;
  if (interval) probe = { ...probe, intervalMs: durationArg('forward', interval, { minMs: 1 }) };
  for (let i = 0; i < words.length; i++) {
    const word = words[i];
    if (word?.text === 'no_rec') probe = { ...probe, recursionDesired: false };
    else if (word?.text === 'domain') probe = { ...probe, domain: domainArg(line, words[++i]) };
    else if (word) throw wrongDirective('forward', word, `health_check: unknown option ${word.text}`);
  }
  return probe;
}

function domainArg(line: OptionLine, token: Token | undefined): Name {
  const domain = token && parseName(token.text);
  if (domain !== undefined) return domain;
  throw wrongDirective('forward', token ?? line.name, 'health_check: invalid domain name');
}

function rcodes(line: OptionLine, known: ReadonlySet<number>): ReadonlySet<number> {
  const added = someArgs(line).map((token) => {
    const rcode = /^\d/.test(token.text) ? undefined : parseRcode(token.text);
    if (rcode === undefined) throw wrongDirective('forward', token, `${token.text} is not a valid rcode`);
    if (rcode === RCODE.NOERROR && line.name.text === 'failover') {
      throw wrongDirective('forward', token, 'NoError cannot be used in failover');
    }
    return rcode;
  });
  return new Set([...known, ...added]);
}
