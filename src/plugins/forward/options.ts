/** The option lines of `forward` as values (dns-server 3.6). What CoreDNS knows and this server lacks is refused by name. */
import type { Directive, OptionLine, Token } from '../../corefile/ast.ts';
import { parseRcode, RCODE } from '../../dns/codes.ts';
import { type Name, parseName, ROOT } from '../../dns/name.ts';
import { type Ip, parseIp } from '../../net/ip.ts';
import {
  durationArg,
  expectArgs,
  integerArg,
  onlyArg,
  quote,
  unknownProperty,
  unsupportedProperty,
  wrongDirective,
} from '../directive.ts';
import { zonesFrom } from '../zones.ts';
import { POLICIES, type PolicyName } from './policy.ts';
import { parseUpstream } from './upstream-address.ts';

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
  readonly nextOnNodata: boolean;
  /** 0 means all. */
  readonly maxIdle: number;
  /** 0 means no bound. */
  readonly maxAgeMs: number;
  readonly sourceAddress: Ip | undefined;
  /** Servers that know the names among the TOs, `IP:PORT`; none means the system's. */
  readonly resolvers: readonly string[];
  /** The files of `tls`, as written. */
  readonly tls: TlsFiles | undefined;
  readonly tlsServerName: string | undefined;
}

/** One argument is CA, two are CERT and KEY, three all (dns-server 3.6). */
export interface TlsFiles {
  readonly cert?: Token;
  readonly key?: Token;
  readonly ca?: Token;
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
  nextOnNodata: false,
  maxIdle: 0,
  maxAgeMs: 0,
  sourceAddress: undefined,
  resolvers: [],
  tls: undefined,
  tlsServerName: undefined,
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
  next_on_nodata: (line) => flag(line, { nextOnNodata: true }),
  max_idle_conns: (line) => ({ maxIdle: countArg(line) }),
  max_age: (line) => ({ maxAgeMs: durationArg('forward', onlyArg('forward', line)) }),
  source_address: (line) => ({ sourceAddress: addressArg(onlyArg('forward', line)) }),
  resolver: (line, { resolvers }) => ({ resolvers: [...resolvers, ...someArgs(line).map(resolverArg)] }),
  tls: (line) => ({ tls: tlsArgs(line) }),
  tls_servername: (line) => ({ tlsServerName: onlyArg('forward', line).text }),
  next: (line, { nextRcodes }) => ({ nextRcodes: rcodes(line, nextRcodes) }),
};

/** CoreDNS has it for upstreams by HTTPS, which this server has not. */
const NOT_BUILT: ReadonlySet<string> = new Set(['doh_method']);

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

function addressArg(token: Token): Ip {
  const address = parseIp(token.text);
  if (address !== undefined) return address;
  throw wrongDirective('forward', token, `source_address is not an IP address: ${quote(token.text)}`);
}

function resolverArg(token: Token): string {
  const resolver = parseUpstream(token.text);
  if (resolver !== undefined) return resolver.text;
  throw wrongDirective('forward', token, `resolver is not an IP address: ${quote(token.text)}`, {
    hint: 'Write IP or IP:PORT: a name here would need a resolver of its own',
  });
}

function tlsArgs(line: OptionLine): TlsFiles {
  const [first, second, third] = expectArgs('forward', line, 0, 3);
  if (first === undefined) return {};
  if (second === undefined) return { ca: first };
  return { cert: first, key: second, ...(third && { ca: third }) };
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
